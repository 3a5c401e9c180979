package challenge

import (
	"context"
	"fmt"
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

// Stopped reports whether the kill switch is on.
func (d *Desk) Stopped(ctx context.Context) (bool, error) { return d.cfg.Store.Stopped(ctx) }
