package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// VerificationEvent is one step in what is known of one subject.
type VerificationEvent struct {
	N      int64       `json:"n" doc:"Number of the event, over all teams" example:"4711"`
	At     time.Time   `json:"at" format:"date-time" doc:"When"`
	Team   TeamRef     `json:"team" doc:"The team, as it is now"`
	Was    string      `json:"was,omitzero" enum:"ok,warning,error,inconclusive" doc:"The verdict before; absent in the first" example:"ok"`
	Result CheckResult `json:"result" doc:"What was known from then on"`
}

// VerificationHistory is a page of a team's events.
type VerificationHistory struct {
	Events []VerificationEvent `json:"events" doc:"Newest first"`
	Next   int64               `json:"next,omitzero" doc:"What to send as before for the next page, which may be short or empty; absent on the last" example:"4700"`
}

// VerificationEvents is a page of everybody's events.
type VerificationEvents struct {
	Events []VerificationEvent `json:"events" doc:"In the order of their numbers, which have gaps: what the viewer may not see is left out"`
	Next   int64               `json:"next" doc:"What to send as after for what follows" example:"4711"`
	Head   int64               `json:"head" doc:"The number of the newest event; nothing follows yet when next is head" example:"4711"`
	Epoch  string              `json:"epoch" doc:"What the numbers belong to: the database and what the viewer may see; send it along" example:"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"`
}

type (
	verificationHistoryInput struct {
		ID      string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Check   string `query:"check" maxLength:"64" doc:"Only what this check found" example:"mx"`
		Kind    string `query:"kind" enum:"domain,contact,key" doc:"Only subjects of this kind" example:"domain"`
		Subject string `query:"subject" maxLength:"2048" doc:"Only this subject" example:"example.org"`
		Before  int64  `query:"before" minimum:"1" doc:"Only events below this number: the next of the page before" example:"4711"`
		Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Events on a page at most" example:"20"`
	}
	verificationHistoryOutput struct{ Body VerificationHistory }
	verificationEventsInput   struct {
		After int64  `query:"after" minimum:"0" doc:"Only events above this number: the next of the page before" example:"4700"`
		Limit int    `query:"limit" minimum:"1" maximum:"200" default:"100" doc:"Events on a page at most" example:"100"`
		Wait  int    `query:"wait" minimum:"0" maximum:"60" doc:"Seconds to wait for an event when there is none yet" example:"30"`
		Epoch string `query:"epoch" maxLength:"64" doc:"The epoch of the page before; when it is another by now, the answer is changes.epoch" example:"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"`
	}
	verificationEventsOutput struct{ Body VerificationEvents }
)

func exampleEvent() VerificationEvent {
	return VerificationEvent{N: 4711, At: exampleDay(), Team: exampleRef(), Was: "warning", Result: exampleResult()}
}

func (s *Server) registerVerificationHistory() {
	register(s, spec{id: "verification-history", method: http.MethodGet, path: "/v1/teams/{id}/verification/history", tag: "verification", access: public,
		summary: "Show what was found about a team in the course of time",
		more:    "An event is a verdict, findings or facts that were not what they had been. Events about what the team does not name any more, or that the viewer may not see, are left out.",
		errors:  []int{notFound}, answer: VerificationHistory{Events: []VerificationEvent{exampleEvent()}, Next: 4700}}, s.verificationHistory)
}

func (s *Server) registerVerificationEvents() {
	register(s, spec{id: "verification-events", method: http.MethodGet, path: "/v1/verification/events", tag: "verification", access: public,
		summary: "Follow what is found",
		more: "What was found about all teams, in order, after a number. With wait the answer comes when there is something to tell, within a second or two. " +
			"409 changes.epoch means that the numbers are of another database, or that the viewer may see other things than before: begin again at 0.",
		errors: []int{conflict}, answer: VerificationEvents{Events: []VerificationEvent{exampleEvent()}, Next: 4711, Head: 4711, Epoch: "3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"}}, s.verificationEvents)
}

// historySteps is how many pages are read for one where some events are left
// out, before it ends short.
const historySteps = 20

func (s *Server) verificationHistory(ctx context.Context, in *verificationHistoryInput) (*verificationHistoryOutput, error) {
	results, err := s.results()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	team, err := s.seen(ctx, viewer, in.ID)
	if err != nil {
		return nil, err
	}
	w := s.witness(viewer)
	row := verify.Row{Team: team.ID, Check: in.Check, Subject: verify.Subject{Kind: verify.SubjectKind(in.Kind), ID: in.Subject}}
	out := &verificationHistoryOutput{VerificationHistory{Events: []VerificationEvent{}}}
	before := in.Before
	for range historySteps {
		list, err := results.History(ctx, row, before, in.Limit+1)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if before = list[i].N; !w.sees(&list[i], &team) {
				continue
			}
			if len(out.Body.Events) == in.Limit {
				out.Body.Next = out.Body.Events[in.Limit-1].N
				return out, nil
			}
			out.Body.Events = append(out.Body.Events, w.event(&list[i], &team))
		}
		if len(list) <= in.Limit {
			return out, nil
		}
	}
	out.Body.Next = before
	return out, nil
}

// witness is somebody who looks at events, of one team or of many.
type witness struct {
	s      *Server
	viewer directory.Principal
	seen   map[directory.TeamID]*witnessed
}

// witnessed is a team as the viewer may see it.
type witnessed struct {
	subjects directory.CheckSubjects
	evidence bool
}

func (s *Server) witness(viewer directory.Principal) *witness {
	return &witness{s: s, viewer: viewer, seen: map[directory.TeamID]*witnessed{}}
}

func (w *witness) of(t *directory.Team) *witnessed {
	known := w.seen[t.ID]
	if known == nil {
		known = &witnessed{t.CheckSubjects(), w.s.cfg.Directory.MayReadTranscripts(w.viewer, t) == nil}
		w.seen[t.ID] = known
	}
	return known
}

// sees reports whether the viewer may be told of an event of a team, which is
// redacted.
func (w *witness) sees(e *verify.Event, t *directory.Team) bool {
	return w.of(t).subjects.Has(string(e.Verification.Subject.Kind), e.Verification.Subject.ID)
}

func (w *witness) event(e *verify.Event, t *directory.Team) VerificationEvent {
	r := w.s.table.result(&e.Verification, w.of(t).evidence)
	r.Due = time.Time{} // it was due since
	return VerificationEvent{N: e.N, At: e.At.UTC(), Team: refOf(t), Was: string(e.Was), Result: r}
}

// eventFeed is one request for events.
type eventFeed struct {
	feed
	results verify.Results
	teams   map[directory.TeamID]*directory.Team // redacted; nil for those that are gone
}

func (s *Server) verificationEvents(ctx context.Context, in *verificationEventsInput) (*verificationEventsOutput, error) {
	results, err := s.results()
	if err != nil {
		return nil, err
	}
	c := callFrom(ctx)
	f := &eventFeed{feed: feed{s: s, c: c, epoch: in.Epoch, after: in.After, limit: in.Limit}, results: results}
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(time.Duration(in.Wait)*time.Second + patience))
	page, err := f.look(ctx)
	if err == nil && len(page.Events) == 0 && in.Wait > 0 {
		page, err = f.wait(ctx, page, time.Duration(in.Wait)*time.Second)
	}
	if err != nil {
		return nil, err
	}
	return &verificationEventsOutput{page}, nil
}

// look reads events until the page is full or nothing follows.
func (f *eventFeed) look(ctx context.Context) (page VerificationEvents, err error) {
	if page.Head, err = f.results.LastEvent(ctx); err != nil {
		return page, err
	}
	if f.after > page.Head {
		return page, wrongEpoch("after", strconv.FormatInt(f.after, 10))
	}
	page.Events, page.Next = []VerificationEvent{}, f.after
	for len(page.Events) < f.limit && page.Next < page.Head {
		list, err := f.results.Events(ctx, page.Next, f.limit)
		if err != nil || len(list) == 0 {
			return page, err
		}
		if err := f.level(ctx); err != nil {
			return page, err
		}
		f.take(&page, list)
	}
	f.after, page.Head = page.Next, max(page.Head, page.Next)
	err = f.level(ctx)
	page.Epoch = f.epoch
	return page, err
}

// take adds those of the events that the viewer may see, until the page is full.
func (f *eventFeed) take(page *VerificationEvents, list []verify.Event) {
	w := f.s.witness(f.c.viewer)
	for i := range list {
		if len(page.Events) == f.limit {
			return
		}
		e := &list[i]
		page.Next = e.N
		if t := f.team(e.Team); t != nil && w.sees(e, t) {
			page.Events = append(page.Events, w.event(e, t))
		}
	}
}

// level brings the index level with what was read, so that a domain which was
// checked is one that the team is known to name.
func (f *eventFeed) level(ctx context.Context) error {
	if f.s.cfg.Sync != nil {
		_ = f.s.cfg.Sync(ctx) // the index tells by itself that it can't follow
	}
	x := f.s.cfg.Index()
	if x == nil {
		return &directory.Error{Kind: directory.Unavailable, Op: "read events"}
	}
	e := epoch(x, &f.c.viewer)
	if f.epoch != "" && f.epoch != e {
		return wrongEpoch("epoch", f.epoch)
	}
	f.epoch, f.teams = e, map[directory.TeamID]*directory.Team{}
	return nil
}

func (f *eventFeed) team(id directory.TeamID) *directory.Team {
	t, known := f.teams[id]
	if known {
		return t
	}
	if full, ok := f.s.cfg.Index().Team(id); ok {
		shown := directory.Redact(full, f.c.viewer)
		t = &shown
	}
	f.teams[id] = t
	return t
}

// wait looks again when there is something new, until there is something to
// tell, time is up or the server stops.
func (f *eventFeed) wait(ctx context.Context, page VerificationEvents, most time.Duration) (VerificationEvents, error) {
	err := f.s.await(ctx, f.c, most, func() (bool, error) {
		last, err := f.s.lastEvent.get(ctx, f.results.LastEvent)
		if err != nil || last == page.Head {
			return false, err
		}
		if page, err = f.look(ctx); err != nil || len(page.Events) > 0 {
			page, err = f.checked(ctx, page, err)
			return true, err
		}
		return false, nil
	})
	return page, err
}

// await asks again when there may be something new, until that is so, time is up or the
// server stops.
func (s *Server) await(ctx context.Context, c *call, most time.Duration, again func() (bool, error)) error {
	leave, ok := s.waiters.enter(&c.viewer)
	if !ok {
		return busy("changes.busy", "too many wait for changes already", "the same request without wait, or in a moment")
	}
	defer leave()
	// ReadTimeout runs on while a handler works, and its end cancels ctx.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	timer, tick := time.NewTimer(most), time.NewTicker(eventTick)
	defer timer.Stop()
	defer tick.Stop()
	for {
		select {
		case <-s.moved():
		case <-tick.C:
		case <-timer.C:
			return nil
		case <-s.stopping:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if done, err := again(); done || err != nil {
			return err
		}
	}
}

// checked asks who it is that waited, as [feed.again] does.
func (f *eventFeed) checked(ctx context.Context, page VerificationEvents, err error) (VerificationEvents, error) {
	if err == nil && f.c.viewer.SignedIn() {
		_, err = f.again(ctx, nil)
	}
	return page, err
}

// eventTick is how often the number of the last event is asked for while
// somebody waits: most events are no changes, which would wake.
const eventTick = time.Second

// lastEvent is the number of the newest event, which one of all who wait asks
// for.
type lastEvent struct {
	mu sync.Mutex
	at time.Time
	n  int64
}

func (l *lastEvent) get(ctx context.Context, ask func(context.Context) (int64, error)) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) < eventTick/2 {
		return l.n, nil
	}
	n, err := ask(ctx)
	if err == nil {
		l.n, l.at = n, time.Now()
	}
	return n, err
}
