package pgpkey_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// keyScenes are of one key each, with key servers of its own.
func keyScenes(k *kit) []scene {
	var all []scene
	add := func(point int, name string, build func(d string, e *openpgp.Entity, s *scene)) {
		s := scene{point: point, name: name, domain: fmt.Sprintf("k%02d.example", len(all))}
		e := k.key("one", s.domain)
		s.key, s.claims = directory.Fingerprint(print(e)), k.team(s.domain, e)
		s.cfg = pgpkey.Config{VKS: []string{"https://vks." + s.domain}, HKP: []string{"https://hkp." + s.domain}}
		build(s.domain, e, &s)
		all = append(all, s)
	}
	// serve has both servers give out a key in the form it has by then; nil: none.
	serve := func(s *scene, vks, hkp []byte) {
		for host, data := range map[string][]byte{"vks.": vks, "hkp.": hkp} {
			keys := map[string][]byte{}
			if data != nil {
				keys[string(s.key)] = data
			}
			s.sites = append(s.sites, keyServers(host+s.domain, keys))
		}
	}
	revoked := func(e *openpgp.Entity) *openpgp.Entity {
		must(k, e.Revoke(packet.KeyCompromised, "laptop stolen", at(made.Add(time.Hour))))
		return e
	}
	down := func(s *scene) {
		for _, host := range []string{"vks.", "hkp."} {
			s.sites = append(s.sites, lab.Site{Host: host + s.domain, NoIPv6: true, Refuse: true})
		}
	}
	add(16, "the servers have what the profile has", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, public(k, e), armored(k, public(k, e)))
	})
	follows := func(s *scene, continuity string, days int) time.Time {
		since := today.AddDate(0, 0, -days)
		s.claims.Keys[0].Continuity, s.claims.Keys[0].Since = continuity, since
		return since.Add(directory.KeyWait)
	}
	add(14, "a key that nothing speaks for, and that waits", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, nil, nil)
		s.until, s.codes = follows(s, directory.ContinuityUnproven, 1), "successor-unproven"
	})
	add(14, "one that has waited", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, nil, nil)
		follows(s, directory.ContinuityUnproven, 31)
		s.codes = "successor-unproven"
	})
	add(14, "one that was refused", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, nil, nil)
		follows(s, directory.ContinuityRefused, 31)
		s.codes = "successor-refused"
	})
	add(16, "the servers have nothing", func(_ string, _ *openpgp.Entity, s *scene) { serve(s, nil, nil) })
	add(16, "a revocation on a verifying server", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, public(k, revoked(e)), nil)
		s.codes = "revoked-elsewhere"
	})
	add(16, "a revocation on any server proves itself", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, nil, public(k, revoked(e)))
		s.codes = "revoked-elsewhere"
	})
	add(16, "a revocation in a copy without user IDs", func(_ string, e *openpgp.Entity, s *scene) {
		p := split(k, public(k, revoked(e)))
		serve(s, armored(k, join(k, p[:2]...)), nil)
		s.codes = "revoked-elsewhere"
	})
	add(16, "a forged revocation", func(_ string, e *openpgp.Entity, s *scene) {
		p := split(k, public(k, revoked(e)))
		p[1].Contents[len(p[1].Contents)-1] ^= 1
		serve(s, join(k, p...), nil)
	})
	add(16, "the profile knows of the revocation", func(d string, e *openpgp.Entity, s *scene) {
		serve(s, public(k, revoked(e)), nil)
		s.claims, s.codes = k.team(d, e), "revoked"
	})
	add(16, "a revocation of the encryption subkey", func(_ string, e *openpgp.Entity, s *scene) {
		must(k, e.Subkeys[0].Revoke(packet.KeyRetired, "", at(made.Add(time.Hour))))
		serve(s, public(k, e), nil)
		s.codes = "profile-stale"
	})
	add(16, "the servers are down", func(_ string, _ *openpgp.Entity, s *scene) { down(s) })
	add(16, "they are down, and had a revocation", func(_ string, _ *openpgp.Entity, s *scene) {
		down(s)
		where := pgpkey.VKSByFingerprint(s.cfg.VKS[0], s.key)
		s.before = []verify.Fact{{Name: "revocation", Value: where + " on 2024-01-01: key compromised"}}
		s.codes = "revoked-elsewhere"
	})
	add(16, "no server is configured", func(_ string, _ *openpgp.Entity, s *scene) { s.cfg = pgpkey.Config{} })
	add(15, "a longer life on the server", func(d string, e *openpgp.Entity, s *scene) {
		serve(s, nil, public(k, e))
		self(k, e, func(g *packet.Signature) { g.KeyLifetimeSecs = seconds(8 * 365 * 24 * time.Hour) })
		s.claims, s.codes = k.team(d, e), "profile-stale"
	})
	add(3, "the profile's key under its own fingerprint", func(string, *openpgp.Entity, *scene) {})
	add(3, "another key under the fingerprint", func(d string, _ *openpgp.Entity, s *scene) {
		s.claims.Keys[0].Armor = k.team(d, k.key("other", d)).Keys[0].Armor
		s.cfg, s.codes = pgpkey.Config{}, "fingerprint-mismatch"
	})
	add(3, "a server gives out another key", func(d string, _ *openpgp.Entity, s *scene) {
		serve(s, nil, public(k, revoked(k.key("other", d))))
		s.codes = "keyserver-wrong-key"
	})
	add(3, "a fingerprint that nobody can be asked about now", func(_ string, _ *openpgp.Entity, s *scene) {
		down(s)
		s.claims, s.trouble = verify.Claims{}, verify.FetchRefused
	})
	add(3, "a key ID", func(_ string, _ *openpgp.Entity, s *scene) {
		s.claims, s.key, s.codes = verify.Claims{}, s.key[24:], "fingerprint-is-key-id"
	})
	add(5, "no address of the team's contacts", func(_ string, _ *openpgp.Entity, s *scene) {
		s.claims.Contacts[0].Value, s.codes = "psirt@example.org", "no-contact-address"
	})
	add(5, "in another case", func(d string, _ *openpgp.Entity, s *scene) {
		s.claims.Contacts[0].Value, s.codes = "CSIRT@"+d, "address-case"
	})
	add(5, "one of two contacts", func(_ string, _ *openpgp.Entity, s *scene) {
		s.claims.Contacts = append([]verify.ClaimedContact{{Channel: "phone", Value: "+4312345"}, {Channel: "email", Value: "psirt@example.org"}}, s.claims.Contacts...)
	})
	add(1, "a stored key that is no key any more", func(_ string, _ *openpgp.Entity, s *scene) {
		s.claims.Keys[0].Armor, s.cfg, s.codes = "-", pgpkey.Config{}, "not-openpgp"
	})
	add(16, "by hand, from a server", func(_ string, e *openpgp.Entity, s *scene) {
		serve(s, public(k, revoked(e)), nil)
		s.claims, s.codes = verify.Claims{}, "revoked"
	})
	add(16, "by hand, and no server has it", func(_ string, _ *openpgp.Entity, s *scene) {
		serve(s, nil, nil)
		s.claims, s.codes = verify.Claims{}, "no-key"
	})
	add(16, "by hand, and the servers are down", func(_ string, _ *openpgp.Entity, s *scene) {
		down(s)
		s.claims, s.trouble = verify.Claims{}, verify.FetchRefused
	})
	add(16, "by hand, without servers", func(_ string, _ *openpgp.Entity, s *scene) {
		s.claims, s.cfg, s.trouble = verify.Claims{}, pgpkey.Config{}, pgpkey.CodeNoKeyServer
	})
	return all
}

func TestKey(t *testing.T) {
	k := &kit{TB: t, named: map[string]string{}}
	scenes := keyScenes(k)
	n := world(t, scenes)
	for _, s := range scenes {
		t.Run(fmt.Sprintf("%d/%s", s.point, s.name), func(t *testing.T) { k.play(t, n, s) })
	}
}
