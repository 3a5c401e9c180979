package directory_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// listing is what one source says about one team. Listings of one team have the
// same truth; each of the others is a trap.
type listing struct {
	truth, source, key, uuid string
	short, full, country     string
	kinds, mail, phone, web  string
	fingerprint              string // one letter, repeated
	designated               string // scope
	trap                     string // why it is not another one
}

// listings are the same teams as FIRST, the Trusted Introducer, a list of
// national teams and their own people know them. All of it is invented.
var listings = []listing{
	// The same team in four places, each with something else in common.
	{truth: "aurora", source: "first", key: "aurora", short: "AURORA-CERT", full: "Aurora Computer Emergency Response Team", country: "AT", mail: "cert@aurora.example.org", fingerprint: "A", kinds: "csirt"},
	{truth: "aurora", source: "ti", key: "aurora-cert", short: "AURORA-CERT", full: "Aurora CERT", country: "AT", mail: "cert@aurora.example.org", fingerprint: "A"},
	{truth: "aurora", source: "national", key: "at-1", short: "Aurora CERT", country: "AT", mail: "cert@aurora.example.org", designated: "national", kinds: "csirt national"},
	{truth: "aurora", source: "team", key: "aurora-own", short: "AURORA-CERT", country: "AT", mail: "cert@aurora.example.org", fingerprint: "A", kinds: "csirt national"},
	// A key alone, with another mailbox on each list.
	{truth: "borealis", source: "first", key: "borealis", short: "BOREALIS", full: "Borealis Incident Response", country: "DE", mail: "irt@borealis.example.net", fingerprint: "B"},
	{truth: "borealis", source: "ti", key: "bor-csirt", short: "BOR-CSIRT", full: "Borealis CSIRT", country: "DE", mail: "csirt@borealis.example.com", fingerprint: "B"},
	// The UUID that one source knows is the id of the other's record.
	{truth: "cygnus", source: "ti", key: "cygnus", uuid: "c0000000-0000-4000-8000-00000000c001", short: "Cygnus SOC", country: "NL", mail: "soc@cygnus.example.org"},
	{truth: "cygnus", source: "misp", key: "c0000000-0000-4000-8000-00000000c001", short: "Cygnus Security Operations", country: "NL", mail: "desk@cygnus-group.example.com"},
	// A mailbox and a near name.
	{truth: "dorado", source: "first", key: "dorado", short: "DORADO-CSIRT", full: "Dorado National Research Network CSIRT", country: "PT", mail: "csirt@dorado.example.org"},
	{truth: "dorado", source: "national", key: "pt-1", full: "Dorado National Research Network", country: "PT", mail: "csirt@dorado.example.org"},
	// The initials of the long name, and the same domain.
	{truth: "eridanus", source: "first", key: "enrc", short: "ENRC", country: "CZ", mail: "abuse@eridanus.example", kinds: "csirt"},
	{truth: "eridanus", source: "ti", key: "eridanus", full: "Eridanus Network Response Council", country: "CZ", mail: "council@eridanus.example"},
	// A slip in the name, the same domain.
	{truth: "fornax", source: "first", key: "fornax", short: "Fornax Energy CERT", country: "FI", mail: "cert@fornax.example"},
	{truth: "fornax", source: "national", key: "fi-2", short: "Fornaxx Energy CERT", country: "FI", mail: "incidents@fornax.example"},
	// The same telephone, and the same name.
	{truth: "gemini", source: "ti", key: "gemini", short: "GEMINI-IRT", country: "SE", mail: "irt@gemini.example", phone: "+4610000001"},
	{truth: "gemini", source: "team", key: "gemini-own", short: "Gemini IRT", country: "SE", mail: "irt@gemini-security.example", phone: "+4610000001"},
	// Accents and another order of words.
	{truth: "hydra", source: "first", key: "hydra", full: "Équipe Hydra CERT", country: "FR", mail: "cert@hydra.example"},
	{truth: "hydra", source: "national", key: "fr-7", full: "CERT Hydra Equipe", country: "FR", mail: "cert@hydra.example"},
	// A mailbox at a provider is still one mailbox.
	{truth: "indus", source: "first", key: "indus", short: "INDUS-CERT", country: "LK", mail: "indus.cert@gmail.com"},
	{truth: "indus", source: "national", key: "lk-1", short: "Indus CERT", country: "LK", mail: "indus.cert@gmail.com"},
	// Nothing but the name in common.
	{truth: "lyra", source: "first", key: "lyra", full: "Lyra Telecom Security", country: "IT", mail: "security@lyra.example"},
	{truth: "lyra", source: "ti", key: "lyra", full: "Lyra Telecom", country: "IT", mail: "noc@lt.example.it"},
	// A new name, mailbox and domain, of which no list tells: nobody can know.
	{truth: "musca", source: "first", key: "musca", short: "MUSCA-SOC", full: "Musca Operations", country: "NO", mail: "soc@musca.example"},
	{truth: "musca", source: "ti", key: "blue-star", short: "BLUE-STAR", full: "Blue Star Response", country: "NO", mail: "desk@blue-star.example"},

	// Traps. Towns of one name, in one list, with mailboxes of their own.
	{truth: "springfield-1", source: "national", key: "us-1", full: "City of Springfield", country: "US", mail: "it@springfield-north.example", trap: "same town name"},
	{truth: "springfield-2", source: "national", key: "us-2", full: "City of Springfield", country: "US", mail: "it@springfield-south.example", trap: "same town name"},
	// ... and in two lists, with one provider.
	{truth: "riverside-1", source: "first", key: "riverside", full: "City of Riverside", country: "US", mail: "riverside.north@gmail.com", trap: "same town name, same provider"},
	{truth: "riverside-2", source: "ti", key: "riverside", full: "Riverside", country: "US", mail: "riverside.south@gmail.com", trap: "same town name, same provider"},
	// One company with two teams, of which one list has both ...
	{truth: "orion-csirt", source: "first", key: "orion-csirt", short: "ORION-CSIRT", full: "Orion Systems CSIRT", country: "JP", mail: "security@orion.example", kinds: "csirt", fingerprint: "D", trap: "CSIRT and PSIRT of one company, with one key"},
	{truth: "orion-psirt", source: "first", key: "orion-psirt", short: "ORION-PSIRT", full: "Orion Systems PSIRT", country: "JP", mail: "psirt@orion.example", kinds: "psirt", fingerprint: "D", trap: "CSIRT and PSIRT of one company, with one key"},
	// ... or each list one.
	{truth: "pavo-csirt", source: "first", key: "pavo", short: "PAVO-CERT", full: "Pavo Devices", country: "KR", mail: "security@pavo.example", kinds: "csirt", trap: "CSIRT and PSIRT with one mailbox"},
	{truth: "pavo-psirt", source: "cna", key: "CNA-2020-0001", full: "Pavo Devices", country: "KR", mail: "security@pavo.example", kinds: "psirt", trap: "CSIRT and PSIRT with one mailbox"},
	// The national and the government team of one country, behind one mailbox.
	{truth: "tucana-national", source: "ti", key: "tucana", short: "TUC-CERT", full: "Tucana CERT", country: "EE", mail: "cert@gov.tucana.example", kinds: "csirt national", designated: "national", trap: "national and government"},
	{truth: "tucana-government", source: "national", key: "ee-1", short: "GOV-TUC-CERT", full: "Tucana Government CERT", country: "EE", mail: "cert@gov.tucana.example", kinds: "csirt government", designated: "government", trap: "national and government"},
	// Two people with a mailbox at one provider, in one country.
	{truth: "norma", source: "first", key: "norma", short: "NORMA-CERT", country: "PE", mail: "norma@outlook.com", trap: "same provider"},
	{truth: "octans", source: "ti", key: "octans", short: "OCTANS-CERT", country: "PE", mail: "octans@outlook.com", trap: "same provider"},
	// One key that a service provider uses for two customers in two countries.
	{truth: "sextans-be", source: "first", key: "sextans-be", short: "SEXTANS-BE", country: "BE", mail: "cert@sextans.example", fingerprint: "E", trap: "one key, two countries"},
	{truth: "sextans-lu", source: "ti", key: "sextans-lu", short: "SEXTANS-LU", country: "LU", mail: "cert@sextans.example", fingerprint: "E", trap: "one key, two countries"},
	// A university whose institutes share its domain.
	{truth: "uni-physics", source: "first", key: "uni-physics", full: "Institute of Physics", country: "ES", mail: "it@physics.uni.example", trap: "shared domain"},
	{truth: "uni-law", source: "ti", key: "uni-law", full: "Faculty of Law", country: "ES", mail: "it@law.uni.example", trap: "shared domain"},
	{truth: "uni-medicine", source: "national", key: "es-4", full: "School of Medicine", country: "ES", mail: "it@medicine.uni.example", trap: "shared domain"},
	{truth: "uni-library", source: "cna", key: "CNA-2021-0002", full: "Library", country: "ES", mail: "it@library.uni.example", trap: "shared domain"},
	{truth: "uni-press", source: "misp", key: "uni-press", full: "Press Office", country: "ES", mail: "press@uni.example", trap: "shared domain"},
	// Numbered teams.
	{truth: "unit-1", source: "first", key: "unit-1", full: "Volans Response Unit 1", country: "GR", mail: "unit1@volans-one.example", trap: "another number"},
	{truth: "unit-2", source: "ti", key: "unit-2", full: "Volans Response Unit 2", country: "GR", mail: "unit2@volans-two.example", trap: "another number"},
	// A UUID that a list gave to two teams, of two countries.
	{truth: "vela-cl", source: "ti", key: "vela", uuid: "d0000000-0000-4000-8000-00000000d001", short: "VELA-CL", country: "CL", mail: "cert@vela-cl.example", trap: "one UUID, two countries"},
	{truth: "vela-ar", source: "misp", key: "d0000000-0000-4000-8000-00000000d001", short: "VELA-AR", country: "AR", mail: "cert@vela-ar.example", trap: "one UUID, two countries"},
}

func (l listing) profile() directory.Profile {
	p := directory.Profile{Names: directory.Names{Short: l.short, Full: l.full}, Country: directory.Country(l.country), Kinds: strings.Fields(l.kinds), Website: l.web}
	p.Contacts = []directory.Contact{email(l.mail, "general")}
	if l.phone != "" {
		p.Contacts = append(p.Contacts, directory.Contact{Channel: "phone", Value: l.phone})
	}
	if l.fingerprint != "" {
		p.Keys = []directory.TeamKey{{Key: directory.Key{Fingerprint: directory.Fingerprint(strings.Repeat(l.fingerprint, 40)), Version: 4}}}
	}
	if l.designated != "" {
		p.Designations = []directory.Designation{{Country: p.Country, Scope: l.designated}}
	}
	return p
}

// handle is unique, and leads a test back to the listing.
func (l listing) handle() directory.Handle {
	return directory.Handle(l.source + "." + strings.ToLower(l.key))
}

// known loads all listings and returns the truth by handle.
func (d door) known() map[directory.Handle]string {
	d.t.Helper()
	truth := map[directory.Handle]string{}
	sources := map[string][]directory.SourceRecord{}
	var order []string
	for _, l := range listings {
		truth[l.handle()] = l.truth
		if l.source == directory.SourceTeam {
			if _, err := d.Create(context.Background(), operator, directory.NewTeam{Handle: l.handle(), Profile: l.profile()}); err != nil {
				d.t.Fatalf("%s: %v", l.handle(), err)
			}
			continue
		}
		if sources[l.source] == nil {
			order = append(order, l.source)
		}
		sources[l.source] = append(sources[l.source], directory.SourceRecord{Row: len(sources[l.source]) + 1, Key: l.key, Handle: l.handle(), Profile: l.profile()})
	}
	for _, s := range order {
		if got, err := d.importing(directory.ImportOptions{Source: s}, sources[s]...); err != nil || got.Created != len(sources[s]) {
			d.t.Fatalf("import %s: %+v, %v", s, got, err)
		}
	}
	// Once a source knows the UUID of a team that is here already, it stays on it.
	for _, l := range listings {
		if l.uuid != "" {
			r := directory.SourceRecord{Row: 1, Key: l.key, ID: directory.TeamID(l.uuid), Handle: l.handle(), Profile: l.profile()}
			if _, err := d.importing(directory.ImportOptions{Source: l.source}, r); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	return truth
}

func (d door) index() *directory.Index {
	d.t.Helper()
	var x *directory.Index
	err := d.store.View(context.Background(), func(r directory.Reader) (err error) {
		x, err = directory.LoadIndex(r, directory.IndexOptions{})
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return x
}

func (d door) matches(q directory.MatchQuery) directory.MatchPage {
	d.t.Helper()
	page, err := d.Matches(context.Background(), operator, d.index(), q)
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

// TestMatchFixture states what is proposed, of what is known to be true.
func TestMatchFixture(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		truth := d.known()
		pairs := 0 // that are the same
		for i, a := range listings {
			for _, b := range listings[:i] {
				if a.truth == b.truth {
					pairs++
				}
			}
		}
		page := d.matches(directory.MatchQuery{Limit: 1000})
		found, wrong := 0, 0
		least := map[bool]float64{true: 1, false: 1}
		for _, m := range page.Matches {
			same := truth[m.A.Handle] == truth[m.B.Handle]
			if same {
				found++
			} else {
				wrong++
			}
			least[same] = min(least[same], m.Score)
			t.Logf("%.2f %-8s %v %s = %s: %v", m.Score, m.Exactness, same, m.A.Handle, m.B.Handle, m.Reasons)
		}
		t.Logf("recall %d of %d, precision %d of %d", found, pairs, found, found+wrong)
		if found != pairs-1 || pairs != 16 {
			t.Errorf("%d of the %d pairs that are the same are proposed, want all 16 but that of musca", found, pairs)
		}
		if wrong > 4 {
			t.Errorf("%d pairs are proposed that are not the same, want at most 4", wrong)
		}
		sure := d.matches(directory.MatchQuery{Limit: 1000, MinScore: 0.8})
		for _, m := range sure.Matches {
			if truth[m.A.Handle] != truth[m.B.Handle] {
				t.Errorf("%s and %s are proposed at %.2f: %v", m.A.Handle, m.B.Handle, m.Score, m.Reasons)
			}
		}
		if diff := cmp.Diff(d.matches(directory.MatchQuery{Limit: 1000}).Matches, page.Matches, cmp.Comparer(func(a, b directory.Match) bool {
			return a.A.ID == b.A.ID && a.B.ID == b.B.ID && a.Score == b.Score && len(a.Reasons) == len(b.Reasons)
		})); diff != "" {
			t.Errorf("a second look is another list (-got +want):\n%s", diff)
		}
	})
}

// TestRulesAreRight proves that no rule merges what is not the same, however
// many are on at once, and says how much they find.
func TestRulesAreRight(t *testing.T) {
	for _, c := range []struct {
		rules string
		want  int // merges
	}{
		{"uuid", 1},
		{"key+country", 3},
		{"mailbox+country+near-name", 6},
		{"uuid,key+country,mailbox+country+near-name", 8},
		{"uuid key mailbox", 8},
	} {
		t.Run(c.rules, func(t *testing.T) {
			onEngines(t, func(t *testing.T, d door) {
				truth := d.known()
				rules, err := directory.ParseRules(c.rules)
				if err != nil {
					t.Fatal(err)
				}
				report, err := d.ApplyRules(context.Background(), operator, directory.RuleOptions{Rules: rules, Force: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range report.Merges {
					if truth[m.From.Handle] != truth[m.Into.Handle] {
						t.Errorf("rule %s merged %s into %s: %v", m.Rule, m.From.Handle, m.Into.Handle, m.Reasons)
					}
					if got, err := d.Team(context.Background(), operator, string(m.From.Handle)); err != nil || got.ID != m.Into.ID {
						t.Errorf("%s leads to %s, %v; want %s", m.From.Handle, got.Handle, err, m.Into.Handle)
					}
				}
				if len(report.Merges) != c.want {
					t.Errorf("%d merges, want %d: %v", len(report.Merges), c.want, report.Merges)
				}
				again, err := d.ApplyRules(context.Background(), operator, directory.RuleOptions{Rules: rules, Force: true})
				if err != nil || len(again.Merges) != 0 {
					t.Errorf("a second run merges %v, %v; want nothing", again.Merges, err)
				}
			})
		})
	}
}
