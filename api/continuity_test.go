package api_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// signer is a key with its private half.
func signer(t testing.TB) (*openpgp.Entity, directory.TeamKey) {
	t.Helper()
	at := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	e, err := openpgp.NewEntity("Alpha", "", "clear@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	k, _, err := directory.ParseKey(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return e, directory.TeamKey{Key: k}
}

func statementBy(t testing.TB, e *openpgp.Entity, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, e.PrivateKey, &packet.Config{Time: func() time.Time { return time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) }})
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"statement": b.String()})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantRefusal(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status || !strings.Contains(string(a.body), `"code":"`+code+`"`) {
		t.Errorf("answer = %d %s, want %d %s", a.status, a.body, status, code)
	}
}

// TestKeyContinuity has a key follow another, and shows to each what of it they may see.
func TestKeyContinuity(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		old, first := signer(t)
		_, next := signer(t)
		enter := func(keys ...directory.TeamKey) {
			s.edit("alpha", func(_ *directory.Team, own *directory.Profile) { own.Keys = keys })
		}
		enter(first)
		enter(first, next)
		list := func(role string) api.KeySuccessionList {
			t.Helper()
			var got api.KeySuccessionList
			s.do(t, get("/v1/teams/alpha/continuity").by(role)).into(t, 200, &got)
			return got
		}
		got := list("")
		if len(got.Keys) != 2 || got.Keys[0].State != "first" || !got.Keys[0].Trusted || got.Keys[1].State != "waiting" || got.Keys[1].Trusted {
			t.Fatalf("continuity = %+v", got)
		}
		if k := got.Keys[1]; !k.Until.Equal(k.Since.Add(directory.KeyWait)) || !slices.Equal(k.Predecessors, []string{string(first.Fingerprint)}) || k.By != "" {
			t.Errorf("the key that waits is %+v", k)
		}
		if k := list("editor").Keys[1]; k.By != operator().Name {
			t.Errorf("the team sees it entered by %q", k.By)
		}
		// It is shown, and marked.
		for _, path := range []string{"/v1/teams/alpha", "/v1/teams/alpha/keys", "/v1/teams/alpha/keys/" + string(next.Fingerprint)} {
			if body := s.do(t, get(path)).body; strings.Count(string(body), `"continuity":"unproven"`) != 1 {
				t.Errorf("%s does not mark the key: %s", path, body)
			}
		}
		var found api.Answer
		s.do(t, get("/v1/lookup?q="+string(next.Fingerprint))).into(t, 200, &found)
		if len(found.Candidates) != 1 || found.Candidates[0].Continuity != "unproven" || !strings.HasSuffix(found.Candidates[0].Why, ", which is unproven") {
			t.Errorf("a lookup of the key says %+v", found.Candidates)
		}
		var digest api.Digest
		s.do(t, get("/v1/teams/alpha/digest")).into(t, 200, &digest)
		if i := slices.IndexFunc(digest.Items, func(i api.DigestItem) bool { return i.Code == "pgpkey.successor-unproven" }); i < 0 || digest.Items[i].Advice == "" || digest.Items[i].Due.IsZero() {
			t.Errorf("the digest does not tell of the key: %+v", digest.Items)
		}
		at := "/v1/teams/alpha/keys/" + string(next.Fingerprint)
		s.do(t, request{method: "POST", path: at + "/vouch", body: `{"note":"called"}`, as: "operator"}).into(t, 200, &got.Keys[1])
		if k := got.Keys[1]; k.State != "waiting" || len(k.Grounds) != 1 || k.Grounds[0].Note != "called" || !strings.HasPrefix(k.Grounds[0].By, "token:") {
			t.Errorf("after one word: %+v", k)
		}
		wantRefusal(t, s.do(t, request{method: "POST", path: at + "/vouch", body: `{"note":"called again"}`, as: "operator"}), 409, "continuity.vouched")
		wantRefusal(t, s.do(t, request{method: "POST", path: at + "/vouch", body: `{"note":" "}`, as: "operator"}), 422, "continuity.note")
		wantRefusal(t, s.do(t, request{method: "POST", path: at + "/vouch", body: `{"note":"it is ours"}`, as: "editor"}), 403, "auth.role")
		wantRefusal(t, s.do(t, request{method: "POST", path: "/v1/teams/alpha/keys/" + string(first.Fingerprint) + "/vouch", body: `{"note":"called"}`, as: "operator"}), 409, "continuity.first")
		wantRefusal(t, s.do(t, request{method: "POST", path: at + "/statement", body: statementBy(t, old, "good morning\n"), as: "editor"}), 422, "continuity.fingerprint")
		var k api.KeySuccession
		s.do(t, request{method: "POST", path: strings.ToLower(at) + "/statement", body: statementBy(t, old, "new: "+string(next.Fingerprint)+"\n"), as: "editor"}).into(t, 200, &k)
		if k.State != "proven" || !k.Trusted || len(k.Grounds) != 2 || k.Grounds[1].Ground != "stated" || k.Grounds[1].Old != string(first.Fingerprint) {
			t.Errorf("after the statement: %+v", k)
		}
		if k := list("consumer").Keys[1]; k.State != "proven" || len(k.Grounds) != 2 || k.Grounds[0].By+k.Grounds[0].Note+k.Grounds[1].Note != "" {
			t.Errorf("others see %+v", k)
		}
		s.do(t, get("/v1/teams/alpha/digest")).into(t, 200, &digest)
		if slices.ContainsFunc(digest.Items, func(i api.DigestItem) bool { return i.Code == "pgpkey.successor-unproven" }) {
			t.Error("the digest still tells of the key")
		}
		enter(next)
		if got := list(""); len(got.Former) != 1 || got.Former[0].Fingerprint != string(first.Fingerprint) || got.Keys[0].State != "proven" {
			t.Errorf("after the old key left: %+v", got)
		}
		s.do(t, request{method: "POST", path: at + "/refuse", body: `{"note":"not ours"}`, as: "editor"}).into(t, 200, &k)
		if k.State != "refused" || k.Trusted || k.Refusal == nil || k.Refusal.Why != "not ours" || k.Grounds[0].Holds {
			t.Errorf("after it was refused: %+v", k)
		}
		wantRefusal(t, s.do(t, request{method: "POST", path: at + "/refuse", body: `{"note":"not ours"}`, as: "editor"}), 409, "continuity.refused")
	})
}
