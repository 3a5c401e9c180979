package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// liar starts a resolver that knows no name at all.
func liar(t *testing.T) string {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError))
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	return pc.LocalAddr().String()
}

// TestCheckByTwoResolvers has one of two resolvers lie. Whichever is asked first,
// nobody is blamed for it; with the liar alone, it would be an error.
func TestCheckByTwoResolvers(t *testing.T) {
	r, liar := startLab(t), liar(t)
	both := append([]string{"--check", "domain", "--json", "anchor.example"}, r.args...)
	both = append(both, "--resolver", liar)
	seen := map[int]bool{}
	for i := 0; i < 30 && len(seen) < 2; i++ {
		dir := t.TempDir()
		out, errs, status := r.check(append(both, "--save", dir)...)
		seen[status] = true
		told := strings.Contains(out, "dns.inconsistent") && strings.Contains(out, liar) && strings.Contains(out, r.lab.Resolver()) && strings.Contains(out, "no such name")
		if status != 0 && (status != 3 || !told) {
			t.Fatalf("status %d: %s%s", status, out, errs)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(files) != 1 {
			t.Fatalf("%d transcripts", len(files))
		}
		if _, errs, again := r.check(r.offline("--replay", files[0])...); again != status {
			t.Fatalf("the replay ends with %d, the check with %d: %s", again, status, errs)
		}
	}
	if !seen[0] || !seen[3] {
		t.Errorf("statuses %v, want 0 and 3", seen)
	}
	alone := append([]string{"--check", "domain", "anchor.example"}, r.args[:6]...)
	if out, errs, status := r.check(append(alone, "--resolver", liar)...); status != 1 || !strings.Contains(out, "domain.missing") {
		t.Errorf("the liar alone: status %d: %s%s", status, out, errs)
	}
}
