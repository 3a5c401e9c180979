package lab_test

import (
	"context"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// proves asks through the network under test, as checks do, and proves the
// answer without believing the resolver.
func proves(t *testing.T, l *lab.Lab, resolver string, q question) dnssec.Answer {
	t.Helper()
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{resolver}, Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor())
	if err != nil {
		t.Fatal(err)
	}
	v, err := dnssec.New(dnssec.Config{Anchors: anchors, Now: l.Now(), Exchange: func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
		a, err := live.Query(ctx, verify.Question{Name: name, Type: dns.TypeToString[qtype], NoCheck: true})
		if err != nil {
			return nil, err
		}
		if a.Failure != nil {
			t.Fatalf("%s %s: %+v", name, dns.TypeToString[qtype], a.Failure)
		}
		m := new(dns.Msg)
		return m, m.Unpack(a.Wire)
	}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := v.Query(context.Background(), q.name, q.qtype)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return a
}

// TestProofsAgainstUnbound holds our own validation against a real validator's,
// for every kind of answer in every signed zone: secure where it sets AD, bogus
// where it fails, insecure else.
func TestProofsAgainstUnbound(t *testing.T) {
	l := start(t, lab.Config{})
	at := unbound(t, l)
	seen := map[dnssec.Status]int{}
	for _, q := range questions(l) {
		real, got := q.ask(t, at), proves(t, l, at, q)
		want := dnssec.Insecure
		switch {
		case real.Rcode == dns.RcodeServerFailure:
			want = dnssec.Bogus
		case real.AuthenticatedData:
			want = dnssec.Secure
		}
		seen[got.Status]++
		if got.Status != want {
			t.Errorf("%s: %s (%s), Unbound says %s: %v", q, got.Status, got.Reason, want, real.IsEdns0())
		}
		if want != dnssec.Bogus && got.Rcode != real.Rcode {
			t.Errorf("%s: %s, Unbound says %s", q, dns.RcodeToString[got.Rcode], dns.RcodeToString[real.Rcode])
		}
	}
	for _, s := range []dnssec.Status{dnssec.Secure, dnssec.Insecure, dnssec.Bogus} {
		if seen[s] < 20 {
			t.Errorf("%d answers are %s, too few to say anything", seen[s], s)
		}
	}
}
