package directory

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxQuery is the longest query in bytes: that of the longest URL kept here.
const maxQuery = 2048

// wantQuery is what a query that makes no sense is told.
const wantQuery = "an address, prefix, AS number, domain, URL, e-mail address, country, key fingerprint or team name"

// ParseQuery finds out what a text asks about. It is generous with the form,
// since queries are pasted from logs, mails and tickets: defanged text
// ("hxxp://", "example[.]org", "user[at]example.org"), angle brackets, ports,
// trailing dots, "AS 64496" and "mailto:" are understood. It is strict with
// the meaning: what looks like an address, prefix, number or fingerprint and
// is none gets a [Problem] and is never taken for a name.
//
// A bare number is an AS number. A prefix with host bits is cut to the prefix
// that it lies in, as Query.Prefix then says; IPv4 in IPv6 form is IPv4. Two
// letters are a country where ISO 3166 knows them. Everything without a form
// of its own is the name of a team.
func ParseQuery(s string) (Query, error) {
	q := Query{Text: s}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" { // what is asked most
		q.Kind, q.Addr = KindIP, a.Unmap()
		return q, nil
	}
	text, err := cleanQuery(s)
	if err != nil {
		return Query{}, err
	}
	for _, parse := range []func(*Query, string) (bool, error){
		queryFingerprint, queryURL, queryEmail, queryNumber, queryAddress, queryPrefix, queryCountry, queryDomain, queryTeam,
	} {
		if ok, err := parse(&q, text); err != nil {
			return Query{}, restate(err, s)
		} else if ok {
			return q, nil
		}
	}
	return Query{}, problem("query.syntax", s, "nothing that could be looked up", wantQuery)
}

// queryCodes are the rules that a query itself can break; what it holds can
// break those of its kind too.
var queryCodes = []CodeInfo{
	{"query.empty", "A query says something", "", "Ask about an address, prefix, AS number, domain, URL, e-mail address, country, key fingerprint or team name."},
	{"query.too-long", "A query has at most 2,048 bytes, a name 300 characters", "", "Ask one thing at a time; send many in a batch."},
	{"query.encoding", "A query is UTF-8", "", "Convert the text to UTF-8."},
	{"query.control", "A query has no control characters and is one line", "", "Send one query on each line of a batch."},
	{"query.syntax", "A query has at least one letter or digit", "", "Ask about an address, prefix, AS number, domain, URL, e-mail address, country, key fingerprint or team name."},
	{"query.url", "A URL that is asked about has a host", "RFC 3986 section 3.2.2", "Give the URL with its host, such as https://example.org/path."},
	{"query.address", "What looks like an IP address is one", "RFC 6943 section 3.1.1, RFC 4291 section 2.2", "Write IPv4 as four numbers from 0 to 255 without leading zeros, IPv6 with one :: at most."},
	{"query.prefix", "What looks like a prefix is one", "RFC 4632 section 3.1, RFC 4291 section 2.3", "Write an address, a slash and a length, such as 192.0.2.0/24."},
	{"query.zone", "An address has no zone", "RFC 4007 section 11", "Leave out the % and what follows: it means something on one host only."},
}

// restate makes a value parser's problem show the query as it was asked.
func restate(err error, s string) error {
	p := asProblem(err, "")
	p.Value = cut(s, 120)
	return p
}

// cleanQuery checks the text as a whole and takes off what pasting leaves.
func cleanQuery(s string) (string, error) {
	switch {
	case len(s) > maxQuery:
		return "", problem("query.too-long", s, "a query has at most 2,048 bytes", "one thing at a time")
	case !utf8.ValidString(s):
		return "", problem("query.encoding", s, "not UTF-8", "the text in UTF-8")
	}
	text := strings.Map(func(r rune) rune {
		switch r {
		case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad':
			return -1 // marks that show nothing and come along when text is copied
		case '\u3002', '\uff0e', '\uff61':
			return '.' // full stops that separate labels too (RFC 3490 section 3.1)
		}
		return r
	}, s)
	text = strings.TrimSpace(text)
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Bidi_Control, r) }) {
		return "", problem("query.control", s, "a control character inside the query", "one thing on one line")
	}
	for _, pair := range []string{"<>", `""`, "''", "``", "“”"} {
		open, size := utf8.DecodeRuneInString(pair)
		if inner, ok := strings.CutPrefix(text, string(open)); ok {
			if inner, ok = strings.CutSuffix(inner, pair[size:]); ok {
				text = strings.TrimSpace(inner)
			}
		}
	}
	if text == "" {
		return "", problem("query.empty", s, "the query is empty", wantQuery)
	}
	return refang(text), nil
}

// refang undoes the spellings by which people keep addresses from being
// clicked.
func refang(s string) string {
	if len(s) > 4 && strings.EqualFold(s[:3], "hxx") {
		s = "htt" + s[3:]
	}
	if !strings.ContainsAny(s, "[({") {
		return s
	}
	return strings.NewReplacer(
		"[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "{dot}", ".", "[DOT]", ".", "(DOT)", ".",
		" [dot] ", ".", " (dot) ", ".", " [at] ", "@", " (at) ", "@",
		"[at]", "@", "(at)", "@", "{at}", "@", "[AT]", "@", "(AT)", "@", "[@]", "@", "(@)", "@",
		"[:]", ":", "[://]", "://", "[:/]", ":/", "[/]", "/",
	).Replace(s)
}

// queryFingerprint takes 40 or 64 hex digits, in groups or not, and everything
// that says of itself that it is a fingerprint or key.
func queryFingerprint(q *Query, s string) (bool, error) {
	digits, ok := fingerprintDigits(s)
	lower := strings.ToLower(s)
	marked := strings.HasPrefix(lower, "0x") || strings.HasPrefix(lower, "openpgp4fpr:")
	if !ok || !marked && len(digits) != 40 && len(digits) != 64 {
		return false, nil
	}
	f, err := ParseFingerprint(s)
	if err != nil {
		return false, err
	}
	q.Kind, q.Fingerprint = KindFingerprint, f
	return true, nil
}

// queryURL takes a URL of any scheme that has a host, and a host with a path.
// It cuts the host out by itself: URLs that are reported are often not ones
// that net/url accepts.
func queryURL(q *Query, s string) (bool, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		host, path, found := strings.Cut(s, "/")
		if !found || strings.ContainsAny(host, " @") || !strings.Contains(host, ".") || strings.Trim(path, "0123456789") == "" && path != "" {
			return false, nil
		}
		if _, err := netip.ParsePrefix(s); err == nil {
			return false, nil
		}
		if prefixLike(host, path) {
			return false, nil
		}
		rest = s
	}
	// A backslash ends the host as browsers see it (WHATWG URL), and what is
	// before the last @ is a user name, often one that looks like a host.
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	host := rest
	if rest == "" {
		return false, problem("query.url", s, "a URL without a host", "such as https://example.org/path")
	}
	if a, ok, err := hostAddress(host); ok || err != nil {
		q.Kind, q.Addr = KindURL, a
		return ok, err
	}
	d, err := queryName(withoutPort(host))
	if err != nil {
		return false, err
	}
	q.Kind, q.Domain = KindURL, d
	return true, nil
}

// prefixLike reports whether host/path is a prefix that is written wrong, such
// as 192.0.2.0/255.255.255.0, and not a URL.
func prefixLike(host, path string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil && path != "" && strings.Trim(path, "0123456789.") == ""
}

func isScheme(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// withoutPort takes a port off a host that is not an IPv6 address.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > 0 && i+1 < len(host) && strings.Trim(host[i+1:], "0123456789") == "" {
		return host[:i]
	}
	return strings.TrimSuffix(host, ":")
}

func queryEmail(q *Query, s string) (bool, error) {
	if !strings.Contains(s, "@") {
		return false, nil
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s, _, _ = strings.Cut(s[7:], "?") // RFC 6068 section 2: header fields
	}
	if i, j := strings.LastIndexByte(s, '<'), strings.LastIndexByte(s, '>'); i >= 0 && j > i {
		s = s[i+1 : j] // "Name <user@example.org>" from a mail's header
	}
	e, err := ParseEmail(s)
	if err != nil {
		return false, err
	}
	q.Kind, q.Email, q.Domain = KindEmail, e, e.Domain()
	return true, nil
}

func queryNumber(q *Query, s string) (bool, error) {
	digits := s
	for _, prefix := range []string{"asn", "as"} {
		if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
			digits = strings.TrimLeft(s[len(prefix):], " :#")
			break
		}
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return false, nil
	}
	n, err := ParseASN(digits)
	if err != nil {
		return false, err
	}
	q.Kind, q.ASN = KindASN, n
	return true, nil
}

func queryAddress(q *Query, s string) (bool, error) {
	a, ok, err := hostAddress(s)
	if ok {
		q.Kind, q.Addr = KindIP, a
	}
	return ok, err
}

// hostAddress takes an address with or without brackets and port. What is made
// of the characters of an address and is none is an error, not a name.
func hostAddress(s string) (netip.Addr, bool, error) {
	host := s
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, port, closed := strings.Cut(inner, "]")
		if !closed || strings.Trim(port, ":0123456789") != "" {
			return netip.Addr{}, false, nil
		}
		host = inner
	} else if strings.Count(host, ":") == 1 {
		host = withoutPort(host)
	}
	host = strings.TrimSuffix(host, ".")
	a, err := netip.ParseAddr(host)
	switch {
	case err == nil && a.Zone() != "":
		return netip.Addr{}, false, problem("query.zone", s, "an address with a zone, which means something on one host only", a.WithZone("").String())
	case err == nil:
		return a.Unmap(), true, nil
	case strings.Count(host, ".") == 3 && strings.Trim(host, "0123456789.") == "",
		strings.Count(host, ":") > 1 && strings.Trim(host, "0123456789abcdefABCDEF:.%") == "":
		return netip.Addr{}, false, problem("query.address", s, "not an IP address", "such as 192.0.2.1 or 2001:db8::1")
	}
	return netip.Addr{}, false, nil
}

func queryPrefix(q *Query, s string) (bool, error) {
	left, right, ok := strings.Cut(s, "/")
	if !ok {
		return false, nil
	}
	left = strings.TrimSpace(left)
	a, err := netip.ParseAddr(left)
	switch {
	case err == nil:
	case strings.Contains(left, ".") && strings.Trim(left, "0123456789.") == "",
		strings.Count(left, ":") > 1 && strings.Trim(left, "0123456789abcdefABCDEF:.%") == "":
		return false, problem("query.prefix", s, "what is before the slash is no address", "such as 192.0.2.0/24 or 2001:db8::/32")
	default:
		return false, nil
	}
	size, err := strconv.Atoi(strings.TrimSpace(right))
	switch {
	case a.Zone() != "":
		return false, problem("query.zone", s, "a prefix with a zone", "the prefix without it")
	case err != nil || size < 0 || size > a.BitLen():
		return false, problem("query.prefix", s, "not a prefix in CIDR form", "such as 192.0.2.0/24 or 2001:db8::/32")
	}
	if a.Is4In6() {
		if size < 96 {
			return false, problem("query.prefix", s, "wider than the IPv4 addresses in IPv6 form (RFC 4291 section 2.5.5.2)", "the plain IPv4 prefix")
		}
		a, size = a.Unmap(), size-96
	}
	q.Kind, q.Prefix = KindCIDR, netip.PrefixFrom(a, size).Masked()
	return true, nil
}

func queryCountry(q *Query, s string) (bool, error) {
	if len(s) != 2 {
		return false, nil
	}
	c, err := ParseCountry(s)
	if err != nil {
		return false, nil // two letters can be a team's handle
	}
	q.Kind, q.Country = KindCountry, c
	return true, nil
}

// queryDomain takes a name of at least two labels. Text that looks like one
// and breaks a rule of names can still be a team's name, but a spoof of a
// domain, a slip of two dots and mere numbers are refused for good.
func queryDomain(q *Query, s string) (bool, error) {
	host := withoutPort(s)
	if !strings.Contains(strings.TrimSuffix(host, "."), ".") || strings.ContainsAny(host, " \t/") {
		return false, nil
	}
	d, err := queryName(host)
	if err != nil {
		if p := asProblem(err, ""); p.Code == "domain.confusable" || strings.Contains(host, "..") || strings.Trim(host, "0123456789.") == "" {
			return false, err
		}
		return false, nil
	}
	q.Kind, q.Domain = KindDomain, d
	return true, nil
}

// queryName parses a host as [ParseDomain] does and lets underscores pass in
// the labels below it: they are common in names that are asked about
// (_dmarc.example.org, RFC 8552) and in none that a team is responsible for.
func queryName(host string) (Domain, error) {
	d, err := ParseDomain(host)
	i := strings.LastIndexByte(host, '_')
	if err == nil || i < 0 {
		return d, err
	}
	dot := strings.IndexByte(host[i:], '.')
	if dot < 0 {
		return "", err
	}
	below := strings.ToLower(host[:i+dot])
	if strings.Trim(below, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return "", err
	}
	base, failed := ParseDomain(host[i+dot+1:])
	if failed != nil {
		return "", err
	}
	return checkASCII(host, below+"."+string(base))
}

func queryTeam(q *Query, s string) (bool, error) {
	if foldName(s) == "" {
		return false, nil
	}
	if utf8.RuneCountInString(s) > 300 {
		return false, problem("query.too-long", s, "the name of a team has at most 300 characters", "")
	}
	q.Kind, q.Name = KindTeam, s
	return true, nil
}
