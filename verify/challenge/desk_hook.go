package challenge

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
)

// HookTerms are what somebody decides about a [Hook].
type HookTerms struct {
	Team   directory.TeamID // of a new one; "" is everybody's questions
	URL    string
	Types  []string // none is all
	Note   string
	Active bool
}

// Hooks returns the subscriptions that somebody may see: those of a team, or of a
// principal's own where team is "". Their secrets are sealed.
func (d *Desk) Hooks(ctx context.Context, p directory.Principal, team directory.TeamID) ([]Hook, error) {
	if team == "" {
		team = p.OwnTeam()
	}
	if err := directory.MayReadWebhooks(p, d.teamOf(team)); err != nil {
		return nil, err
	}
	return d.cfg.Store.Hooks(ctx, team)
}

// teamOf returns a team of the index; nil is about everybody, or about a team that
// is gone, which is for operators.
func (d *Desk) teamOf(id directory.TeamID) *directory.Team {
	if t, ok := d.cfg.Index().Team(id); ok && id != "" {
		return t
	}
	return nil
}

// Hook returns one subscription.
func (d *Desk) Hook(ctx context.Context, p directory.Principal, id HookID) (Hook, error) {
	return d.hookFor(ctx, p, id, directory.MayReadWebhooks)
}

// hookFor returns one for what may allows, which is asked first whether p may do so
// at all: otherwise nothing is said about which there are.
func (d *Desk) hookFor(ctx context.Context, p directory.Principal, id HookID, may func(directory.Principal, *directory.Team) error) (Hook, error) {
	own := p.OwnTeam()
	if err := may(p, d.teamOf(own)); err != nil {
		return Hook{}, err
	}
	h, err := d.cfg.Store.Hook(ctx, id)
	switch {
	case err == nil:
		err = may(p, d.teamOf(h.Team))
	case own != "" && directory.KindOf(err) == directory.NotFound:
		err = may(p, nil) // as of somebody else's
	}
	if err != nil {
		return Hook{}, err
	}
	return h, nil
}

// AddHook makes a subscription and returns its secret, which nobody is shown again.
func (d *Desk) AddHook(ctx context.Context, p directory.Principal, t HookTerms) (Hook, string, error) {
	if err := directory.MayKeepWebhooks(p, d.teamOf(t.Team)); err != nil {
		return Hook{}, "", err
	}
	id, err := uuid.NewRandomFromReader(d.cfg.Random)
	if err != nil {
		return Hook{}, "", fmt.Errorf("challenge: randomness: %w", err)
	}
	h := Hook{ID: HookID(id.String()), Team: t.Team, URL: t.URL, Types: t.Types, Note: t.Note, Active: t.Active, Created: d.now(), By: p.Name}
	if found := h.check(); len(found) > 0 {
		return h, "", &directory.Error{Kind: directory.Invalid, Op: "add webhook", Problems: found}
	}
	secret, err := d.freshSecret(&h)
	if err != nil {
		return h, "", err
	}
	return h, secret, d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if err := room(tx, h.Team); err != nil {
			return err
		}
		if err := tx.PutHook(h); err != nil {
			return err
		}
		return tx.Note(hookEntry(p.Name, "add webhook", &h, h.Created))
	})
}

// freshSecret gives a hook a new secret.
func (d *Desk) freshSecret(h *Hook) (string, error) {
	secret, err := newSecret(d.cfg.Random)
	if err != nil {
		return "", err
	}
	h.Secret, err = d.cfg.Key.seal(d.cfg.Random, h.owner(), []byte(secret))
	return secret, err
}

// room refuses one more subscription where there are enough.
func room(tx Tx, team directory.TeamID) error {
	all, err := tx.Hooks("")
	if err != nil {
		return err
	}
	n := 0
	for i := range all {
		if all[i].Team == team {
			n++
		}
	}
	if n < mostHooksOfTeam && len(all) < mostHooks {
		return nil
	}
	return &directory.Error{Kind: directory.Conflict, Op: "add webhook", Problems: []directory.Problem{{
		Code: CodeHookMany, Reason: "there are too many webhooks", Want: fmt.Sprintf("at most %d of a team and %d in all: remove one", mostHooksOfTeam, mostHooks)}}}
}

// hookEntry names the host alone: the rest of a URL may be a secret of its owner.
func hookEntry(by, action string, h *Hook, at time.Time) directory.AuditEntry {
	host := ""
	if u, err := url.Parse(h.URL); err == nil {
		host = u.Hostname()
	}
	of := "of everybody"
	if h.Team != "" {
		of = "of team " + string(h.Team)
	}
	return directory.AuditEntry{At: at, Actor: by, Action: action, Subject: "webhook:" + string(h.ID), Fields: []string{"webhook"}, Detail: host + ", " + of}
}

// keep changes a subscription on behalf of somebody.
func (d *Desk) keep(ctx context.Context, p directory.Principal, id HookID, action string, change func(tx Tx, h *Hook) error) (h Hook, err error) {
	if h, err = d.hookFor(ctx, p, id, directory.MayKeepWebhooks); err != nil {
		return h, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if h, err = tx.Hook(id); err != nil {
			return err
		}
		if err := change(tx, &h); err != nil {
			return err
		}
		return tx.Note(hookEntry(p.Name, action, &h, d.now()))
	})
	return h, err
}

// ChangeHook replaces what was decided about a subscription; its team stays.
// Switched on again, it hears of what happens from then on.
func (d *Desk) ChangeHook(ctx context.Context, p directory.Principal, id HookID, t HookTerms) (Hook, error) {
	return d.keep(ctx, p, id, "change webhook", func(tx Tx, h *Hook) error {
		was := h.Active
		h.URL, h.Types, h.Note, h.Active = t.URL, t.Types, t.Note, t.Active
		if found := h.check(); len(found) > 0 {
			return &directory.Error{Kind: directory.Invalid, Op: "change webhook", Problems: found}
		}
		h.Failed, h.Off = 0, ""
		if was && !h.Active {
			if err := tx.DropDeliveries(h.ID, d.now()); err != nil {
				return err
			}
		}
		return tx.PutHook(*h)
	})
}

// RemoveHook removes a subscription with all that is known of its deliveries.
func (d *Desk) RemoveHook(ctx context.Context, p directory.Principal, id HookID) error {
	_, err := d.keep(ctx, p, id, "remove webhook", func(tx Tx, h *Hook) error {
		_, err := tx.DropHook(h.ID)
		return err
	})
	return err
}

// RotateHook gives a subscription a new secret, which nobody is shown again. For a day
// the old one signs as well.
func (d *Desk) RotateHook(ctx context.Context, p directory.Principal, id HookID) (h Hook, secret string, err error) {
	h, err = d.keep(ctx, p, id, "rotate secret of webhook", func(tx Tx, h *Hook) error {
		h.Old, h.OldUntil = h.Secret, d.now().Add(bothSecrets)
		if _, err := d.cfg.Key.unseal(h.owner(), h.Old); err != nil {
			h.Old, h.OldUntil = "", time.Time{} // of another server's key: it signs no more
		}
		if secret, err = d.freshSecret(h); err != nil {
			return err
		}
		return tx.PutHook(*h)
	})
	return h, secret, err
}

// Ping has a notice of type ping delivered, also to a hook that is switched off. It
// waits its turn.
func (d *Desk) Ping(ctx context.Context, p directory.Principal, id HookID) (n Notice, err error) {
	_, err = d.keep(ctx, p, id, "ping webhook", func(tx Tx, h *Hook) error {
		waiting, err := tx.WaitingDeliveries(h.ID)
		if err != nil {
			return err
		}
		if waiting > mostBeforePing {
			return &directory.Error{Kind: directory.Conflict, Op: "ping webhook", Subject: string(id), Problems: []directory.Problem{{
				Code: CodeHookBusy, Value: fmt.Sprint(waiting), Reason: "much waits for this endpoint already", Want: "see what became of the last deliveries"}}}
		}
		name, err := uuid.NewRandomFromReader(d.cfg.Random)
		if err != nil {
			return fmt.Errorf("challenge: randomness: %w", err)
		}
		now := d.now()
		n = Notice{ID: hex.EncodeToString(name[:]), Type: noticePing, At: now, Team: h.Team}
		if n.Number, err = tx.PutEvent(n, h.ID); err != nil {
			return err
		}
		return tx.PutDelivery(h.ID, n.Number, now)
	})
	return n, err
}

// mostBeforePing is how many deliveries may wait before a ping.
const mostBeforePing = 20

// Deliveries returns what became of the notices for a subscription, newest first.
func (d *Desk) Deliveries(ctx context.Context, p directory.Principal, id HookID, before int64, limit int) ([]Delivery, error) {
	if _, err := d.Hook(ctx, p, id); err != nil {
		return nil, err
	}
	return d.cfg.Store.Deliveries(ctx, id, before, limit)
}

// Notices returns what became of questions, in order: of a team, of a campaign, or
// of everybody, for whom may read those questions.
func (d *Desk) Notices(ctx context.Context, p directory.Principal, f NoticeFilter) ([]Notice, error) {
	if err := d.mayRead(ctx, p, f.Team, f.Campaign); err != nil {
		return nil, err
	}
	if f.Type != "" && !slices.Contains(NoticeTypes(), f.Type) {
		return nil, &directory.Error{Kind: directory.Invalid, Op: "read events", Problems: []directory.Problem{{
			Code: CodeHookType, Value: clip(f.Type), Reason: "there is no such event", Want: "challenge.answered, or another state that a question moves to"}}}
	}
	return d.cfg.Store.Notices(ctx, f)
}

// LastNotice returns the number of the newest event.
func (d *Desk) LastNotice(ctx context.Context) (int64, error) { return d.cfg.Store.LastNotice(ctx) }

// Prune forgets what happened longer ago than keep, and reports whether there is more.
func (d *Desk) Prune(ctx context.Context, keep time.Duration) (more bool, err error) {
	return d.cfg.Store.PruneNotices(ctx, d.now().Add(-keep))
}

// tell writes a notice, and its way to everybody who asked for it.
func (d *Desk) tell(tx Tx, c *Challenge, a Announce, now time.Time) error {
	n := NoticeOf(c, a, now)
	var err error
	if n.Number, err = tx.PutEvent(n, ""); err != nil {
		return err
	}
	hooks, err := tx.HooksFor(c.Team)
	if err != nil {
		return err
	}
	for i := range hooks {
		if !hooks[i].wants(&n) {
			continue
		}
		if err := tx.PutDelivery(hooks[i].ID, n.Number, now); err != nil {
			return err
		}
	}
	return nil
}
