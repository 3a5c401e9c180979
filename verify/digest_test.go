package verify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

var digestDay = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func daysFrom(n int) time.Time { return digestDay.AddDate(0, 0, n) }

// explainX is a table of codes for tests.
func explainX(code verify.Code) (verify.Problem, bool) {
	if area, name, _ := strings.Cut(string(code), "."); area == "x" {
		return verify.Problem{Code: code, Title: "It is " + name, Advice: "Mend it."}, true
	}
	return verify.Problem{}, false
}

func finding(code verify.Code, s verify.Severity) verify.Finding {
	return verify.Finding{Code: code, Severity: s, Advice: "Mend it."}
}

// digestTeam has a contact of each channel, each with the evidence given.
func digestTeam(evidence ...directory.Evidence) *directory.Team {
	t := &directory.Team{Handle: "example", Profile: directory.Profile{Names: directory.Names{Short: "Example CSIRT"}, Contacts: []directory.Contact{
		{ID: "c1", Revision: 1, Channel: "email", Value: "csirt@example.org"},
		{ID: "c2", Revision: 1, Channel: "phone", Value: "+3612345678"},
	}}}
	for _, e := range evidence {
		e.Revision = 1
		t.Evidence = append(t.Evidence, e)
	}
	return t
}

func proved(contact directory.ContactID, ago int) directory.Evidence {
	return directory.Evidence{Contact: contact, Level: directory.Answered, Outcome: directory.OutcomeProved, At: daysFrom(-ago)}
}

// brief is a digest in short: severity, code, subject, due date.
func brief(list []verify.Attention) []string {
	var out []string
	for _, a := range list {
		line := string(a.Severity) + " " + string(a.Code) + " " + a.Finding.Subject
		if !a.Due.IsZero() {
			line += " due " + a.Due.Format(time.DateOnly)
		}
		out = append(out, line)
	}
	return out
}

func TestDigestOfContacts(t *testing.T) {
	both := func(days int) []directory.Evidence {
		return []directory.Evidence{proved("c1", days), proved("c2", 1)}
	}
	for _, tt := range []struct {
		name     string
		evidence []directory.Evidence
		want     []string
	}{
		{"all proven", both(10), nil},
		{"the last day that is not soon", both(149), nil},
		{"a proof that runs out in 30 days", both(150), []string{"info contact.ends-soon csirt@example.org due 2026-12-21"}},
		{"the last day of a proof", both(180), []string{"info contact.ends-soon csirt@example.org due 2026-11-21"}},
		{"a proof that has run out", both(181), []string{"recommendation contact.due csirt@example.org due 2026-12-20"}},
		{"a proof that ran out long ago", both(300), []string{"warning contact.overdue csirt@example.org due 2026-07-24"}},
		{"never proven", []directory.Evidence{proved("c2", 1)}, []string{"recommendation contact.unproven csirt@example.org"}},
		{"failed", append(both(10), directory.Evidence{Contact: "c1", Outcome: directory.OutcomeFailed, At: daysFrom(-1)}), []string{"error contact.failed csirt@example.org"}},
		{"disputed", append(both(10), directory.Evidence{Contact: "c1", Outcome: directory.OutcomeDisputed, At: daysFrom(-1)}), []string{"warning contact.disputed csirt@example.org"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := brief(verify.Digest(digestTeam(tt.evidence...), nil, directory.Policy{}, explainX, digestDay))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Digest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDigestOfChannels(t *testing.T) {
	team := digestTeam(proved("c1", 1), proved("c2", 1))
	team.Contacts[1].Channel, team.Contacts[1].Value = "email", "other@example.org"
	got := brief(verify.Digest(team, nil, directory.Policy{}, explainX, digestDay))
	if want := []string{"recommendation contact.one-channel example"}; !slices.Equal(got, want) {
		t.Errorf("Digest of two addresses = %q, want %q", got, want)
	}
	team.Withheld = []string{"contacts"}
	if got := verify.Digest(team, nil, directory.Policy{}, explainX, digestDay); len(got) != 0 {
		t.Errorf("Digest where contacts were redacted = %q, want nothing", brief(got))
	}
	if got := verify.Digest(&directory.Team{}, nil, directory.Policy{}, explainX, digestDay); len(got) != 0 {
		t.Errorf("Digest of a team without contacts = %q, want nothing", brief(got))
	}
}

func TestDigestOfChecks(t *testing.T) {
	subject := verify.Subject{Kind: verify.SubjectDomain, ID: "example.org"}
	known := func(v verify.Verdict, facts []verify.Fact, findings ...verify.Finding) verify.Verification {
		return verify.Verification{Check: "x", Subject: subject, Verdict: v, Findings: findings, Facts: facts, Since: daysFrom(-7), Trying: daysFrom(-2)}
	}
	expires := func(days ...int) (facts []verify.Fact) {
		for _, d := range days {
			facts = append(facts, verify.Fact{Name: "expires", Value: daysFrom(d).Format(time.RFC3339)})
		}
		return facts
	}
	tried := known(verify.VerdictInconclusive, nil)
	tried.Tries, tried.Trouble = 3, "fetch.timeout"
	for _, tt := range []struct {
		name  string
		known []verify.Verification
		want  []string
	}{
		{"nothing wrong", []verify.Verification{known(verify.VerdictOK, nil)}, nil},
		{"what needs nothing done", []verify.Verification{known(verify.VerdictOK, nil, finding("x.a", verify.Info), finding("x.b", verify.Notification))}, nil},
		{"never tried", []verify.Verification{known(verify.VerdictInconclusive, nil)}, nil},
		{"out of reach", []verify.Verification{tried}, []string{"info check.inconclusive example.org"}},
		{"an error, which is due at once", []verify.Verification{known(verify.VerdictError, expires(9), finding("x.expired", verify.Error))}, []string{"error x.expired example.org"}},
		{"an end that comes", []verify.Verification{known(verify.VerdictWarning, expires(-3, 9, 5), finding("x.expires-soon", verify.Warning))}, []string{"warning x.expires-soon example.org due 2026-11-26"}},
		{"an end that is no date", []verify.Verification{known(verify.VerdictWarning, []verify.Fact{{Name: "expires", Value: "soon"}}, finding("x.expires-soon", verify.Warning))}, []string{"warning x.expires-soon example.org"}},
		{"a warning about something else", []verify.Verification{known(verify.VerdictWarning, expires(9), finding("x.other", verify.Warning))}, []string{"warning x.other example.org"}},
		{"a part of the subject", []verify.Verification{known(verify.VerdictError, nil, finding("x.a", verify.Error).On("https://example.org/key"))}, []string{"error x.a https://example.org/key"}},
		{"the order", []verify.Verification{
			known(verify.VerdictError, expires(9), finding("x.c", verify.Recommendation), finding("x.z", verify.Warning), finding("x.expires-soon", verify.Warning), finding("x.b", verify.Error).AtLine(2), finding("x.d", verify.Error).AtLine(1)),
		}, []string{"error x.d example.org", "error x.b example.org", "warning x.expires-soon example.org due 2026-11-30", "warning x.z example.org", "recommendation x.c example.org"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := brief(verify.Digest(digestTeam(proved("c1", 1), proved("c2", 1)), tt.known, directory.Policy{}, explainX, digestDay))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Digest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDigestText(t *testing.T) {
	team := digestTeam(proved("c1", 200), proved("c2", 1))
	f := finding("x.wrong", verify.Error).AtLine(4).Right("Expires: 2027-06-01T00:00:00Z")
	f.Spec, f.Evidence = "RFC 9116 section 2.5.5", "Expires: 2026-01-01T00:00:00Z"
	f.Advice = strings.Repeat("Do what the standard says, ", 5) + "and do it soon."
	known := []verify.Verification{{Check: "x", Subject: verify.Subject{Kind: verify.SubjectDomain, ID: "example.org"}, Verdict: verify.VerdictError, Findings: []verify.Finding{f}, Since: daysFrom(-7)}}
	list := verify.Digest(team, known, directory.Policy{}, explainX, digestDay)
	want := `Example CSIRT (example), 2026-11-21

Mend at once:

 1. example.org: It is wrong
    line 4: Expires: 2026-01-01T00:00:00Z
    right: Expires: 2027-06-01T00:00:00Z
    Do what the standard says, Do what the standard says, Do what the standard
    says, Do what the standard says, Do what the standard says, and do it soon.
    since 2026-11-14; x.wrong; RFC 9116 section 2.5.5

Make better:

 2. csirt@example.org: The proof that the contact answers has run out
    Answer the next challenge, or ask the operator for one.
    due 2026-12-01; since 2026-05-05; contact.due
`
	if diff := cmp.Diff(want, verify.DigestText(team, list, digestDay)); diff != "" {
		t.Errorf("DigestText (-want +got):\n%s", diff)
	}
	if got, want := verify.DigestText(team, nil, digestDay), "Example CSIRT (example), 2026-11-21\n\nNothing needs attention.\n"; got != want {
		t.Errorf("DigestText of nothing = %q, want %q", got, want)
	}
}

// TestWrapText: no line is too wide, no word is lost, long words stay whole.
func TestWrapText(t *testing.T) {
	long := strings.Repeat("x", 100)
	text := strings.Repeat("words of ünïcödé ", 20) + long + " end"
	var b strings.Builder
	verify.WrapText(&b, "\n 1. ", "    ", text)
	if got, want := strings.Fields(b.String())[1:], strings.Fields(text); !slices.Equal(got, want) {
		t.Errorf("WrapText changed the words: %q", got)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > verify.TextWidth && !strings.Contains(line, long) {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}
