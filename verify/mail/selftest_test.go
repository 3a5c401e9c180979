package mail_test

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/mail"
	"github.com/rollcall-csirt/rollcall/verify/mail/mailtest"
)

func TestSelftest(t *testing.T) {
	cert, roots := mailtest.Certificate(t)
	b := &inbox{}
	relay := submitter(t, mail.Relay{Address: listen(t, mail.ServerConfig{Accepts: anybody, Handle: b.handle, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}), Policy: mail.TLSRequired, TLS: &tls.Config{RootCAs: roots}})
	distrusted := submitter(t, mail.Relay{Address: listen(t, mail.ServerConfig{Accepts: anybody, Handle: b.handle, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}), Policy: mail.TLSRequired})
	away := submitter(t, mail.Relay{Address: "127.0.0.1:1", Policy: mail.TLSNone})
	good := published(t)
	rsa, ed := instance(t).Records()[0], instance(t).Records()[1]
	ours := []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")}
	tests := []struct {
		name   string
		dns    names
		relay  *mail.Submitter
		from   []netip.Addr
		failed string // the tests that fail
		reason string
		temp   bool
	}{
		{name: "all is well", dns: good},
		{name: "no SPF", dns: good.with("TXT example.org", "hello"), failed: "spf spf", reason: "none"},
		{name: "SPF without us", dns: good.with("TXT example.org", "v=spf1 ip4:192.0.2.26 -all"), failed: "spf spf", reason: "fail"},
		{name: "SPF that only hints", dns: good.with("TXT example.org", "v=spf1 ~all"), failed: "spf spf", reason: "softfail"},
		{name: "SPF with a mistake", dns: good.with("TXT example.org", "v=spf1 ipv4:192.0.2.25 -all"), failed: "spf spf", reason: "permerror"},
		{name: "SPF that can't be asked", dns: good.with("TXT example.org", "!"), failed: "spf spf", temp: true},
		{name: "one of two addresses", dns: good.with("TXT example.org", "v=spf1 ip4:192.0.2.25 -all"), failed: "spf"},
		{name: "no addresses known", dns: good, from: []netip.Addr{}, failed: "spf", reason: "not configured"},
		{name: "no name for the address", dns: good.with("PTR 192.0.2.25"), failed: "reverse", reason: "no name"},
		{name: "a name that leads elsewhere", dns: good.with("PTR 192.0.2.25", "other.example."), failed: "reverse", reason: "does not lead back"},
		{name: "a name that can't be asked", dns: good.with("PTR 192.0.2.25", "!"), failed: "reverse", temp: true},
		{name: "no DKIM", dns: good.with("TXT " + rsa.Name), failed: "dkim", reason: "nothing is published"},
		{name: "another key", dns: good.with("TXT "+rsa.Name, ed.Value), failed: "dkim", reason: "another"},
		{name: "a key that is revoked", dns: good.with("TXT "+ed.Name, "v=DKIM1; k=ed25519; p="), failed: "dkim", reason: "another"},
		{name: "a key of the wrong type", dns: good.with("TXT "+ed.Name, strings.Replace(ed.Value, "k=ed25519; ", "", 1)), failed: "dkim", reason: "type rsa"},
		{name: "testing", dns: good.with("TXT "+ed.Name, ed.Value+"; t=y:s"), failed: "dkim", reason: "testing"},
		{name: "only SHA-1", dns: good.with("TXT "+rsa.Name, rsa.Value+"; h=sha1"), failed: "dkim", reason: "sha256"},
		{name: "two records", dns: good.with("TXT "+rsa.Name, rsa.Value, rsa.Value), failed: "dkim", reason: "several"},
		{name: "the key in other words", dns: good.with("TXT "+rsa.Name, strings.Replace(strings.Replace(rsa.Value, "v=DKIM1; k=rsa; ", "", 1), "MIIB", "M IIB", 1))},
		{name: "DKIM that can't be asked", dns: good.with("TXT "+rsa.Name, "!"), failed: "dkim", temp: true},
		{name: "no DMARC", dns: good.with("TXT _dmarc.example.org"), failed: "dmarc", reason: "no policy"},
		{name: "DMARC of the parent", dns: good.with("TXT _dmarc.example.org").with("TXT _dmarc.org", "v=DMARC1; p=none; sp=reject")},
		{name: "DMARC of the parent that only looks", dns: good.with("TXT _dmarc.example.org").with("TXT _dmarc.org", "v=DMARC1; p=reject; sp=none; psd=y"), failed: "dmarc", reason: "forge"},
		{name: "DMARC that tests", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=quarantine; t=y"), failed: "dmarc", reason: "forge"},
		{name: "DMARC that tests, and was stricter", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=reject; t=y")},
		{name: "DMARC that only looks", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=none"), failed: "dmarc", reason: "forge"},
		{name: "two DMARC records", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=reject", "v=DMARC1; p=reject"), failed: "dmarc"},
		{name: "DMARC that can't be asked", dns: good.with("TXT _dmarc.example.org", "!"), failed: "dmarc", temp: true},
		{name: "no MX", dns: good.with("MX example.org"), failed: "mx", reason: "nowhere"},
		{name: "the null MX", dns: good.with("MX example.org", "."), failed: "mx", reason: "null"},
		{name: "an MX without an address", dns: good.with("MX example.org", "none.example."), failed: "mx", reason: "no address"},
		{name: "MX that can't be asked", dns: good.with("MX example.org", "!"), failed: "mx", temp: true},
		{name: "a relay that nobody trusts", dns: good, relay: distrusted, failed: "relay", reason: "tls"},
		{name: "a relay that is away", dns: good, relay: away, failed: "relay", reason: "connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			way := mail.Way{Relay: tt.relay, Addresses: tt.from}
			if way.Relay == nil {
				way.Relay = relay
			}
			if way.Addresses == nil {
				way.Addresses = ours
			}
			r := mail.Selftest(t.Context(), tt.dns, instance(t), way)
			var failed []string
			for _, f := range r {
				if f.OK {
					continue
				}
				failed = append(failed, f.Test)
				if !strings.Contains(f.Reason, tt.reason) || f.Want == "" || f.Temporary != tt.temp {
					t.Errorf("%+v, want the reason %q, temporary %t", f, tt.reason, tt.temp)
				}
			}
			if strings.Join(failed, " ") != tt.failed {
				t.Errorf("failed: %q, want %q", failed, tt.failed)
			}
			if err := r.Err(); (err == nil) != (tt.failed == "") || err != nil && !errors.Is(err, mail.ErrSelftest) {
				t.Errorf("Err = %v", err)
			}
		})
	}
	if n := len(b.all()); n != 0 {
		t.Errorf("a self-test sent %d mails", n)
	}
}
