package main

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// patientListener accepts connections whose deadlines cost next to nothing to
// move. net/http moves four for each request, and each of them moves a timer of
// the runtime: together a tenth of what a lookup costs.
type patientListener struct{ net.Listener }

// Accept implements [net.Listener].
func (l patientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: c}, nil
}

// patientConn moves the timer of a deadline only when the new one is earlier
// than what the timer stands at. When a timer goes off before the deadline, it
// is set again and the operation goes on, so that nobody sees it.
//
// Other methods of the connection, such as ReadFrom, are hidden on purpose.
type patientConn struct {
	net.Conn
	read, write patience
}

// patience is one deadline.
type patience struct {
	mu      sync.Mutex
	until   time.Time // what was asked for; zero is no limit
	armed   time.Time // what the timer stands at; zero is never
	stopped bool      // the timer stands in the past, which holds until it is set again
}

// Read implements [net.Conn].
func (c *patientConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if n > 0 || err == nil || !c.read.early(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// Write implements [net.Conn].
func (c *patientConn) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, err := c.Conn.Write(b[done:])
		done += n
		if err == nil || !c.write.early(err, c.Conn.SetWriteDeadline) {
			return done, err
		}
	}
}

// SetReadDeadline implements [net.Conn].
func (c *patientConn) SetReadDeadline(t time.Time) error {
	return c.read.set(t, c.Conn.SetReadDeadline)
}

// SetWriteDeadline implements [net.Conn].
func (c *patientConn) SetWriteDeadline(t time.Time) error {
	return c.write.set(t, c.Conn.SetWriteDeadline)
}

// SetDeadline implements [net.Conn].
func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (p *patience) set(t time.Time, arm func(time.Time) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = t
	switch {
	case !t.IsZero() && t.Unix() < longAgo:
		p.stopped = true
		return arm(t)
	case p.stopped:
		p.stopped = false
		if !p.sooner(t) {
			return arm(p.armed) // where it stood before
		}
	case !p.sooner(t):
		return nil // the timer goes off no later than it has to
	}
	p.armed = t
	return arm(t)
}

// sooner reports whether t is before what the timer stands at.
func (p *patience) sooner(t time.Time) bool {
	return !t.IsZero() && (p.armed.IsZero() || t.Before(p.armed))
}

// longAgo, in 2004, is before every deadline that anybody waits for: net/http
// sets one in 1970 to stop a read.
const longAgo = 1 << 30

// early reports whether err is a timer that went off before its deadline, which
// is then set again.
func (p *patience) early(err error, arm func(time.Time) error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.until.IsZero() && !time.Now().Before(p.until) {
		return false
	}
	p.armed = p.until
	return arm(p.until) == nil
}
