package web

import (
	"context"
	"log/slog"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Desk is the [Answers] of a [challenge.Desk].
type Desk struct {
	desk  *challenge.Desk
	index func() *directory.Index
	log   *slog.Logger
}

// NewDesk returns the answers of a desk. Every attempt is logged, without its code and
// token. A nil log logs nothing.
func NewDesk(desk *challenge.Desk, index func() *directory.Index, log *slog.Logger) *Desk {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Desk{desk, index, log}
}

// Show implements [Answers].
func (d *Desk) Show(ctx context.Context, token string) (View, error) {
	c, checked, err := d.desk.Look(ctx, token)
	if err != nil || checked.Result == challenge.Unknown {
		return View{Status: Unknown}, err
	}
	return d.view(&c, checked.Result), d.desk.Opened(ctx, token)
}

func (d *Desk) view(c *challenge.Challenge, r challenge.Result) View {
	v := View{Confirm: d.desk.Confirms(c), NewCode: true}
	v.Status = map[challenge.Result]Status{challenge.Right: Open, challenge.Wrong: Open, challenge.Locked: Locked, challenge.Expired: Expired, challenge.Used: Used}[r]
	if n := len(c.Postings); n > 0 {
		v.Expires = c.Postings[n-1].Issue.Expires
	}
	x := d.index()
	if x == nil {
		return v
	}
	if t, ok := x.Team(c.Team); ok {
		seen := directory.Redact(t, directory.Nobody())
		v.Team = seen.Name()
		if len(t.Languages) > 0 {
			v.Language = string(t.Languages[0])
		}
	}
	return v
}

// Answer implements [Answers].
func (d *Desk) Answer(ctx context.Context, token, code string, choice Choice, meta Meta) (Result, error) {
	c, checked, taken, err := d.take(ctx, token, code, choice)
	if err != nil {
		return Result{}, err
	}
	d.log.InfoContext(ctx, "answer", "challenge", c.ID, "choice", choice, "result", checked.Result, "left", checked.Left, "client", meta.Client, "agent", meta.Agent)
	if checked.Result == challenge.Unknown {
		return Result{Said: SaidUnknown, View: View{Status: Unknown}}, nil
	}
	said := map[challenge.Result]Said{challenge.Right: SaidTaken, challenge.Wrong: SaidWrong, challenge.Locked: SaidLocked, challenge.Expired: SaidExpired, challenge.Used: SaidUsed}[checked.Result]
	if said == SaidTaken && !taken {
		said = SaidNothing
	}
	if said == SaidTaken && choice == ForTeam && c.Open() {
		said = SaidMore // a reply by the key is still wanted
	}
	if said == SaidWrong && checked.Left == 0 {
		said = SaidLocked
	}
	return Result{Said: said, Left: checked.Left, View: d.view(&c, checked.Result)}, nil
}

// take does what a reader chose. Taken is false for what is not offered: a click
// where the policy has none, a new code while the old one works.
func (d *Desk) take(ctx context.Context, token, code string, choice Choice) (c challenge.Challenge, checked challenge.Checked, taken bool, err error) {
	switch choice {
	case ForTeam:
		c, checked, err = d.desk.Type(ctx, token, code, challenge.EventCodeRight)
	case WrongAddress:
		c, checked, err = d.desk.Type(ctx, token, code, challenge.EventWrongAddress)
	case PleaseCall:
		c, checked, err = d.desk.Type(ctx, token, code, challenge.EventPleaseCall)
	case Confirm:
		return d.desk.Confirm(ctx, token)
	case Stop:
		return d.desk.OptOut(ctx, token)
	default:
		return d.newCode(ctx, token)
	}
	return c, checked, true, err
}

// newCode asks for a new code, which only a locked one is replaced by.
func (d *Desk) newCode(ctx context.Context, token string) (challenge.Challenge, challenge.Checked, bool, error) {
	checked, err := d.desk.NewCode(ctx, token)
	if err != nil {
		return challenge.Challenge{}, checked, false, err
	}
	locked := checked.Result == challenge.Locked
	if locked {
		checked.Result = challenge.Right
	}
	c, _, err := d.desk.Look(ctx, token)
	return c, checked, locked, err
}
