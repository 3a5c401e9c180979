package verify

import (
	"context"
	"encoding/json"
	"net/netip"
	"sync"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Recorder is a [Network] that keeps what was asked and answered, as much as a
// [Transcript] can have: an answer that is one too many is trouble, so that no
// verdict rests on what is not kept, and nobody fills our memory. It is safe for
// concurrent use.
type Recorder struct {
	net Network

	mu        sync.Mutex
	size      int // of what is kept, about as it will be encoded
	exchanges []Exchange
	answers   []Answer
	visits    []Visit
	origins   []Origin
}

// Record returns a recorder in front of n.
func Record(n Network) *Recorder { return &Recorder{net: n} }

// Fetch hands the request on and keeps what became of it.
func (r *Recorder) Fetch(ctx context.Context, q Request) (*Exchange, error) {
	x, err := r.net.Fetch(ctx, q)
	if err != nil {
		return x, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.grow(x.size(), q.URL); err != nil {
		return nil, err
	}
	r.exchanges = append(r.exchanges, *x)
	return x, nil
}

// Query hands the question on and keeps what became of it.
func (r *Recorder) Query(ctx context.Context, q Question) (*Answer, error) {
	a, err := r.net.Query(ctx, q)
	if err != nil {
		return a, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.grow(encoded(len(a.Wire))+perItem, q.Name+" "+q.Type); err != nil {
		return nil, err
	}
	r.answers = append(r.answers, *a)
	return a, nil
}

// Greet hands the visit on and keeps what became of it.
func (r *Recorder) Greet(ctx context.Context, q Greeting) (*Visit, error) {
	v, err := r.net.Greet(ctx, q)
	if err != nil {
		return v, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.grow(len(keyOf(v)), q.Host); err != nil {
		return nil, err
	}
	r.visits = append(r.visits, *v)
	return v, nil
}

// grow makes room for n octets more. Once there is none, there is none for anything:
// the rest would be a recording with a hole.
func (r *Recorder) grow(n int, what string) error {
	if r.size += n; r.size > MaxTranscript {
		return &Trouble{Code: CodeTooLarge, Detail: what}
	}
	return nil
}

// Whole is nil where everything that was answered was kept, and else trouble:
// a check may have gone on without an answer, and what it says then rests on
// what nobody has.
func (r *Recorder) Whole() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size > MaxTranscript {
		return &Trouble{Code: CodeTooLarge, Detail: "the check went on without an answer"}
	}
	return nil
}

// perItem is about what an answer has in a transcript beside its octets.
const perItem = 300

// encoded is the length of n octets in base64, as JSON has them.
func encoded(n int) int { return (n + 2) / 3 * 4 }

// size is about what the exchange takes in a transcript.
func (x *Exchange) size() int {
	n := encoded(len(x.Body)) + perItem
	for _, h := range x.Hops {
		n += len(h.URL) + perItem
		for name, values := range h.Header {
			n += len(name) + 6
			for _, v := range values {
				n += len(v) + 3
			}
		}
	}
	return n
}

// Transcript returns what was kept so far, as the run of a check on t.
func (r *Recorder) Transcript(check string, t Target) Transcript {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Transcript{Version: 1, Check: check, Target: t, Exchanges: append([]Exchange(nil), r.exchanges...), Answers: append([]Answer(nil), r.answers...), Visits: append([]Visit(nil), r.visits...), Origins: append([]Origin(nil), r.origins...)}
}

// CodeNotRecorded is trouble of a replay: the check asks what it did not ask
// when the transcript was made.
const CodeNotRecorded Code = "check.not-recorded"

// replay answers from a transcript.
type replay struct {
	mu        sync.Mutex
	exchanges map[string][]Exchange
	answers   map[string][]Answer
	visits    map[string][]Visit
	origins   map[netip.Addr][]directory.ASN
}

// Replay returns a Network that answers from t. Who asks the same thing twice
// gets the answers in the order in which they came.
func Replay(t Transcript) Network {
	r := &replay{exchanges: map[string][]Exchange{}, answers: map[string][]Answer{}, visits: map[string][]Visit{}, origins: map[netip.Addr][]directory.ASN{}}
	for _, x := range t.Exchanges {
		k := keyOf(x.Request)
		r.exchanges[k] = append(r.exchanges[k], x)
	}
	for _, a := range t.Answers {
		k := keyOf(a.Question)
		r.answers[k] = append(r.answers[k], a)
	}
	for _, v := range t.Visits {
		k := keyOf(v.Greeting)
		r.visits[k] = append(r.visits[k], v)
	}
	for _, o := range t.Origins {
		r.origins[o.Addr] = o.ASNs
	}
	return r
}

func keyOf(q any) string {
	text, _ := json.Marshal(q) // plain values can't fail
	return string(text)
}

// Fetch answers from the transcript.
func (r *replay) Fetch(_ context.Context, q Request) (*Exchange, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := next(r.exchanges, keyOf(q))
	if !ok {
		return nil, &Trouble{Code: CodeNotRecorded, Detail: q.URL, Ours: true}
	}
	return &x, nil
}

// Query answers from the transcript.
func (r *replay) Query(_ context.Context, q Question) (*Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := next(r.answers, keyOf(q))
	if !ok {
		return nil, &Trouble{Code: CodeNotRecorded, Detail: q.Name + " " + q.Type, Ours: true}
	}
	return &a, nil
}

// Greet answers from the transcript.
func (r *replay) Greet(_ context.Context, q Greeting) (*Visit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := next(r.visits, keyOf(q))
	if !ok {
		return nil, &Trouble{Code: CodeNotRecorded, Detail: q.Host + " " + q.Addr.String(), Ours: true}
	}
	return &v, nil
}

func next[T any](m map[string][]T, key string) (first T, ok bool) {
	list := m[key]
	if len(list) == 0 {
		return first, false
	}
	m[key] = list[1:]
	return list[0], true
}
