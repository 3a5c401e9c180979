package lab_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

var now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// start starts a lab that lives on 21 November 2026.
func start(t testing.TB, cfg lab.Config) *lab.Lab {
	t.Helper()
	cfg.Now = func() time.Time { return now }
	l, err := lab.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// lookup asks the resolver for addresses as a stub does.
func lookup(t testing.TB, l *lab.Lab, host string, qtype uint16) (*dns.Msg, []netip.Addr) {
	t.Helper()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(host), qtype)
	m, err := dns.Exchange(q, l.Resolver())
	if err == nil && m.Truncated {
		m, _, err = (&dns.Client{Net: "tcp"}).Exchange(q, l.Resolver())
	}
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	var addrs []netip.Addr
	for _, rr := range m.Answer {
		switch x := rr.(type) {
		case *dns.A:
			a, _ := netip.AddrFromSlice(x.A.To4())
			addrs = append(addrs, a)
		case *dns.AAAA:
			a, _ := netip.AddrFromSlice(x.AAAA)
			addrs = append(addrs, a)
		}
	}
	return m, addrs
}

// client is net/http over the lab's DNS and sockets, without redirects.
func client(t testing.TB, l *lab.Lab, qtype uint16, patience time.Duration) *http.Client {
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: l.Roots(), Time: l.Now},
		ForceAttemptHTTP2: true, DisableCompression: true, DisableKeepAlives: true,
		MaxResponseHeaderBytes: 1 << 16,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, _ := net.SplitHostPort(address)
			if _, err := netip.ParseAddr(host); err != nil {
				_, addrs := lookup(t, l, host, qtype)
				if len(addrs) == 0 {
					return nil, &net.DNSError{Name: host, IsNotFound: true}
				}
				host = addrs[0].String()
			}
			return l.DialContext(ctx, network, net.JoinHostPort(host, port))
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get fetches a page, and its body up to a megabyte.
func get(t testing.TB, l *lab.Lab, qtype uint16, url string) (*http.Response, string, error) {
	t.Helper()
	return getWithin(t, l, qtype, url, time.Minute)
}

// getWithin is get with a limit of time, for sites that never answer.
func getWithin(t testing.TB, l *lab.Lab, qtype uint16, url string, patience time.Duration) (*http.Response, string, error) {
	t.Helper()
	r, err := client(t, l, qtype, patience).Get(url)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return r, string(b), err
}

func TestTeamsAnswer(t *testing.T) {
	l := start(t, lab.Config{})
	teams := l.Teams()
	if len(teams) != 30 {
		t.Errorf("%d teams, want 30", len(teams))
	}
	verdicts := map[string]int{}
	for _, team := range teams {
		if len(team.Expect) == 0 || team.Does == "" || len(team.Keys) == 0 {
			t.Errorf("%s: incomplete: %+v", team.Handle, team)
		}
		v := team.Expected("securitytxt", team.Domain)
		verdicts[v]++
		if v != "ok" {
			continue
		}
		_, body, err := get(t, l, dns.TypeA, "https://"+team.Domain+"/.well-known/security.txt")
		if err != nil || !strings.Contains(body, "Contact: mailto:csirt@"+team.Domain) {
			t.Errorf("%s: %v\n%s", team.Handle, err, body)
		}
	}
	for _, v := range []string{"ok", "warning", "error", "inconclusive"} {
		if verdicts[v] == 0 {
			t.Errorf("no team is to be found %s", v)
		}
	}
	if l.Strays() != 0 {
		t.Errorf("%d connections strayed", l.Strays())
	}
}

// TestSignatures reads the signed files as go-crypto does and holds them
// against the key that the team publishes.
func TestSignatures(t *testing.T) {
	l := start(t, lab.Config{})
	conf := &packet.Config{Time: l.Now}
	for handle, want := range map[string]bool{"anchor": true, "dairy": true, "parcel": false, "quay": false, "rookery": false} {
		team := teamOf(t, l, handle)
		_, body, err := get(t, l, dns.TypeA, "https://"+team.Domain+"/.well-known/security.txt")
		if err != nil {
			t.Fatal(err)
		}
		block, _ := clearsign.Decode([]byte(body))
		if block == nil {
			t.Fatalf("%s: no signed message:\n%s", handle, body)
		}
		ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(team.Keys[0].Armor))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := block.VerifySignature(ring, conf); (err == nil) != want {
			t.Errorf("%s: signature: %v, want sound %t", handle, err, want)
		}
	}
}

func teamOf(t testing.TB, l *lab.Lab, handle string) lab.Team {
	t.Helper()
	for _, team := range l.Teams() {
		if team.Handle == handle {
			return team
		}
	}
	t.Fatalf("no team %s", handle)
	return lab.Team{}
}

// TestCertificates proves that each certificate is wrong in its own way.
func TestCertificates(t *testing.T) {
	l := start(t, lab.Config{})
	invalid := func(reason x509.InvalidReason) func(error) bool {
		return func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == reason
		}
	}
	name := func(err error) bool { var e x509.HostnameError; return errors.As(err, &e) }
	unknown := func(err error) bool { var e x509.UnknownAuthorityError; return errors.As(err, &e) }
	for label, want := range map[string]func(error) bool{
		"expired": invalid(x509.Expired), "future": invalid(x509.Expired), "wrong-name": name, "common-name": name,
		"self-signed": unknown, "unknown-root": unknown, "incomplete": unknown,
		"deep.wildcard": func(err error) bool { return err == nil },
		"tls10":         func(err error) bool { return err != nil && strings.Contains(err.Error(), "protocol version") },
	} {
		if _, _, err := get(t, l, dns.TypeA, lab.HostileURL(label)); !want(err) {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// TestFaults proves that each fault of HTTP does what it says, by the way in
// which net/http suffers from it.
func TestFaults(t *testing.T) {
	l := start(t, lab.Config{})
	fails := func(text string) func(*http.Response, string, error) bool {
		return func(_ *http.Response, _ string, err error) bool {
			return err != nil && strings.Contains(err.Error(), text)
		}
	}
	status := func(want int, header string) func(*http.Response, string, error) bool {
		return func(r *http.Response, _ string, err error) bool {
			return err == nil && r.StatusCode == want && (header == "" || r.Header.Get(header) != "")
		}
	}
	leads := func(to string) func(*http.Response, string, error) bool {
		return func(r *http.Response, _ string, err error) bool {
			return err == nil && r.StatusCode == 302 && strings.HasPrefix(r.Header.Get("Location"), to)
		}
	}
	for _, label := range []string{"slow-body", "slow-header", "no-answer", "silent", "slow-tls"} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			if r, body, err := getWithin(t, l, dns.TypeA, lab.HostileURL(label), time.Second); !fails("Timeout")(r, body, err) {
				t.Errorf("%s: %+v, %d octets, %v", label, r, len(body), err)
			}
		})
	}
	for label, want := range map[string]func(*http.Response, string, error) bool{
		"header-flood": fails("headers exceeded"), "long-line": fails("headers exceeded"),
		"truncated": fails("unexpected EOF"), "reset": fails("reset"), "reset-body": fails("reset"), "refused": fails("refused"),
		"closes": fails("EOF"), "not-tls": fails("HTTP response to HTTPS"), "http09": fails("malformed"), "not-http": fails("malformed"),
		"bad-header": fails("malformed"), "two-lengths": fails("Content-Length"),
		"huge-length": func(_ *http.Response, b string, err error) bool { return err == nil && len(b) == 1<<20 },
		"big-header":  status(200, "X-Big"), "interim": fails("headers exceeded"), "bad-chunk": fails("chunk"), "trailers": fails("trailer"),
		"endless": func(_ *http.Response, b string, err error) bool { return err == nil && len(b) == 1<<20 },
		"bomb":    func(r *http.Response, b string, err error) bool { return err == nil && unpacked(b) > 256<<20 },
		"lying":   status(200, "Content-Encoding"), "large": func(_ *http.Response, b string, _ error) bool { return len(b) > 290_000 },
		"nul":     func(_ *http.Response, b string, err error) bool { return err == nil && strings.Contains(b, "\x00") },
		"no-type": func(r *http.Response, _ string, err error) bool { return err == nil && r.Header["Content-Type"] == nil },
		"html":    status(200, ""), "s204": status(204, ""), "s404": status(404, ""), "s500": status(500, ""), "s503": status(503, "Retry-After"),
		"s429": status(429, "Retry-After"), "cookies": status(200, "Set-Cookie"),
		"loop": leads("https://loop."), "to-loopback": leads("https://127.0.0.1/"), "to-metadata": leads("http://169.254.169.254/"),
		"to-http": leads("http://plain."), "to-file": leads("file:"), "to-expired": leads("https://expired."), "chain": leads("/hop/10"),
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			if r, body, err := get(t, l, dns.TypeA, lab.HostileURL(label)); !want(r, body, err) {
				t.Errorf("%s: %+v, %d octets, %v", label, r, len(body), err)
			}
		})
	}
}

// unpacked is how much a gzip file becomes.
func unpacked(s string) int64 {
	z, err := gzip.NewReader(bytes.NewReader([]byte(s)))
	if err != nil {
		return 0
	}
	n, _ := io.Copy(io.Discard, z)
	return n
}

// TestFamilies proves that a host has an address of each family, and that the
// map leads each to a socket.
func TestFamilies(t *testing.T) {
	l := start(t, lab.Config{})
	_, four, err := get(t, l, dns.TypeA, lab.HostileURL("differs"))
	if err != nil {
		t.Fatal(err)
	}
	_, six, err := get(t, l, dns.TypeAAAA, lab.HostileURL("differs"))
	if err != nil {
		t.Fatal(err)
	}
	if four == six {
		t.Errorf("the same over both families: %s", four)
	}
	for label, qtype := range map[string]uint16{"only4": dns.TypeAAAA, "only6": dns.TypeA} {
		if m, addrs := lookup(t, l, label+".hostile.example", qtype); len(addrs) > 0 || m.Rcode != dns.RcodeSuccess {
			t.Errorf("%s: %v %s, want no data", label, addrs, dns.RcodeToString[m.Rcode])
		}
	}
}

// TestStrays proves that an address that is not the lab's leads nowhere else.
func TestStrays(t *testing.T) {
	l := start(t, lab.Config{Bare: true})
	for _, a := range []string{"127.0.0.1:443", "192.0.2.1:443", "[::1]:443", "[2001:db8:80::ffff]:443", "127.80.1.1:25"} {
		if c, err := l.DialContext(t.Context(), "tcp", a); err == nil {
			_ = c.Close()
		} else if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", a, err)
		}
	}
	// The socket counts when it accepts, which may be after the dial.
	for range 1000 {
		if l.Strays() == 4 {
			return
		}
		if c, err := l.DialContext(t.Context(), "tcp", "127.80.1.1:25"); err == nil {
			_ = c.Close()
		}
	}
	t.Errorf("%d strays, want 4: all but the lab's own address", l.Strays())
}

// TestSites adds sites and zones of one's own to a bare lab.
func TestSites(t *testing.T) {
	l := start(t, lab.Config{Bare: true,
		Sites: []lab.Site{{Host: "www.mine.test", Pages: map[string]lab.Page{"/": {Body: "hello\n"}}}},
		Zones: []lab.Zone{{Origin: "other.test", Text: "@ TXT \"x\"\n"}}})
	if _, body, err := get(t, l, dns.TypeA, "https://www.mine.test/"); err != nil || body != "hello\n" {
		t.Errorf("%q, %v", body, err)
	}
	if m, _ := lookup(t, l, "other.test", dns.TypeTXT); len(m.Answer) != 1 {
		t.Errorf("%v", m)
	}
	if _, err := lab.Start(lab.Config{Bare: true, Zones: []lab.Zone{{Origin: "bad.test", Text: "@ A nonsense\n"}}}); err == nil {
		t.Error("a zone that can't be read was taken")
	}
	if v := l.Visits("www.mine.test"); v.Requests != 1 || v.Connections != 1 || v.Sent != 6 {
		t.Errorf("%+v", v)
	}
}
