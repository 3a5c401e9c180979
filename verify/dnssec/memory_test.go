package dnssec_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/dnssec/dnssectest"
)

func recall(t testing.TB, w *dnssectest.World, m *dnssec.Memory, at time.Time, name string, qtype uint16) dnssec.Answer {
	t.Helper()
	v, err := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: w.Anchors(), Now: at, Memory: m})
	if err != nil {
		t.Fatal(err)
	}
	a, err := v.Query(context.Background(), name, qtype)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// frozen answers each question once and again with the same message: zones are
// signed anew at each question, by signatures that differ.
func frozen(w *dnssectest.World) dnssec.Exchange {
	var mu sync.Mutex
	kept := map[dns.Question]*dns.Msg{}
	return func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
		mu.Lock()
		defer mu.Unlock()
		q := dns.Question{Name: name, Qtype: qtype}
		if kept[q] == nil {
			m, err := w.Exchange(ctx, name, qtype)
			if err != nil {
				return nil, err
			}
			kept[q] = m
		}
		return kept[q].Copy(), nil
	}
}

// changed hands each message to change on its way.
func changed(e dnssec.Exchange, change func(*dns.Msg)) dnssec.Exchange {
	return func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
		m, err := e(ctx, name, qtype)
		if err == nil && change != nil {
			change(m)
		}
		return m, err
	}
}

// TestMemory wants the same answers with a memory as without one, whatever was
// proven before.
func TestMemory(t *testing.T) {
	w := example(t)
	answers, anchors, m := frozen(w), w.Anchors(), dnssec.NewMemory(0)
	query := func(m *dnssec.Memory, at time.Time, change func(*dns.Msg)) dnssec.Answer {
		v, err := dnssec.New(dnssec.Config{Exchange: changed(answers, change), Anchors: anchors, Now: at, Memory: m})
		if err != nil {
			t.Fatal(err)
		}
		a, err := v.Query(context.Background(), "www.good.example.", dns.TypeA)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := query(m, now, nil); a.Status != dnssec.Secure {
		t.Fatalf("Query = %+v, want secure", a)
	}
	known := m.Size()
	each := func(f func(dns.RR)) func(*dns.Msg) {
		return func(m *dns.Msg) {
			for _, rr := range slices.Concat(m.Answer, m.Ns) {
				f(rr)
			}
		}
	}
	sig := func(f func(*dns.RRSIG)) func(*dns.Msg) {
		return each(func(rr dns.RR) {
			if s, ok := rr.(*dns.RRSIG); ok && s.TypeCovered == dns.TypeA {
				f(s)
			}
		})
	}
	for _, c := range []struct {
		name   string
		at     time.Time
		change func(*dns.Msg)
		want   dnssec.Status
		same   bool // nothing new is learned
	}{
		{"the same once more", now, nil, dnssec.Secure, true},
		{"TTLs that count down", now, each(func(rr dns.RR) { rr.Header().Ttl = 7 }), dnssec.Secure, true},
		{"records in another order", now, func(m *dns.Msg) { slices.Reverse(m.Answer) }, dnssec.Secure, true},
		{"letters in another case", now, sig(func(s *dns.RRSIG) { s.Hdr.Name = strings.ToUpper(s.Hdr.Name) }), dnssec.Secure, false},
		{"a day later", now.Add(24 * time.Hour), nil, dnssec.Secure, true},
		{"after the signatures' end", now.Add(30 * 24 * time.Hour), nil, dnssec.Bogus, true},
		{"before their beginning", now.Add(-30 * 24 * time.Hour), nil, dnssec.Bogus, true},
		{"another address", now, each(func(rr dns.RR) {
			if a, ok := rr.(*dns.A); ok {
				a.A[3]++
			}
		}), dnssec.Bogus, true},
		{"a longer life", now, sig(func(s *dns.RRSIG) { s.Expiration += 3600 }), dnssec.Bogus, true},
		{"another signature", now, sig(func(s *dns.RRSIG) { s.Signature = s.Signature[4:8] + s.Signature[:4] + s.Signature[8:] }), dnssec.Bogus, true},
		{"another number of labels", now, sig(func(s *dns.RRSIG) { s.Labels-- }), dnssec.Bogus, true},
		{"another key", now, each(func(rr dns.RR) {
			if k, ok := rr.(*dns.DNSKEY); ok && k.Hdr.Name == "good.example." {
				k.PublicKey = "AAAA" + k.PublicKey[4:]
			}
		}), dnssec.Bogus, true},
		{"no keys", now, each(func(rr dns.RR) { rr.Header().Class = dns.ClassCHAOS }), dnssec.Bogus, true},
	} {
		got, want := query(m, c.at, c.change), query(nil, c.at, c.change)
		if diff := cmp.Diff(want.Status, got.Status); diff != "" || want.Reason != got.Reason || got.Status != c.want {
			t.Errorf("%s: %s (%s) with a memory, %s (%s) without; want %s", c.name, got.Status, got.Reason, want.Status, want.Reason, c.want)
		}
		if (m.Size() == known) != c.same {
			t.Errorf("%s: %d signatures are known, %d before", c.name, m.Size(), known)
		}
		known = m.Size()
	}
}

// TestMemoryIsBounded wants what is asked for again to stay, and the rest to go.
func TestMemoryIsBounded(t *testing.T) {
	w, m := example(t), dnssec.NewMemory(20)
	for range 50 { // each question is signed anew
		if a := recall(t, w, m, now, "www.good.example.", dns.TypeA); a.Status != dnssec.Secure {
			t.Fatalf("Query = %+v, want secure", a)
		}
	}
	if n := m.Size(); n > 20 || n < 10 {
		t.Errorf("%d signatures are remembered, want 10 to 20", n)
	}
}

// TestMemoryIsShared has many validators use one memory at once.
func TestMemoryIsShared(t *testing.T) {
	w := example(t)
	answers, anchors, m := frozen(w), w.Anchors(), dnssec.NewMemory(16)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, name := range []string{"www.good.example.", "nowhere.good.example.", "any.wild.good.example.", "www.plain.example."} {
				v, err := dnssec.New(dnssec.Config{Exchange: answers, Anchors: anchors, Now: now, Memory: m})
				if err != nil {
					t.Error(err)
					return
				}
				want := dnssec.Secure
				if name == "www.plain.example." {
					want = dnssec.Insecure
				}
				if a, err := v.Query(context.Background(), name, dns.TypeA); err != nil || a.Status != want {
					t.Errorf("Query(%s) = %+v, %v; want %s", name, a, err, want)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkQuery(b *testing.B) {
	w := example(b)
	answers, anchors := frozen(w), w.Anchors()
	for name, m := range map[string]*dnssec.Memory{"bare": nil, "memory": dnssec.NewMemory(0)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				v, err := dnssec.New(dnssec.Config{Exchange: answers, Anchors: anchors, Now: now, Memory: m})
				if err != nil {
					b.Fatal(err)
				}
				if a, err := v.Query(context.Background(), "www.good.example.", dns.TypeA); err != nil || a.Status != dnssec.Secure {
					b.Fatalf("Query = %+v, %v", a, err)
				}
			}
		})
	}
}
