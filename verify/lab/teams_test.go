package lab_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// hashOf is the first label of a key's name in the DNS, by the words of RFC 7929 section 3.
func hashOf(local string) string {
	sum := sha256.Sum256([]byte(local))
	return hex.EncodeToString(sum[:28])
}

// TestMailRecords asks for all that a good team has in the DNS.
func TestMailRecords(t *testing.T) {
	l := start(t, lab.Config{})
	for name, want := range map[string]string{
		"anchor.example MX":                                   "10 mail.anchor.example.",
		"mail.anchor.example A":                               "127.80.0.25",
		"anchor.example TXT":                                  `"v=spf1 mx -all"`,
		"_dmarc.anchor.example TXT":                           "v=DMARC1; p=reject",
		"_mta-sts.anchor.example TXT":                         "v=STSv1; id=",
		"_smtp._tls.anchor.example TXT":                       "v=TLSRPTv1; rua=mailto:",
		"_25._tcp.mail.anchor.example TLSA":                   "3 1 1 ",
		"anchor.example CAA":                                  `0 iodef "mailto:csirt@anchor.example"`,
		"_security.anchor.example TXT":                        "security_contact=mailto:csirt@anchor.example",
		hashOf("csirt") + "._smimecert.anchor.example SMIMEA": "3 1 1 ",
		"heron.example MX":                                    "0 .",
		"viaduct.example NS":                                  "ns1.hoster.example.",
		"weir.example NS":                                     "lame.hoster.example.",
		"_any.saltworks.example TXT":                          `"hello"`,
	} {
		host, qtype, _ := strings.Cut(name, " ")
		m, _ := lookup(t, l, host, dns.StringToType[qtype])
		if !strings.Contains(m.String(), want) {
			t.Errorf("%s has no %s:\n%s", name, want, m)
		}
	}
}

// keyIn reads a key and returns its fingerprint.
func keyIn(t testing.TB, text string, armored bool) (fingerprint string, e *openpgp.Entity) {
	t.Helper()
	read := openpgp.ReadKeyRing
	if armored {
		read = openpgp.ReadArmoredKeyRing
	}
	ring, err := read(strings.NewReader(text))
	if err != nil || len(ring) != 1 {
		t.Fatalf("%d keys, %v in %q", len(ring), err, text)
	}
	return strings.ToUpper(hex.EncodeToString(ring[0].PrimaryKey.Fingerprint)), ring[0]
}

// TestKeyChannels finds a team's key on every channel, and where a team is said
// to have another one there, another one.
func TestKeyChannels(t *testing.T) {
	l := start(t, lab.Config{})
	const hu = "hu/" // the hash of "csirt", by another program: gpg-wks-client --print-wkd-hash
	const wkd = "ahrnamnoi5m8jmw373g6cdiau7e3nf9w"
	tests := []struct {
		handle, url string
		armored     bool
		same        bool
	}{
		{"anchor", "https://openpgpkey.anchor.example/.well-known/openpgpkey/anchor.example/" + hu + wkd + "?l=csirt", false, true},
		{"beacon", "https://beacon.example/.well-known/openpgpkey/" + hu + wkd + "?l=csirt", false, true},
		{"granary", "https://openpgpkey.granary.example/.well-known/openpgpkey/granary.example/" + hu + wkd + "?l=csirt", false, false},
		{"anchor", "https://anchor.example/key.asc", true, true},
		{"anchor", lab.VKS + "/vks/v1/by-email/csirt%40anchor.example", true, true},
		{"anchor", lab.VKS + "/vks/v1/by-fingerprint/FPR", true, true},
		{"anchor", lab.HKP + "/pks/lookup?op=get&options=mr&search=0xFPR", true, true},
	}
	for _, tt := range tests {
		team := teamOf(t, l, tt.handle)
		_, body, err := get(t, l, dns.TypeA, strings.Replace(tt.url, "FPR", team.Keys[0].Fingerprint, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := keyIn(t, body, tt.armored); (got == team.Keys[0].Fingerprint) != tt.same {
			t.Errorf("%s: %s, profile has %s", tt.url, got, team.Keys[0].Fingerprint)
		}
	}
	for handle, same := range map[string]bool{"anchor": true, "smithy": false} {
		team := teamOf(t, l, handle)
		m, _ := lookup(t, l, hashOf("csirt")+"._openpgpkey."+team.Domain, dns.TypeOPENPGPKEY)
		raw, err := base64.StdEncoding.DecodeString(m.Answer[0].(*dns.OPENPGPKEY).PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := keyIn(t, string(raw), false); (got == team.Keys[0].Fingerprint) != same {
			t.Errorf("OPENPGPKEY of %s: %s, profile has %s", handle, got, team.Keys[0].Fingerprint)
		}
	}
}

// TestKeyStates reads what is said to be wrong with keys out of them.
func TestKeyStates(t *testing.T) {
	l := start(t, lab.Config{})
	of := func(handle string) *openpgp.Entity {
		_, e := keyIn(t, teamOf(t, l, handle).Keys[0].Armor, true)
		return e
	}
	if _, ok := of("anchor").EncryptionKey(now, nil); !ok {
		t.Error("nobody can encrypt to anchor")
	}
	if _, ok := of("lagoon").EncryptionKey(now, nil); ok {
		t.Error("lagoon's key is for encryption")
	}
	if _, err := of("rookery").VerifyPrimaryKey(now, nil); err == nil {
		t.Error("rookery's key has not expired")
	}
	if _, err := of("canal").VerifyPrimaryKey(now.AddDate(0, 0, 19), nil); err != nil {
		t.Errorf("canal's key: %v", err)
	}
	if _, err := of("canal").VerifyPrimaryKey(now.AddDate(0, 0, 21), nil); err == nil {
		t.Error("canal's key does not expire in twenty days")
	}
	fpr := teamOf(t, l, "reservoir").Keys[0].Fingerprint
	_, body, err := get(t, l, dns.TypeA, lab.VKS+"/vks/v1/by-fingerprint/"+fpr)
	if err != nil {
		t.Fatal(err)
	}
	if got, e := keyIn(t, body, true); got != fpr || !e.Revoked(now) || of("reservoir").Revoked(now) {
		t.Errorf("the key server has no revocation of %s, or the profile has: %s", fpr, body)
	}
	_, body, err = get(t, l, dns.TypeA, "https://openpgpkey.jetty.example/.well-known/openpgpkey/jetty.example/hu/ahrnamnoi5m8jmw373g6cdiau7e3nf9w")
	if _, e := keyIn(t, body, false); err != nil || e.PrivateKey == nil {
		t.Errorf("jetty's secret key is not there: %v", err)
	}
}

// TestRegistry asks the registry as RFC 9224 and RFC 9082 say.
func TestRegistry(t *testing.T) {
	l := start(t, lab.Config{})
	var boot struct{ Services [][][]string }
	_, body, err := get(t, l, dns.TypeA, lab.RDAPBootstrap)
	if err != nil || json.Unmarshal([]byte(body), &boot) != nil || len(boot.Services) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	for handle, want := range map[string]struct {
		status string
		days   int
	}{"anchor": {"active", 300}, "sawmill": {"active", 20}, "tannery": {"client hold", 300}} {
		var domain struct {
			LDHName string
			Status  []string
			Events  []struct {
				EventAction string
				EventDate   time.Time
			}
		}
		_, body, err := get(t, l, dns.TypeA, boot.Services[0][1][0]+"domain/"+handle+".example")
		if err != nil || json.Unmarshal([]byte(body), &domain) != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if domain.Status[0] != want.status || !domain.Events[1].EventDate.Equal(now.AddDate(0, 0, want.days)) {
			t.Errorf("%s: %+v", handle, domain)
		}
	}
}

// TestPolicies fetches MTA-STS policies.
func TestPolicies(t *testing.T) {
	l := start(t, lab.Config{})
	for handle, want := range map[string]string{"anchor": "mx: mail.anchor.example\r\n", "mill": "mx: old-mail.mill.example\r\n", "nursery": ""} {
		_, body, err := get(t, l, dns.TypeA, "https://mta-sts."+handle+".example/.well-known/mta-sts.txt")
		if (err == nil) != (want != "") || !strings.Contains(body, want) {
			t.Errorf("%s: %v, %q", handle, err, body)
		}
	}
}

// TestExpectations proves that each team has an opinion on each kind of
// subject, and that among all of them each verdict of each check occurs.
func TestExpectations(t *testing.T) {
	l := start(t, lab.Config{Bare: false})
	seen := map[string]map[string]int{}
	for _, team := range l.Teams() {
		for _, e := range team.Expect {
			if seen[e.Check] == nil {
				seen[e.Check] = map[string]int{}
			}
			seen[e.Check][e.Verdict]++
			if e.Subject == "" || e.Why == "" {
				t.Errorf("%s: %+v", team.Handle, e)
			}
		}
	}
	for check, verdicts := range seen {
		switch check {
		case "domain", "smimea", "cert": // nothing is made wrong there
			continue
		}
		if verdicts["ok"] == 0 || verdicts["warning"]+verdicts["error"] == 0 {
			t.Errorf("%s: %v", check, verdicts)
		}
	}
}
