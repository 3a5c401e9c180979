package main

import (
	"bytes"
	"context"
	"fmt"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// uncapped is a policy without caps: a server that minds them takes hours for a large campaign.
func (f *officeFaults) uncapped(kind challenge.Kind) {
	f.t.Helper()
	name := filepath.Join(f.t.TempDir(), "policies.json")
	text := strings.ReplaceAll(demoPolicies, `"both"`, strconv.Quote(string(kind)))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.args = append(f.args, "--challenge-policies", name)
}

// BenchmarkCampaign has a server ask the contacts of a campaign, all at once: questions made,
// timers fired, mails rendered, signed by OpenPGP and twice by DKIM, handed to a sink on this
// machine, and noted. It is to hand over 300 mails/s and more to 10,000 contacts (-benchtime
// 10000x), and the end of a campaign is to need no more memory than its first tenth.
func BenchmarkCampaign(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		b.Run(e.Name, func(b *testing.B) {
			f := newOfficeFaults(b, e, b.N)
			f.uncapped(challenge.KindCode)
			f.campaign(0)
			b.ResetTimer()
			cmd := f.start()
			f.wait("a tenth of the mails went out", func() bool { return f.sink.count() >= b.N/10 })
			b.StopTimer()
			tenth := memory(b, cmd.Process.Pid)
			b.StartTimer()
			f.wait("all mails went out", func() bool { return f.sink.count() >= b.N })
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
			b.ReportMetric(tenth, "MB-tenth")
			b.ReportMetric(memory(b, cmd.Process.Pid), "MB")
		})
	}
}

// BenchmarkReplies takes replies in as a server does, from the octets to what the store has of
// them: signed ones, each the answer to a question of its own, and automatic ones.
func BenchmarkReplies(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		for _, kind := range []string{"signed", "automatic"} {
			b.Run(e.Name+"/"+kind, func(b *testing.B) {
				r := newReplies(b, e)
				envs := r.answers(kind == "signed")
				b.ResetTimer()
				var all sync.WaitGroup
				next := make(chan mail.Envelope, len(envs))
				for _, env := range envs {
					next <- env
				}
				close(next)
				for range 4 {
					all.Go(func() {
						for env := range next {
							if got, err := r.receiver.Look(context.Background(), env); err != nil || kind == "signed" && got.Refused != "" {
								b.Errorf("%+v, %v", got, err)
							}
						}
					})
				}
				all.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "replies/s")
				r.came(kind == "signed")
			})
		}
	}
}

// replies is an office whose questions were all sent, and wait.
type replies struct {
	b        *testing.B
	f        *officeFaults
	key      *openpgp.Entity
	receiver *challenge.Receiver
	mails    []mail.Envelope
}

func newReplies(b *testing.B, e storetest.Engine) *replies {
	b.Helper()
	r := &replies{b: b, f: newOfficeFaults(b, e, 0)}
	var key directory.Key
	r.key, key = teamKey(b)
	r.f.teams(b.N, directory.TeamKey{Key: key})
	r.send()
	return r
}

// send asks everybody, in this process: what is measured comes after.
func (r *replies) send() {
	r.b.Helper()
	r.f.uncapped(challenge.KindSigned)
	c := r.f.call
	m := &c.cfg.Challenge
	c.cfg.Verify.Resolvers = []string{newZone(r.b).address} // who knows nothing, at once
	m.Relay, m.RelayTLS, m.Pages, m.Policies = "127.0.0.1:1", mail.TLSNone, demoPages, r.f.args[len(r.f.args)-1]
	follower, err := c.newFollower(r.f.db)
	if err != nil {
		r.b.Fatal(err)
	}
	o, err := c.newOffice(officeParts{store: r.f.db, index: follower.Index})
	if err != nil {
		r.b.Fatal(err)
	}
	r.f.desk, r.receiver = o.Desk, o.receiver
	sender, err := challenge.NewSender(challenge.SenderConfig{Desk: o.Desk, Composer: o.composer, Pages: demoPages, Submit: func(_ context.Context, m mail.Mail) mail.Result {
		r.mails = append(r.mails, mail.Envelope{From: m.From, To: []string{m.To}, Raw: m.Raw})
		return mail.Result{Outcome: mail.Accepted, At: time.Now()}
	}})
	if err != nil {
		r.b.Fatal(err)
	}
	r.f.campaign(0)
	for begun := time.Now(); len(r.mails) < r.b.N; {
		_, err := o.Steward(c.ctx)
		if err == nil {
			_, err = o.Tick(c.ctx, 1000)
		}
		if err == nil {
			_, err = sender.Send(c.ctx, 1000)
		}
		if err != nil || time.Since(begun) > 10*time.Minute {
			r.b.Fatalf("%d of %d questions were sent: %v", len(r.mails), r.b.N, err)
		}
	}
}

// answers are the replies of all.
func (r *replies) answers(signed bool) []mail.Envelope {
	r.b.Helper()
	out := make([]mail.Envelope, len(r.mails))
	for i, m := range r.mails {
		read, err := netmail.ReadMessage(bytes.NewReader(m.Raw))
		if err != nil {
			r.b.Fatal(err)
		}
		to, err := netmail.ParseAddress(read.Header.Get("Reply-To"))
		if err != nil {
			r.b.Fatal(err)
		}
		from := m.To[0]
		head := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: Re: your mail\r\nMessage-ID: <%d@%s>\r\nMIME-Version: 1.0\r\n", from, to.Address, i, from)
		text := "Auto-Submitted: auto-replied\r\nContent-Type: text/plain\r\n\r\nWe are away.\r\n"
		if signed {
			text = signedAnswer(r.b, r.key, time.Now(), m.Raw)
		}
		out[i] = mail.Envelope{From: from, To: []string{to.Address}, Raw: []byte(head + text), At: time.Now()}
	}
	return out
}

// teamKey makes a key of a team, and what the directory has of it.
func teamKey(t testing.TB) (*openpgp.Entity, directory.Key) {
	t.Helper()
	entity, err := openpgp.NewEntity("Team", "", "csirt@team0.example", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Now().Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	w, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	if err == nil {
		err = entity.Serialize(w)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	key, _, err := directory.ParseKey(public.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return entity, key
}

// signedAnswer is an answer with the word of a mail in it, signed at a time (RFC 3156 section 5).
func signedAnswer(t testing.TB, key *openpgp.Entity, at time.Time, raw []byte) string {
	t.Helper()
	word := mailedWord.FindSubmatch(raw)
	if word == nil {
		t.Errorf("no word in\n%s", raw)
		return ""
	}
	payload := "Content-Type: text/plain; charset=utf-8\r\n\r\nYes: " + string(word[1]) + "\r\n"
	var sig bytes.Buffer
	w, err := armor.Encode(&sig, openpgp.SignatureType, nil)
	if err == nil {
		err = openpgp.DetachSign(w, []*openpgp.Entity{key}, strings.NewReader(payload), &packet.Config{Time: func() time.Time { return at }})
	}
	if err != nil || w.Close() != nil {
		t.Errorf("signing: %v", err)
	}
	return "Content-Type: multipart/signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n" + payload +
		"\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n" + strings.ReplaceAll(sig.String(), "\n", "\r\n") + "\r\n--s--\r\n"
}

// came wants each reply to count for what it is.
func (r *replies) came(signed bool) {
	r.b.Helper()
	list, err := r.f.db.ListChallenges(context.Background(), challenge.ListFilter{Limit: r.b.N + 1})
	if err != nil || len(list) != r.b.N {
		r.b.Fatalf("%d questions, %v", len(list), err)
	}
	for i := range list {
		if c := &list[i]; signed && c.Reached != directory.Proven || !signed && c.Auto.IsZero() {
			r.b.Fatalf("a reply counts for nothing: %+v", c)
		}
	}
}
