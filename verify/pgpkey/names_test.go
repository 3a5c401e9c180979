package pgpkey_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

func email(t testing.TB, s string) directory.Email {
	t.Helper()
	e, err := directory.ParseEmail(s)
	must(t, err)
	return e
}

// TestNames holds the names against the examples of the documents that define them.
func TestNames(t *testing.T) {
	joe, hugh := email(t, "Joe.Doe@Example.ORG"), email(t, "hugh@example.com")
	const fpr = "8E8C33FA4626337976D97978069C0C348DD82C19"
	for _, tt := range []struct{ source, got, want string }{
		{"draft-koch-openpgp-webkey-service-17 section 3.1, hash", pgpkey.WKDHash("Joe.Doe"), "iy9q119eutrkn8s1mk4r39qejnbu3n5q"},
		{"the same, lower case", pgpkey.WKDHash("joe.doe"), "iy9q119eutrkn8s1mk4r39qejnbu3n5q"},
		{"the same, advanced method", pgpkey.WKDAdvanced(joe), "https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"},
		{"the same, direct method", pgpkey.WKDDirect(joe), "https://example.org/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"},
		{"section 4.5, advanced", pgpkey.WKDPolicy(pgpkey.WKDAdvanced(joe)), "https://openpgpkey.example.org/.well-known/openpgpkey/example.org/policy"},
		{"section 4.5, direct", pgpkey.WKDPolicy(pgpkey.WKDDirect(joe)), "https://example.org/.well-known/openpgpkey/policy"},
		{"RFC 7929 section 3", pgpkey.OPENPGPKEYName(hugh), "c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6._openpgpkey.example.com."},
		{"Hagrid, by fingerprint", pgpkey.VKSByFingerprint("https://keys.example.org", fpr), "https://keys.example.org/vks/v1/by-fingerprint/" + fpr},
		{"Hagrid, by e-mail", pgpkey.VKSByEmail("https://keys.example.org/", email(t, "csirt+x@example.org")), "https://keys.example.org/vks/v1/by-email/csirt%2Bx%40example.org"},
		{"draft-ietf-openpgp-hkp-01, index", pgpkey.HKPIndex("https://keys.example.org/", fpr), "https://keys.example.org/pks/lookup?op=index&options=mr&search=0x" + fpr},
		{"draft-ietf-openpgp-hkp-01", pgpkey.HKPGet("https://keys.example.org", fpr), "https://keys.example.org/pks/lookup?op=get&options=mr&search=0x" + fpr},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.source, tt.got, tt.want)
		}
	}
	if upper, lower := pgpkey.OPENPGPKEYName("Hugh@example.com"), pgpkey.OPENPGPKEYName(hugh); upper == lower {
		t.Error("RFC 7929 section 3: the name of Hugh@ and of hugh@ is the same, want two")
	}
	if got := pgpkey.WKDHash("Jörg"); got != pgpkey.WKDHash("jörg") || got == pgpkey.WKDHash("JÖRG") {
		t.Error("only ASCII letters are made lower case")
	}
}

// FuzzNames: every address makes names that are URLs and DNS names, and the
// local part comes back from the URL as it was.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"Joe.Doe@Example.ORG", "a/b?c=#d%20&l=x@example.org", "csirt+x@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := directory.ParseEmail(s)
		if err != nil || len(s) > 300 {
			return
		}
		for _, raw := range []string{pgpkey.WKDAdvanced(e), pgpkey.WKDDirect(e), pgpkey.VKSByEmail("https://keys.example.org", e)} {
			u, err := url.Parse(raw)
			if err != nil || u.Scheme != "https" || u.Fragment != "" || u.User != nil {
				t.Errorf("%s: %s is %+v, %v", e, raw, u, err)
				continue
			}
			if u.Query().Has("l") && (u.Query().Get("l") != e.Local() || len(u.Query()) != 1) {
				t.Errorf("%s: %s says l=%q", e, raw, u.Query().Get("l"))
			}
			if strings.Contains(raw, "by-email") && u.Path != "/vks/v1/by-email/"+string(e) {
				t.Errorf("%s: %s has path %q", e, raw, u.Path)
			}
		}
		if name := pgpkey.OPENPGPKEYName(e); strings.Index(name, ".") != 56 || !strings.HasSuffix(name, "."+string(e.Domain())+".") {
			t.Errorf("%s: %s", e, name)
		}
	})
}
