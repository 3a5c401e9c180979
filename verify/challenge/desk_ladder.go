package challenge

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// escalate asks whoever is next of the team, and has sponsors and secretariats written to. Of whom
// there is nobody to ask or to write to, an operator hears.
func (d *Desk) escalate(tx Tx, c *Challenge, e Escalate, now time.Time) error {
	var missing []string
	switch team, _, _ := d.find(c.Team, c.Contact); {
	case e.To == ToNextContact || e.To == ToRepresentative:
		done, err := d.askInstead(tx, c, e.To)
		if err != nil || done {
			return err
		}
	case team != nil:
		var found []string
		found, missing = d.recipients(team, e.To)
		for _, r := range found {
			if err := tx.PutTelling(Telling{Recipient: r, Challenge: c.ID, Rung: e.Rung, Created: now}); err != nil {
				return err
			}
		}
		if len(found) > 0 && len(missing) == 0 {
			return nil
		}
	}
	note := fmt.Sprintf("rung %d: %s is to know", e.Rung, e.To)
	if len(missing) > 0 {
		note += ": " + strings.Join(missing, ", ")
	}
	return tx.OpenCase(c.ID, Case{Kind: CaseUnreachable, Note: note}, now)
}

// askInstead asks another contact of the team, and reports whether there is one. Who stood
// at the beginning of this, or in between, is not asked once more: else two silent contacts
// would be asked in turn without an end. Nor is who can't be asked in time.
func (d *Desk) askInstead(tx Tx, c *Challenge, to Recipient) (bool, error) {
	team, _, _ := d.find(c.Team, c.Contact)
	if team == nil {
		return false, nil // a team that is gone has nobody to ask
	}
	asked, err := askedBefore(tx, c)
	if err != nil {
		return false, err
	}
	for {
		target, ok := Whom(to, team, c.Contact, asked)
		if !ok {
			return false, nil
		}
		asked = append(asked, target.Contact.ID)
		if done, err := d.askTarget(tx, c, target.Contact); err != nil || done {
			return done, err
		}
	}
}

// askedBefore returns the contacts by whose silence a question came about.
func askedBefore(tx Tx, c *Challenge) (asked []directory.ContactID, err error) {
	for parent := c.Parent; parent != ""; {
		before, err := tx.Challenge(parent)
		if directory.KindOf(err) == directory.NotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		asked, parent = append(asked, before.Contact), before.Parent
	}
	return asked, nil
}

// askTarget asks a contact in place of the silent one. It reports false for one that can't
// be asked: now, or in any way. One that has an answer due to another question is being
// asked already; one that is silent itself is of no help.
func (d *Desk) askTarget(tx Tx, c *Challenge, target *directory.Contact) (bool, error) {
	if open, found, err := tx.OpenChallenge(target.ID); err != nil || found {
		return found && whenOf(open.State) == waiting && open.Paused.IsZero(), err
	}
	next, policy, err := d.plan(Ask{Team: c.Team, Contact: target.ID, Policy: d.policyOf(c).Name, Kind: standIn(target), Parent: c.ID, Until: c.Until, In: c.Campaign})
	if errors.Is(err, ErrNotAsked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	history, err := tx.Sent(&next, policy.Caps, next.Due)
	if err != nil {
		return false, err
	}
	if history.OptedOut || !history.Last.IsZero() && next.Calendar.After(history.Last, policy.again()).After(next.Due) {
		return false, nil
	}
	return true, d.put(tx, &next, policy)
}

// standIn is how a contact is asked that stands in for another one: as simply as
// can be.
func standIn(c *directory.Contact) Kind {
	if c.Channel == "phone" {
		return KindPhone
	}
	return KindCode
}
