package verify_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// farLab is a lab in a process of its own, whose work is not counted here.
type farLab struct {
	Resolver          netip.AddrPort
	HTTPS, HTTP, DNS  uint16
	Allow             []netip.Prefix
	Root, TrustAnchor string
	Teams             []lab.Team
}

const farLabVariable = "ROLLCALL_TEST_FAR_LAB"

// TestMain lets this binary be a lab of its own process.
func TestMain(m *testing.M) {
	if os.Getenv(farLabVariable) == "" {
		os.Exit(m.Run())
	}
	l, err := lab.Start(lab.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	any4 := l.Allow()[0].Addr().Next()
	port := func(n uint16) uint16 { return l.DialMap(netip.AddrPortFrom(any4, n)).Port() }
	err = json.NewEncoder(os.Stdout).Encode(farLab{Resolver: l.ResolverAddr(), HTTPS: port(443), HTTP: port(80), DNS: port(53),
		Allow: l.Allow(), Root: string(l.RootPEM()), TrustAnchor: l.TrustAnchor(), Teams: l.Teams()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever asked is gone
}

func startFarLab(b *testing.B) *farLab {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), farLabVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	var l farLab
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&l); err != nil {
		b.Fatal(err)
	}
	return &l
}

// dialMap is [lab.Lab.DialMap] from afar.
func (l *farLab) dialMap(at netip.AddrPort) netip.AddrPort {
	a := at.Addr()
	if a.Is6() {
		b := a.As16()
		a = netip.AddrFrom4([4]byte{127, 80, 128 + b[14], b[15]})
	}
	port, ok := map[uint16]uint16{443: l.HTTPS, 80: l.HTTP, 53: l.DNS}[at.Port()]
	if !ok {
		port = at.Port()
	}
	return netip.AddrPortFrom(a, port)
}

func (l *farLab) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(l.Root))
	return pool
}

// processor is the time that this process has had of its processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bare does the lookups and fetches of transcripts, with the same libraries,
// and nothing else.
type bare struct {
	lab    *farLab
	client http.Client
	udp    dns.Client
	tcp    dns.Client

	lookups, fetches int
}

func newBare(l *farLab) *bare {
	b := &bare{lab: l, udp: dns.Client{Timeout: 2 * time.Second, UDPSize: 1232}, tcp: dns.Client{Net: "tcp", Timeout: 2 * time.Second}}
	b.client = http.Client{
		Timeout:       6 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.roots()}, DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, ctx.Value(dialKey{}).(netip.AddrPort).String())
			}},
	}
	return b
}

// dialKey is where a request says to which address it goes.
type dialKey struct{}

func (b *bare) replay(t *verify.Transcript) {
	for i := range t.Answers {
		q := &t.Answers[i].Question
		at := b.lab.Resolver
		if q.Server.IsValid() {
			at = b.lab.dialMap(q.Server)
		}
		b.lookup(at, q.Name, dns.StringToType[q.Type], q.NoCheck)
	}
	for i := range t.Exchanges {
		for _, hop := range t.Exchanges[i].Hops {
			u, err := url.Parse(hop.URL)
			if err != nil {
				continue
			}
			for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
				b.lookup(b.lab.Resolver, u.Hostname(), kind, false)
			}
			if hop.Addr.IsValid() {
				b.fetch(hop.URL, b.lab.dialMap(hop.Addr))
			}
		}
	}
}

func (b *bare) lookup(at netip.AddrPort, name string, kind uint16, unchecked bool) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.CheckingDisabled = unchecked
	m.SetEdns0(1232, true)
	b.lookups++
	if r, _, err := b.udp.Exchange(m, at.String()); err == nil && r.Truncated {
		_, _, _ = b.tcp.Exchange(m, at.String()) // whatever becomes of it
	}
}

func (b *bare) fetch(u string, at netip.AddrPort) {
	b.fetches++
	r, err := http.NewRequestWithContext(context.WithValue(context.Background(), dialKey{}, at), http.MethodGet, u, nil)
	if err != nil {
		return
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return // as it was for the check
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 512<<10))
}

// BenchmarkVerify has all checks run on the teams of a lab, from the queue to
// the stored result, and then does their lookups and fetches once more in a
// bare loop. "ratio" is what the former costs in processor time of what the
// latter does; "ratio-first" is that of the first run, of which followers are
// told all.
func BenchmarkVerify(b *testing.B) {
	l := startFarLab(b)
	dsn, db := storetest.SQLite().Open(b)
	s := bareScene(b, dsn, db)
	s.clock.at = time.Now().UTC()
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{l.Resolver.String()}, Allow: l.Allow, Roots: l.roots(), Map: l.dialMap,
		Limiter: verify.NewLimiter(quickPaces(), 0), Connect: 2 * time.Second, Header: 2 * time.Second, Total: 6 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	for i := range l.Teams {
		s.labTeam(&l.Teams[i])
	}
	s.follower = s.follow(directory.FollowerConfig{Store: db, Watch: db.Watch}) // as serve and worker do
	cfg := s.config(labChecks(b, l.TrustAnchor, l.Allow)...)
	cfg.Network, cfg.Limit, cfg.Log, cfg.Poll = live, 40*time.Second, nil, 0
	used := processor()
	s.run(cfg)
	s.allHasRun()
	first := processor() - used
	transcripts := s.transcripts(l.Teams)
	var again, theirs, took time.Duration
	n, lookups, fetches := 0, 0, 0
	for b.Loop() {
		n++
		for i := range l.Teams {
			if _, err := s.RunChecks(context.Background(), operator, l.Teams[i].Handle); err != nil {
				b.Fatal(err)
			}
		}
		begun, used := time.Now(), processor()
		s.allHasRun()
		again, took = again+processor()-used, took+time.Since(begun)
		used = processor()
		lookups, fetches = replayAll(l, transcripts)
		theirs += processor() - used
	}
	all := float64(n * len(transcripts))
	b.ReportMetric(again.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(first.Seconds()*float64(n)/theirs.Seconds(), "ratio-first")
	b.ReportMetric(float64(again.Microseconds())/all, "µs-cpu/check")
	b.ReportMetric(float64(theirs.Microseconds())/all, "µs-cpu/bare")
	b.ReportMetric(all/took.Seconds(), "checks/s")
	b.Logf("%d checks with %d lookups and %d fetches", len(transcripts), lookups, fetches)
}

// allHasRun waits until nothing is due.
func (s *scene) allHasRun() {
	s.t.Helper()
	s.within(5*time.Minute, "everything has run", func() bool {
		<-time.After(500 * time.Millisecond) // looking costs what is measured
		f := s.figures()
		return f.Rows > 100 && f.Due == 0 && f.Leased == 0
	})
}

// replayAll does what transcripts say, as many at once as a runner does.
func replayAll(l *farLab, transcripts []verify.Transcript) (lookups, fetches int) {
	work := make(chan *verify.Transcript)
	var all sync.WaitGroup
	loops := make([]*bare, 32)
	for i := range loops {
		loops[i] = newBare(l)
		all.Go(func() {
			for t := range work {
				loops[i].replay(t)
			}
		})
	}
	for i := range transcripts {
		work <- &transcripts[i]
	}
	close(work)
	all.Wait()
	for _, b := range loops {
		lookups, fetches = lookups+b.lookups, fetches+b.fetches
	}
	return lookups, fetches
}

// transcripts reads all that are stored.
func (s *scene) transcripts(teams []lab.Team) (list []verify.Transcript) {
	s.t.Helper()
	for i := range teams {
		team, err := s.Team(context.Background(), operator, teams[i].Handle)
		if err != nil {
			s.t.Fatal(err)
		}
		known, err := s.db.Verifications(context.Background(), team.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, v := range known {
			if v.Raw == "" {
				continue
			}
			data, err := s.db.Transcript(context.Background(), v.Raw)
			if err != nil {
				s.t.Fatal(err)
			}
			t, err := verify.DecodeTranscript(data)
			if err != nil {
				s.t.Fatal(err)
			}
			list = append(list, t)
		}
	}
	return list
}
