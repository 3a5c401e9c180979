package verify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// wordCheck finds an error where a TXT record says "bad", and a proof where it
// says "proof".
func wordCheck() verify.Check {
	return verify.Corroborated(verify.Check{Name: "word", Run: func(ctx context.Context, n verify.Network, _ verify.Target) (r verify.Result, err error) {
		a, err := n.Query(ctx, verify.Question{Name: "q.example.", Type: "TXT"})
		switch {
		case err != nil:
			return r, err
		case a.Failure != nil:
			return r, &verify.Trouble{Code: a.Failure.Code}
		}
		text := string(a.Wire)
		if strings.Contains(text, "bad") {
			r.Findings = append(r.Findings, verify.Problem{Code: "word.bad", Severity: verify.Error}.Find(text))
		}
		if strings.Contains(text, "meh") {
			r.Findings = append(r.Findings, verify.Problem{Code: "word.meh", Severity: verify.Warning}.Find(text))
		}
		if strings.Contains(text, "proof") {
			r.Proofs = append(r.Proofs, verify.Proof{Contact: "c", Revision: 1, Level: 2})
		}
		return r, nil
	}})
}

// says is a resolver that answers every question with one text.
func (n *net_) says(text string) string {
	var asked atomic.Int64
	return n.serveDNS(func(w dns.ResponseWriter, q *dns.Msg) {
		m := txt(q, text)
		m.Answer[0].Header().Ttl = uint32(asked.Add(1))
		if text == "SERVFAIL" {
			m = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		}
		_ = w.WriteMsg(m)
	})
}

// TestCorroborated wants what counts against a team, or for it, to be what two
// resolvers say. Which of them is asked first is chance, so each is asked often.
func TestCorroborated(t *testing.T) {
	n := newNet(t)
	for _, c := range []struct {
		name  string
		says  []string
		wants []string // what may come of it; all of it does
	}{
		{"both say bad", []string{"bad", "bad"}, []string{"word.bad"}},
		{"both say bad in other words", []string{"bad one", "bad two"}, []string{"word.bad"}},
		{"one says bad, the other good", []string{"bad", "good"}, []string{"", "dns.inconsistent"}},
		{"one says bad, the other has no answer", []string{"bad", "SERVFAIL"}, []string{"dns.servfail"}},
		{"one knows a proof, the other not", []string{"proof", "good"}, []string{"", "dns.inconsistent"}},
		{"both know a proof", []string{"proof", "proof"}, []string{"proof"}},
		{"what is no error is not asked again", []string{"meh", "good"}, []string{"", "word.meh"}},
		{"alone", []string{"bad"}, []string{"word.bad"}},
		{"alone with a proof", []string{"proof"}, []string{"proof"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var resolvers []string
			for _, text := range c.says {
				resolvers = append(resolvers, n.says(text))
			}
			l := n.live(quickDNS, func(cfg *verify.LiveConfig) { cfg.Resolvers = append(resolvers, resolvers[0]) })
			seen := map[string]bool{}
			for range 40 {
				seen[wordRun(t, l, resolvers)] = true
			}
			var got []string
			for s := range seen {
				got = append(got, s)
			}
			slices.Sort(got)
			slices.Sort(c.wants)
			if !slices.Equal(got, c.wants) {
				t.Errorf("came to %q, want %q", got, c.wants)
			}
		})
	}
}

// wordRun runs the check, and wants the recording to lead to the same.
func wordRun(t *testing.T, n verify.Network, resolvers []string) string {
	t.Helper()
	check, recorder := wordCheck(), verify.Record(n)
	came := func(n verify.Network) string {
		r, err := check.Run(t.Context(), n, verify.Target{})
		var trouble *verify.Trouble
		switch {
		case errors.As(err, &trouble):
			for _, at := range resolvers {
				if trouble.Code == verify.DNSInconsistent && (!strings.Contains(trouble.Detail, at) || !strings.Contains(trouble.Detail, `TXT "good"`)) {
					t.Errorf("%s does not tell what %s said", trouble, at)
				}
			}
			return string(trouble.Code)
		case err != nil:
			t.Fatal(err)
		case len(r.Proofs) > 0:
			return "proof"
		case len(r.Findings) > 0:
			return string(r.Findings[0].Code)
		}
		return ""
	}
	first := came(recorder)
	kept := recorder.Transcript("word", verify.Target{})
	if again := came(verify.Replay(kept)); again != first {
		t.Errorf("the replay came to %q, the run to %q", again, first)
	}
	if len(kept.Answers) == 2 && kept.Answers[0].Server == kept.Answers[1].Server {
		t.Errorf("%s was asked twice", kept.Answers[0].Server)
	}
	return first
}

// TestQuestionsAreCounted has checks walk through a zone without end: they stop,
// without a verdict.
func TestQuestionsAreCounted(t *testing.T) {
	n := newNet(t)
	for _, c := range []struct {
		name string
		host func(int) string
		want int64
	}{
		{"below one domain", func(i int) string { return fmt.Sprintf("n%d.deep.maze.example.", i) }, verify.MaxTreeQuestions},
		{"in many domains", func(i int) string { return fmt.Sprintf("n.maze%d.example.", i) }, verify.MaxRunQuestions},
		{"the same one over and over", func(int) string { return "n.maze.example." }, 1},
	} {
		before := n.queries.Load()
		walk := verify.Corroborated(verify.Check{Run: func(ctx context.Context, net verify.Network, _ verify.Target) (r verify.Result, err error) {
			for i := range 1000 {
				if _, err := net.Query(ctx, verify.Question{Name: c.host(i), Type: "A"}); err != nil {
					return r, err
				}
			}
			return r, nil
		}})
		_, err := walk.Run(t.Context(), n.live(), verify.Target{})
		var trouble *verify.Trouble
		if c.want == 1 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if !errors.As(err, &trouble) || trouble.Code != verify.DNSWork || trouble.Ours {
			t.Errorf("%s: %v, want %s of theirs", c.name, err, verify.DNSWork)
		}
		if got := n.queries.Load() - before; got != c.want {
			t.Errorf("%s: %d questions, want %d", c.name, got, c.want)
		}
	}
}

// TestHostOfTwoMinds wants two resolvers to agree that a host can't be fetched from.
func TestHostOfTwoMinds(t *testing.T) {
	n := newNet(t)
	s := n.listen("open.example", nil, raw(okText))
	n.record("both.example.", "TXT \"no address\"")
	n.record("special.example.", "A 10.0.0.1")
	other := n.serveDNS(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		name := q.Question[0].Name
		if q.Question[0].Qtype == dns.TypeA && name != "both.example." && name != "nowhere.example." {
			rr, _ := dns.NewRR(name + " 60 IN A " + s.addr.Addr().String())
			m.Answer = []dns.RR{rr}
		}
		if name == "nowhere.example." {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})
	l := n.live(quickDNS, func(cfg *verify.LiveConfig) { cfg.Resolvers = []string{n.dns, other} })
	reached := []verify.Code{verify.FetchCertificate, verify.DNSInconsistent} // by chance the first answer is good
	for host, want := range map[string][]verify.Code{
		"gone": reached, "special": reached, "both": {verify.FetchNoAddress}, "nowhere": {verify.FetchNoHost},
	} {
		for range 10 {
			x := n.fetch(l, verify.Request{URL: "https://" + host + ".example/", Family: "ip4"})
			if !slices.Contains(want, failureOf(x.Failure)) {
				t.Errorf("Fetch(%s) = %+v, want one of %v", host, x.Failure, want)
			}
			if failureOf(x.Failure) == verify.DNSInconsistent && !x.Failure.Temporary {
				t.Errorf("Fetch(%s) = %+v is for ever", host, x.Failure)
			}
		}
	}
}

// TestFiltered wants no answer from a resolver that says itself that it is not the DNS's.
func TestFiltered(t *testing.T) {
	n := newNet(t)
	var code atomic.Uint32
	n.on("q.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: uint16(code.Load()), ExtraText: "by order"}}
		_ = w.WriteMsg(m)
	})
	for c, want := range map[uint16]verify.Code{
		dns.ExtendedErrorCodeForgedAnswer: verify.DNSFiltered, dns.ExtendedErrorCodeBlocked: verify.DNSFiltered,
		dns.ExtendedErrorCodeCensored: verify.DNSFiltered, dns.ExtendedErrorCodeFiltered: verify.DNSFiltered,
		dns.ExtendedErrorCodeProhibited: verify.DNSFiltered, dns.ExtendedErrorCodeStaleNXDOMAINAnswer: "",
	} {
		code.Store(uint32(c))
		a, err := n.live().Query(t.Context(), verify.Question{Name: "q.example", Type: "TXT"})
		if err != nil || failureOf(a.Failure) != want || want != "" && !strings.HasSuffix(a.Failure.Detail, " by order") {
			t.Errorf("extended error %d: %+v, %v; want %q", c, a.Failure, err, want)
		}
	}
}
