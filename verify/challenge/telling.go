package challenge

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// Secretariat is where a forum's secretariat is written to when its members do not answer.
type Secretariat struct {
	Forum    string `json:"forum,omitempty"` // as memberships name it; "" is for all that have none of their own
	Address  string `json:"address"`
	Language string `json:"language,omitempty"` // BCP 47; "" is English
}

// CheckSecretariats returns what is wrong with secretariats. Fields are named from the list on.
func CheckSecretariats(list []Secretariat) []directory.Problem {
	var x policyChecker
	seen := map[string]bool{}
	for i, s := range list {
		at := fmt.Sprintf("/%d", i)
		x.add(s.Forum != "" && !mail.Names(s.Forum), CodePolicySyntax, at+"/forum", clip(s.Forum), "not the name of a forum", "2 to 64 of a-z, 0-9, dots and hyphens, as memberships have it")
		x.add(seen[s.Forum], CodePolicyOrder, at+"/forum", s.Forum, "the forum has a secretariat already", "each forum once")
		email, err := directory.ParseEmail(s.Address)
		x.add(err != nil || string(email) != s.Address, CodePolicySyntax, at+"/address", clip(s.Address), "not one address", "such as secretariat@example.org")
		x.add(len(s.Language) > 35, CodePolicySyntax, at+"/language", clip(s.Language), "not a language", "a tag such as en or pt-BR")
		seen[s.Forum] = true
	}
	return x.found
}

// Telling is that somebody else is to know of a question that nobody answers.
type Telling struct {
	Recipient string // who: "team:" and the id of a sponsor, or "forum:" and the name of a forum
	Challenge ID
	Rung      int // of the ladder
	Created   time.Time
	Letter    NoticeID // that says it; "" for none yet
	Tries     int      // letters that did not get out
}

// What stands in place of a letter where none is to come.
const (
	letterNone NoticeID = "none" // there was nobody to write to: people see to it
	letterVoid NoticeID = "void" // there is nothing to tell any more
)

// TellingStore keeps who is to know of what. What [Store] asks of implementations holds here too.
type TellingStore interface {
	// Listeners returns the recipients that are to be told something, in order.
	Listeners(context.Context) ([]string, error)
	// Untold returns what a recipient was not told yet, the oldest first.
	Untold(ctx context.Context, recipient string, limit int) ([]Telling, error)
}

// TellingTx is the part of a [Tx] that is about tellings.
type TellingTx interface {
	// PutTelling adds one, unless it is there.
	PutTelling(Telling) error
	// Told notes the letter that says something, unless there is one already.
	Told(Telling) error
	// Untell takes back all that a letter says, since it did not arrive; back says that it came back, which is counted.
	Untell(letter NoticeID, back bool) error
}

// tellTries is how many letters may come back before people are to see to it.
const tellTries = 3

// The recipients of tellings.
const (
	toTeam  = "team:"
	toForum = "forum:"
)

// letterTo is the one letter of a day (in UTC) to a recipient, whoever decides it.
func letterTo(recipient string, at time.Time) NoticeID {
	return NoticeID("told-" + uuid.NewSHA1(uuid.MustParse("6f0f8c35-3d0c-4f2b-8a2b-0d0a3e7a9c52"), []byte(recipient+"/"+at.UTC().Format(time.DateOnly))).String())
}

// secretariat returns the one of a forum, or else the instance's own.
func (d *Desk) secretariat(forum string) (Secretariat, bool) {
	for _, name := range []string{forum, ""} {
		if i := slices.IndexFunc(d.cfg.Secretariats, func(s Secretariat) bool { return s.Forum == name }); i >= 0 {
			return d.cfg.Secretariats[i], true
		}
	}
	return Secretariat{}, false
}

// recipients are those who can be written to when a rung says that sponsors or secretariats are to know; and, in
// words, those who can't.
func (d *Desk) recipients(team *directory.Team, to Recipient) (found, missing []string) {
	target, _ := Whom(to, team, "", nil)
	for _, handle := range target.Sponsors {
		sponsor, ok := d.cfg.Index().ByHandle(handle)
		if ok && sponsor.ID != team.ID && len(readers(sponsor, nil, &NoticeState{})) > 0 {
			found = append(found, toTeam+string(sponsor.ID))
			continue
		}
		name := string(handle)
		if ok {
			if contact := nextContact(sponsor, "", nil); contact != nil {
				name += " (" + contact.Value + ")"
			}
		}
		missing = append(missing, name)
	}
	forums := target.Forums
	if to == ToSecretariat && len(forums) == 0 {
		forums = []string{""}
	}
	for _, forum := range forums {
		if s, ok := d.secretariat(forum); ok {
			found = append(found, toForum+s.Forum)
			continue
		}
		missing = append(missing, cmp.Or(forum, "of this instance"))
	}
	slices.Sort(found)
	return slices.Compact(found), missing
}

// listener returns whom a recipient is, and the contacts that can be written to, the first choice first. A secretariat
// is a team of its own for that, which stands in no list.
func (d *Desk) listener(recipient string, marks []Mark, s *NoticeState) (*directory.Team, []*directory.Contact) {
	if id, ok := strings.CutPrefix(recipient, toTeam); ok {
		team, ok := d.cfg.Index().Team(directory.TeamID(id))
		if !ok || !s.Stopped.IsZero() {
			return nil, nil
		}
		return team, readers(team, marks, s)
	}
	forum := strings.TrimPrefix(recipient, toForum)
	found, ok := d.secretariat(forum)
	if !ok || found.Forum != forum {
		return nil, nil
	}
	team := &directory.Team{Handle: directory.Handle(cmp.Or(forum, "rollcall"))}
	team.Languages = []directory.Language{directory.Language(cmp.Or(found.Language, "en"))}
	team.Contacts = []directory.Contact{{ID: directory.ContactID(recipient), Revision: 1, Channel: "email", Value: found.Address, Vouched: true}}
	if out := outOf(marks); out.has(&team.Contacts[0]) {
		return nil, nil
	}
	return team, []*directory.Contact{&team.Contacts[0]}
}
