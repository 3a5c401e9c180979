package mail_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
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
	lists := good.with("A 2.0.0.127.bl.example", "127.0.0.2")
	big, ed := instance(t).Records()[0], instance(t).Records()[1]
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ours := []netip.Addr{netip.MustParseAddr("192.0.2.25"), netip.MustParseAddr("2001:db8::25")}
	tests := []struct {
		name   string
		dns    names
		relay  *mail.Submitter
		from   []netip.Addr
		lists  []directory.Domain
		keys   []int  // which of the identity's keys sign, -1 is a short one; nil is all
		failed string // the tests that fail
		advice string // the tests that pass, and could be better
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
		{name: "no DKIM", dns: good.with("TXT " + big.Name), failed: "dkim", reason: "nothing is published"},
		{name: "another key", dns: good.with("TXT "+big.Name, ed.Value), failed: "dkim", reason: "another"},
		{name: "a key that is revoked", dns: good.with("TXT "+ed.Name, "v=DKIM1; k=ed25519; p="), failed: "dkim", reason: "another"},
		{name: "a key of the wrong type", dns: good.with("TXT "+ed.Name, strings.Replace(ed.Value, "k=ed25519; ", "", 1)), failed: "dkim", reason: "type rsa"},
		{name: "testing", dns: good.with("TXT "+ed.Name, ed.Value+"; t=y:s"), failed: "dkim", reason: "testing"},
		{name: "only SHA-1", dns: good.with("TXT "+big.Name, big.Value+"; h=sha1"), failed: "dkim", reason: "sha256"},
		{name: "two records", dns: good.with("TXT "+big.Name, big.Value, big.Value), failed: "dkim", reason: "several"},
		{name: "the key in other words", dns: good.with("TXT "+big.Name, strings.Replace(strings.Replace(big.Value, "v=DKIM1; k=rsa; ", "", 1), "MIIB", "M IIB", 1))},
		{name: "DKIM that can't be asked", dns: good.with("TXT "+big.Name, "!"), failed: "dkim", temp: true},
		{name: "no DMARC", dns: good.with("TXT _dmarc.example.org"), failed: "dmarc", reason: "no policy"},
		{name: "DMARC of the parent", dns: good.with("TXT _dmarc.example.org").with("TXT _dmarc.org", "v=DMARC1; p=none; sp=reject")},
		{name: "DMARC of the parent that only looks", dns: good.with("TXT _dmarc.example.org").with("TXT _dmarc.org", "v=DMARC1; p=reject; sp=none; psd=y"), failed: "dmarc", reason: "forge"},
		{name: "DMARC that tests", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=quarantine; t=y"), failed: "dmarc", reason: "forge"},
		{name: "DMARC that tests, and was stricter", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=reject; t=y"), advice: "dmarc"},
		{name: "DMARC that is nearly strict", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=quarantine"), advice: "dmarc"},
		{name: "no reports of TLS", dns: good.with("TXT _smtp._tls.example.org"), advice: "tlsrpt"},
		{name: "reports of TLS in another version", dns: good.with("TXT _smtp._tls.example.org", "v=TLSRPTv2; rua=mailto:tls@example.org"), advice: "tlsrpt"},
		{name: "no MTA-STS", dns: good.with("TXT _mta-sts.example.org"), advice: "mtasts"},
		{name: "MTA-STS that can't be asked", dns: good.with("TXT _mta-sts.example.org", "!"), failed: "mtasts", temp: true},
		{name: "only RSA", dns: good, keys: []int{0}, advice: "dkim"},
		{name: "only Ed25519", dns: good, keys: []int{1}, failed: "dkim", reason: "most receivers"},
		{name: "a short key", dns: good, keys: []int{-1, 1}, failed: "dkim", reason: "1024 bits"},
		{name: "DMARC that only looks", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=none"), failed: "dmarc", reason: "forge"},
		{name: "two DMARC records", dns: good.with("TXT _dmarc.example.org", "v=DMARC1; p=reject", "v=DMARC1; p=reject"), failed: "dmarc"},
		{name: "DMARC that can't be asked", dns: good.with("TXT _dmarc.example.org", "!"), failed: "dmarc", temp: true},
		{name: "no MX", dns: good.with("MX example.org"), failed: "mx", reason: "nowhere"},
		{name: "the null MX", dns: good.with("MX example.org", "."), failed: "mx", reason: "null"},
		{name: "an MX without an address", dns: good.with("MX example.org", "none.example."), failed: "mx", reason: "no address"},
		{name: "MX that can't be asked", dns: good.with("MX example.org", "!"), failed: "mx", temp: true},
		{name: "on no list", dns: lists, lists: []directory.Domain{"bl.example"}},
		{name: "on a list", dns: lists.with("A 25.2.0.192.bl.example", "127.0.0.3"), lists: []directory.Domain{"bl.example"}, failed: "blocklist", reason: "192.0.2.25 is on bl.example"},
		{name: "on a list by IPv6", dns: lists.with("A 5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example", "127.0.0.2"), lists: []directory.Domain{"bl.example"}, failed: "blocklist", reason: "2001:db8::25 is on"},
		{name: "a list that was given up", dns: good, lists: []directory.Domain{"bl.example"}, advice: "blocklist"},
		{name: "a list that has everybody", dns: lists.with("A 1.0.0.127.bl.example", "127.0.0.2"), lists: []directory.Domain{"bl.example"}, advice: "blocklist"},
		{name: "a list that does not answer us", dns: lists.with("A 25.2.0.192.bl.example", "127.255.255.254"), lists: []directory.Domain{"bl.example"}, advice: "blocklist"},
		{name: "a list that became somebody's site", dns: lists.with("A 2.0.0.127.bl.example", "192.0.2.80"), lists: []directory.Domain{"bl.example"}, advice: "blocklist"},
		{name: "a list that can't be asked", dns: lists.with("A 25.2.0.192.bl.example", "!"), lists: []directory.Domain{"bl.example"}, advice: "blocklist"},
		{name: "a relay that nobody trusts", dns: good, relay: distrusted, failed: "relay", reason: "tls"},
		{name: "a relay that is away", dns: good, relay: away, failed: "relay", reason: "connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			way := mail.Way{Relay: tt.relay, Addresses: tt.from, Blocklists: tt.lists}
			if way.Relay == nil {
				way.Relay = relay
			}
			if way.Addresses == nil {
				way.Addresses = ours
			}
			id := *instance(t)
			if tt.keys != nil {
				all := append(slices.Clone(id.DKIM), mail.DKIMKey{Selector: "short", Signer: short})
				id.DKIM = nil
				for _, i := range tt.keys {
					id.DKIM = append(id.DKIM, all[(i+len(all))%len(all)])
				}
			}
			r := mail.Selftest(t.Context(), tt.dns, &id, way)
			var failed, advice []string
			for _, f := range r {
				if f.OK {
					if f.Want != "" {
						advice = append(advice, f.Test)
					}
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
			if strings.Join(advice, " ") != tt.advice {
				t.Errorf("could be better: %q, want %q", advice, tt.advice)
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
