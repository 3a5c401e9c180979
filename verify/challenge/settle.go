package challenge

import (
	"context"
	"sync"
	"time"
)

// settlement is what became of a mail, to be noted.
type settlement struct {
	mail  *OutMail
	event Event
	again time.Time
	done  bool
	err   error
}

// settlements are those that wait to be noted. While one transaction is written, those
// of other senders gather, and the next one takes all of them: the disk is waited for
// once.
type settlements struct {
	queue   sync.Mutex
	waiting []*settlement
	writing sync.Mutex
}

// take returns all that wait.
func (s *settlements) take() []*settlement {
	s.queue.Lock()
	defer s.queue.Unlock()
	list := s.waiting
	s.waiting = nil
	return list
}

// settle notes what became of a mail, together with what it means for the
// question. Of a lease that is over nothing is noted: whoever has it now will.
// When it returns the note is on the disk, or an error says that it is not.
func (d *Desk) settle(ctx context.Context, m *OutMail, e Event, again time.Time) error {
	one := &settlement{mail: m, event: e, again: again}
	d.settlements.queue.Lock()
	d.settlements.waiting = append(d.settlements.waiting, one)
	d.settlements.queue.Unlock()
	d.settlements.writing.Lock()
	defer d.settlements.writing.Unlock()
	if !one.done {
		d.settleAll(ctx, d.settlements.take())
	}
	return one.err
}

// settleAll notes settlements together or, where that fails, each by itself. Those of
// others are not given up because whoever writes is to end.
func (d *Desk) settleAll(ctx context.Context, list []*settlement) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	err := d.settleIn(ctx, list)
	for _, one := range list {
		if one.done, one.err = true, err; err != nil && len(list) > 1 {
			one.err = d.settleIn(ctx, []*settlement{one})
		}
	}
}

func (d *Desk) settleIn(ctx context.Context, list []*settlement) error {
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		for _, one := range list {
			c, err := tx.Challenge(one.mail.Challenge)
			if err != nil {
				return err
			}
			event := one.event
			if event.Kind == EventPaused { // whoever wanted that may have seen it before its campaign went on, or the address was let go
				history, err := tx.Sent(&c, Caps{}, d.now())
				if err != nil {
					return err
				}
				if !history.Paused && !history.OptedOut {
					event = Event{}
				}
			}
			mine, err := tx.SettleMail(*one.mail, d.dueAgain(&c, one.again))
			if err != nil {
				return err
			}
			if !mine || event.Kind == "" {
				continue
			}
			if _, err := d.step(tx, c, event); err != nil {
				return err
			}
		}
		return nil
	})
}

// dueAgain is when a mail that is not done is due again, with its question as it is now: whoever
// wanted that may have seen it before it was paused, or before it was resumed.
func (d *Desk) dueAgain(c *Challenge, again time.Time) time.Time {
	switch {
	case again.IsZero(): // it is done
		return again
	case c.Open() && !c.Paused.IsZero():
		return heldBack
	case again.Equal(heldBack):
		return d.now()
	}
	return again
}
