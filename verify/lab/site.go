package lab

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Site is one host of the lab, and what it does when it is visited.
type Site struct {
	Host string
	// What says in a sentence what is the matter with it; "" for a good site.
	What string
	Cert Cert
	// Pages are what is served, by path; "*" is any other path. A path that is
	// not there is a 404.
	Pages map[string]Page
	// Pages6 are served over IPv6 in place of Pages; nil: the same.
	Pages6 map[string]Page
	// Plain are served over http on port 80; nil: nothing listens there.
	Plain map[string]Page

	NoIPv4, NoIPv6 bool
	HTTP1          bool  // no HTTP/2
	Refuse         bool  // its names lead to addresses at which nothing listens
	Conn           Fault // takes each connection before TLS
}

// Page is one answer.
type Page struct {
	Status int               // 0 is 200
	Type   string            // of content; "" is text/plain; charset=utf-8, "-" none at all
	Header map[string]string // beside it
	Body   string
	Do     http.HandlerFunc // answers in place of all of these
	Raw    Fault            // takes the connection once the request is read; the site must be HTTP1
}

// Fault is what a peer does that keeps to no rules. It ends when ctx does; what
// it writes is bounded besides.
type Fault func(ctx context.Context, c net.Conn)

// Bounds of every fault, so that a client without limits comes to an end as well.
const (
	faultTime = 30 * time.Second
	faultSize = 64 << 20
)

// serveHTTP answers for all sites.
func (l *Lab) serveHTTP(w http.ResponseWriter, r *http.Request) {
	l.wg.Add(1)
	defer l.wg.Done()
	e, _ := r.Context().Value(endpointKey{}).(*endpoint)
	if e == nil {
		http.Error(w, "no site", http.StatusInternalServerError)
		return
	}
	e.requests.Add(1)
	if host, _, _ := strings.Cut(r.Host, ":"); !strings.EqualFold(host, e.site.Host) {
		// RFC 9110 section 15.5.20: this server is not the authority for that host.
		http.Error(w, "another site lives here", http.StatusMisdirectedRequest)
		return
	}
	p, ok := e.page(r)
	switch {
	case !ok:
		http.NotFound(w, r)
	case p.Raw != nil:
		l.hijack(e, w, p.Raw)
	case p.Do != nil:
		p.Do(w, r)
	default:
		p.write(e, w, r)
	}
}

// page finds what an endpoint serves under a request's path.
func (e *endpoint) page(r *http.Request) (Page, bool) {
	pages := e.site.Pages
	switch {
	case r.TLS == nil:
		pages = e.site.Plain
	case e.addr.Is6() && e.site.Pages6 != nil:
		pages = e.site.Pages6
	}
	p, ok := pages[r.URL.Path]
	if !ok {
		p, ok = pages["*"]
	}
	return p, ok
}

func (p *Page) write(e *endpoint, w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	switch p.Type {
	case "":
		h.Set("Content-Type", "text/plain; charset=utf-8")
	case "-":
		h["Content-Type"] = nil // net/http guesses one unless it is told not to
	default:
		h.Set("Content-Type", p.Type)
	}
	for k, v := range p.Header {
		h.Set(k, v)
	}
	status := p.Status
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(p.Body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	n, _ := w.Write([]byte(p.Body))
	e.sent.Add(int64(n))
}

// hijack lets a fault have the connection.
func (l *Lab) hijack(e *endpoint, w http.ResponseWriter, f Fault) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusHTTPVersionNotSupported)
		return
	}
	l.misbehave(e, c, f)
}

// redirect is a page that leads elsewhere.
func redirect(to string) Page {
	return Page{Status: http.StatusFound, Header: map[string]string{"Location": to}, Body: "elsewhere\n"}
}

// html is a page for people.
func html(title, text string) Page {
	return Page{Type: "text/html; charset=utf-8",
		Body: "<!DOCTYPE html>\n<title>" + title + "</title>\n<h1>" + title + "</h1>\n<p>" + text + "\n"}
}

// anywhere serves one page under every path.
func anywhere(p Page) map[string]Page { return map[string]Page{"*": p} }

func parentOf(host string) string {
	_, parent, _ := strings.Cut(host, ".")
	return parent
}
