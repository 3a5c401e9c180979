package verify

import (
	"context"
	"errors"
	"sync"
	"time"
)

// LimitKind is a sort of peer that is asked politely.
type LimitKind string

// The kinds. A host is a name, whatever it resolves to; many hosts share an
// address; a name server is asked for many names. That a team's domain is looked
// at by one check at a time is for the runner to see to.
const (
	LimitHost   LimitKind = "host"
	LimitAddr   LimitKind = "address"
	LimitServer LimitKind = "name-server"
)

// Pace is how often a peer may be asked. The zero Pace is no limit.
type Pace struct {
	Concurrent int           // questions at once; 0: any number
	Every      time.Duration // from the beginning of one to that of the next
}

// Paces returns the paces that suit peers who never asked to be looked at.
func Paces() map[LimitKind]Pace {
	return map[LimitKind]Pace{
		LimitHost:   {Concurrent: 1, Every: time.Second},
		LimitAddr:   {Concurrent: 2},
		LimitServer: {Every: 200 * time.Millisecond},
	}
}

// Limiter keeps to a [Pace] with each peer. All parts of a process that ask
// something share one. It is safe for concurrent use. Time is taken from the
// monotonic clock, so that steps of the other one do no harm.
type Limiter struct {
	paces map[LimitKind]Pace
	wait  time.Duration

	mu    sync.Mutex
	lanes map[laneKey]*lane
	sweep int // lanes from which idle ones are looked for
}

type laneKey struct {
	kind LimitKind
	key  string
}

// lane is the queue before one peer.
type lane struct {
	slots chan struct{} // nil: no limit of concurrency
	next  time.Time     // when the next question may begin
	users int           // waiting or asking
	// told is when the last of those shall come back who were sent away: each is
	// told another time, or all would come at once, however many they are.
	told time.Time
}

// idle reports whether forgetting the lane changes nothing.
func (a *lane) idle(now time.Time) bool {
	return a.users == 0 && !a.next.After(now) && !a.told.After(now)
}

// NewLimiter returns a limiter. Who would have to wait longer than wait for one
// turn is sent away instead; 0 is 20 seconds.
func NewLimiter(paces map[LimitKind]Pace, wait time.Duration) *Limiter {
	if wait <= 0 {
		wait = 20 * time.Second
	}
	return &Limiter{paces: paces, wait: wait, lanes: map[laneKey]*lane{}, sweep: 1024}
}

// Wait waits for a turn with a peer and returns what ends it; done must be
// called once. When that would take longer than the limiter or ctx allows, the
// error is a [Trouble] of our own with [CodeBusy], which says when to come back.
func (l *Limiter) Wait(ctx context.Context, kind LimitKind, key string) (done func(), err error) {
	pace := l.paces[kind]
	if pace == (Pace{}) {
		return func() {}, nil
	}
	at := laneKey{kind, key}
	lane := l.enter(at, pace)
	begun := time.Now()
	patience := l.wait
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, end.Sub(begun))
	}
	if err := lane.take(ctx, patience); err != nil {
		if err == errBusy {
			err = l.sendAway(at, lane, pace, time.Now())
		}
		l.leave(at, lane)
		return nil, err
	}
	done = func() {
		lane.give()
		l.leave(at, lane)
	}
	if err := l.pace(ctx, at, lane, pace, begun.Add(patience)); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// Rest lets nobody ask a peer before d has passed, as a peer may demand by
// Retry-After (RFC 9110 section 10.2.3).
func (l *Limiter) Rest(kind LimitKind, key string, d time.Duration) {
	pace := l.paces[kind]
	if pace == (Pace{}) {
		return
	}
	at := laneKey{kind, key}
	lane := l.enter(at, pace)
	l.mu.Lock()
	lane.next = later(lane.next, time.Now().Add(d))
	l.mu.Unlock()
	l.leave(at, lane)
}

func (l *Limiter) enter(at laneKey, pace Pace) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lanes[at]
	if a == nil {
		a = &lane{}
		if pace.Concurrent > 0 {
			a.slots = make(chan struct{}, pace.Concurrent)
		}
		l.lanes[at] = a
	}
	a.users++
	return a
}

// leave forgets lanes that nobody is in and that make nobody wait.
func (l *Limiter) leave(at laneKey, a *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	a.users--
	if a.idle(now) {
		delete(l.lanes, at)
	}
	if len(l.lanes) < l.sweep {
		return
	}
	for key, other := range l.lanes {
		if other.idle(now) {
			delete(l.lanes, key)
		}
	}
	l.sweep = max(1024, 2*len(l.lanes))
}

// take takes one of the slots; those who wait get them in turn.
func (a *lane) take(ctx context.Context, patience time.Duration) error {
	if a.slots == nil {
		return nil
	}
	select {
	case a.slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return cancelled(ctx)
	case <-timer.C:
		return errBusy
	}
}

func (a *lane) give() {
	if a.slots != nil {
		<-a.slots
	}
}

// pace waits until the next question may begin. Whoever is sent away has not
// made the others wait.
func (l *Limiter) pace(ctx context.Context, at laneKey, a *lane, p Pace, until time.Time) error {
	l.mu.Lock()
	start := later(a.next, time.Now())
	if start.After(until) {
		l.mu.Unlock()
		return l.sendAway(at, a, p, start)
	}
	a.next = start.Add(p.Every)
	l.mu.Unlock()
	wait := time.Until(start)
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return cancelled(ctx)
	}
}

// errBusy says that all slots were taken for too long.
var errBusy = errors.New("verify: no turn in time")

// comeBack is how far apart those come back who were sent away, in paces: one
// run of a check asks a peer a few times.
const comeBack = 3

// sendAway is the error of who finds no turn before then, with the time to come
// back.
func (l *Limiter) sendAway(at laneKey, a *lane, p Pace, then time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	a.told = later(a.told, later(then, now)).Add(comeBack * max(p.Every, 100*time.Millisecond))
	return &Trouble{Code: CodeBusy, Detail: "the turn of " + string(at.kind) + " " + at.key + " is far away", Ours: true, Retry: a.told.Sub(now)}
}

func cancelled(ctx context.Context) error {
	return &Trouble{Code: CodeCancelled, Detail: "waiting for a turn", Ours: true, Err: context.Cause(ctx)}
}
