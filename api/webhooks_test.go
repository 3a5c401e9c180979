package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// automationKey is the secret of alpha's automation.
const automationKey = "the secret of the automation of alpha"

// hook makes a webhook of team alpha and returns its path.
func (s *scene) hook() string {
	s.t.Helper()
	s.fewHooks()
	h, _, err := s.desk(s.t).AddHook(context.Background(), operator(), challenge.HookTerms{Team: s.alpha.ID, URL: "https://hooks.example.org/rollcall", Active: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return "/v1/webhooks/" + string(h.ID)
}

// fewHooks makes room for one more.
func (s *scene) fewHooks() {
	s.t.Helper()
	list, err := s.db.Hooks(context.Background(), s.alpha.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range list[:max(0, len(list)-10)] {
		if err := s.desk(s.t).RemoveHook(context.Background(), operator(), h.ID); err != nil {
			s.t.Fatal(err)
		}
	}
}

// newURL gives team alpha one more contact of channel url and returns its id.
func (s *scene) newURL() directory.ContactID {
	url := fmt.Sprintf("https://bot.example.org/rollcall/%d", s.next())
	team := s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
		// Those that are not asked any more go, so that the team does not get too many.
		kept := slices.DeleteFunc(slices.Clone(own.Contacts), func(c directory.Contact) bool { return c.Channel == "url" })
		own.Contacts = append(kept, directory.Contact{Channel: "url", Value: url, Visibility: directory.Clear})
	})
	return team.Contacts[len(team.Contacts)-1].ID
}

// automation is the path of what is registered for a contact of channel url.
func (s *scene) automation(registered bool) string {
	s.t.Helper()
	id := s.newURL()
	if registered {
		s.register(id)
	}
	return "/v1/teams/alpha/contacts/" + string(id) + "/webhook"
}

func (s *scene) register(id directory.ContactID) {
	s.t.Helper()
	if _, _, err := s.desk(s.t).SetEndpoint(context.Background(), operator(), mustTeam(s.t, s), id, challenge.SchemeHMAC, automationKey); err != nil {
		s.t.Fatal(err)
	}
}

// automationAnswer is the signed answer to a question that was posted.
func (s *scene) automationAnswer() request {
	s.t.Helper()
	id := s.newURL()
	s.register(id)
	desk, ctx := s.desk(s.t), context.Background()
	_, _ = s.dir.ResumeChecks(ctx, operator(), directory.PauseOfChallenges, directory.HeldNone) // another test of access may have stopped everything
	if _, err := desk.Ask(ctx, challenge.Ask{Team: s.alpha.ID, Contact: id}); err != nil {
		s.t.Fatal(err)
	}
	return s.signedAnswer(desk)
}

// signedAnswer has what is due posted, and answers the last question.
func (s *scene) signedAnswer(desk *challenge.Desk) request {
	s.t.Helper()
	ctx := context.Background()
	var q challenge.Question
	courier, err := challenge.NewCourier(challenge.CourierConfig{Desk: desk, Answer: "https://rollcall.example/v1/webhook-answers", Post: func(_ context.Context, p verify.Post) (*verify.Exchange, error) {
		if p.Header["Rollcall-Event"] == "question" {
			if err := json.Unmarshal(p.Body, &q); err != nil {
				s.t.Error(err)
			}
		}
		return &verify.Exchange{Hops: []verify.Hop{{Status: 204}}}, nil
	}})
	if err == nil {
		_, err = desk.Tick(ctx, 100)
	}
	if err == nil {
		_, err = courier.Deliver(ctx, 100)
	}
	if err != nil || q.Nonce == "" {
		s.t.Fatalf("no question was posted: %v", err)
	}
	body, _ := json.Marshal(challenge.Answer{Challenge: q.Challenge, Nonce: q.Nonce})
	return request{method: "POST", path: "/v1/webhook-answers", body: string(body),
		header: map[string]string{challenge.SignatureHeader: challenge.Sign(body, s.clock.Now(), []byte(automationKey))}}
}

// TestWebhookLife follows a webhook through the API: its secret is shown when it is made and never again.
func TestWebhookLife(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var made api.CreatedWebhook
		a := s.do(t, send("POST", "/v1/webhooks", `{"team":"alpha","url":"https://hooks.example.org/a?key=private","types":["challenge.answered"],"note":"tickets"}`).by("editor"))
		a.into(t, 201, &made)
		path := "/v1/webhooks/" + made.Webhook.ID
		if len(made.Secret) < 50 || a.header.Get("Location") != path || !made.Webhook.Active || made.Webhook.Team.Handle != "alpha" {
			t.Fatalf("made: %+v at %s", made, a.header.Get("Location"))
		}
		var rotated api.CreatedWebhook
		s.do(t, request{method: "POST", path: path + "/secret", as: "editor"}).into(t, 200, &rotated)
		if rotated.Secret == made.Secret || rotated.Webhook.BothUntil.Sub(s.clock.Now()) != 24*time.Hour {
			t.Errorf("rotated: %+v", rotated)
		}
		var changed api.Webhook
		s.do(t, send("PUT", path, `{"url":"https://hooks.example.org/b","active":false}`).by("editor")).into(t, 200, &changed)
		if changed.URL != "https://hooks.example.org/b" || changed.Active || changed.Types != nil || changed.Note != "" {
			t.Errorf("changed: %+v", changed)
		}
		var ping api.WebhookPing
		s.do(t, request{method: "POST", path: path + "/ping", as: "editor"}).into(t, 202, &ping)
		var list api.WebhookDeliveries
		s.do(t, get(path+"/deliveries?limit=1").by("editor")).into(t, 200, &list)
		if len(list.Deliveries) != 1 || list.Deliveries[0].ID != ping.Delivery || list.Deliveries[0].Type != "ping" || list.Deliveries[0].State != "waiting" {
			t.Errorf("deliveries: %+v", list)
		}
		var all api.WebhookList
		s.do(t, get("/v1/webhooks").by("editor")).into(t, 200, &all)
		if len(all.Webhooks) != 1 {
			t.Errorf("the editor's webhooks are %+v", all)
		}
		s.silent(t, path, made.Secret, rotated.Secret, "key=private")
		if a := s.do(t, request{method: "DELETE", path: path, as: "editor"}); a.status != 204 {
			t.Errorf("removed: %d", a.status)
		}
		if a := s.do(t, get(path).by("operator")); a.status != 404 {
			t.Errorf("after it was removed: %d", a.status)
		}
	})
}

// silent looks for secrets where nobody may find them: in answers, in the audit trail, in the log, in the backup.
func (s *scene) silent(t *testing.T, path string, secrets ...string) {
	t.Helper()
	var backup bytes.Buffer
	_, err := s.db.Backup(context.Background(), &backup)
	if err != nil {
		t.Fatal(err)
	}
	z := must(gzip.NewReader(&backup))
	said := map[string]string{"the log": s.log.String(), "the backup": string(must(io.ReadAll(z)))}
	for _, p := range []string{path, path + "/deliveries", "/v1/webhooks", "/v1/audit", "/v1/changes?after=0"} {
		said[p] = string(s.do(t, get(p).by("operator")).body)
	}
	for where, text := range said {
		for _, secret := range secrets {
			if strings.Contains(text, secret) && !(where == "the backup" && strings.HasPrefix(secret, "key=")) {
				t.Errorf("%s tells %.20s…", where, secret)
			}
		}
	}
}

// TestWebhooksMany: a team has 20 at most.
func TestWebhooksMany(t *testing.T) {
	s := embedded(t)
	for i := range 21 {
		a := s.do(t, send("POST", "/v1/webhooks", `{"team":"alpha","url":"https://hooks.example.org/"}`))
		if want := map[bool]int{true: 201, false: 409}[i < 20]; a.status != want {
			t.Fatalf("webhook %d: %d %s", i, a.status, a.body)
		}
	}
	path := s.hook()
	for i := range 22 {
		a := s.do(t, request{method: "POST", path: path + "/ping", as: "operator"})
		if want := map[bool]int{true: 202, false: 409}[i < 21]; a.status != want {
			t.Fatalf("ping %d: %d %s", i, a.status, a.body)
		}
	}
}

// TestAutomationAnswers: what a team's automation signs is taken once; what somebody else sends, never.
func TestAutomationAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		id := s.newURL()
		path := "/v1/teams/alpha/contacts/" + string(id) + "/webhook"
		if a := s.do(t, send("POST", "/v1/challenges", `{"team":"alpha","contact":"`+string(id)+`"}`)); a.status != 422 {
			t.Fatalf("an automation that nobody registered is asked: %d %s", a.status, a.body)
		}
		for body, where := range map[string]string{`{"scheme":"hmac","key":"short"}`: "/key", `{"scheme":"none","key":"` + automationKey + `"}`: "/scheme", `{"scheme":"ed25519","key":"` + automationKey + `"}`: "/key"} {
			a := s.do(t, send("PUT", path, body))
			if p := problemIn(t, a); a.status != 422 || p.Code != "webhook.answer-key" || *p.Errors[0].Pointer != where || strings.Contains(string(a.body), automationKey) {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
		}
		mail := "/v1/teams/alpha/contacts/" + string(s.alpha.Contacts[0].ID) + "/webhook"
		if a := s.do(t, send("PUT", mail, `{"scheme":"hmac","key":"`+automationKey+`"}`)); a.status != 422 || problemIn(t, a).Code != "webhook.endpoint" {
			t.Errorf("a mailbox with an automation: %d %s", a.status, a.body)
		}
		var set api.SetEndpoint
		s.do(t, send("PUT", path, `{"scheme":"hmac","key":"`+automationKey+`"}`).by("editor")).into(t, 200, &set)
		var asked api.Question
		s.do(t, send("POST", "/v1/challenges", `{"team":"alpha","contact":"`+string(id)+`","kind":"webhook"}`)).into(t, 201, &asked)
		if asked.Kind != "webhook" {
			t.Errorf("asked: %+v", asked)
		}
		good := s.signedAnswer(s.desk(t))
		s.forged(t, good, set.Secret)
		s.clock.Advance(4 * time.Minute) // within what clocks may differ
		var taken api.AnswerTaken
		s.do(t, good).into(t, 200, &taken)
		if taken != (api.AnswerTaken{Challenge: asked.ID, State: "answered", Level: 2}) {
			t.Errorf("taken: %+v", taken)
		}
		if a := s.do(t, good); a.status != 409 || problemIn(t, a).Code != "challenge.over" {
			t.Errorf("the answer again: %d %s", a.status, a.body)
		}
		for _, e := range must(s.dir.Team(context.Background(), operator(), "alpha")).Evidence {
			if e.Contact == id && (e.Method != "challenge.webhook" || e.Level != directory.Answered || !strings.Contains(e.Note, "automation")) {
				t.Errorf("evidence %+v", e)
			}
		}
		var events api.ChallengeEvents
		s.do(t, get("/v1/challenges/events?team=alpha&wait=1").by("editor")).into(t, 200, &events)
		if n := len(events.Events); n != 2 || events.Events[1].Type != "challenge.answered" || events.Events[1].Level != 2 || events.Next != events.Head {
			t.Errorf("events: %+v", events)
		}
		s.do(t, get("/v1/challenges/events?team=alpha&type=challenge.answered&limit=1&epoch="+events.Epoch).by("editor")).into(t, 200, &events)
		if n := len(events.Events); n != 1 || events.Next != 2 {
			t.Errorf("events of one type: %+v", events)
		}
		s.silent(t, path, set.Secret, automationKey)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// forged sends what an answer must not be.
func (s *scene) forged(t *testing.T, good request, ours string) {
	t.Helper()
	sign := func(body, secret string, at time.Time) request {
		q := good
		q.header = maps.Clone(good.header)
		q.body, q.header[challenge.SignatureHeader] = body, challenge.Sign([]byte(body), at, []byte(secret))
		return q
	}
	now := s.clock.Now()
	var a challenge.Answer
	if err := json.Unmarshal([]byte(good.body), &a); err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(good.body, a.Nonce, strings.Repeat("0", 32), 1)
	for name, c := range map[string]struct {
		request
		status int
		code   string
	}{
		"signed by another":        {sign(good.body, strings.Repeat("m", 40), now), 403, "webhook.signature"},
		"signed by our own secret": {sign(good.body, ours, now), 403, "webhook.signature"},
		"six minutes old":          {sign(good.body, automationKey, now.Add(-6*time.Minute)), 403, "webhook.signature"},
		"six minutes ahead":        {sign(good.body, automationKey, now.Add(6*time.Minute)), 403, "webhook.signature"},
		"another body":             {func() request { q := good; q.body += " "; return q }(), 403, "webhook.signature"},
		"another scheme":           {good.with(challenge.SignatureHeader, fmt.Sprintf("t=%d,ed25519=AAAA", now.Unix())), 403, "webhook.signature"},
		"another question":         {sign(strings.Replace(good.body, string(a.Challenge), "00000000-0000-4000-8000-000000000000", 1), automationKey, now), 403, "webhook.signature"},
		"another nonce":            {sign(wrong, automationKey, now), 403, "webhook.nonce"},
	} {
		got := s.do(t, c.request)
		if p := problemIn(t, got); got.status != c.status || p.Code != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, got.status, p.Code, c.status, c.code)
		}
	}
}

// TestEventsWait: who waits is told of an event, and not of those of others.
func TestEventsWait(t *testing.T) {
	s := embedded(t)
	before := api.ChallengeEvents{}
	s.do(t, get("/v1/challenges/events?team=alpha").by("editor")).into(t, 200, &before)
	path := s.question()
	done := make(chan answer, 1)
	go func() {
		done <- s.do(t, get("/v1/challenges/events?team=alpha&wait=30&epoch="+before.Epoch).by("editor"))
	}()
	s.happen(path, challenge.Event{Kind: challenge.EventStopped})
	select {
	case a := <-done:
		var page api.ChallengeEvents
		a.into(t, 200, &page)
		if len(page.Events) != 1 || page.Events[0].To != "closed" || page.Events[0].Outcome != "stopped" {
			t.Errorf("told of %+v", page)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	s.server.Client().CloseIdleConnections()
}
