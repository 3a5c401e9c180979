package challenge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
)

// batchOfQuestions is how many questions of a campaign are written in one transaction.
const batchOfQuestions = 200

// mostCampaigns bounds how many campaigns are read at once: more than anybody runs.
const mostCampaigns = 1_000_000

// campaignSpace is the name space of the ids of campaigns' questions.
var campaignSpace = uuid.MustParse("8d0b1f4e-6b34-4d4b-a36c-7c1b0a4f5f10")

// PlanCampaign keeps a new campaign, which asks nobody before it is started. Its
// id, secret, state and author are set here.
func (d *Desk) PlanCampaign(ctx context.Context, p directory.Principal, c Campaign) (Campaign, error) {
	if err := directory.MayRunCampaign(p, c.forumOf()); err != nil {
		return c, err
	}
	id, err := uuid.NewRandomFromReader(d.cfg.Random)
	if err != nil {
		return c, fmt.Errorf("challenge: randomness: %w", err)
	}
	secret, err := NewSecret(d.cfg.Random)
	if err != nil {
		return c, err
	}
	now := d.now()
	c = Campaign{ID: CampaignID(id.String()), Name: strings.TrimSpace(c.Name), Policy: c.Policy, Kind: c.Kind, Scope: c.Scope, From: c.From.UTC(), To: c.To.UTC(),
		State: CampaignPlanned, Created: now, Since: now, By: p.Name, Secret: secret}
	if found := d.checkCampaign(&c, now); len(found) > 0 {
		return c, &directory.Error{Kind: directory.Invalid, Op: "plan campaign", Problems: found}
	}
	return c, d.cfg.Store.Challenges(ctx, func(tx Tx) error { return d.putCampaign(tx, p.Name, "plan campaign", &c) })
}

// checkCampaign returns what is wrong with a new campaign.
func (d *Desk) checkCampaign(c *Campaign, now time.Time) []directory.Problem {
	x := policyChecker{c.problems()}
	x.add(!c.To.After(now), CodeCampaignWindow, "/to", c.To.Format(time.RFC3339), "the window is over", "a time to come")
	if c.Policy != "" {
		_, err := d.policy(c.Policy)
		x.add(err != nil, CodePolicyUnknown, "/policy", c.Policy, "there is no policy of this name", "one of "+strings.Join(d.policyNames(), ", "))
	}
	for _, w := range []struct{ field, value string }{{"forum", c.Scope.Forum}, {"tier", c.Scope.Tier}, {"sector", c.Scope.Sector}} {
		x.add(len([]rune(w.value)) > 64, CodeCampaignScope, "/scope/"+w.field, w.value, "too long", "at most 64 characters")
	}
	x.add(len(c.Scope.Uses) > 20, CodeCampaignScope, "/scope/uses", len(c.Scope.Uses), "too many uses", "at most 20")
	x.add(len(c.Scope.Teams) > 10_000, CodeCampaignScope, "/scope/teams", len(c.Scope.Teams), "too many teams", "at most 10,000")
	known := c.Kind == "" || c.Kind.ByMail() || c.Kind == KindPhone
	x.add(!known, CodeCampaignKind, "/kind", string(c.Kind), "a campaign does not ask so", "code, nonce, signed, both, drill or phone, or nothing for what fits each contact")
	return x.found
}

func (d *Desk) policyNames() (names []string) {
	for _, p := range d.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// Policies returns the policies of this desk: the operator's, and the presets that
// they do not replace.
func (d *Desk) Policies() []Policy {
	out := append([]Policy(nil), d.cfg.Policies...)
	for _, p := range Presets() {
		own := false
		for i := range d.cfg.Policies {
			own = own || d.cfg.Policies[i].Name == p.Name
		}
		if !own {
			out = append(out, p)
		}
	}
	return out
}

// Rules returns by which policy who is asked.
func (d *Desk) Rules() []Rule { return append([]Rule(nil), d.cfg.Rules...) }

func (d *Desk) putCampaign(tx Tx, actor, action string, c *Campaign) error {
	if err := tx.PutCampaign(*c); err != nil {
		return err
	}
	return tx.Note(directory.AuditEntry{At: d.now(), Actor: actor, Action: action, Subject: "campaign:" + string(c.ID), Fields: []string{"state"},
		Detail: c.Name + ": " + string(c.State)})
}

// Campaign returns one with its questions counted.
func (d *Desk) Campaign(ctx context.Context, p directory.Principal, id CampaignID) (Campaign, Progress, error) {
	progress := Count(nil)
	c, err := d.campaign(ctx, p, id)
	if err != nil {
		return c, progress, err
	}
	return c, progress, d.each(ctx, ListFilter{Campaign: id}, func(part []Challenge) error {
		for i := range part {
			progress.add(&part[i])
		}
		return nil
	})
}

func (d *Desk) campaign(ctx context.Context, p directory.Principal, id CampaignID) (Campaign, error) {
	c, err := d.cfg.Store.Campaign(ctx, id)
	if err != nil {
		return c, err
	}
	if err := directory.MayReadCampaign(p, c.forumOf()); err != nil {
		return Campaign{}, err
	}
	return c, nil
}

// Campaigns returns those that pass and that p may see, newest first.
func (d *Desk) Campaigns(ctx context.Context, p directory.Principal, f CampaignFilter) (out []Campaign, err error) {
	if err := directory.MayReadCampaign(p, p.Forum); err != nil {
		return nil, err
	}
	most := max(1, f.Limit)
	for f.Limit = max(most, 100); ; { // those of others fill no page
		list, err := d.cfg.Store.Campaigns(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if directory.MayReadCampaign(p, list[i].forumOf()) != nil {
				continue
			}
			if out = append(out, list[i]); len(out) == most {
				return out, nil
			}
		}
		if len(list) < f.Limit {
			return out, nil
		}
		f.Before, f.BeforeID = list[len(list)-1].Created, list[len(list)-1].ID
	}
}

// Report returns what a campaign came to so far.
func (d *Desk) Report(ctx context.Context, p directory.Principal, id CampaignID) (Report, error) {
	c, err := d.campaign(ctx, p, id)
	if err != nil {
		return Report{}, err
	}
	made := newReporter(c, d.cfg.Index().Team, d.now())
	err = d.each(ctx, ListFilter{Campaign: id}, func(part []Challenge) error {
		for i := range part {
			made.add(&part[i])
		}
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	return made.report(), nil
}

// Move is what is done with a campaign.
type Move string

// The moves.
const (
	MoveStart  Move = "start"
	MoveHalt   Move = "halt"   // nothing more of it is sent; answers still count
	MoveResume Move = "resume" // and everything has that much more time
	MoveAbort  Move = "abort"  // for good; open questions are closed
)

// Moves returns every move.
func Moves() []Move { return []Move{MoveStart, MoveHalt, MoveResume, MoveAbort} }

// Steer moves a campaign on, and carries out what that means for its questions.
// Where that is cut short, [Desk.Steward] goes on with it. What has mails go out, start
// and resume, waits for a self-test that passes ([CodeSelftest]).
func (d *Desk) Steer(ctx context.Context, p directory.Principal, id CampaignID, move Move) (Campaign, error) {
	c, err := d.cfg.Store.Campaign(ctx, id)
	if err != nil {
		return c, err
	}
	if err := directory.MayRunCampaign(p, c.forumOf()); err != nil {
		return Campaign{}, err
	}
	if _, err := c.move(move, d.now()); err != nil {
		return c, stateError(move, &c, err)
	}
	if err := d.believed(ctx, move, id); err != nil {
		return c, err
	}
	if err := d.tellAll(ctx, id); err != nil {
		return c, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if c, err = tx.Campaign(id); err != nil {
			return err
		}
		if c, err = c.move(move, d.now()); err != nil {
			return stateError(move, &c, err)
		}
		return d.putCampaign(tx, p.Name, string(move)+" campaign", &c)
	})
	if err != nil {
		return c, err
	}
	return c, d.carryOn(ctx, id)
}

// believed refuses a move that has mails go out which others would not believe.
func (d *Desk) believed(ctx context.Context, move Move, id CampaignID) error {
	if move != MoveStart && move != MoveResume || d.cfg.Ready == nil {
		return nil
	}
	if err := d.cfg.Ready(ctx); err != nil {
		return &directory.Error{Kind: directory.Conflict, Op: string(move) + " campaign", Subject: string(id), Err: err, Problems: []directory.Problem{{
			Code: CodeSelftest, Reason: "our own mails would not be believed: " + err.Error(), Want: "a self-test that passes: rollcall mail selftest"}}}
	}
	return nil
}

// move returns c after a move, with what its questions are to be told.
func (c Campaign) move(m Move, now time.Time) (Campaign, error) {
	var tell EventKind
	var err error
	next := c
	switch m {
	case MoveStart:
		next, err = c.Start(now)
	case MoveHalt:
		next, tell, err = c.Halt(now)
	case MoveResume:
		next, tell, err = c.Resume(now)
	case MoveAbort:
		next, tell, err = c.Abort()
	default:
		err = fmt.Errorf("%w: no move %q", ErrCampaign, m)
	}
	if err != nil {
		return c, err
	}
	next.Pending, next.Since = tell, now
	return next, nil
}

func stateError(m Move, c *Campaign, err error) error {
	return &directory.Error{Kind: directory.Conflict, Op: string(m) + " campaign", Subject: string(c.ID), Err: err, Problems: []directory.Problem{{
		Code: CodeCampaignState, Value: string(c.State), Reason: strings.TrimPrefix(err.Error(), ErrCampaign.Error()+": "), Want: "see the state of the campaign"}}}
}

// Steward carries on with every campaign: it makes the questions of one that was
// started, tells them of a halt, and notes when all came to their end. It
// returns how many campaigns are not over.
func (d *Desk) Steward(ctx context.Context) (open int, err error) {
	list, err := d.cfg.Store.Campaigns(ctx, CampaignFilter{Limit: mostCampaigns})
	if err != nil {
		return 0, err
	}
	for i := range list {
		over := list[i].State == CampaignDone || list[i].State == CampaignAborted
		if over && list[i].Pending == "" || list[i].State == CampaignPlanned {
			continue
		}
		if !over {
			open++
		}
		if err := d.carryOn(ctx, list[i].ID); err != nil {
			return open, fmt.Errorf("campaign %s: %w", list[i].ID, err)
		}
	}
	return open, nil
}

func (d *Desk) carryOn(ctx context.Context, id CampaignID) error {
	if err := d.tellAll(ctx, id); err != nil {
		return err
	}
	c, err := d.cfg.Store.Campaign(ctx, id)
	switch {
	case err != nil || c.State != CampaignRunning:
		return err
	case !c.Filled:
		return d.fill(ctx, c)
	}
	left, err := d.cfg.Store.ListChallenges(ctx, ListFilter{Campaign: id, Open: true, Limit: 1})
	if err != nil || len(left) > 0 {
		return err
	}
	return d.alter(ctx, id, func(tx Tx, c *Campaign) error {
		if c.State != CampaignRunning {
			return nil
		}
		c.State, c.Since = CampaignDone, d.now()
		return d.putCampaign(tx, "challenge", "end campaign", c)
	})
}

// alter changes a campaign in a transaction of its own.
func (d *Desk) alter(ctx context.Context, id CampaignID, fn func(Tx, *Campaign) error) error {
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		return fn(tx, &c)
	})
}

// drawn is one question that a campaign is to ask.
type drawn struct {
	challenge Challenge
	policy    Policy
}

// draw makes the questions of a campaign, or says why a contact gets none. It
// writes nothing, and yields the same whenever it is asked, but for subject tokens.
func (d *Desk) draw(ctx context.Context, c *Campaign, each func(*directory.Contact, *drawn, Skip) error) error {
	out, err := d.optedOut(ctx, "")
	if err != nil {
		return err
	}
	for _, team := range d.cfg.Index().Sorted() {
		if !c.Scope.includes(team) {
			continue
		}
		for i := range team.Contacts {
			contact := &team.Contacts[i]
			if !c.Scope.holds(team, contact, c.Kind) {
				continue
			}
			q, skip, err := d.drawOne(c, team, contact)
			if out.has(contact) {
				skip = SkipOptOut
			}
			if err != nil {
				return err
			}
			if err := each(contact, q, skip); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (d *Desk) drawOne(c *Campaign, team *directory.Team, contact *directory.Contact) (*drawn, Skip, error) {
	q, policy, err := d.plan(Ask{Team: team.ID, Contact: contact.ID, Kind: c.Kind, Policy: c.Policy, In: c.ID})
	switch {
	case errors.Is(err, ErrNoPolicy):
		return nil, SkipPolicy, nil
	case errors.Is(err, ErrUnvouched):
		return nil, SkipUnvouched, nil
	case errors.Is(err, ErrNotAsked):
		return nil, SkipWay, nil
	case err != nil:
		return nil, "", err
	}
	at, ok := c.Moment(contact.ID, q.Calendar, q.Kind)
	if !ok {
		return nil, SkipHours, nil
	}
	// The same contact has the same question, whoever plans it and however often.
	q.ID = ID(uuid.NewSHA1(campaignSpace, []byte(string(c.ID)+"/"+string(contact.ID))).String())
	q.Due, q.Held, q.Until = at, c.Held, Calendar{}.After(c.To, policy.Close)
	return &drawn{q, policy}, "", nil
}

// errHalted ends the making of questions: the campaign does not run any more.
var errHalted = errors.New("challenge: the campaign does not run any more")

// fill makes the questions of a campaign, in parts. Cut short, it can be begun again.
func (d *Desk) fill(ctx context.Context, c Campaign) error {
	skipped := map[Skip]int{}
	var part []*drawn
	write := func() error {
		err := d.fillPart(ctx, &c, part, skipped)
		part = part[:0]
		return err
	}
	err := d.draw(ctx, &c, func(_ *directory.Contact, q *drawn, skip Skip) error {
		if skip != "" {
			skipped[skip]++
			return nil
		}
		if err := d.older(ctx, &q.challenge); err != nil {
			return err
		}
		if part = append(part, q); len(part) < batchOfQuestions {
			return nil
		}
		return write()
	})
	if err == nil {
		err = write()
	}
	if errors.Is(err, errHalted) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.alter(ctx, c.ID, func(tx Tx, now *Campaign) error {
		if now.State != CampaignRunning || now.Held != c.Held {
			return nil
		}
		now.Filled, now.Skipped = true, skipped
		return tx.PutCampaign(*now)
	})
}

// fillPart writes some questions, as long as the campaign runs.
func (d *Desk) fillPart(ctx context.Context, c *Campaign, part []*drawn, skipped map[Skip]int) error {
	if len(part) == 0 {
		return nil
	}
	var found map[Skip]int
	err := d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		found = map[Skip]int{} // the engine may run this twice
		now, err := tx.Campaign(c.ID)
		if err != nil {
			return err
		}
		if now.State != CampaignRunning || now.Held != c.Held { // or was halted meanwhile: others have been told to wait so long
			return errHalted
		}
		for _, q := range part {
			if skip, err := d.fillOne(tx, q); err != nil {
				return err
			} else if skip != "" {
				found[skip]++
			}
		}
		return nil
	})
	for skip, n := range found {
		skipped[skip] += n
	}
	return err
}

func (d *Desk) fillOne(tx Tx, q *drawn) (Skip, error) {
	_, err := tx.Challenge(q.challenge.ID)
	if err == nil || directory.KindOf(err) != directory.NotFound {
		return "", err // made before, or trouble
	}
	team, contact, err := d.find(q.challenge.Team, q.challenge.Contact)
	if err != nil || contact.Revision != q.challenge.Revision || team == nil {
		return SkipRemoved, nil //nolint:nilerr // it went while this was planned
	}
	err = d.put(tx, &q.challenge, q.policy)
	if errors.Is(err, ErrAskedNow) {
		return SkipOpen, nil
	}
	return "", err
}
