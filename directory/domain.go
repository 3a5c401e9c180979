package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Domain is a DNS name in its canonical form: A-labels, lower case, no
// trailing dot, 1 to 253 octets. The zero value is no domain.
type Domain string

// idnaStrict is IDNA2008 as registries apply it (RFC 5891 section 4.4):
// STD3 characters only, hyphen, bidi and joiner rules checked.
var idnaStrict = idna.New(
	idna.MapForLookup(), idna.StrictDomainName(true), idna.ValidateLabels(true),
	idna.CheckHyphens(true), idna.CheckJoiners(true), idna.BidiRule(), idna.Transitional(false),
)

// ParseDomain parses a host or zone name, in Unicode or in A-labels. A leading
// "*." is accepted and dropped: a [Resource] of type domain always covers the
// names below it. Names that mix scripts, and names that spell a Latin name in
// look-alike letters, are refused.
func ParseDomain(s string) (Domain, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "*."), ".")
	if name == "" {
		return "", problem("domain.empty", s, "the domain is empty", "a name such as example.org")
	}
	if len(name) > 1024 {
		return "", problem("domain.too-long", s, "a domain has at most 253 octets (RFC 1035 section 2.3.4)", "")
	}
	if !utf8.ValidString(name) {
		return "", problem("domain.syntax", s, "not valid UTF-8", "letters, digits and hyphens between dots")
	}
	if bad := confusable(name); bad != "" {
		return "", problem("domain.confusable", s, bad, "the name in one script, or its xn-- form if it is really meant")
	}
	ascii, err := idnaStrict.ToASCII(name)
	if err != nil {
		return "", problem("domain.syntax", s, "not a domain name (RFC 5891): "+strings.TrimPrefix(err.Error(), "idna: "), "letters, digits and hyphens between dots")
	}
	return checkASCII(s, strings.ToLower(ascii))
}

func checkASCII(given, ascii string) (Domain, error) {
	if len(ascii) > 253 {
		return "", problem("domain.too-long", given, "a domain has at most 253 octets (RFC 1035 section 2.3.4)", "")
	}
	labels := strings.Split(ascii, ".")
	for _, l := range labels {
		if l == "" {
			return "", problem("domain.syntax", given, "a label is empty", "no two dots in a row and none in front")
		}
		if len(l) > 63 {
			return "", problem("domain.syntax", given, "a label has at most 63 octets (RFC 1035 section 2.3.4)", "")
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "", problem("domain.syntax", given, "the last label is a number, so this is an address or a version, not a domain", "a name that ends in a top-level domain")
	}
	return Domain(ascii), nil
}

// String returns the A-label form.
func (d Domain) String() string { return string(d) }

// Unicode returns the form for people, or the A-label form where it has none.
func (d Domain) Unicode() string {
	if u, err := idnaStrict.ToUnicode(string(d)); err == nil {
		return u
	}
	return string(d)
}

// Parent returns the name without its first label; "" for a single label.
func (d Domain) Parent() Domain {
	_, rest, _ := strings.Cut(string(d), ".")
	return Domain(rest)
}

// TLD returns the last label.
func (d Domain) TLD() string { return string(d[strings.LastIndexByte(string(d), '.')+1:]) }

// Registrable returns the name directly below the public suffix, such as
// example.co.uk for www.example.co.uk; d itself when d is a public suffix.
func (d Domain) Registrable() Domain {
	r, err := publicsuffix.EffectiveTLDPlusOne(string(d))
	if err != nil {
		return d
	}
	return Domain(r)
}

// IsPublicSuffix reports whether others register names directly below d, so
// that no single team can be responsible for all of it without being told.
func (d Domain) IsPublicSuffix() bool {
	s, _ := publicsuffix.PublicSuffix(string(d))
	return s == string(d)
}

// lookalikes are Cyrillic and Greek letters that are drawn as Latin ones; a
// label made only of them pretends to be a Latin word (UTS 39 section 4).
const lookalikes = "асеһіјӏорԛѕԝхуԁѵαορνικυ"

// confusable says why a name is a spoof, or "".
func confusable(name string) string {
	for label := range strings.SplitSeq(name, ".") {
		if u, err := idna.Punycode.ToUnicode(strings.ToLower(label)); err == nil {
			label = u
		}
		latin, cyrillic, greek, other, fake := scripts(label)
		switch {
		case latin && (cyrillic || greek), cyrillic && greek:
			return "a label mixes Latin with look-alike scripts"
		case (cyrillic || greek) && !other && fake:
			return "a label spells a Latin word in look-alike letters"
		}
	}
	return ""
}

func scripts(label string) (latin, cyrillic, greek, other, fake bool) {
	fake = true
	for _, r := range strings.ToLower(label) {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.Is(unicode.Cyrillic, r):
			cyrillic = true
		case unicode.Is(unicode.Greek, r):
			greek = true
		case unicode.IsLetter(r):
			other = true
		}
		if unicode.IsLetter(r) && !strings.ContainsRune(lookalikes, r) {
			fake = false
		}
	}
	return latin, cyrillic, greek, other, fake
}
