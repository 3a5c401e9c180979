package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// parsers are the ways in for single values, by the name the tables use.
var parsers = map[string]func(string) (string, error){
	"domain":   func(s string) (string, error) { v, err := directory.ParseDomain(s); return string(v), err },
	"email":    func(s string) (string, error) { v, err := directory.ParseEmail(s); return string(v), err },
	"asn":      func(s string) (string, error) { v, err := directory.ParseASN(s); return v.String(), err },
	"prefix":   func(s string) (string, error) { v, err := directory.ParsePrefix(s); return v.String(), err },
	"country":  func(s string) (string, error) { v, err := directory.ParseCountry(s); return string(v), err },
	"phone":    func(s string) (string, error) { v, err := directory.ParsePhone(s, ""); return string(v), err },
	"phone-at": func(s string) (string, error) { v, err := directory.ParsePhone(s, "AT"); return string(v), err },
	"url":      directory.ParseURL,
	"chat":     directory.ParseChat,
	"tlp":      func(s string) (string, error) { v, err := directory.ParseTLP(s); return string(v), err },
	"date":     func(s string) (string, error) { v, err := directory.ParseDate(s); return string(v), err },
	"zone":     func(s string) (string, error) { v, err := directory.ParseZone(s); return string(v), err },
	"language": func(s string) (string, error) { v, err := directory.ParseLanguage(s); return string(v), err },
	"hours":    func(s string) (string, error) { v, err := directory.ParseHours(s); return v.String(), err },
	"handle":   func(s string) (string, error) { v, err := directory.ParseHandle(s); return string(v), err },
	"id":       func(s string) (string, error) { v, err := directory.ParseTeamID(s); return string(v), err },
	"section":  directory.ParseSection,
}

// badValues are values that their parser must refuse, with the code it must
// give. Every code of a value is here at least once; see TestCodes.
var badValues = []struct {
	parser, name, in string
	want             directory.Code
}{
	{"domain", "nothing", "", "domain.empty"},
	{"domain", "only a wildcard", "*.", "domain.empty"},
	{"domain", "a space inside", "exa mple.org", "domain.syntax"},
	{"domain", "underscore is no host name", "_dmarc.example.org", "domain.syntax"},
	{"domain", "two dots", "example..org", "domain.syntax"},
	{"domain", "a leading dot", ".example.org", "domain.syntax"},
	{"domain", "a leading hyphen", "-example.org", "domain.syntax"},
	{"domain", "a trailing hyphen", "example-.org", "domain.syntax"},
	{"domain", "hyphens in third and fourth place", "ab--cd.example.org", "domain.syntax"},
	{"domain", "a broken A-label", "xn--a.example.org", "domain.syntax"},
	{"domain", "a label of 64", strings.Repeat("a", 64) + ".org", "domain.syntax"},
	{"domain", "254 octets", strings.Repeat("a.", 125) + "abcd", "domain.too-long"},
	{"domain", "two kilobytes", strings.Repeat("a.", 1000) + "org", "domain.too-long"},
	{"domain", "an address", "192.0.2.1", "domain.syntax"},
	{"domain", "a version", "1.2", "domain.syntax"},
	{"domain", "a NUL", "example\x00.org", "domain.syntax"},
	{"domain", "invalid UTF-8", "exa\xffmple.org", "domain.syntax"},
	{"domain", "a path", "example.org/x", "domain.syntax"},
	{"domain", "a port", "example.org:25", "domain.syntax"},
	{"domain", "Cyrillic a in a Latin name", "exаmple.org", "domain.confusable"},
	{"domain", "the same in A-labels", "xn--exmple-4nf.org", "domain.confusable"},
	{"domain", "a Latin word all in Cyrillic", "раура.example.org", "domain.confusable"},
	{"domain", "Greek omicron in a Latin name", "gοogle.example.org", "domain.confusable"},
	{"domain", "a right-to-left override", "exam\u202eple.org", "domain.syntax"},

	{"email", "nothing", " ", "email.empty"},
	{"email", "no @", "csirt.example.org", "email.syntax"},
	{"email", "no local part", "@example.org", "email.syntax"},
	{"email", "no domain", "csirt@", "domain.empty"},
	{"email", "a display name", "CSIRT <csirt@example.org>", "email.display-name"},
	{"email", "two addresses", "a@example.org, b@example.org", "email.several"},
	{"email", "two with semicolon", "a@example.org;b@example.org", "email.several"},
	{"email", "quoted local part", `"a b"@example.org`, "email.quoted"},
	{"email", "an address literal", "csirt@[192.0.2.1]", "email.literal"},
	{"email", "two dots in a row", "a..b@example.org", "email.syntax"},
	{"email", "a dot at the end", "a.@example.org", "email.syntax"},
	{"email", "a space", "a b@example.org", "email.syntax"},
	{"email", "local part of 65", strings.Repeat("a", 65) + "@example.org", "email.syntax"},
	{"email", "an umlaut before @", "büro@example.org", "email.non-ascii"},
	{"email", "255 octets", "a@" + strings.Repeat("a.", 125) + "org", "email.too-long"},
	{"email", "a dotless domain", "root@localhost", "email.syntax"},
	{"email", "obfuscated", "csirt(at)example.org", "email.syntax"},
	{"email", "a NUL", "csirt\x00@example.org", "email.syntax"},
	{"email", "a look-alike domain", "csirt@exаmple.org", "domain.confusable"},
	{"email", "an address as domain", "csirt@192.0.2.1", "domain.syntax"},

	{"asn", "nothing", "", "asn.syntax"},
	{"asn", "a word", "ASfoo", "asn.syntax"},
	{"asn", "negative", "-1", "asn.syntax"},
	{"asn", "a sign", "+64496", "asn.syntax"},
	{"asn", "33 bits", "4294967296", "asn.syntax"},
	{"asn", "asdot", "1.10", "asn.syntax"},
	{"asn", "zero", "AS0", "asn.reserved"},
	{"asn", "AS_TRANS", "AS23456", "asn.reserved"},
	{"asn", "last of 16 bits", "65535", "asn.reserved"},
	{"asn", "last of 32 bits", "4294967295", "asn.reserved"},

	{"prefix", "nothing", "", "prefix.syntax"},
	{"prefix", "a name", "example.org", "prefix.syntax"},
	{"prefix", "33 bits", "192.0.2.0/33", "prefix.syntax"},
	{"prefix", "a netmask", "192.0.2.0/255.255.255.0", "prefix.syntax"},
	{"prefix", "three octets", "192.0.2/24", "prefix.syntax"},
	{"prefix", "an octal octet", "192.0.02.0/24", "prefix.syntax"},
	{"prefix", "a range", "192.0.2.0-192.0.2.9", "prefix.syntax"},
	{"prefix", "a zone", "fe80::1%eth0", "prefix.syntax"},
	{"prefix", "host bits", "192.0.2.1/24", "prefix.host-bits"},
	{"prefix", "host bits of IPv6", "2001:db8::1/32", "prefix.host-bits"},
	{"prefix", "mapped", "::ffff:192.0.2.0/120", "prefix.mapped"},
	{"prefix", "everything", "0.0.0.0/0", "prefix.too-broad"},
	{"prefix", "all of IPv6", "::/0", "prefix.too-broad"},
	{"prefix", "a /7", "2.0.0.0/7", "prefix.too-broad"},
	{"prefix", "private", "10.1.0.0/16", "prefix.reserved"},
	{"prefix", "loopback", "127.0.0.1", "prefix.reserved"},
	{"prefix", "link local", "169.254.0.0/16", "prefix.reserved"},
	{"prefix", "shared", "100.64.0.0/10", "prefix.reserved"},
	{"prefix", "multicast", "224.0.0.0/8", "prefix.reserved"},
	{"prefix", "unique local", "fd00::/16", "prefix.reserved"},
	{"prefix", "IPv6 multicast", "ff02::/16", "prefix.reserved"},

	{"country", "nothing", "", "country.unknown"},
	{"country", "three letters", "AUT", "country.unknown"},
	{"country", "a name", "Austria", "country.unknown"},
	{"country", "not assigned", "QZ", "country.unknown"},
	{"country", "across two codes", "D ", "country.unknown"},
	{"country", "a pseudo code", "00", "country.unknown"},

	{"phone", "no country", "01534 500 050", "phone.syntax"},
	{"phone", "words", "call us", "phone.syntax"},
	{"phone", "too long", "+43 123456789012345", "phone.impossible"},
	{"phone", "too short", "+43 12", "phone.impossible"},
	{"phone", "an extension", "+1 510 486 4107 ext. 5", "phone.extension"},
	{"phone-at", "an unknown country code", "+999 1234567", "phone.syntax"},

	{"url", "nothing", "", "url.syntax"},
	{"url", "relative", "/path", "url.syntax"},
	{"url", "no scheme", "example.org/path", "url.syntax"},
	{"url", "a space", "https://example.org/a b", "url.syntax"},
	{"url", "javascript", "javascript:alert(1)", "url.scheme"},
	{"url", "file", "file:///etc/passwd", "url.syntax"},
	{"url", "gopher", "gopher://example.org/", "url.scheme"},
	{"url", "a password", "https://user:pw@example.org/", "url.userinfo"},
	{"url", "a look-alike host", "https://exаmple.org/", "domain.confusable"},
	{"url", "oversize", "https://example.org/" + strings.Repeat("a", 2048), "url.too-long"},

	{"chat", "a handle", "@team", "chat.syntax"},
	{"chat", "unknown scheme", "skype:team", "chat.scheme"},
	{"chat", "oversize", "xmpp:" + strings.Repeat("a", 2048) + "@example.org", "chat.too-long"},
	{"chat", "a password", "https://u:p@example.org/room", "chat.userinfo"},

	{"tlp", "a colour that is none", "TLP:BLUE", "tlp.unknown"},
	{"tlp", "nothing", "", "tlp.unknown"},
	{"date", "the 30th of February", "2026-02-30", "date.syntax"},
	{"date", "words", "September 8, 2008", "date.syntax"},
	{"date", "the year 0", "0000-01-01", "date.range"},
	{"date", "the year 2200", "2200-01-01", "date.range"},
	{"zone", "an offset", "UTC+1", "zone.unknown"},
	{"zone", "an abbreviation", "CET", "zone.unknown"},
	{"zone", "a town that is none", "Europe/Atlantis", "zone.unknown"},
	{"zone", "a path", "../../etc/passwd", "zone.unknown"},
	{"zone", "Local", "Local", "zone.unknown"},
	{"language", "a name", "german language", "language.unknown"},
	{"language", "nothing", "", "language.unknown"},
	{"language", "an unknown subtag", "qq-ZZZ-1", "language.unknown"},
	{"hours", "nothing", "", "hours.syntax"},
	{"hours", "office hours", "office hours", "hours.day"},
	{"hours", "25 o'clock", "Mon 08:00-25:00", "hours.impossible"},
	{"hours", "minute 60", "Mon 08:60-09:00", "hours.impossible"},
	{"hours", "from 24:00", "Mon 24:00-25:00", "hours.impossible"},
	{"hours", "an empty stretch", "Mon 08:00-08:00", "hours.impossible"},
	{"hours", "no such day", "Montag 08:00-17:00", "hours.day"},
	{"hours", "overlap", "Mon 08:00-17:00; Mon 12:00-18:00", "hours.overlap"},
	{"hours", "overlap over midnight", "Mon 22:00-06:00; Tue 05:00-09:00", "hours.overlap"},
	{"hours", "overlap over the week's end", "Sun 22:00-06:00; Mon 05:00-09:00", "hours.overlap"},
	{"hours", "twelve-hour clock", "Mon 8am-5pm", "hours.impossible"},
	{"hours", "no end", "Mon 08:00", "hours.syntax"},
	{"hours", "a novel", strings.Repeat("Mon 08:00-09:00;", 40), "hours.syntax"},
	{"handle", "one letter", "a", "handle.syntax"},
	{"handle", "capitals", "CERT", "handle.syntax"},
	{"handle", "a slash", "a/b", "handle.syntax"},
	{"handle", "a leading dot", ".ab", "handle.syntax"},
	{"handle", "65 characters", strings.Repeat("a", 65), "handle.syntax"},
	{"handle", "a UUID", "6a1c1f1e-5d0b-5b52-9d3c-0d5b8b1f7a10", "handle.syntax"},
	{"handle", "an address", "192.0.2.1", "handle.syntax"},
	{"id", "not a UUID", "1234", "id.syntax"},
	{"id", "braces", "{6a1c1f1e-5d0b-5b52-9d3c-0d5b8b1f7a10}", "id.syntax"},
	{"id", "hyphens elsewhere", "6a1c1f1e5-d0b-5b52-9d3c-0d5b8b1f7a10", "id.syntax"},
	{"section", "unknown number", "9.9", "section.unknown"},
}

func TestBadValues(t *testing.T) {
	for _, c := range badValues {
		t.Run(c.parser+"/"+c.name, func(t *testing.T) {
			got, err := parsers[c.parser](c.in)
			if err == nil {
				t.Fatalf("parse %q = %q, want code %s", c.in, got, c.want)
			}
			problems := directory.ProblemsOf(err)
			if len(problems) != 1 || problems[0].Code != c.want {
				t.Fatalf("parse %q: got %v, want code %s", c.in, err, c.want)
			}
			if problems[0].Reason == "" || len(problems[0].Value) > 130 {
				t.Errorf("problem %+v: want a reason, and a value cut short", problems[0])
			}
			if directory.KindOf(err) != directory.Invalid {
				t.Errorf("KindOf = %s, want invalid", directory.KindOf(err))
			}
		})
	}
}

func TestGoodValues(t *testing.T) {
	for _, c := range []struct{ parser, in, want string }{
		{"domain", "Example.ORG.", "example.org"},
		{"domain", "*.example.org", "example.org"},
		{"domain", "bücher.example", "xn--bcher-kva.example"},
		{"domain", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"domain", "правительство.рф", "xn--80aealotwbjpid2k.xn--p1ai"},
		{"domain", "δοκιμή.example", "xn--jxalpdlp.example"},
		{"email", "CSIRT@Example.ORG", "CSIRT@example.org"},
		{"email", "mailto:a.b+c@example.org", "a.b+c@example.org"},
		{"email", "team@bücher.example", "team@xn--bcher-kva.example"},
		{"asn", "as64496", "AS64496"}, {"asn", " 64511 ", "AS64511"}, {"asn", "AS 64500", "AS64500"},
		{"prefix", "192.0.2.0/24", "192.0.2.0/24"}, {"prefix", "192.0.2.7", "192.0.2.7/32"}, {"prefix", "2001:DB8::/32", "2001:db8::/32"},
		{"country", "at", "AT"}, {"country", "UK", "GB"}, {"country", "EL", "GR"}, {"country", "EU", "EU"}, {"country", "XK", "XK"},
		{"phone", "+43 1 5056416 78", "+431505641678"}, {"phone", "tel:+1-510-486-4107", "+15104864107"}, {"phone-at", "01 5056416", "+4315056416"},
		{"url", "https://Example.org/A?b#c", "https://example.org/A?b#c"}, {"url", "http://192.0.2.1:8080/", "http://192.0.2.1:8080/"},
		{"chat", "matrix:r/team:example.org", "matrix:r/team:example.org"}, {"chat", "xmpp:team@example.org", "xmpp:team@example.org"},
		{"tlp", "TLP:AMBER+STRICT", "amber+strict"}, {"tlp", "white", "clear"},
		{"date", "2026-11-21", "2026-11-21"}, {"zone", "Europe/Vienna", "Europe/Vienna"}, {"zone", "UTC", "UTC"},
		{"language", "DE-at", "de-AT"}, {"language", "zh-hant", "zh-Hant"},
		{"hours", "24/7", "24x7"}, {"hours", "24*7, 365", "24x7"},
		{"hours", "Mon–Fri 08:00–17:00", "Mon-Fri 08:00-17:00"},
		{"hours", "Sat 10:00-12:00; mon-fri 8:00-17:00", "Mon-Fri 08:00-17:00; Sat 10:00-12:00"},
		{"hours", "Fri-Mon 22:00-06:00", "Mon 22:00-06:00; Fri-Sun 22:00-06:00"},
		{"hours", "Mon-Sun 00:00-24:00", "Mon-Sun 00:00-24:00"},
		{"handle", "cert.example-1", "cert.example-1"},
		{"id", "6A1C1F1E-5D0B-5B52-9D3C-0D5B8B1F7A10", "6a1c1f1e-5d0b-5b52-9d3c-0d5b8b1f7a10"},
		{"section", "5.1.3", "5.1.3"},
	} {
		got, err := parsers[c.parser](c.in)
		if err != nil || got != c.want {
			t.Errorf("%s %q = %q, %v; want %q", c.parser, c.in, got, err, c.want)
		}
		if again, err := parsers[c.parser](got); err != nil || again != got {
			t.Errorf("%s %q, parsed again = %q, %v; want it unchanged", c.parser, got, again, err)
		}
	}
}

func TestHoursOpen(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hours, at string
		want      bool
	}{
		{"Mon-Fri 08:00-17:00", "2026-11-20T16:59:00+01:00", true},
		{"Mon-Fri 08:00-17:00", "2026-11-20T17:00:00+01:00", false},
		{"Mon-Fri 08:00-17:00", "2026-11-20T07:00:00Z", true}, // 08:00 in Vienna
		{"Mon-Fri 08:00-17:00", "2026-11-21T12:00:00+01:00", false},
		{"Sun 22:00-06:00", "2026-11-23T05:59:00+01:00", true}, // Monday, from Sunday's night
		{"Sun 22:00-06:00", "2026-11-23T06:00:00+01:00", false},
		{"24x7", "2026-12-25T03:00:00Z", true},
	} {
		h, err := directory.ParseHours(c.hours)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		if got := h.Open(at, vienna); got != c.want {
			t.Errorf("%s open at %s = %v, want %v", c.hours, c.at, got, c.want)
		}
	}
}

// FuzzValues feeds every parser of single values: none panics, and what one
// accepts it accepts again, unchanged.
func FuzzValues(f *testing.F) {
	for _, c := range badValues {
		f.Add(c.in)
	}
	f.Add("Mon-Fri 08:00-17:00")
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range parsers {
			got, err := parse(s)
			if err != nil {
				continue
			}
			if again, err := parse(got); err != nil || again != got {
				t.Errorf("%s: %q parsed to %q, and that to %q, %v", name, s, got, again, err)
			}
		}
	})
}

func ExampleParsePrefix() {
	_, err := directory.ParsePrefix("192.0.2.1/24")
	fmt.Println(err)
	// Output: bits are set behind the prefix length (got "192.0.2.1/24"); want 192.0.2.0/24
}
