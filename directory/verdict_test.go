package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

const checkedKey = "0123456789ABCDEF0123456789ABCDEF01234567"

// found is a verdict as "check kind:subject verdict", of some days ago.
func found(line string, days int) directory.CheckVerdict {
	f := strings.Fields(line)
	kind, subject, _ := strings.Cut(f[1], ":")
	return directory.CheckVerdict{Check: f[0], Kind: kind, Subject: subject, Verdict: f[2], Since: now.AddDate(0, 0, -days), Checked: now}
}

// sum is a summary as "ok warning error inconclusive", and a line for each fault.
func sum(s *directory.CheckSummary) []string {
	if s == nil {
		return []string{}
	}
	return append([]string{fmt.Sprint(s.OK, s.Warning, s.Error, s.Inconclusive)}, lines(s.Faults)...)
}

func lines(list []directory.CheckVerdict) []string {
	out := []string{}
	for _, v := range list {
		out = append(out, v.Check+" "+v.Kind+":"+v.Subject+" "+v.Verdict)
	}
	return out
}

// checked gives a record verdicts, each a day younger than the one before.
func checked(verdicts ...string) func(*directory.Record) {
	return func(r *directory.Record) {
		for i, line := range verdicts {
			r.Checks = append(r.Checks, found(line, len(verdicts)-i))
		}
	}
}

func key(visibility directory.TLP) func(*directory.Record) {
	return func(r *directory.Record) {
		r.Own.Keys = []directory.TeamKey{{Visibility: visibility, Key: directory.Key{Fingerprint: checkedKey, UserIDs: []directory.UserID{{Email: "Desk@keys.example"}}}}}
	}
}

// TestVerdictsAreSeenWithWhatTheyAreAbout: whoever sees no domain, contact or
// key sees no verdict about it either, and a verdict about what the team names
// no more is nobody's.
func TestVerdictsAreSeenWithWhatTheyAreAbout(t *testing.T) {
	all := []string{
		"dns domain:alpha.example ok", "dns domain:gone.example error", "dns domain:hidden.example warning", "dns domain:keys.example ok",
		"dns domain:mail.example ok", "dns domain:night.example ok", "dns domain:page.example ok", "dns domain:www.alpha.example ok",
		"reach contact:Desk@mail.example ok", "reach contact:desk@keys.example ok", "reach contact:night@night.example error", "pgp key:" + checkedKey + " error",
		"pgp key:0000 ok",
	}
	member := directory.Principal{Name: "m", Role: directory.Consumer, Team: "id-other", Forums: []string{"forum"}}
	for _, c := range []struct {
		name   string
		viewer directory.Principal
		hidden []string // subjects
	}{
		{"an operator sees all", operator, nil},
		{"anybody sees what is clear", directory.Nobody(), []string{"domain:hidden.example", "domain:keys.example", "domain:night.example",
			"contact:desk@keys.example", "contact:night@night.example", "key:" + checkedKey}},
		{"a member of a shared forum sees what is amber", member, []string{"domain:hidden.example"}},
		{"an operator who asks for clear", directory.Principal{Name: "o", Role: directory.Operator, Scopes: operator.Scopes, AtMost: directory.Clear},
			[]string{"domain:hidden.example", "domain:keys.example", "domain:night.example", "contact:desk@keys.example", "contact:night@night.example", "key:" + checkedKey}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rec("alpha", mail("desk@mail.example"), contact("email", "night@night.example", "tlp:amber"), contact("url", "https://page.example/report"),
				has("domain", "alpha.example"), has("domain", "hidden.example", "tlp:red"), key(directory.Amber), checked(all...), func(r *directory.Record) {
					r.Own.Website = "https://www.alpha.example/"
					r.Own.Memberships = []directory.Membership{{Forum: "forum", Status: "member"}}
				})
			team := r.Team()
			shown := directory.Redact(&team, c.viewer)
			want := slices.DeleteFunc(slices.Clone(all), func(line string) bool {
				subject := strings.Fields(line)[1]
				return subject == "domain:gone.example" || subject == "key:0000" || slices.Contains(c.hidden, subject)
			})
			if diff := cmp.Diff(want, lines(shown.Checks)); diff != "" {
				t.Errorf("the verdicts shown (-want +got):\n%s", diff)
			}
			if len(r.Checks) != len(all) {
				t.Errorf("the record has %d verdicts left of %d", len(r.Checks), len(all))
			}
		})
	}
}

// TestLookupShowsWhatItLeansOn asks by address and by name: each candidate has
// the verdicts about its contact, and about the domain that matched.
func TestLookupShowsWhatItLeansOn(t *testing.T) {
	x := indexOf(t,
		rec("alpha", mail("Desk@mail.example", "abuse"), contact("phone", "+4315550100", "emergency"), has("prefix", "192.0.2.0/25"),
			has("domain", "alpha.example"), has("domain", "other.example"), has("domain", "mail.example"), key(""),
			checked("dns domain:alpha.example error", "dns domain:mail.example ok", "dns domain:other.example error", "pgp key:"+checkedKey+" warning",
				"reach contact:desk@mail.example inconclusive", "securitytxt domain:alpha.example ok", "securitytxt domain:mail.example error")),
		rec("beta", mail("soc@beta.example"), has("prefix", "192.0.2.0/24")),
		rec("red", mail("soc@red.example"), has("domain", "red.example"), key(directory.Red), checked("dns domain:red.example ok", "pgp key:"+checkedKey+" error")),
		rec("silent", has("domain", "silent.example"), checked("dns domain:silent.example error")),
	)
	onContact := []string{"1 1 1 1", "securitytxt domain:mail.example error", "pgp key:" + checkedKey + " warning", "reach contact:desk@mail.example inconclusive"}
	for _, c := range []struct {
		name, query   string
		use           string
		checks, match []string
	}{
		{"an address", "192.0.2.1", "", onContact, nil},
		{"a domain that is another one than the contact's", "www.alpha.example", "", onContact, []string{"1 0 1 0", "dns domain:alpha.example error"}},
		{"the contact's own domain, once", "mail.example", "", onContact, nil},
		{"a contact that is no mailbox", "192.0.2.1", "emergency", []string{"0 1 0 0", "pgp key:" + checkedKey + " warning"}, nil},
		{"a team without verdicts", "192.0.2.200", "", nil, nil},
		{"a key that not everybody sees", "red.example", "", []string{"1 0 0 0"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := directory.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			var a directory.Answer
			x.Lookup(q, directory.Ask{Viewer: directory.Nobody(), Use: c.use, Now: now}, &a)
			if len(a.Candidates) == 0 {
				t.Fatalf("nobody is known")
			}
			first := a.Candidates[0]
			if diff := cmp.Diff(append([]string{}, c.checks...), sum(first.Checks)); diff != "" {
				t.Errorf("about the contact (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, c.match...), sum(first.OnMatch)); diff != "" {
				t.Errorf("about what matched (-want +got):\n%s", diff)
			}
			if got := a.Recipients(nil); len(got) != 1 || !cmp.Equal(sum(got[0].Checks), sum(first.Checks)) {
				t.Errorf("Recipients = %+v, want the same verdicts", got)
			}
		})
	}
}

// TestVerdictsHideNothing: the same contact is chosen whatever was found.
func TestVerdictsHideNothing(t *testing.T) {
	bad := indexOf(t, rec("alpha", mail("a@a.example", "abuse"), mail("b@b.example", "general"), has("prefix", "192.0.2.0/24"), checked("dns domain:a.example error", "reach contact:a@a.example error")))
	q, _ := directory.ParseQuery("192.0.2.1")
	var a directory.Answer
	bad.Lookup(q, directory.Ask{Viewer: directory.Nobody(), Now: now}, &a)
	if got := summary(&a); got != "match; 1 prefix a@a.example" {
		t.Errorf("Lookup = %q, want the contact for abuse", got)
	}
}

// TestSummary counts all verdicts and names the worst of many, and says until
// when all of them were seen to hold.
func TestSummary(t *testing.T) {
	var list []string
	for i := range 20 {
		list = append(list, "check"+string(rune('a'+i))+" domain:a.example warning")
	}
	r := rec("alpha", mail("a@a.example"), has("prefix", "192.0.2.0/24"), checked(append(list, "yet domain:a.example inconclusive", "zone domain:a.example error", "zoo domain:a.example ok")...))
	r.Checks[20].Checked, r.Checks[3].Checked = time.Time{}, now.AddDate(0, 0, -6)
	x := indexOf(t, r)
	q, _ := directory.ParseQuery("192.0.2.1")
	var a directory.Answer
	x.Lookup(q, directory.Ask{Viewer: directory.Nobody(), Now: now}, &a)
	got := a.Candidates[0].Checks
	if s := sum(got); len(s) != 17 || s[0] != "1 20 1 1" || s[1] != "zone domain:a.example error" || s[2] != "checkt domain:a.example warning" {
		t.Errorf("summary = %q; want all counted, 16 named, the worst first, then the newest", s)
	}
	if want := now.AddDate(0, 0, -6); !got.Checked.Equal(want) || got.Worst() != "error" {
		t.Errorf("checked %v, worst %q; want the oldest, %v, and error", got.Checked, got.Worst(), want)
	}
}

func TestWorst(t *testing.T) {
	for want, s := range map[string]*directory.CheckSummary{
		"": nil, "ok": {OK: 1}, "inconclusive": {OK: 1, Inconclusive: 1}, "warning": {Inconclusive: 1, Warning: 1}, "error": {Warning: 1, Error: 1},
	} {
		if got := s.Worst(); got != want {
			t.Errorf("Worst of %+v = %q, want %q", s, got, want)
		}
	}
}

// TestLookupWithVerdictsDoesNotAllocate: they are found when the index is built.
func TestLookupWithVerdictsDoesNotAllocate(t *testing.T) {
	x := indexOf(t, rec("alpha", mail("a@a.example"), has("prefix", "192.0.2.0/24"), checked("dns domain:a.example error")))
	q, _ := directory.ParseQuery("192.0.2.1")
	var a directory.Answer
	ask := directory.Ask{Viewer: directory.Nobody(), Now: now}
	if n := testing.AllocsPerRun(100, func() { x.Lookup(q, ask, &a) }); n != 0 {
		t.Errorf("Lookup makes %v allocations, want 0", n)
	}
	if a.Candidates[0].Checks.Worst() != "error" {
		t.Error("the verdict is not there")
	}
}

// TestVerdictsFollow: an index to which a record is applied shows its verdicts,
// and no more those that went.
func TestVerdictsFollow(t *testing.T) {
	x := indexOf(t, rec("alpha", mail("a@a.example"), has("prefix", "192.0.2.0/24"), checked("dns domain:a.example error")))
	x = x.Apply(8, []directory.Record{rec("alpha", mail("a@a.example"), has("prefix", "192.0.2.0/24"), checked("dns domain:a.example ok"))})
	q, _ := directory.ParseQuery("192.0.2.1")
	var a directory.Answer
	x.Lookup(q, directory.Ask{Viewer: directory.Nobody(), Now: now.Add(time.Hour)}, &a)
	if got := sum(a.Candidates[0].Checks); !cmp.Equal(got, []string{"1 0 0 0"}) {
		t.Errorf("verdicts = %v", got)
	}
}
