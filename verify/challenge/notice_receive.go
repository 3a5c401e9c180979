package challenge

import (
	"context"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// noticed takes in what a mail that belongs to no question means for a notice: that it came back,
// or that no more are wanted. Notices ask for no answer, so whatever else comes is for people to read.
func (r *Receiver) noticed(ctx context.Context, env mail.Envelope, m *mail.Message, got *Received) error {
	d := r.cfg.Desk
	for _, h := range r.cfg.Identity.Correlate(env, m) {
		n, err := r.noticeOf(ctx, h)
		if directory.KindOf(err) == directory.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		got.Notice, got.By = n.ID, h.By
		switch {
		case got.Class.Sort == mail.BounceHard && h.Of == mail.NamesLetter: // whose MAC only we can make
			got.Event = EventBounced
			return d.cfg.Store.Challenges(ctx, func(tx Tx) error { return d.undo(tx, &n, true) })
		case got.Class.Sort == mail.Feedback && n.Team != "":
			got.Event = EventOptOut
			return d.wantNotices(ctx, n.Team, false, "a mail about "+string(n.ID))
		}
		return r.cfg.Aside(ctx, env, "notice")
	}
	return r.cfg.Aside(ctx, env, "no-question")
}

func (r *Receiver) noticeOf(ctx context.Context, h mail.Handle) (TeamNotice, error) {
	store := r.cfg.Desk.cfg.Store
	switch h.Of {
	case mail.NamesLetter:
		return store.NoticeByID(ctx, NoticeID(h.Value))
	case mail.NamesTag:
		return store.NoticeBySubject(ctx, SubjectPrefix+h.Value)
	}
	return TeamNotice{}, &directory.Error{Kind: directory.NotFound, Op: "read notice"}
}
