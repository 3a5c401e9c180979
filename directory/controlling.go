package directory

import (
	"context"
	"time"
)

// ControlReader is the part of a [Reader] about proofs of control.
type ControlReader interface {
	// ControlToken returns the token of a proof; [NotFound] else. The rest is in
	// the team's record.
	ControlToken(TeamID, Domain) (string, error)
}

// ControlTx is the part of a [Tx] that writes proofs of control.
type ControlTx interface {
	// PutControl adds a proof with its token, or replaces the one for its domain.
	PutControl(id TeamID, c Control, token string) error
	// DropControl takes a proof out; it is no error if there is none.
	DropControl(TeamID, Domain) error
	// RunCheck makes one row due that is planned for a team and not under way. It
	// returns how many there are, 0 or 1, and when it was last asked for.
	RunCheck(id TeamID, check string, kind Word, subject string, at time.Time) (rows int, last time.Time, err error)
}

// ControlCheck is the name of the check that looks for the record.
const ControlCheck = "domain-control"

// controlPatience is how often an editor may have one proof looked at.
const controlPatience = time.Minute

// NewControl is what [Directory.StartControl] needs.
type NewControl struct {
	Domain Domain // one of the team's resources
	Expiry Date   // to when the record shall say that it holds; "" is never
	// Token is one that is published already, as after a move from another
	// instance; "" makes one. Only an operator brings one.
	Token string
}

// StartControl begins a proof that a team controls one of its domains, and
// returns it with its token. Where there is one already that stays as it is, but
// for the expiry: to begin anew is [Directory.RenewControl].
func (d *Directory) StartControl(ctx context.Context, p Principal, ref string, n NewControl) (Control, string, error) {
	return d.changeControl(ctx, p, ref, n.Domain, "start proof of control", func(t *Team, had *Control, token string) (Control, string, error) {
		if err := d.checkControl(p, t, &n); err != nil {
			return Control{}, "", err
		}
		if had != nil {
			c := *had
			c.Expiry = n.Expiry
			return c, token, nil
		}
		return d.freshControl(n)
	})
}

// RenewControl gives a proof a new token. The old one counts for nothing from
// now on, and what it confirmed is confirmed no more.
func (d *Directory) RenewControl(ctx context.Context, p Principal, ref string, domain Domain) (Control, string, error) {
	return d.changeControl(ctx, p, ref, domain, "renew proof of control", func(t *Team, had *Control, _ string) (Control, string, error) {
		if had == nil {
			return Control{}, "", noControl(t, domain)
		}
		return d.freshControl(NewControl{Domain: domain, Expiry: had.Expiry})
	})
}

func (d *Directory) freshControl(n NewControl) (Control, string, error) {
	if n.Token == "" {
		n.Token = d.newControlToken()
	}
	now := d.cfg.Now()
	return Control{Domain: n.Domain, Digest: TokenDigest(n.Token), Expiry: n.Expiry, Started: now, State: ControlWaiting, Since: now}, n.Token, nil
}

// checkControl refuses a proof for what is not the team's, and one that ends
// before it begins.
func (d *Directory) checkControl(p Principal, t *Team, n *NewControl) error {
	refused := func(kind Kind, bad Problem) error {
		return &Error{Kind: kind, Op: string(actControl), Subject: string(t.Handle), Problems: []Problem{bad}}
	}
	if t.domain(n.Domain) == nil {
		return refused(NotFound, problem("control.no-resource", string(n.Domain), "the domain is none of the team's resources", "one of them, as it is written there"))
	}
	if n.Expiry != "" && !n.Expiry.Time().After(d.cfg.Now()) {
		return refused(Invalid, problem("control.expiry", string(n.Expiry), "a day that has come", "a later day, or never").At("/expiry"))
	}
	if n.Token == "" {
		return nil
	}
	token, ok := parseControlToken(n.Token)
	n.Token = token
	switch {
	case p.Role != Operator:
		return refused(Forbidden, problem("control.token", "", "only an operator brings a token", "none"))
	case !ok:
		return refused(Invalid, problem("control.token", "", "not a token", "32 characters of base32"))
	}
	return nil
}

func noControl(t *Team, domain Domain) error {
	return &Error{Kind: NotFound, Op: string(actControl), Subject: string(t.Handle), Problems: []Problem{
		problem("control.unknown", string(domain), "no proof of control was begun for this domain", "a domain for which one was")}}
}

// changeControl writes what change makes of a proof, which may be none yet.
func (d *Directory) changeControl(ctx context.Context, p Principal, ref string, domain Domain, action string,
	change func(*Team, *Control, string) (Control, string, error)) (c Control, token string, err error) {
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, t, err := d.forWrite(tx, p, actControl, ref, AnyRevision)
		if err != nil {
			return err
		}
		had := t.Control(domain)
		old := ""
		if had != nil {
			if old, err = tx.ControlToken(r.ID, domain); err != nil {
				return err
			}
		}
		if c, token, err = change(t, had, old); err != nil || had != nil && c == *had {
			return err
		}
		if err := tx.PutControl(r.ID, c, token); err != nil {
			return err
		}
		return d.noteControl(tx, p, &r, action, domain)
	})
	if err != nil {
		return Control{}, "", err
	}
	return c, token, d.committed(ctx, nil)
}

// noteControl writes the change and audit rows of what somebody did about a
// proof. As with evidence, the team's revision stays.
func (d *Directory) noteControl(tx Tx, p Principal, r *Record, action string, domain Domain) error {
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	now := d.cfg.Now()
	return tx.Append(
		Change{Seq: seq, Type: "team", ID: string(r.ID), Op: OpUpsert, Revision: r.Revision, At: now},
		AuditEntry{Seq: seq, At: now, Actor: p.Name, Action: action, Subject: "team:" + string(r.ID), Fields: []string{"control"}, Detail: "domain " + string(domain)})
}

// WithdrawControl ends a proof; what it confirmed is confirmed no more.
func (d *Directory) WithdrawControl(ctx context.Context, p Principal, ref string, domain Domain) error {
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, t, err := d.forWrite(tx, p, actControl, ref, AnyRevision)
		if err != nil {
			return err
		}
		if t.Control(domain) == nil {
			return noControl(t, domain)
		}
		if err := tx.DropControl(r.ID, domain); err != nil {
			return err
		}
		return d.noteControl(tx, p, &r, "withdraw proof of control", domain)
	})
	return d.committed(ctx, err)
}

// CheckControl has a proof looked at now. An editor may ask for it every minute.
// False means that it is being looked at, or soon will be.
func (d *Directory) CheckControl(ctx context.Context, p Principal, ref string, domain Domain) (due bool, err error) {
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, t, err := d.forWrite(tx, p, actRunChecks, ref, AnyRevision)
		if err != nil {
			return err
		}
		if t.Control(domain) == nil {
			return noControl(t, domain)
		}
		at := d.cfg.Now()
		rows, last, err := tx.RunCheck(r.ID, ControlCheck, "domain", string(domain), at)
		if err != nil {
			return err
		}
		if wait := controlPatience - at.Sub(last); p.Role != Operator && wait > 0 && wait <= controlPatience {
			return tooSoon(t, last, wait)
		}
		due = rows > 0
		return d.noteSteering(tx, p, at, string(r.ID), string(actRunChecks), ControlCheck+" "+string(domain))
	})
	return due, d.committed(ctx, err)
}

// ControlToken returns a proof of a team with its token, for those who may
// publish it.
func (d *Directory) ControlToken(ctx context.Context, p Principal, ref string, domain Domain) (c Control, token string, err error) {
	err = d.cfg.Store.View(ctx, func(tx Reader) error {
		r, err := findIn(tx, ref)
		if err != nil {
			return err
		}
		t := r.Team()
		if err := authorise(p, actControlToken, &t); err != nil {
			return err
		}
		had := t.Control(domain)
		if had == nil {
			return noControl(&t, domain)
		}
		c = *had
		token, err = tx.ControlToken(r.ID, domain)
		return err
	})
	return c, token, err
}

// MayReadControlTokens returns the error of a principal that may not see the
// tokens of a team's proofs of control.
func (d *Directory) MayReadControlTokens(p Principal, t *Team) error {
	return authorise(p, actControlToken, t)
}
