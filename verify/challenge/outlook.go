package challenge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Outlook is how a contact stands with its questions.
type Outlook struct {
	Contact directory.Contact
	Policy  string // "" where no rule holds: it is never asked
	Rule    Rule   // by which Policy holds
	Kind    Kind   // how it would be asked; "" where nothing here reaches it
	Next    NextDue
	Open    *Challenge // what it is being asked
	Last    *Challenge // what it was asked last and is over
	Mark    FlagKind

	policy Policy
}

// Outlook returns how each contact of a team stands, in the order of the team.
func (d *Desk) Outlook(ctx context.Context, p directory.Principal, team *directory.Team) ([]Outlook, error) {
	if err := directory.MayReadChallenges(p, team); err != nil {
		return nil, err
	}
	waits, err := d.waits(ctx, team.ID)
	if err != nil {
		return nil, err
	}
	asked, err := d.cfg.Store.ListChallenges(ctx, ListFilter{Team: team.ID, Limit: mostOfTeam})
	if err != nil {
		return nil, err
	}
	out, err := d.outlooks(ctx, team, &waits)
	for i := range out {
		for n := range asked {
			out[i].take(&asked[n])
		}
	}
	return out, err
}

// TeamOutlook is how some contacts of a team stand.
type TeamOutlook struct {
	Team     *directory.Team
	Contacts []Outlook // without Open and Last
}

// OutlookFilter says which contacts of the directory are listed.
type OutlookFilter struct {
	Why   DueWhy           // required
	After directory.TeamID // of the teams after this one, in the order of the ids; "" is all
	Limit int              // contacts after which no further team is begun
}

// Outlooks returns the contacts of all teams that stand for one reason, by team, in the order of their
// ids. What they are and were asked is left out. More says that other teams follow.
func (d *Desk) Outlooks(ctx context.Context, p directory.Principal, f OutlookFilter) (list []TeamOutlook, more bool, err error) {
	if err := directory.MayReadChallenges(p, nil); err != nil {
		return nil, false, err
	}
	waits, err := d.waits(ctx, "")
	if err != nil {
		return nil, false, err
	}
	teams := d.cfg.Index().Sorted()
	first, found := slices.BinarySearchFunc(teams, f.After, func(t *directory.Team, id directory.TeamID) int { return strings.Compare(string(t.ID), string(id)) })
	if found {
		first++
	}
	n := 0
	for _, team := range teams[first:] {
		all, err := d.outlooks(ctx, team, &waits)
		if err != nil {
			return nil, false, err
		}
		all = slices.DeleteFunc(all, func(o Outlook) bool { return o.Next.Why != f.Why })
		if len(all) == 0 {
			continue
		}
		if n >= f.Limit {
			return list, true, nil
		}
		list, n = append(list, TeamOutlook{team, all}), n+len(all)
	}
	return list, false, ctx.Err()
}

// outlooks returns how the contacts of a team stand, but for their questions.
func (d *Desk) outlooks(ctx context.Context, team *directory.Team, w *waits) ([]Outlook, error) {
	out := make([]Outlook, len(team.Contacts))
	for i := range team.Contacts {
		o := &out[i]
		*o = d.outlook(team, &team.Contacts[i], w)
		if err := d.inDigest(ctx, team, o, w); err != nil {
			return nil, err
		}
		for _, m := range w.marks[o.Contact.ID] {
			o.Mark = m.Flag
		}
	}
	return out, nil
}

// mostOfTeam bounds how many questions of one team are looked through.
const mostOfTeam = 1000

// take puts a question in its place; they come newest first.
func (o *Outlook) take(c *Challenge) {
	switch {
	case c.Contact != o.Contact.ID:
	case c.Open() && o.Open == nil:
		o.Open = c
	case !c.Open() && o.Last == nil:
		o.Last = c
	}
}

// waits is what keeps contacts from being asked, but for the time since their last proof.
type waits struct {
	asked     map[directory.ContactID]LastAsked
	marks     map[directory.ContactID][]Mark
	out       optOuts                           // who opted out
	automated map[directory.ContactID]bool      // whose automation can be asked
	stopped   bool                              // the kill switch is on
	told      map[directory.TeamID]*NoticeState // of teams that were looked at, nil for one that gets no notices
}

// waits reads them for a team; "" is for all.
func (d *Desk) waits(ctx context.Context, team directory.TeamID) (w waits, err error) {
	if w.asked, err = d.cfg.Store.LastAsked(ctx, team); err != nil {
		return w, err
	}
	marks, err := d.cfg.Store.Marks(ctx, team)
	if err != nil {
		return w, err
	}
	w.out, w.marks, w.told = outOf(marks), map[directory.ContactID][]Mark{}, map[directory.TeamID]*NoticeState{}
	for _, m := range marks {
		w.marks[m.Contact] = append(w.marks[m.Contact], m)
	}
	if w.automated, err = d.automated(ctx, team); err != nil {
		return w, err
	}
	w.stopped, err = d.cfg.Store.Stopped(ctx)
	return w, err
}

// of returns the marks of the contacts of a team, with what holds for their addresses.
func (w *waits) of(team *directory.Team) (list []Mark) {
	for i := range team.Contacts {
		c := &team.Contacts[i]
		list = append(list, w.marks[c.ID]...)
		if w.out.has(c) {
			list = append(list, Mark{Contact: c.ID, Team: team.ID, Flag: FlagOptOut})
		}
	}
	return list
}

// optOuts are those who asked for no more mail and of whom no operator has decided yet: the
// contacts, and their mailboxes, which may be listed by other teams too.
type optOuts struct {
	contacts  map[directory.ContactID]bool
	mailboxes map[string]bool
}

func (o *optOuts) has(c *directory.Contact) bool {
	mailbox, _ := MailTo(c.Value)
	return o.contacts[c.ID] || mailbox != "" && o.mailboxes[mailbox]
}

// of reports whether the contact of a question, or its address, has opted out.
func (o *optOuts) of(c *Challenge) bool {
	mailbox, _ := MailTo(c.Address)
	return o.contacts[c.Contact] || mailbox != "" && o.mailboxes[mailbox]
}

func (d *Desk) optedOut(ctx context.Context, team directory.TeamID) (optOuts, error) {
	marks, err := d.cfg.Store.Marks(ctx, team)
	return outOf(marks), err
}

func outOf(marks []Mark) optOuts {
	out := optOuts{map[directory.ContactID]bool{}, map[string]bool{}}
	for _, m := range marks {
		if m.Flag == FlagOptOut {
			out.contacts[m.Contact], out.mailboxes[m.Address] = true, true
		}
	}
	return out
}

func (d *Desk) outlook(team *directory.Team, contact *directory.Contact, w *waits) Outlook {
	o := Outlook{Contact: *contact, Next: NextDue{Why: DueNoPolicy}}
	r, ok := Resolve(d.cfg.Rules, d.Policies(), team, contact)
	if !ok {
		return o
	}
	now := d.now()
	o.Policy, o.Rule, o.policy = r.Policy.Name, r.Rule, r.Policy
	o.Kind, _ = Choose(r.Policy, contact, CalendarOf(team, contact, r.Policy.Holidays), keyFor(team, contact, now) != "")
	if o.Kind == KindWebhook && !w.automated[contact.ID] {
		o.Kind = "" // a page for people
	}
	o.Next = Due(contact, team.Evidence, r.Policy, now).Spaced(w.asked[contact.ID].At, contact, r.Policy)
	if why := o.held(team, w); why != "" { // a date would be of nothing that is to come
		o.Next = NextDue{Why: why, Proof: o.Next.Proof}
	}
	return o
}

// held is what keeps a contact from being asked until a person does something about it; what holds
// for longest comes first.
func (o *Outlook) held(team *directory.Team, w *waits) DueWhy {
	switch {
	case o.Kind == "":
		return DueNoWay
	case w.out.has(&o.Contact):
		return DueOptOut
	case o.Kind.ByMail() && !team.Vouches(&o.Contact):
		return DueUnvouched
	case o.Next.Why == DueDisputed:
		return DueDisputed
	case w.stopped:
		return DueStopped
	}
	return ""
}

// Plan asks contacts that are due by their policies, at most n, those first that
// have been due the longest, and returns how many. Telephones are left to people,
// and so are contacts that the notices to teams list.
func (d *Desk) Plan(ctx context.Context, n int) (asked int, err error) {
	due, err := d.due(ctx)
	if err != nil {
		return 0, err
	}
	for _, q := range due {
		if asked >= n {
			break
		}
		_, err := d.Ask(ctx, q.ask)
		switch {
		case err == nil:
			asked++
		case errors.Is(err, ErrNoPolicy) || errors.Is(err, ErrNotAsked) || errors.Is(err, ErrAskedNow):
			d.cfg.Log.Debug("a contact that is due is not asked", "team", q.ask.Team, "contact", q.ask.Contact, "err", err)
		default:
			return asked, err
		}
	}
	return asked, nil
}

// waitingContact is a contact that is due, since when.
type waitingContact struct {
	ask Ask
	at  time.Time
}

// due returns the contacts that are due and not being asked, the longest first.
func (d *Desk) due(ctx context.Context) ([]waitingContact, error) {
	waits, err := d.waits(ctx, "")
	if err != nil {
		return nil, err
	}
	now := d.now()
	var list []waitingContact
	for team := range d.cfg.Index().Teams() {
		for i := range team.Contacts {
			contact := &team.Contacts[i]
			if waits.asked[contact.ID].Open {
				continue
			}
			o := d.outlook(team, contact, &waits)
			if o.Kind == KindPhone || o.Next.At.IsZero() || o.Next.At.After(now) {
				continue
			}
			if err := d.inDigest(ctx, team, &o, &waits); err != nil {
				return nil, err
			}
			if o.Next.Why != DueDigest {
				list = append(list, waitingContact{Ask{Team: team.ID, Contact: contact.ID, Policy: o.Policy}, o.Next.At})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b waitingContact) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(string(a.ask.Contact), string(b.ask.Contact))
	})
	return list, ctx.Err()
}

// automated returns the contacts of a team, or of all, whose automation can be asked.
func (d *Desk) automated(ctx context.Context, team directory.TeamID) (map[directory.ContactID]bool, error) {
	list, err := d.cfg.Store.Endpoints(ctx, team)
	known := make(map[directory.ContactID]bool, len(list))
	for i := range list {
		known[list[i].Contact] = true
	}
	return known, err
}
