package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Corroborated returns c with two rules for its runs. One run puts no more than
// [MaxTreeQuestions] questions to the DNS about one tree of names. And what it
// finds wrong, or proves, has to be what another resolver leads to as well: one
// resolver's cache, or the path to it, is easier to deceive than two (the idea of
// multi-perspective validation, CA/Browser Forum ballot SC-067). Where the second
// look comes to something else there is no conclusion, but trouble with
// [DNSInconsistent] that tells both answers.
//
// The second look asks another resolver all that resolvers were asked, and
// fetches nothing again. Where there is no other resolver, it is left out.
func Corroborated(c Check) Check {
	run := c.Run
	c.Run = func(ctx context.Context, n Network, t Target) (Result, error) {
		first := newInquiry(n)
		r, err := run(ctx, first, t)
		if err != nil || len(decisive(&r)) == 0 {
			return r, err
		}
		answers := first.resolved()
		if len(answers) == 0 {
			return r, nil
		}
		second := &secondLook{first: first}
		if alone, err := second.reaches(ctx, answers[0]); alone || err != nil {
			return r, err
		}
		again, err := run(ctx, second, t)
		if err != nil {
			return Result{}, fmt.Errorf("another resolver: %w", err)
		}
		if slices.Equal(decisive(&r), decisive(&again)) {
			return r, nil
		}
		return Result{}, &Trouble{Code: DNSInconsistent, Detail: second.differs(answers, &r, &again)}
	}
	return c
}

// decisive is what of a result counts against a team or for it: errors and
// proofs, without the words around them, which may differ from answer to answer.
func decisive(r *Result) (list []string) {
	for _, f := range r.Findings {
		if f.Severity == Error {
			list = append(list, string(f.Code))
		}
	}
	for _, p := range r.Proofs {
		list = append(list, fmt.Sprintf("proof %s %d %d", p.Contact, p.Revision, p.Level))
	}
	if c := r.Control; c != nil && c.State != directory.ControlWaiting {
		list = append(list, fmt.Sprintf("control %s, missing %t, until %s", c.State, !c.Missing.IsZero(), c.Until.Format(time.RFC3339)))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// secondLook is the [Network] of a run that is held against another: it asks
// other resolvers, and knows what was fetched and what name servers said.
type secondLook struct {
	first *inquiry
	taken map[string]int
	seen  map[string]*Answer // by the question that the first run put
}

// reaches puts the first question. alone means that there is nobody else to ask.
func (s *secondLook) reaches(ctx context.Context, a *Answer) (alone bool, err error) {
	s.taken, s.seen = map[string]int{}, map[string]*Answer{}
	_, err = s.Query(ctx, a.Question)
	var t *Trouble
	if errors.As(err, &t) && (t.Code == CodeVantage || t.Code == CodeNotRecorded) {
		return true, nil
	}
	return false, err
}

// Query asks another resolver than the one that answered in the first run.
func (s *secondLook) Query(ctx context.Context, q Question) (*Answer, error) {
	key := keyOf(q)
	if a := s.seen[key]; a != nil {
		again := *a
		return &again, nil
	}
	s.first.mu.Lock()
	known := s.first.answers[key]
	s.first.mu.Unlock()
	if known == nil || q.Server.IsValid() || known.Server == "" {
		return s.first.Query(ctx, q)
	}
	q.Apart = known.Server
	a, err := s.first.net.Query(ctx, q)
	if err == nil && a.Failure == nil {
		kept := *a
		s.seen[key] = &kept
	}
	return a, err
}

// Fetch returns what was fetched in the first run.
func (s *secondLook) Fetch(ctx context.Context, q Request) (*Exchange, error) {
	key := keyOf(q)
	s.first.mu.Lock()
	list, n := s.first.exchanges[key], s.taken[key]
	s.first.mu.Unlock()
	if n < len(list) {
		s.taken[key]++
		return list[n], nil
	}
	return s.first.Fetch(ctx, q)
}

// Greet returns the visit of the first run.
func (s *secondLook) Greet(ctx context.Context, q Greeting) (*Visit, error) {
	s.first.mu.Lock()
	list := s.first.visits[keyOf(q)]
	s.first.mu.Unlock()
	if len(list) > 0 {
		return list[0], nil
	}
	return s.first.Greet(ctx, q)
}

// differs tells the first question to which the answers differ.
func (s *secondLook) differs(answers []*Answer, r, again *Result) string {
	for _, a := range answers {
		b := s.seen[keyOf(a.Question)]
		if b == nil || said(a) == said(b) {
			continue
		}
		return Quote(fmt.Sprintf("%s %s: %s says %s; %s says %s", a.Question.Name, a.Question.Type, a.Server, said(a), b.Server, said(b)))
	}
	return Quote(fmt.Sprintf("one look finds %s, another %s", cmp.Or(strings.Join(decisive(r), " "), "nothing"), cmp.Or(strings.Join(decisive(again), " "), "nothing")))
}

// maxSaid is how much of one answer is told.
const maxSaid = 150

// said puts an answer into words, the same for the same records.
func said(a *Answer) string {
	m := new(dns.Msg)
	if err := m.Unpack(a.Wire); err != nil {
		return "what can't be read"
	}
	var list []string
	for _, rr := range m.Answer {
		if t := rr.Header().Rrtype; t != dns.TypeRRSIG {
			list = append(list, strings.TrimSpace(dns.TypeToString[t]+" "+strings.TrimPrefix(rr.String(), rr.Header().String())))
		}
	}
	slices.Sort(list)
	switch {
	case a.Rcode == "NXDOMAIN":
		return "no such name"
	case len(list) == 0:
		return "nothing"
	}
	return clip(strings.Join(list, ", "), maxSaid)
}
