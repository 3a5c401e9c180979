package dnssec_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/dnssec/dnssectest"
)

var now = dnssectest.Now()

func nsec3(z *dnssectest.Zone)  { z.NSEC3 = true }
func optOut(z *dnssectest.Zone) { z.NSEC3, z.OptOut = true, true }
func plain(z *dnssectest.Zone)  { z.Plain = true }

const leaf = `
www     300 A 192.0.2.1
alias   300 CNAME www
away    300 CNAME www.plain.example.
lost    300 CNAME nowhere
loop    300 CNAME loop
txt     300 TXT "hello"
a.deep  300 A 192.0.2.2
*.wild  300 A 192.0.2.3
tree    300 DNAME good.example.
`

// example is a root, a zone example. and children of all sorts.
func example(t testing.TB, kind ...func(*dnssectest.Zone)) *dnssectest.World {
	w := dnssectest.New(t)
	w.Add(".", "")
	w.Add("example.", "", kind...)
	w.Add("good.example.", leaf, kind...)
	w.Add("plain.example.", leaf, plain)
	w.Add("expired.example.", leaf, append(kind, func(z *dnssectest.Zone) { z.From, z.Until = now.Add(-48*time.Hour), now.Add(-time.Hour) })...)
	w.Add("early.example.", leaf, append(kind, func(z *dnssectest.Zone) { z.From = now.Add(time.Hour) })...)
	w.Add("wrong.example.", leaf, kind...)
	w.Add("stripped.example.", leaf, kind...).Spoil = func(m *dns.Msg) { m.Answer, m.Ns = unsigned(m.Answer), unsigned(m.Ns) }
	w.Delegate(".", "example.")
	for _, child := range []string{"good", "plain", "expired", "early", "stripped"} {
		w.Delegate("example.", child+".example.")
	}
	w.Delegate("example.", "wrong.example.")
	other := w.Zones["good.example."].Key.ToDS(dns.SHA256)
	ds := w.Zones["example."].At("wrong.example.", dns.TypeDS)[0].(*dns.DS)
	ds.Digest = other.Digest // vouches for no key of the zone
	return w
}

func unsigned(rrs []dns.RR) (list []dns.RR) {
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeRRSIG {
			list = append(list, rr)
		}
	}
	return list
}

func ask(t *testing.T, w *dnssectest.World, name, qtype string) dnssec.Answer {
	t.Helper()
	v, err := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: w.Anchors(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	a, err := v.Query(context.Background(), name, dns.StringToType[qtype])
	if err != nil {
		t.Fatalf("Query(%s %s): %v", name, qtype, err)
	}
	return a
}

func TestQuery(t *testing.T) {
	kinds := map[string][]func(*dnssectest.Zone){"NSEC": nil, "NSEC3": {nsec3}, "NSEC3 with salt and rounds": {nsec3, func(z *dnssectest.Zone) { z.Salt, z.Rounds = "ab12", 10 }}}
	for kind, change := range kinds {
		w := example(t, change...)
		for _, c := range []struct {
			name, qtype string
			status      dnssec.Status
			rcode, rrs  int
			reason      string
		}{
			{"www.good.example.", "A", dnssec.Secure, 0, 1, ""},
			{"WWW.Good.Example.", "A", dnssec.Secure, 0, 1, ""},
			{"good.example.", "SOA", dnssec.Secure, 0, 1, ""},
			{"good.example.", "DS", dnssec.Secure, 0, 1, ""},
			{"good.example.", "DNSKEY", dnssec.Secure, 0, 1, ""},
			{"www.good.example.", "AAAA", dnssec.Secure, 0, 0, ""},
			{"alias.good.example.", "A", dnssec.Secure, 0, 1, ""},
			{"alias.good.example.", "AAAA", dnssec.Secure, 0, 0, ""},
			{"lost.good.example.", "A", dnssec.Secure, dns.RcodeNameError, 0, ""},
			{"nowhere.good.example.", "A", dnssec.Secure, dns.RcodeNameError, 0, ""},
			{"x.y.nowhere.good.example.", "A", dnssec.Secure, dns.RcodeNameError, 0, ""},
			{"deep.good.example.", "A", dnssec.Secure, 0, 0, ""},
			{"b.deep.good.example.", "A", dnssec.Secure, dns.RcodeNameError, 0, ""},
			{"any.wild.good.example.", "A", dnssec.Secure, 0, 1, ""},
			{"any.wild.good.example.", "TXT", dnssec.Secure, 0, 0, ""},
			{"two.labels.wild.good.example.", "A", dnssec.Secure, 0, 1, ""},
			{"*.wild.good.example.", "A", dnssec.Secure, 0, 1, ""},
			{"nowhere.", "A", dnssec.Secure, dns.RcodeNameError, 0, ""},
			{"away.good.example.", "A", dnssec.Insecure, 0, 1, "without DS"},
			{"www.plain.example.", "A", dnssec.Insecure, 0, 1, "without DS"},
			{"nowhere.plain.example.", "A", dnssec.Insecure, dns.RcodeNameError, 0, "without DS"},
			{"plain.example.", "DS", dnssec.Secure, 0, 0, ""},
			{"www.expired.example.", "A", dnssec.Bogus, 0, 1, "expired on 2026-11-21T11:00:00Z"},
			{"nowhere.expired.example.", "A", dnssec.Bogus, dns.RcodeNameError, 0, "expired"},
			{"www.early.example.", "A", dnssec.Bogus, 0, 1, "valid from 2026-11-21T13:00:00Z"},
			{"www.wrong.example.", "A", dnssec.Bogus, 0, 1, "vouches for"},
			{"www.stripped.example.", "A", dnssec.Bogus, 0, 1, "no signature"},
			{"loop.good.example.", "A", dnssec.Bogus, 0, 0, "aliases"},
		} {
			t.Run(kind+"/"+c.name+" "+c.qtype, func(t *testing.T) {
				a := ask(t, w, c.name, c.qtype)
				if a.Status != c.status || a.Rcode != c.rcode || len(a.RRs) != c.rrs || !strings.Contains(a.Reason, c.reason) {
					t.Errorf("Query = %s (%q), rcode %d, %v; want %s (%q), rcode %d, %d records", a.Status, a.Reason, a.Rcode, a.RRs, c.status, c.reason, c.rcode, c.rrs)
				}
			})
		}
	}
}

// TestIsland has a zone with a trust anchor of its own below one that is not
// signed, in whose name records and aliases for it are forged.
func TestIsland(t *testing.T) {
	w := dnssectest.New(t)
	w.Add(".", "")
	w.Add("example.", "", plain)
	z := w.Add("good.example.", leaf)
	w.Delegate(".", "example.")
	w.Delegate("example.", "good.example.")
	anchors := append(w.Anchors(), dnssec.Anchor{DS: z.Key.ToDS(dns.SHA256)})
	head := func(name string, rtype uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: rtype, Class: dns.ClassINET}
	}
	for name, c := range map[string]struct {
		spoil func(m *dns.Msg)
		want  dnssec.Status
	}{
		"as it is": {nil, dnssec.Secure},
		"signed in the name of the zone above": {func(m *dns.Msg) {
			if m.Question[0].Qtype == dns.TypeA {
				m.Answer[1].(*dns.RRSIG).SignerName = "example."
			}
		}, dnssec.Bogus},
		"an alias of the whole zone above": {func(m *dns.Msg) {
			if m.Question[0].Qtype == dns.TypeA {
				m.Answer = []dns.RR{&dns.DNAME{Hdr: head("example.", dns.TypeDNAME), Target: "x."}, &dns.CNAME{Hdr: head("www.good.example.", dns.TypeCNAME), Target: "www.good.x."}}
			}
		}, dnssec.Bogus},
	} {
		z.Spoil = c.spoil
		v, err := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: anchors, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := v.Query(t.Context(), "www.good.example.", dns.TypeA); err != nil || a.Status != c.want {
			t.Errorf("%s: Query = %s (%s), %v; want %s", name, a.Status, a.Reason, err, c.want)
		}
	}
}

// TestQueryOwn follows no alias, whatever it leads to.
func TestQueryOwn(t *testing.T) {
	w := example(t)
	for _, c := range []struct {
		name   string
		status dnssec.Status
		rrs    int
		owner  string
	}{
		{"www.good.example.", dnssec.Secure, 1, "www.good.example."},
		{"deep.good.example.", dnssec.Secure, 0, "deep.good.example."},
		{"alias.good.example.", dnssec.Secure, 0, "www.good.example."},
		{"away.good.example.", dnssec.Secure, 0, "www.plain.example."},
		{"loop.good.example.", dnssec.Secure, 0, "loop.good.example."},
		{"alias.plain.example.", dnssec.Insecure, 0, "www.plain.example."},
		{"alias.expired.example.", dnssec.Bogus, 0, "www.expired.example."},
	} {
		v, err := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: w.Anchors(), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		a, err := v.QueryOwn(t.Context(), c.name, dns.TypeA)
		if err != nil || a.Status != c.status || a.Owner != c.owner || len(a.RRs) != c.rrs {
			t.Errorf("QueryOwn(%s) = %+v, %v; want %s, %d records of %s", c.name, a, err, c.status, c.rrs, c.owner)
		}
	}
}

// TestOptOut holds the rule that a span of opted-out names proves nothing
// about them (RFC 5155 sections 8.6 and 9.2).
func TestOptOut(t *testing.T) {
	w := example(t, optOut)
	for name, want := range map[string]dnssec.Status{
		"www.good.example.": dnssec.Secure, "www.plain.example.": dnssec.Insecure, "www.expired.example.": dnssec.Bogus, "nowhere.example.": dnssec.Insecure,
	} {
		if a := ask(t, w, name, "A"); a.Status != want {
			t.Errorf("Query(%s) = %s (%s), want %s", name, a.Status, a.Reason, want)
		}
	}
}

func TestDNAME(t *testing.T) {
	w := example(t)
	z := w.Zones["good.example."]
	z.Spoil = func(m *dns.Msg) {
		if m.Question[0].Name != "www.tree.good.example." {
			return
		}
		m.Rcode, m.Ns = dns.RcodeSuccess, nil
		m.Answer = append(z.Signed(z.At("tree.good.example.", dns.TypeDNAME), "tree.good.example."),
			&dns.CNAME{Hdr: dns.RR_Header{Name: "www.tree.good.example.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "www.evil.example."})
	}
	a := ask(t, w, "www.tree.good.example.", "A")
	if a.Status != dnssec.Secure || a.Owner != "www.good.example." || len(a.RRs) != 1 {
		t.Errorf("Query = %+v, want what the DNAME says and not what the CNAME says", a)
	}
	z.At("tree.good.example.", dns.TypeDNAME)[0].(*dns.DNAME).Target = "."
	a = ask(t, w, "www.tree.good.example.", "A")
	if a.Status != dnssec.Secure || a.Owner != "www." || a.Rcode != dns.RcodeNameError {
		t.Errorf("Query = %+v, want that there is no www., to which a DNAME of the root leads", a)
	}
}

// TestForgedDNAME has DNAME records that nobody signed, at names of which some
// leave no label to keep.
func TestForgedDNAME(t *testing.T) {
	for _, owner := range []string{".", "example.", "good.example.", "WWW.good.example.", "a.www.good.example."} {
		for _, target := range []string{".", "x.", strings.Repeat("long.", 50)} {
			for _, zone := range []string{"good.example.", "plain.example."} {
				w, name := example(t), "www."+zone
				owner := strings.Replace(owner, "good.example.", zone, 1)
				w.Zones[zone].Spoil = func(m *dns.Msg) {
					if m.Question[0].Name == name && m.Question[0].Qtype == dns.TypeA {
						m.Ns, m.Answer = nil, []dns.RR{
							&dns.DNAME{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeDNAME, Class: dns.ClassINET}, Target: target},
							&dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "nowhere."}}
					}
				}
				if a := ask(t, w, name, "A"); a.Status == dnssec.Secure || zone == "good.example." && a.Status != dnssec.Bogus {
					t.Errorf("%s DNAME %s: Query(%s) = %s (%s), want it not proven", owner, target, name, a.Status, a.Reason)
				}
			}
		}
	}
}

// TestLies spoils good answers in the ways that an attacker would.
func TestLies(t *testing.T) {
	for _, kind := range []struct {
		name   string
		change []func(*dnssectest.Zone)
	}{{"NSEC", nil}, {"NSEC3", []func(*dnssectest.Zone){nsec3}}} {
		for _, c := range []struct {
			name, asked, qtype string
			zone               string
			spoil              func(w *dnssectest.World, z *dnssectest.Zone, m *dns.Msg)
		}{
			{"another address", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) { m.Answer[0].(*dns.A).A[3]++ }},
			{"another name's records", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer = z.Signed(z.At("a.deep.good.example.", dns.TypeA), "www.good.example.")
			}},
			{"a wildcard's answer for a name that exists", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer = z.Signed([]dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "*.good.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: []byte{192, 0, 2, 9}}}, "www.good.example.")
			}},
			{"signed by a zone beside", "www.good.example.", "A", "good.example.", func(w *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				m.Answer = w.Zones["early.example."].Signed(unsigned(m.Answer), "www.good.example.")
			}},
			{"signed in the name of a host", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				m.Answer[1].(*dns.RRSIG).SignerName = "www.good.example."
			}},
			{"an alias without signature", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				m.Answer = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: "www.good.example.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "www.plain.example."}}
			}},
			{"nothing, without proof", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) { m.Answer, m.Ns = nil, nil }},
			{"no such name, by the proof for another", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer, m.Rcode = nil, dns.RcodeNameError
				z.Deny(m, "nowhere.good.example.", "*.good.example.")
			}},
			{"no such name, by its own record", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer, m.Rcode = nil, dns.RcodeNameError
				z.Deny(m, "www.good.example.", "*.good.example.")
			}},
			{"no such name below another, by its own record", "a.deep.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer, m.Rcode = nil, dns.RcodeNameError
				z.Deny(m, "a.deep.good.example.", "*.deep.good.example.")
			}},
			{"no such name, without a word on the wildcard", "any.wild.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer, m.Ns, m.Rcode = nil, nil, dns.RcodeNameError
				z.Deny(m, "any.wild.good.example.", "")
			}},
			{"a wildcard's answer without proof", "any.wild.good.example.", "A", "good.example.", func(_ *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) { m.Ns = nil }},
			{"no DS, without proof", "www.good.example.", "A", "example.", func(_ *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				if m.Question[0].Name == "good.example." {
					m.Answer, m.Ns = nil, nil
				}
			}},
			{"no DS, denied by the child's own apex", "www.good.example.", "A", "example.", func(w *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				if m.Question[0].Name == "good.example." {
					m.Answer, m.Ns = nil, nil
					w.Zones["good.example."].Deny(m, "good.example.", "")
				}
			}},
			{"no DS, by a record of another class", "www.good.example.", "A", "example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				if m.Question[0].Name == "good.example." {
					m.Answer, m.Ns = nil, nil
					z.Deny(m, "good.example.", "")
					m.Ns = append(chaos(m.Ns, dns.TypeNS), m.Ns...)
				}
			}},
			{"no type, by a record of another class", "www.good.example.", "A", "good.example.", func(_ *dnssectest.World, z *dnssectest.Zone, m *dns.Msg) {
				m.Answer = nil
				z.Deny(m, "www.good.example.", "")
				m.Ns = append(chaos(m.Ns, dns.TypeTXT), m.Ns...)
			}},
			{"no type, by the record above the cut", "good.example.", "MX", "good.example.", func(w *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				m.Ns = nil
				w.Zones["example."].Deny(m, "good.example.", "")
			}},
			{"no such name below a cut, by the zone above", "www.good.example.", "A", "good.example.", func(w *dnssectest.World, _ *dnssectest.Zone, m *dns.Msg) {
				m.Answer, m.Rcode = nil, dns.RcodeNameError
				w.Zones["example."].Deny(m, "www.good.example.", "*.good.example.")
			}},
		} {
			t.Run(kind.name+"/"+c.name, func(t *testing.T) {
				w := example(t, kind.change...)
				z := w.Zones[c.zone]
				z.Spoil = func(m *dns.Msg) {
					if q := m.Question[0]; q.Qtype == dns.StringToType[c.qtype] && q.Name == c.asked || q.Qtype == dns.TypeDS && c.zone == "example." {
						c.spoil(w, z, m)
					}
				}
				if a := ask(t, w, c.asked, c.qtype); a.Status != dnssec.Bogus {
					t.Errorf("Query = %s (%s), want bogus", a.Status, a.Reason)
				}
			})
		}
	}
}

// TestOtherClass holds the rule that a signature is on records of one class (RFC
// 4035 section 5.3.1): what stands beside them in another changes nothing.
func TestOtherClass(t *testing.T) {
	for kind, change := range map[string][]func(*dnssectest.Zone){"NSEC": nil, "NSEC3": {nsec3}} {
		w := example(t, change...)
		for _, z := range w.Zones {
			z.Spoil = func(m *dns.Msg) {
				m.Answer = append(chaos(m.Answer, dns.TypeTXT), m.Answer...)
				m.Ns = append(chaos(m.Ns, dns.TypeTXT), m.Ns...)
			}
		}
		for name, want := range map[string]dnssec.Status{
			"www.good.example.": dnssec.Secure, "alias.good.example.": dnssec.Secure, "deep.good.example.": dnssec.Secure, "nowhere.good.example.": dnssec.Secure,
			"any.wild.good.example.": dnssec.Secure, "www.plain.example.": dnssec.Insecure,
		} {
			if a := ask(t, w, name, "A"); a.Status != want {
				t.Errorf("%s: Query(%s) = %s (%s), want %s", kind, name, a.Status, a.Reason, want)
			}
		}
	}
}

// TestWildcardDeeper answers for names by a wildcard that can't have given them,
// since a closer name exists, if only without records (RFC 4035 section 5.3.4, RFC
// 5155 section 8.8).
func TestWildcardDeeper(t *testing.T) {
	for kind, change := range map[string][]func(*dnssectest.Zone){"NSEC": nil, "NSEC3": {nsec3}} {
		w := example(t, change...)
		z := w.Zones["good.example."]
		star, err := dns.NewRR("*.good.example. 300 A 192.0.2.9")
		if err != nil {
			t.Fatal(err)
		}
		z.Records = append(z.Records, star)
		z.Spoil = func(m *dns.Msg) {
			if q := m.Question[0]; q.Qtype == dns.TypeA {
				m.Answer, m.Ns, m.Rcode = z.Signed([]dns.RR{star}, q.Name), nil, dns.RcodeSuccess
				z.Deny(m, q.Name, "")
			}
		}
		for name, want := range map[string]dnssec.Status{
			"new.good.example.": dnssec.Secure, "x.new.good.example.": dnssec.Secure, "zzz.good.example.": dnssec.Secure,
			"www.good.example.": dnssec.Bogus, "x.www.good.example.": dnssec.Bogus, "deep.good.example.": dnssec.Bogus, "x.deep.good.example.": dnssec.Bogus,
			"x.a.deep.good.example.": dnssec.Bogus, "x.wild.good.example.": dnssec.Bogus,
		} {
			if a := ask(t, w, name, "A"); a.Status != want || !a.Wildcard {
				t.Errorf("%s: Query(%s) = %s (%s), by a wildcard: %t; want %s", kind, name, a.Status, a.Reason, a.Wildcard, want)
			}
		}
	}
}

// chaos copies records into the class CH, those of non-existence with other types.
func chaos(rrs []dns.RR, types ...uint16) (list []dns.RR) {
	for _, rr := range rrs {
		c := dns.Copy(rr)
		c.Header().Class = dns.ClassCHAOS
		switch c := c.(type) {
		case *dns.NSEC:
			c.TypeBitMap = types
		case *dns.NSEC3:
			c.TypeBitMap = types
		}
		list = append(list, c)
	}
	return list
}

func TestManyRounds(t *testing.T) {
	w := example(t, nsec3, func(z *dnssectest.Zone) { z.Rounds = 500 })
	if a := ask(t, w, "nowhere.good.example.", "A"); a.Status != dnssec.Insecure || !strings.Contains(a.Reason, "RFC 9276") {
		t.Errorf("Query = %s (%s), want insecure by RFC 9276", a.Status, a.Reason)
	}
	if a := ask(t, w, "www.good.example.", "A"); a.Status != dnssec.Secure {
		t.Errorf("Query = %s (%s), want secure: no denial is needed", a.Status, a.Reason)
	}
}

// TestWork makes zones that would keep a validator busy; the work must end.
func TestWork(t *testing.T) {
	t.Run("a maze of aliases", func(t *testing.T) {
		w := dnssectest.New(t)
		w.Add(".", "")
		n := 0
		v, err := dnssec.New(dnssec.Config{Anchors: w.Anchors(), Now: now, Exchange: func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
			m, err := w.Exchange(ctx, name, qtype)
			if n++; qtype == dns.TypeA {
				m.Rcode, m.Ns = 0, nil
				m.Answer = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: fmt.Sprintf("a.b.c.d%d.", n)}}
			}
			return m, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Query(context.Background(), "start.", dns.TypeA); !errors.Is(err, dnssec.ErrWork) || n > 30 {
			t.Errorf("Query after %d questions: %v, want %v within 30", n, err, dnssec.ErrWork)
		}
	})
	t.Run("signatures without end", func(t *testing.T) {
		w := example(t)
		w.Zones["good.example."].Spoil = func(m *dns.Msg) {
			if m.Question[0].Qtype != dns.TypeA {
				return
			}
			sig := m.Answer[len(m.Answer)-1].(*dns.RRSIG)
			bad := []dns.RR{m.Answer[0]}
			for i := range 500 {
				c := dns.Copy(sig).(*dns.RRSIG)
				c.Signature = sig.Signature[:80] + fmt.Sprintf("%04d", i) + sig.Signature[84:]
				bad = append(bad, c)
			}
			m.Answer = bad
		}
		v, _ := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: w.Anchors(), Now: now})
		if _, err := v.Query(context.Background(), "www.good.example.", dns.TypeA); !errors.Is(err, dnssec.ErrWork) {
			t.Errorf("Query: %v, want %v", err, dnssec.ErrWork)
		}
	})
}

func TestAnchors(t *testing.T) {
	tags := map[uint16]bool{}
	for _, a := range dnssec.RootAnchors() {
		tags[a.DS.KeyTag] = true
	}
	if !tags[20326] || !tags[38696] || len(tags) != 2 {
		t.Errorf("RootAnchors have %v, want 20326 and 38696", tags)
	}
	w := example(t)
	late := w.Anchors()
	late[0].From = now.Add(time.Hour)
	v, _ := dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: late, Now: now})
	if a, err := v.Query(context.Background(), "www.good.example.", dns.TypeA); err != nil || a.Status != dnssec.Indeterminate {
		t.Errorf("Query before the anchor holds = %+v, %v; want indeterminate", a, err)
	}
	island, err := dnssec.ParseAnchors("; a zone of its own\n" + w.Zones["good.example."].Key.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	v, _ = dnssec.New(dnssec.Config{Exchange: w.Exchange, Anchors: island, Now: now})
	if a, err := v.Query(context.Background(), "www.good.example.", dns.TypeA); err != nil || a.Status != dnssec.Secure {
		t.Errorf("Query below an anchor of its own = %+v, %v; want secure", a, err)
	}
	for _, bad := range []string{"", "; nothing", "example. A 192.0.2.1", "example. DS x", "\x00"} {
		if list, err := dnssec.ParseAnchors(bad); err == nil {
			t.Errorf("ParseAnchors(%q) = %v, want an error", bad, list)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []dnssec.Config{{}, {Now: now}, {Exchange: dnssectest.New(t).Exchange}} {
		if _, err := dnssec.New(cfg); err == nil {
			t.Errorf("New(%+v) = nil error", cfg)
		}
	}
}

// FuzzQuery hands any message in place of an answer: none may end in a panic, nor
// make an address secure that the zone does not have.
func FuzzQuery(f *testing.F) {
	w := example(f, nsec3)
	const name = "www.good.example."
	head := func(rtype uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: rtype, Class: dns.ClassINET}
	}
	for _, asked := range []string{name, "nowhere.good.example.", "any.wild.good.example.", "deep.good.example.", "lost.good.example."} {
		m, _ := w.Exchange(f.Context(), asked, dns.TypeA)
		f.Add(packed(f, m))
	}
	for _, owner := range []string{".", "good.example."} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeA)
		top := head(dns.TypeDNAME)
		top.Name = owner
		m.Answer = []dns.RR{&dns.DNAME{Hdr: top, Target: "x."}, &dns.CNAME{Hdr: head(dns.TypeCNAME), Target: name + "x."}}
		f.Add(packed(f, m))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		forged := new(dns.Msg)
		if forged.Unpack(wire) != nil {
			return
		}
		v, err := dnssec.New(dnssec.Config{Anchors: w.Anchors(), Now: now, Exchange: func(ctx context.Context, q string, qtype uint16) (*dns.Msg, error) {
			if q == name && qtype == dns.TypeA {
				return forged, nil
			}
			return w.Exchange(ctx, q, qtype)
		}})
		if err != nil {
			t.Fatal(err)
		}
		a, err := v.Query(t.Context(), name, dns.TypeA)
		if err == nil && a.Status == dnssec.Secure && a.Owner == name && (len(a.RRs) != 1 || a.RRs[0].(*dns.A).A.String() != "192.0.2.1") {
			t.Errorf("Query = %+v, which the zone does not have", a)
		}
	})
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}
