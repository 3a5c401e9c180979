package api_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/verify"
)

// proof begins a proof of alpha's control of its domain, unless there is one,
// and returns its path.
func (s *scene) proof() string {
	s.t.Helper()
	if _, _, err := s.dir.StartControl(context.Background(), operator(), "alpha", directory.NewControl{Domain: "example.org"}); err != nil {
		s.t.Fatal(err)
	}
	return "/v1/teams/alpha/control/example.org"
}

// looked lets the check of a proof come to what it saw, as a runner would.
func (s *scene) looked(t testing.TB, sight verify.Sight) {
	t.Helper()
	if _, err := s.dir.CheckControl(context.Background(), operator(), "alpha", "example.org"); err != nil {
		t.Fatal(err)
	}
	team, _ := s.follow.Index().Team(s.alpha.ID)
	c := team.Control("example.org")
	next := verify.Control{Digest: c.Digest, State: c.State, Since: c.Since, Seen: c.Seen, Missing: c.Missing}.Saw(sight, time.Time{}, "secure", s.clock.Now())
	s.concluded(t, s.alpha.ID, directory.ControlCheck, "domain:example.org", verify.Result{Control: &next})
}

// TestControl begins a proof, lets it be seen and lost, and watches what
// everybody sees of it.
func TestControl(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		const path = "/v1/teams/alpha/control/example.org"
		var begun api.DomainControl
		s.do(t, request{method: "PUT", path: path, body: `{"expiry":"2028-12-31"}`, as: "editor"}).into(t, 200, &begun)
		if r := begun.Record; begun.State != "waiting" || r == nil || r.Name != "_rollcall-challenge.example.org" || r.Type != "TXT" || len(r.Text) != len("token=")+32+len(" expiry=2028-12-31") {
			t.Fatalf("the proof that was begun is %+v with %+v", begun, begun.Record)
		}
		claim := func(want string) {
			t.Helper()
			var got format.Resource
			s.do(t, get("/v1/teams/alpha/resources/example.org")).into(t, 200, &got)
			var found api.Answer
			s.do(t, get("/v1/lookup?q=www.example.org")).into(t, 200, &found)
			if got.Claim != want || len(found.Candidates) == 0 || found.Candidates[0].Claim != want {
				t.Errorf("the claim is %q, and in a lookup %+v; want %q", got.Claim, found.Candidates, want)
			}
		}
		claim("")
		s.looked(t, verify.SightProved)
		claim("confirmed")
		for _, role := range roles {
			var one api.DomainControl
			a := s.do(t, get(path).by(role))
			a.into(t, 200, &one)
			holder := role == "editor" || role == "operator" || role == "reader"
			if one.State != "confirmed" || one.Seen.IsZero() || !one.Until.Equal(one.Seen.Add(directory.ControlLasts)) || one.DNSSEC != "secure" || one.Method != "check.domain-control" {
				t.Errorf("to %q the proof is %+v", role, one)
			}
			if (one.Record != nil) != holder || (one.Evidence != "") != holder || bytes.Contains(a.body, []byte(begun.Record.Text[6:38])) != holder {
				t.Errorf("%q is shown the record %+v and the evidence %q", role, one.Record, one.Evidence)
			}
			for _, other := range []string{"/v1/teams/alpha", "/v1/teams/alpha/control", "/v1/teams/alpha/verification", "/v1/lookup?q=example.org", "/v1/export/json", "/v1/snapshot", "/v1/changes?after=0"} {
				shown := bytes.Contains(s.do(t, get(other).by(role)).body, []byte(begun.Record.Text[6:38]))
				if shown != (holder && other == "/v1/teams/alpha/control") {
					t.Errorf("%s shows the token to %q: %v", other, role, shown)
				}
			}
		}
		s.clock.Advance(time.Hour)
		s.looked(t, verify.SightAbsent)
		claim("confirmed")
		s.clock.Advance(25 * time.Hour)
		s.looked(t, verify.SightAbsent)
		claim("")

		var again, renewed api.DomainControl
		s.do(t, request{method: "PUT", path: path, body: `{}`, as: "editor"}).into(t, 200, &again)
		if again.State != "lost" || again.Record.Text != begun.Record.Text[:39]+"expiry=never" {
			t.Errorf("begun again the proof is %+v with %+v, want as it was, but for the expiry", again, again.Record)
		}
		s.do(t, request{method: "POST", path: path + "/renew", as: "editor"}).into(t, 200, &renewed)
		if renewed.State != "waiting" || renewed.Record.Text == again.Record.Text || !renewed.Seen.IsZero() {
			t.Errorf("the new proof is %+v with %+v", renewed, renewed.Record)
		}
		s.clock.Advance(2 * time.Minute)
		var run api.ControlRun
		s.do(t, request{method: "POST", path: path + "/run", as: "editor"}).into(t, 202, &run)
		if a := s.do(t, request{method: "POST", path: path + "/run", as: "editor"}); a.status != 429 || a.header.Get("Retry-After") != "60" {
			t.Errorf("a second look at once = %d, Retry-After %q; want 429, 60", a.status, a.header.Get("Retry-After"))
		}
		if a := s.do(t, request{method: "DELETE", path: path, as: "editor"}); a.status != 204 {
			t.Errorf("withdrawing = %d: %s", a.status, a.body)
		}
		if a := s.do(t, get(path).by("editor")); a.status != 404 {
			t.Errorf("the proof that was withdrawn = %d, want 404", a.status)
		}
	})
}

// TestControlHidden: of a domain that is hidden nothing is said.
func TestControlHidden(t *testing.T) {
	s := embedded(t)
	path := s.proof()
	s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
		for i := range own.Resources {
			own.Resources[i].Visibility = directory.Amber
		}
	})
	for role, want := range map[string]int{"": 404, "consumer": 404, "other": 404, "secretariat": 200, "editor": 200} {
		if a := s.do(t, get(path).by(role)); a.status != want {
			t.Errorf("a proof for a domain that is AMBER to %q = %d, want %d", role, a.status, want)
		}
		var list api.DomainControlList
		s.do(t, get("/v1/teams/alpha/control").by(role)).into(t, 200, &list)
		if (len(list.Controls) == 1) != (want == 200) {
			t.Errorf("the list of proofs for %q has %d", role, len(list.Controls))
		}
	}
}

// TestControlLabel: an instance may have a label of its own.
func TestControlLabel(t *testing.T) {
	s := embedded(t).changed(t, func(c *api.Config) { c.ControlLabel = "_example-challenge" })
	var one api.DomainControl
	s.do(t, get(s.proof()).by("operator")).into(t, 200, &one)
	if one.Record == nil || one.Record.Name != "_example-challenge.example.org" {
		t.Errorf("the record is %+v", one.Record)
	}
}
