package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// site is one HTTPS server on an address of its own in 127.0.0.0/8.
type site struct {
	addr  netip.AddrPort
	conns atomic.Int64
}

// net_ is a little Internet: a DNS server, an authority, sites.
type net_ struct {
	t     testing.TB
	dns   string
	roots *x509.CertPool
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	now   time.Time

	mu      sync.Mutex
	zone    map[string][]string // "name TYPE" -> records in presentation form
	handle  map[string]func(w dns.ResponseWriter, m *dns.Msg)
	ports   map[netip.Addr]uint16
	queries atomic.Int64
	last    byte
}

func newNet(t testing.TB) *net_ {
	n := &net_{t: t, roots: x509.NewCertPool(), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), zone: map[string][]string{},
		handle: map[string]func(dns.ResponseWriter, *dns.Msg){}, ports: map[netip.Addr]uint16{}, last: 1}
	n.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, NotBefore: n.now.AddDate(-1, 0, 0), NotAfter: n.now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &n.key.PublicKey, n.key)
	if err != nil {
		t.Fatal(err)
	}
	n.ca, _ = x509.ParseCertificate(der)
	n.roots.AddCert(n.ca)
	n.dns = n.serveDNS(n.answer)
	return n
}

// onePort listens on one port of loopback, over UDP and TCP.
func onePort(t testing.TB) (net.PacketConn, net.Listener) {
	for range 50 { // the port may be taken over one of the two
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if pc, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return pc, l
		}
		_ = l.Close()
	}
	t.Fatal("no port is free over UDP and TCP")
	return nil, nil
}

// serveDNS starts a name server on one port of loopback, UDP and TCP.
func (n *net_) serveDNS(h dns.HandlerFunc) string {
	pc, l := onePort(n.t)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: h}, {Listener: l, Handler: h}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		n.t.Cleanup(func() { _ = s.Shutdown() })
	}
	return pc.LocalAddr().String()
}

func (n *net_) answer(w dns.ResponseWriter, q *dns.Msg) {
	n.queries.Add(1)
	n.mu.Lock()
	name := dns.CanonicalName(q.Question[0].Name)
	h := n.handle[name]
	lines := n.zone[name+" "+dns.TypeToString[q.Question[0].Qtype]]
	known := false
	for k := range n.zone {
		known = known || strings.HasPrefix(k, name+" ")
	}
	n.mu.Unlock()
	if h != nil {
		h(w, q)
		return
	}
	m := new(dns.Msg).SetReply(q)
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	for _, line := range lines {
		rr, err := dns.NewRR(name + " 60 IN " + line)
		if err != nil {
			n.t.Error(err)
			continue
		}
		m.Answer = append(m.Answer, rr)
	}
	_ = w.WriteMsg(m)
}

// record adds one record: record("www.example.", "A 192.0.2.1").
func (n *net_) record(name, text string) {
	kind, _, _ := strings.Cut(text, " ")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.zone[name+" "+kind] = append(n.zone[name+" "+kind], text)
}

// on lets a function answer for a name.
func (n *net_) on(name string, h func(w dns.ResponseWriter, m *dns.Msg)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handle[name] = h
}

// cert makes a certificate, changed from a good one.
func (n *net_) cert(host string, change func(*x509.Certificate), selfSigned bool) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: n.now.AddDate(0, -1, 0), NotAfter: n.now.AddDate(0, 1, 0)}
	if change != nil {
		change(c)
	}
	parent, signer := n.ca, n.key
	if selfSigned {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		n.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// listen starts a TLS server for a host that hands each connection to serve,
// after the request's header was read, and publishes its address.
func (n *net_) listen(host string, cfg *tls.Config, serve func(net.Conn)) *site {
	n.mu.Lock()
	n.last++
	ip := netip.AddrFrom4([4]byte{127, 0, 1, n.last})
	n.mu.Unlock()
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		n.t.Fatal(err)
	}
	s := &site{addr: netip.MustParseAddrPort(l.Addr().String())}
	n.mu.Lock()
	n.ports[ip] = s.addr.Port()
	n.mu.Unlock()
	n.record(host+".", "A "+ip.String())
	if cfg == nil {
		cfg = &tls.Config{Certificates: []tls.Certificate{n.cert(host, nil, false)}, MinVersion: tls.VersionTLS10}
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer c.Close() //nolint:errcheck // a test's connection
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				t := tls.Server(c, cfg)
				if t.Handshake() == nil && readHeader(t) {
					serve(t)
					_ = t.CloseWrite()
				}
			}()
		}
	}()
	n.t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return s
}

func readHeader(c net.Conn) bool {
	buf := make([]byte, 4096)
	got := 0
	for !strings.Contains(string(buf[:got]), "\r\n\r\n") && got < len(buf) {
		k, err := c.Read(buf[got:])
		if err != nil {
			return false
		}
		got += k
	}
	return true
}

// raw answers with fixed octets.
func raw(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = c.Write([]byte(text)) }
}

func redirect(to string) func(net.Conn) {
	return raw("HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

const okText = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"

// live returns the network under test; only 127.0.1.0/24 is opened.
func (n *net_) live(change ...func(*verify.LiveConfig)) *verify.Live {
	n.t.Helper()
	cfg := verify.LiveConfig{Resolvers: []string{n.dns}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}, Roots: n.roots,
		Now: func() time.Time { return n.now },
		Map: func(at netip.AddrPort) netip.AddrPort {
			n.mu.Lock()
			defer n.mu.Unlock()
			if port, ok := n.ports[at.Addr()]; ok {
				return netip.AddrPortFrom(at.Addr(), port)
			}
			return at
		}}
	for _, f := range change {
		f(&cfg)
	}
	l, err := verify.NewLive(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

func (n *net_) fetch(l verify.Network, q verify.Request) *verify.Exchange {
	n.t.Helper()
	x, err := l.Fetch(context.Background(), q)
	if err != nil {
		n.t.Fatalf("Fetch(%s): %v", q.URL, err)
	}
	return x
}

// failureOf returns the code of a failure, "" for none.
func failureOf(f *verify.Failure) verify.Code {
	if f == nil {
		return ""
	}
	return f.Code
}

func TestFetch(t *testing.T) {
	n := newNet(t)
	n.listen("a.example", nil, raw(okText))
	n.listen("b.example", nil, redirect("https://www.other.test/x?y=1#z"))
	n.listen("www.other.test", nil, raw(okText))
	l := n.live()
	x := n.fetch(l, verify.Request{URL: "https://a.example/x"})
	h := x.Last()
	if x.Failure != nil || string(x.Body) != "hello\n" || h.Status != 200 || !h.TLS.Verified || h.TLS.Version != "TLS 1.3" || h.Addr.Port() != 443 || h.Header["Content-Type"][0] != "text/plain; charset=utf-8" {
		t.Errorf("Fetch = %+v", x)
	}
	x = n.fetch(l, verify.Request{URL: "https://b.example/"})
	if x.Failure != nil || len(x.Hops) != 2 || x.Hops[1].URL != "https://www.other.test/x?y=1" || !x.Hops[1].CrossSite || x.Hops[0].Status != 302 || string(x.Body) != "hello\n" {
		t.Errorf("Fetch over a redirect = %+v", x)
	}
	if x = n.fetch(l, verify.Request{URL: "https://b.example/", Redirects: -1}); failureOf(x.Failure) != verify.FetchRedirects {
		t.Errorf("Fetch without redirects = %+v, want %s", x.Failure, verify.FetchRedirects)
	}
}

func TestFetchCancelled(t *testing.T) {
	n := newNet(t)
	l := n.live(func(c *verify.LiveConfig) {
		c.Blocked = func(context.Context) error { return errors.New("stopped by hand") }
	})
	_, err := l.Fetch(context.Background(), verify.Request{URL: "https://a.example/"})
	var trouble *verify.Trouble
	if !errors.As(err, &trouble) || !trouble.Ours || trouble.Code != verify.CodePaused {
		t.Errorf("Fetch while stopped = %v, want trouble of our own", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := n.live().Query(ctx, verify.Question{Name: "a.example", Type: "A"}); !errors.As(err, &trouble) || !trouble.Ours {
		t.Errorf("Query after the end = %v, want trouble of our own", err)
	}
	if n.queries.Load() != 0 {
		t.Errorf("%d questions were put", n.queries.Load())
	}
}

// TestReplay holds the rule that a transcript answers as the world did.
func TestReplay(t *testing.T) {
	n := newNet(t)
	n.listen("a.example", nil, raw(okText))
	rec := verify.Record(n.live())
	ask := verify.Request{URL: "https://a.example/"}
	first := n.fetch(rec, ask)
	if _, err := rec.Query(context.Background(), verify.Question{Name: "a.example", Type: "A"}); err != nil {
		t.Fatal(err)
	}
	data, hash, err := rec.Transcript("x", verify.Target{Now: n.now}).Encode()
	if err != nil || len(hash) != 64 {
		t.Fatalf("Encode: %v", err)
	}
	kept, err := verify.DecodeTranscript(data)
	if err != nil {
		t.Fatal(err)
	}
	again := verify.Replay(kept)
	x := n.fetch(again, ask)
	if string(x.Body) != string(first.Body) || x.Last().Addr != first.Last().Addr || x.Last().TLS.Chain[0].SHA256 != first.Last().TLS.Chain[0].SHA256 {
		t.Errorf("replay = %+v, want %+v", x, first)
	}
	var trouble *verify.Trouble
	if _, err := again.Fetch(context.Background(), ask); !errors.As(err, &trouble) || trouble.Code != verify.CodeNotRecorded {
		t.Errorf("a second time = %v, want %s", err, verify.CodeNotRecorded)
	}
	if a, err := again.Query(context.Background(), verify.Question{Name: "a.example", Type: "A"}); err != nil || a.Rcode != "NOERROR" {
		t.Errorf("replay of a question = %+v, %v", a, err)
	}
}
