package challenge

import (
	"context"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Forget says what is old enough to be forgotten.
type Forget struct {
	Before time.Time // questions to which nothing happened since, and notices; zero: none
	Raw    time.Time // mails that came in before then and to which nothing refers; zero: none
}

// Forgotten counts what was removed, or is to be.
type Forgotten struct {
	Questions int // whose history went; they stay themselves, with their outcome
	Lines     int // of their logs
	Links     int // of their mails
	Mails     int // of the outbox; the first of each question stays, since it says when its contact was asked
	Tellings  int // of who else was told of them
	Notices   int // to teams, sponsors and secretariats
	Marks     int // of contacts of teams that are gone, but for opt-outs
	Raw       int // mails that came in
}

// Each yields what was counted, by a word for it.
func (f *Forgotten) Each(yield func(of string, n int)) {
	for _, c := range []struct {
		of string
		n  int
	}{{"questions", f.Questions}, {"lines", f.Lines}, {"links", f.Links}, {"mails", f.Mails}, {"tellings", f.Tellings}, {"notices", f.Notices}, {"marks", f.Marks}, {"raw", f.Raw}} {
		yield(c.of, c.n)
	}
}

// HistoryStore forgets what questions that are over have left behind. It is part of [Store].
type HistoryStore interface {
	// Forget removes a part of what is old enough, and reports whether there may be more. A question
	// keeps its history while it is open, while a mail of it waits, or a case, or somebody who is to be told of it. What
	// evidence refers to stays, and so do the question, its cases, and the first of its mails.
	Forget(context.Context, Forget) (gone Forgotten, more bool, err error)
	// Forgettable counts what Forget would remove, one time after the other.
	Forgettable(context.Context, Forget) (Forgotten, error)
}

// forget is what is old enough now. History that is kept for no time is kept for ever.
func (d *Desk) forget(history, raw time.Duration) (f Forget) {
	if history > 0 {
		f.Before = d.now().Add(-history)
	}
	if raw > 0 {
		f.Raw = d.now().Add(-raw)
	}
	return f
}

// Forget removes a part of what questions left behind to which nothing has happened for history,
// and of the mails that came in longer ago than raw and prove nothing; and it reports whether there
// may be more. Zero keeps them for ever.
func (d *Desk) Forget(ctx context.Context, history, raw time.Duration) (gone Forgotten, more bool, err error) {
	return d.cfg.Store.Forget(ctx, d.forget(history, raw))
}

// Forgettable counts what Forget would remove.
func (d *Desk) Forgettable(ctx context.Context, p directory.Principal, history, raw time.Duration) (Forgotten, error) {
	if err := directory.MayReadChallenges(p, nil); err != nil {
		return Forgotten{}, err
	}
	return d.cfg.Store.Forgettable(ctx, d.forget(history, raw))
}
