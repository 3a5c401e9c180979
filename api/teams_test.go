package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func TestTeamLife(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var team format.Team
		a := s.do(t, send("POST", "/v1/teams", `{"handle":"delta","names":{"short":"DELTA"},"country":"at","contacts":[{"channel":"email","value":"delta@example.org"}],"resources":[{"type":"prefix","value":"198.51.100.0/24"}]}`))
		a.into(t, 201, &team)
		if a.header.Get("ETag") != `"1"` || a.header.Get("Location") != "/v1/teams/"+team.ID || team.Country != "AT" {
			t.Errorf("created %+v with ETag %s at %s", team, a.header.Get("ETag"), a.header.Get("Location"))
		}
		if got := s.candidates(t, "198.51.100.7"); !slices.Equal(got, []string{"delta"}) {
			t.Errorf("lookup right after creation = %v, want delta", got)
		}
		a = s.do(t, send("PATCH", "/v1/teams/delta", `{"host":"Example Bank","kinds":["soc"]}`).with("If-Match", `"1"`).with("Content-Type", "application/merge-patch+json"))
		a.into(t, 200, &team)
		if a.header.Get("ETag") != `"2"` || team.Host != "Example Bank" || team.Revision != 2 {
			t.Errorf("patched to %+v with ETag %s, want revision 2", team, a.header.Get("ETag"))
		}
		var renamed format.Team
		s.do(t, send("PATCH", "/v1/teams/"+team.ID, `{"host":null,"handle":"delta2","id":"`+team.ID+`"}`).with("If-Match", "*")).into(t, 200, &renamed)
		if renamed.Host != "" || renamed.Handle != "delta2" {
			t.Errorf("host %q, handle %q, want none and delta2", renamed.Host, renamed.Handle)
		}
		var page api.RevisionPage
		s.do(t, get("/v1/teams/delta2/history?limit=2").by("operator")).into(t, 200, &page)
		if len(page.Revisions) != 2 || page.Next != 2 || page.Revisions[1].Changes["host"].After != "Example Bank" || page.Revisions[0].Changes["handle"].Before != "delta" {
			t.Errorf("history = %+v, want the two newest of three", page)
		}
		var rest api.RevisionPage
		s.do(t, get("/v1/teams/delta2/history?before=2").by("operator")).into(t, 200, &rest)
		if len(rest.Revisions) != 1 || rest.Next != 0 || rest.Revisions[0].Action != "create team" {
			t.Errorf("the rest of the history = %+v, want the creation", rest)
		}
		if a := s.do(t, request{method: "DELETE", path: "/v1/teams/delta2", as: "operator", header: map[string]string{"If-Match": `"3"`}}); a.status != 204 || len(a.body) != 0 {
			t.Errorf("delete = %d %q, want 204 and nothing", a.status, a.body)
		}
		if p := problemIn(t, s.do(t, get("/v1/teams/delta2"))); p.Status != 404 || p.Code != "team.deleted" {
			t.Errorf("deleted team = %d %s, want 404 team.deleted", p.Status, p.Code)
		}
		if got := s.candidates(t, "198.51.100.7"); len(got) != 0 {
			t.Errorf("lookup after deletion = %v, want none", got)
		}
	})
}

// candidates are the handles that a lookup names.
func (s *scene) candidates(t *testing.T, q string) []string {
	t.Helper()
	var a api.Answer
	s.do(t, get("/v1/lookup?q="+q)).into(t, 200, &a)
	var handles []string
	for _, c := range a.Candidates {
		handles = append(handles, c.Team.Handle)
	}
	return handles
}

func TestMergedTeamLeadsOn(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var team format.Team
		s.do(t, send("POST", "/v1/teams/beta/merge", `{"into":"alpha"}`).with("If-Match", `"1"`)).into(t, 200, &team)
		if team.Handle != "alpha" || team.Revision != 2 {
			t.Errorf("merged into %s at revision %d, want alpha at 2", team.Handle, team.Revision)
		}
		for _, ref := range []string{"beta", string(s.beta.ID)} {
			a := s.do(t, get("/v1/teams/"+ref))
			a.into(t, 200, &team)
			if want := "/v1/teams/" + string(s.alpha.ID); team.ID != string(s.alpha.ID) || a.header.Get("Content-Location") != want {
				t.Errorf("%s leads to %s at %s, want alpha at %s", ref, team.Handle, a.header.Get("Content-Location"), want)
			}
		}
	})
}

func TestEvidenceByHand(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		body := fmt.Sprintf(`{"contact":%q,"level":2,"outcome":"proved","method":"phone","note":"spoke to Alex"}`, s.alpha.Contacts[0].ID)
		var team format.Team
		a := s.do(t, send("POST", "/v1/teams/alpha/evidence", body))
		a.into(t, 200, &team)
		if a.header.Get("ETag") != `"1"` {
			t.Errorf("ETag = %s, want \"1\": proof is no edit", a.header.Get("ETag"))
		}
		var answer api.Answer
		got := s.do(t, get("/v1/lookup?q=192.0.2.1"))
		got.into(t, 200, &answer)
		e := answer.Candidates[0].Evidence
		if e == nil || e.Level != 2 || e.State != "verified" || e.Method != "phone" || !e.At.Equal(s.clock.Now()) {
			t.Errorf("evidence = %+v, want level 2, verified, by phone, now", e)
		}
		if strings.Contains(string(got.body), "Alex") {
			t.Errorf("a note is shown to everybody: %s", got.body)
		}
		s.clock.Advance(400 * 24 * 3600e9)
		s.do(t, get("/v1/lookup?q=192.0.2.1")).into(t, 200, &answer)
		if e := answer.Candidates[0].Evidence; e.State != "overdue" {
			t.Errorf("state after 400 days = %s, want overdue", e.State)
		}
	})
}

func TestPages(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for i := range 5 {
			s.do(t, send("POST", "/v1/teams", fmt.Sprintf(`{"handle":"more-%d","names":{"short":"M"},"country":"AT","kinds":["csirt"]}`, i)))
		}
		want := []string{"alpha", "gamma", "more-0", "more-1", "more-2", "more-3", "more-4"}
		var got []string
		pages := 0
		for path := "/v1/teams?limit=3&country=AT&kind=csirt"; path != ""; pages++ {
			a := s.do(t, get(path))
			var page api.TeamPage
			a.into(t, 200, &page)
			for _, team := range page.Teams {
				got = append(got, team.Handle)
			}
			link := a.header.Get("Link")
			if (page.Next == "") != (link == "") {
				t.Errorf("next %q with Link %q", page.Next, link)
			}
			path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
		if !slices.Equal(got, want) || pages != 3 {
			t.Errorf("%d pages of %v, want 3 of %v", pages, got, want)
		}
		var page api.TeamPage
		s.do(t, get("/v1/teams?after="+cursorOf("handle", "", "zulu"))).into(t, 200, &page)
		if page.Teams == nil || len(page.Teams) != 0 {
			t.Errorf("teams after the last = %v, want an empty list", page.Teams)
		}
	})
}

// TestTwoWriters lets two editors change one field at once, again and again:
// one is told 200, the other 412 with what the first one changed.
func TestTwoWriters(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for round := range 10 {
			tag := s.do(t, get("/v1/teams/alpha")).header.Get("ETag")
			answers := make([]answer, 2)
			var wg sync.WaitGroup
			for i, role := range []string{"editor", "secretariat"} {
				wg.Go(func() {
					answers[i] = s.do(t, send("PATCH", "/v1/teams/alpha", fmt.Sprintf(`{"host":"Host %d of %s"}`, round, role)).with("If-Match", tag).by(role))
				})
			}
			wg.Wait()
			slices.SortFunc(answers, func(a, b answer) int { return a.status - b.status })
			if answers[0].status != 200 || answers[1].status != 412 {
				t.Fatalf("round %d: %d and %d, want 200 and 412: %s", round, answers[0].status, answers[1].status, answers[1].body)
			}
			p := problemIn(t, answers[1])
			if p.Code != "revision.stale" || where(p) != "/host" || !strings.Contains(p.Errors[0].Reason, "token:rct_") {
				t.Errorf("412 = %s, want it to say that host changed, and by whom", answers[1].body)
			}
		}
	})
}

func TestAuditTrail(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.do(t, patch(`{"host":"Elsewhere"}`).by("editor"))
		var page api.AuditPage
		s.do(t, get("/v1/audit?limit=1").by("operator")).into(t, 200, &page)
		e := page.Entries[0]
		if e.Action != "edit team" || e.Subject != "team:"+string(s.alpha.ID) || !slices.Equal(e.Fields, []string{"host"}) || !strings.HasPrefix(e.Actor, "token:rct_") {
			t.Errorf("newest entry = %+v, want the edit of alpha's host", e)
		}
		var older api.AuditPage
		s.do(t, get(fmt.Sprintf("/v1/audit?before=%d&limit=100", page.Next)).by("operator")).into(t, 200, &older)
		if len(older.Entries) == 0 || older.Entries[0].Seq != e.Seq-1 || older.Next != 0 {
			t.Errorf("older entries begin with %+v, want number %d and no more pages", older.Entries, e.Seq-1)
		}
	})
}

// TestBatchIsSingle holds the batch against the single lookup, query by query.
func TestBatchIsSingle(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		queries := []string{"192.0.2.1", "www.example.org", "x@example.org", "hxxps://www.example[.]org/a?b=c", "AT", "AS64496", "alpha", "ALPHA CSIRT", "nobody at all", strings.Repeat("A", 40)}
		body, err := json.Marshal(api.Queries{Queries: queries, Use: "abuse"})
		if err != nil {
			t.Fatal(err)
		}
		a := s.do(t, request{method: "POST", path: "/v1/lookup", body: string(body), as: "member"})
		var many api.Answers
		a.into(t, 200, &many)
		if a.header.Get("Content-Type") != "application/json" || len(many.Answers) != len(queries) {
			t.Fatalf("%d answers of type %s, want %d", len(many.Answers), a.header.Get("Content-Type"), len(queries))
		}
		for i, q := range queries {
			values := url.Values{"q": {q}, "use": {"abuse"}}
			var one api.Answer
			s.do(t, get("/v1/lookup?"+values.Encode()).by("member")).into(t, 200, &one)
			if diff := cmp.Diff(many.Answers[i], one); diff != "" {
				t.Errorf("%s in a batch and alone (-batch +alone):\n%s", q, diff)
			}
		}
	})
}
