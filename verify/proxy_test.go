package verify_test

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// proxy serves CONNECT and leads every connection to one place.
func proxy(l net.Listener, to netip.AddrPort, asked chan<- string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r := bufio.NewReader(c)
		line, err := r.ReadString('\n')
		asked <- strings.TrimSpace(line)
		for err == nil && strings.TrimSpace(line) != "" {
			line, err = r.ReadString('\n')
		}
		out, err := net.Dial("tcp", to.String())
		if err != nil {
			_ = c.Close()
			continue
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(out, r); _ = out.Close() }()
		go func() { _, _ = io.Copy(c, out); _ = c.Close() }()
	}
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}
