package challenge_test

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// wanted is what the last mail wants back: the nonce, and where to.
func (o *office) wanted() (nonce, to string) {
	o.t.Helper()
	_, text := o.last()
	token, _ := o.said()
	for _, word := range nonceInMail.FindAllString(text, -1) {
		if word != token {
			nonce = word
		}
	}
	if to = replyInMail.FindString(text); nonce == "" || to == "" {
		o.t.Fatalf("the mail lacks nonce or reply address:\n%s", text)
	}
	return nonce, to
}

// comes has a mail come in from the team: content begins with the fields of its MIME part.
func (o *office) comes(to, content string) challenge.Received {
	o.t.Helper()
	raw := fmt.Sprintf("From: csirt@alpha.example\nTo: %s\nSubject: Re: question\nDate: %s\nMessage-ID: <%d@alpha.example>\nMIME-Version: 1.0\n%s",
		to, o.clock().Format(time.RFC1123Z), o.clock().UnixNano(), content)
	env := mail.Envelope{From: "csirt@alpha.example", To: []string{to}, Raw: []byte(strings.ReplaceAll(raw, "\n", "\r\n")), At: o.clock()}
	return must[challenge.Received](o.t)(o.receiver.Look(context.Background(), env))
}

// enter gives the team the key as its only one, as it is now.
func (o *office) enter(e *openpgp.Entity) {
	o.t.Helper()
	var public bytes.Buffer
	if err := e.Serialize(&public); err != nil {
		o.t.Fatal(err)
	}
	key, _, err := directory.ParseKey(public.Bytes())
	if err != nil {
		o.t.Fatal(err)
	}
	must[directory.Team](o.t)(o.dir.Edit(context.Background(), deskOperator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		own.Keys = []directory.TeamKey{{Key: key}}
		return nil
	}}))
}

// packetOf is a packet of the new format (RFC 9580 section 4.2.1).
func packetOf(tag byte, body []byte) []byte {
	n := len(body)
	return append([]byte{0xc0 | tag, 0xff, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// bomb is a compressed packet of some 525 KB that grows to 512 MB.
func bomb() []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	zeros := make([]byte, 1<<20)
	_, _ = w.Write(append([]byte{0xcb, 0xff, 0x20, 0, 0, 0, 'b', 0, 0, 0, 0, 0}, zeros...)) // a literal of 512 MB
	_ = w.Flush()
	first := bytes.Clone(b.Bytes())
	b.Reset()
	_, _ = w.Write(zeros)
	_ = w.Flush() // a block that repeats what stands before it: it can be repeated itself
	return packetOf(8, append(append([]byte{1}, first...), bytes.Repeat(b.Bytes(), 511)...))
}

// sealedTo is packets, encrypted.
func (o *office) sealedTo(to *openpgp.Entity, packets []byte) string {
	o.t.Helper()
	cfg := &packet.Config{Time: o.clock}
	key, ok := to.EncryptionKey(o.clock(), cfg)
	if !ok {
		o.t.Fatal("no key to encrypt to")
	}
	session := bytes.Repeat([]byte{7}, 32)
	var b bytes.Buffer
	err := packet.SerializeEncryptedKeyAEAD(&b, key.PublicKey, packet.CipherAES256, false, session, cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	w := must[interface {
		Write([]byte) (int, error)
		Close() error
	}](o.t)(packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, false, packet.CipherSuite{}, session, cfg))
	_, err = w.Write(packets)
	if err := errors.Join(err, w.Close()); err != nil {
		o.t.Fatal(err)
	}
	return o.armored(b.Bytes())
}

func (o *office) armored(message []byte) string {
	o.t.Helper()
	var b bytes.Buffer
	w := must[interface {
		Write([]byte) (int, error)
		Close() error
	}](o.t)(armor.Encode(&b, "PGP MESSAGE", nil))
	_, err := w.Write(message)
	if err := errors.Join(err, w.Close()); err != nil {
		o.t.Fatal(err)
	}
	return b.String() + "\n"
}

const plainText = "Content-Type: text/plain; charset=utf-8\n\n"

func multipart(kind string, parts ...string) string {
	boundary := fmt.Sprintf("b%d", len(strings.Join(parts, ""))) // no part has the one of another
	out := "Content-Type: multipart/" + kind + "; boundary=" + boundary + "\n\n"
	for _, p := range parts {
		out += "--" + boundary + "\n" + p + "\n"
	}
	return out + "--" + boundary + "--\n"
}

// TestReceiverHostile: what must not pass does not, and leaves the question as it was; the reply that is right passes
// afterwards.
func TestReceiverHostile(t *testing.T) {
	id := must[*mail.Identity](t)(identityOnce())
	tests := []struct {
		name string
		mail func(o *office, nonce string) string
		want mail.Refusal
	}{
		{"signed before it was asked", func(o *office, nonce string) string {
			defer o.pass(24 * time.Hour)
			o.pass(-24 * time.Hour)
			return plainText + o.signed("Our word is "+nonce+"\n")
		}, mail.OutOfTime},
		{"signed in the future", func(o *office, nonce string) string {
			defer o.pass(-24 * time.Hour)
			o.pass(24 * time.Hour)
			return plainText + o.signed("Our word is "+nonce+"\n")
		}, mail.OutOfTime},
		{"the nonce beside what is signed", func(o *office, nonce string) string {
			return multipart("mixed", plainText+nonce+"\n", plainText+o.signed("We are here.\n"))
		}, mail.NonceOutside},
		{"altered after it was signed", func(o *office, nonce string) string {
			return plainText + strings.Replace(o.signed("Our word is not "+nonce+"\n"), "is not", "is", 1)
		}, mail.BadSignature},
		{"the nonce of nobody", func(o *office, nonce string) string {
			return plainText + o.signed("Our word is "+strings.Map(func(r rune) rune {
				if r == '7' {
					return '8'
				}
				return '7'
			}, nonce)+"\n")
		}, mail.NonceMissing},
		{"525 KB that grow to 512 MB", func(o *office, _ string) string { return plainText + o.armored(bomb()) }, mail.TooMuchInside},
		{"525 KB that grow to 512 MB, encrypted", func(o *office, _ string) string {
			return multipart("encrypted; protocol=\"application/pgp-encrypted\"", "Content-Type: application/pgp-encrypted\n\nVersion: 1\n", "Content-Type: application/octet-stream\n\n"+o.sealedTo(id.Key, bomb()))
		}, mail.TooMuchInside},
		{"a tree 1,000 deep", func(o *office, nonce string) string {
			out := plainText + o.signed("Our word is "+nonce+"\n")
			for range 1000 {
				out = multipart("mixed", out)
			}
			return out
		}, mail.TooDeep},
		{"more than 50 parts", func(o *office, nonce string) string {
			return multipart("mixed", append([]string{plainText + o.signed("Our word is "+nonce+"\n")}, slicesRepeat(plainText+"x\n", 60)...)...)
		}, mail.TooManyParts},
		{"more than 1 MiB", func(o *office, nonce string) string {
			return plainText + o.signed("Our word is "+nonce+"\n"+strings.Repeat("0123456789abcdef\n", 70_000))
		}, mail.TooLarge},
		{"NUL", func(o *office, nonce string) string {
			return plainText + o.signed("Our word is "+nonce+"\n") + "\x00"
		}, mail.HasNUL},
	}
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindSigned)
		nonce, to := o.wanted()
		o.pass(time.Hour)
		for _, tt := range tests {
			content := tt.mail(o, nonce)
			o.pass(time.Minute)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := o.comes(to, content)
			runtime.ReadMemStats(&after)
			if got.Event == challenge.EventProof || got.Refused != string(tt.want) {
				t.Errorf("%s: %+v, want it refused as %s", tt.name, got, tt.want)
			}
			if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 100 {
				t.Errorf("%s: it took %d MiB of memory", tt.name, grown)
			}
			if s := o.standing(0); o.see(c.ID).State.Final() || s.Level > directory.Deliverable {
				t.Fatalf("%s: the question is %s, the contact stands at %+v", tt.name, o.see(c.ID).State, s)
			}
		}
		if got := o.comes(to, plainText+o.signed("Our word is "+nonce+"\n")); got.Event != challenge.EventProof || o.see(c.ID).State != challenge.StateAnswered {
			t.Errorf("the reply that is right: %+v", got)
		}
	})
}

func slicesRepeat(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}

// TestReceiverReplay: the reply to one question counts once, and for that question alone.
func TestReceiverReplay(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		first := o.ask(0, challenge.KindSigned)
		nonce, to := o.wanted()
		o.pass(time.Hour)
		body := o.signed("Our word is " + nonce + "\n")
		evidence := func() (n int) {
			for _, e := range must[directory.Team](t)(o.dir.Team(ctx, deskOperator, "alpha")).Evidence {
				if e.Method == challenge.MethodSigned {
					n++
				}
			}
			return n
		}
		for i := range 3 {
			o.pass(time.Minute)
			o.comes(to, plainText+body)
			if n := evidence(); n != 1 || o.see(first.ID).State != challenge.StateAnswered {
				t.Fatalf("after the reply came %d times: %d items of evidence", i+1, n)
			}
		}
		o.pass(40 * 24 * time.Hour)
		second := o.ask(0, challenge.KindSigned)
		for range 48 { // until it is a decent time there
			if len(o.box) < 2 {
				o.pass(time.Hour)
				o.run()
			}
		}
		_, to = o.wanted()
		o.pass(time.Hour)
		for _, subject := range []string{"Re: question", "Re: [" + second.Subject + "]"} {
			got := o.answers("csirt@alpha.example", to, subject, body)
			if got.Challenge != second.ID || got.Event == challenge.EventProof {
				t.Errorf("the reply to the first question, sent to the second: %+v", got)
			}
		}
		if c := o.see(second.ID); c.State.Final() || evidence() != 1 {
			t.Errorf("the second question is %s, with %d items of evidence", c.State, evidence())
		}
	})
}

// TestReceiverKeys: a key that was revoked or has expired since it was asked proves nothing, whenever it signed.
func TestReceiverKeys(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spoil  func(o *office)
		proves bool
	}{
		{"as it was", func(*office) {}, true},
		{"revoked", func(o *office) {
			if err := o.key.Revoke(packet.KeyCompromised, "", &packet.Config{Time: o.clock}); err != nil {
				o.t.Fatal(err)
			}
			o.enter(o.key)
		}, false},
		{"expired", func(o *office) { o.pass(72 * time.Hour) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				made := deskDay.AddDate(0, 0, -10)
				o.key = must[*openpgp.Entity](t)(openpgp.NewEntity("Alpha CSIRT", "", "csirt@alpha.example", &packet.Config{Time: func() time.Time { return made }, Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: uint32(12 * 24 * time.Hour / time.Second)}))
				o.enter(o.key)
				for _, name := range []string{"cli:ann", "cli:ben"} {
					key := must[directory.Team](t)(o.dir.Team(context.Background(), deskOperator, "alpha")).Keys[0]
					must[directory.Team](t)(o.dir.VouchForKey(context.Background(), directory.Principal{Name: name, Role: directory.Operator}, "alpha", key.Fingerprint, "called"))
				}
				c := o.ask(0, challenge.KindSigned)
				nonce, to := o.wanted()
				o.pass(time.Hour)
				body := o.signed("Our word is " + nonce + "\n")
				o.pass(time.Minute)
				tt.spoil(o)
				got := o.comes(to, plainText+body)
				if (got.Event == challenge.EventProof) != tt.proves || o.see(c.ID).State.Final() != tt.proves || o.standing(0).Level >= directory.Answered != tt.proves {
					t.Errorf("signed by a key that is %s: %+v", tt.name, got)
				}
			})
		})
	}
}
