package securitytxt_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		typical, "", "\ufeffContact: mailto:a@example.org\r\nExpires: 2027-01-01T00:00:00z", "Contact : x\rEncryption:\xff\nFoo: \x00\n",
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nContact: tel:+1\n-----BEGIN PGP SIGNATURE-----\n\n\n-----END PGP SIGNATURE-----\n",
		"Encryption: -----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\nPreferred-Languages: en;de, cz,,en_US\n",
		" Contact: mailto:a@example.org, mailto:b@example.org\n# c\nContakt: tel:1-2-3;phone-context=+1\nhttps://example.org/x\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, findings := securitytxt.Parse(data)
		checkFindings(t, findings)
		checkFindings(t, file.Validate(now, "https://example.org/.well-known/security.txt"))
		for _, field := range file.Fields {
			if !utf8.ValidString(field.Value) || strings.ContainsFunc(string(field.Name)+field.Value, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
				t.Fatalf("the value %q of a parsed field", field.Value)
			}
			if field.Line < 1 || field.Line > 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r")) {
				t.Fatalf("a field on line %d", field.Line)
			}
		}
		roundTrip(t, file)
	})
}

// roundTrip: what String writes, Parse reads the same. A text can grow beyond the
// limit by the spaces that it lacked.
func roundTrip(t *testing.T, file securitytxt.File) {
	t.Helper()
	text := file.String()
	if len(text) > securitytxt.MaxSize {
		return
	}
	again, _ := securitytxt.Parse([]byte(text))
	if got := again.String(); got != text {
		t.Fatalf("String of what was parsed = %q, want %q", got, text)
	}
	var want []securitytxt.Field
	for _, f := range file.Fields {
		if f.Value != "" {
			want = append(want, f)
		}
	}
	if d := cmp.Diff(again.Fields, want, cmpopts.IgnoreFields(securitytxt.Field{}, "Line"), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("fields after a round trip (-got +want):\n%s", d)
	}
}

// checkFindings holds findings against what is true of all of them.
func checkFindings(t *testing.T, findings []verify.Finding) {
	t.Helper()
	if len(findings) > 120 {
		t.Fatalf("%d findings", len(findings))
	}
	for _, f := range findings {
		if f.Code == "" || f.Severity == "" || f.Advice == "" {
			t.Fatalf("a finding that is not of the table: %+v", f)
		}
		for _, s := range []string{f.Evidence, f.Corrected, f.Subject} {
			if len(s) > verify.MaxEvidence+8 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Fatalf("%s quotes %q", f.Code, s)
			}
		}
	}
}
