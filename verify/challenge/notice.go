package challenge

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// Stage is how near the end of something has come. A team is told of the same thing again
// when it has come nearer, and not before.
type Stage int

// The stages: what has no end to come, and what ends within so many days.
const (
	StageNone Stage = iota
	StageFar
	Stage90
	Stage30
	Stage7
	Stage1
	StagePast
)

// stageOf returns how near due is at now.
func stageOf(due, now time.Time) Stage {
	if due.IsZero() {
		return StageNone
	}
	stage := StageFar
	for _, step := range []struct {
		days int
		is   Stage
	}{{90, Stage90}, {30, Stage30}, {7, Stage7}, {1, Stage1}, {0, StagePast}} {
		if !due.After(now.AddDate(0, 0, step.days)) {
			stage = step.is
		}
	}
	return stage
}

// Thing is something that a team is told of.
type Thing struct {
	Key   string    `json:"key"` // the same for as long as it is the same thing
	Stage Stage     `json:"stage"`
	Item  mail.Item `json:"item"`

	// Contact is who is to be confirmed, where that is what it is about: [NoticeState.Listed] says when again.
	Contact directory.ContactID `json:"contact,omitempty"`
}

// Told is a thing that a team was told of, and how near its end was then.
type Told struct {
	Key   string    `json:"key"`
	Stage Stage     `json:"stage"`
	Gone  time.Time `json:"gone,omitzero"` // since when it is not so any more
}

// NoticeState is what a team was told of by notices so far.
type NoticeState struct {
	Team    directory.TeamID            `json:"team"`
	Last    time.Time                   `json:"last,omitzero"`     // the last notice
	Stopped time.Time                   `json:"stopped,omitzero"`  // since when the team wants none
	Bounced map[directory.ContactID]int `json:"bounced,omitempty"` // revisions of contacts at which notices did not arrive
	Told    []Told                      `json:"told,omitempty"`    // by key
	Listed  []Listing                   `json:"listed,omitempty"`  // contacts about which the team was asked
	Silent  []directory.ContactID       `json:"silent,omitempty"`  // readers who were asked about them, and did not click
}

// forgetAfter is how long a thing is remembered that is not so any more: what comes and goes, as a server
// that is away every other day, is no news each time.
const forgetAfter = 14 * 24 * time.Hour

// Things returns what of a digest a team is told of, in its order: what is wrong, what is about to end, and how
// contacts stand. What only could be better is left to who looks.
func Things(team *directory.Team, list []verify.Attention, explain func(verify.Code) (verify.Problem, bool), now time.Time) []Thing {
	var out []Thing
	known := map[string]bool{}
	for i := range list {
		a := &list[i]
		p, ok := explain(a.Code)
		stage := stageOf(a.Due, now)
		told := a.Check == "" || a.Severity == verify.Error || a.Severity == verify.Warning || stage >= Stage90
		if !ok || !told || a.Severity == verify.Info && a.Check != "" {
			continue
		}
		t := Thing{Key: stepless.ReplaceAllString(string(a.Code), "$1") + " " + a.Finding.Subject, Stage: stage}
		if known[t.Key] { // several lines of one file may have the same fault
			continue
		}
		known[t.Key] = true
		// Of the finding only the code and a plain subject go into a mail: its evidence has what others wrote.
		t.Item = mail.Item{Code: string(a.Code), Group: groupOf(a.Code), Subject: plainSubject(a.Finding.Subject, team), Title: unbracketed.Replace(p.Title), Advice: unbracketed.Replace(p.Advice), Due: a.Due}
		out = append(out, t)
	}
	return out
}

// unbracketed takes out what our mails never have: they are plain text.
var unbracketed = strings.NewReplacer("<", "(", ">", ")")

// stepless takes the step off codes that have one for each.
var stepless = regexp.MustCompile(`(\.expires)-(?:90|30|7|1)$`)

func groupOf(code verify.Code) mail.Group {
	prefix, _, _ := strings.Cut(string(code), ".")
	switch prefix {
	case "contact":
		return mail.GroupContact
	case "key", "pgpkey", "openpgpkey":
		return mail.GroupKey
	case "securitytxt":
		return mail.GroupSecurityTxt
	}
	return mail.GroupOther
}

// subjectForm is what may name a thing in a mail: an address, a domain, a number, a fingerprint.
var subjectForm = regexp.MustCompile(`^[A-Za-z0-9+][A-Za-z0-9.@:_+-]{0,253}$`)

// plainSubject is what a thing is about, in a form that has no words: a page is named by its
// host, and whatever else may have been written by anybody, by the team. A contact that not everybody may
// see is named by its id: mails are read on the way.
func plainSubject(s string, team *directory.Team) string {
	anybody := directory.Nobody()
	for i := range team.Contacts {
		if c := &team.Contacts[i]; c.Value == s && !anybody.Sees(c.Visibility, team) {
			return string(c.ID)
		}
	}
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		s = u.Hostname()
	}
	if subjectForm.MatchString(s) {
		return s
	}
	return string(team.Handle)
}

// tell returns what of things is news to the team at now, at most n of them, and what it has been told of then. Sooner
// than every after the last notice there is no news. The state changes without news, too: what is mended is forgotten.
func (s NoticeState) tell(things []Thing, every time.Duration, n int, now time.Time) (news []Thing, next NoticeState, changed bool) {
	next = s
	next.Told = nil
	told := map[string]Told{}
	for _, t := range s.Told {
		told[t.Key] = t
	}
	may := s.Stopped.IsZero() && !now.Before(s.Last.Add(every))
	for _, t := range things {
		was, known := told[t.Key]
		delete(told, t.Key)
		if t.Contact != "" {
			if may && len(news) < n {
				news = append(news, t)
			}
			continue
		}
		switch {
		case known && t.Stage <= was.Stage: // further away again: it was put off
			next.Told = append(next.Told, Told{Key: t.Key, Stage: t.Stage})
			changed = changed || t.Stage != was.Stage || !was.Gone.IsZero()
		case may && len(news) < n:
			news = append(news, t)
			next.Told = append(next.Told, Told{Key: t.Key, Stage: t.Stage})
		case known:
			changed = changed || !was.Gone.IsZero()
			next.Told = append(next.Told, Told{Key: t.Key, Stage: was.Stage})
		}
	}
	for _, t := range told {
		switch {
		case t.Gone.IsZero():
			t.Gone, changed = now, true
		case !now.Before(t.Gone.Add(forgetAfter)):
			changed = true
			continue
		}
		next.Told = append(next.Told, t)
	}
	slices.SortFunc(next.Told, func(a, b Told) int { return strings.Compare(a.Key, b.Key) })
	if len(news) > 0 {
		next.Last = now
	}
	return news, next, changed || len(news) > 0
}

// count returns how many of things the team was told of.
func (s *NoticeState) count(things []Thing) (n int) {
	for _, t := range things {
		if slices.ContainsFunc(s.Told, func(told Told) bool { return told.Key == t.Key }) {
			n++
		}
	}
	return n
}

// forget takes back that a team was told of things at a moment, since the notice did not get out.
func (s NoticeState) forget(things []Thing, at time.Time) NoticeState {
	gone, asked := map[string]Stage{}, map[directory.ContactID]bool{}
	for _, t := range things {
		gone[t.Key], asked[t.Contact] = t.Stage, true
	}
	s.Listed = slices.DeleteFunc(slices.Clone(s.Listed), func(l Listing) bool { return asked[l.Contact] && l.At.Equal(at) })
	s.Told = slices.DeleteFunc(slices.Clone(s.Told), func(t Told) bool { stage, ok := gone[t.Key]; return ok && stage == t.Stage })
	s.Last = time.Time{}
	return s
}

// readers are the contacts of a team that may get its notices, the first choice first: its
// representatives, then who is there for general questions, then others that have a mailbox. Left
// out is who wants no mails, who can't be reached, and an address that only editors stand for.
func readers(team *directory.Team, marks []Mark, s *NoticeState) []*directory.Contact {
	var out []*directory.Contact
	for i := range team.Contacts {
		c := &team.Contacts[i]
		marked := slices.ContainsFunc(marks, func(m Mark) bool {
			return m.Of(c) && (m.Flag == FlagOptOut || m.Flag == FlagUndeliverable || m.Flag == FlagUnreachable)
		})
		if revision, bounced := s.Bounced[c.ID]; c.Channel == "email" && team.Vouches(c) && !marked && (!bounced || revision != c.Revision) {
			out = append(out, c)
		}
	}
	rank := func(c *directory.Contact) int {
		switch {
		case slices.Contains(c.Uses, "representative"):
			return 0
		case c.Serves("general"):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(out, func(a, b *directory.Contact) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Order, b.Order))
	})
	return out
}
