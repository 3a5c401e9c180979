package directory_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// rec builds a record whose id and contact ids are made from its handle.
func rec(handle string, change ...func(*directory.Record)) directory.Record {
	r := directory.Record{ID: directory.TeamID("id-" + handle), Handle: directory.Handle(handle), Revision: 1, OwnAt: now.AddDate(-1, 0, 0)}
	for _, c := range change {
		c(&r)
	}
	return r
}

// mail adds a mail contact; words are uses, classes ("class:fraud") and a
// label ("tlp:amber").
func mail(value string, words ...string) func(*directory.Record) {
	return contact("email", value, words...)
}

func contact(channel, value string, words ...string) func(*directory.Record) {
	return func(r *directory.Record) {
		c := directory.Contact{ID: directory.ContactID(value), Revision: 1, Channel: channel, Value: value}
		for _, w := range words {
			if class, ok := strings.CutPrefix(w, "class:"); ok {
				c.Classes = append(c.Classes, class)
			} else if label, ok := strings.CutPrefix(w, "tlp:"); ok {
				c.Visibility = directory.TLP(label)
			} else {
				c.Uses = append(c.Uses, w)
			}
		}
		r.Own.Contacts = append(r.Own.Contacts, c)
	}
}

// has adds a resource; words are a claim or a label.
func has(kind, value string, words ...string) func(*directory.Record) {
	return func(r *directory.Record) {
		res := directory.Resource{Type: kind}
		switch kind {
		case "prefix":
			res.Prefix = netip.MustParsePrefix(value)
		case "asn":
			res.ASN, _ = directory.ParseASN(value)
		case "domain":
			res.Domain = directory.Domain(value)
		case "country":
			res.Country = directory.Country(value)
		}
		for _, w := range words {
			if label, ok := strings.CutPrefix(w, "tlp:"); ok {
				res.Visibility = directory.TLP(label)
			} else {
				res.Claim = w
			}
		}
		r.Own.Resources = append(r.Own.Resources, res)
	}
}

func nation(c directory.Country, scope string, preference int) func(*directory.Record) {
	return func(r *directory.Record) {
		r.Own.Designations = append(r.Own.Designations, directory.Designation{Country: c, Scope: scope, Preference: preference})
	}
}

func evidence(contact string, outcome directory.Outcome, level directory.Level) func(*directory.Record) {
	return func(r *directory.Record) {
		r.Evidence = append(r.Evidence, directory.Evidence{
			ID: contact + string(outcome), Contact: directory.ContactID(contact), Revision: 1, Level: level, Outcome: outcome, Method: "phone", At: now.AddDate(0, -1, 0),
		})
	}
}

func named(names ...string) func(*directory.Record) {
	return func(r *directory.Record) { r.Own.Names = directory.Names{Short: names[0], Other: names[1:]} }
}

func refs(tb testing.TB) []*directory.ReferenceTable {
	p := netip.MustParsePrefix
	return []*directory.ReferenceTable{
		tableFrom(tb, directory.PrefixCountry, []directory.ReferenceRow{
			{Prefix: p("192.0.2.0/24"), Country: "AT"}, {Prefix: p("198.51.100.0/24"), Country: "NL"}, {Prefix: p("2001:db8::/32"), Country: "DE"},
		}),
		tableFrom(tb, directory.PrefixASN, []directory.ReferenceRow{
			{Prefix: p("192.0.2.0/24"), Origins: []directory.ASN{64496}}, {Prefix: p("203.0.113.0/24"), Origins: []directory.ASN{64497, 64498}},
		}),
		tableFrom(tb, directory.ASNCountry, []directory.ReferenceRow{{First: 64496, Last: 64499, Country: "DE"}}),
	}
}

func indexOf(tb testing.TB, records ...directory.Record) *directory.Index {
	return directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 7, Epoch: "a"}, slices.Values(records), refs(tb)...)
}

// smallTeams are teams for every rung.
func smallTeams() []directory.Record {
	return []directory.Record{
		rec("alpha", named("Alpha CSIRT", "Älpha Team"), mail("csirt@alpha.example.org", "abuse"), has("prefix", "192.0.2.0/25"), has("domain", "alpha.example.org"),
			func(r *directory.Record) {
				r.Own.Country = "AT"
				r.Own.Keys = []directory.TeamKey{{Key: directory.Key{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567"}}}
			}),
		rec("beta", named("Beta SOC"), mail("soc@beta.example.org"), has("prefix", "192.0.2.0/24"), has("asn", "AS64496"), has("domain", "example.org")),
		rec("nat-at", named("National AT"), mail("team@nat.example.at"), nation("AT", "national", 0)),
		rec("gov-at", named("Government AT"), mail("gov@nat.example.at"), nation("AT", "government", 0)),
		rec("mil-at", named("Army AT"), mail("mil@nat.example.at"), nation("AT", "military", 0)),
		rec("nat-nl", named("National NL"), mail("team@nat.example.nl"), nation("NL", "national", 0)),
		rec("first-de", named("First DE"), mail("one@nat.example.de"), nation("DE", "national", 1)),
		rec("second-de", named("Second DE"), mail("two@nat.example.de"), nation("DE", "government", 2)),
		rec("silent", named("Silent"), has("domain", "silent.example"), func(r *directory.Record) { r.Own.Country = "NL" }),
		rec("gone", named("Gone"), mail("x@gone.example"), has("domain", "gone.example"), func(r *directory.Record) { r.Own.Status = "inactive" }),
		rec("twin-a", named("Twin"), mail("a@twin.example"), has("domain", "twin.example")),
		rec("twin-b", named("TWIN!"), mail("b@twin.example"), has("domain", "twin.example")),
		rec("old", func(r *directory.Record) { r.MergedInto = "id-alpha" }),
		rec("dead", mail("x@dead.example"), has("domain", "dead.example"), func(r *directory.Record) { r.Deleted = now }),
		rec("cert.example.at", named("Team of the name"), mail("reports@cert.example.at")),
		rec("bank.example.at", named("Team that took the name"), mail("desk@elsewhere.example")),
		rec("fr", named("France"), mail("all@fr.example"), has("country", "FR")),
	}
}

func smallIndex(tb testing.TB) *directory.Index { return indexOf(tb, smallTeams()...) }

// summary is an answer on one line: status, then "rank rung contact" of each
// candidate.
func summary(a *directory.Answer) string {
	parts := []string{string(a.Status)}
	for i := range a.Candidates {
		parts = append(parts, candidate(&a.Candidates[i]))
	}
	return strings.Join(parts, "; ")
}

func candidate(c *directory.Candidate) string {
	value := "nobody"
	if c.Contact != nil {
		value = c.Contact.Value
	}
	if c.Withheld {
		value += " withheld"
	}
	if c.Standing.State == directory.Failed {
		value += " failed"
	}
	if c.Near {
		value += " near"
	}
	return fmt.Sprintf("%d %s %s", c.Rank, c.Rung, value)
}

func look(tb testing.TB, x *directory.Index, query string, ask directory.Ask) *directory.Answer {
	tb.Helper()
	q, err := directory.ParseQuery(query)
	if err != nil {
		tb.Fatalf("ParseQuery(%q) = %v", query, err)
	}
	if ask.Now.IsZero() {
		ask.Now = now
	}
	a := new(directory.Answer)
	x.Lookup(q, ask, a)
	return a
}

func TestLookupLadder(t *testing.T) {
	x := smallIndex(t)
	at := "; 3 national gov@nat.example.at; 3 national team@nat.example.at"
	for _, tc := range []struct{ name, query, want string }{
		{"own prefixes come first, the most specific before the wider, then the nation's teams undecided", "192.0.2.1",
			"match; 1 prefix csirt@alpha.example.org; 2 prefix soc@beta.example.org" + at},
		{"only the wider prefix covers it", "192.0.2.200", "match; 1 prefix soc@beta.example.org" + strings.ReplaceAll(at, "3", "2")},
		{"a prefix is covered by the whole of another", "192.0.2.0/24", "match; 1 prefix soc@beta.example.org" + strings.ReplaceAll(at, "3", "2")},
		{"a prefix wider than all is nobody's", "192.0.0.0/16", "none"},
		{"an address of a country with one team", "198.51.100.1", "match; 1 national team@nat.example.nl"},
		{"IPv6, and a government that numbered its teams", "2001:db8::1", "match; 1 national one@nat.example.de; 2 national two@nat.example.de"},
		{"no country of its own, so that of the network", "203.0.113.1", "match; 1 national one@nat.example.de; 2 national two@nat.example.de"},
		{"an address nobody delegated", "10.0.0.1", "none"},
		{"an AS number of a team, then its country", "AS64496", "match; 1 asn soc@beta.example.org; 2 national one@nat.example.de; 3 national two@nat.example.de"},
		{"an AS number without team", "AS64499", "match; 1 national one@nat.example.de; 2 national two@nat.example.de"},
		{"an AS number nobody knows", "AS64511", "none"},
		{"a domain walks up label by label, and the holder's country follows", "www.alpha.example.org",
			"match; 1 domain csirt@alpha.example.org; 2 domain soc@beta.example.org" + at},
		{"a domain of several teams", "twin.example", "ambiguous; 1 domain a@twin.example; 1 domain b@twin.example"},
		{"a known domain without contact falls back to its holder's country", "www.silent.example", "match; 1 national team@nat.example.nl"},
		{"a team that no longer operates answers for nothing", "gone.example", "none"},
		{"a deleted team is not there", "dead.example", "none"},
		{"an unknown domain of a country", "unknown.example.nl", "match; 1 national team@nat.example.nl"},
		{"an unknown domain of no country", "unknown.example", "none"},
		{"a domain that is a team's handle", "CERT.Example.AT", "match; 1 team reports@cert.example.at; 2 national gov@nat.example.at; 2 national team@nat.example.at"},
		{"a domain that is the handle of a team elsewhere", "bank.example.at", "ambiguous; 1 national gov@nat.example.at; 1 national team@nat.example.at"},
		{"a URL", "https://alpha.example.org/x", "match; 1 domain csirt@alpha.example.org; 2 domain soc@beta.example.org" + at},
		{"a URL with an address", "http://198.51.100.7/", "match; 1 national team@nat.example.nl"},
		{"a mailbox that is a contact, named once though the domain leads to it too", "SOC@beta.example.org", "match; 1 mailbox soc@beta.example.org"},
		{"a mailbox in a team's domain", "someone@alpha.example.org", "match; 1 domain csirt@alpha.example.org; 2 domain soc@beta.example.org" + at},
		{"a country with several teams", "AT", "ambiguous; 1 national gov@nat.example.at; 1 national team@nat.example.at"},
		{"a team for all of a country", "FR", "match; 1 country all@fr.example"},
		{"a country without team", "JP", "none"},
		{"a fingerprint", "0123456789ABCDEF0123456789ABCDEF01234567", "match; 1 fingerprint csirt@alpha.example.org"},
		{"an unknown fingerprint", "FFFF456789ABCDEF0123456789ABCDEF01234567", "none"},
		{"a handle", "alpha", "match; 1 team csirt@alpha.example.org"},
		{"an id", "ID-ALPHA", "match; 1 team csirt@alpha.example.org"},
		{"a name in another spelling", "alpha  csirt", "match; 1 team csirt@alpha.example.org"},
		{"accents do not matter", "alpha team", "match; 1 team csirt@alpha.example.org"},
		{"a name of two teams", "twin", "ambiguous; 1 team a@twin.example; 1 team b@twin.example"},
		{"a merged team's handle", "old", "match; 1 team csirt@alpha.example.org"},
		{"an inactive team is found by name", "Gone", "match; 1 team x@gone.example"},
		{"a team without contact is still the team asked for", "Silent", "match; 1 team nobody"},
		{"a near name is never a match", "alpa csirt", "ambiguous; 1 team csirt@alpha.example.org near"},
		{"a part of a name is near", "government", "ambiguous; 1 team gov@nat.example.at near"},
		{"no such name", "zzzzzzzz", "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := look(t, x, tc.query, directory.Ask{})
			if got := summary(a); got != tc.want {
				t.Errorf("Lookup(%q)\n got %s\nwant %s", tc.query, got, tc.want)
			}
			if a.Incomplete || a.Seq != 7 {
				t.Errorf("Lookup(%q): incomplete %t, seq %d, want complete at 7", tc.query, a.Incomplete, a.Seq)
			}
		})
	}
}

func TestLookupTrace(t *testing.T) {
	x := smallIndex(t)
	day := now.AddDate(0, -1, 0).Format(time.DateOnly)
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"an address, every rung in order", "192.0.2.1", []string{
			"prefix 192.0.2.0/25, which holds 192.0.2.1: Alpha CSIRT",
			"prefix 192.0.2.0/24, which holds 192.0.2.1: Beta SOC",
			"prefix 192.0.2.0/24 → AS64496 (prefix-asn/test, as of " + day + ")",
			"asn AS64496: Beta SOC",
			"prefix 192.0.2.0/24 → AT (prefix-country/test, as of " + day + ")",
			"AT: no team is responsible for the whole country",
			"national AT: 2 teams, and nothing that decides between them",
		}},
		{"nobody", "10.0.0.1", []string{
			"10.0.0.1: in no team's address space",
			"10.0.0.1: not in the reference data (prefix-asn/test, as of " + day + ")",
			"10.0.0.1: not in the reference data (prefix-country/test, as of " + day + ")",
		}},
		{"no contact published", "www.silent.example", []string{
			"domain silent.example, which holds www.silent.example: Silent, no contact published",
			"www.silent.example → NL",
			"NL: no team is responsible for the whole country",
			"national NL: National NL",
		}},
		{"no longer operating", "gone.example", []string{
			"domain gone.example: Gone, no longer operating", "gone.example: leads to no country",
		}},
		{"merged", "old", []string{"old: became part of alpha", "team alpha, which holds old: Alpha CSIRT"}},
		{"near", "alpa csirt", []string{"alpa csirt: no team has this name, 1 look like it"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, s := range look(t, x, tc.query, directory.Ask{}).Trace {
				got = append(got, s.Text())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("trace of %s (-want +got):\n%s", tc.query, diff)
			}
		})
	}
}

func TestLookupWithoutReferenceDataIsIncomplete(t *testing.T) {
	x := directory.BuildIndex(directory.IndexOptions{}, directory.Head{}, slices.Values(smallTeams()))
	for _, q := range []string{"10.0.0.1", "192.0.2.1", "AS64511"} {
		a := look(t, x, q, directory.Ask{})
		last := a.Trace[len(a.Trace)-1]
		if !a.Incomplete || last.Result != directory.StepNotLoaded {
			t.Errorf("Lookup(%q) = incomplete %t, last step %s, want incomplete and not_loaded", q, a.Incomplete, last.Result)
		}
	}
}

func TestLookupOfNoIndexIsUnavailable(t *testing.T) {
	var x *directory.Index
	a := look(t, x, "192.0.2.1", directory.Ask{})
	if a.Status != directory.StatusUnavailable || directory.KindOf(a.Err) != directory.Unavailable {
		t.Errorf("Lookup on no index = %s, %v, want unavailable", a.Status, a.Err)
	}
}

func TestLookupLastResort(t *testing.T) {
	o := directory.IndexOptions{LastResort: "beta"}
	x := directory.BuildIndex(o, directory.Head{}, slices.Values(smallTeams()), refs(t)...)
	if got, want := summary(look(t, x, "10.0.0.1", directory.Ask{})), "match; 1 last-resort soc@beta.example.org"; got != want {
		t.Errorf("nobody else: got %s, want %s", got, want)
	}
	if got, want := summary(look(t, x, "192.0.2.200", directory.Ask{})), "match; 1 prefix soc@beta.example.org; 2 national gov@nat.example.at; 2 national team@nat.example.at"; got != want {
		t.Errorf("named already: got %s, want %s", got, want)
	}
	if got := summary(look(t, x, "FFFF456789ABCDEF0123456789ABCDEF01234567", directory.Ask{})); got != "none" {
		t.Errorf("a key has no last resort: got %s", got)
	}
}

// viewers are one principal for each thing that TLP tells apart.
func viewers() map[string]directory.Principal {
	return map[string]directory.Principal{
		"anonymous":   directory.Nobody(),
		"consumer":    {Role: directory.Consumer},
		"colleague":   {Role: directory.Consumer, Forums: []string{"first"}},
		"secretariat": {Role: directory.Secretariat, Forum: "first", Forums: []string{"first"}},
		"own team":    {Role: directory.Editor, Team: "id-veiled"},
		"operator":    {Role: directory.Operator},
	}
}

func TestLookupVisibility(t *testing.T) {
	sees := map[string]string{
		"clear": "anonymous consumer colleague secretariat own team operator", "green": "consumer colleague secretariat own team operator",
		"amber": "colleague secretariat own team operator", "amber+strict": "secretariat own team operator", "red": "own team operator",
	}
	member := func(r *directory.Record) {
		r.Own.Memberships = []directory.Membership{{Forum: "first", Status: "member"}}
	}
	for label, who := range sees {
		contacts := indexOf(t, rec("veiled", member, mail("v@veiled.example", "tlp:"+label), has("domain", "veiled.example")))
		resources := indexOf(t, rec("veiled", member, mail("v@veiled.example"), has("domain", "veiled.example", "tlp:"+label)))
		mailbox := indexOf(t, rec("veiled", member, mail("v@veiled.example", "tlp:"+label)))
		for name, viewer := range viewers() {
			open := strings.Contains(who, name)
			ask := directory.Ask{Viewer: viewer}
			want := "match; 1 domain v@veiled.example"
			if !open {
				want = "match; 1 domain nobody withheld"
			}
			if got := summary(look(t, contacts, "veiled.example", ask)); got != want {
				t.Errorf("%s contact for %s: got %s, want %s", label, name, got, want)
			}
			want = "match; 1 domain v@veiled.example"
			if !open {
				want = "none"
			}
			if got := summary(look(t, resources, "veiled.example", ask)); got != want {
				t.Errorf("%s resource for %s: got %s, want %s", label, name, got, want)
			}
			if got := look(t, mailbox, "v@veiled.example", ask).Status == directory.StatusMatch; got != open {
				t.Errorf("%s mailbox for %s: found %t, want %t", label, name, got, open)
			}
		}
	}
}

// A team whose contact is hidden keeps its rank, and the status speaks of the
// first contact that can be seen.
func TestLookupWithheldFallsBack(t *testing.T) {
	x := indexOf(t,
		rec("veiled", mail("v@veiled.example.at", "tlp:red"), has("domain", "veiled.example.at")),
		rec("nat-at", mail("team@nat.example.at"), nation("AT", "national", 0)))
	a := look(t, x, "veiled.example.at", directory.Ask{})
	if got, want := summary(a), "match; 1 domain nobody withheld; 2 national team@nat.example.at"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a.Trace[0].Result != directory.StepWithheld {
		t.Errorf("first step is %s, want withheld", a.Trace[0].Result)
	}
	if best := a.Best(); best == nil || best.Contact.Value != "team@nat.example.at" {
		t.Errorf("Best() = %v, want the national team", best)
	}
}

func TestLookupChoosesContact(t *testing.T) {
	team := rec("t", has("domain", "t.example"),
		mail("general@t.example"), mail("abuse@t.example", "abuse"), mail("fraud@t.example", "abuse", "class:fraud"),
		contact("phone", "+4312345", "emergency"), mail("night@t.example", "emergency"), mail("rep@t.example", "representative"))
	x := indexOf(t, team)
	for _, tc := range []struct{ name, use, class, want string }{
		{"abuse is what is asked for when nothing is", "", "", "abuse@t.example"},
		{"a contact for the class comes before one for all", "abuse", "fraud", "fraud@t.example"},
		{"a contact for another class is not asked", "abuse", "availability", "abuse@t.example"},
		{"no contact for the use: general stands in", "vulnerability", "", "general@t.example"},
		{"the phone comes first in an emergency", "emergency", "", "+4312345"},
		{"the representative only when asked for", "representative", "", "rep@t.example"},
		{"general", "general", "", "general@t.example"},
	} {
		a := look(t, x, "t.example", directory.Ask{Use: tc.use, Class: tc.class})
		if got := a.Candidates[0].Contact.Value; got != tc.want {
			t.Errorf("%s: use %q class %q = %s, want %s", tc.name, tc.use, tc.class, got, tc.want)
		}
	}
}

func TestLookupContactForOtherClassesOnlyIsNoContact(t *testing.T) {
	x := indexOf(t, rec("t", has("domain", "t.example"), mail("fraud@t.example", "abuse", "class:fraud")))
	a := look(t, x, "t.example", directory.Ask{Class: "availability"})
	if a.Status != directory.StatusNone || a.Trace[0].Result != directory.StepNoContact {
		t.Errorf("got %s after %s, want none after no_contact", a.Status, a.Trace[0].Result)
	}
}

func TestLookupStanding(t *testing.T) {
	for _, tc := range []struct {
		name string
		team directory.Record
		want string
	}{
		{"a failed contact comes after a working one and stays visible",
			rec("t", has("domain", "t.example"), mail("abuse@t.example", "abuse"), mail("info@t.example"), evidence("abuse@t.example", directory.OutcomeFailed, 0)),
			"match; 1 domain info@t.example; 2 domain abuse@t.example failed"},
		{"the only contact, failed, keeps its place",
			rec("t", has("domain", "t.example"), mail("abuse@t.example"), evidence("abuse@t.example", directory.OutcomeFailed, 0)),
			"match; 1 domain abuse@t.example failed"},
		{"a failed contact nobody would have chosen is not shown",
			rec("t", has("domain", "t.example"), mail("abuse@t.example", "abuse"), mail("info@t.example"), evidence("info@t.example", directory.OutcomeFailed, 0)),
			"match; 1 domain abuse@t.example"},
		{"a dispute moves nothing",
			rec("t", has("domain", "t.example"), mail("abuse@t.example", "abuse"), mail("info@t.example"), evidence("abuse@t.example", directory.OutcomeDisputed, 0)),
			"match; 1 domain abuse@t.example"},
	} {
		if got := summary(look(t, indexOf(t, tc.team), "t.example", directory.Ask{})); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestLookupClaimsAndDesignations(t *testing.T) {
	p := "192.0.2.0/24"
	ended := func(r *directory.Record) {
		r.Own.Designations = []directory.Designation{{Country: "FR", Scope: "national", Until: "2026-11-20"}}
	}
	for _, tc := range []struct {
		name, query string
		teams       []directory.Record
		want        string
	}{
		{"a confirmed claim before a declared one before a disputed one", p,
			[]directory.Record{rec("a", mail("a@x.example"), has("prefix", p, "disputed")), rec("b", mail("b@x.example"), has("prefix", p)), rec("c", mail("c@x.example"), has("prefix", p, "confirmed"))},
			"match; 1 prefix c@x.example; 2 prefix b@x.example; 3 prefix a@x.example"},
		{"listed and declared are alike", p,
			[]directory.Record{rec("a", mail("a@x.example"), has("prefix", p, "listed")), rec("b", mail("b@x.example"), has("prefix", p, "declared"))},
			"ambiguous; 1 prefix a@x.example; 1 prefix b@x.example"},
		{"one preference that is not said, and none decides", "FR",
			[]directory.Record{rec("a", mail("a@x.example"), nation("FR", "national", 0)), rec("b", mail("b@x.example"), nation("FR", "national", 1))},
			"ambiguous; 1 national a@x.example; 1 national b@x.example"},
		{"equal preferences do not decide", "FR",
			[]directory.Record{rec("a", mail("a@x.example"), nation("FR", "national", 2)), rec("b", mail("b@x.example"), nation("FR", "national", 1)), rec("c", mail("c@x.example"), nation("FR", "national", 1))},
			"ambiguous; 1 national b@x.example; 1 national c@x.example; 2 national a@x.example"},
		{"a designation that ended", "FR", []directory.Record{rec("a", mail("a@x.example"), ended)}, "none"},
		{"two designations of one team are one team", "FR",
			[]directory.Record{rec("a", mail("a@x.example"), nation("FR", "national", 0), nation("FR", "government", 0))}, "match; 1 national a@x.example"},
	} {
		if got := summary(look(t, indexOf(t, tc.teams...), tc.query, directory.Ask{})); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestLookupOfAddressDoesNotAllocate(t *testing.T) {
	x := smallIndex(t)
	var a directory.Answer
	ask := directory.Ask{Viewer: directory.Nobody(), Now: now}
	for _, addr := range []string{"192.0.2.1", "2001:db8::1", "10.0.0.1", "203.0.113.1"} {
		q := directory.Query{Kind: directory.KindIP, Addr: netip.MustParseAddr(addr)}
		x.Lookup(q, ask, &a)
		if n := testing.AllocsPerRun(100, func() { x.Lookup(q, ask, &a) }); n != 0 {
			t.Errorf("Lookup(%s) allocates %v times, want 0", addr, n)
		}
	}
	q := directory.Query{Kind: directory.KindASN, ASN: 64496}
	if n := testing.AllocsPerRun(100, func() { x.Lookup(q, ask, &a) }); n != 0 {
		t.Errorf("Lookup(AS64496) allocates %v times, want 0", n)
	}
}

func TestCandidateWhy(t *testing.T) {
	x := smallIndex(t)
	for query, want := range map[string]string{
		"192.0.2.1": "is responsible for 192.0.2.0/25", "NL": "is designated by Netherlands (national)", "FR": "is responsible for France",
		"soc@beta.example.org": "lists the mailbox soc@beta.example.org", "alpa csirt": "has a name that looks like the one asked for: alpha csirt",
	} {
		if got := look(t, x, query, directory.Ask{}).Candidates[0].Why(); got != want {
			t.Errorf("Why() for %s = %q, want %q", query, got, want)
		}
	}
}
