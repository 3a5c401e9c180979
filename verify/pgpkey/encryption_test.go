package pgpkey_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// textScenes are of one security.txt each. The team's mail may be elsewhere.
func textScenes(k *kit) []scene {
	var all []scene
	add := func(name string, build func(d string, s *scene)) {
		s := scene{name: name, domain: fmt.Sprintf("t%02d.example", len(all)), text: true}
		build(s.domain, &s)
		all = append(all, s)
	}
	keyAt := func(d string, p lab.Page) []lab.Site {
		site := text(d, "Encryption: https://"+d+"/key.asc")
		site.Pages["/key.asc"] = p
		return []lab.Site{site}
	}
	named := func(d, print string) lab.Site { return text(d, "Encryption: openpgp4fpr:"+print) }

	add("a good key", func(d string, s *scene) {
		s.sites = keyAt(d, page(armored(k, public(k, k.key("one", d)))))
	})
	add("an expired key", func(d string, s *scene) {
		s.sites, s.codes = keyAt(d, page(public(k, k.key("one", d, lasting(24*time.Hour))))), "expired"
	})
	add("a revoked key", func(d string, s *scene) {
		key := k.key("one", d)
		must(k, key.Revoke(packet.KeyCompromised, "", at(made.Add(time.Hour))))
		s.sites, s.codes = keyAt(d, page(public(k, key))), "revoked"
	})
	add("garbage", func(d string, s *scene) {
		s.sites, s.codes = keyAt(d, page([]byte("this is no key\n"))), "not-openpgp"
	})
	add("a private key", func(d string, s *scene) {
		s.sites, s.codes = keyAt(d, page(private(k, k.key("one", d)))), "private"
	})
	add("nothing", func(d string, s *scene) { s.sites, s.codes = keyAt(d, status(404)), "encryption-unreachable" })
	add("what is forbidden", func(d string, s *scene) { s.sites, s.codes = keyAt(d, status(403)), "encryption-unreachable" })
	add("a server in trouble is waited for", func(d string, s *scene) { s.sites, s.trouble = keyAt(d, status(503)), verify.FetchServerError })
	add("so is the host of the file", func(d string, s *scene) {
		s.sites, s.trouble = []lab.Site{{Host: d, NoIPv6: true, Refuse: true}}, verify.FetchRefused
	})
	add("no security.txt is another check's matter", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: d, NoIPv6: true, Pages: map[string]lab.Page{"/": status(200)}}}
	})
	add("a record", func(d string, s *scene) {
		name := pgpkey.OPENPGPKEYName(directory.Email("csirt@" + d))
		s.sites = []lab.Site{text(d, "Encryption: dns:"+name+"?type=OPENPGPKEY")}
		s.zone, s.codes = record(d, lab.SignNSEC, public(k, k.key("one", d, lasting(24*time.Hour)))), "expired"
	})
	add("a record that is not there", func(d string, s *scene) {
		name := pgpkey.OPENPGPKEYName(directory.Email("csirt@" + d))
		s.sites, s.codes = []lab.Site{text(d, "Encryption: dns:"+name+"?type=OPENPGPKEY")}, "encryption-unreachable"
	})
	add("a fingerprint whose key is in the directory of the contact's address", func(d string, s *scene) {
		key := k.key("one", d, lasting(24*time.Hour))
		s.sites, s.codes = []lab.Site{named(d, print(key)), advanced(d, public(k, key))}, "expired"
	})
	add("a fingerprint whose key is at the other place that is named", func(d string, s *scene) {
		key := k.key("one", d)
		site := text(d, "Encryption: openpgp4fpr:"+print(key), "Encryption: https://"+d+"/key.asc")
		site.Pages["/key.asc"] = page(public(k, key))
		s.sites = []lab.Site{site}
	})
	add("the directory has another key", func(d string, s *scene) {
		s.sites, s.codes = []lab.Site{named(d, print(k.key("one", d))), advanced(d, public(k, k.key("other", d, lasting(24*time.Hour))))}, "encryption-not-found"
	})
	add("not the profile's", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims, s.codes = []lab.Site{named(d, print(key))}, k.team(d, key), "encryption-not-found"
	})
	for _, server := range []string{"vks", "hkp"} {
		add("a fingerprint whose key "+server+" has", func(d string, s *scene) {
			key := k.key("one", d, lasting(24*time.Hour))
			host := server + "." + d
			s.sites, s.codes = []lab.Site{named(d, print(key)), keyServers(host, map[string][]byte{print(key): public(k, key)})}, "expired"
			s.cfg = pgpkey.Config{VKS: []string{"https://" + host}}
			if server == "hkp" {
				s.cfg = pgpkey.Config{HKP: []string{"https://" + host}}
			}
		})
	}
	add("a key server that is out of reach", func(d string, s *scene) {
		s.sites = []lab.Site{named(d, print(k.key("one", d))), {Host: "vks." + d, NoIPv6: true, Refuse: true}}
		s.cfg = pgpkey.Config{VKS: []string{"https://vks." + d}}
	})
	return all
}

func TestEncryption(t *testing.T) {
	k := &kit{TB: t, named: map[string]string{}}
	scenes := textScenes(k)
	n := world(t, scenes)
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) { k.play(t, n, s) })
	}
}

// TestEncryptionApplies: to the hosts that should have a security.txt.
func TestEncryptionApplies(t *testing.T) {
	checks := pgpkey.Checks(pgpkey.Config{})
	check := checks[slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == "pgpkey-securitytxt" })]
	domain := func(d directory.Domain, claim directory.Word) directory.Resource {
		return directory.Resource{Type: "domain", Domain: d, Claim: claim}
	}
	var got []string
	for _, s := range check.Applies(&directory.Team{Profile: directory.Profile{Website: "https://www.example.org/team", Resources: []directory.Resource{
		domain("example.org", ""), domain("example.com", "disputed"), domain("example.org", ""), domain("org", ""), {Type: "asn", ASN: 64496}}}}) {
		got = append(got, s.String())
	}
	if d := cmp.Diff(got, []string{"domain:example.org", "domain:www.example.org"}); d != "" {
		t.Errorf("Applies (-got +want):\n%s", d)
	}
}
