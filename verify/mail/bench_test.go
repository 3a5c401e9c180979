package mail_test

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// perSecond reports how many were done a second, and how many a processor that did nothing else would do.
func perSecond(b *testing.B, unit string, began time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), unit+"/s")
	b.ReportMetric(float64(b.N)/(processor()-began).Seconds(), unit+"/cpu-s")
}

// processor is the time of processors that this process has had.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails for the own process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOut renders, signs and hands over to a sink on this machine.
func BenchmarkOut(b *testing.B) {
	team := public(b, keyPlan{}.key(b))
	for _, key := range []struct{ name, armor string }{{"signed", ""}, {"encrypted", team}} {
		b.Run(key.name, func(b *testing.B) {
			var taken atomic.Int64
			address := listen(b, mail.ServerConfig{Accepts: anybody, Handle: func(context.Context, mail.Envelope) error { taken.Add(1); return nil }})
			s, c := submitter(b, mail.Relay{Address: address, Policy: mail.TLSNone, Conns: 8}), composer(b, now)
			l := sample(mail.KindSigned, "")
			l.Key = key.armor
			began := processor()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m, err := c.Render(l)
					if err != nil {
						b.Error(err)
						return
					}
					if r := s.Submit(b.Context(), m); r.Outcome != mail.Accepted {
						b.Error(r)
						return
					}
				}
			})
			perSecond(b, "mails", began)
			if int(taken.Load()) != b.N {
				b.Errorf("%d of %d arrived", taken.Load(), b.N)
			}
		})
	}
}

// BenchmarkClassify reads, correlates and classifies the mails of the table.
func BenchmarkClassify(b *testing.B) {
	all, id := table(b), instance(b)
	began := processor()
	b.ResetTimer()
	for i := range b.N {
		env := all[i%len(all)].env
		m, err := mail.Read(env.Raw, mail.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		id.Correlate(env, m)
		id.Classify(env, m)
	}
	perSecond(b, "mails", began)
}

// BenchmarkOpen reads and verifies signed replies.
func BenchmarkOpen(b *testing.B) {
	s := newScene(b)
	for _, tt := range []struct {
		name string
		key  keyPlan
	}{{"ed25519", keyPlan{}}, {"rsa2048", keyPlan{algo: packet.PubKeyAlgoRSA}}} {
		e := tt.key.key(b)
		for form, content := range map[string]string{
			"signed": s.by(e).signed(b, text(yes)), "encrypted": encrypted(b, s.by(e).sealed(b, text(yes), s.own)),
		} {
			b.Run(tt.name+"/"+form, func(b *testing.B) {
				raw := crlf(reply{content: content}.mail())
				o := mail.Opener{Own: s.own, Key: public(b, e), Nonce: nonce, From: []string{"csirt@team.example"}, Since: now.Add(-time.Hour), Now: now}
				began := processor()
				for b.Loop() {
					m, err := mail.Read(raw, mail.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					if _, err := o.Open(m); err != nil {
						b.Fatal(err)
					}
				}
				perSecond(b, "replies", began)
			})
		}
	}
}

// FuzzIncoming puts any octets through all that looks at incoming mail. Nothing panics, and
// nothing proves what was not signed.
func FuzzIncoming(f *testing.F) {
	s, id := newScene(f), instance(f)
	for _, c := range table(f)[:40] {
		f.Add(c.env.Raw)
	}
	for _, c := range append(goodCases(s), structureCases(s)...) {
		f.Add([]byte(c.mail))
	}
	o := mail.Opener{Own: s.own, Key: public(f, s.team), Nonce: "QQQQWWWWEEEERRRRTTTT", From: []string{"csirt@team.example"}, Since: now.Add(-time.Hour), Now: now}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := mail.Read(data, mail.Limits{})
		if err != nil {
			var r *mail.Refused
			if !errors.As(err, &r) {
				t.Fatalf("Read = %v", err)
			}
			return
		}
		env := mail.Envelope{To: []string{id.Return(letter)}, Raw: data}
		id.Correlate(env, m)
		if c := id.Classify(env, m); c.Sort == "" || c.Rule == "" {
			t.Fatalf("Classify = %+v", c)
		}
		if p, err := o.Open(m); err == nil {
			t.Fatalf("a nonce that nobody signed is proven: %+v", p)
		}
	})
}
