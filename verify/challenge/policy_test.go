package challenge_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func TestPresets(t *testing.T) {
	want := []string{"reaction-test", "half-yearly", "yearly", "keep-fresh"}
	for i, p := range challenge.Presets() {
		if p.Name != want[i] {
			t.Errorf("preset %d is %s, want %s", i, p.Name, want[i])
		}
		if problems := p.Check(); len(problems) > 0 {
			t.Errorf("%s: %v", p.Name, problems)
		}
		back, problems := challenge.ParsePolicy([]byte(mustJSON(t, p)))
		if diff := cmp.Diff(p, back); diff != "" || len(problems) > 0 {
			t.Errorf("%s does not survive JSON: %v\n%s", p.Name, problems, diff)
		}
	}
}

// TestPolicyProblems spoils a sound policy in one place each: the problem names
// that place.
func TestPolicyProblems(t *testing.T) {
	tests := []struct {
		name        string
		set         string // a JSON object that is laid over the half-yearly preset
		code, field string
	}{
		{"no name", `{"name":""}`, "policy.syntax", "/name"},
		{"a name with a space", `{"name":"my policy"}`, "policy.syntax", "/name"},
		{"no interval", `{"interval":""}`, "policy.missing", "/interval"},
		{"an interval that is no delay", `{"interval":"half a year"}`, "policy.syntax", "/interval"},
		{"an interval that is a number", `{"interval":6}`, "policy.syntax", "/interval"},
		{"an interval of four years", `{"interval":"48mo","lasts":{}}`, "policy.range", "/interval"},
		{"asking again after 13 days", `{"again":"13d"}`, "policy.range", "/again"},
		{"notices twice a week", `{"notices":"3d"}`, "policy.range", "/notices"},
		{"notices every three years", `{"notices":"36mo"}`, "policy.range", "/notices"},
		{"asking again later than the interval", `{"again":"7mo"}`, "policy.order", "/again"},
		{"a close before the window", `{"close":"14d","ladder":[]}`, "policy.order", "/close"},
		{"a close after the next question", `{"close":"7mo"}`, "policy.order", "/close"},
		{"a settling after the window", `{"settle":"16d"}`, "policy.order", "/settle"},
		{"a drill in days", `{"drill":"1d"}`, "policy.range", "/drill"},
		{"a reminder after the window", `{"reminders":["7d","15d"]}`, "policy.order", "/reminders/1"},
		{"reminders out of order", `{"reminders":["7d","5bd"]}`, "policy.order", "/reminders/1"},
		{"a reminder that is no delay", `{"reminders":["7d","soon"]}`, "policy.syntax", "/reminders/1"},
		{"four reminders", `{"reminders":["1d","2d","3d","4d"]}`, "policy.range", "/reminders"},
		{"more reminders than mails", `{"max_mails":2}`, "policy.range", "/reminders"},
		{"five mails", `{"max_mails":5}`, "policy.range", "/max_mails"},
		{"a rung before the window is over", `{"ladder":[{"at":"10d","to":"sponsor"}]}`, "policy.order", "/ladder/0/at"},
		{"a rung after the close", `{"ladder":[{"at":"46d","to":"sponsor"}]}`, "policy.order", "/ladder/0/at"},
		{"rungs out of order", `{"ladder":[{"at":"30d","to":"sponsor"},{"at":"20d","to":"secretariat"}]}`, "policy.order", "/ladder/1/at"},
		{"a rung to nobody we know", `{"ladder":[{"at":"30d","to":"press"}]}`, "policy.unknown", "/ladder/0/to"},
		{"a rung with a flag of another sort", `{"ladder":[{"at":"30d","flag":"undeliverable"}]}`, "policy.unknown", "/ladder/0/flag"},
		{"a rung that does nothing", `{"ladder":[{"at":"30d"}]}`, "policy.missing", "/ladder/0"},
		{"a rung with a field we don't know", `{"ladder":[{"at":"30d","to":"sponsor","why":"x"}]}`, "policy.unknown", "/ladder/0"},
		{"a level that does not exist", `{"minimum":5}`, "policy.range", "/minimum"},
		{"a way of asking that does not exist", `{"kind":"fax"}`, "policy.unknown", "/kind"},
		{"asking by import", `{"kind":"imported"}`, "policy.unknown", "/kind"},
		{"a kind that can't prove the minimum", `{"minimum":3}`, "policy.order", "/kind"},
		{"proof that runs out too early", `{"lasts":{"answered":"5mo"}}`, "policy.order", "/lasts/answered"},
		{"proof that lasts for ever", `{"lasts":{"drilled":"100mo"}}`, "policy.range", "/lasts/drilled"},
		{"quiet hours that are none", `{"quiet":"25:00-07:00"}`, "policy.syntax", "/quiet"},
		{"quiet hours for most of the day", `{"quiet":"08:00-07:00"}`, "policy.range", "/quiet"},
		{"a holiday that is no day", `{"holidays":["2026-12-25","2026-02-30"]}`, "policy.syntax", "/holidays/1"},
		{"a cap below nothing", `{"caps":{"domain_hour":-1}}`, "policy.range", "/caps/domain_hour"},
		{"a field that we don't know", `{"intervall":"6mo"}`, "policy.unknown", "/intervall"},
	}
	seen := map[directory.Code]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := challenge.ParsePolicy([]byte(laid(t, tt.set)))
			if len(problems) != 1 || string(problems[0].Code) != tt.code || problems[0].Field != tt.field {
				t.Fatalf("ParsePolicy = %v, want one %s at %s", problems, tt.code, tt.field)
			}
			seen[problems[0].Code] = true
		})
	}
	for _, info := range challenge.Codes() {
		if strings.HasPrefix(string(info.Code), "policy.") && !seen[info.Code] {
			t.Errorf("no case has %s", info.Code)
		}
	}
	for _, text := range []string{"", "[]", "null x", strings.Repeat(" ", 70_000)} {
		if _, problems := challenge.ParsePolicy([]byte(text)); len(problems) == 0 {
			t.Errorf("ParsePolicy(%.10q) = no problem", text)
		}
	}
}

// laid returns the half-yearly preset with the fields of set in place of its own.
func laid(t *testing.T, set string) string {
	t.Helper()
	fields := map[string]json.RawMessage{}
	for _, text := range []string{mustJSON(t, preset(t, challenge.PresetHalfYearly)), set} {
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
	}
	return mustJSON(t, fields)
}

func TestResolve(t *testing.T) {
	rules := []challenge.Rule{
		{Policy: "yearly"},
		{Policy: "keep-fresh", Use: "abuse"},
		{Policy: "half-yearly", Forum: "first"},
		{Policy: "reaction-test", Forum: "tf-csirt", Tier: "accredited"},
		{Policy: "yearly", Forum: "tf-csirt"},
		{Policy: "gone", Forum: "isac"},
	}
	member := func(forum, kind, status string) directory.Membership {
		return directory.Membership{Forum: forum, Type: kind, Status: status}
	}
	tests := []struct {
		name         string
		memberships  []directory.Membership
		uses         []string
		policy, rule string
	}{
		{"nobody in particular", nil, nil, "yearly", "everybody"},
		{"a contact for abuse", nil, []string{"abuse"}, "keep-fresh", "use abuse"},
		{"a forum counts for more than a use", []directory.Membership{member("first", "", "member")}, []string{"abuse"}, "half-yearly", "forum first"},
		{"a tier counts for more than a forum", []directory.Membership{member("first", "", "member"), member("tf-csirt", "Accredited", "member")}, nil, "reaction-test", "forum tf-csirt, tier accredited"},
		{"the status is a tier too", []directory.Membership{member("tf-csirt", "", "accredited")}, nil, "reaction-test", "forum tf-csirt, tier accredited"},
		{"of two forums the one that asks more often", []directory.Membership{member("tf-csirt", "", "listed"), member("first", "", "member")}, nil, "half-yearly", "forum first"},
		{"a membership that ended", []directory.Membership{member("first", "", "ended")}, nil, "yearly", "everybody"},
		{"a policy that is not there yields", []directory.Membership{member("isac", "", "member")}, nil, "yearly", "everybody"},
	}
	for _, tt := range tests {
		team := &directory.Team{Profile: directory.Profile{Memberships: tt.memberships}}
		got, ok := challenge.Resolve(rules, challenge.Presets(), team, &directory.Contact{Uses: tt.uses})
		if !ok || got.Policy.Name != tt.policy || got.Rule.String() != tt.rule {
			t.Errorf("%s: Resolve = %s by %q, %t, want %s by %q", tt.name, got.Policy.Name, got.Rule, ok, tt.policy, tt.rule)
		}
		reversed := slices.Clone(rules)
		slices.Reverse(reversed)
		if again, _ := challenge.Resolve(reversed, challenge.Presets(), team, &directory.Contact{Uses: tt.uses}); again.Policy.Name != tt.policy || len(again.Others) != len(got.Others) {
			t.Errorf("%s: with the rules in reverse, %s", tt.name, again.Policy.Name)
		}
	}
	if got, ok := challenge.Resolve(nil, challenge.Presets(), &directory.Team{}, &directory.Contact{}); ok {
		t.Errorf("Resolve without rules = %v, want none", got)
	}
}

func TestChoose(t *testing.T) {
	promised := challenge.Calendar{Hours: hours(t, "24x7")}
	tests := []struct {
		channel  string
		kind     challenge.Kind
		calendar challenge.Calendar
		key      bool
		want     challenge.Kind
	}{
		{"email", challenge.KindBoth, promised, true, challenge.KindBoth},
		{"email", challenge.KindBoth, promised, false, challenge.KindCode},
		{"email", challenge.KindDrill, promised, false, challenge.KindDrill},
		{"email", challenge.KindDrill, challenge.Calendar{}, true, challenge.KindCode},
		{"email", challenge.KindWebhook, promised, true, challenge.KindCode},
		{"phone", challenge.KindCode, promised, true, challenge.KindPhone},
		{"url", challenge.KindWebhook, promised, false, challenge.KindWebhook},
		{"url", challenge.KindCode, promised, true, ""},
		{"chat", challenge.KindCode, promised, true, ""},
	}
	for _, tt := range tests {
		got, ok := challenge.Choose(challenge.Policy{Kind: tt.kind}, &directory.Contact{Channel: tt.channel}, tt.calendar, tt.key)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("Choose(%s, %s, key %t) = %s, %t, want %q", tt.channel, tt.kind, tt.key, got, ok, tt.want)
		}
	}
}

func TestDue(t *testing.T) {
	now := moment(t, "2026-11-01T00:00:00Z")
	c := &directory.Contact{ID: "k1", Revision: 2, Since: moment(t, "2026-01-01T00:00:00Z")}
	item := func(outcome directory.Outcome, level directory.Level, method, day string) directory.Evidence {
		return directory.Evidence{Contact: "k1", Revision: 2, Outcome: outcome, Level: level, Method: method, At: moment(t, day+"T00:00:00Z")}
	}
	proved := func(level directory.Level, day string) directory.Evidence {
		return item(directory.OutcomeProved, level, challenge.MethodCode, day)
	}
	old := proved(2, "2026-10-01")
	old.Revision = 1
	short := proved(2, "2026-06-01")
	short.ValidUntil = moment(t, "2026-09-01T00:00:00Z")
	tests := []struct {
		name     string
		policy   string
		evidence []directory.Evidence
		at       string
		why      challenge.DueWhy
	}{
		{"never proven", "half-yearly", nil, "2026-01-01", challenge.DueNever},
		{"proven about an older revision", "half-yearly", []directory.Evidence{old}, "2026-01-01", challenge.DueNever},
		{"only delivered", "half-yearly", []directory.Evidence{proved(1, "2026-10-01")}, "2026-01-01", challenge.DueNever},
		{"answered", "half-yearly", []directory.Evidence{proved(2, "2026-05-31"), proved(2, "2026-03-31")}, "2026-11-30", challenge.DueInterval},
		{"answered, where the key is to be proven", "reaction-test", []directory.Evidence{proved(2, "2026-10-31")}, "2027-02-28", challenge.DueTooLow},
		{"proven, and only answered since", "reaction-test", []directory.Evidence{proved(3, "2026-06-30"), proved(2, "2026-10-01")}, "2026-10-30", challenge.DueInterval},
		{"a proof that runs out earlier", "half-yearly", []directory.Evidence{short}, "2026-09-01", challenge.DueRunsOut},
		{"failed since", "half-yearly", []directory.Evidence{proved(2, "2026-09-01"), item(directory.OutcomeFailed, 1, challenge.MethodBounced, "2026-10-01")}, "2026-10-01", challenge.DueFailed},
		{"failed before", "half-yearly", []directory.Evidence{proved(2, "2026-09-01"), item(directory.OutcomeFailed, 1, challenge.MethodBounced, "2026-08-01")}, "2027-03-01", challenge.DueInterval},
		{"disputed", "half-yearly", []directory.Evidence{proved(2, "2026-09-01"), item(directory.OutcomeDisputed, 0, "", "2026-10-01")}, "", challenge.DueDisputed},
		{"disputed and settled", "half-yearly", []directory.Evidence{proved(2, "2026-09-01"), item(directory.OutcomeDisputed, 0, "", "2026-10-01"), item(directory.OutcomeSettled, 0, "", "2026-10-02")}, "2027-03-01", challenge.DueInterval},
		{"delivered, where one click is enough", "keep-fresh", []directory.Evidence{item(directory.OutcomeProved, 1, challenge.MethodAccepted, "2026-10-01")}, "2026-01-01", challenge.DueNever},
		{"confirmed in one click", "keep-fresh", []directory.Evidence{item(directory.OutcomeProved, 0, challenge.MethodConfirmed, "2026-09-01")}, "2026-11-30", challenge.DueInterval},
		{"confirmed, where an answer is wanted", "half-yearly", []directory.Evidence{item(directory.OutcomeProved, 0, challenge.MethodConfirmed, "2026-09-01")}, "2026-01-01", challenge.DueNever},
		{"proven in the future", "half-yearly", []directory.Evidence{proved(2, "2026-12-01")}, "2026-01-01", challenge.DueNever},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := challenge.Due(c, tt.evidence, preset(t, tt.policy), now)
			want := time.Time{}
			if tt.at != "" {
				want = moment(t, tt.at+"T00:00:00Z")
			}
			if got.Why != tt.why || !got.At.Equal(want) {
				t.Errorf("Due = %v because %s, want %v because %s", got.At, got.Why, want, tt.why)
			}
		})
	}
}

// TestSpaced: a question that came to nothing counts from when it was asked; one that was answered does not count twice.
func TestSpaced(t *testing.T) {
	day := func(s string) time.Time { return moment(t, s+"T00:00:00Z") }
	c := &directory.Contact{ID: "k1", Revision: 2, Since: day("2026-01-01")}
	never, proven := challenge.NextDue{At: day("2026-01-01"), Why: challenge.DueNever}, challenge.NextDue{At: day("2026-09-01"), Why: challenge.DueInterval, Proof: day("2026-03-01")}
	tests := []struct {
		name  string
		due   challenge.NextDue
		asked string
		at    string
		why   challenge.DueWhy
	}{
		{"never asked", never, "", "2026-01-01", challenge.DueNever},
		{"asked, and silent", never, "2026-03-01", "2026-09-01", challenge.DueAsked},
		{"asked at the address before this one", never, "2025-12-01", "2026-01-01", challenge.DueNever},
		{"the question that was answered", proven, "2026-02-27", "2026-09-01", challenge.DueInterval},
		{"asked when it was due, and silent", proven, "2026-09-02", "2027-03-02", challenge.DueAsked},
		{"asked between, and silent", proven, "2026-07-01", "2027-01-01", challenge.DueAsked},
		{"came back", challenge.NextDue{At: day("2026-09-05"), Why: challenge.DueFailed, Proof: day("2026-03-01")}, "2026-09-02", "2027-03-02", challenge.DueAsked},
		{"failed since it was answered", challenge.NextDue{At: day("2026-04-01"), Why: challenge.DueFailed, Proof: day("2026-03-01")}, "2026-02-27", "2026-04-01", challenge.DueFailed},
		{"runs out before the interval", challenge.NextDue{At: day("2026-04-01"), Why: challenge.DueRunsOut, Proof: day("2026-03-01")}, "2026-02-27", "2026-04-01", challenge.DueRunsOut},
		{"disputed", challenge.NextDue{Why: challenge.DueDisputed}, "2026-09-02", "", challenge.DueDisputed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked, want := time.Time{}, time.Time{}
			if tt.asked != "" {
				asked = day(tt.asked)
			}
			if tt.at != "" {
				want = day(tt.at)
			}
			if got := tt.due.Spaced(asked, c, preset(t, "half-yearly")); !got.At.Equal(want) || got.Why != tt.why {
				t.Errorf("Spaced = %v because %s, want %v because %s", got.At, got.Why, want, tt.why)
			}
		})
	}
}
