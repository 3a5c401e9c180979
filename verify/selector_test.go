package verify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// TestLearn: only a signature of the contact's own domain, or of its
// organisation's, makes a name that is asked for.
func TestLearn(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ name, domain, signer, selector, want string }{
		{"its own", "team.example", "team.example", "s1", "s1._domainkey.team.example."},
		{"its organisation's", "csirt.team.example", "team.example", "s1", "s1._domainkey.team.example."},
		{"in capitals", "Team.Example", "TEAM.example", "S1", "s1._domainkey.team.example."},
		{"two labels", "team.example", "team.example", "2026.mail_a", "2026.mail_a._domainkey.team.example."},
		{"a stranger's", "team.example", "evil.example", "s1", ""},
		{"one below it", "team.example", "users.team.example", "s1", ""},
		{"one between", "a.b.team.example", "b.team.example", "s1", ""},
		{"a public suffix", "team.co.uk", "co.uk", "s1", ""},
		{"a name that ends alike", "team.example", "notteam.example", "s1", ""},
		{"nobody's", "team.example", "", "s1", ""},
		{"no selector", "team.example", "team.example", "", ""},
		{"an empty label", "team.example", "team.example", "a..b", ""},
		{"no host's letters", "team.example", "team.example", "a b", ""},
		{"a long label", "team.example", "team.example", strings.Repeat("a", 64), ""},
		{"a long name", "team.example", "team.example", strings.Repeat("abcdefgh.", 30) + "a", ""},
	} {
		s, ok := verify.Learn(tt.domain, tt.signer, tt.selector, at)
		got := ""
		if ok {
			got = s.Owner()
		}
		if got != tt.want || ok && !s.Seen.Equal(at) {
			t.Errorf("%s: Learn = %+v, %t; want %q", tt.name, s, ok, tt.want)
		}
	}
	if got, want := verify.SigningDomains("a.b.team.co.uk."), []string{"a.b.team.co.uk", "team.co.uk"}; !slices.Equal(got, want) {
		t.Errorf("SigningDomains = %q, want %q", got, want)
	}
}
