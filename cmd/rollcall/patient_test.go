package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pair returns the two ends of a connection over loopback, the first patient.
func pair(t *testing.T) (*patientConn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := patientListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = far.Close(), near.Close() })
	return near.(*patientConn), far
}

// arms counts how often a timer is moved.
type arms struct {
	net.Conn
	moved atomic.Int64
}

func (a *arms) SetReadDeadline(t time.Time) error  { a.moved.Add(1); return a.Conn.SetReadDeadline(t) }
func (a *arms) SetWriteDeadline(t time.Time) error { a.moved.Add(1); return a.Conn.SetWriteDeadline(t) }

func TestPatientDeadlinesHold(t *testing.T) {
	long, short := time.Hour, 20*time.Millisecond
	for name, moves := range map[string][]time.Duration{
		"set once":                      {short},
		"put off, and taken back":       {short, long, short},
		"made earlier":                  {long, short},
		"put off while it runs":         {1, short},
		"lifted and set again":          {short, 0, short},
		"in the past":                   {-time.Minute},
		"in the past, after a long one": {long, -time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			near, _ := pair(t)
			for _, d := range moves {
				at := time.Time{}
				if d != 0 {
					at = time.Now().Add(d)
				}
				if err := near.SetReadDeadline(at); err != nil {
					t.Fatal(err)
				}
			}
			due := near.read.until
			_, err := near.Read(make([]byte, 1))
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("read ended with %v, want a deadline", err)
			}
			if now := time.Now(); now.Before(due) {
				t.Errorf("read ended %v too early", due.Sub(now))
			}
		})
	}
}

func TestPatientReadOutlivesAnOldTimer(t *testing.T) {
	near, far := pair(t)
	for _, later := range []time.Time{time.Now().Add(time.Hour), {}} {
		for _, d := range []time.Time{time.Now().Add(time.Millisecond), later} {
			if err := near.SetReadDeadline(d); err != nil {
				t.Fatal(err)
			}
		}
		time.AfterFunc(30*time.Millisecond, func() { _, _ = far.Write([]byte("x")) }) // long after the first would have ended it
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Fatalf("with a deadline at %v: %v", later, err)
		}
	}
}

func TestPatientStopInThePastHoldsUntilLifted(t *testing.T) {
	near, far := pair(t)
	stop := time.Unix(1, 0) // as net/http stops its read in the background
	for _, at := range []time.Time{time.Now().Add(time.Hour), stop} {
		if err := near.SetReadDeadline(at); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read ended with %v, want a deadline", err)
		}
	}
	if err := near.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	_, _ = far.Write([]byte("x"))
	if _, err := near.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestPatientWriteGoesOnWhereItWas(t *testing.T) {
	near, far := pair(t)
	for _, d := range []time.Duration{5 * time.Millisecond, time.Hour} {
		if err := near.SetWriteDeadline(time.Now().Add(d)); err != nil {
			t.Fatal(err)
		}
	}
	sent := strings.Repeat("0123456789", 2<<20) // far more than the buffers of a socket hold
	result := make(chan error, 1)
	go func() {
		_, err := near.Write([]byte(sent))
		_ = near.Close()
		result <- err
	}()
	slow := make(chan time.Time)
	time.AfterFunc(40*time.Millisecond, func() { close(slow) })
	<-slow
	got, err := io.ReadAll(far)
	if err := errors.Join(err, <-result); err != nil {
		t.Fatal(err)
	}
	if string(got) != sent {
		t.Errorf("%d bytes arrived, want the %d that were sent", len(got), len(sent))
	}
	near, _ = pair(t)
	if err := near.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte(sent)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write that nobody reads ended with %v, want a deadline", err)
	}
}

// TestPatientServer holds the time-outs of a real server against clients that
// say too little, and counts how often many requests move its timers.
func TestPatientServer(t *testing.T) {
	counted := make(chan *arms, 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	_ = s.Listener.Close()
	s.Listener = patientListener{counting{l, counted}}
	c := s.Config
	c.ReadHeaderTimeout, c.ReadTimeout, c.WriteTimeout, c.IdleTimeout = 300*time.Millisecond, time.Hour, time.Hour, 600*time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	half := dial()
	_, _ = io.WriteString(half, "GET / HTTP/1.1\r\nHost: a\r\n")
	<-counted
	idle := dial()
	moves, r := <-counted, bufio.NewReader(idle)
	for range 200 {
		_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	for name, conn := range map[string]net.Conn{"half a request": half, "an idle connection": idle} {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s is not cut off: %v", name, err)
		}
	}
	// Two of each request remain: net/http stops its read in the background.
	if n := moves.moved.Load(); n > 2*200+20 {
		t.Errorf("200 requests moved timers %d times", n)
	}
}

type counting struct {
	net.Listener
	conns chan *arms
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a := &arms{Conn: conn}
	c.conns <- a
	return a, nil
}
