package lab

import "strings"

// The domain of everything that does not keep to the rules.
const hostileDomain = "hostile.example"

// Hostile lists the sites of the lab that break a rule, each in one way, under
// every path. [Site.What] says which.
func Hostile() []Site { return hostileSites() }

// HostileURL is where a hostile site is met: its label and the well-known path.
func HostileURL(label string) string {
	return "https://" + label + "." + hostileDomain + "/.well-known/security.txt"
}

const harmless = "Contact: mailto:csirt@hostile.example\nExpires: 2099-01-01T00:00:00Z\n"

func hostileSites() []Site {
	var all []Site
	for _, list := range [][]Site{hostileCerts(), hostileRedirects(), hostileAnswers(), hostileStatus(), hostileConns()} {
		for _, s := range list {
			s.Host += "." + hostileDomain
			if s.Pages == nil {
				s.Pages = anywhere(Page{Body: harmless})
			}
			all = append(all, s)
		}
	}
	return append(all, Site{Host: Rebind, What: "its address is the lab's, then 127.0.0.1", NoIPv6: true, Pages: anywhere(Page{Body: harmless})})
}

func hostileCerts() []Site {
	return []Site{
		{Host: "expired", Cert: CertExpired, What: "its certificate ended yesterday"},
		{Host: "future", Cert: CertFuture, What: "its certificate begins in a week"},
		{Host: "wrong-name", Cert: CertWrongName, What: "its certificate is another host's"},
		{Host: "common-name", Cert: CertCommonName, What: "its certificate has the name as common name only"},
		{Host: "self-signed", Cert: CertSelfSigned, What: "its certificate is signed by itself"},
		{Host: "unknown-root", Cert: CertUnknownRoot, What: "its certificate is under a root that nobody trusts"},
		{Host: "incomplete", Cert: CertIncomplete, What: "it does not send the intermediate certificate"},
		{Host: "deep.wildcard", Cert: CertWildcard, What: "nothing is wrong: its certificate is for *.wildcard.hostile.example"},
		{Host: "tls10", Cert: CertTLS10, What: "it speaks TLS 1.0 only"},
	}
}

func hostileRedirects() []Site {
	to := func(label, what, url string) Site {
		return Site{Host: label, What: what, Pages: anywhere(redirect(url))}
	}
	on := func(label string) string { return "https://" + label + "." + hostileDomain + "/security.txt" }
	return []Site{
		to("loop", "it redirects to itself", on("loop")),
		to("ping", "it and pong redirect to each other", on("pong")),
		to("pong", "it and ping redirect to each other", on("ping")),
		{Host: "chain", What: "it redirects eleven times, then answers", Pages: anywhere(Page{Do: chain(11)})},
		{Host: "lead-on", What: "it redirects to the URL in ?to=", Pages: anywhere(Page{Do: leadOn})},
		to("to-loopback", "it redirects to 127.0.0.1", "https://127.0.0.1/security.txt"),
		to("to-loopback6", "it redirects to ::1", "https://[::1]/security.txt"),
		to("to-localhost", "it redirects to localhost", "https://localhost/security.txt"),
		to("to-private", "it redirects to 10.0.0.1", "https://10.0.0.1/security.txt"),
		to("to-metadata", "it redirects to the address of cloud metadata", "http://169.254.169.254/latest/meta-data/"),
		to("to-decimal", "it redirects to 127.0.0.1 written as one number", "https://2130706433/"),
		to("to-octal", "it redirects to 127.0.0.1 written in octal", "https://0177.0.0.1/"),
		to("to-hex", "it redirects to 127.0.0.1 written in hexadecimal", "https://0x7f.1/"),
		to("to-zone", "it redirects to an address with a zone", "https://[fe80::1%25lo]/"),
		to("to-http", "it redirects to http", "http://plain."+hostileDomain+"/security.txt"),
		to("to-port", "it redirects to another port", "https://wrong-type."+hostileDomain+":8443/security.txt"),
		to("to-file", "it redirects to a file URL", "file:///etc/passwd"),
		to("to-gopher", "it redirects to a gopher URL", "gopher://plain."+hostileDomain+"/1"),
		to("to-user", "it redirects to a URL with a password", "https://user:secret@plain."+hostileDomain+"/"),
		to("to-other-site", "it redirects to another registrable domain", "https://elsewhere.example/.well-known/security.txt"),
		to("to-expired", "it redirects to a host with an expired certificate", on("expired")),
		to("to-wrong-name", "it redirects to a host with another host's certificate", on("wrong-name")),
		to("to-nowhere", "it redirects to a name that does not exist", "https://no-such-name.example/"),
		to("to-long", "it redirects to a URL of 8,000 characters", on("plain")+"?"+strings.Repeat("x", 8000)),
		to("to-nothing", "it redirects without saying where", ""),
		{Host: "plain", What: "nothing is wrong; it answers over http as well", Plain: anywhere(Page{Body: harmless})},
	}
}

func hostileAnswers() []Site {
	fault := func(label, what string, f Fault) Site {
		return Site{Host: label, What: what, HTTP1: true, Pages: anywhere(Page{Raw: f})}
	}
	return []Site{
		fault("slow-body", "its body comes at one octet a second", slowBody),
		fault("slow-header", "its header does not end, slowly", slowHeader),
		fault("header-flood", "its header does not end, fast", flood),
		fault("long-line", "one field of its header does not end", longLine),
		fault("endless", "its body does not end", endless),
		fault("no-answer", "it reads the request and says nothing", silent),
		fault("truncated", "it closes before the announced length", raw(okText+"Content-Length: 5000\r\n\r\nContact: mailto:half@")),
		fault("reset-body", "it resets in the middle of the body", resetBody),
		fault("http09", "it answers in HTTP/0.9: a body and nothing else", raw(harmless)),
		fault("not-http", "it answers in another protocol", raw("220 mail.hostile.example ESMTP\r\n")),
		fault("bad-header", "its header has a line without a colon", raw("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n")),
		fault("two-lengths", "it announces two lengths", raw(okText+"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello")),
		fault("huge-length", "it announces ten gigabytes and begins to send them", hugeLength),
		fault("big-header", "its header has 40,000 octets, then it answers", raw(okText+"X-Big: "+strings.Repeat("b", 40_000)+"\r\nContent-Length: 0\r\n\r\n")),
		fault("interim", "it sends interim answers without end", interim),
		fault("bad-chunk", "its body has a chunk of no number", raw(okText+"Transfer-Encoding: chunked\r\n\r\nzz\r\n# what\r\n")),
		fault("trailers", "its body is short, and its trailers do not end", trailers),
		{Host: "bomb", What: "half a megabyte that unpacks to half a gigabyte", Pages: anywhere(Page{Do: bomb})},
		{Host: "lying", What: "it says gzip and sends plain text", Pages: anywhere(Page{Do: lying})},
		{Host: "large", What: "its body has 300,000 octets", Pages: anywhere(Page{Body: strings.Repeat("# a line\n", 300_000/9)})},
		{Host: "nul", What: "its body has NUL octets, escape sequences and verbs of printf",
			Pages: anywhere(Page{Body: "Contact: mailto:a\x00b@hostile.example\n%s%n%d: \x1b[2J\n\xff\xfe\n"})},
		{Host: "html", What: "it answers with a page for people", Pages: anywhere(html("Hello", "Contact: us"))},
		{Host: "wrong-type", What: "its text is application/octet-stream", Pages: anywhere(Page{Type: "application/octet-stream", Body: harmless})},
		{Host: "no-type", What: "it does not say what its text is", Pages: anywhere(Page{Type: "-", Body: harmless})},
		{Host: "empty", What: "its body is empty", Pages: anywhere(Page{})},
	}
}

func hostileStatus() []Site {
	answer := func(label, what string, status int, header ...string) Site {
		p := Page{Status: status, Body: what + "\n", Header: map[string]string{}}
		for i := 0; i < len(header); i += 2 {
			p.Header[header[i]] = header[i+1]
		}
		return Site{Host: label, What: what, Pages: anywhere(p)}
	}
	return []Site{
		answer("s204", "it answers 204", 204),
		answer("s401", "it answers 401", 401, "WWW-Authenticate", `Basic realm="x"`),
		answer("s403", "it answers 403", 403),
		answer("s404", "it answers 404", 404),
		answer("s410", "it answers 410", 410),
		answer("s429", "it answers 429 and asks for two minutes", 429, "Retry-After", "120"),
		answer("s500", "it answers 500", 500),
		answer("s503", "it answers 503 and asks for an hour", 503, "Retry-After", "3600"),
		answer("s503-years", "it answers 503 and asks for thirty years", 503, "Retry-After", "946080000"),
		answer("cookies", "it sets cookies", 200, "Set-Cookie", "id=1; Secure"),
	}
}

func hostileConns() []Site {
	return []Site{
		{Host: "refused", What: "nothing listens", Refuse: true},
		{Host: "reset", What: "it resets each connection", Conn: reset},
		{Host: "closes", What: "it closes each connection", Conn: closes},
		{Host: "silent", What: "it takes connections and says nothing", Conn: silent},
		{Host: "slow-tls", What: "its side of the handshake comes at one octet a second", Conn: slowTLS},
		{Host: "not-tls", What: "it speaks HTTP in clear on the port of https", Conn: notTLS},
		{Host: "only4", What: "nothing is wrong; it has no IPv6", NoIPv6: true},
		{Host: "only6", What: "nothing is wrong; it has no IPv4", NoIPv4: true},
		{Host: "differs", What: "it answers otherwise over IPv6",
			Pages6: anywhere(Page{Body: strings.Replace(harmless, "csirt@", "six@", 1)})},
	}
}
