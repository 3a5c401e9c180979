package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is a log that a server writes while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newTestCall is a call with a database of its own that is to listen on a free port.
func newTestCall(t *testing.T, cfg config) (*call, *lockedBuffer) {
	t.Helper()
	w, _, _ := testWorld(nil)
	log := new(lockedBuffer)
	w.stderr = log
	cfg.DB, cfg.Listen, cfg.LogFormat = filepath.Join(t.TempDir(), "rollcall.db"), "127.0.0.1:0", "auto"
	return &call{world: w, ctx: t.Context(), cfg: &cfg, log: w.logger(&cfg)}, log
}

// slowServer runs a server whose only answer waits for release.
func slowServer(t *testing.T, patience time.Duration) (s *server, log *lockedBuffer, asked chan struct{}, release chan struct{}) {
	t.Helper()
	c, log := newTestCall(t, config{ShutdownTimeout: patience})
	s, err := c.newServer()
	if err != nil {
		t.Fatal(err)
	}
	asked, release = make(chan struct{}), make(chan struct{})
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	return s, log, asked, release
}

// TestStopWaitsForRequests stops a server in the middle of a request, which
// still gets its answer.
func TestStopWaitsForRequests(t *testing.T) {
	s, log, asked, release := slowServer(t, time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	over, answer := make(chan error, 1), make(chan string, 1)
	go func() { over <- s.run(ctx) }()
	go func() { answer <- get(http.DefaultClient, s.url()) }()
	<-asked
	stop()
	awaitClosed(t, s.listener.Addr().String())
	select {
	case err := <-over:
		t.Fatalf("the server stopped (%v) before the request had its answer", err)
	default:
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q, want its answer", got)
	}
	if err := <-over; err != nil {
		t.Errorf("run = %v, want nil", err)
	}
	want := []string{"serving", "stopping", "stopped"}
	if got := messages(t, log.String()); !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
}

// TestStopIsLimited cuts off a request that never ends.
func TestStopIsLimited(t *testing.T) {
	s, log, asked, release := slowServer(t, 20*time.Millisecond)
	defer close(release)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.run(ctx) }()
	go func() { _ = get(http.DefaultClient, s.url()) }()
	<-asked
	stop()
	if err := <-over; err != nil {
		t.Errorf("run = %v, want nil", err)
	}
	if !strings.Contains(log.String(), "requests were cut off") {
		t.Errorf("the log says %q, want that requests were cut off", log)
	}
}

func get(client *http.Client, url string) string {
	answer, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// awaitClosed waits until nobody listens on address.
func awaitClosed(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
		<-tick.C
	}
	t.Fatal("the server still accepts connections")
}

// messages are those of a log in JSON.
func messages(t *testing.T, log string) []string {
	t.Helper()
	var list []string
	for line := range strings.Lines(log) {
		var entry struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			if strings.HasPrefix(line, "rollcall: made a new database") {
				continue // for people, not for the log
			}
			t.Fatalf("a line of the log is not JSON: %q", line)
		}
		list = append(list, entry.Msg)
	}
	return list
}

// TestServeTLS serves HTTPS and refuses a certificate that can't be read
// before it opens anything.
func TestServeTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	c, _ := newTestCall(t, config{TLSCert: cert, TLSKey: key, ShutdownTimeout: time.Second})
	s, err := c.newServer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.run(ctx) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if got := get(client, s.url()+"/v1/lookup?q=192.0.2.1"); !strings.HasPrefix(s.url(), "https://") || !strings.Contains(got, `"status":"none"`) {
		t.Errorf("%s answers %q, want a lookup over HTTPS", s.url(), got)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-over; err != nil {
		t.Errorf("run = %v, want nil", err)
	}

	c, _ = newTestCall(t, config{TLSCert: key, TLSKey: key})
	if _, err := c.newServer(); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "tls_cert") {
		t.Errorf("with a key as certificate: %v, want wrong usage that names tls_cert", err)
	}
	if _, err := os.Stat(c.cfg.DB); err == nil {
		t.Error("the database was made although the certificate is no good")
	}
}

// certificate makes a certificate for 127.0.0.1, and a pool that trusts it.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{cert: public, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return cert, key, pool
}

// TestStopEndsWaiting stops a server for whose changes somebody waits: they are
// answered at once, and the stop does not take as long as they would have waited.
func TestStopEndsWaiting(t *testing.T) {
	c, log := newTestCall(t, config{ShutdownTimeout: time.Minute})
	s, err := c.newServer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over, answer := make(chan error, 1), make(chan string, 1)
	go func() { over <- s.run(ctx) }()
	go func() { answer <- get(http.DefaultClient, s.url()+"/v1/changes?wait=60") }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(get(http.DefaultClient, s.url()+"/metrics"), "rollcall_change_waiters 1") {
		<-tick.C
	}
	begun := time.Now()
	stop()
	if got := <-answer; !strings.HasPrefix(got, `{"changes":[],"next":0,"head":0,`) {
		t.Errorf("who waited got %q, want an empty page", got)
	}
	if err := <-over; err != nil || time.Since(begun) > 30*time.Second || strings.Contains(log.String(), "cut off") {
		t.Errorf("run = %v after %v, want a stop at once; the log says %s", err, time.Since(begun), log)
	}
}
