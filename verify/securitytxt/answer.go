package securitytxt

import (
	"mime"
	"net/url"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
)

const rightType = "text/plain; charset=utf-8"

// redirects judges the way to the file (RFC 9116 section 5.2).
func (l *look) redirects(x *verify.Exchange) {
	for i, h := range x.Hops {
		if i == 0 {
			continue
		}
		if h.CrossSite {
			l.say(find("redirect-cross-domain", h.URL).On(h.URL))
		}
		if u, err := url.Parse(h.URL); err == nil && !strings.HasSuffix(u.Path, "security.txt") {
			l.say(find("redirect-path", h.URL).On(h.URL))
		}
	}
}

// contentType judges how the answer is labelled (RFC 9116 section 3: text/plain, with
// charset utf-8), and whether it is to be read: a page for people is not, since there
// would be something to say about each of its lines.
func contentType(x *verify.Exchange) (findings []verify.Finding, plain bool) {
	text := contentTypeOf(x)
	say := func(name string) { findings = append(findings, find(name, text).On(x.Last().URL).Right(rightType)) }
	media, params, err := mime.ParseMediaType(text)
	charset, stated := params["charset"]
	switch {
	case text == "":
		say("content-type-missing")
		return findings, false
	case media != "text/plain":
		say("content-type-wrong")
		return findings, false
	case err != nil:
		say("charset-wrong") // parameters that can't be read
	case !stated:
		say("charset-missing")
	case !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "csutf8"): // RFC 3629 section 8, and its alias
		say("charset-wrong")
	}
	return findings, true
}

// contentTypeOf returns the Content-Type. RFC 9110 section 8.3: of several, some
// take the last; one that others would not see is none.
func contentTypeOf(x *verify.Exchange) string {
	values := x.Last().Header["Content-Type"]
	if len(values) == 0 {
		return ""
	}
	return strings.TrimSpace(values[len(values)-1])
}

func plainText(x *verify.Exchange) bool {
	_, plain := contentType(x)
	return plain
}
