package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/api/client"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// TestFresh makes the client again and compares.
func TestFresh(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "client.gen.go")
	cmd := exec.Command("go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", fresh, "../../openapi/openapi.yaml")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("client.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("client.gen.go is stale: run make generate")
	}
}

// serve starts a server with one team and returns its address and an
// operator's token.
func serve(t *testing.T) (string, string) {
	t.Helper()
	_, db := storetest.SQLite().Open(t)
	follower, err := directory.NewFollower(directory.FollowerConfig{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := directory.New(directory.Config{Store: db, Committed: follower.Sync})
	if err != nil {
		t.Fatal(err)
	}
	operator := directory.Principal{Name: "test", Role: directory.Operator, Scopes: directory.Scopes()}
	if _, err := dir.Create(t.Context(), operator, directory.NewTeam{Handle: "alpha", Profile: directory.Profile{
		Names:     directory.Names{Short: "Alpha"},
		Resources: []directory.Resource{{Type: "domain", Domain: "example.org"}},
		Contacts:  []directory.Contact{{Channel: "email", Value: "csirt@example.org"}},
	}}); err != nil {
		t.Fatal(err)
	}
	secret, _, err := dir.CreateToken(t.Context(), operator, directory.TokenSpec{Name: "t", Role: directory.Operator})
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.Config{Directory: dir, Index: follower.Index})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h.URL, secret
}

func TestClientAgainstServer(t *testing.T) {
	url, secret := serve(t)
	c, err := client.Open(url+"/", client.Options{Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	answer, err := c.LookupWithResponse(ctx, &client.LookupParams{Q: "www.example.org", Use: "abuse"})
	if err != nil {
		t.Fatal(err)
	}
	if a := answer.JSON200; a == nil || a.Status != client.AnswerStatusMatch || len(a.Candidates) != 1 || a.Candidates[0].Contact.Value != "csirt@example.org" {
		t.Errorf("lookup = %s, want csirt@example.org", answer.Body)
	}
	none, err := c.LookupWithResponse(ctx, &client.LookupParams{Q: "nobody.example"})
	if err != nil {
		t.Fatal(err)
	}
	if a := none.JSON200; a == nil || a.Status != client.AnswerStatusNone || len(a.Candidates) != 0 {
		t.Errorf("lookup of nobody = %s, want none", none.Body)
	}
	team, err := c.GetTeamWithResponse(ctx, "alpha")
	if err != nil {
		t.Fatal(err)
	}
	etag := team.Headers200.ETag
	changed, err := c.PatchTeamWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, "alpha", &client.PatchTeamParams{IfMatch: etag},
		client.PatchTeamApplicationMergePatchPlusJSONRequestBody{Host: "Example University"})
	if err != nil {
		t.Fatal(err)
	}
	if changed.JSON200 == nil || changed.JSON200.Host != "Example University" || changed.JSON200.Names.Short != "Alpha" {
		t.Errorf("patched = %s, want the new host and the old name", changed.Body)
	}
	stale, err := c.PatchTeamWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, "alpha", &client.PatchTeamParams{IfMatch: etag},
		client.PatchTeamApplicationMergePatchPlusJSONRequestBody{Host: "x"})
	if err != nil {
		t.Fatal(err)
	}
	failed, ok := errors.AsType[*client.StatusError](client.Failure(stale.HTTPResponse, stale.Body))
	if !ok || failed.Problem.Code != "revision.stale" || failed.Problem.RequestId == "" {
		t.Errorf("a stale patch fails with %v, want revision.stale", failed)
	}
}

func TestOpen(t *testing.T) {
	for _, bad := range []string{"", "example.org", "ftp://example.org", "https://", "https://example.org/?x=1", "https://example.org/#x", "://", "https://exa mple.org"} {
		if _, err := client.Open(bad, client.Options{}); !errors.Is(err, client.ErrAddress) {
			t.Errorf("Open(%q) = %v, want %v", bad, err, client.ErrAddress)
		}
	}
}

func TestTokensStayWithTheServer(t *testing.T) {
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	t.Cleanup(s.Close)
	c, err := client.Open(s.URL, client.Options{Token: "rct_secret"})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.MeWithResponse(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Failure(answer.HTTPResponse, answer.Body); err == nil || !strings.HasPrefix(err.Error(), "302") {
		t.Errorf("a redirect ends with %v, want it as an error", err)
	}
	if len(elsewhere) > 0 {
		t.Errorf("the client followed a redirect and sent %q", elsewhere)
	}
}

func TestFailureSaysWhatTheServerSays(t *testing.T) {
	problem, err := json.Marshal(client.Problem{Code: "team.unknown", Detail: "no team has this handle or id", RequestId: "r-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"a success", "anything", 204, ""},
		{"a problem", string(problem), 404, "no team has this handle or id (team.unknown, request r-1)"},
		{"a page of a proxy", "<html>", 502, "502 Bad Gateway"},
		{"JSON of somebody else", `{"error":"x"}`, 500, "500 Internal Server Error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := client.Failure(&http.Response{StatusCode: tt.status, Status: strings.TrimSpace(tt.want)}, []byte(tt.body)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("failure = %q, want %q", got, tt.want)
			}
		})
	}
}
