package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

func TestTranscript(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		hash := s.transcript()
		path := "/v1/teams/alpha/verification/evidence/" + hash
		a := s.do(t, get(path).by("editor"))
		sum := sha256.Sum256(a.body)
		if a.status != 200 || hex.EncodeToString(sum[:]) != hash || a.header.Get("Content-Type") != "application/json" || a.header.Get("Content-Disposition") != `attachment; filename="`+hash+`.json"` {
			t.Fatalf("transcript = %d %v %s", a.status, a.header, a.body)
		}
		saw, err := verify.DecodeTranscript(a.body)
		if err != nil || saw.Check != "mx" || saw.Target.Claims.Team != s.alpha.ID {
			t.Errorf("transcript = %+v, %v", saw, err)
		}
		// By the name of another team it is not to be had.
		if p := problemIn(t, s.do(t, get("/v1/teams/beta/verification/evidence/"+hash).by("other"))); p.Status != 404 || p.Code != "checks.evidence" {
			t.Errorf("the transcript of another team = %+v", p)
		}
		// What a team was shown stays with it when it becomes part of another.
		if _, err := s.dir.Merge(context.Background(), operator(), "alpha", "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		if a := s.do(t, get("/v1/teams/beta/verification/evidence/"+hash).by("other")); a.status != 200 {
			t.Errorf("after a merge the editor of the team that stays gets %d", a.status)
		}
	})
}

func TestRunVerification(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
		s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", verify.Result{})
		run := request{method: http.MethodPost, path: "/v1/teams/alpha/verification/run", as: "editor"}
		var out api.ChecksRun
		s.do(t, run).into(t, 202, &out)
		at := s.clock.Now()
		want := api.ChecksRun{Team: api.TeamRef{ID: string(s.alpha.ID), Handle: "alpha", Name: "ALPHA-CSIRT"}, Count: 2,
			Due: []api.DueCheck{{"mx", "domain", "example.org", at}, {"smimea", "contact", "red@example.org", at}}}
		if d := cmp.Diff(want, out); d != "" {
			t.Errorf("run (-want +got):\n%s", d)
		}
		s.clock.Advance(time.Minute)
		a := s.do(t, run)
		if p := problemIn(t, a); p.Status != 429 || p.Code != "checks.too-soon" || a.header.Get("Retry-After") != "540" {
			t.Errorf("again after a minute = %+v, Retry-After %q", p, a.header.Get("Retry-After"))
		}
		if a := s.do(t, run.by("operator")); a.status != 202 {
			t.Errorf("an operator after a minute = %d, want 202", a.status)
		}
		if err := s.dir.PauseChecks(context.Background(), operator(), "", false, ""); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(10 * time.Minute)
		if s.do(t, run).into(t, 202, &out); !out.Paused {
			t.Errorf("while all is paused = %+v", out)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var p api.CheckPauses
		s.do(t, send("POST", "/v1/verification/pause", `{"why":"a new resolver","now":true}`)).into(t, 200, &p)
		s.do(t, send("POST", "/v1/verification/pause", `{"check":"mx"}`)).into(t, 200, &p)
		if len(p.Pauses) != 2 || p.Pauses[0].Check != "" || p.Pauses[0].Why != "a new resolver" || !p.Pauses[0].Now || p.Pauses[0].By == "" || p.Pauses[1].Check != "mx" || !p.Pauses[1].At.Equal(s.clock.Now()) {
			t.Errorf("pauses = %+v", p)
		}
		var list api.CheckList
		s.do(t, get("/v1/checks").by("reader")).into(t, 200, &list)
		if list.Engine == nil || !list.Engine.Paused || len(list.Engine.Pauses) != 2 {
			t.Errorf("engine = %+v", list.Engine)
		}
		s.do(t, send("POST", "/v1/verification/resume", `{}`)).into(t, 200, &p)
		if len(p.Pauses) != 1 || p.Pauses[0].Check != "mx" {
			t.Errorf("after all go on = %+v", p)
		}
		s.do(t, send("POST", "/v1/verification/resume", `{"check":"mx"}`)).into(t, 200, &p)
		if len(p.Pauses) != 0 || p.Settled != 0 {
			t.Errorf("after mx goes on = %+v", p)
		}
		// What the guard stopped goes on only when somebody says what becomes of what it holds back.
		err := s.db.Update(context.Background(), func(tx directory.Tx) error {
			return tx.PutPause(directory.Pause{Guard: true, By: "guard", Why: "9 of 10", At: s.clock.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
		if p := problemIn(t, s.do(t, send("POST", "/v1/verification/resume", `{}`))); p.Status != 409 || p.Code != "checks.guard" {
			t.Errorf("going on after the guard = %+v", p)
		}
		if s.do(t, send("POST", "/v1/verification/resume", `{"held":"accept"}`)).into(t, 200, &p); len(p.Pauses) != 0 {
			t.Errorf("after held verdicts were accepted = %+v", p)
		}
	})
}
