package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// TestExportRedaction asks for every format in every role, all teams and one:
// nothing shows a contact that the role does not see.
func TestExportRedaction(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		paths := []string{"/v1/teams/alpha/rfc2350"}
		for _, e := range format.Exporters() {
			paths = append(paths, "/v1/export/"+e.Name, "/v1/teams/alpha/export/"+e.Name)
		}
		for _, path := range paths {
			for _, role := range roles {
				for _, tlp := range []string{"", "?tlp=clear", "?tlp=amber+strict"} {
					a := s.do(t, get(path+tlp).by(role))
					if a.status != 200 {
						t.Fatalf("%s%s as %q = %d %s", path, tlp, role, a.status, a.body)
					}
					s.checkContacts(t, path+tlp, role, string(a.body))
				}
			}
		}
	})
}

// checkContacts looks for the contacts of team alpha, which are named after
// their labels.
func (s *scene) checkContacts(t *testing.T, path, role, body string) {
	t.Helper()
	body = strings.ReplaceAll(body, "\r\n ", "")
	for i, label := range []string{"clear", "green", "amber", "strict", "red"} {
		may := strings.Contains(strings.Join(seen[role], " "), label) && (!strings.Contains(path, "tlp=clear") || i == 0) && (!strings.Contains(path, "strict") || i < 4)
		shown := strings.Contains(body, label+"@example.org")
		if shown && !may || !shown && may && !strings.Contains(path, "keyring") {
			t.Errorf("%s as %q shows %s: %v, want %v", path, role, label, shown, may)
		}
	}
}

func TestExportTeams(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for path, want := range map[string][]string{
			"/v1/export/vcard":                    {"ALPHA-CSIRT", "BETA", "GAMMA"},
			"/v1/export/vcard?country=at":         {"ALPHA-CSIRT", "GAMMA"},
			"/v1/export/vcard?kind=soc":           {"BETA"},
			"/v1/export/vcard?forum=first":        {"ALPHA-CSIRT"},
			"/v1/export/vcard?sector=energy":      nil,
			"/v1/export/vcard?state=unverified":   {"ALPHA-CSIRT", "BETA"},
			"/v1/export/vcard?state=failed":       nil,
			"/v1/teams/beta/export/vcard":         {"BETA"},
			"/v1/teams/beta/export/vcard?tlp=red": {"BETA"},
		} {
			a := s.do(t, get(path))
			var got []string
			for l := range strings.Lines(string(a.body)) {
				if name, ok := strings.CutPrefix(l, "FN:"); ok {
					got = append(got, strings.TrimSpace(name))
				}
			}
			if a.status != 200 || strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s = %d %v, want %v", path, a.status, got, want)
			}
		}
		a := s.do(t, get("/v1/export/vcard"))
		if a.header.Get("Content-Type") != "text/vcard; charset=utf-8" || a.header.Get("Content-Disposition") != `attachment; filename=rollcall-vcard-2026-11-21.vcf` || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers of an export = %v", a.header)
		}
		if a := s.do(t, get("/v1/teams/"+string(s.beta.ID)+"/export/stix")); a.header.Get("Content-Disposition") != `attachment; filename=beta.json` {
			t.Errorf("headers of an export of one team = %v", a.header)
		}
	})
}

// A state of proof that only a hidden contact is in finds nothing.
func TestExportFindsNothingHidden(t *testing.T) {
	s := embedded(t)
	red := s.alpha.Contacts[4]
	_, err := s.dir.RecordEvidence(context.Background(), operator(), "alpha", directory.Evidence{Contact: red.ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: s.clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		role, query string
		want        bool
	}{{"", "", false}, {"consumer", "", false}, {"secretariat", "", false}, {"editor", "", true}, {"operator", "", true}, {"operator", "&tlp=clear", false}} {
		body := string(s.do(t, get("/v1/export/jscontact?state=verified"+tt.query).by(tt.role)).body)
		if got := strings.Contains(body, "ALPHA"); got != tt.want {
			t.Errorf("teams with a verified contact as %q%s hold alpha: %v, want %v", tt.role, tt.query, got, tt.want)
		}
	}
}

func TestDescriptionForms(t *testing.T) {
	s := embedded(t)
	_, err := s.dir.Edit(context.Background(), operator(), "beta", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		own.Prose = []directory.Section{{Number: "3.1", Language: "en", Text: "We guard."}, {Number: "3.1", Language: "de", Text: "Wir wachen."}}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ accept, query, media, want string }{
		{"", "", "application/json", `"number":"3.1","title":"Mission Statement","text":"We guard.","language":"en","source":"prose"`},
		{"*/*", "?lang=de-AT", "application/json", `"text":"Wir wachen.","language":"de"`},
		{"text/plain", "?lang=de", "text/plain; charset=utf-8", "\n3.1 Mission Statement\n\nWir wachen.\n"},
		{"text/markdown", "", "text/markdown; charset=utf-8", "\n### 3.1 Mission Statement\n\nWe guard.\n"},
		{"text/html", "?lang=de", "text/html; charset=utf-8", "<div lang=\"de\" dir=\"auto\">\n<p>Wir wachen.</p>"},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", "text/html; charset=utf-8", "<p>We guard.</p>"},
		{"text/html;q=0.2, text/markdown; q=0.9, application/json;q=0.5", "", "text/markdown; charset=utf-8", "### 3.1"},
		{"text/*", "?obfuscate=true", "text/plain; charset=utf-8", "beta(at)example(dot)net"},
		{"text/html;q=0, application/json;q=0.1", "", "application/json", "We guard."},
		{"text/html;q=x", "", "application/json", "We guard."},
		{"image/png", "", "application/json", "We guard."},
	} {
		q := get("/v1/teams/beta/rfc2350" + tt.query)
		if tt.accept != "" {
			q = q.with("Accept", tt.accept)
		}
		a := s.do(t, q)
		if a.status != 200 || a.header.Get("Content-Type") != tt.media || !strings.Contains(string(a.body), tt.want) || a.header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q%s = %d %s %.300s, want %s with %q", tt.accept, tt.query, a.status, a.header.Get("Content-Type"), a.body, tt.media, tt.want)
		}
		if policy := a.header.Get("Content-Security-Policy"); strings.HasPrefix(tt.media, "text/html") != strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("Content-Security-Policy of %s = %q", tt.media, policy)
		}
	}
}

// TestSecurityTxt has what everybody may see, whoever asks.
func TestSecurityTxt(t *testing.T) {
	s := embedded(t)
	for _, role := range []string{"", "operator"} {
		a := s.do(t, get("/v1/teams/alpha/security.txt?days=30&host=example.org&host=www.example.org&policy=https://example.org/disclosure").by(role))
		f, findings := securitytxt.Parse(a.body)
		findings = append(findings, f.Validate(s.clock.Now(), "https://www.example.org/.well-known/security.txt")...)
		if a.status != 200 || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || slices.ContainsFunc(findings, func(f verify.Finding) bool { return f.Severity != verify.Recommendation }) {
			t.Errorf("as %q: %d %s, findings %+v", role, a.status, a.body, findings)
		}
		if text := string(a.body); !strings.Contains(text, "Contact: mailto:clear@example.org\n") || strings.Contains(text, "green@") || !strings.Contains(text, "Policy: https://example.org/disclosure\n") {
			t.Errorf("as %q: %s", role, a.body)
		}
	}
}

// failing yields n teams with some weight and then an error.
func failing(n int, err error) format.Teams {
	return func(yield func(directory.Team, error) bool) {
		team := directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "x", Profile: directory.Profile{Constituency: directory.Constituency{Text: strings.Repeat("x", 4000)}}}
		for range n {
			if !yield(team, nil) {
				return
			}
		}
		yield(directory.Team{}, err)
	}
}

// TestExportIsNeverHalf breaks an export before and after its first piece: a
// client gets a problem, or an answer that is not whole.
func TestExportIsNeverHalf(t *testing.T) {
	s := embedded(t)
	server, err := api.New(api.Config{Directory: s.dir, Index: s.follow.Index, Now: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range format.Exporters() {
		if strings.HasPrefix(e.Name, "keyring") {
			continue // the teams have no keys; the way is the same
		}
		var teams format.Teams
		web := httptest.NewServer(api.Streaming(server, e, func() format.Teams { return teams }))
		defer web.Close()
		ask := func() (int, string, error) {
			r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, web.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := web.Client().Do(r)
			if err != nil {
				return 0, "", err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return resp.StatusCode, string(body), err
		}
		teams = failing(0, &directory.Error{Kind: directory.Unavailable, Op: "read teams", Err: errors.New("secret")})
		if status, body, err := ask(); err != nil || status != 503 || !strings.Contains(body, `"code":"server.unavailable"`) || strings.Contains(body, "secret") {
			t.Errorf("%s that fails at once = %d %s, %v; want a problem", e.Name, status, body, err)
		}
		teams = failing(200, errors.New("secret"))
		if status, body, err := ask(); err == nil || strings.Contains(body, "secret") {
			t.Errorf("%s that fails in the middle = %d, %d bytes, and no error for the client", e.Name, status, len(body))
		}
	}
}

// TestExportWithoutIndex asks before there is anything to export.
func TestExportWithoutIndex(t *testing.T) {
	server, _ := bare(t, api.Config{Index: noIndex})
	s := &scene{server: server}
	for _, e := range format.Exporters() {
		a := s.do(t, get("/v1/export/"+e.Name))
		if p := problemIn(t, a); p.Status != 503 || a.header.Get("Retry-After") == "" || a.header.Get("Content-Disposition") != "" {
			t.Errorf("%s without an index = %d %v, want 503 with Retry-After and no file", e.Name, p.Status, a.header)
		}
	}
}
