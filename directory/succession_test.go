package directory_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

func atTime(at time.Time) *packet.Config {
	return &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA512, Time: func() time.Time { return at },
		NonDeterministicSignaturesViaNotation: packet.BoolPointer(false), // which SHA-1 cannot do
	}
}

// owned is a key with its private half.
type owned struct {
	*openpgp.Entity
	t testing.TB
}

func newOwned(t testing.TB, address string) owned {
	t.Helper()
	e, err := openpgp.NewEntity("Team", "", address, atTime(made))
	if err != nil {
		t.Fatal(err)
	}
	return owned{e, t}
}

// packets is the public key as it is, with all signatures.
func (o owned) packets() []byte {
	o.t.Helper()
	var b bytes.Buffer
	if err := o.Serialize(&b); err != nil {
		o.t.Fatal(err)
	}
	return b.Bytes()
}

func (o owned) key() directory.TeamKey {
	o.t.Helper()
	k, _, err := directory.ParseKey(o.packets())
	if err != nil {
		o.t.Fatal(err)
	}
	return directory.TeamKey{Key: k}
}

func (o owned) print() directory.Fingerprint {
	return directory.Fingerprint(fmt.Sprintf("%X", o.PrimaryKey.Fingerprint))
}

// states clear-signs a text.
func (o owned) states(at time.Time, text string) []byte {
	o.t.Helper()
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, o.PrivateKey, atTime(at))
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return b.Bytes()
}

// certifies has the key certify the user ID of another.
func (o owned) certifies(next owned, at time.Time) {
	o.t.Helper()
	for name := range next.Identities {
		if err := next.SignIdentity(name, o.Entity, atTime(at)); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o owned) revoke(reason packet.ReasonForRevocation, at time.Time) {
	o.t.Helper()
	if err := o.Revoke(reason, "", atTime(at)); err != nil {
		o.t.Fatal(err)
	}
}

// wordsOn is a transition statement.
func wordsOn(o owned) string {
	return "Our key has changed. The new one is\n" + o.print().Spaced() + "\nPlease use it.\n"
}

// keys enters the keys of a team.
func (d door) keys(handle string, list ...owned) directory.Team {
	d.t.Helper()
	keys := []directory.TeamKey{}
	for _, o := range list {
		keys = append(keys, o.key())
	}
	t, err := d.Edit(context.Background(), operator, handle, edit(func(p *directory.Profile) { p.Keys = keys }))
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

func (d door) state(handle string, o owned) directory.KeyState {
	d.t.Helper()
	t, err := d.Team(context.Background(), operator, handle)
	if err != nil {
		d.t.Fatal(err)
	}
	return t.KeyState(o.print(), d.clock.at)
}

func (d door) wantState(handle string, o owned, want directory.KeyState) {
	d.t.Helper()
	if got := d.state(handle, o); got != want {
		d.t.Errorf("the key stands as %q, want %q", got, want)
	}
}

// TestKeysThatFollow has keys come beside and in place of others.
func TestKeysThatFollow(t *testing.T) {
	a, b, c := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		start := d.clock.at
		team := d.keys("alpha", a)
		d.wantState("alpha", a, directory.KeyFirst)
		if len(team.Successions) != 0 || len(team.FormerKeys) != 0 {
			t.Errorf("a first key is remembered as %+v, %+v", team.Successions, team.FormerKeys)
		}
		d.clock.at = start.Add(time.Hour)
		team = d.keys("alpha", a, b)
		d.wantState("alpha", a, directory.KeyFirst)
		d.wantState("alpha", b, directory.KeyWaiting)
		s := team.Succession(b.print())
		if s == nil || !s.At.Equal(d.clock.at) || s.By != operator.Name || !slices.Equal(team.Predecessors(b.print()), []directory.Fingerprint{a.print()}) {
			t.Errorf("succession = %+v", s)
		}
		if team.Trusts(b.print(), d.clock.at) || !team.Trusts(a.print(), d.clock.at) || len(team.TrustedKeys(d.clock.at)) != 1 {
			t.Error("the key that waits is relied on, or the other is not")
		}
		if got := team.Keys[1].Continuity; got != directory.ContinuityUnproven {
			t.Errorf("Continuity = %q", got)
		}
		// The wait is over at its last moment, not before; the old key stays first.
		last := d.clock.at.Add(directory.KeyWait)
		if team.Trusts(b.print(), last.Add(-time.Microsecond)) || !team.Trusts(b.print(), last) || team.KeyState(b.print(), last) != directory.KeyUnproven {
			t.Error("the wait does not end after KeyWait")
		}
		team.Keys[0], team.Keys[1] = team.Keys[1], team.Keys[0]
		if got := team.TrustedKeys(last); len(got) != 2 || got[0].Fingerprint != a.print() {
			t.Errorf("trusted keys = %d, want the one that is proven first", len(got))
		}
		// All keys out, then another in: the old one is remembered.
		d.clock.at = start.Add(2 * time.Hour)
		d.keys("alpha")
		team = d.keys("alpha", c)
		d.wantState("alpha", c, directory.KeyWaiting)
		if len(team.FormerKeys) != 1 || team.FormerKeys[0].Fingerprint != a.print() || !team.FormerKeys[0].Left.Equal(d.clock.at) {
			t.Errorf("former keys = %+v, want the one that was relied on", team.FormerKeys)
		}
		if team.Succession(b.print()) != nil {
			t.Error("a key that waited in vain is remembered")
		}
		// One that comes back waits anew; one that was relied on does not.
		d.clock.at = start.Add(directory.KeyWait + 90*time.Minute)
		d.keys("alpha", a, b)
		d.wantState("alpha", a, directory.KeyFirst)
		d.wantState("alpha", b, directory.KeyWaiting)
		// Editing something else changes nothing.
		before, _ := d.Team(context.Background(), operator, "alpha")
		after, err := d.Edit(context.Background(), operator, "alpha", edit(func(p *directory.Profile) { p.Host = "Host" }))
		if err != nil || !after.Succession(b.print()).At.Equal(before.Succession(b.print()).At) {
			t.Errorf("an edit of something else: %+v, %v", after.Successions, err)
		}
	})
}

// TestSentBackKeys: what a team was shown of its keys is not entered.
func TestSentBackKeys(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		d.keys("alpha", a)
		d.keys("alpha", a, b)
		team, err := d.Edit(context.Background(), operator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(now *directory.Team, own *directory.Profile) error {
			own.Keys = slices.Clone(now.Keys)
			own.Host = "Host"
			return nil
		}})
		if err != nil || len(team.Successions) != 1 || len(team.FormerKeys) != 0 {
			t.Fatalf("after the echo: %+v, %v", team.Successions, err)
		}
		d.wantState("alpha", b, directory.KeyWaiting)
		if h, err := d.History(context.Background(), operator, "alpha", 0, 1); err != nil || slices.Contains(h[0].Fields, "keys") {
			t.Errorf("the echo changed %v, %v", h[0].Fields, err)
		}
	})
}

// TestStatements is what counts as the word of an old key, and what does not.
func TestStatements(t *testing.T) {
	later := made.AddDate(1, 0, 0)
	const address = "alpha@example.org"
	swap := func(b []byte, from, to string) []byte {
		if !bytes.Contains(b, []byte(from)) {
			t.Fatalf("no %q to replace", from)
		}
		return bytes.Replace(b, []byte(from), []byte(to), 1)
	}
	for _, tt := range []struct {
		name string
		make func(old, next owned) []byte
		code directory.Code // "" counts
	}{
		{"a statement", func(old, next owned) []byte { return old.states(later, wordsOn(next)) }, ""},
		{"a statement with blanks around it", func(old, next owned) []byte {
			return slices.Concat([]byte("\r\n \n"), old.states(later, wordsOn(next)), []byte("\n\n"))
		}, ""},
		{"digits in one group, behind 0x", func(old, next owned) []byte {
			return old.states(later, "new: 0x"+strings.ToLower(string(next.print()))+".")
		}, ""},
		{"signed by both", func(old, next owned) []byte {
			both := append([]*packet.PrivateKey{}, next.PrivateKey, old.PrivateKey)
			var b bytes.Buffer
			w, err := clearsign.EncodeMulti(&b, both, atTime(later))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(wordsOn(next)))
			_ = w.Close()
			return b.Bytes()
		}, ""},
		{"the old key was superseded later", func(old, next owned) []byte {
			s := old.states(later, wordsOn(next))
			old.revoke(packet.KeySuperseded, later.AddDate(0, 1, 0))
			return s
		}, ""},
		{"nothing", func(old, next owned) []byte { return []byte(" \n") }, "continuity.statement"},
		{"not signed", func(old, next owned) []byte { return []byte(wordsOn(next)) }, "continuity.statement"},
		{"words before it", func(old, next owned) []byte {
			return append([]byte(wordsOn(next)), old.states(later, "Good morning.\n")...)
		}, "continuity.statement"},
		{"words behind it", func(old, next owned) []byte {
			return slices.Concat(old.states(later, "Good morning.\n"), []byte("\n"+wordsOn(next)))
		}, "continuity.statement"},
		{"a second message", func(old, next owned) []byte {
			return slices.Concat(old.states(later, "Good morning.\n"), []byte("\n"), old.states(later, wordsOn(next)))
		}, "continuity.statement"},
		{"a header that nobody signed", func(old, next owned) []byte {
			return swap(old.states(later, "Good morning.\n"), "\nHash: ", "\nComment: "+string(next.print())+"\nHash: ")
		}, "continuity.statement"},
		{"another fingerprint", func(old, next owned) []byte { return old.states(later, wordsOn(old)) }, "continuity.fingerprint"},
		{"a key ID only", func(old, next owned) []byte {
			return old.states(later, "new: 0x"+string(next.print())[24:]+"\n")
		}, "continuity.fingerprint"},
		{"a longer number with the fingerprint in it", func(old, next owned) []byte {
			return old.states(later, "hash: 00"+string(next.print())+"\n")
		}, "continuity.fingerprint"},
		{"signed by the new key", func(old, next owned) []byte { return next.states(later, wordsOn(next)) }, "continuity.signer"},
		{"signed by a stranger", func(old, next owned) []byte {
			return newOwned(t, address).states(later, wordsOn(next))
		}, "continuity.signer"},
		{"changed afterwards", func(old, next owned) []byte {
			return swap(old.states(later, "Please. "+wordsOn(next)), "Please. ", "Pleasf. ")
		}, "continuity.signer"},
		{"dated in the future", func(old, next owned) []byte { return old.states(now.AddDate(0, 0, 2), wordsOn(next)) }, "continuity.signer"},
		{"older than the new key", func(old, next owned) []byte {
			next.PrimaryKey.CreationTime = later // told apart by the caller's key
			return old.states(later.AddDate(0, 0, -1), wordsOn(next))
		}, "continuity.time"},
		{"the old key was superseded before", func(old, next owned) []byte {
			old.revoke(packet.KeySuperseded, later.AddDate(0, -1, 0))
			return old.states(later, wordsOn(next))
		}, "continuity.signer"},
		{"the old key was compromised later", func(old, next owned) []byte {
			s := old.states(later, wordsOn(next))
			old.revoke(packet.KeyCompromised, later.AddDate(1, 0, 0))
			return s
		}, "continuity.compromised"},
		{"the old key was superseded, and then compromised", func(old, next owned) []byte {
			s := old.states(later, wordsOn(next))
			old.revoke(packet.KeySuperseded, later.AddDate(0, 6, 0))
			old.revoke(packet.KeyCompromised, later.AddDate(1, 0, 0))
			return s
		}, "continuity.compromised"},
		{"too long", func(old, next owned) []byte {
			return old.states(later, wordsOn(next)+strings.Repeat("so long\n", 9<<10))
		}, "continuity.statement"},
		{"no end", func(old, next owned) []byte {
			s := old.states(later, wordsOn(next))
			return s[:len(s)-60]
		}, "continuity.statement"},
		{"a certification", func(old, next owned) []byte {
			old.certifies(next, later)
			return next.packets()
		}, ""},
		{"a certification, in armour", func(old, next owned) []byte {
			old.certifies(next, later)
			return []byte(armored(t, openpgp.PublicKeyType, next.packets()))
		}, ""},
		{"a certification after 70 of strangers", func(old, next owned) []byte {
			stranger := newOwned(t, "stranger@example.net")
			for range 70 {
				stranger.certifies(next, later)
			}
			old.certifies(next, later)
			return next.packets()
		}, ""},
		{"a certification over SHA-1", func(old, next owned) []byte {
			old.certifies(next, later)
			for name, id := range next.Identities {
				c := id.OtherCertifications[0].Packet
				c.Hash = crypto.SHA1
				if err := c.SignUserId(name, next.PrimaryKey, old.PrivateKey, atTime(later)); err != nil {
					t.Fatal(err)
				}
			}
			return next.packets()
		}, "continuity.signer"},
		{"no certification", func(old, next owned) []byte { return next.packets() }, "continuity.signer"},
		{"a certification of another key", func(old, next owned) []byte {
			other := newOwned(t, address)
			old.certifies(other, later)
			return other.packets()
		}, "continuity.fingerprint"},
		{"a certification by a stranger", func(old, next owned) []byte {
			newOwned(t, address).certifies(next, later)
			return next.packets()
		}, "continuity.signer"},
		{"a certification of a key of somebody else", func(old, next owned) []byte {
			var own string
			for own = range next.Identities {
			}
			if err := next.AddUserId("Other", "", "other@example.net", atTime(made)); err != nil {
				t.Fatal(err)
			}
			for name := range next.Identities {
				if name != own {
					if err := next.SignIdentity(name, old.Entity, atTime(later)); err != nil {
						t.Fatal(err)
					}
				}
			}
			return next.packets()
		}, "continuity.signer"},
		{"a certification by a key that was compromised later", func(old, next owned) []byte {
			old.certifies(next, later)
			old.revoke(packet.KeyCompromised, later.AddDate(1, 0, 0))
			return next.packets()
		}, "continuity.compromised"},
		{"a certification in the future", func(old, next owned) []byte {
			old.certifies(next, now.AddDate(0, 0, 2))
			return next.packets()
		}, "continuity.signer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, next := newOwned(t, address), newOwned(t, address)
			known := next.key()
			data := tt.make(old, next)
			known.Created = next.PrimaryKey.CreationTime
			got, err := directory.ProveByStatement(known.Fingerprint, &known.Key, []directory.TeamKey{newOwned(t, address).key(), old.key()}, data, now)
			problems := directory.ProblemsOf(err)
			switch {
			case tt.code == "" && (err != nil || got.Old != old.print() || !got.Signed.Equal(later) || !got.At.Equal(now)):
				t.Errorf("proof = %+v, %v", got, err)
			case tt.code != "" && (len(problems) != 1 || problems[0].Code != tt.code):
				t.Errorf("proof = %+v, %v; want %s", got, err, tt.code)
			}
		})
	}
}

// TestStateKey proves a key by the old one, which is not there any more.
func TestStateKey(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	statement := a.states(made.AddDate(1, 0, 0), wordsOn(b))
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		editor := directory.Principal{Name: "token:e", Role: directory.Editor, Team: team.ID}
		_, err := d.StateKey(ctx, editor, "alpha", b.print(), statement)
		wantCode(t, err, directory.NotFound, "continuity.unknown", "")
		d.keys("alpha", a)
		_, err = d.StateKey(ctx, editor, "alpha", a.print(), statement)
		wantCode(t, err, directory.Conflict, "continuity.first", "")
		d.keys("alpha", b)
		d.wantState("alpha", b, directory.KeyWaiting)
		_, err = d.StateKey(ctx, editor, "alpha", b.print(), []byte("hello"))
		wantCode(t, err, directory.Invalid, "continuity.statement", "/statement")
		_, err = d.StateKey(ctx, directory.Principal{Name: "x", Role: directory.Consumer}, "alpha", b.print(), statement)
		wantCode(t, err, directory.Forbidden, "auth.role", "")
		was := d.head()
		team, err = d.StateKey(ctx, editor, "alpha", b.print(), statement)
		if err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", b, directory.KeyProven)
		got := team.GroundsFor(b.print())
		if len(got) != 1 || got[0].Ground != directory.KeyStated || got[0].By != "token:e" || got[0].Old != a.print() || !strings.Contains(got[0].Note, b.print().Spaced()) {
			t.Errorf("grounds = %+v", got)
		}
		if _, err := d.StateKey(ctx, editor, "alpha", b.print(), statement); err != nil || d.head() != was+1 {
			t.Errorf("the same again: %v, %d changes; want one", err, d.head()-was)
		}
		audit, err := d.Audit(ctx, operator, directory.AuditFilter{Limit: 1})
		if err != nil || audit[0].Actor != "token:e" || audit[0].Action != "hand in statement about key" || !strings.HasPrefix(audit[0].Detail, string(b.print())+" stated by "+string(a.print())) {
			t.Errorf("audit = %+v, %v", audit, err)
		}
		// The old key turns out to be compromised: its word counts no more.
		a.revoke(packet.KeyCompromised, now)
		if n, err := d.MergeRevocations(ctx, operator, "alpha", a.print(), a.packets()); err != nil || n != 1 {
			t.Fatalf("MergeRevocations = %d, %v", n, err)
		}
		d.wantState("alpha", b, directory.KeyWaiting)
		// And so it is when it comes back from an old copy.
		a.Revocations = nil
		d.keys("alpha", a, b)
		d.wantState("alpha", b, directory.KeyWaiting)
	})
}

// TestVouchForKey has two operators confirm a key, one of them twice.
func TestVouchForKey(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	ann, ben := directory.Principal{Name: "cli:ann", Role: directory.Operator}, directory.Principal{Name: "cli:ben", Role: directory.Operator}
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		editor := directory.Principal{Name: "token:e", Role: directory.Editor, Team: team.ID}
		d.keys("alpha", a)
		d.keys("alpha", a, b)
		vouch := func(p directory.Principal, note string) error {
			d.clock.at = d.clock.at.Add(time.Minute)
			_, err := d.VouchForKey(ctx, p, "alpha", b.print(), note)
			return err
		}
		wantCode(t, vouch(editor, "it is ours"), directory.Forbidden, "auth.role", "")
		wantCode(t, vouch(ann, " "), directory.Invalid, "continuity.note", "/note")
		wantCode(t, vouch(ann, strings.Repeat("x", 501)), directory.Invalid, "text.too-long", "/note")
		_, err := d.VouchForKey(ctx, ann, "alpha", "ABCD", "called")
		wantCode(t, err, directory.Invalid, "key.fingerprint-malformed", "/fingerprint")
		if err := vouch(ann, "called the number of 2019"); err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", b, directory.KeyWaiting)
		wantCode(t, vouch(ann, "called again"), directory.Conflict, "continuity.vouched", "")
		wantCode(t, vouch(directory.Principal{Name: "CLI:ANN", Role: directory.Operator}, "called again"), directory.Conflict, "continuity.vouched", "")
		if err := vouch(ben, "met them"); err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", b, directory.KeyProven)
		// Somebody of the team knows better: from then on it takes two again.
		d.clock.at = d.clock.at.Add(time.Minute)
		if _, err := d.RefuseKey(ctx, editor, "alpha", b.print(), "nobody here made it"); err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", b, directory.KeyRefused)
		_, err = d.RefuseKey(ctx, editor, "alpha", b.print(), "nobody here made it")
		wantCode(t, err, directory.Conflict, "continuity.refused", "")
		_, err = d.RefuseKey(ctx, editor, "alpha", a.print(), "nobody here made it")
		wantCode(t, err, directory.Conflict, "continuity.first", "")
		_, err = d.StateKey(ctx, editor, "alpha", b.print(), a.states(made, wordsOn(b)))
		wantCode(t, err, directory.Conflict, "continuity.refused", "")
		d.clock.at = d.clock.at.Add(2 * directory.KeyWait)
		d.wantState("alpha", b, directory.KeyRefused)
		if err := vouch(ann, "they were wrong"); err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", b, directory.KeyRefused)
		if err := vouch(ben, "they were wrong"); err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", b, directory.KeyProven)
		// To take it out and back does not make a refused key another one.
		if _, err := d.RefuseKey(ctx, ann, "alpha", b.print(), "no"); err != nil {
			t.Fatal(err)
		}
		d.keys("alpha", a)
		d.keys("alpha", a, b)
		d.wantState("alpha", b, directory.KeyRefused)
	})
}

// TestVouchedBefore: operators may speak for a key before it is entered.
func TestVouchedBefore(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		d.keys("alpha", a)
		for _, name := range []string{"cli:ann", "cli:ben"} {
			if _, err := d.VouchForKey(ctx, directory.Principal{Name: name, Role: directory.Operator}, "alpha", b.print(), "called"); err != nil {
				t.Fatal(err)
			}
		}
		d.keys("alpha", b)
		d.wantState("alpha", b, directory.KeyProven)
		// A first key needs nobody's word, and one word does not make it wait.
		d.create("beta")
		if _, err := d.VouchForKey(ctx, operator, "beta", b.print(), "called"); err != nil {
			t.Fatal(err)
		}
		d.keys("beta", b)
		d.wantState("beta", b, directory.KeyFirst)
	})
}

// TestSightKey proves a key by where checks find it.
func TestSightKey(t *testing.T) {
	a, b := newOwned(t, "old@example.org"), newOwned(t, "alpha@example.org")
	checker := directory.Principal{Name: "check.pgpkey-contact", Role: directory.Operator}
	both := []directory.Word{"wkd", "securitytxt"}
	for _, tt := range []struct {
		name     string
		address  directory.Email
		channels []directory.Word
		copy     func() []byte
		later    time.Duration
		ground   directory.KeyGround // "": nothing
	}{
		{name: "two channels, an address of the old key", address: "old@example.org", channels: both, ground: directory.KeyChannels},
		{name: "two channels, an address for long", address: "alpha@example.org", channels: both, later: directory.KeyWait, ground: directory.KeyChannels},
		{name: "two channels, an address not long enough", address: "alpha@example.org", channels: both, later: directory.KeyWait - time.Hour},
		{name: "two channels, an address of nobody", address: "evil@example.net", channels: both, later: directory.KeyWait},
		{name: "one channel", address: "old@example.org", channels: both[:1]},
		{name: "a copy without a certification", address: "old@example.org", copy: b.packets},
		{name: "a copy with one", address: "alpha@example.org", copy: func() []byte {
			c := newOwned(t, "old@example.org")
			a.certifies(c, made.AddDate(1, 0, 0))
			return c.packets()
		}},
		{name: "a statement is no copy", address: "old@example.org", copy: func() []byte { return a.states(made.AddDate(1, 0, 0), wordsOn(b)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, d door) {
				d.create("alpha")
				d.keys("alpha", a)
				d.keys("alpha", a, b)
				d.clock.at = d.clock.at.Add(tt.later)
				was, before := d.head(), d.state("alpha", b)
				x := directory.KeySighting{Fingerprint: b.print(), Address: tt.address, Channels: tt.channels}
				if tt.copy != nil {
					x.Copy = tt.copy()
				}
				news, err := d.SightKey(context.Background(), checker, "alpha", x)
				if err != nil || news != (tt.ground != "") {
					t.Fatalf("SightKey = %v, %v", news, err)
				}
				if tt.ground == "" {
					d.wantState("alpha", b, before)
					if d.head() != was {
						t.Error("nothing new wrote something")
					}
					return
				}
				d.wantState("alpha", b, directory.KeyProven)
				if again, err := d.SightKey(context.Background(), checker, "alpha", x); err != nil || again {
					t.Errorf("once more: %v, %v", again, err)
				}
			})
		})
	}
}

// TestImportedKeys: an import leaves the team's own key, and what it brings in
// place of its own has to be proven.
func TestImportedKeys(t *testing.T) {
	a, b, c := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		s := source("alpha")
		bring := func(o ...owned) {
			t.Helper()
			d.clock.at = d.clock.at.Add(time.Hour)
			s.Profile.Keys = nil
			for _, k := range o {
				s.Profile.Keys = append(s.Profile.Keys, k.key())
			}
			if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
				t.Fatal(err)
			}
		}
		bring(a)
		d.wantState("alpha", a, directory.KeyFirst)
		bring(b)
		d.wantState("alpha", b, directory.KeyWaiting)
		team, _ := d.Team(ctx, operator, "alpha")
		if s := team.Succession(b.print()); s.By != "import src" || !slices.Equal(s.Old, []directory.Fingerprint{a.print()}) {
			t.Errorf("succession = %+v", s)
		}
		bring(a)
		d.wantState("alpha", a, directory.KeyFirst)
		d.keys("alpha", a)
		bring(b, c)
		team, _ = d.Team(ctx, operator, "alpha")
		if len(team.Keys) != 1 || team.Keys[0].Fingerprint != a.print() {
			t.Errorf("an import took the place of the team's own key: %+v", team.Keys)
		}
		d.wantState("alpha", a, directory.KeyFirst)
	})
}

// TestMergedKeys: the keys of a team that becomes part of another are proven there,
// unless that has none.
func TestMergedKeys(t *testing.T) {
	a, b, c := newOwned(t, "alpha@example.org"), newOwned(t, "beta@example.org"), newOwned(t, "beta@example.org")
	ann := directory.Principal{Name: "cli:ann", Role: directory.Operator}
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		imported := func(handle string, o ...owned) {
			s := source(handle)
			for _, k := range o {
				s.Profile.Keys = append(s.Profile.Keys, k.key())
			}
			if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
				t.Fatal(err)
			}
		}
		merge := func(from, into string) {
			t.Helper()
			d.clock.at = d.clock.at.Add(time.Hour)
			if _, err := d.Merge(ctx, operator, from, into, directory.AnyRevision); err != nil {
				t.Fatal(err)
			}
		}
		imported("alpha", a)
		imported("beta", b)
		imported("beta", b, c)
		imported("gamma")
		for _, p := range []directory.Principal{ann, operator} {
			d.clock.at = d.clock.at.Add(time.Hour)
			if _, err := d.VouchForKey(ctx, p, "beta", c.print(), "called"); err != nil {
				t.Fatal(err)
			}
		}
		d.wantState("beta", c, directory.KeyProven)
		merge("beta", "alpha")
		d.wantState("alpha", a, directory.KeyFirst)
		d.wantState("alpha", b, directory.KeyWaiting)
		d.wantState("alpha", c, directory.KeyProven) // people's word goes along
		if _, err := d.Unmerge(ctx, operator, "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		d.wantState("alpha", a, directory.KeyFirst)
		d.wantState("beta", b, directory.KeyFirst)
		d.wantState("beta", c, directory.KeyProven)
		if team, _ := d.Team(ctx, operator, "alpha"); len(team.FormerKeys) != 0 {
			t.Errorf("former keys after a merge was undone: %+v", team.FormerKeys)
		}
		// A team without keys does not make those of another proven.
		if _, err := d.RefuseKey(ctx, ann, "beta", c.print(), "wrong"); err != nil {
			t.Fatal(err)
		}
		merge("beta", "gamma")
		d.wantState("gamma", b, directory.KeyFirst)
		d.wantState("gamma", c, directory.KeyRefused)
		if _, err := d.Unmerge(ctx, operator, "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		d.keys("gamma", a)
		d.wantState("gamma", a, directory.KeyFirst)
		d.wantState("beta", c, directory.KeyRefused)
	})
}

// TestRecordsOfBefore: keys of a record that knows nothing of successions stay.
func TestRecordsOfBefore(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	r := directory.Record{Own: directory.Profile{Keys: []directory.TeamKey{a.key(), b.key()}}}
	team := r.Team()
	for _, o := range []owned{a, b} {
		if !team.Trusts(o.print(), now) || team.KeyState(o.print(), now) != directory.KeyFirst || len(team.Predecessors(o.print())) != 0 {
			t.Errorf("a key of before stands as %s", team.KeyState(o.print(), now))
		}
	}
	if team.KeyState(newOwned(t, "x@example.org").print(), now) != "" {
		t.Error("a key that the team does not have stands as something")
	}
}

// TestKeysThatProveEachOther: two keys of which each was certified by the other
// prove nothing, and a chain that is broken breaks.
func TestKeysThatProveEachOther(t *testing.T) {
	a, b, c := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	by := func(o, old owned) directory.Succession {
		return directory.Succession{Fingerprint: o.print(), At: now, Proofs: []directory.KeyProof{{Ground: directory.KeyCertified, By: "x", At: now, Old: old.print()}}}
	}
	state := func(r directory.Record, o owned) directory.KeyState {
		team := r.Team()
		return team.KeyState(o.print(), now)
	}
	r := directory.Record{Own: directory.Profile{Keys: []directory.TeamKey{a.key(), b.key(), c.key()}}, Successions: []directory.Succession{by(b, c), by(c, b)}}
	if got := state(r, b) + state(r, c); got != directory.KeyWaiting+directory.KeyWaiting {
		t.Errorf("keys that certify each other stand as %s", got)
	}
	r.Successions = []directory.Succession{by(c, b), by(b, a)}
	if got := state(r, b) + state(r, c); got != directory.KeyProven+directory.KeyProven {
		t.Errorf("a chain from the first key stands as %s", got)
	}
	mutual := by(b, c)
	mutual.Proofs = append(mutual.Proofs, directory.KeyProof{Ground: directory.KeyChannels, By: "x", At: now, Channels: []directory.Word{"vks", "wkd"}})
	r.Successions = []directory.Succession{mutual, by(c, b)}
	if got := state(r, b) + state(r, c); got != directory.KeyProven+directory.KeyProven {
		t.Errorf("keys of which one is proven otherwise stand as %s", got)
	}
	r.Successions = []directory.Succession{by(c, b), by(b, a)}
	r.Successions[1].Refused = now
	if got := state(r, b) + state(r, c); got != directory.KeyRefused+directory.KeyWaiting {
		t.Errorf("a chain with a refused key in it stands as %s", got)
	}
}

// TestManyKeys keeps what is remembered bounded, and never forgets all.
func TestManyKeys(t *testing.T) {
	first := newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		d.keys("alpha", first)
		d.keys("alpha")
		for i := range 40 {
			f := directory.Fingerprint(fmt.Sprintf("%040X", i+1))
			if _, err := d.VouchForKey(ctx, operator, "alpha", f, "called"); err != nil {
				t.Fatal(err)
			}
		}
		team, _ := d.Team(ctx, operator, "alpha")
		if n := len(team.Successions); n != 32 || team.Succession(directory.Fingerprint(fmt.Sprintf("%040X", 40))) == nil {
			t.Errorf("%d keys that the team does not have are remembered, want the last 32", n)
		}
		for i := range 12 {
			k := first.key()
			k.Fingerprint = directory.Fingerprint(fmt.Sprintf("%040X", 1000+i))
			if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Keys = []directory.TeamKey{k} })); err != nil {
				t.Fatal(err)
			}
		}
		team, _ = d.Team(ctx, operator, "alpha")
		if len(team.FormerKeys) != 1 || team.FormerKeys[0].Fingerprint != first.print() {
			t.Errorf("keys that nobody relied on pushed the old one out: %+v", team.FormerKeys)
		}
	})
}

// TestEnoughWords: of one key a few words are kept.
func TestEnoughWords(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		d.keys("alpha", a)
		d.keys("alpha", a, b)
		for i := range 17 {
			_, err := d.VouchForKey(context.Background(), directory.Principal{Name: fmt.Sprint("cli:", i), Role: directory.Operator}, "alpha", b.print(), "called")
			if i < 16 && err != nil {
				t.Fatal(err)
			}
			if i == 16 {
				wantCode(t, err, directory.Conflict, "continuity.full", "")
			}
		}
	})
}

// TestHiddenKeysStayHidden: nobody learns of a key, or of who said what, by how
// another came.
func TestHiddenKeysStayHidden(t *testing.T) {
	a, b := newOwned(t, "alpha@example.org"), newOwned(t, "alpha@example.org")
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		hidden := a.key()
		hidden.Visibility = directory.Red
		for _, keys := range [][]directory.TeamKey{{hidden}, {b.key()}} {
			if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Keys = keys })); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.StateKey(ctx, operator, "alpha", b.print(), a.states(made.AddDate(1, 0, 0), wordsOn(b))); err != nil {
			t.Fatal(err)
		}
		seen, err := d.Team(ctx, directory.Nobody(), "alpha")
		if err != nil || len(seen.FormerKeys) != 0 || seen.KeyState(b.print(), now) != directory.KeyProven {
			t.Fatalf("anybody sees %+v, %v", seen.FormerKeys, err)
		}
		s := seen.Succession(b.print())
		if s == nil || len(s.Old) != 0 || s.By != "" || s.Proofs[0].By != "" || s.Proofs[0].Old != "" || s.Proofs[0].Note != "" {
			t.Errorf("anybody sees %+v", s)
		}
		own, err := d.Team(ctx, directory.Principal{Name: "e", Role: directory.Editor, Team: team.ID}, "alpha")
		if err != nil || own.Succession(b.print()).Proofs[0].By != operator.Name || len(own.FormerKeys) != 1 {
			t.Errorf("the team sees %+v, %v", own.Successions, err)
		}
	})
}
