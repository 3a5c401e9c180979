package dnscheck_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
)

// TestOwnerOf holds the published examples: RFC 7929 section 3 and RFC 8162
// section 3 hash the local part as it is written.
func TestOwnerOf(t *testing.T) {
	const hugh = "c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6"
	for _, c := range []struct{ address, label, want string }{
		{"hugh@example.com", "_openpgpkey", hugh + "._openpgpkey.example.com."},
		{"hugh@Example.COM", "_openpgpkey", hugh + "._openpgpkey.example.com."},
		{"hugh@example.com", "_smimecert", hugh + "._smimecert.example.com."},
	} {
		if got, ok := dnscheck.OwnerOf(c.address, c.label); got != c.want || !ok {
			t.Errorf("OwnerOf(%q, %q) = %q, %v; want %q", c.address, c.label, got, ok, c.want)
		}
	}
	if upper, _ := dnscheck.OwnerOf("Hugh@example.com", "_openpgpkey"); strings.HasPrefix(upper, hugh) {
		t.Error("OwnerOf lower-cases the local part")
	}
	for _, bad := range []string{"", "hugh", "@example.com", "hugh@"} {
		if got, ok := dnscheck.OwnerOf(bad, "_openpgpkey"); ok {
			t.Errorf("OwnerOf(%q) = %q, want none", bad, got)
		}
	}
}

func TestParseDMARC(t *testing.T) {
	for text, want := range map[string]dnscheck.DMARC{
		"v=DMARC1":                                 {Policy: "none", PSD: "u", WithoutWords: true},
		"v=DMARC1;p=reject":                        {Policy: "reject", PSD: "u"},
		"v=DMARC1 ; P = Quarantine ;":              {Policy: "quarantine", PSD: "u"},
		"v=DMARC1; p=bananas; sp=reject":           {Policy: "none", PSD: "u", WithoutWords: true, Subdomains: "reject"},
		"v=DMARC1; p=none; np=reject; psd=y; t=y":  {Policy: "none", PSD: "y", NonExistent: "reject", Testing: true},
		"v=DMARC1; p=reject; adkim=s; aspf=s; x=y": {Policy: "reject", PSD: "u", StrictDKIM: true, StrictSPF: true},
		"v=DMARC1; p=reject; rua=mailto:a@x, ,mailto:b@x; ruf=mailto:c@x": {Policy: "reject", PSD: "u", Reports: []string{"mailto:a@x", "mailto:b@x"}, Failures: []string{"mailto:c@x"}},
		"v=DMARC1; p=reject; pct=100; rf=afrf; ri=1":                      {Policy: "reject", PSD: "u", Removed: []string{"pct", "rf", "ri"}},
	} {
		got, err := dnscheck.ParseDMARC(text)
		if err != nil {
			t.Errorf("ParseDMARC(%q): %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("ParseDMARC(%q): (-want +got)\n%s", text, d)
		}
	}
	for _, bad := range []string{"", "v=DMARC2; p=none", "p=none; v=DMARC1", "v=dmarc1; p=none", "v=DMARC1; ; p=none", "v=DMARC1; p", "v=DMARC1; p=none; p=none", "v=DMARC1; 1p=none", "v=DMARC1; p=none; x-y=1", "v=spf1 -all"} {
		if got, err := dnscheck.ParseDMARC(bad); !errors.Is(err, dnscheck.ErrDMARC) {
			t.Errorf("ParseDMARC(%q) = %+v, %v; want %v", bad, got, err, dnscheck.ErrDMARC)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	const good = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n" // RFC 8461 section 3.2
	p, err := dnscheck.ParsePolicy([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"mail.example.com.": true, "MAIL.example.com": true, "a.example.net": true, "a.b.example.net": false, "example.net": false, "x.example.com": false} {
		if p.Allows(host) != want {
			t.Errorf("Allows(%q) = %v, want %v", host, !want, want)
		}
	}
	for _, ok := range []string{strings.ReplaceAll(good, "\n", "\r\n"), good + "later: unknown\n", strings.TrimSuffix(good, "\n"), "version:STSv1\nmode:none\nmax_age:0\n", good + "mode: none\n", good + "\n\n"} {
		if _, err := dnscheck.ParsePolicy([]byte(ok)); err != nil {
			t.Errorf("ParsePolicy(%q): %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "<html></html>", strings.Replace(good, "STSv1", "STSv2", 1), strings.Replace(good, "enforce", "on", 1), strings.Replace(good, "604800", "31557601", 1), strings.Replace(good, "604800", "-1", 1),
		strings.Replace(good, "604800", "99999999999999999999", 1), strings.Replace(good, "max_age: 604800\n", "", 1), "version: STSv1\nmode: enforce\nmax_age: 1\n", good + "mx: a b\n", good + "mx: *.*.example\n",
		good + "mx: https://mail\n", good + "no colon\n", good + "\xff: x\n", good + strings.Repeat("x: y\n", 20000), good + "mx:\n",
	} {
		if got, err := dnscheck.ParsePolicy([]byte(bad)); !errors.Is(err, dnscheck.ErrPolicy) {
			t.Errorf("ParsePolicy(%.80q) = %+v, %v; want %v", bad, got, err, dnscheck.ErrPolicy)
		}
	}
}

func TestParseTLSRPT(t *testing.T) {
	got, err := dnscheck.ParseTLSRPT("v=TLSRPTv1; rua=mailto:reports@example.com,https://reporting.example.com/v1/tlsrpt")
	if err != nil || len(got) != 2 {
		t.Errorf("ParseTLSRPT = %q, %v; want two", got, err)
	}
	const record = "v=TLSRPTv1; rua=mailto:reports@example.com; "
	for _, ok := range []string{"x-note=1", "x.note_2=1;", "1st=1", strings.Repeat("x", 32) + "=1"} { // section 3: tlsrpt-ext-name
		if got, err := dnscheck.ParseTLSRPT(record + ok); err != nil || len(got) != 1 {
			t.Errorf("ParseTLSRPT(%q) = %q, %v; want one", record+ok, got, err)
		}
	}
	for _, bad := range []string{record + "-x=1", record + ".x=1", record + "_x=1", record + "x y=1", record + "x+y=1", record + "=1", record + strings.Repeat("x", 33) + "=1",
		"", "v=TLSRPTv1", "v=TLSRPTv1; rua=", "v=TLSRPTv1; rua=ftp://x", "rua=mailto:a@x; v=TLSRPTv1", "v=TLSRPTv1; rua=mailto:", "v=TLSRPTv1; rua=https:///x"} {
		if got, err := dnscheck.ParseTLSRPT(bad); !errors.Is(err, dnscheck.ErrTLSRPT) {
			t.Errorf("ParseTLSRPT(%q) = %q, %v; want %v", bad, got, err, dnscheck.ErrTLSRPT)
		}
	}
}

func FuzzParseDMARC(f *testing.F) {
	f.Add("v=DMARC1; p=reject; rua=mailto:a@x")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := dnscheck.ParseDMARC(s)
		if err == nil && d.Policy != "none" && d.Policy != "quarantine" && d.Policy != "reject" {
			t.Errorf("ParseDMARC(%q) has the policy %q", s, d.Policy)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte("version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 604800\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := dnscheck.ParsePolicy(b)
		if err == nil && p.Mode != "none" && len(p.MX) == 0 {
			t.Errorf("ParsePolicy(%q) has no mx", b)
		}
		p.Allows("mail.example.com.")
	})
}

func FuzzParseTLSRPT(f *testing.F) {
	f.Add("v=TLSRPTv1; rua=mailto:reports@example.com")
	f.Fuzz(func(t *testing.T, s string) {
		if list, err := dnscheck.ParseTLSRPT(s); err == nil && len(list) == 0 {
			t.Errorf("ParseTLSRPT(%q) leads nowhere", s)
		}
	})
}
