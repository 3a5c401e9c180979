package pgpkey_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// scene is one domain of the lab with what it publishes, what a team says of
// itself, and what the check must find. Its codes are without "pgpkey.".
type scene struct {
	point  int
	name   string
	domain string
	sites  []lab.Site
	zone   lab.Zone
	claims verify.Claims
	before []verify.Fact // of the last conclusion
	cfg    pgpkey.Config
	key    directory.Fingerprint // the check is of this key; "": of csirt@domain
	text   bool                  // the check is of what the domain's security.txt names

	codes   string
	keys    string      // the table: fingerprint names by channel
	trouble verify.Code // instead of a conclusion
	sighted string      // keys that have to be proven by channel
	until   time.Time   // zero: whatever
}

// checkOf returns the check that looks at a subject.
func checkOf(c pgpkey.Config, s verify.Subject) verify.Check {
	checks := pgpkey.Checks(c)
	return checks[slices.IndexFunc(checks, func(c verify.Check) bool { return c.Kinds[0] == s.Kind })]
}

// kit makes the parts of scenes. Keys have names, by which the table knows them.
type kit struct {
	testing.TB
	named map[string]string // name by fingerprint
}

const tenYears = 10 * 365 * 24 * time.Hour

// key makes a key for csirt@domain under a name.
func (k *kit) key(name, domain string, edit ...func(*packet.Config)) *openpgp.Entity {
	k.Helper()
	e := newEntity(k, "csirt@"+domain, append([]func(*packet.Config){lasting(tenYears)}, edit...)...)
	k.named[print(e)] = name
	return e
}

func print(e *openpgp.Entity) string { return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint) }

// page serves octets.
func page(body []byte) lab.Page {
	return lab.Page{Type: "application/octet-stream", Body: string(body)}
}

// served is a site that serves pages at the paths of URLs, and a policy file beside keys.
func served(host string, pages map[string]lab.Page) lab.Site {
	s := lab.Site{Host: host, Pages: map[string]lab.Page{}, NoIPv6: true}
	for at, p := range pages {
		u, err := url.Parse(at)
		if err != nil {
			panic(err)
		}
		s.Pages[u.Path] = p
	}
	return s
}

func advanced(d string, body []byte) lab.Site {
	e := directory.Email("csirt@" + d)
	return served("openpgpkey."+d, map[string]lab.Page{pgpkey.WKDAdvanced(e): page(body), pgpkey.WKDPolicy(pgpkey.WKDAdvanced(e)): page(nil)})
}

func direct(d string, body []byte) lab.Site {
	e := directory.Email("csirt@" + d)
	return served(d, map[string]lab.Page{pgpkey.WKDDirect(e): page(body), pgpkey.WKDPolicy(pgpkey.WKDDirect(e)): page(nil)})
}

// record is a zone with an OPENPGPKEY record.
func record(d string, how lab.Signing, keys ...[]byte) lab.Zone {
	z := lab.Zone{Origin: d + ".", Sign: how}
	for _, k := range keys {
		z.Text += pgpkey.OPENPGPKEYName(directory.Email("csirt@"+d)) + " OPENPGPKEY " + encoded(k) + "\n"
	}
	return z
}

// text is a site with a security.txt.
func text(d string, fields ...string) lab.Site {
	body := "Contact: mailto:csirt@" + d + "\nExpires: 2027-06-01T00:00:00Z\n" + strings.Join(fields, "\n") + "\n"
	return lab.Site{Host: d, NoIPv6: true, Pages: map[string]lab.Page{"/.well-known/security.txt": {Body: body}}}
}

// team is what a team with keys says of itself.
func (k *kit) team(d string, keys ...*openpgp.Entity) verify.Claims {
	c := verify.Claims{Team: "team", Contacts: []verify.ClaimedContact{{ID: "c", Revision: 1, Channel: "email", Value: "csirt@" + d, Public: true}}}
	for _, e := range keys {
		stored, _, err := directory.ParseKey(public(k, e))
		must(k, err)
		c.Keys = append(c.Keys, verify.ClaimedKey{Fingerprint: print(e), Armor: stored.Armor})
	}
	return c
}

// world is the lab with the domains of all scenes, and the network that asks it.
// The scenes learn the lab's trust anchor.
func world(t *testing.T, scenes []scene) *verify.Live {
	t.Helper()
	cfg := lab.Config{Bare: true, Now: func() time.Time { return today }}
	for _, s := range scenes {
		cfg.Sites = append(cfg.Sites, s.sites...)
		if s.zone.Origin != "" {
			cfg.Zones = append(cfg.Zones, s.zone)
		}
	}
	l, err := lab.Start(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor())
	must(t, err)
	for i := range scenes {
		scenes[i].cfg.Anchors = anchors
	}
	n, err := verify.NewLive(verify.LiveConfig{
		Resolvers: []string{l.Resolver()}, Allow: l.Allow(), Roots: l.Roots(), Map: l.DialMap, Now: l.Now,
	})
	must(t, err)
	return n
}

// play runs the check on a scene, and again on what was recorded.
func (k *kit) play(t *testing.T, n verify.Network, s scene) {
	t.Helper()
	target := verify.Target{Subject: verify.Subject{Kind: verify.SubjectContact, ID: "csirt@" + s.domain}, Now: today, Claims: s.claims, Previous: s.before}
	if s.key != "" {
		target.Subject = verify.Subject{Kind: verify.SubjectKey, ID: string(s.key)}
	}
	if s.text {
		target.Subject = verify.Subject{Kind: verify.SubjectDomain, ID: s.domain}
	}
	check, rec := checkOf(s.cfg, target.Subject), verify.Record(n)
	got, err := check.Run(context.Background(), rec, target)
	k.compare(t, s, got, err)

	data, _, encodeErr := rec.Transcript(check.Name, target).Encode()
	must(t, encodeErr)
	transcript, decodeErr := verify.DecodeTranscript(data)
	must(t, decodeErr)
	again, againErr := check.Run(context.Background(), verify.Replay(transcript), transcript.Target)
	if diff := cmp.Diff(got, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(againErr) {
		t.Errorf("replayed to another result: %v, then %v (-first +again):\n%s", err, againErr, diff)
	}
}

func (k *kit) compare(t *testing.T, s scene, got verify.Result, err error) {
	t.Helper()
	trouble, _ := err.(*verify.Trouble)
	if s.trouble != "" {
		if trouble == nil || trouble.Code != s.trouble {
			t.Errorf("concluded %v with %v, want trouble %s", codes(got.Findings), err, s.trouble)
		}
		return
	}
	if err != nil {
		t.Fatalf("no conclusion: %v", err)
	}
	if text := strings.Join(codes(got.Findings), " "); text != s.codes {
		t.Errorf("codes %q, want %q\n%+v\n%+v", text, s.codes, got.Findings, got.Facts)
	}
	var sighted []string
	for _, x := range got.Sightings {
		if len(x.Copy) == 0 || x.Address == "" {
			t.Errorf("sighting %+v lacks the copy or the address", x)
		}
		sighted = append(sighted, k.named[string(x.Fingerprint)]+" "+strings.Join(x.Channels, ","))
	}
	if text := strings.Join(sighted, "; "); text != s.sighted {
		t.Errorf("sighted %q, want %q", text, s.sighted)
	}
	if !s.until.IsZero() && !got.Until.Equal(s.until) {
		t.Errorf("changes at %s, want %s", got.Until, s.until)
	}
	var keys []string
	for _, f := range got.Facts {
		if f.Name == "key" {
			keys = append(keys, f.Value)
		}
	}
	for i := range keys {
		fpr, on, _ := strings.Cut(keys[i], " ")
		keys[i] = k.named[fpr] + " " + on
	}
	slices.Sort(keys)
	table := strings.Join(keys, "; ")
	if table != s.keys {
		t.Errorf("table %q, want %q", table, s.keys)
	}
	for _, c := range s.claims.Keys { // it may be hidden, unless the world says it too
		said := fmt.Sprintf("%+v %+v", got.Findings, got.Facts)
		if s.key == "" && !s.text && !strings.Contains(s.keys, k.named[c.Fingerprint]+" ") && strings.Contains(said, c.Fingerprint) {
			t.Errorf("the profile's %s is quoted: %s", c.Fingerprint, said)
		}
	}
	if len(got.Proofs) > 0 {
		t.Errorf("proofs %v: a published key proves no contact", got.Proofs)
	}
}

// keyServers answers for a VKS and an HKP server from one list of keys.
func keyServers(host string, keys map[string][]byte) lab.Site {
	find := func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], "0x")
		if r.URL.Path == "/pks/lookup" {
			name = strings.TrimPrefix(r.URL.Query().Get("search"), "0x")
		}
		if data, ok := keys[name]; ok {
			if r.URL.Query().Get("op") == "index" {
				data = []byte("info:1:1\npub:" + name + ":22:256:1735689600::\nuid:Example:1735689600::\n")
			}
			_, _ = w.Write(data)
			return
		}
		http.NotFound(w, r)
	}
	return lab.Site{Host: host, NoIPv6: true, Pages: map[string]lab.Page{"*": {Do: find}}}
}
