package challenge_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// deskDay is a Monday morning.
var deskDay = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

var deskOperator = directory.Principal{Name: "op", Role: directory.Operator}

// identityOnce makes the instance's keys, which takes a while.
var identityOnce = sync.OnceValues(func() (*mail.Identity, error) {
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it has been read
	return mail.CreateIdentity(mail.IdentityConfig{Dir: dir, Name: "Rollcall of Example", Address: "rollcall@rollcall.example",
		Contact: "https://rollcall.example/about", Host: "mail.rollcall.example", Now: func() time.Time { return deskDay.AddDate(-1, 0, 0) }})
})

// office is a desk with all that stands around it: a real database, a real
// relay over SMTP, and teams that answer.
type office struct {
	*challenge.Desk
	t        *testing.T
	dsn      string
	db       *store.DB
	dir      *directory.Directory
	follower *directory.Follower
	sender   *challenge.Sender
	receiver *challenge.Receiver
	key      *openpgp.Entity // of the team alpha
	team     directory.Team

	mu      sync.Mutex
	now     time.Time
	refuse  func() error
	full    error           // what the store says to all that would write
	seen    func()          // once a sender has seen how its mail stands
	claimed func()          // once a courier has its questions
	box     []mail.Envelope // what the relay took
	aside   []string
	origin  mail.Authentication // of what comes in

	policies     []challenge.Policy // beside those that ship, from the next work on
	rule         string             // the policy of everybody, from the next work on; "" is reaction-test
	listed       bool               // notices ask for what their policies allow, from the next work on
	secretariats []challenge.Secretariat
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func openOffice(t *testing.T, e storetest.Engine) *office {
	t.Helper()
	o := &office{t: t, now: deskDay}
	o.dsn, o.db = e.Open(t)
	var err error
	o.follower, err = directory.NewFollower(directory.FollowerConfig{Store: o.db, Now: o.clock})
	if err == nil {
		err = o.follower.Sync(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	o.dir = must[*directory.Directory](t)(directory.New(directory.Config{Store: o.db, Now: o.clock, Committed: o.follower.Sync}))
	o.key = must[*openpgp.Entity](t)(openpgp.NewEntity("Alpha CSIRT", "", "csirt@alpha.example", &packet.Config{Time: func() time.Time { return deskDay.AddDate(-1, 0, 0) }, Algorithm: packet.PubKeyAlgoEdDSA}))
	var public bytes.Buffer
	w := must[interface {
		Write([]byte) (int, error)
		Close() error
	}](t)(armor.Encode(&public, "PGP PUBLIC KEY BLOCK", nil))
	if err := errors.Join(o.key.Serialize(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	key, _, err := directory.ParseKey(public.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	o.team = must[directory.Team](t)(o.dir.Create(context.Background(), deskOperator, directory.NewTeam{Handle: "alpha", Profile: directory.Profile{
		Names: directory.Names{Short: "ALPHA"}, Languages: []directory.Language{"en"},
		Contacts: []directory.Contact{{Channel: "email", Value: "csirt@alpha.example"}, {Channel: "email", Value: "duty@alpha.example", Order: 1}, {Channel: "phone", Value: "+4315056416"}},
		Keys:     []directory.TeamKey{{Key: key}}}}))
	o.work()
	return o
}

// work sets up the desk, the sender with its relay, and the receiver.
func (o *office) work() {
	t := o.t
	id := must[*mail.Identity](t)(identityOnce())
	policy, _ := challenge.Preset(cmp.Or(o.rule, challenge.PresetReactionTest))
	key := must[challenge.Key](t)(challenge.NewKey(bytes.Repeat([]byte{7}, 32)))
	o.Desk = must[*challenge.Desk](t)(challenge.NewDesk(challenge.DeskConfig{Store: fillable{o.db, o}, Index: o.follower.Index, Key: key, Policies: append([]challenge.Policy{policy}, o.policies...),
		Rules: []challenge.Rule{{Policy: policy.Name}}, Secretariats: o.secretariats, Notices: o.listed, Random: rand.Reader, Now: o.clock}))
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	relay := mail.NewServer(mail.ServerConfig{Host: "relay.example", Accepts: func(string) bool { return true }, Handle: o.taken})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = relay.Serve(ctx, l) }()
	submitter := must[*mail.Submitter](t)(mail.NewSubmitter(mail.Relay{Address: l.Addr().String(), Policy: mail.TLSNone, Helo: "mail.rollcall.example", Now: o.clock}))
	t.Cleanup(func() { _ = submitter.Close(); stop(); <-done })
	composer := must[*mail.Composer](t)(mail.NewComposer(mail.ComposerConfig{Identity: id, Now: o.clock}))
	o.sender = must[*challenge.Sender](t)(challenge.NewSender(challenge.SenderConfig{Desk: o.Desk, Composer: composer, Submit: submitter.Submit, Pages: "https://rollcall.example/answer/"}))
	o.receiver = must[*challenge.Receiver](t)(challenge.NewReceiver(challenge.ReceiverConfig{Desk: o.Desk, Identity: id, Own: id.Key,
		Origin: func(context.Context, mail.Envelope, *mail.Message) mail.Authentication { return o.origin },
		Aside:  func(_ context.Context, _ mail.Envelope, why string) error { o.aside = append(o.aside, why); return nil }}))
}

// fillable is a store on a disk that may be full.
type fillable struct {
	challenge.Store
	o *office
}

func (f fillable) Challenges(ctx context.Context, fn func(challenge.Tx) error) error {
	if f.o.full != nil {
		return f.o.full
	}
	return f.Store.Challenges(ctx, fn)
}

func (f fillable) ClaimMails(ctx context.Context, c challenge.ClaimMails) ([]challenge.OutMail, error) {
	if f.o.full != nil {
		return nil, f.o.full
	}
	if f.o.claimed != nil {
		defer f.o.claimed()
	}
	return f.Store.ClaimMails(ctx, c)
}

func (f fillable) Outgoing(ctx context.Context, m challenge.OutMail) (challenge.Outgoing, error) {
	if f.o.seen != nil {
		defer f.o.seen()
	}
	return f.Store.Outgoing(ctx, m)
}

func (o *office) taken(_ context.Context, env mail.Envelope) error {
	if o.refuse != nil {
		return o.refuse()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.box = append(o.box, env)
	return nil
}

// run fires what is due and sends what is to be sent.
func (o *office) run() {
	o.t.Helper()
	must[int](o.t)(o.Tick(context.Background(), 100))
	must[int](o.t)(o.sender.Send(context.Background(), 100))
}

// ask plans a question and has it sent.
func (o *office) ask(contact int, kind challenge.Kind) challenge.Challenge {
	o.t.Helper()
	c := must[challenge.Challenge](o.t)(o.Ask(context.Background(), challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[contact].ID, Kind: kind}))
	o.run()
	return o.see(c.ID)
}

func (o *office) see(id challenge.ID) challenge.Challenge {
	o.t.Helper()
	return must[challenge.Challenge](o.t)(o.db.Challenge(context.Background(), id))
}

// last is the last mail that the relay took, decrypted where it has to be.
func (o *office) last() (env mail.Envelope, text string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.box) == 0 {
		o.t.Fatal("the relay has no mail")
	}
	env = o.box[len(o.box)-1]
	text = string(env.Raw)
	if i := strings.Index(text, "-----BEGIN PGP MESSAGE-----"); i >= 0 {
		block := must[*armor.Block](o.t)(armor.Decode(strings.NewReader(text[i:])))
		md := must[*openpgp.MessageDetails](o.t)(openpgp.ReadMessage(block.Body, openpgp.EntityList{o.key}, nil, &packet.Config{Time: o.now2}))
		var b bytes.Buffer
		if _, err := b.ReadFrom(md.UnverifiedBody); err != nil {
			o.t.Fatal(err)
		}
		text = b.String()
	}
	return env, strings.ReplaceAll(text, "=\r\n", "")
}

func (o *office) now2() time.Time { return o.now }

var (
	codeInMail  = regexp.MustCompile(`(?m)^ *[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\r?$`)
	linkInMail  = regexp.MustCompile(`https://rollcall\.example/answer/([0-9A-Z]{32})`)
	nonceInMail = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{32}\b`)
	replyInMail = regexp.MustCompile(`(?i)challenge\+[0-9a-z]{32}@rollcall\.example`)
)

// said returns what a mail says that is to be typed.
func (o *office) said() (token, code string) {
	o.t.Helper()
	_, text := o.last()
	link := linkInMail.FindStringSubmatch(text)
	if link == nil {
		o.t.Fatalf("no link in the mail:\n%s", text)
	}
	_, body, _ := strings.Cut(text, "\r\n\r\n") // ids in the header look like codes
	return link[1], strings.TrimSpace(codeInMail.FindString(body))
}

// answers has a mail come in.
func (o *office) answers(from, to, subject, body string, header ...string) challenge.Received {
	o.t.Helper()
	raw := fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d@alpha.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n%s",
		from, to, subject, o.clock().Format(time.RFC1123Z), o.clock().UnixNano(), strings.Join(header, ""), strings.ReplaceAll(body, "\n", "\r\n"))
	got, err := o.receiver.Look(context.Background(), mail.Envelope{From: from, To: []string{to}, Raw: []byte(raw), At: o.clock()})
	if err != nil {
		o.t.Fatal(err)
	}
	return got
}

// signed is a text signed as the team's gpg would.
func (o *office) signed(text string) string {
	o.t.Helper()
	var b bytes.Buffer
	key, ok := o.key.SigningKey(o.clock(), nil)
	if !ok {
		o.t.Fatal("the team's key can't sign")
	}
	w := must[interface {
		Write([]byte) (int, error)
		Close() error
	}](o.t)(clearsign.Encode(&b, key.PrivateKey, &packet.Config{Time: o.clock}))
	_, err := w.Write([]byte(text))
	if err := errors.Join(err, w.Close()); err != nil {
		o.t.Fatal(err)
	}
	return b.String() + "\n"
}

func (o *office) standing(contact int) directory.Standing {
	o.t.Helper()
	team := must[directory.Team](o.t)(o.dir.Team(context.Background(), deskOperator, "alpha"))
	return directory.Assess(team.Contacts[contact], team.Evidence, directory.Policy{}, o.clock())
}

func offices(t *testing.T, test func(*testing.T, *office)) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) { test(t, openOffice(t, e)) })
	}
}

// TestDeskCode: a code from a mail, typed on the page of its link, proves level 2.
func TestDeskCode(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		if c.State != challenge.StateSent || c.Accepted.IsZero() || len(o.box) != 1 || o.box[0].To[0] != "csirt@alpha.example" {
			t.Fatalf("after the relay: %+v, %d mails", c, len(o.box))
		}
		token, code := o.said()
		if err := o.Opened(ctx, token); err != nil {
			t.Fatal(err)
		}
		if c = o.see(c.ID); c.State != challenge.StateSent || c.Opened.IsZero() {
			t.Errorf("looking at the page made it %s", c.State)
		}
		if _, checked, err := o.Type(ctx, token, "0000-0000", challenge.EventCodeRight); err != nil || checked.Result != challenge.Wrong || checked.Left != 4 {
			t.Errorf("a wrong code is %+v, %v", checked, err)
		}
		if _, checked, err := o.Type(ctx, strings.Repeat("0", 32), code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Unknown {
			t.Errorf("a token that is none is %+v, %v", checked, err)
		}
		o.pass(90 * time.Minute)
		c, checked, err := o.Type(ctx, token, strings.ToLower(code), challenge.EventCodeRight)
		if err != nil || checked.Result != challenge.Right || c.State != challenge.StateAnswered {
			t.Fatalf("the code is %+v, %v; the question is %s", checked, err, c.State)
		}
		if s := o.standing(0); s.Level != directory.Answered || s.State != directory.Verified || s.Method != "challenge.code" {
			t.Errorf("the contact stands at %+v", s)
		}
		if _, checked, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Used {
			t.Errorf("the code again is %+v, %v", checked, err)
		}
		team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, "alpha"))
		if n := len(team.Evidence); n > 2 { // delivered, and answered
			t.Errorf("%d items of evidence", n)
		}
		log := must[[]challenge.Logged](t)(o.db.ChallengeLog(ctx, c.ID))
		if len(log) < 5 || log[0].Event.Kind != "planned" {
			t.Errorf("the log has %d lines: %+v", len(log), log)
		}
		if err := o.db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestDeskSigned: a reply that the stored key has signed proves level 3, however
// the ticket system has changed its subject; one by another key proves nothing.
func TestDeskSigned(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindSigned)
		_, text := o.last()
		nonce := ""
		for _, word := range nonceInMail.FindAllString(text, -1) {
			if token, _ := o.said(); word != token {
				nonce = word
			}
		}
		to := replyInMail.FindString(text)
		if nonce == "" || to == "" {
			t.Fatalf("the mail lacks nonce or reply address:\n%s", text)
		}
		o.origin = mail.Authentication{SPF: "pass", DMARC: "pass", Policy: "reject", DKIM: []mail.Signer{{Domain: "alpha.example", Result: "pass"}}} // which proves nothing
		if got := o.answers("csirt@alpha.example", to, "Re: question", "> "+nonce+"\nWe are here.\n"); got.Event != challenge.EventPlainReply || got.Refused != "not-signed" {
			t.Errorf("an unsigned reply is %+v", got)
		}
		own := o.key
		o.key = must[*openpgp.Entity](t)(openpgp.NewEntity("Mallory", "", "csirt@alpha.example", &packet.Config{Time: func() time.Time { return deskDay.AddDate(-1, 0, 0) }, Algorithm: packet.PubKeyAlgoEdDSA}))
		if got := o.answers("csirt@alpha.example", to, "Re: question", o.signed(nonce+"\n")); got.Event == challenge.EventProof || got.Refused != "other-key" {
			t.Errorf("a reply signed by another key is %+v", got)
		}
		if cases := o.open(challenge.CaseOtherKey); len(cases) != 1 || !strings.EqualFold(cases[0].Note, fmt.Sprintf("%x", o.key.PrimaryKey.Fingerprint)) {
			t.Errorf("the operator is told %+v", cases)
		}
		o.key = own
		if got := o.answers("other@alpha.example", to, "Re: question", o.signed(nonce+"\n")); got.Event == challenge.EventProof {
			t.Errorf("a reply from another address is %+v", got)
		}
		if c = o.see(c.ID); c.State.Final() {
			t.Fatalf("the question is %s before it was answered", c.State)
		}
		o.pass(time.Hour)
		o.origin = mail.Authentication{SPF: "fail", DMARC: "fail", Policy: "reject"} // which takes nothing from a proof
		got := o.answers("csirt@alpha.example", "rollcall@rollcall.example", "[CSIRT #4711] AW: ["+c.Subject+"]", o.signed("Our word is "+nonce+"\n"))
		if got.Event != challenge.EventProof || got.By != mail.BySubject {
			t.Fatalf("the signed reply is %+v", got)
		}
		if c = o.see(c.ID); c.State != challenge.StateAnswered {
			t.Errorf("the question is %s", c.State)
		}
		if s := o.standing(0); s.Level != directory.Proven {
			t.Errorf("the contact stands at %+v", s)
		}
		team := must[directory.Team](t)(o.dir.Team(context.Background(), deskOperator, "alpha"))
		if e := team.Evidence[len(team.Evidence)-1]; e.Method != challenge.MethodSigned || e.Note != "spf=fail; dkim=none; dmarc=fail reject" {
			t.Errorf("the evidence: %+v", e)
		}
		var origins, refusals []string
		for _, l := range must[[]challenge.Logged](t)(o.db.ChallengeLog(context.Background(), c.ID)) {
			if l.Event.Origin != nil {
				origins = append(origins, string(l.Event.Kind)+" "+l.Event.Origin.SPF)
			}
		}
		for _, l := range must[[]challenge.Logged](t)(o.db.ChallengeLog(context.Background(), c.ID)) {
			if l.Event.Kind == challenge.EventPlainReply {
				refusals = append(refusals, l.Event.Status)
			}
		}
		if want := []string{"not-signed", "other-key", "from-other"}; !slices.Equal(refusals, want) {
			t.Errorf("the log keeps %q, want %q", refusals, want)
		}
		if want := "plain-reply pass, plain-reply pass, plain-reply pass, proof fail"; strings.Join(origins, ", ") != want {
			t.Errorf("the log has %q, want %q", origins, want)
		}
	})
}

// TestDeskNewKey: nothing is encrypted to a key that has to be proven first, and
// nothing that it signs is accepted.
func TestDeskNewKey(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx, other := context.Background(), must[*openpgp.Entity](t)
		next := other(openpgp.NewEntity("Alpha CSIRT", "", "csirt@alpha.example", &packet.Config{Time: func() time.Time { return deskDay.AddDate(-1, 0, 0) }, Algorithm: packet.PubKeyAlgoEdDSA}))
		var public bytes.Buffer
		if err := next.Serialize(&public); err != nil {
			t.Fatal(err)
		}
		key, _, err := directory.ParseKey(public.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		enter := func(keys ...directory.TeamKey) {
			t.Helper()
			must[directory.Team](t)(o.dir.Edit(ctx, deskOperator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
				own.Keys = keys
				return nil
			}}))
		}
		// Beside the old one, and before it: the old one is used.
		enter(directory.TeamKey{Key: key}, o.team.Keys[0])
		c := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindSigned}))
		if c.Key != string(o.team.Keys[0].Fingerprint) {
			t.Errorf("asked with the key %s, want the old one", c.Key)
		}
		// Alone: nothing that needs a key can be asked.
		enter(directory.TeamKey{Key: key})
		duty := challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[1].ID, Kind: challenge.KindNonce}
		if _, err := o.Ask(ctx, duty); !errors.Is(err, challenge.ErrNotAsked) {
			t.Errorf("asked by a key that has to be proven: %v", err)
		}
		for _, name := range []string{"cli:ann", "cli:ben"} {
			must[directory.Team](t)(o.dir.VouchForKey(ctx, directory.Principal{Name: name, Role: directory.Operator}, "alpha", key.Fingerprint, "called"))
		}
		c = must[challenge.Challenge](t)(o.Ask(ctx, duty))
		if c.Key != string(key.Fingerprint) {
			t.Errorf("asked with the key %s, want the new one", c.Key)
		}
		o.run()
		mails := len(o.box)
		// Refused while the question is open: it proves nothing any more.
		o.pass(time.Minute)
		must[directory.Team](t)(o.dir.RefuseKey(ctx, deskOperator, "alpha", key.Fingerprint, "not theirs"))
		own := o.key
		o.key = next
		_, text := o.last()
		to := replyInMail.FindString(text)
		nonces := nonceInMail.FindAllString(text, -1)
		if mails == 0 || to == "" || len(nonces) == 0 {
			t.Fatalf("no mail with a nonce and a reply address: %d\n%s", mails, text)
		}
		for _, nonce := range nonces {
			if got := o.answers("duty@alpha.example", to, "Re: question", o.signed(nonce+"\n")); got.Event == challenge.EventProof {
				t.Errorf("a reply signed by a refused key is %+v", got)
			}
			if got := o.answers("duty@alpha.example", to, "Re: question", nonce+"\n"); got.Event == challenge.EventProof {
				t.Errorf("what only a refused key opens is %+v", got)
			}
		}
		o.key = own
	})
}
