package challenge

import (
	"context"
	"fmt"
	"slices"
)

// toldTogether is how many questions are told of a decision in one transaction.
const toldTogether = 50

// tellAll tells the open questions of a campaign what was decided about it. Each
// takes it once, however often this is cut short and begun again. Nothing of a campaign
// that is halted or aborted leaves before they know: senders look at the campaign too.
func (d *Desk) tellAll(ctx context.Context, id CampaignID) error {
	c, err := d.cfg.Store.Campaign(ctx, id)
	if err != nil || c.Pending == "" {
		return err
	}
	e := Event{ID: fmt.Sprintf("campaign/%s/%d", c.Pending, c.Since.UnixMicro()), Kind: c.Pending}
	out := optOuts{}
	if e.Kind == EventResumed {
		if out, err = d.optedOut(ctx, ""); err != nil {
			return err
		}
	}
	err = d.each(ctx, ListFilter{Campaign: id, Open: true}, func(part []Challenge) error {
		for some := range slices.Chunk(part, toldTogether) {
			if err := d.tellSome(ctx, some, e, &out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.Pending == EventStopped { // one may have come about while the others were told
		left, err := d.cfg.Store.ListChallenges(ctx, ListFilter{Campaign: id, Open: true, Limit: 1})
		if err != nil || len(left) > 0 {
			return err
		}
	}
	return d.alter(ctx, id, func(tx Tx, now *Campaign) error {
		if now.Pending != c.Pending || !now.Since.Equal(c.Since) {
			return nil // somebody decided otherwise meanwhile
		}
		now.Pending = ""
		return tx.PutCampaign(*now)
	})
}

// tellSome has questions take an event, together. A campaign that goes on lets no question go that stands
// still for another reason: an operator paused it, or the address has opted out.
func (d *Desk) tellSome(ctx context.Context, list []Challenge, e Event, out *optOuts) error {
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		for i := range list {
			c, err := tx.Challenge(list[i].ID)
			if err != nil {
				return err
			}
			if e.Kind == EventResumed && (c.PausedBy != "" || out.of(&c)) {
				continue
			}
			if _, err := d.step(tx, c, e); err != nil {
				return err
			}
		}
		return nil
	})
}
