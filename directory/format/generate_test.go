package format_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// generator makes teams, every field of which is there or not, in characters of
// many scripts and with the marks that formats stumble over.
type generator struct {
	*rand.Rand
	key directory.Key
}

func generate(t testing.TB) *generator {
	t.Helper()
	return &generator{rand.New(rand.NewPCG(2026, 11)), aKey(t, "good")}
}

var scraps = []string{"CERT", "Österreich", "例え", "O'Neill & Söhne", `"quoted"`, "a, b", "c; d", "<tag>", "=SUM(A1)", "-dash", "@home", "Ünïcödé", "Ελλάδα", "𝔘", "100 %", "x\\y", "-"}

func (g *generator) one(words []string) string { return words[g.IntN(len(words))] }

func (g *generator) maybe() bool { return g.IntN(3) > 0 }

// line is a text of one line that is not blank in any format.
func (g *generator) line() string {
	return fmt.Sprintf("%s %s %d", g.one(scraps), g.one(scraps), g.IntN(1000))
}

func (g *generator) some(words []string) []string {
	if !g.maybe() {
		return nil
	}
	var list []string
	for _, i := range g.Perm(len(words))[:1+g.IntN(min(3, len(words)))] {
		list = append(list, words[i])
	}
	return list
}

func (g *generator) date() directory.Date {
	if !g.maybe() {
		return ""
	}
	return directory.Date(time.Date(1990+g.IntN(36), time.Month(1+g.IntN(12)), 1+g.IntN(28), 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
}

var someCountries = []string{"AT", "DE", "GB", "US", "JP", "KR", "XK", "EU", "TR", "CD"}

func (g *generator) profile(n int) directory.Profile {
	p := directory.Profile{
		Names: directory.Names{Short: fmt.Sprintf("%s %d", g.one(scraps), n)}, Kinds: g.some(directory.Kinds), Services: g.some(directory.Services),
		Established: g.date(),
	}
	if g.maybe() {
		p.Names.Full, p.Names.Former, p.Names.Other = g.line(), g.some([]string{"Old Name", "Älter, viel"}), g.some([]string{"Other Name", "Yet another"})
	}
	if g.maybe() {
		p.Host, p.Website, p.Status = g.line(), fmt.Sprintf("https://www%d.example.org/a;b?c=d,e", n), "active"
		p.Address = g.line() + "\n" + g.line() + "\nAustria"
	}
	if g.maybe() {
		p.Country, p.Zone = directory.Country(g.one(someCountries)), directory.Zone(g.one([]string{"Europe/Vienna", "Asia/Tokyo", "UTC", "Etc/GMT+5"}))
		p.Hours = [...]directory.Hours{{Always: true}, {Spans: []directory.Span{{Day: time.Monday, From: 480, To: 1020}, {Day: time.Tuesday, From: 480, To: 1020}, {Day: time.Saturday, From: 600, To: 720}}}}[g.IntN(2)]
		p.Languages = [][]directory.Language{{"de", "en"}, {"zh-Hant"}}[g.IntN(2)]
	}
	g.constituency(&p)
	g.resources(&p, n)
	g.contacts(&p, n)
	g.rest(&p, n)
	return p
}

func (g *generator) constituency(p *directory.Profile) {
	c := &p.Constituency
	for _, word := range g.some(directory.ConstituencyTypes) {
		c.Types = append(c.Types, directory.ConstituencyType{Type: word, Scope: g.one([]string{"", "internal", "external", "both"})})
	}
	c.Sectors = g.some(directory.Sectors)
	for _, x := range g.some(someCountries) {
		c.Countries = append(c.Countries, directory.Country(x))
	}
	if g.maybe() {
		c.Text = g.line() + "\n\n" + g.line()
	}
}

func (g *generator) resources(p *directory.Profile, n int) {
	add := func(r directory.Resource) {
		r.Claim = "listed"
		p.Resources = append(p.Resources, r)
	}
	if g.maybe() {
		add(directory.Resource{Type: "prefix", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + n>>16), byte(n >> 8), byte(n), 0}), 24)})
	}
	if g.maybe() {
		add(directory.Resource{Type: "prefix", Prefix: netip.MustParsePrefix(fmt.Sprintf("2a00:%x::/32", n&0xffff))})
	}
	if g.maybe() {
		add(directory.Resource{Type: "asn", ASN: directory.ASN(100_000 + n)})
	}
	if g.maybe() {
		add(directory.Resource{Type: "domain", Domain: directory.Domain(fmt.Sprintf("team%d.example.org", n))})
		add(directory.Resource{Type: "domain", Domain: "ac.at"})
	}
}

var visibilities = []directory.TLP{"", "", directory.Green, directory.Amber, directory.Red}

func (g *generator) contacts(p *directory.Profile, n int) {
	for i := range g.IntN(4) {
		p.Contacts = append(p.Contacts, directory.Contact{Channel: "email", Value: fmt.Sprintf("csirt%d-%d@team%d.example.org", n, i, n), Uses: g.some(directory.Uses),
			Visibility: visibilities[g.IntN(len(visibilities))], Label: g.one([]string{"", "duty officer"})})
	}
	for i := range g.IntN(3) {
		p.Contacts = append(p.Contacts, directory.Contact{Channel: "phone", Value: fmt.Sprintf("+43150%05d", (n*3+i)%100_000), Uses: g.some([]string{"general", "emergency"})})
	}
	if g.maybe() {
		p.Contacts = append(p.Contacts,
			directory.Contact{Channel: "url", Value: fmt.Sprintf("https://form%d.example.org/a;b", n), Uses: []directory.Word{"vulnerability"}},
			directory.Contact{Channel: "chat", Value: "matrix:r/room:example.org"})
	}
}

func (g *generator) rest(p *directory.Profile, n int) {
	if g.maybe() {
		p.Memberships = append(p.Memberships, directory.Membership{Forum: "first", Type: "Full Member", Status: "member", Since: g.date()})
	}
	if g.maybe() {
		p.Memberships = append(p.Memberships, directory.Membership{Forum: "ti", Type: "Accredited", Status: "accredited", Since: g.date()})
	}
	if g.maybe() {
		p.Memberships = append(p.Memberships, directory.Membership{Forum: "sector-x", Type: "Gold", Status: "member"})
		p.Designations = []directory.Designation{{Country: "AT", Scope: "national", Since: g.date()}}
		p.Prose = []directory.Section{{Number: "3.1", Language: "en", Text: g.line()}, {Number: "3.2", Language: "de", Text: g.line(), Visibility: directory.Amber}}
	}
	switch g.IntN(16) {
	case 0:
		p.Keys = []directory.TeamKey{{Key: g.key}}
	case 1, 2, 3, 4:
		p.Keys = []directory.TeamKey{{Key: directory.Key{Fingerprint: directory.Fingerprint(fmt.Sprintf("%040X", n)), Version: 4, Expires: day("2027-03-19")}}}
	}
	p.Maturity = directory.Maturity{Model: "SIM3 v1", Levels: map[string]int{"O-1": g.IntN(5)}}
}

// record is a stored team with what it entered itself, an imported layer, and
// evidence.
func (g *generator) record(n int) directory.Record {
	r := directory.Record{
		ID: directory.TeamID(fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761&0xffffffff, n)), Handle: directory.Handle(fmt.Sprintf("team-%06d", n)), Revision: 1 + int64(g.IntN(5)),
		Created: day("2026-01-02"), Updated: day("2026-10-02").Add(time.Duration(n) * time.Second), Own: g.profile(n), OwnAt: day("2026-10-02"), OwnBy: "token:rct_1",
	}
	for i := range r.Own.Contacts {
		c := &r.Own.Contacts[i]
		c.ID, c.Revision, c.Since = directory.ContactID(fmt.Sprintf("%08x-0000-4000-9000-%012x", i, n)), 1, day("2026-10-02")
		if g.maybe() {
			r.Evidence = append(r.Evidence, directory.Evidence{ID: fmt.Sprintf("e%d-%d", n, i), Contact: c.ID, Revision: 1, Level: directory.Level(1 + g.IntN(4)),
				Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-10-03"), By: "operator", Note: g.line()})
		}
	}
	if g.maybe() {
		l := directory.Layer{Source: "list", Key: fmt.Sprint("row ", n), AsOf: day("2026-05-06"), At: day("2026-07-08"), Hash: "h", Profile: g.profile(n),
			Raw: []directory.Raw{{Field: "contacts.fax", Text: "+43 1 5056420"}, {Field: "contacts.other", Text: g.line(), Visibility: directory.Green}, {Field: "meta.oes coverage", Text: g.line()}}}
		for i := range l.Profile.Contacts {
			l.Profile.Contacts[i].ID, l.Profile.Contacts[i].Revision = directory.ContactID(fmt.Sprintf("%08x-0000-4000-a000-%012x", i, n)), 1
		}
		r.Layers = []directory.Layer{l}
	}
	switch g.IntN(50) {
	case 0:
		r.Deleted = day("2026-10-05")
	case 1:
		r.Deleted, r.MergedInto = day("2026-10-05"), "00000000-0000-4000-8000-000000000000"
	}
	return r
}

// What a team of any source keeps in a shape that comes from elsewhere it keeps
// for good: from the first import on, nothing changes any more.
func TestShapesRoundTripGenerated(t *testing.T) {
	g := generate(t)
	var teams []directory.Team
	for n := range 400 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	all := append(shapes(), shape{"cerebrate", format.Cerebrate}, shape{"csv", readCSV})
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			first, second := again(t, s, exported(t, s.name, teamsOf(teams...)))
			if len(first.records) != len(teams) || first.fatal != nil || len(first.skipped) != 0 {
				t.Fatalf("%d records of %d teams, fatal %v, skipped %v", len(first.records), len(teams), first.fatal, first.skipped)
			}
			checked(t, first)
			if diff := cmp.Diff(first.records, second.records, sameLayer()); diff != "" {
				t.Errorf("export, import, export, import (-first +second):\n%s", diff)
			}
		})
	}
}

// carriedBy is what a shape carries of a team, said here a second time and in
// another way than in its codec.
func carriedBy(name string, t *directory.Team) directory.Profile {
	p := directory.Profile{Names: directory.Names{Short: t.Names.Short, Full: t.Names.Full}, Host: t.Host, Country: t.Country, Address: t.Address, Zone: t.Zone, Hours: t.Hours,
		Established: t.Established}
	p.Constituency.Countries = t.Constituency.Countries
	for _, m := range t.Memberships {
		if m.Forum == name {
			m.Origin = directory.Origin{}
			p.Memberships = append(p.Memberships, m)
		}
	}
	for _, c := range t.Contacts {
		if c.Channel == "email" && name == "ti" || c.Channel == "phone" {
			c = directory.Contact{Channel: c.Channel, Value: c.Value, Uses: c.Uses}
			p.Contacts = append(p.Contacts, c)
		}
	}
	for _, k := range t.Keys {
		p.Keys = append(p.Keys, directory.TeamKey{Key: directory.Key{Fingerprint: k.Fingerprint}})
	}
	for _, r := range t.Resources {
		if name == "ti" && r.Type != "country" {
			p.Resources = append(p.Resources, directory.Resource{Type: r.Type, ASN: r.ASN, Domain: r.Domain, Prefix: r.Prefix, Claim: "listed"})
		}
	}
	if name == "first" {
		p.Kinds, p.Website, p.Constituency.Text = t.Kinds, t.Website, t.Constituency.Text
	} else {
		p.Constituency.Types = t.Constituency.Types
	}
	return p
}

// The fields that TI and FIRST have places for arrive, whoever the team is.
func TestShapesCarry(t *testing.T) {
	g := generate(t)
	for _, s := range shapes() {
		for n := range 300 {
			r := g.record(n)
			team := r.Team()
			in := collect(s.read(strings.NewReader(exported(t, s.name, teamsOf(team)))))
			if len(in.records) != 1 {
				t.Fatalf("%s: %d records of one team: %v %v", s.name, len(in.records), in.fatal, in.skipped)
			}
			got, want := in.records[0].Profile, carriedBy(s.name, &team)
			got.Constituency.Text, got.Names.Other = map[string]string{"first": got.Constituency.Text}[s.name], nil
			if s.name == "first" {
				got.Constituency.Types = nil // without scopes: see TestFIRSTConstituencies
				got.Contacts = withChannel(got.Contacts, "phone")
				got.Keys, want.Keys = nil, nil // one of them: see TestFIRSTExport
			}
			byKey := func(a, b directory.Contact) int { return strings.Compare(a.Key(), b.Key()) }
			slices.SortFunc(got.Contacts, byKey) // FIRST has those for emergencies behind the others
			slices.SortFunc(want.Contacts, byKey)
			opts := cmp.Options{prefixes(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(directory.Contact{}, "Visibility", "Label"), cmpopts.SortSlices(func(a, b string) bool { return a < b }),
				cmpopts.IgnoreFields(directory.Key{}, "Version", "Expires"), cmpopts.SortSlices(func(a, b directory.Resource) bool { return a.Key() < b.Key() }),
				cmp.Transformer("uses", func(c directory.Contact) string { return c.Key() + usesOf(c) })}
			if diff := cmp.Diff(want, got, opts); diff != "" {
				t.Errorf("%s: team %d (-want +got):\n%s", s.name, n, diff)
			}
		}
	}
}

func withChannel(list []directory.Contact, channel directory.Word) []directory.Contact {
	var out []directory.Contact
	for _, c := range list {
		if c.Channel == channel {
			out = append(out, c)
		}
	}
	return out
}

// usesOf writes the uses in the order of the vocabulary.
func usesOf(c directory.Contact) string {
	text := ""
	for _, use := range directory.Uses {
		if c.Serves(use) {
			text += " " + use
		}
	}
	return text
}
