package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// pause waits between two octets of a slow peer, and tells whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// repeat writes text every so often until somebody has had enough.
func repeat(ctx context.Context, c net.Conn, text string, every time.Duration) {
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		if every > 0 && !pause(ctx, every) || ctx.Err() != nil {
			return
		}
	}
}

const okText = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"

// raw answers with a text and closes.
func raw(text string) Fault {
	return func(_ context.Context, c net.Conn) { _, _ = io.WriteString(c, text) }
}

// slowBody sends one octet a second.
func slowBody(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, okText+"Content-Length: 1000\r\n\r\n"); err == nil {
		repeat(ctx, c, "#", time.Second)
	}
}

// slowHeader never comes to the end of its header, but keeps sending.
func slowHeader(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, okText); err == nil {
		repeat(ctx, c, "X-More: and more\r\n", 100*time.Millisecond)
	}
}

// flood sends a header without end as fast as it is taken.
func flood(ctx context.Context, c net.Conn) {
	line := "X-Flood: " + strings.Repeat("f", 1000) + "\r\n"
	if _, err := io.WriteString(c, okText); err == nil {
		repeat(ctx, c, strings.Repeat(line, 32), 0)
	}
}

// longLine sends one header field that does not end.
func longLine(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, okText+"X-Long: "); err == nil {
		repeat(ctx, c, strings.Repeat("l", 1<<15), 0)
	}
}

// endless sends chunks without end (RFC 9112 section 7.1).
func endless(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, okText+"Transfer-Encoding: chunked\r\n\r\n"); err == nil {
		repeat(ctx, c, fmt.Sprintf("%x\r\n%s\r\n", 1<<15, strings.Repeat("# endless\n", 1<<15)[:1<<15]), 0)
	}
}

// hugeLength announces more than anybody wants.
func hugeLength(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, okText+"Content-Length: 10737418240\r\n\r\n"); err == nil {
		repeat(ctx, c, strings.Repeat("# huge\n", 4096), 0)
	}
}

// interim sends early hints for ever (RFC 8297).
func interim(ctx context.Context, c net.Conn) {
	repeat(ctx, c, "HTTP/1.1 103 Early Hints\r\nLink: </more>\r\n\r\n", 0)
}

// trailers ends its chunks and goes on with fields (RFC 9112 section 7.1.2).
func trailers(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, okText+"Transfer-Encoding: chunked\r\n\r\n2\r\n#\n\r\n0\r\n"); err == nil {
		repeat(ctx, c, "X-Trailer: "+strings.Repeat("t", 1000)+"\r\n", 0)
	}
}

// slowTLS begins a record of a handshake that takes hours (RFC 8446 section 5.1).
func slowTLS(ctx context.Context, c net.Conn) {
	if _, err := c.Write([]byte{22, 3, 3, 0x40, 0}); err == nil {
		repeat(ctx, c, "\x02", time.Second)
	}
}

// silent takes a connection and says nothing.
func silent(ctx context.Context, _ net.Conn) { <-ctx.Done() }

// reset ends a connection with RST. Only TCP's own connection can do that.
func reset(_ context.Context, c net.Conn) {
	for {
		switch x := c.(type) {
		case *counted:
			c = x.Conn
			continue
		case *tls.Conn:
			c = x.NetConn()
			continue
		case *net.TCPConn:
			_ = x.SetLinger(0)
			_ = x.Close()
		}
		return
	}
}

// closes reads what there is and closes: with something unread it would be a reset.
func closes(_ context.Context, c net.Conn) { _, _ = c.Read(make([]byte, 1<<14)) }

// resetBody begins an answer and resets.
func resetBody(ctx context.Context, c net.Conn) {
	_, _ = io.WriteString(c, okText+"Content-Length: 5000\r\n\r\nContact: mailto:half@")
	reset(ctx, c)
}

// notTLS speaks HTTP in clear where TLS is due.
func notTLS(_ context.Context, c net.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
}

// bombSize is what the bomb becomes when it is unpacked.
const bombSize = 512 << 20

// bomb answers with half a megabyte that unpacks to half a gigabyte. RFC 1952
// section 2.2: a file is a series of members, so one small member is repeated.
func bomb(w http.ResponseWriter, _ *http.Request) {
	var member bytes.Buffer
	const unit = 8 << 20
	z := gzip.NewWriter(&member)
	_, _ = z.Write(make([]byte, unit))
	_ = z.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Encoding", "gzip")
	for range bombSize / unit {
		if _, err := w.Write(member.Bytes()); err != nil {
			return
		}
	}
}

// lying says that a plain body is packed.
func lying(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = io.WriteString(w, "Contact: mailto:plain@hostile.example\n")
}

// chain redirects n times, then answers; the number left is in the path.
func chain(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		left := n
		if _, err := fmt.Sscanf(r.URL.Path, "/hop/%d", &left); err == nil && left == 0 {
			_, _ = io.WriteString(w, "the end\n")
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/hop/%d", left-1), http.StatusFound)
	}
}

// leadOn redirects to whatever the query names, letter by letter: a test can
// send a client to any address without the lab knowing it.
func leadOn(w http.ResponseWriter, r *http.Request) {
	w.Header()["Location"] = []string{r.URL.Query().Get("to")}
	w.WriteHeader(http.StatusFound)
}
