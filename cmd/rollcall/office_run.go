package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// How often an office looks for work that nobody told it of, and how much of it it
// takes at once.
const (
	lookEvery    = time.Second
	stewardEvery = 30 * time.Second
	planEvery    = 10 * time.Minute
	scanEvery    = 5 * time.Second
	noticeEvery  = time.Minute
	teamsAtOnce  = 200
	ticksAtOnce  = 200
	mailsAtOnce  = 25
	senders      = 8
	postsAtOnce  = 16
	couriers     = 2
	pruneEvery   = time.Hour
)

func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "/" + strconv.Itoa(os.Getpid())
}

// officeRun is an office at work.
type officeRun struct {
	*office
	courier *challenge.Courier // nil: nothing is posted from here
	keep    time.Duration      // events of questions
	history time.Duration      // logs and links of questions that are over; 0: for ever
	raw     time.Duration      // mails that came in and prove nothing
	log     *slog.Logger
	aloof   bool // it takes orders and answers on pages, and leaves the rest to others
	plan    int  // contacts an hour that are asked because they are due
	maildir string
	notices bool
	largest int64 // octets of a mail that comes in
	doors   []door
	tally   *officeFigures
}

// door is an address at which mail is taken.
type door struct {
	listener net.Listener
	server   *mail.Server
}

// newOfficeRun takes the addresses at which mail comes in, unless it is aloof.
func (c *call) newOfficeRun(o *office, s challenge.Store, aloof bool) (*officeRun, error) {
	m := &c.cfg.Challenge
	r := &officeRun{office: o, keep: m.Keep, history: m.History, raw: c.cfg.Verify.KeepRaw, log: c.log, aloof: aloof, plan: m.Plan, maildir: m.Maildir, notices: m.Notices, largest: m.MaxSize, tally: newOfficeFigures(s, o.aside)}
	o.said = r.tally.said
	if aloof {
		return r, nil
	}
	if err := c.waysIn(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.courier = c.newCourier(o, r.tally)
	for _, at := range []struct {
		key, address string
		lmtp         bool
	}{{"mail_smtp", m.SMTP, false}, {"mail_lmtp", m.LMTP, true}} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen("tcp", at.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", at.key, err), r.close())
		}
		cfg := mail.ServerConfig{LMTP: at.lmtp, Host: o.identity.Host, Accepts: o.identity.Accepts, Handle: r.take, MaxSize: m.MaxSize, Now: c.now, Log: c.log}
		if !at.lmtp { // the site's own server is one client, and keeps its mails itself
			cfg.PeerConns, cfg.PeerMails = m.PeerConns, m.PeerMails
		}
		r.doors = append(r.doors, door{l, mail.NewServer(cfg)})
		c.log.Info("taking mail", "address", l.Addr().String(), "lmtp", at.lmtp)
	}
	return r, nil
}

// waysIn looks at how mail is to come in: a Maildir must be there, and where nothing is set, only a
// pipe, of which nothing is known here, brings answers and bounces.
func (c *call) waysIn() error {
	m := &c.cfg.Challenge
	if m.SMTP == "" && m.LMTP == "" && m.Maildir == "" {
		c.log.Warn("answers and bounces by mail can't come in: set mail_smtp, mail_lmtp or mail_maildir, or pipe them to rollcall receive")
	}
	if m.Maildir == "" {
		return nil
	}
	for _, part := range []string{"new", "cur"} {
		path := filepath.Join(m.Maildir, part)
		if _, err := os.ReadDir(path); err != nil {
			return &exitError{exitUsage, fmt.Errorf("mail_maildir: %w; want a Maildir: a folder with new, cur and tmp in it, into which the mail server delivers", err)}
		}
	}
	return nil
}

// newCourier makes what posts to endpoints. A machine without resolvers can ask by
// mail all the same.
func (c *call) newCourier(o *office, tally *officeFigures) *challenge.Courier {
	// No politeness but one at a time for each: who asked for events wants them.
	live, err := verify.NewLive(c.liveConfig())
	if err == nil {
		var k *challenge.Courier
		k, err = challenge.NewCourier(challenge.CourierConfig{Desk: o.Desk, Post: live.Post, Answer: c.cfg.Challenge.Pages + "v1/webhook-answers", Name: processName(), Lease: c.cfg.Challenge.Lease, Tally: tally.posted})
		if err == nil {
			return k
		}
	}
	c.log.Error("nothing is posted to webhooks from here", "err", err)
	return nil
}

func (r *officeRun) close() error {
	var errs []error
	for _, d := range r.doors {
		errs = append(errs, d.listener.Close())
	}
	return errors.Join(append(errs, r.submitter.Close())...)
}

// take takes one mail in, and counts what it was.
func (r *officeRun) take(ctx context.Context, env mail.Envelope) error {
	got, err := r.receiver.Look(ctx, env)
	if err != nil {
		r.log.Error("a mail can't be taken in", "err", err)
		return err
	}
	r.tally.taken(&got)
	r.log.Info("mail", "challenge", got.Challenge, "class", got.Class.Sort, "event", got.Event, "quick", got.Quick, "by", got.By, "refused", got.Refused)
	return nil
}

// run works until ctx ends. Each part goes on whatever happens to the others.
func (r *officeRun) run(ctx context.Context) {
	if r.aloof {
		return
	}
	var parts sync.WaitGroup
	for _, d := range r.doors {
		parts.Go(func() {
			if err := d.server.Serve(ctx, d.listener); err != nil && ctx.Err() == nil {
				r.log.Error("no mail is taken any more", "address", d.listener.Addr().String(), "err", err)
			}
		})
	}
	for range senders {
		parts.Go(func() { r.every(ctx, lookEvery, "sending", r.send) })
	}
	parts.Go(func() { r.every(ctx, lookEvery, "timers", r.tick) })
	parts.Go(func() { r.every(ctx, stewardEvery, "campaigns", r.steward) })
	if r.courier != nil {
		for range couriers {
			parts.Go(func() { r.every(ctx, lookEvery, "webhooks", r.deliver) })
		}
	}
	parts.Go(func() { r.every(ctx, pruneEvery, "pruning", r.prune) })
	if r.plan > 0 {
		parts.Go(func() { r.every(ctx, planEvery, "planning", r.ask) })
	}
	if r.notices {
		parts.Go(func() { r.every(ctx, noticeEvery, "notices", r.decide) })
	}
	parts.Go(func() { r.every(ctx, noticeEvery, "letters to sponsors and secretariats", r.tell) })
	parts.Go(func() { r.every(ctx, scanEvery, "sending notices", r.notify) })
	if r.maildir != "" {
		box := mail.Maildir{Dir: r.maildir, Accepts: r.identity.Accepts, Handle: r.take, MaxSize: r.largest}
		parts.Go(func() {
			r.every(ctx, scanEvery, "maildir", func(ctx context.Context) (bool, error) {
				n, err := box.Scan(ctx)
				return n > 0 && err == nil, err
			})
		})
	}
	parts.Wait()
	_ = r.submitter.Close() // the relay has been told all that there is
}

// every does something again and again: at once while there is more of it, else
// after a pause. Trouble is logged once for each time that it begins.
func (r *officeRun) every(ctx context.Context, pause time.Duration, what string, do func(context.Context) (more bool, err error)) {
	failing := false
	for {
		more, err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			r.log.Error("asking contacts", "part", what, "err", err)
		}
		if failing = err != nil; more && !failing {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (r *officeRun) send(ctx context.Context) (bool, error) {
	n, err := r.sender.Send(ctx, mailsAtOnce)
	r.tally.sent(n)
	return n > 0, err
}

func (r *officeRun) deliver(ctx context.Context) (bool, error) {
	n, err := r.courier.Deliver(ctx, postsAtOnce)
	return n > 0, err // what was delivered may have let the next one go
}

// prune forgets what has served its purpose: events, and what questions leave behind.
func (r *officeRun) prune(ctx context.Context) (bool, error) {
	events, err := r.Prune(ctx, r.keep)
	if err != nil {
		return false, err
	}
	gone, more, err := r.Forget(ctx, r.history, r.raw)
	r.tally.forgot(&gone)
	if gone.Questions > 0 {
		r.log.Info("the history of old questions is forgotten", "questions", gone.Questions)
	}
	return events || more, err
}

func (r *officeRun) tick(ctx context.Context) (bool, error) {
	n, err := r.Tick(ctx, ticksAtOnce)
	r.tally.ticked(n)
	return n > 0, err
}

func (r *officeRun) steward(ctx context.Context) (bool, error) {
	_, err := r.Steward(ctx)
	return false, err
}

// ask asks contacts that are due: a part of an hour's worth each time.
func (r *officeRun) ask(ctx context.Context) (bool, error) {
	n, err := r.Plan(ctx, max(1, r.plan*int(planEvery/time.Minute)/60))
	if n > 0 {
		r.log.Info("contacts that are due are asked", "n", n)
	}
	return false, err
}

// decide looks which teams are to be told what needs attention.
func (r *officeRun) decide(ctx context.Context) (bool, error) {
	n, err := r.notifier.Decide(ctx, teamsAtOnce)
	if n > 0 {
		r.log.Info("notices to teams", "n", n)
	}
	return false, err
}

// tell looks which sponsors and secretariats are to be told of teams that do not answer.
func (r *officeRun) tell(ctx context.Context) (bool, error) {
	n, err := r.notifier.Tell(ctx)
	if n > 0 {
		r.log.Info("letters about teams that do not answer", "n", n)
	}
	return false, err
}

func (r *officeRun) notify(ctx context.Context) (bool, error) {
	n, err := r.notifier.Send(ctx, mailsAtOnce)
	r.tally.noticed(n)
	return n == mailsAtOnce, err
}
