package challenge

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

var noticeDay = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

func TestStageOf(t *testing.T) {
	if s := stageOf(time.Time{}, noticeDay); s != StageNone {
		t.Errorf("no end: %d", s)
	}
	for days, want := range map[int]Stage{400: StageFar, 91: StageFar, 90: Stage90, 31: Stage90, 30: Stage30, 8: Stage30, 7: Stage7, 2: Stage7, 1: Stage1, 0: StagePast, -5: StagePast} {
		if got := stageOf(noticeDay.AddDate(0, 0, days), noticeDay); got != want {
			t.Errorf("%d days before the end: %d, want %d", days, got, want)
		}
	}
}

// TestThings: what goes into a notice, and that nothing which others wrote does.
func TestThings(t *testing.T) {
	team := &directory.Team{Handle: "alpha", Profile: directory.Profile{Contacts: []directory.Contact{{ID: "5c39", Channel: "phone", Value: "+4315056416", Visibility: directory.Red}}}}
	table := map[verify.Code]verify.Problem{}
	for _, p := range []verify.Problem{{Code: "securitytxt.expired", Severity: verify.Error}, {Code: "pgpkey.expires-90", Severity: verify.Recommendation}, {Code: "pgpkey.never-expires", Severity: verify.Info},
		{Code: "dmarc.none", Severity: verify.Recommendation}, {Code: "contact.unproven", Severity: verify.Recommendation}, {Code: "contact.ends-soon", Severity: verify.Info}, {Code: "mx.missing", Severity: verify.Warning}} {
		p.Title, p.Advice = "Title of "+string(p.Code), "Advice."
		table[p.Code] = p
	}
	explain := func(c verify.Code) (verify.Problem, bool) { p, ok := table[c]; return p, ok }
	at := func(code verify.Code, check, subject string, due time.Time) verify.Attention {
		p := table[code]
		return verify.Attention{Finding: verify.Finding{Code: code, Severity: p.Severity, Subject: subject, Evidence: "PLEASE CALL +1 900", Advice: "call us"}, Title: "call us", Check: check, Due: due}
	}
	soon := noticeDay.AddDate(0, 0, 60)
	got := Things(team, []verify.Attention{
		at("securitytxt.expired", "securitytxt", "https://alpha.example/.well-known/security.txt?call=us now", time.Time{}),
		at("securitytxt.expired", "securitytxt", "https://alpha.example/.well-known/security.txt?call=us now", time.Time{}), // another line of it
		at("pgpkey.expires-90", "openpgp-key", "0123456789ABCDEF0123456789ABCDEF01234567", soon),
		at("pgpkey.never-expires", "openpgp-key", "0123456789ABCDEF0123456789ABCDEF01234567", time.Time{}),
		at("dmarc.none", "dmarc", "alpha.example", time.Time{}), // could be better
		at("contact.unproven", "", "csirt@alpha.example", time.Time{}),
		at("contact.ends-soon", "", "Ask for Mallory\r\nBcc: all@example.org", noticeDay.AddDate(0, 0, 5)),
		at("contact.unproven", "", "+4315056416", time.Time{}), // for few eyes
		at("mx.missing", "mx", "alpha.example", time.Time{}),
		at("invented.code", "mx", "alpha.example", time.Time{}),
	}, explain, noticeDay)
	var lines []string
	for _, th := range got {
		lines = append(lines, strings.Join([]string{th.Item.Code, string(th.Item.Group), th.Item.Subject, th.Item.Title, th.Item.Advice}, "|"))
	}
	want := []string{
		"securitytxt.expired|securitytxt|alpha.example|Title of securitytxt.expired|Advice.",
		"pgpkey.expires-90|key|0123456789ABCDEF0123456789ABCDEF01234567|Title of pgpkey.expires-90|Advice.",
		"contact.unproven|contact|csirt@alpha.example|Title of contact.unproven|Advice.",
		"contact.ends-soon|contact|alpha|Title of contact.ends-soon|Advice.",
		"contact.unproven|contact|5c39|Title of contact.unproven|Advice.",
		"mx.missing||alpha.example|Title of mx.missing|Advice.",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if got[1].Key != "pgpkey.expires 0123456789ABCDEF0123456789ABCDEF01234567" || got[1].Stage != Stage90 || got[3].Stage != Stage7 {
		t.Errorf("keys and stages: %+v", got)
	}
}

// TestTell walks through half a year of one team: each line is a look, with what is so then and
// what it is told of.
func TestTell(t *testing.T) {
	const week = 7 * 24 * time.Hour
	s := NoticeState{Team: "t"}
	for _, look := range []struct {
		name   string
		day    int
		things string // key:stage
		news   string
		most   int
	}{
		{"all is well", 0, "", "", 50},
		{"two things", 1, "a:0 k:2", "a k", 50},
		{"the same", 2, "a:0 k:2", "", 50},
		{"a new one, within the week", 3, "a:0 b:0 k:2", "", 50},
		{"the week is over", 8, "a:0 b:0 k:2", "b", 50},
		{"nothing new for long", 60, "a:0 b:0 k:2", "", 50},
		{"an end came nearer", 61, "a:0 b:0 k:3", "k", 50},
		{"and nearer, within the week", 62, "a:0 b:0 k:4", "", 50},
		{"that is told later", 68, "a:0 b:0 k:4", "k", 50},
		{"it was put off", 69, "a:0 b:0 k:2", "", 50},
		{"gone for a while", 76, "b:0 k:2", "", 50},
		{"back: no news", 83, "a:0 b:0 k:2", "", 50},
		{"gone again", 84, "b:0 k:2", "", 50},
		{"and gone for good", 99, "b:0 k:2", "", 50},
		{"back after that: news", 100, "a:0 b:0 k:2", "a", 50},
		{"nearer again", 120, "a:0 b:0 k:3", "k", 50},
		{"too many at once", 130, "a:0 b:0 c:0 d:0 e:0 k:3", "c d", 2},
		{"the rest a week later", 137, "a:0 b:0 c:0 d:0 e:0 k:3", "e", 2},
	} {
		var things []Thing
		for _, f := range strings.Fields(look.things) {
			key, stage, _ := strings.Cut(f, ":")
			things = append(things, Thing{Key: key, Stage: Stage(stage[0] - '0'), Item: mail.Item{Code: key}})
		}
		now := noticeDay.AddDate(0, 0, look.day)
		news, next, changed := s.tell(things, week, look.most, now)
		var keys []string
		for _, n := range news {
			keys = append(keys, n.Key)
		}
		if got := strings.Join(keys, " "); got != look.news {
			t.Errorf("day %d, %s: told of %q, want %q", look.day, look.name, got, look.news)
		}
		if again, _, _ := next.tell(things, week, look.most, now); len(again) > 0 {
			t.Errorf("day %d, %s: told twice of %v", look.day, look.name, again)
		}
		if changed {
			s = next
		}
	}
	if len(s.Told) != 6 {
		t.Errorf("remembered: %+v", s.Told)
	}
	s.Stopped = noticeDay
	if news, _, _ := s.tell([]Thing{{Key: "new"}}, week, 50, noticeDay.AddDate(2, 0, 0)); len(news) > 0 {
		t.Errorf("told although it wants no notices: %v", news)
	}
	s.Stopped = time.Time{}
	news, next, _ := s.tell([]Thing{{Key: "new"}}, week, 50, noticeDay.AddDate(2, 0, 0))
	if again, _, _ := next.forget(news, noticeDay.AddDate(2, 0, 0)).tell([]Thing{{Key: "new"}}, week, 50, noticeDay.AddDate(2, 0, 1)); len(again) != 1 {
		t.Errorf("what did not get out is news again: %v", again)
	}
}

// TestReaders: who gets the notices of a team.
func TestReaders(t *testing.T) {
	team := &directory.Team{Profile: directory.Profile{Contacts: []directory.Contact{
		{ID: "phone", Channel: "phone", Uses: []directory.Word{"representative"}, Value: "+431"},
		{ID: "abuse", Channel: "email", Uses: []directory.Word{"abuse"}},
		{ID: "general", Channel: "email", Order: 2},
		{ID: "first", Channel: "email", Order: 1},
		{ID: "out", Channel: "email", Uses: []directory.Word{"representative"}},
		{ID: "rep", Channel: "email", Uses: []directory.Word{"representative"}, Revision: 2, Order: 9},
	}}}
	names := func(s *NoticeState, marks ...Mark) string {
		var list []string
		for _, c := range readers(team, marks, s) {
			list = append(list, string(c.ID))
		}
		return strings.Join(list, " ")
	}
	out := Mark{Contact: "out", Flag: FlagOptOut}
	for _, tt := range []struct{ got, want string }{
		{names(&NoticeState{}, out), "rep first general abuse"},
		{names(&NoticeState{Bounced: map[directory.ContactID]int{"rep": 2}}, out), "first general abuse"},
		{names(&NoticeState{Bounced: map[directory.ContactID]int{"rep": 1}}, out, Mark{Contact: "first", Flag: FlagUndeliverable}, Mark{Contact: "general", Flag: FlagUnanswered}), "rep general abuse"},
	} {
		if tt.got != tt.want {
			t.Errorf("readers %q, want %q", tt.got, tt.want)
		}
	}
}
