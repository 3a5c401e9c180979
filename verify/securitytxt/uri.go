package securitytxt

import (
	"slices"
	"strings"
)

// uri is a URI cut at its first colon.
type uri struct {
	scheme string // in lower case; "" when the text is no URI at all
	rest   string // behind the colon
}

// splitURI cuts off the scheme (RFC 3986 section 3.1).
func splitURI(s string) uri {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case c == ':' && i > 0:
			return uri{strings.ToLower(s[:i]), s[i+1:]}
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return uri{}
		}
	}
	return uri{}
}

// uriChars are the characters of a URI (RFC 3986 section 2) but for %.
const uriChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&'()*+,;="

var isURIChar = func() (set [256]bool) {
	for i := range len(uriChars) {
		set[uriChars[i]] = true
	}
	return set
}()

// badURI returns the place of the first octet that a URI can't have, or -1.
func badURI(s string) int {
	for i := 0; i < len(s); i++ {
		if isURIChar[s[i]] {
			continue
		}
		if s[i] != '%' || i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return i
		}
	}
	return -1
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// host returns the host of the authority part of a URI, in lower case, without
// user information and port.
func (u uri) host() string {
	rest, ok := strings.CutPrefix(u.rest, "//")
	if !ok {
		return ""
	}
	rest = cutAt(rest, '/', '?', '#')
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if strings.HasPrefix(rest, "[") {
		return strings.ToLower(before(rest, ']'))
	}
	return strings.ToLower(before(rest, ':'))
}

// path returns the path of a URI with an authority part.
func (u uri) path() string {
	rest := strings.TrimPrefix(u.rest, "//")
	rest = rest[len(cutAt(rest, '/', '?', '#')):]
	return cutAt(rest, '?', '#', '#')
}

// cutAt returns s up to the first of three octets.
func cutAt(s string, a, b, c byte) string {
	for i := 0; i < len(s); i++ {
		if s[i] == a || s[i] == b || s[i] == c {
			return s[:i]
		}
	}
	return s
}

// reference judges a value that is to be the URI of something: of which schemes
// readers make use in this field is for the caller to say.
func (p *parser) reference(f *Field, usual ...string) (uri, bool) {
	u := splitURI(f.Value)
	switch {
	case u.scheme == "" && f.Name == Contact:
		p.bareContact(f)
		return u, false
	case u.scheme == "":
		right := ""
		if looksLikeHost(f.Value) {
			right = "https://" + f.Value
		}
		p.tellRight("not-a-uri", f.Value, right)
		return u, false
	}
	at := badURI(f.Value)
	switch {
	case (at >= 0 || strings.IndexByte(f.Value, ',') >= 0 || strings.IndexByte(f.Value, ';') >= 0) && p.chained(f):
		return u, false
	case at >= 0:
		p.badCharacters(f, at)
		return u, false
	}
	return u, p.scheme(f, u, usual)
}

// scheme judges what stands before the colon.
func (p *parser) scheme(f *Field, u uri, usual []string) bool {
	switch {
	case u.scheme == "http":
		// RFC 9116 section 2.5: where a URI is of the web it MUST begin with https://.
		p.tellRight("http-uri", f.Value, "https:"+u.rest)
		return false
	case u.scheme == "https" && !isHost(u.host()):
		p.tell("uri-invalid", f.Value)
		return false
	case u.scheme == "https":
		p.wellKnown(f, u)
	case !slices.Contains(usual, u.scheme):
		p.tell("scheme-unusual", f.Value)
		return false
	}
	return true
}

// trim and trimRight take white space (RFC 5234 appendix B.1: WSP) off a text.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return trimRight(s)
}

func trimRight(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// isHost reports whether a host can be one, as an A-label name or an address.
func isHost(s string) bool {
	if s == "" || s[0] == '.' || s[0] == '-' {
		return false
	}
	if s[0] == '[' {
		return strings.Contains(s, ":")
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' || c == '.' && i > 0 && s[i-1] == '.' {
			return false
		}
	}
	return true
}

// chained finds several values on one line. RFC 9116 section 2: unless a field's
// definition says otherwise, values MUST NOT be chained together.
func (p *parser) chained(f *Field) bool {
	parts := strings.FieldsFunc(f.Value, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == ';' })
	// RFC 6068 section 2: one mailto: URI may have several addresses, with a comma between.
	addresses := strings.ContainsAny(f.Value, " ;\t")
	n := 0
	for _, s := range parts {
		if splitURI(s).scheme != "" || addresses && strings.Contains(s, "@") {
			n++
		}
	}
	if n < 2 || n < len(parts) {
		return false
	}
	for i := range parts {
		parts[i] = string(f.Name) + ": " + withScheme(parts[i])
	}
	p.tellRight("values-chained", f.Value, strings.Join(parts, " / "))
	return true
}

// badCharacters reports what no URI can have: mostly a comment, or characters
// that have to be encoded.
func (p *parser) badCharacters(f *Field, at int) {
	if i := strings.IndexAny(f.Value, " \t"); i == at {
		if rest := strings.TrimLeft(f.Value[i:], " \t"); rest[0] == '#' || rest[0] == '(' || strings.HasPrefix(rest, "//") {
			p.tellRight("comment-after-value", f.Value, f.Value[:i])
			return
		}
	}
	right := strings.TrimSpace(f.Value) // spaces of all kinds
	if ascii := asciiHost(right); ascii != "" {
		right = ascii
	}
	p.tellRight("uri-invalid", f.Value, encodeURI(right))
}

// encodeURI encodes what a URI can't have with % (RFC 3986 section 2.1).
func encodeURI(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; isURIChar[c] || c == '%' && badURI(s[i:min(i+3, len(s))]) < 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func looksLikeHost(s string) bool {
	host := before(before(s, '/'), ':')
	return strings.Contains(host, ".") && isHost(strings.ToLower(host))
}

// wellKnown looks at names under /.well-known/. Against RFC 9116 section 6, by which
// resources MUST NOT be there unless their name is registered, others are a warning:
// the registry may be newer than our list.
func (p *parser) wellKnown(f *Field, u uri) {
	name, ok := strings.CutPrefix(u.path(), "/.well-known/")
	if ok && name != "security.txt" && !slices.Contains(registeredWellKnown(), before(name, '/')) {
		p.tell("well-known-unregistered", f.Value)
	}
}

// registeredWellKnown are names of the IANA registry "Well-Known URIs" (RFC 8615
// section 3.1), permanent and provisional. It grows.
func registeredWellKnown() []string {
	return []string{
		"acme-challenge", "agent-card.json", "amphtml", "api-catalog", "apple-app-site-association", "appspecific", "ashrae", "assetlinks.json",
		"broadband-labels", "brski", "caldav", "carddav", "change-password", "cmp", "coap", "core", "csaf", "csaf-aggregator", "csvm",
		"did-configuration.json", "did.json", "dnt", "dnt-policy.txt", "dots", "ecips", "edhoc", "enterprise-network-security",
		"enterprise-transport-security", "est", "genid", "gnap-as-rs", "gpc.json", "gs1resolver", "hoba", "host-meta", "host-meta.json",
		"hosting-provider", "http-opportunistic", "idp-proxy", "jmap", "keybase.txt", "knx", "looking-glass", "masque", "matrix", "mercure", "mta-sts.txt",
		"mud", "nfv-oauth-server-configuration", "ni", "nodeinfo", "nostr.json", "oauth-authorization-server", "oauth-protected-resource", "ohttp-gateway",
		"open-resource-discovery", "openid-configuration", "openid-credential-issuer", "openid-federation", "openorg", "openpgpkey", "oslc",
		"passkey-endpoints", "pki-validation", "posh", "privacy-sandbox-attestations.json", "private-token-issuer-directory", "probing.txt", "pvd", "rd",
		"related-website-set.json", "reload-config", "repute-template", "resourcesync", "sbom", "security.txt", "ssf-configuration", "ssh-known-hosts",
		"sshfp", "stun-key", "tdmrep.json", "terraform.json", "thread", "time", "timezone", "tor-relay", "tpcd", "traffic-advice", "trust.txt",
		"uma2-configuration", "void", "webfinger", "webweaver.json", "wot", "xrp-ledger.toml",
	}
}
