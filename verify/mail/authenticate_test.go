package mail_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// TestAuthenticate: what speaks for where a mail came from is found, and what is forged is told.
func TestAuthenticate(t *testing.T) {
	zone := published(t)
	zone["TXT team.example"] = []string{"v=spf1 ip4:192.0.2.40 -all"}
	zone["TXT _dmarc.team.example"] = []string{"v=DMARC1; p=reject"}
	zone["TXT k._domainkey.team.example"] = []string{instance(t).Records()[1].Value} // the key serves as the team's
	signed := dkimSigned(t, "team.example", reply{content: text(yes)}.mail())
	other := dkimSigned(t, "team.example", reply{from: "From: csirt@other.example\n", content: text(yes)}.mail())
	results := "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=csirt@team.example; dkim=pass header.d=team.example\nAuthentication-Results: evil.example; dmarc=pass header.from=team.example\n"
	peer := netip.MustParseAddr("192.0.2.40")
	tests := []struct {
		name    string
		raw     []byte
		peer    netip.Addr
		dns     names
		spf     string
		dkim    string
		dmarc   string
		policy  string
		trusted int
	}{
		{"signed, from where it may come", signed, peer, zone, "pass", "pass", "pass", "reject", 0},
		{"signed, by way of others", signed, netip.MustParseAddr("192.0.2.99"), zone, "fail", "pass", "pass", "reject", 0},
		{"not signed, from where it may come", crlf(reply{content: text(yes)}.mail()), peer, zone, "pass", "", "pass", "reject", 0},
		{"forged", crlf(reply{content: text(yes)}.mail()), netip.MustParseAddr("192.0.2.99"), zone, "fail", "", "fail", "reject", 0},
		{"touched", bytes.Replace(signed, []byte("Hello"), []byte("Hallo"), 1), netip.Addr{}, zone, "", "fail", "fail", "reject", 0},
		{"signed for another than From", other, netip.Addr{}, zone, "", "pass", "none", "", 0},
		{"the DNS is away", signed, peer, zone.with("TXT k._domainkey.team.example", "!").with("TXT team.example", "!").with("TXT _dmarc.team.example", "!"), "temperror", "temperror", "temperror", "", 0},
		{"no key is published", signed, netip.Addr{}, zone.with("TXT k._domainkey.team.example"), "", "fail", "fail", "reject", 0},
		{"by a machine of the site", signed, netip.MustParseAddr("10.0.0.25"), zone, "", "pass", "pass", "reject", 0},
		{"its key can't be asked for, and the address may not send", signed, netip.MustParseAddr("192.0.2.99"), zone.with("TXT k._domainkey.team.example", "!"), "fail", "temperror", "temperror", "reject", 0},
		{"what the site's server found, which stands in front", append([]byte(strings.ReplaceAll(results, "\n", "\r\n")), signed...), peer, zone, "", "pass", "pass", "reject", 2},
		{"what the site's server found", append([]byte(strings.ReplaceAll(results, "\n", "\r\n")), signed...), netip.MustParseAddr("127.0.0.1"), zone, "", "pass", "pass", "reject", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := mail.Envelope{From: "csirt@team.example", Raw: tt.raw, Peer: tt.peer, Helo: "mail.team.example"}
			a := mail.Authenticate(t.Context(), tt.dns, env, read(t, tt.raw), "mx.example.org")
			signature := ""
			if len(a.DKIM) > 0 {
				signature = a.DKIM[0].Result
			}
			if want := map[bool]string{true: "k"}[tt.dkim == "pass"]; len(a.DKIM) > 0 && a.DKIM[0].Selector != want {
				t.Errorf("the selector is %q, want %q", a.DKIM[0].Selector, want)
			}
			if a.SPF != tt.spf || signature != tt.dkim || a.DMARC != tt.dmarc || a.Policy != tt.policy || len(a.Trusted) != tt.trusted {
				t.Errorf("Authenticate = %+v", a)
			}
		})
	}
	bounce := mail.Envelope{Raw: signed, Peer: peer, Helo: "team.example"}
	if a := mail.Authenticate(t.Context(), zone, bounce, read(t, signed)); a.SPF != "pass" {
		t.Errorf("of a null return path, who says HELO is asked about: %+v", a)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if a := mail.Authenticate(over, silent{zone}, bounce, read(t, signed)); a.SPF != "temperror" || a.DKIM[0].Result != "temperror" || a.DMARC != "temperror" {
		t.Errorf("when time is over: %+v", a)
	}
	many := bytes.Repeat(signed[:bytes.Index(signed, []byte("From:"))], 20)
	many = append(many, signed...)
	if a := mail.Authenticate(t.Context(), zone, mail.Envelope{Raw: many}, read(t, many)); len(a.DKIM) > 5 {
		t.Errorf("%d signatures were verified", len(a.DKIM))
	}
}

// TestSelectors: of several signatures each has its own key's name, and no name is taken over of a
// signature that is not valid, whatever it says beside one that is.
func TestSelectors(t *testing.T) {
	zone := published(t)
	zone["TXT k._domainkey.team.example"] = []string{instance(t).Records()[1].Value}
	zone["TXT other._domainkey.team.example"] = []string{instance(t).Records()[1].Value}
	signed := string(dkimSigned(t, "team.example", reply{content: text(yes)}.mail()))
	field := signed[:strings.Index(signed, "\r\nFrom:")+2]
	for name, tt := range map[string]struct {
		raw  string
		want string
	}{
		"one":                        {signed, "pass k"},
		"folded in the middle":       {strings.Replace(signed, "s=k;", "s=\r\n\tk;", 1), "fail "}, // the field itself is signed
		"a forged one before it":     {strings.Replace(field, "s=k;", "s=other;", 1) + signed, "fail |pass k"},
		"a forged one after it":      {field + strings.Replace(field, "s=k;", "s=other;", 1) + strings.TrimPrefix(signed, field), "pass k|fail "},
		"one without a key before":   {strings.Replace(field, "s=k;", "s=none;", 1) + signed, "fail |pass k"},
		"one without a tag before":   {strings.Replace(field, "s=k;", "", 1) + signed, "fail |pass k"},
		"two names in one":           {strings.Replace(signed, "s=k;", "s=other; s=k;", 1), "fail "},
		"a field that looks like it": {"X-DKIM-Signature: s=other\r\nDKIM-Signature : s=other; d=team.example\r\n" + signed, "fail |pass k"},
		"more than are verified":     {strings.Repeat(strings.Replace(field, "s=k;", "s=other;", 1), 5) + signed, "fail |fail |fail |fail |fail "},
	} {
		t.Run(name, func(t *testing.T) {
			a := mail.Authenticate(t.Context(), zone, mail.Envelope{Raw: []byte(tt.raw)}, read(t, []byte(tt.raw)))
			var got []string
			for _, s := range a.DKIM {
				got = append(got, s.Result+" "+s.Selector)
			}
			if strings.Join(got, "|") != tt.want {
				t.Errorf("Authenticate = %q, want %q: %+v", got, tt.want, a.DKIM)
			}
		})
	}
}

// TestAuthenticationString: one line says it all, and what nobody could find out is not made up.
func TestAuthenticationString(t *testing.T) {
	for want, a := range map[string]mail.Authentication{
		"spf=none (the sender's address is not known); dkim=none; dmarc=none": {DMARC: "none"},
		"spf=pass; dkim=pass team.example; dkim=fail other.example; dmarc=pass reject; trusted: dmarc=pass team.example": {SPF: "pass", DMARC: "pass", Policy: "reject",
			DKIM: []mail.Signer{{Domain: "team.example", Result: "pass"}, {Domain: "other.example", Result: "fail", Reason: "body hash did not verify"}}, Trusted: []string{"dmarc=pass team.example"}},
	} {
		if got := a.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}

// silent is a DNS that answers no questions about texts.
type silent struct{ names }

func (silent) LookupTXT(ctx context.Context, name string) ([]string, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTimeout: true}
}

func dkimSigned(t *testing.T, domain, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := dkim.Sign(&b, bytes.NewReader(crlf(text)), &dkim.SignOptions{Domain: domain, Selector: "k", Signer: instance(t).DKIM[1].Signer, HeaderKeys: []string{"From", "Subject"}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
