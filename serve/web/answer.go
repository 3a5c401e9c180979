package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

var (
	//go:embed answer.html
	answerHTML string
	//go:embed answer.css
	answerCSS string
)

// maxForm is how much of an answer is read. A form of ours has 60 octets.
const maxForm = 4 << 10

// Page is the answer page of challenges. It serves GET, HEAD and POST of
// /answer/{token}, and of /stop/{token}, on which a reader wants no more mails; with [Notices],
// of /confirm/{token} and /notices/{token}, too.
//
// There is no protection against forged requests from other sites (CSRF), and
// none is needed: such an attack rides on something that the browser sends along
// by itself, and here there is nothing of the kind, neither cookie nor password. All
// authority is the code in the form, and who knows it needs no victim's browser.
type Page struct {
	cfg     Config
	texts   map[string]texts
	tmpl    *template.Template
	policy  string // the Content-Security-Policy
	looks   *limiter[netip.Prefix]
	answers *limiter[netip.Prefix]
	tokens  *limiter[string] // of links that codes are typed for, from wherever
}

// New returns the page, or [ErrConfig].
func New(cfg Config) (*Page, error) {
	if cfg.Answers == nil || cfg.Operator == "" {
		return nil, ErrConfig
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Client == nil {
		cfg.Client = peer
	}
	if cfg.Rate.Looks <= 0 || cfg.Rate.Answers <= 0 {
		cfg.Rate = DefaultRate()
	}
	all, err := readTexts()
	if err != nil {
		return nil, err
	}
	tmpl, err := template.New("answer").Parse(answerHTML)
	if err != nil {
		return nil, fmt.Errorf("web: answer page: %w", err)
	}
	sum := sha256.Sum256([]byte(answerCSS))
	// CSP 3: nothing at all, but our one style by its hash and forms to ourselves.
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return &Page{cfg: cfg, texts: all, tmpl: tmpl, policy: policy, looks: newLimiter[netip.Prefix](cfg.Rate.Looks), answers: newLimiter[netip.Prefix](cfg.Rate.Answers), tokens: newLimiter[string](cfg.Rate.Answers)}, nil
}

// peer is the address of the connection.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}

// Register puts the page on a mux. A pattern with GET serves HEAD as well.
func (p *Page) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /answer/{token}", p.limited(p.looks, p.show))
	mux.HandleFunc("POST /answer/{token}", p.limited(p.answers, p.sparing))
	mux.HandleFunc("GET /stop/{token}", p.limited(p.looks, p.showStop))
	mux.HandleFunc("POST /stop/{token}", p.limited(p.answers, p.stop))
	if p.cfg.Notices == nil {
		return
	}
	mux.HandleFunc("GET /confirm/{token}", p.limited(p.looks, func(w http.ResponseWriter, r *http.Request) { p.showNotice(w, r, screen{Sure: true}) }))
	mux.HandleFunc("POST /confirm/{token}", p.limited(p.answers, p.sure))
	mux.HandleFunc("GET /notices/{token}", p.limited(p.looks, func(w http.ResponseWriter, r *http.Request) { p.showNotice(w, r, screen{Notices: true}) }))
	mux.HandleFunc("POST /notices/{token}", p.limited(p.answers, p.silence))
}

// limited puts a limit before a page.
func (p *Page) limited(l *limiter[netip.Prefix], page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if wait := l.take(network(p.cfg.Client(r)), p.cfg.Now()); wait > 0 {
			p.busy(w, r, wait)
			return
		}
		page(w, r)
	}
}

// sparing lets codes be typed for one link no more often than one client may, whoever types.
func (p *Page) sparing(w http.ResponseWriter, r *http.Request) {
	if wait := p.tokens.take(tokenKey(r.PathValue("token")), p.cfg.Now()); wait > 0 {
		p.busy(w, r, wait)
		return
	}
	p.answer(w, r)
}

// show is GET and HEAD: nothing changes, however often a scanner comes.
func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	view, err := p.cfg.Answers.Show(r.Context(), r.PathValue("token"))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, statusOf(view.Status), screen{View: view})
}

// statusOf is the HTTP status of a page that shows s.
func statusOf(s Status) int {
	switch s {
	case Unknown:
		return http.StatusNotFound
	case Expired, Used:
		return http.StatusGone
	}
	return http.StatusOK
}

// answer is POST.
func (p *Page) answer(w http.ResponseWriter, r *http.Request) {
	form, status := readForm(w, r)
	if status != 0 {
		p.render(w, r, status, screen{View: View{Status: Unknown}, Failed: true})
		return
	}
	if form.missing() {
		p.incomplete(w, r, form)
		return
	}
	result, err := p.cfg.Answers.Answer(r.Context(), r.PathValue("token"), form.Code, form.Choice, p.meta(r))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.said(w, r, form, result)
}

func (p *Page) meta(r *http.Request) Meta {
	return Meta{Client: p.cfg.Client(r), Agent: clip(r.UserAgent(), 200), Language: p.language(r, ""), At: p.cfg.Now()}
}

// form is what a reader sent.
type form struct {
	Code   string
	Choice Choice
}

func (f form) missing() bool { return !f.Choice.known() || f.Choice.needsCode() && f.Code == "" }

// readForm reads the two fields, or returns the status of a refusal.
func readForm(w http.ResponseWriter, r *http.Request) (form, int) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return form{}, http.StatusUnsupportedMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return form{}, http.StatusRequestEntityTooLarge
		}
		return form{}, http.StatusBadRequest
	}
	// PostForm alone: what stands in a link is not typed by anybody.
	return form{Code: clip(strings.TrimSpace(r.PostForm.Get("code")), 64), Choice: Choice(r.PostForm.Get("choice"))}, 0
}

func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// incomplete shows the form again, and says what it lacks. No attempt is counted.
func (p *Page) incomplete(w http.ResponseWriter, r *http.Request, f form) {
	view, err := p.cfg.Answers.Show(r.Context(), r.PathValue("token"))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	status := statusOf(view.Status)
	if status == http.StatusOK {
		status = http.StatusUnprocessableEntity
	}
	p.render(w, r, status, screen{View: view, Chosen: f.Choice, NoCode: f.Code == "", NoChoice: !f.Choice.known()})
}

// said shows what became of an answer.
func (p *Page) said(w http.ResponseWriter, r *http.Request, f form, result Result) {
	s := screen{View: result.View, Chosen: f.Choice}
	status := http.StatusOK
	switch result.Said {
	case SaidTaken, SaidMore, SaidElsewhere, SaidSpent:
		s.Done, s.Said = f.Choice, result.Said
	case SaidWrong:
		s.Wrong, s.Left, s.View.Status, status = true, result.Left, Open, http.StatusUnprocessableEntity
	case SaidLocked:
		s.View.Status, status = Locked, http.StatusForbidden
	default:
		s.View.Status = Status(result.Said)
		status = statusOf(s.View.Status)
	}
	p.render(w, r, status, s)
}

func (p *Page) busy(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1)) // RFC 9110 section 10.2.3
	p.render(w, r, http.StatusTooManyRequests, screen{Busy: true})
}

// failed is our own trouble. The cause goes to the log, without the token.
func (p *Page) failed(w http.ResponseWriter, r *http.Request, err error) {
	p.cfg.Log.ErrorContext(r.Context(), "answer page", "method", r.Method, "err", err)
	p.render(w, r, http.StatusServiceUnavailable, screen{Failed: true})
}
