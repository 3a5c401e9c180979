package challenge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// SenderConfig is what a [Sender] needs.
type SenderConfig struct {
	Desk     *Desk                                        // required
	Composer *mail.Composer                               // required
	Submit   func(context.Context, mail.Mail) mail.Result // required: [mail.Submitter.Submit], or what keeps mails of a dry run
	Pages    string                                       // where the answer page is: "https://rollcall.example.org/answer/"
	Stop     string                                       // where mails are stopped: "https://rollcall.example.org/stop/"; "": by mail only
	Name     string                                       // of this process, for people; "" is "sender"
	Lease    time.Duration                                // for one try; 0 is 5 minutes
	Tries    int                                          // before a mail is given up; 0 is 20
}

// Sender hands mails of the outbox to a relay. Any number may work on one store.
//
// A mail is handed over at least once. When the process ends between the relay's
// word and the note of it, the mail is handed over again: with the same message
// id, the same link and the same code. When only the note fails, as on a full disk,
// nothing more goes out before it has been written.
type Sender struct {
	cfg SenderConfig

	mu      sync.Mutex
	unnoted []said // what the relay said, and could not be written down yet
}

// said is what a relay said of a mail.
type said struct {
	mail   OutMail
	result mail.Result
}

var (
	errUnnoted = errors.New("challenge: what the relay said could not be written down")
	errStopped = errors.New("challenge: the kill switch is on")
)

// noteTime is how long it may take to write down what the relay said, also when the
// sender is to end: what it took must not go out again.
const noteTime = 10 * time.Second

// Limits of how often a relay is tried.
const (
	mostTries    = 20
	firstRetry   = time.Minute
	longestRetry = 2 * time.Hour
)

// NewSender returns a sender on cfg.
func NewSender(cfg SenderConfig) (*Sender, error) {
	if cfg.Desk == nil || cfg.Composer == nil || cfg.Submit == nil {
		return nil, fmt.Errorf("%w: a sender needs a desk, a composer and a relay", ErrDesk)
	}
	if !strings.HasPrefix(cfg.Pages, "https://") || !strings.HasSuffix(cfg.Pages, "/") {
		return nil, fmt.Errorf("%w: the address of the answer page is %q, want https://…/", ErrDesk, cfg.Pages)
	}
	if cfg.Lease <= 0 {
		cfg.Lease = 5 * time.Minute
	}
	if cfg.Tries <= 0 {
		cfg.Tries = mostTries
	}
	if cfg.Name == "" {
		cfg.Name = "sender"
	}
	return &Sender{cfg: cfg}, nil
}

// Send hands over at most n mails that are due, and returns how many it tried:
// none while the kill switch is on, and no more from when it is turned on. What was
// claimed then waits for the end of its lease.
func (s *Sender) Send(ctx context.Context, n int) (int, error) {
	d := s.cfg.Desk
	if err := s.catchUp(ctx); err != nil {
		return 0, err
	}
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped {
		return 0, err
	}
	leased := d.now()
	list, err := d.cfg.Store.ClaimMails(ctx, ClaimMails{N: n, Owner: s.cfg.Name, Now: leased, Lease: s.cfg.Lease})
	if err != nil {
		return 0, err
	}
	var errs []error
	for i := range list {
		if now := d.now(); now.Sub(leased) > s.cfg.Lease/16 {
			if err := s.keep(ctx, list[i:], now); err != nil {
				return i, errors.Join(append(errs, err)...)
			}
			leased = now
		}
		if list[i].Key == "" {
			continue
		}
		err := s.one(ctx, &list[i])
		if errors.Is(err, errStopped) {
			return i, errors.Join(errs...)
		}
		if ctx.Err() != nil {
			return i, errors.Join(append(errs, err, ctx.Err())...)
		}
		if errors.Is(err, errUnnoted) {
			return i + 1, errors.Join(append(errs, err)...)
		}
		if err != nil { // it is tried again when its lease ends; the others go on
			errs = append(errs, fmt.Errorf("mail %s: %w", list[i].Key, err))
		}
	}
	return len(list), errors.Join(errs...)
}

// keep makes the lease of mails whole again: the relay is slow, and nobody else may begin
// with one of them meanwhile. Those that somebody has begun with lose their key.
func (s *Sender) keep(ctx context.Context, list []OutMail, now time.Time) error {
	return s.cfg.Desk.cfg.Store.Challenges(ctx, func(tx Tx) error {
		for i := range list {
			mine, err := tx.KeepMail(list[i], now.Add(s.cfg.Lease))
			if err != nil {
				return err
			}
			if !mine {
				list[i].Key = ""
			}
		}
		return nil
	})
}

// one hands over one mail.
func (s *Sender) one(ctx context.Context, m *OutMail) error {
	d := s.cfg.Desk
	now, err := d.cfg.Store.Outgoing(ctx, *m)
	switch {
	case err != nil:
		return err
	case now.Stopped:
		return errStopped
	case !now.Mine: // it took so long that somebody else has it
		return nil
	}
	c := now.Question
	if !c.Open() { // answered or stopped in the meantime
		return d.settle(ctx, m, Event{}, time.Time{})
	}
	if !c.Paused.IsZero() { // since this mail was claimed, or while it was tried
		return d.settle(ctx, m, Event{}, heldBack)
	}
	if now.Halted || now.OptedOut { // it may have been told so by now, or be let go by itself: whoever ends the reason lets it go
		return d.settle(ctx, m, Event{Kind: EventPaused}, heldBack)
	}
	if moved, gone := d.moved(&c); gone {
		return d.settle(ctx, m, Event{Kind: moved}, time.Time{})
	}
	letter, err := s.letter(&c, m)
	if err != nil {
		return err
	}
	out, err := s.cfg.Composer.Render(letter)
	if err != nil {
		d.cfg.Log.Error("a mail can't be made", "mail", m.Key, "err", err)
		return d.settle(ctx, m, Event{Kind: EventUnsendable, Step: m.Step}, time.Time{})
	}
	handing, done := outlasting(ctx, noteTime)
	r := s.cfg.Submit(handing, out)
	done()
	if ctx.Err() != nil && r.Outcome != mail.Accepted {
		return ctx.Err() // the lease ends by itself
	}
	if err := s.note(ctx, m, &r); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unnoted = append(s.unnoted, said{*m, r})
		return fmt.Errorf("%w: %w", errUnnoted, err)
	}
	return nil
}

// outlasting is a context that ends some time after ctx: a mail that the relay is taking
// must not be cut off, since nobody would know whether it was taken.
func outlasting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() { stop(); cancel() }
}

// note writes down what the relay said.
func (s *Sender) note(ctx context.Context, m *OutMail, r *mail.Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	return s.result(ctx, m, r)
}

// catchUp writes down what could not be before.
func (s *Sender) catchUp(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unnoted) > 0 {
		if err := s.note(ctx, &s.unnoted[0].mail, &s.unnoted[0].result); err != nil {
			return fmt.Errorf("%w: %w", errUnnoted, err)
		}
		s.unnoted = s.unnoted[1:]
	}
	return nil
}

// result takes in what the relay said.
func (s *Sender) result(ctx context.Context, m *OutMail, r *mail.Result) error {
	d := s.cfg.Desk
	e := Event{ID: fmt.Sprintf("relay/%s/%d", m.Step, m.Attempt), Step: m.Step, At: r.At, Status: r.Status}
	switch {
	case r.Outcome == mail.Accepted:
		e.Kind, e.ID = EventAccepted, "accepted/"+m.Step
		return d.settle(ctx, m, e, time.Time{})
	case r.Outcome == mail.Permanent && !r.Ours && !ourTrouble(r.Status):
		e.Kind = EventRefused
		return d.settle(ctx, m, e, time.Time{})
	case r.Outcome == mail.Permanent && !r.Ours, m.Attempt >= s.cfg.Tries:
		e.Kind = EventUnsendable
		return d.settle(ctx, m, e, time.Time{})
	}
	d.cfg.Log.Warn("the relay does not take a mail", "mail", m.Key, "stage", r.Stage, "code", r.Code, "err", r.Err)
	e.Kind = EventDeferred
	return d.settle(ctx, m, e, d.now().Add(min(longestRetry, firstRetry<<min(m.Attempt-1, 10))))
}

// letter makes the letter of a mail, with its secrets.
func (s *Sender) letter(c *Challenge, m *OutMail) (mail.Letter, error) {
	d := s.cfg.Desk
	p := c.Posting(m.Step)
	if p == nil {
		return mail.Letter{}, fmt.Errorf("%w: no step %s", ErrDesk, m.Step)
	}
	secrets, _, err := d.secrets(c, m.Step, m.Salt, p.Issue.Expires)
	if err != nil {
		return mail.Letter{}, err
	}
	team, _, err := d.find(c.Team, c.Contact)
	if err != nil {
		return mail.Letter{}, err
	}
	policy, now := d.policyOf(c), d.now()
	l := mail.Letter{ID: letterID(c.ID, m.Step), Kind: mail.Kind(c.Kind), Language: languageOf(team), To: c.Address, Handle: string(team.Handle),
		Tag: strings.TrimPrefix(c.Subject, SubjectPrefix), Token: secrets.Token, Code: secrets.Code, Nonce: secrets.Nonce,
		Link: s.cfg.Pages + secrets.Token, Deadline: c.AnswerBy(policy, now, c.expiresOut(p, now)), Date: now}
	if mailbox, err := directory.ParseEmail(c.Address); err == nil {
		l.Domain = string(mailbox.Domain())
	}
	if s.cfg.Stop != "" {
		l.Stop = s.cfg.Stop + secrets.Token
	}
	l.Of = l.Kind
	if c.Kind == KindDrill {
		l.Of = mail.KindCode
	}
	switch {
	case m.Letter == LetterFirst && c.Parent != "":
		l.Kind = mail.KindEscalation
	case m.Letter == LetterReminder:
		l.Kind, l.InReplyTo = mail.KindReminder, letterID(c.ID, c.Postings[0].Step)
	}
	if !l.Kind.Repeats() {
		l.Of = ""
	}
	if p.Issue.Sealed {
		if l.Key = armorOf(team, c.Key, s.cfg.Desk.now()); l.Key == "" {
			return l, fmt.Errorf("%w: the key %s is not kept any more, or has to be proven first", ErrDesk, c.Key)
		}
	}
	return l, nil
}

// armorOf returns a key of a team that may be relied on, "" else.
func armorOf(team *directory.Team, fingerprint string, now time.Time) string {
	for i := range team.Keys {
		if k := &team.Keys[i]; string(k.Fingerprint) == fingerprint && team.Trusts(k.Fingerprint, now) {
			return k.Armor
		}
	}
	return ""
}

func languageOf(team *directory.Team) string {
	if len(team.Languages) > 0 {
		return string(team.Languages[0])
	}
	return "en"
}

// letterID names the mail of a step in its return path and message id.
func letterID(id ID, step string) string { return strings.ToLower(string(id)) + "-" + step }

// uuidLength is the length of a challenge's id.
const uuidLength = 36

// ofLetter is the question and the step of a letter.
func ofLetter(letter string) (ID, string, error) {
	if len(letter) < uuidLength+2 || letter[uuidLength] != '-' {
		return "", "", errNoLetter
	}
	return ID(letter[:uuidLength]), letter[uuidLength+1:], nil
}

var errNoLetter = errors.New("challenge: no letter of a question")
