package verify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/metrics"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// memory is how much of it the process has from the system.
func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// watchMemory looks at it until the end, and returns the most it saw.
func watchMemory() (most func() uint64) {
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		top := memory()
		for {
			select {
			case <-tick.C:
				top = max(top, memory())
			case <-stop:
				done <- max(top, memory())
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}

// largeSites are sites that send as much as anybody takes.
func largeSites(n *net_) map[string]verify.Code {
	flood := func(first, chunk string, times int) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, first)
			for i := 0; err == nil && i < times; i++ {
				_, err = io.WriteString(c, chunk)
			}
		}
	}
	bomb := string(bytes.Repeat(gzipped(make([]byte, 1<<20)), 512)) // 512 MiB, packed into some 530 kB
	chunk := "100000\r\n" + strings.Repeat("x", 0x100000) + "\r\n"
	for host, serve := range map[string]func(net.Conn){
		"bomb":    raw(head("Content-Encoding: gzip\r\n") + bomb),
		"chunks":  flood(head("Transfer-Encoding: chunked\r\n"), chunk, 10_240), // 10 GB, if anybody read it
		"length":  flood(head("Content-Length: 10737418240\r\n"), chunk, 10_240),
		"headers": flood("HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("y", 60_000)+"\r\n", 100_000),
		"hints":   flood("", "HTTP/1.1 103 Early Hints\r\nLink: </"+strings.Repeat("y", 1000)+">\r\n\r\n", 100_000),
		"trailer": flood(head("Transfer-Encoding: chunked\r\nTrailer: X\r\n")+"0\r\n", "X: "+strings.Repeat("y", 60_000)+"\r\n", 100_000),
		"chunked": flood(head("Transfer-Encoding: chunked\r\n"), "1;"+strings.Repeat("e", 60_000)+"\r\nx\r\n", 100_000), // extensions
	} {
		n.listen(host+".example", nil, serve)
	}
	one := &dns.A{Hdr: dns.RR_Header{Name: "records.example.", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}
	many := make([]dns.RR, 3000)
	for i := range many {
		many[i] = one
	}
	n.on("records.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if m.Truncated = overUDP(w); !m.Truncated {
			m.Compress, m.Answer = true, many
		}
		_ = w.WriteMsg(m)
	})
	return map[string]verify.Code{"bomb": verify.FetchTooLarge, "chunks": verify.FetchTooLarge, "length": verify.FetchTooLarge, "headers": verify.FetchHeaderLarge,
		"hints": verify.FetchHeaderLarge, "trailer": verify.FetchTruncated, "chunked": verify.FetchTruncated, "records": verify.DNSTooLarge}
}

// TestMemory fetches the worst of it, thirty-two at once as a worker does, in
// less than 256 MB for both ends together, and leaves nothing behind.
func TestMemory(t *testing.T) {
	n := newNet(t)
	sites := largeSites(n)
	l := n.live()
	most := watchMemory()
	places := make(chan struct{}, 32)
	var all sync.WaitGroup
	for range 8 {
		for host, want := range sites {
			for _, limit := range []int64{0, 1 << 20} { // of a file, and more than of a keyring
				places <- struct{}{}
				all.Go(func() {
					defer func() { <-places }()
					x, err := l.Fetch(t.Context(), verify.Request{URL: "https://" + host + ".example/", Limit: limit})
					if err != nil || failureOf(x.Failure) != want {
						t.Errorf("Fetch(%s) = %+v, %v; want %s", host, x, err, want)
					}
				})
			}
		}
	}
	all.Wait()
	if got := most(); got > 256<<20 {
		t.Errorf("%d MiB at most, want less than 256", got>>20)
	} else {
		t.Logf("%d MiB at most", got>>20)
	}
	noneLeft(t)
}

// noneLeft waits for the goroutines of fetches to end.
func noneLeft(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var stacks bytes.Buffer
	for range 300 {
		stacks.Reset()
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		if !strings.Contains(stacks.String(), "net/http.(*persistConn)") && !strings.Contains(stacks.String(), "verify.(*call)") {
			return
		}
		<-tick.C
	}
	t.Errorf("goroutines are left:\n%.4000s", stacks.String())
}

// TestLeavesNothing ends fetches in every way, and looks for what they left.
func TestLeavesNothing(t *testing.T) {
	n := newNet(t)
	n.listen("good.example", nil, raw(okText))
	n.listen("loop.example", nil, redirect("https://loop.example/"))
	n.listen("other.example", nil, raw("SSH-2.0\r\n"))
	n.listen("silent.example", nil, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	n.listen("wrong.example", &tls.Config{Certificates: []tls.Certificate{n.cert("right.example", nil, false)}}, raw(okText))
	l := n.live(func(c *verify.LiveConfig) { c.Header = 100 * time.Millisecond })
	for _, host := range []string{"good", "loop", "other", "silent", "wrong", "missing"} {
		for range 5 {
			n.fetch(l, verify.Request{URL: "https://" + host + ".example/"})
		}
	}
	noneLeft(t)
}

// processorTime is what the process took so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFetch compares a fetch with the least that does the same: two
// questions to the DNS and one request by a client of the library. Both have the
// server's work in their figures.
func BenchmarkFetch(b *testing.B) {
	n := newNet(b)
	s := n.listen("a.example", nil, raw(okText))
	for _, bench := range []struct {
		name string
		one  func() error
	}{{"bare", bareFetch(n, s.addr)}, {"bounded", boundedFetch(n.live())}} {
		b.Run(bench.name, func(b *testing.B) {
			before := processorTime()
			for b.Loop() {
				if err := bench.one(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func boundedFetch(l *verify.Live) func() error {
	return func() error {
		x, err := l.Fetch(context.Background(), verify.Request{URL: "https://a.example/"})
		if err == nil && (x.Failure != nil || string(x.Body) != "hello\n") {
			err = fmt.Errorf("%+v", x)
		}
		return err
	}
}

func bareFetch(n *net_, at netip.AddrPort) func() error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: n.roots, Time: func() time.Time { return n.now }},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, at.String())
		},
	}}
	resolver := new(dns.Client)
	return func() error {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if _, _, err := resolver.Exchange(new(dns.Msg).SetQuestion("a.example.", qtype), n.dns); err != nil {
				return err
			}
		}
		resp, err := client.Get("https://a.example/")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return err
	}
}

// TestFetchParallel asks many sites at once through one Live.
func TestFetchParallel(t *testing.T) {
	n := newNet(t)
	for i := range 20 {
		n.listen(fmt.Sprintf("p%d.example", i), nil, raw(okText))
	}
	l := n.live(func(c *verify.LiveConfig) {
		c.Limiter = verify.NewLimiter(map[verify.LimitKind]verify.Pace{verify.LimitHost: {Concurrent: 1}}, 0)
	})
	var all sync.WaitGroup
	var good atomic.Int64
	for i := range 200 {
		all.Go(func() {
			x, err := l.Fetch(t.Context(), verify.Request{URL: fmt.Sprintf("https://p%d.example/", i%20)})
			if err == nil && x.Failure == nil {
				good.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 200 {
		t.Errorf("%d of 200 fetches succeeded", good.Load())
	}
}
