package verify

import (
	"context"
	"encoding/json"
	"sync"
)

// Recorder is a [Network] that keeps what was asked and answered. It is safe
// for concurrent use.
type Recorder struct {
	net Network

	mu        sync.Mutex
	exchanges []Exchange
	answers   []Answer
}

// Record returns a recorder in front of n.
func Record(n Network) *Recorder { return &Recorder{net: n} }

// Fetch hands the request on and keeps what became of it.
func (r *Recorder) Fetch(ctx context.Context, q Request) (*Exchange, error) {
	x, err := r.net.Fetch(ctx, q)
	if err == nil {
		r.mu.Lock()
		r.exchanges = append(r.exchanges, *x)
		r.mu.Unlock()
	}
	return x, err
}

// Query hands the question on and keeps what became of it.
func (r *Recorder) Query(ctx context.Context, q Question) (*Answer, error) {
	a, err := r.net.Query(ctx, q)
	if err == nil {
		r.mu.Lock()
		r.answers = append(r.answers, *a)
		r.mu.Unlock()
	}
	return a, err
}

// Transcript returns what was kept so far, as the run of a check on t.
func (r *Recorder) Transcript(check string, t Target) Transcript {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Transcript{Version: 1, Check: check, Target: t, Exchanges: append([]Exchange(nil), r.exchanges...), Answers: append([]Answer(nil), r.answers...)}
}

// CodeNotRecorded is trouble of a replay: the check asks what it did not ask
// when the transcript was made.
const CodeNotRecorded Code = "check.not-recorded"

// replay answers from a transcript.
type replay struct {
	mu        sync.Mutex
	exchanges map[string][]Exchange
	answers   map[string][]Answer
}

// Replay returns a Network that answers from t. Who asks the same thing twice
// gets the answers in the order in which they came.
func Replay(t Transcript) Network {
	r := &replay{exchanges: map[string][]Exchange{}, answers: map[string][]Answer{}}
	for _, x := range t.Exchanges {
		k := keyOf(x.Request)
		r.exchanges[k] = append(r.exchanges[k], x)
	}
	for _, a := range t.Answers {
		k := keyOf(a.Question)
		r.answers[k] = append(r.answers[k], a)
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

func next[T any](m map[string][]T, key string) (first T, ok bool) {
	list := m[key]
	if len(list) == 0 {
		return first, false
	}
	m[key] = list[1:]
	return list[0], true
}
