package lab_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// daemon runs a name server of Debian's until the test ends, and waits until it answers.
func daemon(t *testing.T, at string, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path = "/usr/sbin/" + name; !exists(path) {
			t.Skipf("%s is not installed", name)
		}
	}
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, out.String())
		}
	})
	c := &dns.Client{Net: "tcp", Timeout: time.Second}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		// A refused port answers at once, so this may spin for a moment.
		if _, _, err := c.Exchange(new(dns.Msg).SetQuestion("signed.example.", dns.TypeSOA), at); err == nil {
			return
		}
	}
	t.Fatalf("%s does not answer:\n%s", name, out.String())
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// freePort is a port of 127.0.0.1 that was free for UDP and TCP just now.
func freePort(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// unbound starts a real validating resolver over the lab's servers.
//
// It gives a server it does not know 50 ms instead of 376: it doubles that with
// each try, and a name server that never answers would outlast the client.
func unbound(t *testing.T, l *lab.Lab) string {
	dir, port := t.TempDir(), freePort(t)
	var b strings.Builder
	fmt.Fprintf(&b, `server:
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  interface: 127.0.0.1@%d
  do-not-query-localhost: no
  do-ip6: no
  ede: yes
  num-threads: 1
  unknown-server-time-limit: 50
  trust-anchor: %q
  val-override-date: %q
`, dir, port, strings.Join(strings.Fields(l.TrustAnchor()), " "), l.Now().UTC().Format("20060102150405"))
	for zone, servers := range l.ZoneServers() {
		fmt.Fprintf(&b, "stub-zone:\n  name: %q\n", zone)
		for _, s := range servers {
			fmt.Fprintf(&b, "  stub-addr: %s@%d\n", s.Addr(), s.Port())
		}
	}
	conf := filepath.Join(dir, "unbound.conf")
	write(t, conf, b.String())
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String()
	daemon(t, at, "unbound", "-d", "-c", conf)
	return at
}

// nsd starts a real authoritative server for the zones of one of the lab's servers.
func nsd(t *testing.T, l *lab.Lab, addr netip.Addr) string {
	dir, port := t.TempDir(), freePort(t)
	var b strings.Builder
	fmt.Fprintf(&b, `server:
  ip-address: 127.0.0.1@%d
  zonesdir: %q
  database: ""
  username: ""
  chroot: ""
  pidfile: %q
  xfrdfile: ""
  zonelistfile: %q
  server-count: 1
  minimal-responses: no
  refuse-any: no
remote-control:
  control-enable: no
`, port, dir, filepath.Join(dir, "nsd.pid"), filepath.Join(dir, "zone.list"))
	texts := l.Zones()
	for zone, servers := range l.ZoneServers() {
		if !slices.ContainsFunc(servers, func(a netip.AddrPort) bool { return a.Addr() == addr }) {
			continue
		}
		file := filepath.Join(dir, zone+"zone")
		write(t, file, texts[zone])
		fmt.Fprintf(&b, "zone:\n  name: %q\n  zonefile: %q\n", zone, file)
	}
	conf := filepath.Join(dir, "nsd.conf")
	write(t, conf, b.String())
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String()
	daemon(t, at, "nsd", "-d", "-c", conf)
	return at
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// question is one to put to a server of ours and to a real one.
type question struct {
	name  string
	qtype uint16
}

// questions are all kinds of answer in every signed zone, and in the zones of teams.
func questions(l *lab.Lab) (all []question) {
	for origin := range lab.SignedZones() {
		for _, name := range []string{"", "a.b.", "b.", "nope.", "deep.nope.", "x.wild.", "wild.", "mail.", "alias.", "child.", "x.child.", "plain.", "x.plain.", "out.", "bad-end."} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeDS, dns.TypeMX} {
				all = append(all, question{name + origin, qtype})
			}
		}
		for _, qtype := range []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeDNSKEY} {
			all = append(all, question{origin, qtype})
		}
	}
	for _, name := range []string{"_rollcall-challenge.anchor.example.", "_rollcall-challenge.mill.example."} {
		all = append(all, question{name, dns.TypeTXT})
	}
	for _, team := range l.Teams() {
		for _, name := range []string{"", "mail.", "_dmarc.", "nope."} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeMX, dns.TypeTXT} {
				all = append(all, question{name + team.Domain + ".", qtype})
			}
		}
	}
	return all
}

// ask puts a question with DO set over TCP, so that nothing is cut.
func (q question) ask(t *testing.T, at string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(q.name, q.qtype)
	m.SetEdns0(1232, true)
	m.AuthenticatedData = true
	c := &dns.Client{Net: "tcp", Timeout: 15 * time.Second}
	r, _, err := c.Exchange(m, at)
	if err != nil {
		t.Fatalf("%s %s at %s: %v", q.name, dns.TypeToString[q.qtype], at, err)
	}
	return r
}

func (q question) String() string { return q.name + " " + dns.TypeToString[q.qtype] }

// TestAgainstUnbound holds what the lab's resolver says of each answer against
// what a real validator finds: existence, and secure or not or bogus.
func TestAgainstUnbound(t *testing.T) {
	l := start(t, lab.Config{})
	at := unbound(t, l)
	for _, q := range questions(l) {
		got, want := q.ask(t, l.Resolver()), q.ask(t, at)
		if got.Rcode != want.Rcode || got.AuthenticatedData != want.AuthenticatedData {
			t.Errorf("%s: %s ad %t, Unbound says %s ad %t: %v", q, dns.RcodeToString[got.Rcode], got.AuthenticatedData,
				dns.RcodeToString[want.Rcode], want.AuthenticatedData, want.IsEdns0())
		}
	}
}

// TestAgainstNSD holds whole answers against those of a real server of the same zones.
func TestAgainstNSD(t *testing.T) {
	l := start(t, lab.Config{})
	addr := netip.MustParseAddr("127.80.0.5")
	at := nsd(t, l, addr)
	ours := l.DialMap(netip.AddrPortFrom(addr, 53)).String()
	for _, q := range questions(l) {
		if strings.HasPrefix(q.name, "out.") || strings.HasPrefix(q.name, "bad-end.") {
			continue // NSD goes on in its other zones; the lab leaves that to resolvers
		}
		got, want := q.ask(t, ours), q.ask(t, at)
		if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
			t.Errorf("%s: NSD says %s\nthe lab says %s", q, want, got)
		}
	}
}

// plain is what counts of an answer, without order. Servers add what they like
// to the authority section of a positive answer, so of that only proofs count.
func plain(m *dns.Msg) map[string][]string {
	p := map[string][]string{"header": {dns.RcodeToString[m.Rcode], fmt.Sprint(m.Authoritative)}}
	for _, rr := range m.Answer {
		p["answer"] = append(p["answer"], rr.String())
	}
	for _, rr := range m.Ns {
		sig, _ := rr.(*dns.RRSIG)
		if len(m.Answer) > 0 && (rr.Header().Rrtype == dns.TypeNS || sig != nil && sig.TypeCovered == dns.TypeNS) {
			continue
		}
		p["authority"] = append(p["authority"], rr.String())
	}
	for _, s := range p {
		slices.Sort(s)
	}
	return p
}

// TestAgainstDelv lets BIND's validator walk the chain by itself, through the
// lab's resolver, and holds our own proofs against it. It knows no other time
// than the present.
func TestAgainstDelv(t *testing.T) {
	delv, err := exec.LookPath("delv")
	if err != nil {
		t.Skip("delv is not installed")
	}
	l, err := lab.Start(lab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ds := strings.Fields(l.TrustAnchor())
	anchor := filepath.Join(t.TempDir(), "anchor")
	write(t, anchor, fmt.Sprintf("trust-anchors { \".\" static-ds %s %s %s %q; };\n", ds[4], ds[5], ds[6], strings.Join(ds[7:], "")))
	at := l.ResolverAddr()
	seen := map[dnssec.Status]int{}
	for _, q := range delvQuestions(l) {
		out, _ := exec.Command(delv, "@"+at.Addr().String(), "-p", fmt.Sprint(at.Port()), "-a", anchor, "+root=.", q.name, dns.TypeToString[q.qtype]).CombinedOutput()
		want := dnssec.Bogus
		switch {
		case strings.Contains(string(out), "fully validated"):
			want = dnssec.Secure
		case strings.Contains(string(out), "unsigned answer"):
			want = dnssec.Insecure
		}
		if q.name == "nope.opt-out.signed.example." || q.name == "plain.opt-out.signed.example." {
			want = dnssec.Insecure // RFC 5155 section 9.2: such a denial is not to be called authentic; Unbound keeps to it
		}
		seen[want]++
		if got := proves(t, l, l.Resolver(), q); got.Status != want {
			t.Errorf("%s: %s (%s), delv says %s:\n%s", q, got.Status, got.Reason, want, out)
		}
	}
	for _, s := range []dnssec.Status{dnssec.Secure, dnssec.Insecure, dnssec.Bogus} {
		if seen[s] < 3 {
			t.Errorf("%d answers are %s, too few to say anything", seen[s], s)
		}
	}
	for origin, sign := range lab.SignedZones() {
		if got := proves(t, l, l.Resolver(), question{"a.b." + origin, dns.TypeTXT}); string(got.Status) != sign.State() {
			t.Errorf("%s (%s): %s, want %s", origin, sign, got.Status, sign.State())
		}
	}
}

// delvQuestions are records in every signed zone; those of a wildcard and an
// alias, and what is not there, in zones of each kind of denial; and the mail
// servers of some teams. delv takes its time for each.
func delvQuestions(l *lab.Lab) (all []question) {
	for origin := range lab.SignedZones() {
		all = append(all, question{"a.b." + origin, dns.TypeTXT})
	}
	for _, zone := range []string{"nsec", "nsec3", "opt-out"} {
		for _, name := range []string{"nope.", "x.wild.", "alias."} {
			all = append(all, question{name + zone + ".signed.example.", dns.TypeTXT})
		}
		all = append(all, question{"plain." + zone + ".signed.example.", dns.TypeDS})
	}
	teams := slices.DeleteFunc(l.Teams(), func(team lab.Team) bool {
		return !slices.Contains([]string{"anchor", "beacon", "foundry", "tramway", "heron", "courier"}, team.Handle)
	})
	for _, team := range teams {
		all = append(all, question{team.Domain + ".", dns.TypeMX})
	}
	return all
}
