package lab

import (
	"crypto/sha1"
	"encoding/base32"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Where the lab's registry and its key servers are asked.
const (
	RDAPBootstrap = "https://rdap.example/dns.json" // RFC 9224
	VKS           = "https://vks.example"           // a key server that confirms addresses
	HKP           = "https://hkp.example"           // one that takes what it gets
)

// registered is what the registry and the key servers have of a team.
type registered struct {
	rdap registration
	mail string
	vks  Key
}

// registration is a domain as its registry has it (RFC 9083 section 5.3).
type registration struct {
	Name    string
	Status  []string
	Expires time.Time
}

// publishKeys puts the team's key where people look for it.
func (m *teamMaker) publishKeys(public Key) error {
	inWKD, inDNS := m.inWKD, m.inDNS
	if inWKD == nil {
		inWKD = m.key
	}
	if inDNS == nil {
		inDNS = m.key
	}
	body, err := inWKD.binary()
	if err != nil {
		return err
	}
	m.publishWKD(body)
	if m.zone.Sign != Unsigned && m.text["key"] == "" {
		if m.text["key"], err = m.keyRecord(inDNS); err != nil {
			return err
		}
	}
	m.team.found.mail = m.mail
	if m.team.found.vks.Fingerprint == "" {
		m.team.found.vks = public
	}
	return nil
}

// publishWKD serves a key by the advanced method where the zone is signed, and
// by the direct one elsewhere (draft-koch-openpgp-webkey-service section 3.1).
func (m *teamMaker) publishWKD(body string) {
	key := Page{Type: "application/octet-stream", Body: body}
	path := "/.well-known/openpgpkey/"
	if m.zone.Sign == Unsigned {
		m.site.Pages[path+"hu/"+wkdHash("csirt")] = key
		m.site.Pages[path+"policy"] = Page{}
		return
	}
	path += m.domain + "/"
	m.team.sites = append(m.team.sites, Site{Host: "openpgpkey." + m.domain, Pages: map[string]Page{
		path + "hu/" + wkdHash("csirt"): key, path + "policy": {}}})
}

// wkdHash is the name of a mailbox: SHA-1 in z-base-32.
func wkdHash(local string) string {
	sum := sha1.Sum([]byte(local))
	return base32.NewEncoding("ybndrfg8ejkmcpqxot1uwisza345h769").EncodeToString(sum[:])
}

// keyFaults are what is wrong with keys, by the handles of teams.
func keyFaults() map[string]func(*teamMaker) error {
	return map[string]func(*teamMaker) error{
		"canal": func(m *teamMaker) (err error) {
			m.alsoDoes("Its key ends in twenty days.")
			m.expects("pgpkey", warning, "Nobody can encrypt to it after that.")
			if m.key, err = newPGPKey(m.team.Name, m.mail, m.now.Add(-400*day), m.now.Add(20*day)); err != nil {
				return err
			}
			return m.serveSigned(with(m.file(), "Expires", "Expires: "+m.in(730)))
		},
		"granary": func(m *teamMaker) (err error) {
			m.alsoDoes("Its Web Key Directory gives out another key.")
			m.expects("pgpkey-contact", bad, "Mail programs encrypt to a key that the team has not told the directory of.")
			m.inWKD, err = newPGPKey("Granary, the new one", m.mail, m.now.Add(-20*day), m.now.Add(700*day))
			return err
		},
		"jetty": func(m *teamMaker) error {
			m.alsoDoes("Its Web Key Directory gives out the secret key.")
			m.expects("pgpkey-contact", bad, "Whoever has read it can read the team's mail.")
			secret := *m.key
			secret.leaks = true
			m.inWKD = &secret
			return nil
		},
		"reservoir": func(m *teamMaker) error {
			m.alsoDoes("Its key was revoked, as a key server knows.")
			m.expects("pgpkey", bad, "RFC 9580 section 5.2.1.11: a revoked key is not to be used.")
			// The key server gives out the revocation by address as well: an error, until it is
			// merged into the key that the directory has. From then on the key's own check has it.
			m.noOpinion("pgpkey-contact")
			revoked, err := m.key.revoked(m.now.Add(-5 * day))
			m.team.found.vks = revoked
			return err
		},
		"lagoon": func(m *teamMaker) error {
			m.alsoDoes("Nobody can encrypt to its key.")
			m.expects("pgpkey", bad, "It has no part for encryption.")
			m.noOpinion("openpgpkey")
			m.key.entity.Subkeys = nil
			return nil
		},
		"smithy": func(m *teamMaker) (err error) {
			m.alsoDoes("Its key in the DNS is not the one in its profile.")
			m.expects("pgpkey-contact", bad, "The domain's own DNS gives out another key, with proof.")
			m.inDNS, err = newPGPKey("Smithy, the old one", m.mail, m.now.Add(-900*day), m.now.Add(200*day))
			return err
		},
		"quay": func(m *teamMaker) error {
			m.alsoDoes("Its name in the DNS has keys that are no keys.")
			m.expects("openpgpkey", bad, "RFC 7929 section 2.1: the record holds an OpenPGP key.")
			m.text["key"] = hashed(m.mail, "_openpgpkey") + " OPENPGPKEY bm8ga2V5IGF0IGFsbA==\n"
			return nil
		},
		"rookery": func(m *teamMaker) error {
			m.expects("pgpkey", bad, "The key expired a month ago.")
			m.noOpinion("openpgpkey")
			return nil
		},
		"dairy": func(m *teamMaker) error { m.zone.Sign = SignOptOut; return nil },
	}
}

// serviceSites are the registry and the key servers.
func serviceSites(teams []Team) []Site {
	return []Site{
		{Host: "rdap.example", Pages: rdapPages(teams)},
		{Host: "vks.example", Pages: anywhere(Page{Do: vksServer(teams)})},
		{Host: "hkp.example", Pages: anywhere(Page{Do: hkpServer(teams)})},
	}
}

// rdapPages are the bootstrap file and a page for each domain.
func rdapPages(teams []Team) map[string]Page {
	page := func(v any) Page {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // of maps and strings
		}
		return Page{Type: "application/rdap+json", Body: string(b)}
	}
	pages := map[string]Page{"/dns.json": page(map[string]any{"version": "1.0", "publication": "2026-11-01T00:00:00Z",
		"services": [][][]string{{{"example"}, {"https://rdap.example/"}}}})}
	for _, t := range teams {
		r := t.found.rdap
		pages["/domain/"+t.Domain] = page(map[string]any{
			"objectClassName": "domain", "ldhName": r.Name, "status": r.Status, "rdapConformance": []string{"rdap_level_0"},
			"events": []map[string]string{
				{"eventAction": "registration", "eventDate": "2015-01-01T00:00:00Z"},
				{"eventAction": "expiration", "eventDate": r.Expires.Format(time.RFC3339)},
			},
		})
	}
	return pages
}

// vksServer answers by fingerprint and by address.
func vksServer(teams []Team) http.HandlerFunc {
	keys := map[string]string{}
	for _, t := range teams {
		keys["/vks/v1/by-fingerprint/"+t.found.vks.Fingerprint] = t.found.vks.Armor
		keys["/vks/v1/by-email/"+t.found.mail] = t.found.vks.Armor
	}
	return func(w http.ResponseWriter, r *http.Request) { serveKey(w, r, keys[r.URL.Path]) }
}

// hkpServer answers op=get by fingerprint (draft-ietf-openpgp-hkp section 3.1).
func hkpServer(teams []Team) http.HandlerFunc {
	keys := map[string]string{}
	for _, t := range teams {
		keys["0x"+t.found.vks.Fingerprint] = t.found.vks.Armor
	}
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/pks/lookup" || q.Get("op") != "get" {
			http.NotFound(w, r)
			return
		}
		serveKey(w, r, keys["0x"+strings.ToUpper(strings.TrimPrefix(q.Get("search"), "0x"))])
	}
}

func serveKey(w http.ResponseWriter, r *http.Request, key string) {
	if key == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/pgp-keys")
	_, _ = w.Write([]byte(key))
}
