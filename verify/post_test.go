package verify_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// posted is a POST under test.
func posted(url string) verify.Post {
	return verify.Post{URL: url, Type: "application/json", Header: map[string]string{"Rollcall-Event": "ping"}, Body: []byte(`{"type":"ping"}`)}
}

// TestPost hands something over, once and whole.
func TestPost(t *testing.T) {
	n := newNet(t)
	heard := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	n.see("hook.example", func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		heard <- r
		bodies <- string(body)
		raw("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")(c)
	})
	l := n.live(func(c *verify.LiveConfig) { c.UserAgent, c.Cache = "Rollcall/1 (+https://rollcall.example/)", 1<<20 })
	x, err := l.Post(t.Context(), posted("https://hook.example/in?x=1"))
	if err != nil || x.Failure != nil || x.Last().Status != 204 || !x.Last().TLS.Verified || x.Body != nil {
		t.Fatalf("Post = %+v, %v", x, err)
	}
	r := <-heard
	if r.Method != "POST" || r.RequestURI != "/in?x=1" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Rollcall-Event") != "ping" ||
		r.Header.Get("User-Agent") != "Rollcall/1 (+https://rollcall.example/)" || r.Header.Get("Cookie")+r.Header.Get("Referer") != "" || r.ContentLength != 15 {
		t.Errorf("what was sent: %s %s %v", r.Method, r.RequestURI, r.Header)
	}
	if body := <-bodies; body != `{"type":"ping"}` {
		t.Errorf("the body is %q", body)
	}
}

// TestPostAnswers: the status counts, whatever comes with it; nothing is followed.
func TestPostAnswers(t *testing.T) {
	n := newNet(t)
	other := n.listen("other.example", nil, raw(okText))
	for _, c := range []struct {
		name, answer string
		status       int
		code         verify.Code
	}{
		{"gone", "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 410, ""},
		{"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, ""},
		{"an error of the server", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500, verify.FetchServerError},
		{"too many", "HTTP/1.1 429 Slow\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n", 429, verify.FetchThrottled},
		{"a redirect", "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n", 307, verify.FetchRedirects},
		{"a redirect inside", "HTTP/1.1 308 Permanent Redirect\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", 308, verify.FetchRedirects},
		{"a body of ten gigabytes", "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n" + strings.Repeat("x", 4096), 200, ""},
		{"a body that is broken gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 200, ""},
		{"a header that does not end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10), 0, verify.FetchHeaderLarge},
		{"another protocol", "SSH-2.0-nothing\r\n", 0, verify.FetchProtocol},
		{"nothing", "", 0, verify.FetchTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := strings.ReplaceAll(c.name, " ", "-") + ".example"
			s := n.listen(host, nil, raw(c.answer))
			x, err := n.live().Post(t.Context(), posted("https://"+host+"/"))
			if err != nil || x.Last().Status != c.status || failureOf(x.Failure) != c.code || s.conns.Load() != 1 {
				t.Errorf("Post = %+v, %v over %d connections, want %d %q", x, err, s.conns.Load(), c.status, c.code)
			}
			if got, want := x.Retry(5*time.Minute), map[bool]time.Duration{true: 5 * time.Minute}[c.status == 429]; got != want {
				t.Errorf("Retry = %v, want %v", got, want)
			}
		})
	}
	if other.conns.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestPostSlow: whoever takes a request and says nothing is left after a while.
func TestPostSlow(t *testing.T) {
	n := newNet(t)
	n.listen("slow.example", nil, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); _, _ = io.Copy(io.Discard, c) })
	l := n.live(func(c *verify.LiveConfig) { c.Header, c.Total = 100*time.Millisecond, 300*time.Millisecond })
	x, err := l.Post(t.Context(), posted("https://slow.example/"))
	if err != nil || failureOf(x.Failure) != verify.FetchTimeout || !x.Failure.Temporary {
		t.Errorf("Post = %+v, %v", x, err)
	}
}

// TestPostRefused: nothing is posted inside, whichever way leads there.
func TestPostRefused(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	var asked atomic.Int64
	n.on("re.example.", func(w dns.ResponseWriter, q *dns.Msg) { // outside when it is looked at, inside after
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			addr := "127.0.0.1"
			if asked.Add(1) == 1 {
				addr = "127.0.1.200"
			}
			rr, _ := dns.NewRR("re.example. 0 IN A " + addr)
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	})
	n.record("inner.example.", "A 10.0.0.1")
	n.record("two.example.", "A 127.0.1.201")
	n.record("two.example.", "A 192.168.0.1")
	n.ports[netip.MustParseAddr("127.0.0.1")] = port
	n.ports[netip.MustParseAddr("127.0.1.200")] = 1 // nobody there
	for _, c := range []struct {
		url  string
		code verify.Code
	}{
		{"https://inner.example/", verify.FetchAddress}, {"https://two.example/", verify.FetchAddress},
		{"https://re.example/", verify.FetchRefused}, {"https://re.example/", verify.FetchAddress},
		{"https://127.0.0.1/", verify.FetchAddress}, {"https://[::1]/", verify.FetchAddress}, {"https://2130706433/", verify.FetchAddress},
		{"http://hook.example/", verify.FetchURL}, {"https://me:word@hook.example/", verify.FetchURL}, {"https://hook.example:8443/", verify.FetchURL}, {"https://localhost/", verify.FetchURL},
		{"file:///etc/passwd", verify.FetchURL}, {"https://hook.example/" + strings.Repeat("a", 2048), verify.FetchURL},
	} {
		x, err := n.live().Post(t.Context(), posted(c.url))
		if err != nil || failureOf(x.Failure) != c.code {
			t.Errorf("Post(%.40s) = %+v, %v, want %s", c.url, x, err, c.code)
		}
		before := verify.CheckPost(c.url) // what needs no looking up is said in advance
		if host := strings.HasSuffix(c.url, ".example/") && !strings.Contains(c.url, "@") && strings.HasPrefix(c.url, "https:"); host != (before == nil) {
			t.Errorf("CheckPost(%.40s) = %+v", c.url, before)
		}
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
	stopped := errors.New("stop")
	l := n.live(func(c *verify.LiveConfig) { c.Blocked = func(context.Context) error { return stopped } })
	if _, err := l.Post(t.Context(), posted("https://hook.example/")); !errors.Is(err, stopped) {
		t.Errorf("while all is stopped: %v", err)
	}
}
