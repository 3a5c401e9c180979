package challenge

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// Digests reports whether a notice to the team can ask for what p asks: one click, which is worth level 0.
func (p Policy) Digests() bool {
	return p.Digest && p.Confirm && p.Minimum == directory.Listed && p.Kind.ByMail() && p.Kind != KindDrill
}

// Listing is that a notice asked whether a contact is still right, and nobody has said so yet.
type Listing struct {
	Contact  directory.ContactID `json:"contact"`
	Revision int                 `json:"revision"`
	At       time.Time           `json:"at"`    // when it was listed last
	Times    int                 `json:"times"` // in a row
	Reader   directory.ContactID `json:"reader"`
}

// mostListings is how often a contact is listed in a row without a click: as often as one
// question has mails. Then it waits for the interval, as after a question that came to nothing.
const mostListings = mostMails

// listing returns how a contact was listed since its last proof, the zero one for not at all.
func (s *NoticeState) listing(c *directory.Contact, proof time.Time) Listing {
	for _, l := range s.Listed {
		if l.Contact == c.ID && l.Revision == c.Revision && l.At.After(proof) {
			return l
		}
	}
	return Listing{Contact: c.ID, Revision: c.Revision}
}

// again is when a contact is listed once more: when the window is over in which somebody should have
// clicked, and no sooner than a question would be asked again.
func (l Listing) again(p Policy) time.Time {
	if l.Times == 0 || l.At.IsZero() {
		return time.Time{}
	}
	at := later(Calendar{}.After(l.At, p.Window), Calendar{}.After(l.At, p.again()))
	if l.Times%mostListings == 0 {
		at = later(at, Calendar{}.After(l.At, p.Interval))
	}
	return at
}

// digests reports whether a notice can ask what o is due for. What failed is not mended by a
// click, so that is asked by itself.
func (o *Outlook) digests() bool {
	return o.policy.Digests() && o.Kind.ByMail() && !o.Next.At.IsZero() && o.Next.Why != DueFailed
}

// list makes o say when notices list its contact next.
func (o *Outlook) list(s *NoticeState) {
	l := s.listing(&o.Contact, o.Next.Proof)
	o.Next.Why, o.Next.At = DueDigest, later(o.Next.At, l.again(o.policy))
}

// inDigest makes an outlook say that notices list its contact, where they do. Where a team gets none,
// because it wants none or nobody can read them, its contacts are asked by mails of their own.
func (d *Desk) inDigest(ctx context.Context, team *directory.Team, o *Outlook, w *waits) error {
	if !d.cfg.Notices || !o.digests() {
		return nil
	}
	s, known := w.told[team.ID]
	if !known {
		state, err := d.cfg.Store.NoticeState(ctx, team.ID)
		if err != nil {
			return err
		}
		if d.mayTell(team, w, &state) {
			s = &state
		}
		w.told[team.ID] = s
	}
	if s != nil {
		o.list(s)
	}
	return nil
}

// mayTell reports whether anybody of a team gets notices.
func (d *Desk) mayTell(team *directory.Team, w *waits, s *NoticeState) bool {
	return s.Stopped.IsZero() && slices.ContainsFunc(readers(team, w.of(team), s), func(c *directory.Contact) bool {
		_, err := d.holds("", team, c)
		return err == nil
	})
}

// CodeConfirm is the code of the things by which notices ask whether a contact is still right.
const CodeConfirm = "contact.confirm"

// digests reports whether anybody is asked by a policy with a digest.
func (d *Desk) digests() bool {
	return slices.ContainsFunc(d.cfg.Rules, func(r Rule) bool {
		p, err := d.policy(r.Policy)
		return err == nil && p.Digests()
	})
}

// asking is what a notice asks about the contacts of a team.
type asking struct {
	things []Thing
	spared map[string]bool       // what is not said for that: that nothing is proven which the policies don't ask for
	silent []directory.ContactID // readers who were asked before, and did not click in time
}

// asks returns what a notice asks about the contacts of a team now.
func (n *Notifier) asks(ctx context.Context, team *directory.Team, s *NoticeState) (a asking, err error) {
	d := n.cfg.Sender.cfg.Desk
	a.silent = slices.Clone(s.Silent)
	if !d.digests() {
		return a, nil
	}
	w, err := d.waits(ctx, team.ID)
	if err != nil {
		return a, err
	}
	a.spared = map[string]bool{}
	for i := range team.Contacts {
		o := d.outlook(team, &team.Contacts[i], &w)
		if !o.digests() {
			continue
		}
		for _, code := range []string{"contact.unproven", "contact.due", "contact.overdue", "contact.ends-soon"} {
			a.spared[code+" "+o.Contact.Value] = true
		}
		before := s.listing(&o.Contact, o.Next.Proof)
		if o.list(s); o.Next.At.After(d.now()) || w.asked[o.Contact.ID].Open {
			continue
		}
		if before.Times > 0 {
			a.silent = append(a.silent, before.Reader)
		}
		a.things = append(a.things, n.question(team, &o))
	}
	return a, nil
}

// question is the thing by which a notice asks about a contact.
func (n *Notifier) question(team *directory.Team, o *Outlook) Thing {
	t := Thing{Key: CodeConfirm + " " + o.Contact.Value, Contact: o.Contact.ID}
	t.Item = mail.Item{Code: CodeConfirm, Group: mail.GroupContact, Subject: plainSubject(o.Contact.Value, team), Asks: true, Last: o.Next.Proof}
	if p, ok := n.cfg.Explain(CodeConfirm); ok {
		t.Item.Title, t.Item.Advice = unbracketed.Replace(p.Title), unbracketed.Replace(p.Advice)
	}
	return t
}

// unsilent puts those last who were asked and did not click. Where that is everybody, it begins again
// with the first: then nobody counts as silent.
func (a *asking) unsilent(list []*directory.Contact) []*directory.Contact {
	silent := func(c *directory.Contact) bool { return slices.Contains(a.silent, c.ID) }
	if !slices.ContainsFunc(list, func(c *directory.Contact) bool { return !silent(c) }) {
		a.silent = nil
		return list
	}
	slices.SortStableFunc(list, func(a, b *directory.Contact) int { return count(silent(a)) - count(silent(b)) })
	return list
}

// list returns s after a notice of news to a reader at now, with the contacts that it asks about.
func (s NoticeState) list(dr *draft, news []Thing, now time.Time) NoticeState {
	old := s.Listed
	s.Listed, s.Silent = nil, dr.silent
	for i := range dr.team.Contacts {
		c := &dr.team.Contacts[i]
		var l Listing
		if j := slices.IndexFunc(old, func(l Listing) bool { return l.Contact == c.ID && l.Revision == c.Revision }); j >= 0 {
			l = old[j]
		}
		if j := slices.IndexFunc(news, func(t Thing) bool { return t.Contact == c.ID }); j >= 0 {
			if !l.At.After(news[j].Item.Last) { // it was proven since
				l.Times = 0
			}
			l = Listing{c.ID, c.Revision, now, l.Times + 1, dr.contact.ID}
		}
		if l.Times > 0 {
			s.Listed = append(s.Listed, l)
		}
	}
	return s
}
