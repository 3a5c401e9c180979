package web_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/rollcall-csirt/rollcall/serve/web"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// desk answers with a real challenge and real secrets: what the page leads to is
// what the machine says.
type desk struct {
	mu      sync.Mutex
	key     challenge.Key
	policy  challenge.Policy
	c       challenge.Challenge
	secrets challenge.Secrets
	looks   int
	metas   []web.Meta
	broken  error
	team    string
	confirm bool
	said    web.Said // to whoever asks for a new code; "" is taken

	notice web.Status // of the link "notice"
	sure   int        // confirmations
	silent int        // wishes to get no more notices
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	key, err := challenge.NewKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := challenge.Preset(challenge.PresetHalfYearly)
	c := challenge.Challenge{ID: "c1", Team: "t1", Contact: "k1", Revision: 1, Channel: "email", Address: "cert@example.org", Kind: challenge.KindCode, State: challenge.StateScheduled, Due: noon}
	for _, kind := range []challenge.EventKind{challenge.EventDue, challenge.EventAccepted} {
		c, _ = challenge.Step(c, challenge.Event{Kind: kind}, noon, p)
	}
	secrets, issue, err := key.Issue(zero{}, &c, c.Expiry(p, noon), false)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{key: key, policy: p, c: c.WithIssue(challenge.StepFirst, issue), secrets: secrets, team: "CERT <Example> & Söhne"}
}

// zero is randomness that isn't.
type zero struct{}

func (zero) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i * 37)
	}
	return len(b), nil
}

func (d *desk) view(token string) web.View {
	checked := d.key.CheckToken(&d.c, token, noon)
	v := web.View{Team: d.team, Expires: noon.AddDate(0, 0, 45), Confirm: d.confirm, NewCode: true}
	v.Status = map[challenge.Result]web.Status{challenge.Right: web.Open, challenge.Locked: web.Locked, challenge.Expired: web.Expired, challenge.Used: web.Used}[checked.Result]
	if v.Status == "" {
		return web.View{Status: web.Unknown}
	}
	return v
}

func (d *desk) Show(_ context.Context, token string) (web.View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return d.view(token), d.broken
}

func (d *desk) Answer(_ context.Context, token, code string, choice web.Choice, meta web.Meta) (web.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.metas = append(d.metas, meta)
	if choice == web.NewCode || choice == web.Confirm {
		return web.Result{Said: cmp.Or(d.said, web.SaidTaken), View: d.view(token)}, d.broken
	}
	checked := d.key.CheckCode(&d.c, token, code, noon)
	event := map[web.Choice]challenge.EventKind{web.ForTeam: challenge.EventCodeRight, web.WrongAddress: challenge.EventWrongAddress, web.PleaseCall: challenge.EventPleaseCall}[choice]
	said := map[challenge.Result]web.Said{challenge.Right: web.SaidTaken, challenge.Wrong: web.SaidWrong, challenge.Locked: web.SaidLocked, challenge.Expired: web.SaidExpired,
		challenge.Used: web.SaidUsed, challenge.Unknown: web.SaidUnknown}[checked.Result]
	if checked.Result == challenge.Wrong {
		event = challenge.EventCodeWrong
	}
	view := d.view(token)
	if checked.Result == challenge.Right || checked.Result == challenge.Wrong {
		d.c, _ = challenge.Step(d.c, challenge.Event{Kind: event, Step: checked.Step}, noon, d.policy)
	}
	return web.Result{Said: said, Left: checked.Left, View: view}, d.broken
}

// serve returns a client for the page of d.
func serve(t *testing.T, d *desk, rate web.Rate) *http.ServeMux {
	t.Helper()
	page, err := web.New(web.Config{Answers: d, Notices: d, Operator: "Example Forum", Now: func() time.Time { return noon }, Rate: rate})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	page.Register(mux)
	return mux
}

func send(mux http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

func get(mux http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return send(mux, r)
}

func post(mux http.Handler, path string, fields ...string) *http.Response {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(mux, r)
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLookingChangesNothing is the mail scanner: GET and HEAD, many times, with
// what it found in the link. The page shows nothing that the mail said.
func TestLookingChangesNothing(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	before := d.c
	for _, path := range []string{"", "?lang=fr", "?code=" + d.secrets.Code + "&choice=team"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
			r := get(mux, method, "/answer/"+d.secrets.Token+path)
			text := body(t, r)
			if r.StatusCode != http.StatusOK || (method == http.MethodHead) != (text == "") {
				t.Errorf("%s %s = %d with %d octets", method, path, r.StatusCode, len(text))
			}
			for _, secret := range []string{d.secrets.Token, d.secrets.Code, d.secrets.Nonce, d.c.Address, string(d.c.ID), string(d.c.State)} {
				if strings.Contains(text, secret) {
					t.Errorf("%s %s shows %q", method, path, secret)
				}
			}
		}
	}
	if d.c.State != before.State || len(d.metas) != 0 || d.looks != 9 {
		t.Errorf("after looking: %s, %d answers, %d looks", d.c.State, len(d.metas), d.looks)
	}
}

// TestScannerSubmits is the scanner that fills in forms: it has the link, the
// buttons and every value in the page, and not the code.
func TestScannerSubmits(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	for _, fields := range [][]string{{}, {"choice", "team"}, {"choice", "team", "code", ""}, {"choice", "team", "code", " "}, {"code", d.secrets.Code}, {"choice", "nonsense", "code", d.secrets.Code}} {
		r := post(mux, "/answer/"+d.secrets.Token+"?code="+d.secrets.Code+"&choice=team", fields...)
		if text := body(t, r); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text, `role="alert"`) {
			t.Errorf("POST %v = %d", fields, r.StatusCode)
		}
	}
	if len(d.metas) != 0 || d.c.State != challenge.StateSent || d.c.Postings[0].Attempts != 0 {
		t.Errorf("a form without code or choice reached the machine: %d answers, %s", len(d.metas), d.c.State)
	}
	if r := post(mux, "/answer/"+d.secrets.Token, "choice", "team", "code", d.secrets.Token[:8]); r.StatusCode != http.StatusUnprocessableEntity || d.c.Reached != 0 {
		t.Errorf("a code made of the link = %d, level %d", r.StatusCode, d.c.Reached)
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		choice web.Choice
		state  challenge.State
		says   string
	}{
		{web.ForTeam, challenge.StateAnswered, "has been recorded"},
		{web.WrongAddress, challenge.StateClosed, "look for the right address"},
		{web.PleaseCall, challenge.StateSent, "will call the number"},
	}
	for _, tt := range tests {
		d := newDesk(t)
		mux := serve(t, d, web.Rate{})
		r := post(mux, "/answer/"+d.secrets.Token, "choice", string(tt.choice), "code", strings.ToLower(d.secrets.Code))
		text := body(t, r)
		if r.StatusCode != http.StatusOK || d.c.State != tt.state || !strings.Contains(text, tt.says) || strings.Contains(text, "<form") {
			t.Errorf("%s = %d, %s: %s", tt.choice, r.StatusCode, d.c.State, text)
		}
		if tt.choice == web.PleaseCall {
			continue
		}
		if r := post(mux, "/answer/"+d.secrets.Token, "choice", "team", "code", d.secrets.Code); r.StatusCode != http.StatusGone {
			t.Errorf("%s, and once more = %d, want 410", tt.choice, r.StatusCode)
		}
	}
}

// TestFiveAttempts: the sixth is refused though it is right, and a new code is offered.
func TestFiveAttempts(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	for i := range challenge.MaxAttempts {
		r := post(mux, "/answer/"+d.secrets.Token, "choice", "team", "code", "AAAAAAAA")
		text := body(t, r)
		if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text, "Attempts left: "+string(rune('4'-i))+".") || !strings.Contains(text, `aria-invalid="true"`) {
			t.Fatalf("attempt %d = %d: %s", i+1, r.StatusCode, text)
		}
	}
	r := post(mux, "/answer/"+d.secrets.Token, "choice", "team", "code", d.secrets.Code)
	text := body(t, r)
	if r.StatusCode != http.StatusForbidden || d.c.State != challenge.StateSent || !strings.Contains(text, `value="new-code"`) || strings.Contains(text, `name="code"`) {
		t.Errorf("the right code after five wrong ones = %d, %s: %s", r.StatusCode, d.c.State, text)
	}
	if r := post(mux, "/answer/"+d.secrets.Token, "choice", "new-code"); r.StatusCode != http.StatusOK || !strings.Contains(body(t, r), "on its way") {
		t.Errorf("asking for a new code = %d", r.StatusCode)
	}
}

func TestStatuses(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	plain := func(kind, text string) *http.Response {
		r := httptest.NewRequest(http.MethodPost, "/answer/"+d.secrets.Token, strings.NewReader(text))
		r.Header.Set("Content-Type", kind)
		return send(mux, r)
	}
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name string
		r    *http.Response
		want int
	}{
		{"an unknown link", get(mux, "GET", "/answer/nonsense"), 404},
		{"an unknown link of a megabyte", get(mux, "GET", "/answer/"+strings.Repeat("A", 1<<20)), 404},
		{"an answer to an unknown link", post(mux, "/answer/nonsense", "choice", "team", "code", d.secrets.Code), 404},
		{"an incomplete answer to one", post(mux, "/answer/nonsense", "choice", "team"), 404},
		{"no link", get(mux, "GET", "/answer/"), 404},
		{"another method", get(mux, "DELETE", "/answer/"+d.secrets.Token), 405},
		{"JSON", plain("application/json", `{"code":"x"}`), 415},
		{"no type", plain("", "code=x&choice=team"), 415},
		{"a form that is no form", plain(form, "code=%zz&choice=team"), 400},
		{"a form of a megabyte", plain(form, "code="+strings.Repeat("A", 1<<20)), 413},
		{"a code of 3 KiB", plain(form, "choice=team&code="+strings.Repeat("A", 3<<10)), 422},
	}
	for _, tt := range tests {
		if tt.r.StatusCode != tt.want {
			t.Errorf("%s = %d, want %d", tt.name, tt.r.StatusCode, tt.want)
		}
	}
	d.broken = errors.New("secret detail of the database")
	for _, r := range []*http.Response{get(mux, "GET", "/answer/"+d.secrets.Token), post(mux, "/answer/"+d.secrets.Token, "choice", "team", "code", "AAAAAAAA"), post(mux, "/answer/"+d.secrets.Token)} {
		if text := body(t, r); r.StatusCode != http.StatusServiceUnavailable || strings.Contains(text, "secret detail") || strings.Contains(text, "<form") {
			t.Errorf("our own trouble = %d: %s", r.StatusCode, text)
		}
	}
}

// TestHeaders: they are the same whatever the page shows.
func TestHeaders(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	for _, r := range []*http.Response{get(mux, "GET", "/answer/"+d.secrets.Token), get(mux, "HEAD", "/answer/nonsense"), post(mux, "/answer/"+d.secrets.Token), post(mux, "/answer/"+d.secrets.Token, "choice", "team", "code", d.secrets.Code)} {
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"X-Robots-Tag": "noindex, nofollow", "Content-Type": "text/html; charset=utf-8", "Content-Language": "en"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		policy := r.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"} {
			if !strings.Contains(policy, want) {
				t.Errorf("Content-Security-Policy %q has no %s", policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") || len(r.Cookies()) > 0 {
			t.Errorf("policy %q, cookies %v", policy, r.Cookies())
		}
	}
}

// TestRateOfLink: codes for one link are typed no more often from many clients than from one.
func TestRateOfLink(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{Looks: 5, Answers: 3})
	var codes []int
	for i := range 4 {
		token := d.secrets.Token
		if i%2 == 1 {
			token = strings.ToLower(token)
		}
		r := httptest.NewRequest("POST", "/answer/"+token, strings.NewReader("choice=team&code=AAAAAAAA"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = "198.51.100." + strconv.Itoa(i+1) + ":4711"
		codes = append(codes, send(mux, r).StatusCode)
	}
	if codes[2] == http.StatusTooManyRequests || codes[3] != http.StatusTooManyRequests {
		t.Errorf("four clients that type codes for one link get %v, want the fourth to wait", codes)
	}
}

func TestRate(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{Looks: 5, Answers: 3})
	statuses := func(n int, do func() *http.Response) (codes []int) {
		for range n {
			codes = append(codes, do().StatusCode)
		}
		return codes
	}
	look := func() *http.Response { return get(mux, "GET", "/answer/"+d.secrets.Token) }
	if got := statuses(6, look); !slices.Equal(got, []int{200, 200, 200, 200, 200, 429}) {
		t.Errorf("looking six times = %v", got)
	}
	if got := statuses(4, func() *http.Response { return post(mux, "/answer/nonsense", "choice", "team", "code", "AAAAAAAA") }); !slices.Equal(got, []int{404, 404, 404, 429}) {
		t.Errorf("answering four times = %v", got)
	}
	if r := look(); r.Header.Get("Retry-After") != "13" {
		t.Errorf("Retry-After: %q, want 13: a fifth of a minute, and a second", r.Header.Get("Retry-After"))
	}
	other := httptest.NewRequest("GET", "/answer/"+d.secrets.Token, nil)
	other.RemoteAddr = "198.51.100.7:4711"
	if r := send(mux, other); r.StatusCode != http.StatusOK {
		t.Errorf("another client = %d", r.StatusCode)
	}
}

func TestMeta(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	r := httptest.NewRequest("POST", "/answer/"+d.secrets.Token+"?lang=ru", strings.NewReader("choice=team&code=AAAAAAAA"))
	r.RemoteAddr = "[2001:db8::1]:4711"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", strings.Repeat("ä", 300))
	send(mux, r)
	want := web.Meta{Client: netip.MustParseAddr("2001:db8::1"), Agent: strings.Repeat("ä", 100), Language: "ru", At: noon}
	if len(d.metas) != 1 || d.metas[0] != want {
		t.Errorf("the answer was logged as %+v, want %+v", d.metas, want)
	}
}

func TestLanguage(t *testing.T) {
	d := newDesk(t)
	mux := serve(t, d, web.Rate{})
	tests := []struct{ query, accept, want string }{
		{"", "", "en"}, {"", "fr-CA,en;q=0.5", "fr"}, {"", "de", "en"}, {"", "de, es;q=0.4", "es"}, {"?lang=ar", "fr", "ar"}, {"?lang=xx", "fr", "fr"},
		{"?lang=../en", "", "en"}, {"", "zh-TW", "zh"}, {"", strings.Repeat("fr,", 5000), "fr"}, {"", "\x00", "en"}, {"", "uk", "en"},
		{"", "*", "en"}, {"", "en;q=0.1, es;q=0.9", "es"},
	}
	for _, tt := range tests {
		r := get(mux, "GET", "/answer/"+d.secrets.Token+tt.query, "Accept-Language", tt.accept)
		if got := r.Header.Get("Content-Language"); got != tt.want {
			t.Errorf("%s, Accept-Language %.20q = %s, want %s", tt.query, tt.accept, got, tt.want)
		}
	}
}

func TestNew(t *testing.T) {
	if _, err := web.New(web.Config{Operator: "x"}); !errors.Is(err, web.ErrConfig) {
		t.Errorf("New without Answers: %v", err)
	}
	if _, err := web.New(web.Config{Answers: newDesk(t)}); !errors.Is(err, web.ErrConfig) {
		t.Errorf("New without Operator: %v", err)
	}
}

// TestEveryPage holds every page in every language against what makes a page
// usable by keyboard, screen reader and telephone, and safe to open.
func TestEveryPage(t *testing.T) {
	for _, lang := range web.Languages() {
		for name, page := range pages(t, lang) {
			root, err := html.Parse(strings.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			c := &checker{ids: map[string]int{}, labels: map[string]bool{}, groups: map[string]int{}}
			for n := range root.Descendants() {
				if n.Type == html.ElementNode {
					c.element(n)
				}
			}
			for _, problem := range c.finish(lang) {
				t.Errorf("%s in %s: %s", name, lang, problem)
			}
			if strings.Contains(page, "{") && strings.Contains(page[strings.Index(page, "<main"):], "{") || strings.Contains(page, "ZgotmplZ") {
				t.Errorf("%s in %s has a hole in a text", name, lang)
			}
			if strings.Contains(page, "CERT <Example>") {
				t.Errorf("%s in %s: the team's name is not escaped", name, lang)
			}
		}
	}
}

// pages returns every page there is, by what it shows.
func pages(t *testing.T, lang string) map[string]string {
	t.Helper()
	all := map[string]string{}
	add := func(name string, prepare func(*desk), do func(*http.ServeMux, *desk) *http.Response) {
		d := newDesk(t)
		prepare(d)
		all[name] = body(t, do(serve(t, d, web.Rate{Looks: 1, Answers: 20}), d))
	}
	nothing := func(*desk) {}
	path := func(d *desk) string { return "/answer/" + d.secrets.Token + "?lang=" + lang }
	look := func(m *http.ServeMux, d *desk) *http.Response { return get(m, "GET", path(d)) }
	answer := func(fields ...string) func(*http.ServeMux, *desk) *http.Response {
		return func(m *http.ServeMux, d *desk) *http.Response {
			if len(fields) > 2 && fields[3] == "right" {
				return post(m, path(d), "choice", fields[1], "code", d.secrets.Code)
			}
			return post(m, path(d), fields...)
		}
	}
	step := func(kind challenge.EventKind, n int) func(*desk) {
		return func(d *desk) {
			for range n {
				d.c, _ = challenge.Step(d.c, challenge.Event{Kind: kind}, noon, d.policy)
			}
		}
	}
	add("open", nothing, look)
	add("open, with confirmation", func(d *desk) { d.confirm = true }, look)
	add("open, for a team without a public name", func(d *desk) { d.team = "" }, look)
	add("locked", step(challenge.EventCodeWrong, 5), look)
	add("used", step(challenge.EventCodeRight, 1), look)
	add("expired", func(d *desk) { d.c.Postings[0].Issue.Expires = noon.Add(-1) }, look)
	add("unknown", nothing, func(m *http.ServeMux, _ *desk) *http.Response { return get(m, "GET", "/answer/x?lang="+lang) })
	add("busy", nothing, func(m *http.ServeMux, d *desk) *http.Response { look(m, d); return look(m, d) })
	add("failed", func(d *desk) { d.broken = io.EOF }, look)
	add("no choice", nothing, answer("code", "AAAAAAAA"))
	add("no code", nothing, answer("choice", "please-call"))
	add("wrong code", nothing, answer("choice", "team", "code", "AAAAAAAA"))
	for _, choice := range []web.Choice{web.ForTeam, web.WrongAddress, web.PleaseCall, web.Confirm, web.NewCode} {
		add("taken: "+string(choice), nothing, answer("choice", string(choice), "code", "right"))
	}
	for _, said := range []web.Said{web.SaidElsewhere, web.SaidSpent} {
		add("a new code: "+string(said), func(d *desk) { step(challenge.EventCodeWrong, 5)(d); d.said = said }, answer("choice", "new-code"))
	}
	nothingNew := func(s web.Status) func(*desk) { return func(d *desk) { d.notice = s } }
	at := func(path string, fields ...string) func(*http.ServeMux, *desk) *http.Response {
		return func(m *http.ServeMux, d *desk) *http.Response {
			if len(fields) == 0 {
				return get(m, "GET", path+"?lang="+lang)
			}
			return post(m, path+"?lang="+lang, fields...)
		}
	}
	for _, s := range []web.Status{web.Open, web.Used, web.Expired, web.Unknown} {
		add("sure: "+string(s), nothingNew(s), at("/confirm/notice"))
		add("sure: press, "+string(s), nothingNew(s), at("/confirm/notice", "choice", "confirm"))
		add("notices: "+string(s), nothingNew(s), at("/notices/notice"))
		add("notices: press, "+string(s), nothingNew(s), at("/notices/notice", "choice", "stop"))
	}
	return all
}

// checker walks through one page.
type checker struct {
	ids      map[string]int
	labels   map[string]bool // ids that have a label
	groups   map[string]int  // radio buttons that are chosen already, by name
	inputs   []string
	refs     []string
	headings int
	main     int
	lang, dir,
	viewport, problems string
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func (c *checker) add(bad bool, problem string) {
	if bad {
		c.problems += problem + "\n"
	}
}

func (c *checker) element(n *html.Node) {
	for _, a := range n.Attr {
		c.add(strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "tabindex", n.Data+" has "+a.Key)
		c.add((a.Key == "src" || a.Key == "href" || a.Key == "action") && !strings.HasPrefix(a.Val, "?lang="), n.Data+" leads to "+a.Val)
		switch a.Key {
		case "id":
			c.ids[a.Val]++
		case "aria-describedby", "aria-labelledby":
			c.refs = append(c.refs, strings.Fields(a.Val)...)
		}
	}
	switch n.Data {
	case "html":
		c.lang, c.dir = attr(n, "lang"), attr(n, "dir")
	case "script", "img", "iframe", "object", "link", "base", "video", "svg":
		c.add(true, "a "+n.Data)
	case "meta":
		c.add(attr(n, "http-equiv") != "", "a meta http-equiv")
		if attr(n, "name") == "viewport" {
			c.viewport = attr(n, "content")
		}
	case "h1":
		c.headings++
	case "main":
		c.main++
	case "label":
		c.labels[attr(n, "for")] = true
	case "form":
		c.add(attr(n, "method") != "post", "a form that is no POST")
	case "button":
		c.add(n.FirstChild == nil || strings.TrimSpace(n.FirstChild.Data) == "", "a button without a text")
	case "input":
		c.input(n)
	}
}

func (c *checker) input(n *html.Node) {
	c.inputs = append(c.inputs, attr(n, "id"))
	kind := attr(n, "type")
	c.add(kind != "text" && kind != "radio", "an input of the type "+kind)
	c.add(attr(n, "value") != "" && kind == "text", "a code that is filled in")
	for _, a := range n.Attr {
		if a.Key == "checked" {
			c.groups[attr(n, "name")]++
		}
	}
}

func (c *checker) finish(lang string) []string {
	dir := "ltr"
	if lang == "ar" {
		dir = "rtl"
	}
	c.add(c.lang != lang || c.dir != dir, "lang "+c.lang+", dir "+c.dir)
	c.add(c.headings != 1 || c.main != 1, "not one h1 in one main")
	c.add(!strings.Contains(c.viewport, "width=device-width") || strings.Contains(c.viewport, "user-scalable"), "viewport "+c.viewport)
	for id, n := range c.ids {
		c.add(n > 1, "two elements with the id "+id)
	}
	for _, ref := range c.refs {
		c.add(c.ids[ref] != 1, "a reference to "+ref+", which is not there")
	}
	for _, id := range c.inputs {
		c.add(!c.labels[id], "an input without a label: "+id)
	}
	return strings.Split(strings.TrimSuffix(c.problems, "\n"), "\n")[:strings.Count(c.problems, "\n")]
}

// TestNothingIsChosen: the choice is the reader's, until they made one.
func TestNothingIsChosen(t *testing.T) {
	all := pages(t, "en")
	if strings.Contains(all["open"], "checked") || strings.Contains(all["no choice"], "checked") {
		t.Error("an answer is chosen before the reader did")
	}
	if strings.Count(all["wrong code"], "checked") != 1 {
		t.Error("the reader's choice is lost with a wrong code")
	}
}

// TestNoNewCode: who is not sent a new code is told why, in every language, and not that one is on its way.
func TestNoNewCode(t *testing.T) {
	for _, lang := range web.Languages() {
		all := pages(t, lang)
		seen := map[string]string{}
		for _, name := range []string{"locked", "taken: new-code", "a new code: elsewhere", "a new code: spent"} {
			_, text, _ := strings.Cut(all[name], `<p id="message" class="`)
			class, text, _ := strings.Cut(text, `"`)
			_, text, _ = strings.Cut(text, ">")
			text, _, _ = strings.Cut(text, "<")
			if other, twice := seen[text]; twice || text == "" {
				t.Errorf("%s in %s says %q, as does %s", name, lang, text, other)
			}
			if seen[text] = name; name != "locked" && (class != "done" || strings.Contains(all[name], `value="new-code"`)) {
				t.Errorf("%s in %s: a message of the class %s, and the button is there: %t", name, lang, class, strings.Contains(all[name], `value="new-code"`))
			}
		}
	}
}
