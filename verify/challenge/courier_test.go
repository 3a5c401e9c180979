package challenge_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// post is what one endpoint got.
type post struct {
	url, event, delivery, signature string
	body                            []byte
}

// endpoints is all that a courier posts to, beside an office.
type endpoints struct {
	*office
	courier *challenge.Courier
	mu      sync.Mutex
	got     []post
	answer  func(p post) (*verify.Exchange, error) // nil: 204
}

// status is an answer of an endpoint.
func status(n int, f *verify.Failure) (*verify.Exchange, error) {
	return &verify.Exchange{Hops: []verify.Hop{{Status: n}}, Failure: f}, nil
}

func (w *endpoints) post(_ context.Context, p verify.Post) (*verify.Exchange, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := post{p.URL, p.Header["Rollcall-Event"], p.Header["Rollcall-Delivery"], p.Header[challenge.SignatureHeader], slices.Clone(p.Body)}
	w.got = append(w.got, one)
	if w.answer != nil {
		return w.answer(one)
	}
	return status(204, nil)
}

// couriers runs a test on both engines, with a courier beside the office.
func couriers(t *testing.T, test func(*testing.T, *endpoints)) {
	offices(t, func(t *testing.T, o *office) {
		w := &endpoints{office: o}
		w.courier = must[*challenge.Courier](t)(challenge.NewCourier(challenge.CourierConfig{Desk: o.Desk, Post: w.post, Answer: "https://rollcall.example/v1/webhook-answers", Name: "test"}))
		test(t, w)
		if err := o.db.Check(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// deliver posts what is due until nothing is, and returns what was posted.
func (w *endpoints) deliver() []post {
	w.t.Helper()
	w.mu.Lock()
	from := len(w.got)
	w.mu.Unlock()
	for must[int](w.t)(w.courier.Deliver(context.Background(), 10)) > 0 {
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got[from:])
}

func (w *endpoints) hook(terms challenge.HookTerms) (challenge.Hook, string) {
	w.t.Helper()
	terms.Active = true
	h, secret, err := w.AddHook(context.Background(), deskOperator, terms)
	if err != nil {
		w.t.Fatal(err)
	}
	return h, secret
}

// happens makes n questions go out and be stopped: 2n notices. None is asked twice, which
// limits would be against.
func (w *endpoints) happens(n int) {
	w.t.Helper()
	for range n {
		w.edit(func(p *directory.Profile) {
			p.Contacts = append(p.Contacts, directory.Contact{Channel: "phone", Value: fmt.Sprintf("+4315056%03d", len(p.Contacts))})
		})
		team := must[directory.Team](w.t)(w.dir.Team(context.Background(), deskOperator, "alpha"))
		c := must[challenge.Challenge](w.t)(w.Ask(context.Background(), challenge.Ask{Team: team.ID, Contact: team.Contacts[len(team.Contacts)-1].ID, Kind: challenge.KindPhone}))
		w.run()
		must[challenge.Challenge](w.t)(w.Stop(context.Background(), deskOperator, c.ID, ""))
	}
}

func (w *endpoints) state(h challenge.Hook) (challenge.Hook, []challenge.Delivery) {
	w.t.Helper()
	ctx := context.Background()
	return must[challenge.Hook](w.t)(w.db.Hook(ctx, h.ID)), must[[]challenge.Delivery](w.t)(w.db.Deliveries(ctx, h.ID, 0, 100))
}

func believed(p post, secret string, now time.Time) bool {
	return challenge.VerifyAnswer(challenge.AnswerKey{Scheme: challenge.SchemeHMAC, Key: []byte(secret)}, p.signature, p.body, now) == nil
}

// TestCourier: each change of state is posted once to whoever asked for it, signed, in order, as it is in the list of events.
func TestCourier(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		own, secret := w.hook(challenge.HookTerms{Team: w.team.ID, URL: "https://own.example/"})
		_, closed := w.hook(challenge.HookTerms{URL: "https://all.example/", Types: []string{"challenge.closed"}})
		other := must[directory.Team](t)(w.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{Names: directory.Names{Short: "BETA"}}}))
		w.hook(challenge.HookTerms{Team: other.ID, URL: "https://beta.example/"})
		w.happens(2)
		got := w.deliver()
		events := must[[]challenge.Notice](t)(w.Notices(ctx, deskOperator, challenge.NoticeFilter{Team: w.team.ID, Limit: 10}))
		var mine []post
		for _, p := range got {
			switch p.url {
			case "https://own.example/":
				mine = append(mine, p)
			case "https://all.example/":
				if p.event != "challenge.closed" || !believed(p, closed, w.clock()) || believed(p, secret, w.clock()) {
					t.Errorf("the other endpoint got %+v", p)
				}
			default:
				t.Errorf("%s got what it did not ask for", p.url)
			}
		}
		if len(events) != 4 || len(mine) != 4 || len(got) != 6 {
			t.Fatalf("%d events, %d of %d posts to the team", len(events), len(mine), len(got))
		}
		for i, p := range mine {
			want, _ := json.Marshal(events[i])
			if string(p.body) != string(want) || events[i].Number != int64(i+1) || p.delivery != fmt.Sprintf("%s-%d", own.ID, i+1) || p.event != events[i].Type || !believed(p, secret, w.clock()) {
				t.Errorf("post %d is %s %s %s, want %s", i, p.event, p.delivery, p.body, want)
			}
			if strings.Contains(string(p.body), "+4315056416") {
				t.Errorf("an address: %s", p.body)
			}
		}
		if again := w.deliver(); len(again) != 0 {
			t.Errorf("posted again: %+v", again)
		}
		if _, list := w.state(own); len(list) != 4 || list[0].N != 4 || list[0].State != challenge.DeliveryDone || list[0].Status != 204 || list[0].Attempt != 1 {
			t.Errorf("deliveries: %+v", list)
		}
	})
}

// TestCourierCrash: a process that ends between the endpoint's word and the note of it has posted what nobody knows of. It is posted again as the same.
func TestCourierCrash(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		w.hook(challenge.HookTerms{URL: "https://own.example/"})
		w.happens(1)
		dying, stop := context.WithCancel(context.Background())
		w.answer = func(post) (*verify.Exchange, error) { stop(); return nil, context.Canceled } // who took it
		if _, err := w.courier.Deliver(dying, 10); err == nil {
			t.Fatal("the process did not end")
		}
		w.answer = nil
		first := w.got[0]
		if got := w.deliver(); len(got) != 0 {
			t.Fatalf("the lease of the process that ended was not waited for: %+v", got)
		}
		w.pass(6 * time.Minute)
		got := w.deliver()
		if len(got) != 2 || got[0].delivery != first.delivery || string(got[0].body) != string(first.body) || got[1].delivery == first.delivery {
			t.Errorf("after the crash: %+v", got)
		}
	})
}

// TestCourierEnds: what an endpoint is taking when the process is to end is not cut off, and is
// noted, so that nobody posts it again.
func TestCourierEnds(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		h, _ := w.hook(challenge.HookTerms{URL: "https://all.example/"})
		w.happens(1)
		ctx, stop := context.WithCancel(context.Background())
		dying := must[*challenge.Courier](t)(challenge.NewCourier(challenge.CourierConfig{Desk: w.Desk, Answer: "https://rollcall.example/v1/webhook-answers", Post: func(ctx context.Context, p verify.Post) (*verify.Exchange, error) {
			stop()
			if err := ctx.Err(); err != nil {
				t.Error("the POST was cut off:", err)
			}
			return w.post(ctx, p)
		}}))
		if _, err := dying.Deliver(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if _, list := w.state(h); list[len(list)-1].State != challenge.DeliveryDone {
			t.Errorf("what the endpoint took is noted as %+v", list[len(list)-1])
		}
		first := w.got[0].delivery
		w.pass(time.Hour)
		for _, p := range w.deliver() {
			if p.delivery == first {
				t.Errorf("%s was posted again", first)
			}
		}
	})
}

// TestCourierOrder: what follows waits for what went before, and others do not; trouble of ours is not held against an endpoint.
func TestCourierOrder(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		bad, _ := w.hook(challenge.HookTerms{URL: "https://bad.example/"})
		w.hook(challenge.HookTerms{URL: "https://good.example/"})
		answers := []func() (*verify.Exchange, error){
			func() (*verify.Exchange, error) {
				return status(500, &verify.Failure{Code: verify.FetchServerError, Temporary: true})
			},
			func() (*verify.Exchange, error) { return status(404, nil) },
			func() (*verify.Exchange, error) {
				return status(429, &verify.Failure{Code: verify.FetchThrottled, Retry: time.Hour})
			},
			func() (*verify.Exchange, error) { return status(307, &verify.Failure{Code: verify.FetchRedirects}) },
			func() (*verify.Exchange, error) { return nil, &verify.Trouble{Code: verify.CodeInternal, Ours: true} },
			func() (*verify.Exchange, error) { return status(204, nil) },
		}
		waits := []time.Duration{time.Minute, 2 * time.Minute, time.Hour, 8 * time.Minute, 16 * time.Minute}
		problems := []string{"fetch.server-error", "fetch.status", "fetch.throttled", "fetch.too-many-redirects", "check.internal"}
		tries := 0
		w.answer = func(p post) (*verify.Exchange, error) {
			if p.url != "https://bad.example/" || tries >= len(answers) {
				return status(204, nil)
			}
			tries++
			return answers[tries-1]()
		}
		w.happens(2)
		if got := w.deliver(); len(got) != 5 {
			t.Fatalf("%d posts, want one that fails and four", len(got))
		}
		for i, wait := range waits {
			_, list := w.state(bad)
			last := list[len(list)-1]
			if last.Problem != problems[i] || last.State != challenge.DeliveryWaiting || !last.Due.Equal(w.clock().Add(wait)) || list[0].Attempt != 0 {
				t.Errorf("after try %d: %+v, due in %v, want %s in %v", i+1, last, last.Due.Sub(w.clock()), problems[i], wait)
			}
			w.pass(wait - time.Second)
			if got := w.deliver(); len(got) != 0 {
				t.Errorf("try %d came too early", i+2)
			}
			w.pass(time.Second)
			if got := w.deliver(); i < len(waits)-1 && len(got) != 1 || i == len(waits)-1 && len(got) != 4 {
				t.Errorf("try %d: %d posts", i+2, len(got))
			}
		}
		for i := range 4 {
			if want := fmt.Sprintf("-%d", i+1); !strings.HasSuffix(w.got[len(w.got)-4+i].delivery, want) {
				t.Errorf("out of order: %s", w.got[len(w.got)-4+i].delivery)
			}
		}
		if err := w.dir.PauseChecks(ctx, deskOperator, directory.PauseOfChallenges, false, "test"); err != nil {
			t.Fatal(err)
		}
		must[challenge.Notice](t)(w.Ping(ctx, deskOperator, bad.ID))
		if got := w.deliver(); len(got) != 0 {
			t.Errorf("posted while the kill switch is on: %+v", got)
		}
		must[int](t)(w.dir.ResumeChecks(ctx, deskOperator, directory.PauseOfChallenges, directory.HeldNone))
		if got := w.deliver(); len(got) != 1 || got[0].event != "ping" {
			t.Errorf("after it was lifted: %+v", got)
		}
	})
}

// TestCourierGivesUp: after three days a notice is given up; after three in a row, or at 410 Gone, its hook is switched off, for a reason that is told.
func TestCourierGivesUp(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		h, _ := w.hook(challenge.HookTerms{URL: "https://bad.example/?token=private"})
		w.answer = func(post) (*verify.Exchange, error) {
			return status(0, &verify.Failure{Code: verify.FetchAddress})
		}
		w.happens(3)
		days := 0.0
		for ; days < 20; days += 3.0 / 24 {
			w.deliver()
			if now, _ := w.state(h); !now.Active {
				break
			}
			w.pass(3 * time.Hour)
		}
		now, list := w.state(h)
		count := map[challenge.DeliveryState]int{}
		for _, d := range list {
			count[d.State]++
		}
		if now.Active || !strings.Contains(now.Off, "fetch.address-refused") || days < 9 || days > 10 ||
			!maps.Equal(count, map[challenge.DeliveryState]int{challenge.DeliveryGivenUp: 3, challenge.DeliveryDropped: 3}) {
			t.Errorf("after %.1f days: %+v, %v", days, now, count)
		}
		w.happens(1)
		if got := w.deliver(); len(got) != 0 {
			t.Errorf("switched off, and told: %+v", got)
		}
		now = must[challenge.Hook](t)(w.ChangeHook(ctx, deskOperator, h.ID, challenge.HookTerms{URL: "https://gone.example/", Active: true}))
		if now.Off != "" || now.Failed != 0 {
			t.Errorf("switched on again: %+v", now)
		}
		w.answer = func(post) (*verify.Exchange, error) { return status(410, nil) }
		w.happens(1)
		if got := w.deliver(); len(got) != 1 {
			t.Errorf("to who is gone: %+v", got)
		}
		if now, _ = w.state(h); now.Active || now.Off != "the endpoint answered 410 Gone" {
			t.Errorf("after 410: %+v", now)
		}
		var said []string
		err := w.db.View(ctx, func(r directory.Reader) error {
			entries, err := r.Audit(directory.AuditFilter{Limit: 1000})
			for _, e := range entries {
				if strings.HasPrefix(e.Subject, "webhook:") {
					said = append(said, e.Action+" "+e.Detail)
				}
			}
			return err
		})
		all := strings.Join(said, "\n")
		if err != nil || strings.Contains(all, "private") || !strings.Contains(all, "switch webhook off gone.example, of everybody: the endpoint answered 410 Gone") {
			t.Errorf("the audit trail says %v\n%s", err, all)
		}
	})
}

// TestHookSecrets: two secrets sign for a day, none is in the database, and another server's key opens none.
func TestHookSecrets(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		h, old := w.hook(challenge.HookTerms{URL: "https://own.example/"})
		_, fresh, err := w.RotateHook(ctx, deskOperator, h.ID)
		if err != nil || fresh == old {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			both  bool
		}{{0, true}, {24*time.Hour - time.Minute, true}, {2 * time.Minute, false}} {
			w.pass(c.after)
			must[challenge.Notice](t)(w.Ping(ctx, deskOperator, h.ID))
			got := w.deliver()
			if len(got) != 1 || !believed(got[0], fresh, w.clock()) || believed(got[0], old, w.clock()) != c.both {
				t.Errorf("after %v: %+v", c.after, got)
			}
		}
		if text := mustJSON(t, must[challenge.Hook](t)(w.db.Hook(ctx, h.ID))); strings.Contains(text, fresh) || strings.Contains(text, old) || strings.Contains(text, "rcw_") {
			t.Errorf("the database has %s", text)
		}
		// The same database, under another key.
		key := must[challenge.Key](t)(challenge.NewKey(bytes.Repeat([]byte{8}, 32)))
		other := must[*challenge.Desk](t)(challenge.NewDesk(challenge.DeskConfig{Store: w.db, Index: w.follower.Index, Key: key, Random: rand.Reader, Now: w.clock}))
		courier := must[*challenge.Courier](t)(challenge.NewCourier(challenge.CourierConfig{Desk: other, Post: w.post, Answer: "https://rollcall.example/x"}))
		must[challenge.Notice](t)(w.Ping(ctx, deskOperator, h.ID))
		must[int](t)(courier.Deliver(ctx, 10))
		now, list := w.state(h)
		if now.Active || !strings.Contains(now.Off, "rotate it") || list[0].Problem != string(challenge.CodeSecret) || list[0].State != challenge.DeliveryGivenUp {
			t.Errorf("under another key: %+v, %+v", now, list[0])
		}
		_, third, err := other.RotateHook(ctx, deskOperator, h.ID)
		if err != nil {
			t.Fatal(err)
		}
		must[challenge.Notice](t)(other.Ping(ctx, deskOperator, h.ID))
		must[int](t)(courier.Deliver(ctx, 10))
		if last := w.got[len(w.got)-1]; last.event != "ping" || !believed(last, third, w.clock()) {
			t.Errorf("after a new secret: %+v", last)
		}
	})
}

// TestManyCouriers: whoever delivers, each notice is posted once, and in order.
func TestManyCouriers(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		for i := range 4 {
			w.hook(challenge.HookTerms{URL: fmt.Sprintf("https://h%d.example/", i)})
		}
		w.happens(5)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for idle := 0; idle < 3; {
					n, err := w.courier.Deliver(context.Background(), 3)
					if err != nil {
						t.Error(err)
						return
					}
					if idle++; n > 0 {
						idle = 0
					}
				}
			})
		}
		all.Wait()
		w.deliver()
		next := map[string]int{}
		for _, p := range w.got {
			if next[p.url]++; !strings.HasSuffix(p.delivery, fmt.Sprintf("-%d", next[p.url])) {
				t.Errorf("%s got %s as its number %d", p.url, p.delivery, next[p.url])
			}
		}
		if len(w.got) != 40 {
			t.Errorf("%d posts, want 40", len(w.got))
		}
	})
}

// automation gives team alpha a contact whose automation answers by a key, and returns its place.
func (w *endpoints) automation(scheme challenge.Scheme, key string) (contact int, secret string) {
	w.t.Helper()
	ctx := context.Background()
	w.team = must[directory.Team](w.t)(w.dir.Edit(ctx, deskOperator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		own.Contacts = append(slices.Clone(own.Contacts), directory.Contact{Channel: "url", Value: "https://bot.example/ask"})
		return nil
	}}))
	contact = slices.IndexFunc(w.team.Contacts, func(c directory.Contact) bool { return c.Channel == "url" })
	_, secret, err := w.SetEndpoint(ctx, deskOperator, &w.team, w.team.Contacts[contact].ID, scheme, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return contact, secret
}

const botKey = "the key of the automation of alpha"

// TestDeskWebhook: a question is posted, tried again as the same, and answered by the team's automation, which proves level 2 for itself.
func TestDeskWebhook(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		n, secret := w.automation(challenge.SchemeEd25519, base64.StdEncoding.EncodeToString(public))
		w.answer = func(post) (*verify.Exchange, error) {
			return status(503, &verify.Failure{Code: verify.FetchServerError})
		}
		c := w.ask(n, "") // what fits it
		if c.Kind != challenge.KindWebhook || len(w.box) != 0 {
			t.Fatalf("asked by %s, %d mails", c.Kind, len(w.box))
		}
		first := w.deliver()
		w.answer = nil
		w.pass(2 * time.Minute)
		again := w.deliver()
		if len(first) != 1 || len(again) != 1 || first[0].url != "https://bot.example/ask" || first[0].event != "question" || string(first[0].body) != string(again[0].body) ||
			first[0].delivery != again[0].delivery || !believed(again[0], secret, w.clock()) {
			t.Fatalf("posted %+v, then %+v", first, again)
		}
		if c = w.see(c.ID); c.Accepted.IsZero() || c.State != challenge.StateSent {
			t.Fatalf("after it was taken: %+v", c)
		}
		var q challenge.Question
		if err := json.Unmarshal(again[0].body, &q); err != nil || q.Challenge != c.ID || q.Contact != c.Contact || q.Revision != c.Revision || q.Answer != "https://rollcall.example/v1/webhook-answers" || q.Expires.IsZero() {
			t.Fatalf("the question is %s, %v", again[0].body, err)
		}
		// The question itself, sent back as it came, is no answer: it is signed by us.
		if _, err := w.Answer(ctx, again[0].signature, again[0].body); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("the question as its own answer: %v", err)
		}
		body, _ := json.Marshal(challenge.Answer{Challenge: q.Challenge, Nonce: q.Nonce})
		unix := fmt.Sprint(w.clock().Unix())
		header := "t=" + unix + ",ed25519=" + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(unix+"."+string(body))))
		if _, err := w.Answer(ctx, challenge.Sign(body, w.clock(), public), body); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("signed with the public key as a secret: %v", err)
		}
		c, err = w.Answer(ctx, header, body)
		if err != nil || c.State != challenge.StateAnswered || c.Reached != directory.Answered || !c.Human.IsZero() {
			t.Fatalf("answered: %+v, %v", c, err)
		}
		if _, err := w.Answer(ctx, header, body); directory.KindOf(err) != directory.Conflict {
			t.Errorf("the answer again: %v", err)
		}
		if s := w.standing(n); s.Level != directory.Answered || s.Method != challenge.MethodWebhook {
			t.Errorf("the contact stands at %+v", s)
		}
		if s := w.standing(0); s.Level != directory.Listed {
			t.Errorf("the mailbox stands at %+v, by what a machine answered", s)
		}
	})
}

// TestDeskWebhookFails: an endpoint that takes nothing is a contact that does not answer; one that was taken back is ours.
func TestDeskWebhookFails(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		n, _ := w.automation(challenge.SchemeHMAC, botKey)
		w.answer = func(post) (*verify.Exchange, error) {
			return status(500, &verify.Failure{Code: verify.FetchServerError})
		}
		c := w.ask(n, challenge.KindWebhook)
		tries := 0
		for range 60 {
			tries += len(w.deliver())
			if c = w.see(c.ID); c.State != challenge.StateSent {
				break
			}
			w.pass(time.Hour)
		}
		if c.State != challenge.StateBounced || tries != 20 {
			t.Fatalf("after %d tries: %s", tries, c.State)
		}
		w.answer = func(post) (*verify.Exchange, error) { return status(410, nil) }
		for range 100 {
			w.run()
			w.deliver()
			if c = w.see(c.ID); c.Undeliverable() {
				break
			}
			w.pass(time.Hour)
		}
		if !c.Undeliverable() || w.standing(n).State != directory.Failed {
			t.Fatalf("gone on another day: %s, %+v", c.State, w.standing(n))
		}
		must[challenge.Challenge](t)(w.Stop(ctx, deskOperator, c.ID, ""))
		if c = w.ask(n, challenge.KindWebhook); c.State != challenge.StateScheduled {
			t.Errorf("asked again on the same day: %s", c.State)
		}
		w.pass(40 * 24 * time.Hour)
		w.run()
		if err := w.DropEndpoint(ctx, deskOperator, &w.team, c.Contact); err != nil {
			t.Fatal(err)
		}
		w.deliver()
		if c = w.see(c.ID); c.State != challenge.StateClosed || c.Outcome != challenge.OutcomeNotSent {
			t.Errorf("without an endpoint: %s, %s", c.State, c.Outcome)
		}
		if _, err := w.Ask(ctx, challenge.Ask{Team: w.team.ID, Contact: c.Contact}); err == nil {
			t.Error("who has no endpoint any more is asked")
		}
	})
}

// TestDeskWebhookLate: an answer counts neither after its time, nor for a contact that changed, nor by a key that was replaced.
func TestDeskWebhookLate(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		n, _ := w.automation(challenge.SchemeHMAC, botKey)
		c := w.ask(n, challenge.KindWebhook)
		var q challenge.Question
		if got := w.deliver(); len(got) != 1 || json.Unmarshal(got[0].body, &q) != nil {
			t.Fatalf("posted %+v", got)
		}
		body, _ := json.Marshal(challenge.Answer{Challenge: q.Challenge, Nonce: q.Nonce})
		says := func(key string) directory.Code {
			t.Helper()
			_, err := w.Answer(ctx, challenge.Sign(body, w.clock(), []byte(key)), body)
			var e *directory.Error
			if err == nil || !asDirectory(err, &e) {
				t.Fatalf("answered: %v", err)
			}
			return e.Problems[0].Code
		}
		if _, _, err := w.SetEndpoint(ctx, deskOperator, &w.team, c.Contact, challenge.SchemeHMAC, botKey+", the second"); err != nil {
			t.Fatal(err)
		}
		if code := says(botKey); code != challenge.CodeSignature {
			t.Errorf("by the key that was replaced: %s", code)
		}
		w.pass(q.Expires.Sub(w.clock()) + time.Minute)
		if code := says(botKey + ", the second"); code != challenge.CodeAnswerNonce {
			t.Errorf("after its time: %s", code)
		}
		must[challenge.Challenge](t)(w.Stop(ctx, deskOperator, c.ID, ""))
		if code := says(botKey + ", the second"); code != challenge.CodeOver {
			t.Errorf("after it was stopped: %s", code)
		}
	})
}

func asDirectory(err error, to **directory.Error) bool {
	e, ok := err.(*directory.Error)
	*to = e
	return ok
}

// TestHookRights: who keeps which webhooks.
func TestHookRights(t *testing.T) {
	couriers(t, func(t *testing.T, w *endpoints) {
		ctx := context.Background()
		h, _ := w.hook(challenge.HookTerms{Team: w.team.ID, URL: "https://own.example/"})
		all, _ := w.hook(challenge.HookTerms{URL: "https://all.example/"})
		editor := directory.Principal{Name: "ed", Role: directory.Editor, Team: w.team.ID}
		other := must[directory.Team](t)(w.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{Names: directory.Names{Short: "BETA"}}}))
		stranger := directory.Principal{Name: "ed", Role: directory.Editor, Team: other.ID}
		if list := must[[]challenge.Hook](t)(w.Hooks(ctx, editor, "")); len(list) != 1 || list[0].ID != h.ID {
			t.Errorf("the editor's are %+v", list)
		}
		for _, c := range []struct {
			p    directory.Principal
			id   challenge.HookID
			want directory.Kind
		}{
			{editor, h.ID, ""}, {editor, all.ID, directory.Forbidden}, {editor, "x", directory.Forbidden}, {stranger, h.ID, directory.Forbidden}, {deskOperator, "x", directory.NotFound},
			{directory.Principal{Name: "c", Role: directory.Consumer}, h.ID, directory.Forbidden}, {directory.Principal{Name: "c", Role: directory.Consumer}, "x", directory.Forbidden},
			{directory.Nobody(), h.ID, directory.Unauthenticated}, {directory.Nobody(), "x", directory.Unauthenticated},
		} {
			_, err := w.Hook(ctx, c.p, c.id)
			_, _, rotated := w.RotateHook(ctx, c.p, c.id)
			if directory.KindOf(err) != c.want || directory.KindOf(rotated) != c.want {
				t.Errorf("%s of %s: %v, %v, want %q", c.p.Role, c.id, err, rotated, c.want)
			}
		}
	})
}
