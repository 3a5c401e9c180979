package challenge

import (
	"context"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// LookNotice finds the notice of a link's token, and changes nothing. The result is
// [Right], [Used] where somebody has said that nothing has changed, [Expired], or [Unknown].
func (d *Desk) LookNotice(ctx context.Context, token string) (TeamNotice, Result, error) {
	lookup, err := d.cfg.Key.noticeLookup(token)
	if err != nil {
		return TeamNotice{}, Unknown, nil //nolint:nilerr // a text that can't be a token is an unknown one
	}
	n, err := d.cfg.Store.NoticeByToken(ctx, lookup)
	switch {
	case directory.KindOf(err) == directory.NotFound:
		return n, Unknown, nil
	case err != nil:
		return n, Unknown, err
	case !n.Confirmed.IsZero():
		return n, Used, nil
	case d.now().After(n.Expires):
		return n, Expired, nil
	}
	return n, Right, nil
}

// ConfirmNotice takes in that nothing about a team has changed since a notice was written. It is worth freshness of
// level 0 for each contact that is still as it was: whoever has the link can say so, and mail scanners have it. What
// failed or is disputed is not mended by a click. It counts once.
func (d *Desk) ConfirmNotice(ctx context.Context, token string) (TeamNotice, Result, error) {
	n, result, err := d.LookNotice(ctx, token)
	if err != nil || result != Right {
		return n, result, err
	}
	if n.Recipient != "" { // it asks nothing
		return n, Unknown, nil
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		now, err := tx.Notice(n.ID)
		if err != nil {
			return err
		}
		if !now.Confirmed.IsZero() {
			result = Used
			return nil
		}
		now.Confirmed, result = d.now(), Right
		if err := tx.PutNotice(now); err != nil {
			return err
		}
		return d.refresh(tx, &now)
	})
	return n, result, err
}

// refresh writes the evidence of a confirmation.
func (d *Desk) refresh(tx Tx, n *TeamNotice) error {
	team, ok := d.cfg.Index().Team(n.Team)
	if !ok || team.ID != n.Team {
		return nil // it left the directory: nobody is left to prove anything of
	}
	for i := range team.Contacts {
		c := &team.Contacts[i]
		was := false
		for _, r := range n.Record {
			was = was || r == AsWas{c.ID, c.Revision}
		}
		state := directory.Assess(*c, team.Evidence, directory.Policy{}, n.Confirmed).State
		if !was || state == directory.Failed || state == directory.Disputed {
			continue
		}
		err := tx.Prove(n.Team, evidenceOf(&Record{Level: directory.Listed, Outcome: directory.OutcomeProved, Method: MethodConfirmed, At: n.Confirmed,
			Key: string(n.ID) + "/" + string(c.ID), Contact: c.ID, Revision: c.Revision}))
		if err != nil {
			return err
		}
	}
	return nil
}

// StopNotices ends the notices to the team of a link, also where the link has run out. It reports whether the
// link is one. An operator may let them begin again ([Desk.AllowNotices]).
func (d *Desk) StopNotices(ctx context.Context, token string) (TeamNotice, bool, error) {
	n, result, err := d.LookNotice(ctx, token)
	if err != nil || result == Unknown {
		return n, false, err
	}
	return n, true, d.wantNotices(ctx, n.Team, false, "a link in "+string(n.ID))
}

// AllowNotices lets notices to a team begin again.
func (d *Desk) AllowNotices(ctx context.Context, p directory.Principal, team *directory.Team) error {
	if err := directory.MayConsent(p, team); err != nil {
		return err
	}
	return d.wantNotices(ctx, team.ID, true, p.Name)
}

func (d *Desk) wantNotices(ctx context.Context, team directory.TeamID, wanted bool, by string) error {
	now := d.now()
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		s, err := tx.NoticeState(team)
		if err != nil || s.Stopped.IsZero() == wanted {
			return err
		}
		action := "give consent"
		s.Stopped = time.Time{}
		if !wanted {
			action, s.Stopped = "withdraw consent", now
		}
		if err := tx.PutNoticeState(s); err != nil {
			return err
		}
		return tx.Note(directory.AuditEntry{At: now, Actor: by, Action: action, Subject: "consent:" + string(team), Fields: []string{"notices"}})
	})
}
