package pgpkey_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// status is a page with a status and nothing else of interest.
func status(n int) lab.Page { return lab.Page{Status: n, Body: "sorry\n"} }

// contactScenes are of one address each, at a domain of its own.
func contactScenes(k *kit) []scene {
	var all []scene
	add := func(point int, name string, build func(d string, s *scene)) {
		s := scene{point: point, name: name, domain: fmt.Sprintf("c%02d.example", len(all))}
		build(s.domain, &s)
		all = append(all, s)
	}
	signed := func(d string) lab.Zone { return lab.Zone{Origin: d + ".", Sign: lab.SignNSEC} }
	expired := lasting(365 * 24 * time.Hour)

	add(15, "all channels have the profile's key", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites = []lab.Site{advanced(d, public(k, key)), text(d, "Encryption: https://"+d+"/key.asc")}
		s.sites[1].Pages["/key.asc"] = page(armored(k, public(k, key)))
		s.zone, s.claims = record(d, lab.SignNSEC, public(k, key)), k.team(d, key)
		s.keys = "one wkd,openpgpkey,securitytxt,profile"
	})
	add(15, "whether other key servers have it is shown, and changes nothing", func(d string, s *scene) {
		key, other := k.key("one", d), k.key("other", d)
		s.sites = []lab.Site{advanced(d, public(k, key)), keyServers("hkp."+d, map[string][]byte{print(key): public(k, key), print(other): public(k, other)})}
		s.cfg = pgpkey.Config{HKP: []string{"https://hkp." + d}}
		s.claims, s.keys = k.team(d, key), "one wkd,hkp,profile"
	})
	add(15, "the direct method, where the DNS has no host for the advanced", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims = []lab.Site{direct(d, public(k, key))}, k.team(d, key)
		s.keys = "one wkd,profile"
	})
	add(15, "no fallback from a host that is there and has no key", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites = []lab.Site{direct(d, public(k, key)), {Host: "openpgpkey." + d, NoIPv6: true, Pages: map[string]lab.Page{"/": status(200)}}}
		s.claims, s.codes = k.team(d, key), "not-in-wkd"
	})
	add(15, "a host of IPv6 alone is there as well", func(d string, s *scene) {
		key := k.key("one", d)
		host := advanced(d, public(k, key))
		host.NoIPv6, host.NoIPv4 = false, true
		s.sites, s.claims = []lab.Site{direct(d, []byte("not this one")), host}, k.team(d, key)
		s.keys = "one wkd,profile"
	})
	add(15, "a bad certificate at the advanced host is no reason to go on", func(d string, s *scene) {
		key := k.key("one", d)
		host := advanced(d, public(k, key))
		host.Cert = lab.CertExpired
		s.sites, s.claims, s.codes = []lab.Site{direct(d, public(k, key)), host}, k.team(d, key), "wkd-unreachable"
	})
	add(15, "the advanced host is down", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites = []lab.Site{direct(d, public(k, key)), {Host: "openpgpkey." + d, NoIPv6: true, Refuse: true}}
		s.claims, s.trouble = k.team(d, key), verify.FetchRefused
	})
	add(15, "the advanced host has an error of its own", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: "openpgpkey." + d, NoIPv6: true, Pages: map[string]lab.Page{"*": status(503)}}}
		s.trouble = verify.FetchServerError
	})
	add(15, "the advanced host forbids it", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: "openpgpkey." + d, NoIPv6: true, Pages: map[string]lab.Page{"*": status(403)}}}
		s.codes = "wkd-unreachable"
	})
	add(15, "a wildcard leads the advanced method to a page for people", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: "openpgpkey." + d, NoIPv6: true, Pages: map[string]lab.Page{"*": {Type: "text/html", Body: "<!doctype html><html>Welcome</html>"}}}}
		s.codes = "html-page"
	})
	add(15, "a site that answers everything with a page has no key", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: d, NoIPv6: true, Pages: map[string]lab.Page{"*": {Type: "text/html", Body: "<!doctype html><html>Welcome</html>"}}}}
		s.codes = "no-key"
	})
	add(15, "a site with a bad certificate was never a key directory", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: d, NoIPv6: true, Cert: lab.CertSelfSigned, Pages: map[string]lab.Page{"*": status(200)}}}
		s.codes = "no-key"
	})
	add(15, "unless it was one before", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites = []lab.Site{{Host: d, NoIPv6: true, Cert: lab.CertSelfSigned, Pages: map[string]lab.Page{"*": status(200)}}}
		s.before = []verify.Fact{{Name: "channel.wkd", Value: "https://" + d + "/x found " + print(key)}}
		s.claims, s.codes = k.team(d, key), "wkd-unreachable"
	})
	add(15, "a domain whose web server is down may have no directory", func(d string, s *scene) {
		s.sites, s.codes = []lab.Site{{Host: d, NoIPv6: true, Refuse: true}}, "no-key"
	})
	add(15, "but one whose directory was there is waited for", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims = []lab.Site{{Host: d, NoIPv6: true, Refuse: true}}, k.team(d, key)
		s.before = []verify.Fact{{Name: "channel.wkd", Value: "https://" + d + "/x found " + print(key)}}
		s.trouble = verify.FetchRefused
	})
	add(15, "nothing of the domain answers", func(d string, s *scene) {
		s.zone, s.trouble = lab.Zone{Origin: d + ".", Servers: []string{"broken.hoster.example."}}, verify.DNSServFail
	})
	add(15, "a truncated key in the direct directory was meant to be one", func(d string, s *scene) {
		s.sites, s.codes = []lab.Site{direct(d, public(k, k.key("one", d))[:100])}, "truncated"
	})
	add(15, "armoured", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims = []lab.Site{advanced(d, armored(k, public(k, key)))}, k.team(d, key)
		s.codes, s.keys = "wkd-armored", "one wkd,profile"
	})
	add(15, "a private key", func(d string, s *scene) {
		s.sites, s.codes = []lab.Site{advanced(d, private(k, k.key("one", d)))}, "private"
	})
	add(15, "no policy file", func(d string, s *scene) {
		key := k.key("one", d)
		site := advanced(d, public(k, key))
		delete(site.Pages, "/.well-known/openpgpkey/"+d+"/policy")
		s.sites, s.claims = []lab.Site{site}, k.team(d, key)
		s.codes, s.keys = "wkd-policy-missing", "one wkd,profile"
	})
	add(15, "a key without the address", func(d string, s *scene) {
		other := newEntity(k, "psirt@"+d, lasting(tenYears))
		s.sites, s.codes = []lab.Site{advanced(d, public(k, other))}, "wrong-user-id"
	})
	add(15, "two keys, of which one has the address", func(d string, s *scene) {
		key, other := k.key("one", d), newEntity(k, "psirt@"+d, lasting(tenYears))
		s.sites, s.claims = []lab.Site{advanced(d, append(public(k, other), public(k, key)...))}, k.team(d, key)
		s.keys = "one wkd,profile"
	})
	add(15, "the directory gives out another key", func(d string, s *scene) {
		s.sites, s.claims = []lab.Site{advanced(d, public(k, k.key("other", d)))}, k.team(d, k.key("one", d))
		s.codes, s.keys = "channel-mismatch", "other wkd"
	})
	add(15, "it gives out the old key beside the new", func(d string, s *scene) {
		key, old := k.key("one", d), k.key("old", d)
		must(k, old.Revoke(packet.KeySuperseded, "", at(made.Add(time.Hour))))
		s.sites, s.claims = []lab.Site{advanced(d, append(public(k, old), public(k, key)...))}, k.team(d, key)
		s.keys = "old wkd; one wkd,profile"
	})
	add(15, "it gives out a revoked key alone", func(d string, s *scene) {
		key, old := k.key("one", d), k.key("old", d)
		must(k, old.Revoke(packet.KeySuperseded, "", at(made.Add(time.Hour))))
		s.sites, s.claims = []lab.Site{advanced(d, public(k, old))}, k.team(d, key, old)
		s.codes, s.keys = "channel-stale", "old wkd,profile"
	})
	add(15, "an expired copy of the profile's key", func(d string, s *scene) {
		key := k.key("one", d)
		short := public(k, key)
		self(k, key, func(s *packet.Signature) { s.KeyLifetimeSecs = seconds(365 * 24 * time.Hour) })
		s.sites = []lab.Site{advanced(d, public(k, key))}
		s.claims, s.codes, s.keys = verify.Claims{Team: "t", Keys: []verify.ClaimedKey{{Fingerprint: print(key), Armor: string(armored(k, short))}}}, "channel-stale", "one wkd,profile"
	})
	add(15, "the profile has the expired copy", func(d string, s *scene) {
		key := k.key("one", d)
		fresh := public(k, key)
		self(k, key, func(s *packet.Signature) { s.KeyLifetimeSecs = seconds(365 * 24 * time.Hour) })
		s.sites, s.claims = []lab.Site{advanced(d, fresh)}, k.team(d, key)
		s.codes, s.keys = "profile-stale", "one wkd,profile"
	})
	add(15, "the copy lasts longer than the profile's", func(d string, s *scene) {
		key := k.key("one", d)
		longer := public(k, key)
		self(k, key, func(s *packet.Signature) { s.KeyLifetimeSecs = seconds(8 * 365 * 24 * time.Hour) })
		s.sites, s.claims = []lab.Site{advanced(d, longer)}, k.team(d, key)
		s.codes, s.keys = "profile-stale", "one wkd,profile"
	})
	add(15, "the copy does not last as long", func(d string, s *scene) {
		key := k.key("one", d)
		s.claims = k.team(d, key)
		self(k, key, func(s *packet.Signature) { s.KeyLifetimeSecs = seconds(8 * 365 * 24 * time.Hour) })
		s.sites, s.codes, s.keys = []lab.Site{advanced(d, public(k, key))}, "channel-stale", "one wkd,profile"
	})
	add(16, "the directory gives out the key with a revocation", func(d string, s *scene) {
		key := k.key("one", d)
		s.claims = k.team(d, key)
		must(k, key.Revoke(packet.KeyCompromised, "", at(made.Add(time.Hour))))
		s.sites, s.codes, s.keys = []lab.Site{advanced(d, public(k, key))}, "revoked-elsewhere", "one wkd,profile"
	})
	add(15, "published, and not in the profile", func(d string, s *scene) {
		s.sites, s.claims = []lab.Site{advanced(d, public(k, k.key("one", d)))}, k.team(d)
		s.codes, s.keys = "not-in-profile", "one wkd"
	})
	add(15, "in the profile, and not published", func(d string, s *scene) {
		s.zone, s.claims, s.codes = signed(d), k.team(d, k.key("one", d)), "not-in-wkd"
	})
	add(15, "neither", func(d string, s *scene) { s.zone, s.claims, s.codes = signed(d), k.team(d), "no-key" })
	add(15, "a profile whose only key for the address has expired asks for no publication", func(d string, s *scene) {
		s.zone, s.claims = signed(d), k.team(d, k.key("one", d, expired))
	})
	add(15, "an OPENPGPKEY record proven by DNSSEC", func(d string, s *scene) {
		key := k.key("one", d)
		s.zone, s.claims = record(d, lab.SignNSEC, public(k, key)), k.team(d, key)
		s.codes, s.keys = "not-in-wkd", "one openpgpkey,profile"
	})
	add(15, "one that is not", func(d string, s *scene) {
		s.zone, s.claims = record(d, lab.Unsigned, public(k, k.key("other", d))), k.team(d, k.key("one", d))
		s.codes = "not-in-wkd"
	})
	add(15, "one that is signed, below a parent that does not say so", func(d string, s *scene) {
		s.zone, s.claims = record(d, lab.SignIsland, public(k, k.key("other", d))), k.team(d, k.key("one", d))
		s.codes = "not-in-wkd"
	})
	add(15, "one that proves another key", func(d string, s *scene) {
		s.zone, s.claims = record(d, lab.SignNSEC, public(k, k.key("other", d))), k.team(d, k.key("one", d))
		s.codes, s.keys = "channel-mismatch not-in-wkd", "other openpgpkey"
	})
	add(15, "one whose proof fails", func(d string, s *scene) {
		key := k.key("one", d)
		s.zone, s.claims = record(d, lab.SignExpired, public(k, key)), k.team(d, key)
		s.trouble = verify.DNSBogus
	})
	add(15, "one that is no key", func(d string, s *scene) {
		s.zone = record(d, lab.SignNSEC, []byte("key to come")) // verify/dnscheck says so
	})
	add(15, "one with the private key", func(d string, s *scene) {
		s.zone, s.codes = record(d, lab.SignNSEC, private(k, k.key("one", d))), "private"
	})
	add(15, "one of another address", func(d string, s *scene) {
		s.zone, s.codes = record(d, lab.SignNSEC, public(k, newEntity(k, "psirt@"+d))), "wrong-user-id"
	})
	add(15, "two records, of which one is the profile's", func(d string, s *scene) {
		key := k.key("one", d)
		s.zone, s.claims = record(d, lab.SignNSEC3, public(k, k.key("old", d)), public(k, key)), k.team(d, key)
		s.codes, s.keys = "not-in-wkd", "old openpgpkey; one openpgpkey,profile"
	})
	add(3, "security.txt names the profile's fingerprint", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims = []lab.Site{text(d, "Encryption: openpgp4fpr:"+print(key))}, k.team(d, key)
		s.codes, s.keys = "not-in-wkd", "one securitytxt,profile"
	})
	add(3, "security.txt names a key ID", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims = []lab.Site{text(d, "Encryption: openpgp4fpr:"+print(key)[24:])}, k.team(d, key)
		s.codes = "fingerprint-is-key-id not-in-wkd"
	})
	add(3, "security.txt names a fingerprint with a digit missing", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.claims = []lab.Site{text(d, "Encryption: openpgp4fpr:"+print(key)[1:])}, k.team(d, key)
		s.codes = "fingerprint-malformed not-in-wkd"
	})
	add(3, "security.txt names a fingerprint that the profile lacks", func(d string, s *scene) {
		s.sites, s.claims = []lab.Site{text(d, "Encryption: openpgp4fpr:"+print(k.key("other", d)))}, k.team(d, k.key("one", d))
		s.codes, s.keys = "channel-mismatch not-in-wkd", "other securitytxt"
	})
	add(15, "security.txt names a key of another address", func(d string, s *scene) {
		site := text(d, "Encryption: https://"+d+"/psirt.asc")
		site.Pages["/psirt.asc"] = page(public(k, newEntity(k, "psirt@"+d, lasting(tenYears))))
		s.sites, s.codes = []lab.Site{site}, "no-key"
	})
	add(15, "security.txt names a file that is not there", func(d string, s *scene) {
		s.sites, s.codes = []lab.Site{text(d, "Encryption: https://nowhere."+d+"/key.asc")}, "encryption-unreachable"
	})
	add(15, "security.txt names an OPENPGPKEY record", func(d string, s *scene) {
		key := k.key("one", d)
		name := pgpkey.OPENPGPKEYName(email(k, "csirt@"+d))
		s.sites, s.claims = []lab.Site{text(d, "Encryption: dns:"+name+"?type=OPENPGPKEY", "- Encryption: mailto:x@"+d)}, k.team(d, key)
		s.zone = record(d, lab.SignNSEC, public(k, key))
		s.codes, s.keys = "not-in-wkd", "one openpgpkey,profile"
	})
	add(15, "security.txt names the record of another address", func(d string, s *scene) {
		name := pgpkey.OPENPGPKEYName(email(k, "psirt@"+d))
		s.sites, s.zone = []lab.Site{text(d, "Encryption: dns:"+name+"?type=OPENPGPKEY")}, record(d, lab.SignNSEC)
		s.zone.Text = name + " OPENPGPKEY " + encoded(public(k, newEntity(k, "psirt@"+d))) + "\n"
		s.codes = "no-key"
	})
	add(5, "the case of the address differs", func(d string, s *scene) {
		e := newEntity(k, "CSIRT@"+d, lasting(tenYears))
		k.named[print(e)] = "one"
		s.sites, s.codes, s.keys = []lab.Site{advanced(d, public(k, e))}, "address-case", "one wkd"
	})
	add(15, "by hand, a good key", func(d string, s *scene) {
		s.sites, s.keys = []lab.Site{advanced(d, public(k, k.key("one", d)))}, "one wkd"
	})
	add(15, "by hand, an expired key", func(d string, s *scene) {
		s.sites, s.codes, s.keys = []lab.Site{advanced(d, public(k, k.key("one", d, expired)))}, "expired", "one wkd"
	})
	add(15, "by hand, with the known key", func(d string, s *scene) {
		key := k.key("one", d, expired)
		s.sites, s.claims = []lab.Site{advanced(d, public(k, key))}, k.team(d, key)
		s.claims.Team, s.codes, s.keys = "", "expired", "one wkd,profile"
	})
	add(15, "by hand, with another known key", func(d string, s *scene) {
		s.sites, s.claims = []lab.Site{advanced(d, public(k, k.key("other", d)))}, k.team(d, k.key("one", d))
		s.claims.Team, s.codes, s.keys = "", "channel-mismatch", "other wkd"
	})
	add(15, "by hand, with the known key of another address", func(d string, s *scene) {
		s.sites, s.claims = []lab.Site{advanced(d, public(k, k.key("one", d, expired)))}, k.team(d, newEntity(k, "psirt@"+d))
		s.claims.Team, s.codes, s.keys = "", "expired", "one wkd"
	})
	add(15, "by hand, two channels disagree", func(d string, s *scene) {
		s.sites, s.zone = []lab.Site{advanced(d, public(k, k.key("one", d)))}, record(d, lab.SignNSEC, public(k, k.key("two", d)))
		s.codes, s.keys = "channels-disagree", "one wkd; two openpgpkey"
	})
	vks := func(d string) pgpkey.Config { return pgpkey.Config{VKS: []string{"https://vks." + d}} }
	add(15, "a verifying key server has the profile's key", func(d string, s *scene) {
		key := k.key("one", d)
		s.sites, s.cfg, s.claims = []lab.Site{keyServers("vks."+d, map[string][]byte{"csirt@" + d: armored(k, public(k, key))})}, vks(d), k.team(d, key)
		s.codes, s.keys = "not-in-wkd", "one vks,profile"
	})
	add(15, "a verifying key server has another", func(d string, s *scene) {
		s.sites = []lab.Site{keyServers("vks."+d, map[string][]byte{"csirt@" + d: public(k, k.key("other", d))})}
		s.cfg, s.claims = vks(d), k.team(d, k.key("one", d))
		s.codes, s.keys = "channel-mismatch not-in-wkd", "other vks"
	})
	add(15, "a verifying key server has none", func(d string, s *scene) {
		s.sites, s.cfg, s.codes = []lab.Site{keyServers("vks."+d, nil)}, vks(d), "no-key"
	})
	add(15, "a key server that is down says nothing of the team", func(d string, s *scene) {
		s.sites, s.cfg, s.claims = []lab.Site{{Host: "vks." + d, NoIPv6: true, Refuse: true}}, vks(d), k.team(d, k.key("one", d))
		s.codes = "not-in-wkd"
	})
	add(15, "nor does one with a bad certificate", func(d string, s *scene) {
		s.sites, s.cfg, s.claims = []lab.Site{{Host: "vks." + d, NoIPv6: true, Cert: lab.CertExpired}}, vks(d), k.team(d, k.key("one", d))
		s.codes = "not-in-wkd"
	})
	add(15, "an outage does not make a disagreement go away", func(d string, s *scene) {
		s.sites, s.cfg, s.claims = []lab.Site{{Host: "vks." + d, NoIPv6: true, Refuse: true}}, vks(d), k.team(d, k.key("one", d))
		at := pgpkey.VKSByEmail("https://vks."+d, email(k, "csirt@"+d))
		s.before = []verify.Fact{{Name: "channel.vks", Value: at + " found " + print(k.key("other", d))}}
		s.codes, s.keys = "channel-mismatch not-in-wkd", "other vks"
	})
	add(15, "nor does one of the security.txt", func(d string, s *scene) {
		s.sites = []lab.Site{advanced(d, public(k, k.key("one", d))), {Host: d, NoIPv6: true, Refuse: true}}
		s.before = []verify.Fact{
			{Name: "channel.securitytxt", Value: "https://" + d + "/.well-known/security.txt absent"},
			{Name: "channel.securitytxt", Value: "https://" + d + "/key.asc found " + print(k.key("two", d))},
			{Name: "channel.securitytxt", Value: "https://" + d + "/gone.asc broken"},
			{Name: "channel.vks", Value: "https://vks." + d + "/ found " + print(k.key("three", d))},
		}
		s.codes, s.keys = "channels-disagree", "one wkd; two securitytxt"
	})
	add(15, "nor one of a record that the security.txt named", func(d string, s *scene) {
		s.sites = []lab.Site{advanced(d, public(k, k.key("one", d))), {Host: d, NoIPv6: true, Refuse: true}}
		s.before = []verify.Fact{{Name: "channel.openpgpkey", Value: pgpkey.OPENPGPKEYName(email(k, "psirt@"+d)) + " found " + print(k.key("two", d))}}
		s.codes, s.keys = "channels-disagree", "one wkd; two openpgpkey"
	})
	add(15, "a security.txt that is there and names nothing is believed", func(d string, s *scene) {
		s.sites = []lab.Site{advanced(d, public(k, k.key("one", d))), text(d)}
		s.before = []verify.Fact{{Name: "channel.securitytxt", Value: "https://" + d + "/key.asc found " + print(k.key("two", d))}}
		s.keys = "one wkd"
	})
	add(14, "a key that has to be proven, on one channel and where a security.txt that is out of reach had it", func(d string, s *scene) {
		old, next := k.key("old", d), k.key("new", d)
		s.sites, s.claims = []lab.Site{advanced(d, public(k, next)), {Host: d, NoIPv6: true, Refuse: true}}, k.team(d, old, next)
		s.before = []verify.Fact{{Name: "channel.securitytxt", Value: "https://" + d + "/key.asc found " + print(next)}}
		s.claims.Keys[1].Continuity, s.claims.Keys[1].Since = directory.ContinuityUnproven, today.AddDate(0, 0, -1)
		s.keys, s.sighted = "new wkd,securitytxt,profile", "new wkd"
	})
	add(14, "a new key, certified by the old", func(d string, s *scene) {
		old, next := k.key("old", d), k.key("new", d)
		must(k, next.SignIdentity("Example <csirt@"+d+">", old, at(made.Add(time.Hour))))
		s.sites, s.claims = []lab.Site{advanced(d, public(k, next))}, k.team(d, old)
		s.codes, s.keys = "channel-mismatch replacement", "new wkd"
	})
	add(14, "a new key on two channels", func(d string, s *scene) {
		old, next := k.key("old", d), k.key("new", d)
		s.sites, s.zone, s.claims = []lab.Site{advanced(d, public(k, next))}, record(d, lab.SignNSEC, public(k, next)), k.team(d, old)
		s.codes, s.keys = "channel-mismatch channel-mismatch replacement", "new wkd,openpgpkey"
	})
	add(14, "a new key that nothing speaks for", func(d string, s *scene) {
		s.sites, s.claims = []lab.Site{advanced(d, public(k, k.key("new", d)))}, k.team(d, k.key("old", d))
		s.codes, s.keys = "channel-mismatch", "new wkd"
	})
	add(14, "a key that has to be proven, on two channels", func(d string, s *scene) {
		old, next := k.key("old", d), k.key("new", d)
		s.sites, s.zone, s.claims = []lab.Site{advanced(d, public(k, next))}, record(d, lab.SignNSEC, public(k, next)), k.team(d, old, next)
		s.claims.Keys[1].Continuity, s.claims.Keys[1].Since = directory.ContinuityUnproven, today.AddDate(0, 0, -1)
		s.keys, s.sighted = "new wkd,openpgpkey,profile", "new wkd,openpgpkey"
	})
	add(14, "a key that has to be proven, on one channel and one that is out of reach", func(d string, s *scene) {
		old, next := k.key("old", d), k.key("new", d)
		s.sites = []lab.Site{advanced(d, public(k, next)), {Host: "vks." + d, NoIPv6: true, Refuse: true}}
		s.cfg, s.claims = vks(d), k.team(d, old, next)
		s.before = []verify.Fact{{Name: "channel.vks", Value: pgpkey.VKSByEmail("https://vks."+d, email(k, "csirt@"+d)) + " found " + print(next)}}
		s.claims.Keys[1].Continuity, s.claims.Keys[1].Since = directory.ContinuityUnproven, today.AddDate(0, 0, -1)
		s.keys, s.sighted = "new wkd,vks,profile", "new wkd"
	})
	add(14, "a key that has to be proven, whose directory is in trouble", func(d string, s *scene) {
		s.sites = []lab.Site{{Host: "openpgpkey." + d, NoIPv6: true, Pages: map[string]lab.Page{"*": status(503)}}}
		s.claims, s.trouble = k.team(d, k.key("old", d), k.key("new", d)), verify.FetchServerError
		s.claims.Keys[1].Continuity, s.claims.Keys[1].Since = directory.ContinuityUnproven, today.AddDate(0, 0, -1)
	})
	add(14, "a key that was refused is not looked for", func(d string, s *scene) {
		old, next := k.key("old", d), k.key("new", d)
		s.sites, s.claims = []lab.Site{advanced(d, public(k, next))}, k.team(d, old, next)
		s.claims.Keys[1].Continuity = directory.ContinuityRefused
		s.keys = "new wkd,profile"
	})
	return all
}

// TestAnchorsRunOut: trust anchors that hold no more say nothing of a record that is signed.
func TestAnchorsRunOut(t *testing.T) {
	k := &kit{TB: t, named: map[string]string{}}
	const d = "anchors.example"
	key := k.key("one", d)
	scenes := []scene{{domain: d, zone: record(d, lab.SignNSEC, public(k, key)), claims: k.team(d, key), trouble: verify.CodeInternal}}
	n := world(t, scenes)
	for i := range scenes[0].cfg.Anchors {
		scenes[0].cfg.Anchors[i].Until = today
	}
	k.play(t, n, scenes[0])
}

func TestContact(t *testing.T) {
	k := &kit{TB: t, named: map[string]string{}}
	scenes := contactScenes(k)
	n := world(t, scenes)
	for _, s := range scenes {
		t.Run(fmt.Sprintf("%d/%s", s.point, s.name), func(t *testing.T) { k.play(t, n, s) })
	}
}

// forger is a network whose resolver says something else of OPENPGPKEY records
// while nobody asks it for proof.
type forger struct {
	verify.Network
	key []byte
}

func (n forger) Query(ctx context.Context, q verify.Question) (*verify.Answer, error) {
	if q.Type != "OPENPGPKEY" || q.NoCheck {
		return n.Network.Query(ctx, q)
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(q.Name), dns.TypeOPENPGPKEY)
	rr, err := dns.NewRR(dns.Fqdn(q.Name) + " OPENPGPKEY " + encoded(n.key))
	if err != nil {
		return nil, err
	}
	m.Response, m.Answer = true, []dns.RR{rr}
	wire, err := m.Pack()
	return &verify.Answer{Question: q, At: today, Rcode: "NOERROR", Wire: wire}, err
}

// TestForgedRecord: the keys are those of the answer that was proven (RFC 7929
// section 5), not of one before it.
func TestForgedRecord(t *testing.T) {
	k := &kit{TB: t, named: map[string]string{}}
	for i, tt := range []struct {
		name  string
		sign  lab.Signing
		there string // whose key the record has
		keys  string
	}{
		{"beside the record", lab.SignNSEC, "one", "one openpgpkey,profile"},
		{"where there is proven to be none", lab.SignNSEC, "", ""},
		{"in a zone that is not signed", lab.Unsigned, "other", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fmt.Sprintf("f%d.example", i)
			key, other, evil := k.key("one", d), k.key("other", d), k.key("evil", d)
			s := scene{domain: d, zone: record(d, tt.sign), claims: k.team(d, key, evil), codes: "not-in-wkd", keys: tt.keys}
			switch tt.there {
			case "one":
				s.zone = record(d, tt.sign, public(k, key))
			case "other":
				s.zone = record(d, tt.sign, public(k, other))
			}
			s.claims.Keys[1].Continuity, s.claims.Keys[1].Since = directory.ContinuityUnproven, today.AddDate(0, 0, -1)
			scenes := []scene{s}
			n := world(t, scenes)
			k.play(t, forger{n, public(k, evil)}, scenes[0])
		})
	}
}
