package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// List returns questions, newest first. They are private to their team, to the
// secretariats of its forums and to operators; those of a campaign, to whoever may run it.
func (d *Desk) List(ctx context.Context, p directory.Principal, f ListFilter) ([]Challenge, error) {
	if err := d.mayRead(ctx, p, f.Team, f.Campaign); err != nil {
		return nil, err
	}
	return d.cfg.Store.ListChallenges(ctx, f)
}

// questionsAtOnce is how many questions are read at once where all are looked through.
const questionsAtOnce = 500

// each calls fn with the questions that pass, the oldest first, a part at a time: a campaign may
// have more than fit into memory. Each is there once, as it is when its part is read.
func (d *Desk) each(ctx context.Context, f ListFilter, fn func(part []Challenge) error) error {
	f.Oldest, f.Limit = true, questionsAtOnce
	for {
		part, err := d.cfg.Store.ListChallenges(ctx, f)
		if err != nil {
			return err
		}
		if err := fn(part); err != nil || len(part) < f.Limit {
			return err
		}
		f.After, f.AfterID = part[len(part)-1].Created, part[len(part)-1].ID
	}
}

func (d *Desk) mayRead(ctx context.Context, p directory.Principal, team directory.TeamID, in CampaignID) error {
	if team != "" {
		t, ok := d.cfg.Index().Team(team)
		if !ok {
			t = nil // nobody's but the operators'
		}
		return directory.MayReadChallenges(p, t)
	}
	if in != "" {
		c, err := d.cfg.Store.Campaign(ctx, in)
		if err != nil {
			return err
		}
		return directory.MayReadCampaign(p, c.forumOf())
	}
	return directory.MayReadChallenges(p, nil)
}

// See returns one question and what happened to it, oldest first.
func (d *Desk) See(ctx context.Context, p directory.Principal, id ID) (Challenge, []Logged, error) {
	c, err := d.cfg.Store.Challenge(ctx, id)
	if err != nil {
		return c, nil, err
	}
	if err := d.mayRead(ctx, p, c.Team, ""); err != nil {
		return Challenge{}, nil, err
	}
	log, err := d.cfg.Store.ChallengeLog(ctx, id)
	return c, log, err
}

// ListCases returns what operators are asked to look at, oldest first.
func (d *Desk) ListCases(ctx context.Context, p directory.Principal, f CaseFilter) ([]OpenCase, error) {
	if err := directory.MayReadCases(p); err != nil {
		return nil, err
	}
	return d.cfg.Store.ListCases(ctx, f)
}

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
}

// Outlook returns how each contact of a team stands, in the order of the team.
func (d *Desk) Outlook(ctx context.Context, p directory.Principal, team *directory.Team) ([]Outlook, error) {
	if err := directory.MayReadChallenges(p, team); err != nil {
		return nil, err
	}
	marks, err := d.cfg.Store.Marks(ctx, team.ID)
	if err != nil {
		return nil, err
	}
	asked, err := d.cfg.Store.ListChallenges(ctx, ListFilter{Team: team.ID, Limit: mostOfTeam})
	if err != nil {
		return nil, err
	}
	waits, err := d.waits(ctx, team.ID)
	if err != nil {
		return nil, err
	}
	automated, err := d.automated(ctx, team.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Outlook, len(team.Contacts))
	for i := range team.Contacts {
		out[i] = d.outlook(team, &team.Contacts[i], &waits)
		if out[i].Kind == KindWebhook && !automated[team.Contacts[i].ID] {
			out[i].Kind = "" // a page for people
		}
		for n := range asked {
			out[i].take(&asked[n])
		}
		for _, m := range marks {
			if m.Contact == team.Contacts[i].ID {
				out[i].Mark = m.Flag
			}
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
	asked map[directory.ContactID]LastAsked
	out   optOuts // who opted out
}

// waits reads them for a team; "" is for all.
func (d *Desk) waits(ctx context.Context, team directory.TeamID) (w waits, err error) {
	if w.asked, err = d.cfg.Store.LastAsked(ctx, team); err != nil {
		return w, err
	}
	w.out, err = d.optedOut(ctx, team)
	return w, err
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

func (d *Desk) optedOut(ctx context.Context, team directory.TeamID) (optOuts, error) {
	marks, err := d.cfg.Store.Marks(ctx, team)
	out := optOuts{map[directory.ContactID]bool{}, map[string]bool{}}
	for _, m := range marks {
		if m.Flag == FlagOptOut {
			out.contacts[m.Contact], out.mailboxes[m.Address] = true, true
		}
	}
	return out, err
}

func (d *Desk) outlook(team *directory.Team, contact *directory.Contact, w *waits) Outlook {
	o := Outlook{Contact: *contact}
	r, ok := Resolve(d.cfg.Rules, d.Policies(), team, contact)
	if !ok {
		return o
	}
	now := d.now()
	o.Policy, o.Rule, o.Next = r.Policy.Name, r.Rule, Due(contact, team.Evidence, r.Policy, now).Spaced(w.asked[contact.ID].At, contact, r.Policy)
	if w.out.has(contact) {
		o.Next = NextDue{Why: DueOptOut, Proof: o.Next.Proof}
	}
	o.Kind, _ = Choose(r.Policy, contact, CalendarOf(team, contact, r.Policy.Holidays), keyFor(team, contact, now) != "")
	return o
}

// Figures returns how quickly contacts answered questions that were made in a
// stretch of time, all together and by campaign, forum, sector and country. A secretariat
// has those of its forum's members; the empty forum stands for everybody.
func (d *Desk) Figures(ctx context.Context, p directory.Principal, forum string, since, until time.Time) (Report, error) {
	if err := directory.MayReadCampaign(p, forum); err != nil {
		return Report{}, err
	}
	title := "Answers of all contacts"
	if forum != "" {
		title = "Answers of the members of " + strings.ToUpper(forum)
	}
	scope := Scope{Forum: forum}
	x := d.cfg.Index()
	made := newReporter(Campaign{Name: title, From: since, To: until}, x.Team, d.now())
	err := d.each(ctx, ListFilter{Since: since, Before: until}, func(part []Challenge) error {
		for i := range part {
			if team, ok := x.Team(part[i].Team); ok && scope.includes(team) {
				made.add(&part[i])
			}
		}
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	r := made.report()
	return r, d.nameCampaigns(ctx, r.Groups)
}

// nameCampaigns puts the names that people know in place of the ids of campaigns.
func (d *Desk) nameCampaigns(ctx context.Context, groups []Group) error {
	for i := range groups {
		g := &groups[i]
		if g.By != ByCampaign {
			continue
		}
		if g.Name == "" {
			g.Name = "outside of campaigns"
			continue
		}
		c, err := d.cfg.Store.Campaign(ctx, CampaignID(g.Name))
		if err != nil {
			return err
		}
		g.Name = fmt.Sprintf("%s, from %s", c.Name, c.From.Format(time.DateOnly))
	}
	return nil
}

// TeamFigures returns how quickly one team answered. They are private to those who
// may read its questions, unless the team consents to their being shown.
func (d *Desk) TeamFigures(ctx context.Context, p directory.Principal, team *directory.Team) (g Group, consent bool, err error) {
	if consent, err = d.cfg.Store.Consents(ctx, team.ID); err != nil {
		return g, false, err
	}
	if err := directory.MayReadChallenges(p, team); err != nil && !consent {
		return g, false, err
	}
	list, err := d.cfg.Store.ListChallenges(ctx, ListFilter{Team: team.ID, Limit: mostOfTeam})
	if err != nil {
		return g, consent, err
	}
	var samples []*Sample
	for i := range list {
		if s, ok := SampleOf(&list[i], team, d.now()); ok {
			samples = append(samples, &s)
		}
	}
	return figures(ByAll, string(team.Handle), samples), consent, nil
}

// Consent notes that a team lets others see how quickly it answers, or no more.
func (d *Desk) Consent(ctx context.Context, p directory.Principal, team *directory.Team, given bool) error {
	if err := directory.MayConsent(p, team); err != nil {
		return err
	}
	now := d.now()
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if err := tx.PutConsent(team.ID, given, p.Name, now); err != nil {
			return err
		}
		action := "withdraw consent"
		if given {
			action = "give consent"
		}
		return tx.Note(directory.AuditEntry{At: now, Actor: p.Name, Action: action, Subject: "consent:" + string(team.ID), Fields: []string{"response times"}})
	})
}

// Plan asks contacts that are due by their policies, at most n, those first that
// have been due the longest, and returns how many. Telephones are left to people.
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
	automated, err := d.automated(ctx, "")
	if err != nil {
		return nil, err
	}
	now := d.now()
	var list []waitingContact
	for team := range d.cfg.Index().Teams() {
		for i := range team.Contacts {
			contact := &team.Contacts[i]
			may := automated[contact.ID]
			if contact.Channel == "email" {
				may = team.Vouches(contact)
			}
			if !may || waits.asked[contact.ID].Open {
				continue
			}
			o := d.outlook(team, contact, &waits)
			if o.Policy == "" || o.Kind == "" || o.Next.At.IsZero() || o.Next.At.After(now) {
				continue
			}
			list = append(list, waitingContact{Ask{Team: team.ID, Contact: contact.ID, Policy: o.Policy}, o.Next.At})
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

// Stopped reports whether the kill switch is on.
func (d *Desk) Stopped(ctx context.Context) (bool, error) { return d.cfg.Store.Stopped(ctx) }
