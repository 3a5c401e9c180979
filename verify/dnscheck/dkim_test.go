package dnscheck_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
)

// rsaKey is a public key of so many bits, in base64. Nobody signs with it.
func rsaKey(t testing.TB, bits int, pkcs1 bool) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	k := &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
	raw, err := x509.MarshalPKIXPublicKey(k)
	if pkcs1 {
		raw, err = x509.MarshalPKCS1PublicKey(k), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// keyRecord is a TXT record in strings of 255 octets, as zone files have them.
func keyRecord(label, text string) string {
	var parts []string
	for len(text) > 255 {
		parts, text = append(parts, text[:255]), text[255:]
	}
	return label + `._domainkey 300 TXT "` + strings.Join(append(parts, text), `" "`) + "\"\n"
}

func dkimCases(t *testing.T) []a {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seen := func(ago time.Duration, names ...string) (list []verify.Selector) {
		for i, n := range names {
			list = append(list, verify.Selector{Domain: domain, Name: n, Seen: now.Add(-ago - time.Duration(i)*time.Hour)})
		}
		return list
	}
	const day = 24 * time.Hour
	strong := "v=DKIM1; k=rsa; p=" + rsaKey(t, 2048, false)
	ed := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	list := []a{
		{check: "dkim", name: "no name is known", zone: good},
		{check: "dkim", name: "a good key", zone: good + keyRecord("s1", strong), selectors: seen(day, "s1")},
		{check: "dkim", name: "two keys", zone: good + keyRecord("s1", strong) + keyRecord("s2", ed), selectors: seen(day, "s2", "s1")},
		{check: "dkim", name: "without a version, in the other form", zone: keyRecord("s1", "p="+rsaKey(t, 2048, true)), selectors: seen(day, "s1")},
		{check: "dkim", name: "by an alias", zone: "s1._domainkey 300 CNAME s1.mail.test.\n", selectors: seen(day, "s1"), set: func(n *network) {
			n.Add("mail.test.", "s1 300 TXT \""+ed+"\"\n")
			n.Delegate("test.", "mail.test.")
		}},
		{check: "dkim", name: "an older one is gone", zone: keyRecord("s2", ed), selectors: seen(day, "s2", "s1")},
		{check: "dkim", name: "an older one is revoked", zone: keyRecord("s2", ed) + keyRecord("s1", "v=DKIM1; p="), selectors: seen(day, "s2", "s1")},
		{check: "dkim", name: "gone long after its last signature", zone: good, selectors: seen(8*day, "s1"), want: []string{"dkim.key-missing"}, worst: verify.Info},
		{check: "dkim", name: "gone too early", zone: good, selectors: seen(6*day, "s1"), want: []string{"dkim.key-missing"}, worst: verify.Warning},
		{check: "dkim", name: "revoked", zone: keyRecord("s1", "v=DKIM1; k=rsa; p="), selectors: seen(8*day, "s1"), want: []string{"dkim.key-revoked"}, worst: verify.Info},
		{check: "dkim", name: "revoked too early", zone: keyRecord("s1", "v=DKIM1; p= ;"), selectors: seen(day, "s1"), want: []string{"dkim.key-revoked"}, worst: verify.Warning},
		{check: "dkim", name: "two records", zone: keyRecord("s1", strong) + keyRecord("s1", ed), selectors: seen(day, "s1"), want: []string{"dkim.several"}},
		{check: "dkim", name: "two records of an older one", zone: keyRecord("s2", ed) + keyRecord("s1", strong) + keyRecord("s1", ed), selectors: seen(day, "s2", "s1")},
		{check: "dkim", name: "an older one can't be read", zone: keyRecord("s2", ed) + keyRecord("s1", "v=DKIM1; p=AAAA"), selectors: seen(day, "s2", "s1")},
		{check: "dkim", name: "512 bits of an older one", zone: keyRecord("s2", ed) + keyRecord("s1", "v=DKIM1; p="+rsaKey(t, 512, false)), selectors: seen(day, "s2", "s1"), want: []string{"dkim.key-weak"}, worst: verify.Warning},
		{check: "dkim", name: "gone, and a wildcard answers", zone: "* 300 TXT \"v=spf1 exp=x -all\"\n", selectors: seen(8*day, "s1"), want: []string{"dkim.key-missing"}, worst: verify.Info},
		{check: "dkim", name: "no key", zone: keyRecord("s1", "v=DKIM1; k=rsa"), selectors: seen(day, "s1"), want: []string{"dkim.key-invalid"}},
		{check: "dkim", name: "1023 bits", zone: keyRecord("s1", "v=DKIM1; p="+rsaKey(t, 1023, false)), selectors: seen(day, "s1"), want: []string{"dkim.key-too-short"}},
		{check: "dkim", name: "1024 bits", zone: keyRecord("s1", "v=DKIM1; p="+rsaKey(t, 1024, false)), selectors: seen(day, "s1"), want: []string{"dkim.key-weak"}},
		{check: "dkim", name: "2047 bits of an older one", zone: keyRecord("s2", ed) + keyRecord("s1", "v=DKIM1; p="+rsaKey(t, 2047, false)), selectors: seen(day, "s2", "s1"), want: []string{"dkim.key-weak"}},
		{check: "dkim", name: "testing", zone: keyRecord("s1", ed+"; t=s:y"), selectors: seen(day, "s1"), want: []string{"dkim.testing"}},
		{check: "dkim", name: "the organisation's key", zone: good + "x.csirt 300 A 192.0.2.3\n" + keyRecord("s1", strong), selectors: seen(day, "s1")},
		{check: "dkim", name: "servers fail", zone: good, selectors: seen(day, "s1"), set: broken("s1._domainkey.team.test. TXT"), trouble: verify.DNSServFail},
		{check: "dkim", name: "the second can't be asked for", zone: keyRecord("s1", ed), selectors: seen(day, "s1", "s2"), set: func(n *network) { n.broken["s2._domainkey.team.test."] = verify.DNSTimeout }, trouble: verify.DNSTimeout},
	}
	return list
}

// TestDKIMSays: where no reply was signed, that is said, and not that all is well.
func TestDKIMSays(t *testing.T) {
	n := newNetwork(t)
	n.domain(good)
	target := verify.Target{Subject: subjectOf("dkim")}
	count := &counted{Network: n}
	for _, c := range n.checks() {
		if c.Name == "dkim" {
			r, err := c.Run(t.Context(), count, target)
			if err != nil || len(r.Facts) != 1 || !strings.HasPrefix(r.Facts[0].Value, "not applicable") || count.questions != 0 {
				t.Errorf("Run = %+v, %v after %d questions, want one fact and no question", r.Facts, err, count.questions)
			}
			if !c.Claimed {
				t.Error("the check is run by hand, where no name can be known")
			}
		}
	}
}

func TestParseDKIMKey(t *testing.T) {
	key := rsaKey(t, 2048, false)
	for _, tt := range []struct {
		text string
		want dnscheck.DKIMKey
	}{
		{"v=DKIM1; h=sha1:sha256; k=rsa; n=a note; s=email; t=s; p=" + key, dnscheck.DKIMKey{Type: "rsa", Bits: 2048}},
		{"p=" + key[:40] + " \t" + key[40:] + ";", dnscheck.DKIMKey{Type: "rsa", Bits: 2048}},
		{"v=DKIM1;; k=rsa; ;p=" + key + ";;", dnscheck.DKIMKey{Type: "rsa", Bits: 2048}},
		{"v=DKIM1; p=; t=y", dnscheck.DKIMKey{Type: "rsa", Revoked: true, Testing: true}},
		{"k=ed25519; unknown=1; p=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), dnscheck.DKIMKey{Type: "ed25519"}},
	} {
		if got, err := dnscheck.ParseDKIMKey(tt.text); err != nil || got != tt.want {
			t.Errorf("ParseDKIMKey(%.40q) = %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
	for _, bad := range []string{
		"", "v=DKIM1", "v=DKIM2; p=" + key, "p=" + key + "; v=DKIM1", "v=DKIM1; p=" + key + "; p=" + key, "v=DKIM1; p=*", "v=DKIM1; p=AAAA",
		"v=DKIM1; s=tlsrpt; p=" + key, "v=DKIM1; h=sha1; p=" + key, "v=DKIM1; k=dsa; p=" + key, "v=DKIM1; k=ed25519; p=AAAA", "v=spf1 -all",
	} {
		if k, err := dnscheck.ParseDKIMKey(bad); !errors.Is(err, dnscheck.ErrDKIMKey) {
			t.Errorf("ParseDKIMKey(%.40q) = %+v, %v; want %v", bad, k, err, dnscheck.ErrDKIMKey)
		}
	}
}

func FuzzParseDKIMKey(f *testing.F) {
	for _, s := range []string{"v=DKIM1; k=rsa; p=" + rsaKey(f, 1024, true), "p=", "v=DKIM1; k=ed25519; p=AAAA; t=y:s", "k = rsa ; p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := dnscheck.ParseDKIMKey(s)
		if err == nil && !k.Revoked && k.Type != "ed25519" && k.Bits <= 0 {
			t.Errorf("ParseDKIMKey(%q) = %+v, without a size", s, k)
		}
	})
}
