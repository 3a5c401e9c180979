package verify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/rollcall-csirt/rollcall/verify"
)

// onlyTwo are servers that speak HTTP/2 and nothing else: who does not offer it gets the alert
// no_application_protocol (RFC 7301 section 3.2).
func (n *net_) onlyTwo(host string) *tls.Config {
	own := []tls.Certificate{n.cert(host, nil, false)}
	return &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c := &tls.Config{Certificates: own, NextProtos: []string{"none"}} // Go lets who offers http/1.1 alone off
		if slices.Contains(h.SupportedProtos, "h2") {
			c.NextProtos = []string{"h2"}
		}
		return c, nil
	}}
}

// two starts one with a handler, and counts its connections.
func (n *net_) two(host string, serve http.HandlerFunc) *atomic.Int64 {
	cfg := n.onlyTwo(host)
	var conns atomic.Int64
	n.listenRaw(host, func(c net.Conn) {
		conns.Add(1)
		s := &http.Server{Handler: serve, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		_ = s.Serve(tls.NewListener(&oneConn{conn: c, closed: make(chan struct{})}, cfg))
	})
	return &conns
}

// TestHTTP2 fetches from hosts that speak HTTP/2 alone, under the same limits as from others.
func TestHTTP2(t *testing.T) {
	n := newNet(t)
	n.listen("end.example", nil, raw(okText))
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}
	type header = map[string]string
	answer := func(status int, h header, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range h {
				w.Header().Set(k, v)
			}
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	for _, tt := range []struct {
		name      string
		serve     http.HandlerFunc
		want      verify.Code
		temporary bool
		status    int
		body      string
	}{
		{"a page", answer(200, header{"Content-Type": "text/plain"}, []byte("hello\n")), "", false, 200, "hello\n"},
		{"as much as is read", answer(200, nil, bytes.Repeat([]byte("x"), 32<<10)), "", false, 200, strings.Repeat("x", 32<<10)},
		{"in gzip", answer(200, header{"Content-Encoding": "gzip"}, gzipped([]byte("hello\n"))), "", false, 200, "hello\n"},
		{"no such page", answer(404, nil, []byte("no")), "", false, 404, ""},
		{"a redirect to HTTP/1.1", answer(301, header{"Location": "https://end.example/"}, nil), "", false, 200, "hello\n"},
		{"too much", answer(200, nil, make([]byte, 32<<10+1)), verify.FetchTooLarge, false, 200, ""},
		{"without end", endless, verify.FetchTooLarge, false, 200, ""},
		{"a bomb", answer(200, header{"Content-Encoding": "gzip"}, gzipped(make([]byte, 10<<20))), verify.FetchTooLarge, false, 200, ""},
		{"many fields", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 500 {
				w.Header().Add("X", strings.Repeat("x", 100)+string(rune('a'+i%26)))
			}
		}, verify.FetchHeaderLarge, false, 0, ""},
		{"a large header", answer(200, header{"X": strings.Repeat("x", 40<<10)}, nil), verify.FetchHeaderLarge, false, 0, ""},
		{"an error of its own", answer(503, header{"Retry-After": "60"}, nil), verify.FetchServerError, true, 503, ""},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, verify.FetchTimeout, true, 0, ""},
		{"it breaks off at once", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, verify.FetchReset, true, 0, ""},
		{"it breaks off in the middle", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("hello"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, verify.FetchTruncated, true, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := hostOf(tt.name)
			conns := n.two(host, tt.serve)
			begun := time.Now()
			rec := verify.Record(n.live(func(c *verify.LiveConfig) { c.Header = time.Second }))
			q := verify.Request{URL: "https://" + host + "/"}
			x := n.fetch(rec, q)
			if failureOf(x.Failure) != tt.want || x.Last().Status != tt.status || string(x.Body) != tt.body || x.Failure != nil && x.Failure.Temporary != tt.temporary {
				t.Errorf("Fetch = %+v, status %d, body %.20q; want %q, %d, %.20q", x.Failure, x.Last().Status, x.Body, tt.want, tt.status, tt.body)
			}
			if h := x.Hops[0]; h.Status != 0 && h.Proto != "HTTP/2.0" || h.TLS == nil || !h.TLS.Verified {
				t.Errorf("the hop is of %s, TLS %+v", h.Proto, h.TLS)
			}
			if took := time.Since(begun); took > 10*time.Second || conns.Load() != 2 {
				t.Errorf("it took %s and %d connections, want 2: one by HTTP/1.1, in vain", took, conns.Load())
			}
			again, err := verify.Replay(rec.Transcript("x", verify.Target{})).Fetch(t.Context(), q)
			if err != nil || string(again.Body) != string(x.Body) || failureOf(again.Failure) != failureOf(x.Failure) {
				t.Errorf("the replay is %+v, %v", again, err)
			}
		})
	}
}

// TestHTTP2Frames are servers that say by HTTP/2 what no page is.
func TestHTTP2Frames(t *testing.T) {
	n := newNet(t)
	serve := func(host string, says func(*http2.Framer)) {
		cfg := n.onlyTwo(host)
		n.listenRaw(host, func(c net.Conn) {
			s := tls.Server(c, cfg)
			if s.Handshake() != nil {
				return
			}
			_, _ = io.ReadFull(s, make([]byte, len(http2.ClientPreface)))
			f := http2.NewFramer(s, s)
			_ = f.WriteSettings()
			for { // until it was asked
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				if _, asked := frame.(*http2.HeadersFrame); asked {
					break
				}
			}
			says(f)
			_, _ = io.Copy(io.Discard, s)
		})
	}
	for _, tt := range []struct {
		name      string
		says      func(*http2.Framer)
		want      []verify.Code // any of them
		temporary bool
	}{
		{"it goes away", func(f *http2.Framer) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) }, []verify.Code{verify.FetchReset}, true},
		// The library may or may not try it again over the same connection.
		{"it refuses the stream", func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, []verify.Code{verify.FetchReset, verify.FetchTimeout}, true},
		{"it asks for HTTP/1.1", func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeHTTP11Required) }, []verify.Code{verify.FetchProtocol}, false},
		{"headers without end", func(f *http2.Framer) {
			block := bytes.Repeat([]byte{0x82}, 16<<10) // :method GET, by its index
			err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
			for err == nil {
				err = f.WriteContinuation(1, false, block)
			}
		}, []verify.Code{verify.FetchProtocol}, false},
		{"settings without end", func(f *http2.Framer) {
			for f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}) == nil {
			}
		}, []verify.Code{verify.FetchTimeout}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := hostOf(tt.name)
			serve(host, tt.says)
			begun := time.Now()
			x := n.fetch(n.live(func(c *verify.LiveConfig) { c.Header, c.Total = 2*time.Second, 4*time.Second }), verify.Request{URL: "https://" + host + "/"})
			if !slices.Contains(tt.want, failureOf(x.Failure)) || x.Failure.Temporary != tt.temporary {
				t.Errorf("Fetch = %+v, want one of %q", x.Failure, tt.want)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestHTTP2Post: what is handed over goes by HTTP/2 where there is nothing else, once.
func TestHTTP2Post(t *testing.T) {
	n := newNet(t)
	var got atomic.Value
	n.two("hook.example", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Store(r.Proto + " " + r.Header.Get("Content-Type") + " " + string(body))
		w.WriteHeader(202)
	})
	x, err := n.live().Post(context.Background(), verify.Post{URL: "https://hook.example/", Type: "application/json", Body: []byte("{}")})
	if err != nil || x.Failure != nil || x.Last().Status != 202 || got.Load() != "HTTP/2.0 application/json {}" {
		t.Errorf("Post = %+v, %v; it got %v", x, err, got.Load())
	}
}

// TestNoProtocol: a host that speaks neither is wrong, as before.
func TestNoProtocol(t *testing.T) {
	n := newNet(t)
	cfg := &tls.Config{Certificates: []tls.Certificate{n.cert("odd.example", nil, false)}, NextProtos: []string{"odd"}}
	s := n.listen("odd.example", cfg, raw(okText))
	if x := n.fetch(n.live(), verify.Request{URL: "https://odd.example/"}); failureOf(x.Failure) != verify.FetchTLS || s.conns.Load() != 2 {
		t.Errorf("Fetch = %+v after %d connections; want %s after 2", x.Failure, s.conns.Load(), verify.FetchTLS)
	}
}
