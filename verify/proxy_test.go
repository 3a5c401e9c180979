package verify_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// proxy serves CONNECT and leads every connection to one place.
func proxy(l net.Listener, to netip.AddrPort, asked chan<- string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r := bufio.NewReader(c)
		line, err := r.ReadString('\n')
		asked <- strings.TrimSpace(line)
		for err == nil && strings.TrimSpace(line) != "" {
			line, err = r.ReadString('\n')
		}
		out, err := net.Dial("tcp", to.String())
		if err != nil {
			_ = c.Close()
			continue
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(out, r); _ = out.Close() }()
		go func() { _, _ = io.Copy(c, out); _ = c.Close() }()
	}
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// answering serves one answer to whatever it is asked, and tells what that was.
func answering(t *testing.T, l net.Listener, answer string) <-chan *http.Request {
	asked := make(chan *http.Request, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				asked <- r
				if answer == "" {
					_, _ = c.Read(make([]byte, 1)) // until the other end hangs up
				}
				_, _ = io.WriteString(c, answer)
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return asked
}

// TestProxyAnswers tells a proxy that can't reach a host from one that does not
// serve us, or is none.
func TestProxyAnswers(t *testing.T) {
	n := newNet(t)
	n.listen("a.example", nil, raw(okText))
	for answer, want := range map[string]verify.Code{
		"HTTP/1.1 502 Bad Gateway\r\n\r\n": verify.FetchUnreachable, "HTTP/1.1 504 Gateway Timeout\r\n\r\n": verify.FetchTimeout, "": verify.FetchTimeout,
		"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n": "", "HTTP/1.1 403 Forbidden\r\n\r\n": "", "HTTP/1.1 503 Oh\r\n\r\n": "", "SSH-2.0\r\n": "",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 100): "",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		answering(t, l, answer)
		live := n.live(func(c *verify.LiveConfig) {
			c.Proxy = mustURL("http://" + l.Addr().String())
			if answer == "" {
				c.Connect = 300 * time.Millisecond
			}
		})
		x, err := live.Fetch(t.Context(), verify.Request{URL: "https://a.example/"})
		if want == "" {
			wantTrouble(t, err, verify.CodeInternal)
			continue
		}
		if err != nil || failureOf(x.Failure) != want || !x.Failure.Temporary {
			t.Errorf("a proxy that answers %q: %+v, %v; want %s", answer, x, err, want)
		}
	}
}

// TestProxyCredentials go to the proxy, over TLS where it has that, and to
// nobody else.
func TestProxyCredentials(t *testing.T) {
	n := newNet(t)
	n.record("a.example.", "A 127.0.1.200")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{n.cert("localhost", nil, false)}, Time: func() time.Time { return n.now }})
	if err != nil {
		t.Fatal(err)
	}
	asked := answering(t, l, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	live := n.live(func(c *verify.LiveConfig) { c.Proxy = mustURL("https://user:p%40ss@localhost:" + port) })
	if x := n.fetch(live, verify.Request{URL: "https://a.example/"}); failureOf(x.Failure) != verify.FetchUnreachable {
		t.Fatalf("Fetch = %+v", x.Failure)
	}
	r := <-asked
	if got, want := r.Header.Get("Proxy-Authorization"), "Basic dXNlcjpwQHNz"; got != want || r.Host != "127.0.1.200:443" {
		t.Errorf("the proxy was asked for %s with %q, want %q", r.Host, got, want)
	}
	if x := n.fetch(live, verify.Request{URL: "https://127.0.0.1/"}); failureOf(x.Failure) != verify.FetchAddress || len(asked) != 0 {
		t.Errorf("Fetch of a special address = %+v; the proxy was asked %d times", x.Failure, len(asked))
	}
	stranger := newNet(t)
	live = n.live(func(c *verify.LiveConfig) {
		c.Proxy, c.Roots = mustURL("https://user:secret@localhost:"+port), stranger.roots
	})
	_, err = live.Fetch(t.Context(), verify.Request{URL: "https://a.example/"})
	wantTrouble(t, err, verify.CodeInternal)
	if len(asked) != 0 {
		t.Error("a proxy without a good certificate got the password")
	}
}
