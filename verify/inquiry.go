package verify

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Limits of the questions that one run of a check puts to the DNS. A tree is a
// registrable domain with all below it: whoever publishes there decides where
// aliases, mail servers and name servers lead. What a name server is asked itself
// counts for the run only.
const (
	MaxTreeQuestions = 30
	MaxRunQuestions  = 150
)

// inquiry is the [Network] of one run of a check. It puts each question once,
// counts, and remembers what was answered.
type inquiry struct {
	net Network

	mu        sync.Mutex
	answers   map[string]*Answer // by question
	asked     []*Answer          // the same, in order
	trees     map[string]int
	questions int
	exchanges map[string][]*Exchange
	visits    map[string][]*Visit
}

func newInquiry(n Network) *inquiry {
	return &inquiry{net: n, answers: map[string]*Answer{}, trees: map[string]int{}, exchanges: map[string][]*Exchange{}, visits: map[string][]*Visit{}}
}

// Query puts a question that was not answered yet, within the limits. One that
// has failed may be put again.
func (i *inquiry) Query(ctx context.Context, q Question) (*Answer, error) {
	key := keyOf(q)
	known, trouble := i.before(key, q)
	if known != nil {
		a := *known
		return &a, nil
	}
	if trouble != nil {
		return nil, trouble
	}
	a, err := i.net.Query(ctx, q)
	if err != nil || a.Failure != nil {
		return a, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	kept := *a
	i.answers[key], i.asked = &kept, append(i.asked, &kept)
	return a, nil
}

// before returns what is known, or counts a question. That it is one too many
// says that the zone is a maze, which is no verdict.
func (i *inquiry) before(key string, q Question) (*Answer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if a := i.answers[key]; a != nil {
		return a, nil
	}
	tree := site(strings.ToLower(strings.TrimSuffix(q.Name, ".")))
	i.questions++
	if !q.Server.IsValid() { // one that is asked itself leads nowhere
		i.trees[tree]++
	}
	switch {
	case i.trees[tree] > MaxTreeQuestions:
		return nil, &Trouble{Code: DNSWork, Detail: "more than " + strconv.Itoa(MaxTreeQuestions) + " questions about " + Quote(tree)}
	case i.questions > MaxRunQuestions:
		return nil, &Trouble{Code: DNSWork, Detail: "more than " + strconv.Itoa(MaxRunQuestions) + " questions"}
	}
	return nil, nil
}

// Fetch hands the request on, and remembers what became of it.
func (i *inquiry) Fetch(ctx context.Context, q Request) (*Exchange, error) {
	x, err := i.net.Fetch(ctx, q)
	if err == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		key := keyOf(q)
		i.exchanges[key] = append(i.exchanges[key], x)
	}
	return x, err
}

// Greet hands the visit on, and remembers what became of it.
func (i *inquiry) Greet(ctx context.Context, q Greeting) (*Visit, error) {
	v, err := i.net.Greet(ctx, q)
	if err == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		key := keyOf(q)
		i.visits[key] = append(i.visits[key], v)
	}
	return v, err
}

// resolved returns the answers that resolvers gave, in order.
func (i *inquiry) resolved() []*Answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(i.asked), func(a *Answer) bool { return a.Question.Server.IsValid() || a.Server == "" })
}
