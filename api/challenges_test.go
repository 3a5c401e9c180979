package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// unasked gives alpha a sixth contact that nobody was asked about, in place of the last one, and returns its id.
func (s *scene) unasked() string {
	s.t.Helper()
	s.n++
	team, err := s.dir.Edit(context.Background(), operator(), "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, p *directory.Profile) error {
		p.Contacts = append(p.Contacts[:5], contact(fmt.Sprintf("unasked%d@example.org", s.n), directory.Clear))
		return nil
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(team.Contacts[len(team.Contacts)-1].ID)
}

// question is a new question to a contact of alpha, which is to go out at once.
func (s *scene) question() string {
	s.t.Helper()
	q, err := s.desk(s.t).Ask(context.Background(), challenge.Ask{Team: s.alpha.ID, Contact: directory.ContactID(s.unasked()), Kind: challenge.KindCode})
	if err != nil {
		s.t.Fatal(err)
	}
	return "/v1/challenges/" + string(q.ID)
}

func (s *scene) happen(path string, events ...challenge.Event) string {
	s.t.Helper()
	for _, e := range events {
		if _, err := s.desk(s.t).Apply(context.Background(), challenge.ID(strings.TrimPrefix(path, "/v1/challenges/")), e); err != nil {
			s.t.Fatal(err)
		}
	}
	return path
}

// replied is a reply of which it is known where it came from.
func replied() challenge.Event {
	return challenge.Event{Kind: challenge.EventPlainReply, Origin: &mail.Authentication{DKIM: []mail.Signer{{Domain: "alpha.example", Result: "fail", Reason: "dkim: body hash did not verify"}},
		DMARC: "fail", Policy: "reject", Trusted: []string{"dmarc=fail alpha.example"}}}
}

// asked is a question that has gone out.
func (s *scene) asked() string {
	return s.happen(s.question(), challenge.Event{Kind: challenge.EventDue}, challenge.Event{Kind: challenge.EventAccepted, Step: challenge.StepFirst})
}

func (s *scene) called() string {
	return s.happen(s.asked(), challenge.Event{Kind: challenge.EventCall, Call: &challenge.Call{Operator: "somebody else", Number: "+4315056416", Reached: true}})
}

func (s *scene) optedOut() string {
	return s.happen(s.question(), challenge.Event{ID: "out", Kind: challenge.EventOptOut})
}

// campaign is a planned campaign of the forum first.
func (s *scene) campaign() string {
	s.t.Helper()
	c, err := s.desk(s.t).PlanCampaign(context.Background(), operator(), challenge.Campaign{Name: "Autumn", Scope: challenge.Scope{Forum: "first"},
		From: s.clock.Now().Add(time.Hour), To: s.clock.Now().AddDate(0, 0, 7)})
	if err != nil {
		s.t.Fatal(err)
	}
	return "/v1/campaigns/" + string(c.ID)
}

// TestQuestions follows one through the API: asked, listed by pages, seen with what happened, paused, stopped.
func TestQuestions(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var made api.Question
		a := s.do(t, send("POST", "/v1/challenges", `{"team":"alpha","contact":"`+string(s.alpha.Contacts[0].ID)+`"}`))
		a.into(t, 201, &made)
		if made.State != "scheduled" || made.Kind != "code" || made.Policy != "half-yearly" || made.Address != "clear@example.org" || a.header.Get("Location") != "/v1/challenges/"+made.ID {
			t.Errorf("asked: %+v, at %s", made, a.header.Get("Location"))
		}
		for range 4 {
			s.question()
		}
		seen := map[string]bool{}
		path := "/v1/challenges?team=alpha&limit=2"
		for path != "" {
			var page api.QuestionPage
			s.do(t, get(path).by("editor")).into(t, 200, &page)
			for _, q := range page.Questions {
				seen[q.ID] = true
			}
			path = ""
			if page.Next != "" {
				path = "/v1/challenges?team=alpha&limit=2&after=" + page.Next
			}
			if len(page.Questions) > 2 {
				t.Fatalf("a page of %d", len(page.Questions))
			}
		}
		if len(seen) != 5 {
			t.Errorf("the pages have %d questions, want 5", len(seen))
		}
		one := "/v1/challenges/" + made.ID
		s.happen(one, challenge.Event{Kind: challenge.EventDue}, challenge.Event{Kind: challenge.EventAccepted, Step: challenge.StepFirst},
			challenge.Event{Kind: challenge.EventBounced, Step: challenge.StepFirst, Status: "5.1.1"})
		var story api.QuestionStory
		s.do(t, get(one).by("secretariat")).into(t, 200, &story)
		n := len(story.Events)
		if n != 4 || story.Events[n-1].Event != "bounced" || story.Events[n-1].Status != "5.1.1" || story.Question.Bounced != 1 {
			t.Errorf("the story: %+v", story)
		}
		if story.Events[n-1].Origin != nil {
			t.Errorf("an event without a mail says where it came from: %+v", story.Events[n-1])
		}
		s.happen(one, replied())
		s.do(t, get(one).by("secretariat")).into(t, 200, &story)
		if o := story.Events[n].Origin; o == nil || o.SPF != "none" || len(o.DKIM) != 1 || o.DKIM[0].Result != "fail" || o.DMARC != "fail" || len(o.Trusted) != 1 {
			t.Errorf("where a reply came from: %+v", o)
		}
		var paused api.Question
		s.do(t, send("POST", one+"/pause", `{"why":"they move"}`)).into(t, 200, &paused)
		if paused.Paused.IsZero() {
			t.Error("a paused question is not shown as one")
		}
		s.do(t, send("POST", one+"/stop", `{}`)).into(t, 200, &paused)
		if paused.State != "closed" || paused.Outcome != "stopped" {
			t.Errorf("stopped: %+v", paused)
		}
		var outlook api.TeamOutlook
		s.do(t, get("/v1/teams/alpha/challenges").by("editor")).into(t, 200, &outlook)
		if c := outlook.Contacts[0]; c.Policy != "half-yearly" || c.Rule != "everybody" || c.Why != "asked" || c.Open != nil || c.Last == nil || c.Last.ID != made.ID {
			t.Errorf("the outlook: %+v", c)
		}
		if c := outlook.Contacts[5]; c.Open == nil || c.Open.State != "scheduled" {
			t.Errorf("the outlook of who is asked: %+v", c)
		}
	})
}

// TestQuestionsRedacted: the address of a contact is shown to those who see the contact.
func TestQuestionsRedacted(t *testing.T) {
	s := embedded(t)
	q, err := s.desk(t).Ask(context.Background(), challenge.Ask{Team: s.alpha.ID, Contact: s.alpha.Contacts[4].ID})
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"operator": "red@example.org", "editor": "red@example.org", "secretariat": ""} {
		var story api.QuestionStory
		s.do(t, get("/v1/challenges/"+string(q.ID)).by(role)).into(t, 200, &story)
		if story.Question.Address != want {
			t.Errorf("%s sees %q, want %q", role, story.Question.Address, want)
		}
		var outlook api.TeamOutlook
		s.do(t, get("/v1/teams/alpha/challenges").by(role)).into(t, 200, &outlook)
		if got := outlook.Contacts[4].Address; got != want {
			t.Errorf("%s sees %q in the outlook, want %q", role, got, want)
		}
	}
}

// TestCampaigns follows one through the API, with its report in three forms.
func TestCampaigns(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var c api.Campaign
		s.do(t, send("POST", "/v1/campaigns", `{"name":"Autumn","scope":{"country":"at","uses":["general"],"teams":["alpha"]},"from":"2026-11-23T00:00:00Z","to":"2026-11-28T00:00:00Z"}`)).into(t, 201, &c)
		if c.State != "planned" || c.Scope.Country != "AT" || len(c.Scope.Teams) != 1 || c.Secret != "" {
			t.Fatalf("planned: %+v", c)
		}
		one := "/v1/campaigns/" + c.ID
		s.do(t, send("POST", one+"/move", `{"move":"start"}`)).into(t, 200, &c)
		if c.State != "running" || !c.Filled || c.Progress == nil || c.Progress.Total != 5 || c.Progress.States["scheduled"] != 5 {
			t.Errorf("started: %+v", c)
		}
		s.do(t, send("POST", one+"/move", `{"move":"halt"}`)).into(t, 200, &c)
		if c.State != "halted" || c.Progress.Paused != 5 {
			t.Errorf("halted: %+v", c)
		}
		s.do(t, send("POST", one+"/move", `{"move":"abort"}`)).into(t, 200, &c)
		if c.State != "aborted" || c.Progress.Outcomes["stopped"] != 5 || len(c.Secret) != 64 {
			t.Errorf("aborted: %+v", c)
		}
		for accept, want := range map[string]string{"application/json": `{"title":"Autumn"`, "text/csv": "by,name,suppressed", "text/html": "<!doctype html>"} {
			a := s.do(t, get(one+"/report").by("operator").with("Accept", accept))
			if !strings.HasPrefix(strings.ToLower(string(a.body)), strings.ToLower(want)) || !strings.HasPrefix(a.header.Get("Content-Type"), accept) {
				t.Errorf("as %s: %s %.60q", accept, a.header.Get("Content-Type"), a.body)
			}
		}
		var list api.CampaignPage
		s.do(t, get("/v1/campaigns").by("operator")).into(t, 200, &list)
		if len(list.Campaigns) != 1 || list.Campaigns[0].ID != c.ID || list.Campaigns[0].Progress != nil {
			t.Errorf("the list: %+v", list)
		}
	})
}

// TestPagesOfDesk: pages of campaigns and of cases have all of them once, also of those made at one moment, and those
// that the viewer does not see fill no page.
func TestPagesOfDesk(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		desk := s.desk(t)
		for i := range 5 {
			scope := challenge.Scope{}
			if i%2 == 0 {
				scope.Forum = "first"
			}
			if _, err := desk.PlanCampaign(t.Context(), operator(), challenge.Campaign{Name: "Autumn", Scope: scope, From: s.clock.Now().Add(time.Hour), To: s.clock.Now().AddDate(0, 0, 7)}); err != nil {
				t.Fatal(err)
			}
		}
		for viewer, want := range map[string]int{"operator": 5, "secretariat": 3} {
			seen, pages := map[string]bool{}, 0
			for after := ""; ; pages++ {
				var page api.CampaignPage
				s.do(t, get("/v1/campaigns?limit=2&after="+after).by(viewer)).into(t, 200, &page)
				for _, c := range page.Campaigns {
					if seen[c.ID] {
						t.Errorf("%s sees %s on two pages", viewer, c.ID)
					}
					seen[c.ID] = true
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if len(seen) != want || pages != (want-1)/2 {
				t.Errorf("%s sees %d campaigns on %d pages, want %d", viewer, len(seen), pages+1, want)
			}
		}
		for range 3 {
			s.happen(s.asked(), challenge.Event{Kind: challenge.EventPleaseCall})
		}
		seen, pages := map[string]bool{}, 0
		for after := ""; ; pages++ {
			var page api.DeskCaseList
			s.do(t, get("/v1/cases?limit=1&after="+after).by("operator")).into(t, 200, &page)
			for _, c := range page.Cases {
				seen[c.Question+c.Kind] = true
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if len(seen) != 3 || pages != 2 {
			t.Errorf("%d cases on %d pages, want 3 on 3", len(seen), pages+1)
		}
	})
}

// TestNoDesk: a server that asks nobody says so.
func TestNoDesk(t *testing.T) {
	s := embedded(t).changed(t, func(c *api.Config) { c.Challenges = nil })
	for _, path := range []string{"/v1/policies", "/v1/campaigns", "/v1/challenges?team=alpha", "/v1/teams/alpha/challenges", "/v1/response-times", "/v1/cases"} {
		var p api.Problem
		s.do(t, get(path).by("operator")).into(t, 503, &p)
		if p.Code != "challenge.off" {
			t.Errorf("%s: %s", path, p.Code)
		}
	}
	if log := s.log.String(); strings.Contains(log, "request failed") {
		t.Errorf("what is not turned on is logged as a failure:\n%s", log)
	}
}

// TestPolicies: every preset is listed, as it can be written into a file of policies.
func TestPolicies(t *testing.T) {
	s := embedded(t)
	var list api.PolicyList
	a := s.do(t, get("/v1/policies"))
	a.into(t, 200, &list)
	if len(list.Policies) != len(challenge.Presets()) || len(list.Rules) != 1 || list.Rules[0].Holds != "everybody" || list.Stopped {
		t.Errorf("%+v", list)
	}
	var raw struct{ Policies []json.RawMessage }
	if err := json.Unmarshal(a.body, &raw); err != nil {
		t.Fatal(err)
	}
	for _, text := range raw.Policies {
		p, problems := challenge.ParsePolicy(text)
		if preset, _ := challenge.Preset(p.Name); len(problems) > 0 || p.Check() != nil || preset.Window != p.Window || len(preset.Ladder) != len(p.Ladder) || preset.Lasts != p.Lasts || preset.Caps != p.Caps {
			t.Errorf("%s does not read back: %v", text, problems)
		}
	}
}

// TestCallWithCode: operators see the digits of a question, and a call that reached somebody has them.
func TestCallWithCode(t *testing.T) {
	s := embedded(t)
	path := s.asked()
	var editor, story api.QuestionStory
	s.do(t, get(path).by("editor")).into(t, 200, &editor)
	s.do(t, get(path).by("operator")).into(t, 200, &story)
	if len(story.PhoneCode) != 6 || editor.PhoneCode != "" {
		t.Fatalf("the code is %q to an operator, and %q to an editor", story.PhoneCode, editor.PhoneCode)
	}
	wrong := "000000"
	if story.PhoneCode == wrong {
		wrong = "111111"
	}
	for code, want := range map[string]int{wrong: 422, "": 422, story.PhoneCode: 200} {
		if a := s.do(t, send("POST", path+"/calls", `{"number":"+4315056416","reached":true,"code":"`+code+`"}`)); a.status != want {
			t.Errorf("the code %q: %d, want %d: %s", code, a.status, want, a.body)
		}
	}
	if a := s.do(t, send("POST", path+"/cases/call/close", `{"confirmed":true}`)); a.status != 422 {
		t.Errorf("confirming a call: %d %s", a.status, a.body)
	}
	if a := s.do(t, send("POST", path+"/cases/unreachable/close", `{"confirmed":true}`)); a.status != 404 {
		t.Errorf("confirming what is no case: %d %s", a.status, a.body)
	}
}
