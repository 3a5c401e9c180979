package challenge

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
)

// DeskConfig is what a [Desk] needs.
type DeskConfig struct {
	Store    Store                   // required
	Index    func() *directory.Index // required: the directory as it is now
	Key      Key                     // required
	Rules    []Rule                  // who is asked by which policy
	Policies []Policy
	Notices  bool // a [Notifier] works on the store: it lists whom [Policy.Digests] says, who then are not asked by themselves
	// Secretariats are who is told of members that do not answer; where a forum has none, an operator is.
	Secretariats []Secretariat
	// Ready says before a campaign is started or resumed whether our mails will be believed
	// ([mail.Selftest]); nil: nobody looks.
	Ready  func(context.Context) error
	Random io.Reader        // required
	Now    func() time.Time // nil: the system's clock
	Log    *slog.Logger     // nil: silence
}

// Desk drives challenges: it reads one, takes a [Step], and writes what came of
// it in the same transaction. Any number of desks may work on one store.
type Desk struct {
	cfg         DeskConfig
	settlements settlements
}

// Errors of a desk.
var (
	ErrDesk     = errors.New("challenge: desk")
	ErrNoPolicy = errors.New("challenge: no policy holds for the contact")
	ErrNotAsked = errors.New("challenge: the contact can't be asked so")
	// ErrUnvouched is an [ErrNotAsked] that an operator can end.
	ErrUnvouched = fmt.Errorf("%w: nobody but the team's own editors stands for the address", ErrNotAsked)
	ErrAskedNow  = errors.New("challenge: the contact is being asked already")
)

// NewDesk returns a desk on cfg.
func NewDesk(cfg DeskConfig) (*Desk, error) {
	if cfg.Store == nil || cfg.Index == nil || cfg.Random == nil || cfg.Key.secret == nil {
		return nil, fmt.Errorf("%w: it needs a store, an index, a key and randomness", ErrDesk)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{cfg: cfg}, nil
}

func (d *Desk) now() time.Time { return d.cfg.Now().UTC().Truncate(time.Microsecond) }

// policy returns the policy of a challenge.
func (d *Desk) policy(name string) (Policy, error) {
	for _, p := range d.cfg.Policies {
		if p.Name == name {
			return p, nil
		}
	}
	if p, ok := Preset(name); ok {
		return p, nil
	}
	return Policy{}, fmt.Errorf("%w: policy %q", ErrNoPolicy, name)
}

// Ask is what [Desk.Ask] is asked to do.
type Ask struct {
	Team    directory.TeamID
	Contact directory.ContactID
	Kind    Kind      // "" is what [Choose] says
	Policy  string    // "" is the one that holds for the contact
	Due     time.Time // zero is now
	Until   time.Time // the end of its campaign
	In      CampaignID
	Parent  ID

	found bool // the result is there already: nobody is asked
}

// Ask plans a question to a contact. The errors are [ErrNoPolicy], [ErrNotAsked]
// and [ErrAskedNow], or those of the store.
func (d *Desk) Ask(ctx context.Context, a Ask) (Challenge, error) {
	c, policy, err := d.plan(a)
	if err != nil {
		return Challenge{}, err
	}
	if err := d.older(ctx, &c); err != nil {
		return c, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error { return d.put(tx, &c, policy) })
	return c, err
}

// olderCounts is for how long a bounce of an earlier question counts.
const olderCounts = 180 * 24 * time.Hour

// older takes over what came back of the last question to the same address: two
// days count, whichever questions they belong to. What is long ago does not, nor
// what came before a sign that the address works.
func (d *Desk) older(ctx context.Context, c *Challenge) error {
	list, err := d.cfg.Store.ListChallenges(ctx, ListFilter{Contact: c.Contact, Limit: 1})
	if err != nil || len(list) == 0 || list[0].Revision != c.Revision {
		return err
	}
	worked := list[0].reached()
	for _, b := range list[0].Bounces {
		if b.At.After(worked) && d.now().Sub(b.At) < olderCounts {
			c.Bounces = append(c.Bounces, Bounce{Step: stepOlder, At: b.At, Status: b.Status})
		}
	}
	return nil
}

// reached returns when there was last a sign that mail reaches the contact: that a mail was
// taken without coming back, or what only its reader can do. Zero for none.
func (c *Challenge) reached() time.Time {
	at := c.CallMe
	for _, p := range c.Proofs {
		if p.Method != MethodImported && p.Method != MethodPhone {
			at = later(at, p.At)
		}
	}
	return at
}

// put writes a new challenge, unless its contact is being asked.
func (d *Desk) put(tx Tx, c *Challenge, policy Policy) error {
	if open, found, err := tx.OpenChallenge(c.Contact); err != nil || found {
		if err == nil {
			err = fmt.Errorf("%w, since %s", ErrAskedNow, open.Created.Format(time.RFC3339))
		}
		return err
	}
	if err := askable(tx, c); err != nil {
		return err
	}
	if err := tx.PutChallenge(*c, timerOf(c, policy)); err != nil {
		return err
	}
	return tx.LogEvent(c.ID, c.Created, Event{Kind: "planned", At: c.Created}, nil)
}

func timerOf(c *Challenge, p Policy) time.Time {
	_, next := c.Next(p)
	return next
}

// plan makes a challenge, and does not write it.
func (d *Desk) plan(a Ask) (Challenge, Policy, error) {
	team, contact, err := d.find(a.Team, a.Contact)
	if err != nil {
		return Challenge{}, Policy{}, err
	}
	policy, err := d.holds(a.Policy, team, contact)
	if err != nil {
		return Challenge{}, Policy{}, err
	}
	now := d.now()
	key := keyFor(team, contact, now)
	kind := a.Kind
	if kind == "" {
		if kind, _ = Choose(policy, contact, CalendarOf(team, contact, policy.Holidays), key != ""); kind == "" {
			return Challenge{}, Policy{}, fmt.Errorf("%w: nothing that policy %s asks for fits %s", ErrNotAsked, policy.Name, contact.Channel)
		}
	}
	switch {
	case kind == KindWebhook && contact.Channel != "url", kind == KindImported && !a.found, kind.ByMail() && contact.Channel != "email":
		return Challenge{}, Policy{}, fmt.Errorf("%w: %s of a contact by %s", ErrNotAsked, kind, contact.Channel)
	case kind.NeedsKey() && key == "":
		return Challenge{}, Policy{}, fmt.Errorf("%w: %s needs a key of the team that can be used for %s", ErrNotAsked, kind, contact.Value)
	}
	if kind.ByMail() && !team.Vouches(contact) {
		return Challenge{}, Policy{}, ErrUnvouched
	}
	if a.Due.IsZero() {
		a.Due = now
	}
	id, err := uuid.NewRandomFromReader(d.cfg.Random)
	if err != nil {
		return Challenge{}, Policy{}, fmt.Errorf("challenge: randomness: %w", err)
	}
	c := Schedule(ID(id.String()), team, contact, kind, policy, a.Due)
	c.Created, c.Campaign, c.Until, c.Parent = now, a.In, a.Until, a.Parent
	if kind.NeedsKey() || kind == KindDrill && key != "" {
		c.Key = string(key)
	}
	c.Subject, err = NewSubject(d.cfg.Random)
	return c, policy, err
}

func (d *Desk) find(id directory.TeamID, contact directory.ContactID) (*directory.Team, *directory.Contact, error) {
	team, ok := d.cfg.Index().Team(id)
	if !ok || team.ID != id {
		return nil, nil, fmt.Errorf("%w: no team %s", ErrNotAsked, id)
	}
	for i := range team.Contacts {
		if team.Contacts[i].ID == contact {
			return team, &team.Contacts[i], nil
		}
	}
	return team, nil, fmt.Errorf("%w: team %s has no contact %s", ErrNotAsked, team.Handle, contact)
}

// policyOf returns the policy of a question. One that is not in the file any more must not
// make the question wait for ever: it goes on by the policy that holds for its contact now,
// or else by the gentlest of those that ship.
func (d *Desk) policyOf(c *Challenge) Policy {
	if p, err := d.policy(c.Policy); err == nil {
		return p
	}
	if team, contact, err := d.find(c.Team, c.Contact); err == nil {
		if p, err := d.holds("", team, contact); err == nil {
			return p
		}
	}
	p, _ := Preset(PresetYearly)
	return p
}

func (d *Desk) holds(name string, team *directory.Team, contact *directory.Contact) (Policy, error) {
	if name != "" {
		return d.policy(name)
	}
	r, ok := Resolve(d.cfg.Rules, d.Policies(), team, contact)
	if !ok {
		return Policy{}, fmt.Errorf("%w: %s of %s", ErrNoPolicy, contact.Value, team.Handle)
	}
	return r.Policy, nil
}

// keyFor returns the key of a team that a contact's mails are encrypted to: one
// that names the address where there is one, "" where none can be used. One that
// nothing speaks for yet can't.
func keyFor(team *directory.Team, contact *directory.Contact, now time.Time) (best directory.Fingerprint) {
	mailbox, _ := MailTo(contact.Value)
	trusted := team.TrustedKeys(now)
	for i := range trusted {
		k := &trusted[i]
		encrypt, sign, _ := k.UsableAt(now)
		if !encrypt || !sign {
			continue
		}
		named := slices.ContainsFunc(k.UserIDs, func(u directory.UserID) bool {
			address, _ := MailTo(u.Email)
			return address == mailbox && !u.Revoked
		})
		if named {
			return k.Fingerprint
		}
		if best == "" {
			best = k.Fingerprint
		}
	}
	return best
}

// Apply takes one event in. What it leads to is written with it, or nothing is.
func (d *Desk) Apply(ctx context.Context, id ID, e Event) (c Challenge, err error) {
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) (err error) {
		c, err = tx.Challenge(id)
		if err != nil {
			return err
		}
		c, err = d.step(tx, c, e)
		return err
	})
	return c, err
}

// step takes an event within a transaction.
func (d *Desk) step(tx Tx, c Challenge, e Event) (Challenge, error) {
	policy, now := d.policyOf(&c), d.now()
	e.Quick = c.tooQuick(&e, now)
	next, effects := Step(c, e, now, policy)
	for _, effect := range effects {
		var err error
		if next, err = d.carry(tx, next, effect, policy, now); err != nil {
			return c, err
		}
	}
	if err := tx.PutChallenge(next, timerOf(&next, policy)); err != nil {
		return c, err
	}
	if err := d.hold(tx, &c, &next, now); err != nil {
		return c, err
	}
	return next, tx.LogEvent(c.ID, now, e, effects)
}

// heldBack is when mails of a paused question are due: not before it is resumed.
var heldBack = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// hold keeps the mails of a question back while it is paused. At its end they are let go, and
// whoever takes one up sees that it is not wanted any more.
func (d *Desk) hold(tx Tx, was, is *Challenge, now time.Time) error {
	switch {
	case was.Paused.IsZero() && !is.Paused.IsZero():
		return tx.HoldMails(is.ID, heldBack)
	case !was.Paused.IsZero() && is.Paused.IsZero(), was.Open() && !is.Open():
		return tx.HoldMails(is.ID, now)
	}
	return nil
}

// carry writes one effect.
func (d *Desk) carry(tx Tx, c Challenge, effect Effect, policy Policy, now time.Time) (Challenge, error) {
	switch x := effect.(type) {
	case Mail:
		return d.post(tx, c, x, policy, now)
	case Record:
		return c, tx.Prove(c.Team, evidenceOf(&x))
	case Flag:
		if err := tx.MarkContact(&c, x.Flag, now); err != nil || x.Flag != FlagOptOut {
			return c, err
		}
		return c, d.pauseOther(tx, &c, now)
	case Case:
		return c, tx.OpenCase(c.ID, x, now)
	case Escalate:
		return c, d.escalate(tx, &c, x, now)
	case Webhook:
		return d.postQuestion(tx, c, x, policy, now)
	case Announce:
		if x.To == StateAnswered { // earlier questions may have marked it too
			if err := tx.MarkContact(&c, FlagNone, now); err != nil {
				return c, err
			}
		}
		return c, d.tell(tx, &c, x, now)
	}
	return c, fmt.Errorf("%w: effect %s", ErrDesk, effect)
}

// pauseOther pauses what a contact is being asked that has opted out by the link of an
// earlier question.
func (d *Desk) pauseOther(tx Tx, c *Challenge, now time.Time) error {
	open, found, err := tx.OpenChallenge(c.Contact)
	if err != nil || !found || open.ID == c.ID {
		return err
	}
	_, err = d.step(tx, open, Event{Kind: EventPaused, At: now})
	return err
}

// evidenceID names evidence after the step that it comes of, so that it is written once.
func evidenceID(key string) string {
	return uuid.NewSHA1(uuid.MustParse("3a0ad3fc-65a4-4ed9-8b2e-1d8e4e1d9b7a"), []byte(key)).String()
}

func evidenceOf(r *Record) directory.Evidence {
	by := r.By
	if by == "" {
		by = "challenge"
	}
	if r.Machine && r.Note == "" {
		r.Note = "the team's automation answered, which says nothing about people"
	}
	return directory.Evidence{ID: evidenceID(r.Key), Contact: r.Contact, Revision: r.Revision, Level: r.Level, Outcome: r.Outcome,
		Method: r.Method, At: r.At, ValidUntil: r.Until, By: by, Note: r.Note, RawHash: r.Raw}
}

// post writes a mail into the outbox, with the digests of its secrets. These are
// made of a salt and of the server's key, so that they can be made again when
// the mail is tried again, and stand nowhere.
func (d *Desk) post(tx Tx, c Challenge, m Mail, policy Policy, now time.Time) (Challenge, error) {
	var raw [sha256.Size]byte
	if _, err := io.ReadFull(d.cfg.Random, raw[:]); err != nil {
		return c, fmt.Errorf("challenge: randomness: %w", err)
	}
	salt := hex.EncodeToString(raw[:])
	_, issue, err := d.secrets(&c, m.Step, salt, c.Expiry(policy, now))
	if err != nil {
		return c, err
	}
	c = c.WithIssue(m.Step, issue)
	mailbox, domain := MailTo(c.Address)
	if m.Letter == LetterPost { // a URL is no mailbox, and has no link to a page for people
		return c, tx.PostMail(OutMail{Key: m.Key, Challenge: c.ID, Step: m.Step, Letter: m.Letter, Salt: salt, Created: now, Due: now})
	}
	err = tx.PostMail(OutMail{Key: m.Key, Challenge: c.ID, Step: m.Step, Letter: m.Letter, Last: m.Last, Salt: salt, Address: mailbox, Domain: domain, Created: now, Due: now})
	if err != nil {
		return c, err
	}
	return c, tx.PutLink(issue.Lookup, c.ID)
}

// secrets makes the secrets of one mail, always the same ones.
func (d *Desk) secrets(c *Challenge, step, salt string, expires time.Time) (Secrets, Issue, error) {
	// Enough for Key.Issue, which asks for 45 octets.
	stream, err := hkdf.Key(sha256.New, d.cfg.Key.secret, []byte(salt), "rollcall mail "+c.IdempotencyKey(step), 96)
	if err != nil {
		return Secrets{}, Issue{}, fmt.Errorf("challenge: secrets: %w", err)
	}
	return d.cfg.Key.Issue(&octets{stream}, c, expires, c.Key != "" && c.Kind != KindSigned)
}

// octets reads what there is.
type octets struct{ left []byte }

func (o *octets) Read(p []byte) (int, error) {
	if len(o.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, o.left)
	o.left = o.left[n:]
	return n, nil
}

// waitAgain is when a question is tried again that only people can free.
const waitAgain = time.Hour

// ticksTogether is how many timers fire in one transaction.
const ticksTogether = 16

// Tick fires the timers that are due, at most n, and returns how many it fired.
func (d *Desk) Tick(ctx context.Context, n int) (fired int, err error) {
	ids, err := d.cfg.Store.DueChallenges(ctx, d.now(), n)
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(ids, ticksTogether) {
		n, err := d.tickAll(ctx, some)
		if fired += n; err != nil {
			return fired, err
		}
	}
	return fired, nil
}

// tickAll fires timers together or, where one of them is in trouble, each by itself.
func (d *Desk) tickAll(ctx context.Context, ids []ID) (fired int, err error) {
	if fired, err = d.tick(ctx, ids...); err == nil {
		return fired, nil
	}
	fired = 0
	for _, id := range ids {
		n, err := d.tick(ctx, id)
		if ctx.Err() != nil {
			return fired, ctx.Err()
		}
		if fired += n; err == nil {
			continue
		}
		if directory.KindOf(err) == directory.Unavailable {
			return fired, fmt.Errorf("challenge %s: %w", id, err) // a full disk is no trouble of the question
		}
		// One question in trouble, such as one whose policy is not there any more, must not hold up the others.
		d.cfg.Log.Error("a question can't go on", "challenge", id, "err", err, "again", waitAgain)
		if err := d.postpone(ctx, id); err != nil {
			return fired, fmt.Errorf("challenge %s: %w", id, err)
		}
		fired++
	}
	return fired, nil
}

// postpone has the timer of a question fire later.
func (d *Desk) postpone(ctx context.Context, id ID) error {
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		c, err := tx.Challenge(id)
		if err != nil {
			return err
		}
		return tx.PutChallenge(c, d.now().Add(waitAgain))
	})
}

// tick fires the timers of questions in one transaction.
func (d *Desk) tick(ctx context.Context, ids ...ID) (fired int, err error) {
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		fired = 0 // it may run again
		for _, id := range ids {
			done, err := d.fire(tx, id)
			if err != nil {
				return err
			}
			if done {
				fired++
			}
		}
		return nil
	})
	if err != nil {
		fired = 0
	}
	return fired, err
}

// fire fires the timer of one question, unless another desk was quicker.
func (d *Desk) fire(tx Tx, id ID) (bool, error) {
	c, err := tx.Challenge(id)
	if err != nil {
		return false, err
	}
	policy, now := d.policyOf(&c), d.now()
	kind, at := c.Next(policy)
	if kind == "" || at.After(now) {
		return false, nil
	}
	if kind == EventDue {
		c = d.rekey(c, now)
		c.Calendar = d.calendar(&c, policy)
	}
	moved := d.moved
	if kind == EventSettled {
		moved = d.gone
	}
	if why, over := moved(&c); over {
		_, err = d.step(tx, c, Event{Kind: why, At: now})
		return true, err
	}
	if sends(kind) {
		wait, err := d.may(tx, &c, kind, policy, now)
		if err != nil {
			return true, err
		}
		if end := c.ends(policy); !wait.IsZero() && kind != EventDue && !end.IsZero() && wait.After(end) {
			wait = end // a mail that may not go out does not hold up what follows silence
			if !end.After(now) {
				kind, at, wait = EventDeadline, end, time.Time{}
			}
		}
		if !wait.IsZero() {
			return true, tx.PutChallenge(c, wait)
		}
	}
	_, err = d.step(tx, c, Event{ID: string(kind) + "@" + at.Format(time.RFC3339Nano), Kind: kind, At: now})
	return true, err
}

// calendar is that of a question, with the holidays that are declared by now. Time that runs already goes on by
// the holidays that were declared when it began.
func (d *Desk) calendar(c *Challenge, policy Policy) Calendar {
	calendar := c.Calendar
	if team, contact, err := d.find(c.Team, c.Contact); err == nil {
		calendar.Holidays = CalendarOf(team, contact, policy.Holidays).Holidays
	}
	return calendar
}

// sends reports whether a timer leads to a mail.
func sends(kind EventKind) bool {
	return kind == EventDue || kind == EventResend || kind == EventReminder
}

// moved reports whether what is asked about is not there any more as it was. That includes
// the key of a question: what it asks for can't be done with another one.
func (d *Desk) moved(c *Challenge) (EventKind, bool) {
	if kind, gone := d.gone(c); gone || c.Key == "" {
		return kind, gone
	}
	team, _, _ := d.find(c.Team, c.Contact)
	return EventContactChanged, armorOf(team, c.Key, d.now()) == ""
}

// gone is moved without the key: an answer by a key that went afterwards counts until
// something would have to be done about the question.
func (d *Desk) gone(c *Challenge) (EventKind, bool) {
	team, contact, _ := d.find(c.Team, c.Contact)
	switch {
	case team == nil:
		return EventTeamWithdrawn, true
	case contact == nil || contact.Revision != c.Revision:
		return EventContactChanged, true
	}
	return "", false
}

// rekey gives a question that was not asked yet another key of its team where the one that
// it was planned with can't be used any more. A drill can do without.
func (d *Desk) rekey(c Challenge, now time.Time) Challenge {
	team, contact, err := d.find(c.Team, c.Contact)
	usable := func(k directory.TeamKey) bool {
		encrypt, sign, _ := k.UsableAt(now)
		return string(k.Fingerprint) == c.Key && encrypt && sign
	}
	if err != nil || c.Key == "" || slices.ContainsFunc(team.TrustedKeys(now), usable) {
		return c
	}
	if key := keyFor(team, contact, now); key != "" || c.Kind == KindDrill {
		c.Key = string(key)
	}
	return c
}

// may asks the limits. The time that it returns is when to ask again; zero means
// that the mail may go out now.
func (d *Desk) may(tx Tx, c *Challenge, kind EventKind, policy Policy, now time.Time) (time.Time, error) {
	if c.Kind == KindImported {
		return time.Time{}, nil // nobody is asked
	}
	history, err := tx.Sent(c, policy.Caps, now)
	if err != nil {
		return now, err
	}
	if !c.Kind.ByMail() { // the caps are those of mails
		history.Address, history.Domain, history.Overall = nil, nil, nil
	}
	p := May(Request{Calendar: d.calendar(c, policy), Kind: c.Kind, New: kind == EventDue}, history, policy, now)
	switch {
	case p.OK:
		return time.Time{}, nil
	case p.NotBefore.IsZero():
		d.cfg.Log.Info("a question waits", "challenge", c.ID, "why", p.Why)
		return now.Add(waitAgain), nil
	}
	return p.NotBefore, nil
}
