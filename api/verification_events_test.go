package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// history reads all pages of the history of alpha.
func (s *scene) history(t testing.TB, role, query string, limit int) (list []api.VerificationEvent, pages int) {
	t.Helper()
	next := ""
	for {
		var page api.VerificationHistory
		s.do(t, get(fmt.Sprintf("/v1/teams/alpha/verification/history?limit=%d%s%s", limit, query, next)).by(role)).into(t, 200, &page)
		list = append(list, page.Events...)
		if pages++; page.Next == 0 {
			return list, pages
		}
		next = fmt.Sprintf("&before=%d", page.Next)
	}
}

func TestVerificationHistory(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		bad := verify.Result{Findings: []verify.Finding{found(t, "mx.special-address", "")}}
		for i := range 6 { // turns about, each day, in the open and hidden
			r := verify.Result{}
			if i%2 == 1 {
				r = bad
			}
			s.concluded(t, s.alpha.ID, "mx", "domain:example.org", r)
			s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", r)
			s.concluded(t, s.beta.ID, "mx", "domain:example.net", r)
			s.clock.Advance(25 * time.Hour)
		}
		all, _ := s.history(t, "operator", "", 100)
		if len(all) != 12 || all[0].N <= all[1].N || all[11].Was != "" || all[0].Was == all[0].Result.Verdict || !all[0].Result.Due.IsZero() {
			t.Fatalf("%d events, the first %+v; want 12, newest first", len(all), all[0])
		}
		for _, c := range []struct {
			role, query   string
			limit, events int
			pages         int
		}{
			{"", "", 4, 6, 2}, {"", "", 6, 6, 1}, {"", "", 5, 6, 2}, {"editor", "", 5, 12, 3}, {"member", "&check=mx", 100, 6, 1}, {"operator", "&kind=contact", 100, 6, 1},
			{"operator", "&subject=example.org", 100, 6, 1}, {"", "&subject=red@example.org", 100, 0, 1}, {"", "&check=nothing", 100, 0, 1}, {"operator", "&subject=example.net", 100, 0, 1},
		} {
			if list, pages := s.history(t, c.role, c.query, c.limit); len(list) != c.events || pages != c.pages {
				t.Errorf("history as %q %s: %d events on %d pages, want %d on %d", c.role, c.query, len(list), pages, c.events, c.pages)
			}
		}
		// What the team does not name any more is not told of.
		s.amend(t, "alpha", func(own *directory.Profile) { own.Resources, own.Contacts = nil, own.Contacts[4:] })
		if list, _ := s.history(t, "operator", "&check=mx", 100); len(list) != 6 {
			t.Errorf("%d events of a domain that a contact still names, want 6", len(list))
		}
		s.amend(t, "alpha", func(own *directory.Profile) { own.Contacts[0].Value = "red@example.com" })
		if list, _ := s.history(t, "operator", "", 100); len(list) != 0 {
			t.Errorf("%d events of what is gone, want none", len(list))
		}
	})
}

// TestLongHistory ends a page that would have to read too much for what it
// shows.
func TestLongHistory(t *testing.T) {
	s := embedded(t)
	bad := verify.Result{Findings: []verify.Finding{found(t, "mx.special-address", "")}}
	s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
	for i := range 50 {
		r := bad
		if i%2 == 1 {
			r = verify.Result{}
		}
		s.clock.Advance(25 * time.Hour)
		s.concluded(t, s.alpha.ID, "mx", "contact:red@example.org", r)
	}
	list, pages := s.history(t, "", "", 1) // 20 times two events are read for a page
	if len(list) != 1 || pages != 2 {
		t.Errorf("%d events on %d pages, want one behind an empty page", len(list), pages)
	}
	if _, pages := s.history(t, "", "", 10); pages != 1 {
		t.Errorf("%d pages, want one", pages)
	}
}

func (s *scene) events(t testing.TB, role, query string) api.VerificationEvents {
	t.Helper()
	var page api.VerificationEvents
	s.do(t, get("/v1/verification/events"+query).by(role)).into(t, 200, &page)
	return page
}

func TestVerificationEvents(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		if p := s.events(t, "", ""); len(p.Events) != 0 || p.Next != 0 || p.Head != 0 || p.Epoch == "" {
			t.Errorf("before anything ran = %+v", p)
		}
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
		s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", verify.Result{})
		s.concluded(t, s.beta.ID, "mx", "domain:example.net", verify.Result{})
		s.concluded(t, s.alpha.ID, "spf", "domain:example.org", verify.Result{})
		gamma, err := s.dir.Team(context.Background(), operator(), "gamma")
		if err != nil {
			t.Fatal(err)
		}
		s.concluded(t, gamma.ID, "mx", "domain:gamma.example", verify.Result{}) // which it does not name
		teams := func(p api.VerificationEvents) (list []string) {
			for _, e := range p.Events {
				list = append(list, fmt.Sprintf("%d %s %s", e.N, e.Team.Handle, e.Result.Check))
			}
			return list
		}
		p := s.events(t, "", "")
		if d := cmp.Diff([]string{"1 alpha mx", "3 beta mx", "4 alpha spf"}, teams(p)); d != "" || p.Next != 5 || p.Head != 5 {
			t.Errorf("as nobody next %d, head %d (-want +got):\n%s", p.Next, p.Head, d)
		}
		if d := cmp.Diff([]string{"1 alpha mx", "2 alpha smimea", "3 beta mx", "4 alpha spf"}, teams(s.events(t, "operator", ""))); d != "" {
			t.Errorf("as the operator (-want +got):\n%s", d)
		}
		// A page that is full goes on behind its last event; one that is not, behind all that was read.
		if p := s.events(t, "", "?limit=2"); p.Next != 3 || len(p.Events) != 2 || p.Head != 5 {
			t.Errorf("a page of two = %+v", p)
		}
		if p := s.events(t, "", "?after=3&limit=2"); p.Next != 5 || len(p.Events) != 1 {
			t.Errorf("the next page = %+v", p)
		}
		if p := s.events(t, "", "?after=5&epoch="+p.Epoch); p.Next != 5 || len(p.Events) != 0 {
			t.Errorf("a page behind all = %+v", p)
		}
		if a := s.do(t, get("/v1/verification/events?epoch="+p.Epoch).by("editor")); problemIn(t, a).Code != "changes.epoch" {
			t.Errorf("the epoch of another viewer = %d", a.status)
		}
		// Evidence is told by its hash to whoever may read it.
		if e := s.events(t, "editor", "?limit=3").Events; e[0].Result.Evidence == "" || e[2].Result.Evidence != "" {
			t.Errorf("to the editor of alpha evidence of alpha %q, of beta %q", e[0].Result.Evidence, e[2].Result.Evidence)
		}
		if err := s.dir.Delete(context.Background(), operator(), "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"1 alpha mx", "4 alpha spf"}, teams(s.events(t, "", ""))); d != "" {
			t.Errorf("after a team was deleted (-want +got):\n%s", d)
		}
	})
}

// TestWaitForEvents: an event wakes who waits for it, also one that is no
// change; a hidden one does not.
func TestWaitForEvents(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
		after := s.events(t, "", "").Head
		got := make(chan api.VerificationEvents, 1)
		go func() { got <- s.events(t, "", fmt.Sprintf("?after=%d&wait=60", after)) }()
		s.awaitWaiters(t, 1)
		s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", verify.Result{})
		s.clock.Advance(25 * time.Hour)
		seq := s.follow.Index().Seq()
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{Findings: []verify.Finding{found(t, "mx.implicit", "")}})
		if now := s.follow.Index().Seq(); now != seq {
			t.Fatalf("findings that leave the verdict were a change: %d, %d", seq, now)
		}
		p := <-got
		if len(p.Events) != 1 || p.Events[0].Result.Findings[0].Code != "mx.implicit" || p.Next != after+2 {
			t.Errorf("the page = %+v", p)
		}
		if p := s.events(t, "", fmt.Sprintf("?after=%d&wait=1", p.Next)); len(p.Events) != 0 || p.Next != after+2 {
			t.Errorf("a wait for nothing = %+v", p)
		}
	})
}

// TestWaitEndsWithTheServer, and with the token.
func TestWaitEndsWithTheServer(t *testing.T) {
	s := embedded(t)
	got := make(chan answer, 1)
	go func() { got <- s.do(t, get("/v1/verification/events?wait=60").by("consumer")) }()
	s.awaitWaiters(t, 1)
	var list api.TokenList
	s.do(t, get("/v1/tokens").by("operator")).into(t, 200, &list)
	i := slices.IndexFunc(list.Tokens, func(k api.Token) bool { return k.Name == "consumer" })
	if _, err := s.dir.RevokeToken(context.Background(), operator(), list.Tokens[i].ID); err != nil {
		t.Fatal(err)
	}
	s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
	if p := problemIn(t, <-got); p.Code != "auth.token-revoked" {
		t.Errorf("a token that was revoked meanwhile = %+v", p)
	}

	release := make(chan func(), 1)
	other := s.changed(t, nil)
	release <- other.server.Config.Handler.(*api.Server).Release
	go func() { got <- other.do(t, get("/v1/verification/events?after=1&wait=60")) }()
	other.awaitWaiters(t, 1)
	(<-release)()
	if a := <-got; a.status != 200 {
		t.Errorf("a wait that the server ended = %d", a.status)
	}
}
