package securitytxt

import (
	"errors"
	"net/mail"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/rollcall-csirt/rollcall/directory"
)

// contact judges a Contact. RFC 9116 section 2.5.3: it is a URI of mailto, tel
// or https; others are URIs too, which few readers can use.
func (p *parser) contact(f *Field) {
	if confusable(f.Value) {
		p.tellRight("contact-confusable", f.Value, asciiHost(f.Value))
	}
	u, ok := p.reference(f, "mailto", "tel")
	if !ok {
		return
	}
	switch u.scheme {
	case "mailto":
		if right, ok := checkMailto(u.rest); !ok {
			p.tellRight("mailto-invalid", f.Value, right)
		}
	case "tel":
		if !validTel(u.rest) {
			p.tellRight("tel-invalid", f.Value, dialable(u.rest))
		}
	}
}

// bareContact reports a contact without a scheme, with the one that it needs.
func (p *parser) bareContact(f *Field) {
	v := f.Value
	switch {
	case strings.Contains(v, "@"), number(v) != "":
		if a, err := mail.ParseAddress(v); err == nil && a.Name != "" {
			v = a.Address
		}
		p.tellRight("contact-bare", f.Value, withScheme(v))
	case looksLikeHost(v):
		p.tellRight("not-a-uri", v, "https://"+v)
	default:
		p.tell("not-a-uri", v)
	}
}

// withScheme puts the scheme before a value that lacks it.
func withScheme(v string) string {
	switch n := number(v); {
	case splitURI(v).scheme != "":
		return v
	case strings.Contains(v, "@"):
		return "mailto:" + v
	case n != "":
		return "tel:" + n
	}
	return "https://" + v
}

// number returns what can be dialled of a telephone number as people write it,
// "" when it is none.
func number(s string) string {
	digits := 0
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			digits++
			return r
		case r == '+' && digits == 0:
			return r
		case strings.ContainsRune(" ()/", r):
			return -1
		case r == '-' || r == '.':
			return '-'
		}
		return unicode.ReplacementChar
	}, s)
	if digits < 5 || strings.ContainsRune(out, unicode.ReplacementChar) {
		return ""
	}
	return out
}

// dialable returns a global number for one that is not, "" when nothing is near.
func dialable(s string) string {
	n := number(s)
	switch {
	case strings.HasPrefix(n, "+"):
		return "tel:" + n
	case strings.HasPrefix(n, "00"):
		return "tel:+" + n[2:]
	}
	return ""
}

// validTel judges a telephone-subscriber (RFC 3966 section 3): a number with +,
// or a local one with the context in which it is one.
func validTel(s string) bool {
	number, params, _ := strings.Cut(s, ";")
	global := strings.HasPrefix(number, "+")
	number = strings.TrimPrefix(number, "+")
	digits := 0
	for i := 0; i < len(number); i++ {
		c := number[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte("-.()", c) >= 0:
		case !global && (c|0x20 >= 'a' && c|0x20 <= 'f' || c == '*' || c == '#'):
			digits++
		default:
			return false
		}
	}
	return digits > 0 && (global && digits <= 15 || !global && hasContext(params))
}

// hasContext: RFC 3966 section 5.1.5: local numbers MUST have a phone-context.
func hasContext(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(name, "phone-context") && value != "" {
			return true
		}
	}
	return false
}

// checkMailto judges what stands behind mailto: and what would be right.
func checkMailto(rest string) (right string, ok bool) {
	to := before(rest, '?')
	if strings.HasPrefix(to, "//") {
		return "mailto:" + strings.TrimLeft(to, "/"), false
	}
	if to == "" { // RFC 6068 section 2: addresses may stand in the header field "to"
		to = headerTo(rest)
	}
	if to == "" {
		return "", false
	}
	for addr := range strings.SplitSeq(to, ",") {
		if !validAddress(addr) {
			return "", false
		}
	}
	return "", true
}

// headerTo returns the value of the header field "to" of a mailto: URI.
func headerTo(rest string) string {
	_, query, _ := strings.Cut(rest, "?")
	for field := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(field, "="); strings.EqualFold(name, "to") {
			return value
		}
	}
	return ""
}

// atom are the characters of an address's local part beside letters and digits
// (RFC 5322 section 3.2.3), and the dot.
const atom = "!#$%&'*+-/=?^_`{|}~."

// validAddress judges an address of a mailto: URI (RFC 6068 section 2), in
// which octets may be encoded with %.
func validAddress(s string) bool {
	if strings.Contains(s, "%") {
		decoded, err := url.PathUnescape(s)
		if err != nil || hasControl(decoded) {
			return false
		}
		s = decoded
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > 254 || at > 64 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	return validLocal(local) && validDomain(domain)
}

func validLocal(s string) bool {
	if len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return !strings.Contains(s[1:len(s)-1], `"`)
	}
	dot := true
	for _, r := range s {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || r > 0x9f // RFC 6532
		if !letter && !strings.ContainsRune(atom, r) || r == '.' && dot {
			return false
		}
		dot = r == '.'
	}
	return !dot
}

func validDomain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			ascii, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return false
			}
			s = ascii
			break
		}
	}
	labels := 0
	for label := range strings.SplitSeq(s, ".") {
		labels++
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !alphanumeric(label, '-') {
			return false
		}
	}
	return labels > 1
}

// confusable reports whether a contact has characters that change the direction
// of text, that are not seen, or that imitate those of another script.
func confusable(s string) bool {
	ascii := true
	for _, r := range s {
		switch {
		case r < 0x80:
		case unicode.Is(unicode.Cf, r), r >= 0xff01 && r <= 0xff5e: // bidirectional controls among them; full-width forms
			return true
		default:
			ascii = false
		}
	}
	return !ascii && mixes(s) || strings.Contains(s, "xn--") && imitates(s)
}

// mixes reports whether one word of s mixes Latin with a script that has
// letters like Latin ones.
func mixes(s string) bool {
	rest := strings.TrimPrefix(s, splitURI(s).scheme+":")
	for w := range strings.FieldsFuncSeq(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) }) {
		latin := strings.ContainsFunc(w, func(r rune) bool { return unicode.Is(unicode.Latin, r) })
		other := strings.ContainsFunc(w, func(r rune) bool {
			return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee)
		})
		if latin && other {
			return true
		}
	}
	return false
}

// imitates reports whether the domain of an address or a URL is one that the
// directory would not take, since it is drawn like another.
func imitates(s string) bool {
	host := splitURI(s).host()
	if i := strings.LastIndexByte(s, '@'); host == "" && i >= 0 {
		host = before(s[i+1:], '?')
	}
	var p directory.Problem
	_, err := directory.ParseDomain(host)
	return errors.As(err, &p) && p.Code == "domain.confusable"
}

// asciiHost puts the domain of an address or a URL into its ASCII form, "" when that
// can't be done.
func asciiHost(s string) string {
	cut := max(strings.LastIndexByte(s, '@'), strings.LastIndex(s, "//")+1)
	if cut < 1 {
		return ""
	}
	host := cutAt(s[cut+1:], '/', '?', '#')
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return ""
	}
	return s[:cut+1] + ascii + s[cut+1+len(host):]
}
