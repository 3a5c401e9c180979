package web

import (
	"context"
	"log/slog"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Desk is the [Answers] and [Notices] of a [challenge.Desk].
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
	v.Status = map[challenge.Result]Status{challenge.Right: Open, challenge.Wrong: Open, challenge.Locked: Locked, challenge.Elsewhere: Locked, challenge.Spent: Locked, challenge.Expired: Expired, challenge.Used: Used}[r]
	if n := len(c.Postings); n > 0 {
		v.Expires = c.Postings[n-1].Issue.Expires
	}
	v.Team, v.Language = d.team(c.Team)
	return v
}

// team is the name of a team as everybody may see it, and the language that it prefers.
func (d *Desk) team(id directory.TeamID) (name, language string) {
	x := d.index()
	if x == nil {
		return "", ""
	}
	t, ok := x.Team(id)
	if !ok {
		return "", ""
	}
	if len(t.Languages) > 0 {
		language = string(t.Languages[0])
	}
	seen := directory.Redact(t, directory.Nobody())
	return seen.Name(), language
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
	said := map[challenge.Result]Said{challenge.Right: SaidTaken, challenge.Wrong: SaidWrong, challenge.Locked: SaidLocked, challenge.Expired: SaidExpired, challenge.Used: SaidUsed,
		challenge.Elsewhere: SaidElsewhere, challenge.Spent: SaidSpent}[checked.Result]
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
		return d.desk.NewCode(ctx, token)
	}
	return c, checked, true, err
}

// LookNotice implements [Notices].
func (d *Desk) LookNotice(ctx context.Context, token string) (View, error) {
	n, result, err := d.desk.LookNotice(ctx, token)
	return d.noticeView(&n, result), err
}

func (d *Desk) noticeView(n *challenge.TeamNotice, r challenge.Result) View {
	if r == challenge.Unknown {
		return View{Status: Unknown}
	}
	v := View{Status: map[challenge.Result]Status{challenge.Right: Open, challenge.Expired: Expired, challenge.Used: Used}[r], Expires: n.Expires}
	v.Team, v.Language = d.team(n.Team)
	return v
}

// ConfirmNotice implements [Notices].
func (d *Desk) ConfirmNotice(ctx context.Context, token string, meta Meta) (Result, error) {
	n, result, err := d.desk.ConfirmNotice(ctx, token)
	if err != nil {
		return Result{}, err
	}
	d.log.InfoContext(ctx, "notice", "notice", n.ID, "choice", Confirm, "result", result, "client", meta.Client, "agent", meta.Agent)
	said := map[challenge.Result]Said{challenge.Right: SaidTaken, challenge.Expired: SaidExpired, challenge.Used: SaidUsed, challenge.Unknown: SaidUnknown}[result]
	return Result{Said: said, View: d.noticeView(&n, result)}, nil
}

// SilenceNotices implements [Notices].
func (d *Desk) SilenceNotices(ctx context.Context, token string, meta Meta) (Result, error) {
	n, found, err := d.desk.StopNotices(ctx, token)
	if err != nil {
		return Result{}, err
	}
	d.log.InfoContext(ctx, "notice", "notice", n.ID, "choice", Stop, "result", found, "client", meta.Client, "agent", meta.Agent)
	if !found {
		return Result{Said: SaidUnknown, View: View{Status: Unknown}}, nil
	}
	return Result{Said: SaidTaken, View: d.noticeView(&n, challenge.Right)}, nil
}
