package directory_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

func TestParseQuery(t *testing.T) {
	const fpr = "0123456789ABCDEF0123456789ABCDEF01234567"
	for _, tc := range []struct {
		name, in string
		kind     directory.QueryKind
		want     string
	}{
		{"an IPv4 address", "192.0.2.1", directory.KindIP, "192.0.2.1"},
		{"spaces around it", "  192.0.2.1\t\n", directory.KindIP, "192.0.2.1"},
		{"with a port, as in a log", "192.0.2.1:8080", directory.KindIP, "192.0.2.1"},
		{"with a trailing dot", "192.0.2.1.", directory.KindIP, "192.0.2.1"},
		{"an IPv6 address", "2001:DB8::1", directory.KindIP, "2001:db8::1"},
		{"in brackets", "[2001:db8::1]", directory.KindIP, "2001:db8::1"},
		{"in brackets with a port", "[2001:db8::1]:443", directory.KindIP, "2001:db8::1"},
		{"IPv4 in IPv6 form is IPv4", "::ffff:192.0.2.1", directory.KindIP, "192.0.2.1"},
		{"defanged", "192.0.2[.]1", directory.KindIP, "192.0.2.1"},
		{"every dot defanged", "192[.]0[.]2[.]1", directory.KindIP, "192.0.2.1"},
		{"a prefix", "192.0.2.0/24", directory.KindCIDR, "192.0.2.0/24"},
		{"host bits are cut off", "192.0.2.77/24", directory.KindCIDR, "192.0.2.0/24"},
		{"an IPv6 prefix", "2001:db8::/32", directory.KindCIDR, "2001:db8::/32"},
		{"a mapped prefix", "::ffff:192.0.2.0/120", directory.KindCIDR, "192.0.2.0/24"},
		{"an AS number", "AS64496", directory.KindASN, "AS64496"},
		{"in any case and with a space", "as 64496", directory.KindASN, "AS64496"},
		{"as ASN", "ASN64496", directory.KindASN, "AS64496"},
		{"a bare number is an AS number", "64496", directory.KindASN, "AS64496"},
		{"a domain", "www.Example.ORG", directory.KindDomain, "www.example.org"},
		{"a root dot", "example.org.", directory.KindDomain, "example.org"},
		{"a wildcard", "*.example.org", directory.KindDomain, "example.org"},
		{"a domain with a port", "example.org:8443", directory.KindDomain, "example.org"},
		{"a defanged domain", "example[.]org", directory.KindDomain, "example.org"},
		{"an IDN", "bücher.example", directory.KindDomain, "xn--bcher-kva.example"},
		{"an underscore below the domain", "_dmarc.Example.org", directory.KindDomain, "_dmarc.example.org"},
		{"a team that is called like a domain", "CERT.at", directory.KindDomain, "cert.at"},
		{"copied with invisible marks", "exam\u200bple.org\ufeff", directory.KindDomain, "example.org"},
		{"a URL", "http://www.example.org/x?y", directory.KindURL, "www.example.org"},
		{"a defanged URL", "hxxps://www[.]example[.]org/x", directory.KindURL, "www.example.org"},
		{"a URL of another scheme", "ftp://example.org:21/x", directory.KindURL, "example.org"},
		{"a URL that is no RFC 3986 URL", "http://example.org/%zz /a b", directory.KindURL, "example.org"},
		{"a user name that looks like a host", "https://example.com@evil.example/login", directory.KindURL, "evil.example"},
		{"a backslash ends the host", `https://evil.example\@example.com/`, directory.KindURL, "evil.example"},
		{"a URL without scheme", "example.org/path", directory.KindURL, "example.org"},
		{"a URL with an address", "http://192.0.2.1:8080/x", directory.KindURL, "192.0.2.1"},
		{"a URL with an IPv6 address", "http://[2001:db8::1]:8080/x", directory.KindURL, "2001:db8::1"},
		{"an address and a path", "192.0.2.1/evil.exe", directory.KindURL, "192.0.2.1"},
		{"an e-mail address", "CSIRT@Example.org", directory.KindEmail, "CSIRT@example.org"},
		{"a mailto URL", "mailto:csirt@example.org?subject=x", directory.KindEmail, "csirt@example.org"},
		{"in angle brackets", "<csirt@example.org>", directory.KindEmail, "csirt@example.org"},
		{"with a display name", "Example CSIRT <csirt@example.org>", directory.KindEmail, "csirt@example.org"},
		{"a defanged address", "csirt[at]example[dot]org", directory.KindEmail, "csirt@example.org"},
		{"a defanged address with spaces", "csirt (at) example (dot) org", directory.KindEmail, "csirt@example.org"},
		{"a country", "AT", directory.KindCountry, "AT"},
		{"a country in lower case", "nl", directory.KindCountry, "NL"},
		{"an alias", "UK", directory.KindCountry, "GB"},
		{"a fingerprint", fpr, directory.KindFingerprint, fpr},
		{"in groups", "0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567", directory.KindFingerprint, fpr},
		{"as 0x", "0x" + strings.ToLower(fpr), directory.KindFingerprint, fpr},
		{"as a URI", "OPENPGP4FPR:" + fpr, directory.KindFingerprint, fpr},
		{"of a version 6 key", fpr + fpr[:24], directory.KindFingerprint, fpr + fpr[:24]},
		{"a name", "Example CSIRT", directory.KindTeam, "Example CSIRT"},
		{"a name with a slash", "CNCERT/CC", directory.KindTeam, "CNCERT/CC"},
		{"two letters that are no country", "EY", directory.KindTeam, "EY"},
		{"a name with a dot and a space", "CERT of S.A.", directory.KindTeam, "CERT of S.A."},
		{"an id", "6f1c2d3e-0000-4000-8000-000000000001", directory.KindTeam, "6f1c2d3e-0000-4000-8000-000000000001"},
		{"a name that begins like an AS number", "AS-CERT", directory.KindTeam, "AS-CERT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := directory.ParseQuery(tc.in)
			if err != nil {
				t.Fatalf("ParseQuery(%q) = %v", tc.in, err)
			}
			if got := shown(q); q.Kind != tc.kind || got != tc.want {
				t.Errorf("ParseQuery(%q) = %s %q, want %s %q", tc.in, q.Kind, got, tc.kind, tc.want)
			}
			if q.Text != tc.in {
				t.Errorf("ParseQuery(%q).Text = %q, want the text as asked", tc.in, q.Text)
			}
		})
	}
}

// shown is the parsed value of a query as text.
func shown(q directory.Query) string {
	switch {
	case q.Kind == directory.KindCIDR:
		return q.Prefix.String()
	case q.Kind == directory.KindEmail:
		return string(q.Email)
	case q.Addr.IsValid():
		return q.Addr.String()
	case q.ASN != 0:
		return q.ASN.String()
	}
	return string(q.Domain) + string(q.Country) + string(q.Fingerprint) + q.Name
}

func TestParseQueryRefuses(t *testing.T) {
	listed := map[string]bool{}
	for _, c := range directory.Codes() {
		if strings.HasPrefix(string(c.Code), "query.") {
			listed[string(c.Code)] = true
		}
	}
	tested := map[string]bool{}
	for _, tc := range []struct{ name, in, code string }{
		{"nothing", "", "query.empty"},
		{"spaces only", " \t ", "query.empty"},
		{"quotes around nothing", `""`, "query.empty"},
		{"punctuation only", "!!!", "query.syntax"},
		{"too long", strings.Repeat("a", 2049), "query.too-long"},
		{"a name too long", strings.Repeat("a", 301), "query.too-long"},
		{"not UTF-8", "caf\xe9", "query.encoding"},
		{"a NUL", "example.org\x00", "query.control"},
		{"two lines", "192.0.2.1\n192.0.2.2", "query.control"},
		{"a zone", "fe80::1%eth0", "query.zone"},
		{"an octet too large", "192.0.2.256", "query.address"},
		{"leading zeros, which some read as octal", "192.000.002.001", "query.address"},
		{"IPv6 with two gaps", "2001:db8::1::2", "query.address"},
		{"a prefix too long", "192.0.2.0/33", "query.prefix"},
		{"a netmask", "192.0.2.0/255.255.255.0", "query.prefix"},
		{"a mapped prefix wider than IPv4", "::ffff:0:0/64", "query.prefix"},
		{"a prefix of no address", "192.0.2.300/24", "query.prefix"},
		{"a prefix of no address, with a length that is none", "192.0.2.300/99", "query.prefix"},
		{"a prefix of no IPv6 address", "2001:db8::1::/32", "query.prefix"},
		{"a slip of two dots", "foo..example.org", "domain.syntax"},
		{"a key id", "0x0123456789ABCDEF", "key.fingerprint-is-key-id"},
		{"a piece of a fingerprint", "0x0123", "key.fingerprint-malformed"},
		{"a reserved AS number", "AS0", "asn.reserved"},
		{"an AS number too large", "AS99999999999", "asn.syntax"},
		{"numbers that are no address", "1.2.3", "domain.syntax"},
		{"a URL without host", "http:///x", "query.url"},
		{"a look-alike domain", "раура.com", "domain.confusable"},
		{"two mail addresses", "a@example.org, b@example.org", "email.several"},
		{"no domain behind the @", "a@", "domain.empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := directory.ParseQuery(tc.in)
			problems := directory.ProblemsOf(err)
			if len(problems) != 1 || string(problems[0].Code) != tc.code {
				t.Fatalf("ParseQuery(%q) = %s, %v, want the one problem %s", tc.in, q.Kind, err, tc.code)
			}
		})
		if strings.HasPrefix(tc.code, "query.") {
			tested[tc.code] = true
		}
	}
	if diff := cmp.Diff(listed, tested); diff != "" {
		t.Errorf("codes that are listed but not tested (-), or the other way round (+):\n%s", diff)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "[2001:db8::1]:443", "192.0.2.0/24", "AS64496", "hxxps://a[.]example/x", "a (at) b.example", "CERT.at", "0x12", "_a._b.example.org", "::ffff:1.2.3.4/97"} {
		f.Add(s)
	}
	x := smallIndex(f)
	f.Fuzz(func(t *testing.T, s string) {
		q, err := directory.ParseQuery(s)
		if err != nil {
			if len(directory.ProblemsOf(err)) != 1 {
				t.Fatalf("ParseQuery(%q) = %v, want one problem", s, err)
			}
			return
		}
		if shown(q) == "" {
			t.Fatalf("ParseQuery(%q) = %s with nothing in it", s, q.Kind)
		}
		var a directory.Answer
		x.Lookup(q, directory.Ask{Now: now}, &a)
		if a.Status == directory.StatusUnavailable || len(a.Trace) == 0 {
			t.Fatalf("Lookup(%q) = %s with %d steps", s, a.Status, len(a.Trace))
		}
		for _, step := range a.Trace {
			if step.Text() == "" {
				t.Fatalf("Lookup(%q): a step without text: %+v", s, step)
			}
		}
	})
}
