package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// raw asks without the client's own Accept-Encoding and redirects.
func (s *scene) raw(t testing.TB, method, path string, header map[string]string, body []byte) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.server.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, text}
}

func unzip(t testing.TB, text []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func zip(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompressedAnswers(t *testing.T) {
	s := embedded(t)
	for _, tt := range []struct {
		name, method, path, accept string
		zipped                     bool
	}{
		{"a long answer", "GET", "/openapi.json", "gzip", true},
		{"a list", "GET", "/v1/teams", "gzip", true},
		{"among others", "GET", "/openapi.json", "br, deflate, gzip;q=0.8", true},
		{"anything", "GET", "/openapi.json", "*", true},
		{"by its old name", "GET", "/openapi.json", "x-gzip", true},
		{"figures", "GET", "/metrics", "gzip", true},
		{"nothing asked for", "GET", "/openapi.json", "", false},
		{"refused", "GET", "/openapi.json", "gzip;q=0", false},
		{"refused among anything", "GET", "/openapi.json", "*, gzip;q=0", false},
		{"anything refused", "GET", "/openapi.json", "*;q=0", false},
		{"plain preferred", "GET", "/openapi.json", "identity, gzip;q=0.5", false},
		{"a weight that is none", "GET", "/openapi.json", "gzip;q=high", false},
		{"another coding only", "GET", "/openapi.json", "br", false},
		{"a short answer", "GET", "/v1/me", "gzip", false},
		{"a short problem", "GET", "/v1/teams/nobody", "gzip", false},
		{"a lookup", "GET", "/v1/lookup?q=192.0.2.1", "gzip", false},
		{"what watches the server", "GET", "/healthz", "gzip", false},
		{"a head", "HEAD", "/openapi.json", "gzip", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plain := s.raw(t, tt.method, tt.path, nil, nil)
			a := s.raw(t, tt.method, tt.path, map[string]string{"Accept-Encoding": tt.accept}, nil)
			if got := a.header.Get("Content-Encoding") == "gzip"; got != tt.zipped {
				t.Fatalf("compressed: %v, want %v (%v)", got, tt.zipped, a.header)
			}
			if tt.zipped {
				a.body = unzip(t, a.body)
			}
			if a.status != plain.status || tt.path != "/metrics" && !strings.Contains(tt.path, "nobody") && !bytes.Equal(a.body, plain.body) {
				t.Errorf("status %d and %d bytes, want those of the plain answer, %d and %d", a.status, len(a.body), plain.status, len(plain.body))
			}
			if tt.method != "HEAD" && tt.path != "/healthz" && !strings.Contains(tt.path, "lookup") && !strings.Contains(tt.path, "/teams/") && plain.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("Vary = %q, want Accept-Encoding on the plain answer too", plain.header.Get("Vary"))
			}
			if a.header.Get("Content-Type") != plain.header.Get("Content-Type") {
				t.Errorf("Content-Type = %q, want %q", a.header.Get("Content-Type"), plain.header.Get("Content-Type"))
			}
		})
	}
}

func TestCompressedBodies(t *testing.T) {
	s := embedded(t)
	good := []byte(`{"queries":["192.0.2.1"]}`)
	bomb := append([]byte(`{"queries":["`), bytes.Repeat([]byte("x"), 8<<20)...)
	for _, tt := range []struct {
		name, coding string
		body         []byte
		status       int
		code         string
	}{
		{"gzip", "gzip", zip(t, good), 200, ""},
		{"gzip in capitals", "GZIP", zip(t, good), 200, ""},
		{"identity", "identity", good, 200, ""},
		{"not gzip at all", "gzip", good, 400, "body.unreadable"},
		{"gzip cut short", "gzip", zip(t, good)[:20], 400, "body.unreadable"},
		{"gzip of nothing", "gzip", zip(t, nil), 400, "body.missing"},
		{"another coding", "br", good, 415, "body.encoding"},
		{"twice", "gzip, gzip", zip(t, zip(t, good)), 415, "body.encoding"},
		{"more than the limit", "gzip", zip(t, bomb), 413, "body.too-large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.do(t, request{method: "POST", path: "/v1/lookup", body: string(tt.body), header: map[string]string{"Content-Encoding": tt.coding}})
			if a.status != tt.status {
				t.Fatalf("status = %d, want %d: %s", a.status, tt.status, a.body)
			}
			if tt.code != "" {
				if p := problemIn(t, a); p.Code != tt.code {
					t.Errorf("code = %s, want %s", p.Code, tt.code)
				}
			}
			if tt.status == 415 && a.header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("Accept-Encoding = %q, want what would be right", a.header.Get("Accept-Encoding"))
			}
		})
	}
}

// TestZipWriter drives the writer as handlers do that stream, panic, or know
// better.
func TestZipWriter(t *testing.T) {
	long := strings.Repeat("a line of text\n", 1000)
	for _, tt := range []struct {
		name   string
		serve  http.HandlerFunc
		zipped bool
		status int
		want   string
	}{
		{"in small writes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(201)
			for line := range strings.Lines(long) {
				_, _ = io.WriteString(w, line)
			}
		}, true, 201, long},
		{"flushed before it is long", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, "{}\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("Flush = %v, want nil", err)
			}
			_, _ = io.WriteString(w, "{}\n")
		}, true, 200, "{}\n{}\n"},
		{"a deadline passes through", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			c := http.NewResponseController(w)
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Errorf("SetReadDeadline = %v, want nil", err)
			}
			if err := c.EnableFullDuplex(); err != nil {
				t.Errorf("EnableFullDuplex = %v, want nil", err)
			}
			_, _ = io.WriteString(w, "x")
		}, false, 200, "x"},
		{"compressed already", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(t, []byte(long)))
		}, true, 200, long},
		{"a type that is not worth it", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/gzip")
			_, _ = io.WriteString(w, long)
		}, false, 200, long},
		{"short by its own word", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "ok")
		}, false, 200, "ok"},
		{"long by its own word", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "15000")
			_, _ = io.WriteString(w, long)
		}, true, 200, long},
		{"a status without a body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, false, 204, ""},
		{"a status alone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, false, 404, ""},
		{"nothing at all", func(http.ResponseWriter, *http.Request) {}, false, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(api.Zipped(tt.serve))
			defer server.Close()
			a := (&scene{server: server}).raw(t, "GET", "/", nil, nil)
			if got := a.header.Get("Content-Encoding") == "gzip"; got != tt.zipped {
				t.Fatalf("compressed: %v, want %v", got, tt.zipped)
			}
			if tt.zipped {
				a.body = unzip(t, a.body)
			}
			if a.status != tt.status || string(a.body) != tt.want {
				t.Errorf("%d with %d bytes, want %d with %d", a.status, len(a.body), tt.status, len(tt.want))
			}
		})
	}
}

// TestZipWriterCut proves that half a compressed answer does not look whole.
func TestZipWriterCut(t *testing.T) {
	server := httptest.NewServer(api.Zipped(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("half an answer of %d bytes was read without an error", len(text))
	}
}

func TestCORS(t *testing.T) {
	const portal, stranger = "https://portal.example.org", "https://stranger.example.net"
	open := embedded(t)
	configured := open.changed(t, func(c *api.Config) { c.CORSOrigins = []string{portal} })
	for _, tt := range []struct {
		name           string
		s              *scene
		method, path   string
		origin, wanted string // wanted: Access-Control-Request-Method
		allow, methods string
	}{
		{"a public page", open, "GET", "/v1/teams", stranger, "", "*", ""},
		{"a lookup", open, "GET", "/v1/lookup?q=192.0.2.1", stranger, "", "*", ""},
		{"a head", open, "HEAD", "/v1/teams", stranger, "", "*", ""},
		{"the document", open, "GET", "/openapi.json", stranger, "", "*", ""},
		{"a sandboxed page", open, "GET", "/v1/teams", "null", "", "*", ""},
		{"what needs a token", open, "GET", "/v1/audit", stranger, "", "", ""},
		{"a change", open, "POST", "/v1/teams", stranger, "", "", ""},
		{"no operation", open, "GET", "/nothing", stranger, "", "", ""},
		{"asking first", open, "OPTIONS", "/v1/teams", stranger, "GET", "*", "GET, HEAD"},
		{"asking first for a change", open, "OPTIONS", "/v1/teams", stranger, "POST", "", ""},
		{"asking first for what needs a token", open, "OPTIONS", "/v1/audit", stranger, "GET", "", ""},

		{"a page of ours", configured, "GET", "/v1/audit", portal, "", portal, ""},
		{"a page of ours asking first", configured, "OPTIONS", "/v1/teams", portal, "POST", portal, "GET, HEAD, POST, OPTIONS"},
		{"a public page beside ours", configured, "GET", "/v1/teams", stranger, "", "*", ""},
		{"a stranger beside ours", configured, "OPTIONS", "/v1/teams", stranger, "POST", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{"Origin": tt.origin}
			if tt.wanted != "" {
				header["Access-Control-Request-Method"] = tt.wanted
			}
			h := tt.s.raw(t, tt.method, tt.path, header, nil).header
			if got := h.Get("Access-Control-Allow-Origin"); got != tt.allow {
				t.Errorf("Access-Control-Allow-Origin = %q, want %q", got, tt.allow)
			}
			if got := h.Get("Access-Control-Allow-Methods"); got != tt.methods {
				t.Errorf("Access-Control-Allow-Methods = %q, want %q", got, tt.methods)
			}
			if h.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed, want never")
			}
			if sent := h.Get("Access-Control-Allow-Headers"); tt.methods != "" && strings.Contains(sent, "Authorization") != (tt.allow == portal) {
				t.Errorf("Access-Control-Allow-Headers = %q for %s", sent, tt.allow)
			}
			if exposed := h.Get("Access-Control-Expose-Headers"); tt.allow != "" && tt.wanted == "" && !strings.Contains(exposed, "ETag") {
				t.Errorf("Access-Control-Expose-Headers = %q, want ETag among them", exposed)
			}
			if varies := slices.Contains(h.Values("Vary"), "Origin"); varies != (tt.s == configured) {
				t.Errorf("Vary = %q, want Origin: %v", h.Values("Vary"), tt.s == configured)
			}
		})
	}
	if h := open.raw(t, "GET", "/v1/teams", nil, nil).header; h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %v, want nothing about origins", h)
	}
}

func TestMethods(t *testing.T) {
	s := embedded(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"OPTIONS", "/v1/teams", 204, "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/v1/lookup", 204, "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/healthz", 204, "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/nothing", 404, ""},
		{"PUT", "/healthz", 405, "GET, HEAD, OPTIONS"},
		{"TRACE", "/v1/teams", 405, "GET, HEAD, POST, OPTIONS"},
	} {
		a := s.raw(t, tt.method, tt.path, nil, nil)
		if a.status != tt.status || a.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s = %d, Allow %q, want %d, %q", tt.method, tt.path, a.status, a.header.Get("Allow"), tt.status, tt.allow)
		}
	}
	// Every GET has its HEAD, without a body.
	for _, op := range operations() {
		if op.method != "GET" || strings.Contains(op.path, "{") {
			continue
		}
		path := op.path
		if path == "/v1/lookup" {
			path += "?q=192.0.2.1"
		}
		token := map[string]string{"Authorization": "Bearer " + s.tokens["operator"]}
		get, head := s.raw(t, "GET", path, token, nil), s.raw(t, "HEAD", path, token, nil)
		if head.status != get.status || len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s = %d %s with %d bytes, want %d %s and none", path, head.status, head.header.Get("Content-Type"), len(head.body), get.status, get.header.Get("Content-Type"))
		}
	}
}

func TestAccept(t *testing.T) {
	s := embedded(t)
	for _, tt := range []struct {
		name, path, accept string
		status             int
	}{
		{"nothing said", "/v1/teams", "", 200},
		{"anything", "/v1/teams", "*/*", 200},
		{"JSON", "/v1/teams", "application/json", 200},
		{"any application", "/v1/teams", "application/*", 200},
		{"a browser", "/v1/teams", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200},
		{"in capitals", "/v1/teams", "Application/JSON", 200},
		{"with a parameter", "/v1/teams", "application/json;charset=utf-8;q=0.1", 200},
		{"HTML only", "/v1/teams", "text/html", 406},
		{"anything but JSON", "/v1/teams", "*/*, application/json;q=0", 406},
		{"XML from a lookup", "/v1/lookup?q=192.0.2.1", "application/xml", 406},
		{"JSON from a lookup", "/v1/lookup?q=192.0.2.1", "application/json", 200},
		{"text from the figures", "/metrics", "text/plain;version=0.0.4;q=0.5", 200},
		{"JSON from the figures", "/metrics", "application/json", 406},
		{"a document in YAML", "/openapi.yaml", "text/html", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := get(tt.path)
			if tt.accept != "" {
				q = q.with("Accept", tt.accept)
			}
			a := s.do(t, q)
			if a.status != tt.status {
				t.Fatalf("Accept %q = %d, want %d", tt.accept, a.status, tt.status)
			}
			if a.status == 406 {
				if p := problemIn(t, a); p.Code != "request.accept" || where(p) != "Accept" || p.Errors[0].Want == "" {
					t.Errorf("problem = %+v, want request.accept that says what there is", p)
				}
			}
		})
	}
}

// TestRoot sends browsers to the documentation, and programs nowhere.
func TestRoot(t *testing.T) {
	s := embedded(t)
	a := s.raw(t, "GET", "/", map[string]string{"Accept": "text/html,*/*;q=0.8"}, nil)
	if a.status != 303 || a.header.Get("Location") != "/docs" {
		t.Errorf("a browser at the root = %d to %q, want 303 to /docs", a.status, a.header.Get("Location"))
	}
	for _, accept := range []string{"*/*", "application/json", "text/html;q=0"} {
		if a := s.raw(t, "GET", "/", map[string]string{"Accept": accept}, nil); a.status != 404 {
			t.Errorf("%s at the root = %d, want 404", accept, a.status)
		}
	}
}

// TestSlowBody sends a body that never ends: the server gives up.
func TestSlowBody(t *testing.T) {
	s := embedded(t)
	handler, err := api.New(api.Config{Directory: s.dir, Index: func() *directory.Index { return nil }, BatchPatience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/lookup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout || !bytes.Contains(text, []byte("body.timeout")) {
		t.Errorf("a body that does not come = %d %s (%v), want 408 body.timeout", resp.StatusCode, text, err)
	}
}

// TestBadTokenEverywhere: a token that is none is refused where none is needed, too, and the document says so.
func TestBadTokenEverywhere(t *testing.T) {
	s, n := embedded(t), 0
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(s.do(t, get("/openapi.json")).body, &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			if !strings.HasPrefix(path, "/v1/") {
				continue
			}
			n++
			if op.Responses["401"] == nil {
				t.Errorf("%s %s does not say that a bad token is refused", method, path)
			}
		}
	}
	for _, path := range []string{"/v1/problems", "/v1/teams"} {
		if a := s.do(t, request{method: "GET", path: path, header: map[string]string{"Authorization": "Bearer rct_none_none"}}); a.status != 401 {
			t.Errorf("%s with a bad token: %d", path, a.status)
		}
	}
	if n < 100 {
		t.Errorf("%d operations looked at", n)
	}
}
