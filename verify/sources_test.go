package verify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

var sourcesDay = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// says is what a check knows, from facts as "name=value".
func says(check, subject string, daysAgo int, facts ...string) verify.Verification {
	v := verify.Verification{Check: check, Subject: verify.Subject{Kind: verify.SubjectDomain, ID: subject}, Checked: sourcesDay.AddDate(0, 0, -daysAgo)}
	for _, f := range facts {
		name, value, _ := strings.Cut(f, "=")
		v.Facts = append(v.Facts, verify.Fact{Name: name, Value: value})
	}
	return v
}

// since is v, whose facts were first seen so many days ago.
func since(v verify.Verification, daysAgo int) verify.Verification {
	for i := range v.Facts {
		v.Facts[i].Since = sourcesDay.AddDate(0, 0, -daysAgo)
	}
	return v
}

func teamWith(since time.Time, addresses ...string) *directory.Team {
	t := &directory.Team{}
	for i, a := range addresses {
		t.Contacts = append(t.Contacts, directory.Contact{ID: directory.ContactID(a), Revision: 1, Channel: "email", Value: a, Order: i, Since: since})
	}
	return t
}

func proven(t *directory.Team, address string) *directory.Team {
	t.Evidence = append(t.Evidence, directory.Evidence{Contact: directory.ContactID(address), Revision: 1, Level: directory.Answered, Outcome: directory.OutcomeProved, Method: "phone",
		At: sourcesDay.AddDate(0, -1, 0), ValidUntil: sourcesDay.AddDate(0, 6, 0)})
	return t
}

const (
	onePrint   = "0123456789ABCDEF0123456789ABCDEF01234567"
	otherPrint = "89ABCDEF0123456789ABCDEF0123456789ABCDEF"
)

func keyOf(address, print string, made time.Time) directory.TeamKey {
	return directory.TeamKey{Key: directory.Key{Fingerprint: directory.Fingerprint(print), Created: made, UserIDs: []directory.UserID{{Email: address}}}}
}

func withKey(address, print string) *directory.Team {
	t := teamWith(sourcesDay.AddDate(-1, 0, 0), address)
	t.Keys = []directory.TeamKey{{Key: directory.Key{Fingerprint: directory.Fingerprint(print), UserIDs: []directory.UserID{{Email: address}}}}}
	return t
}

// TestCompareSources: each case names the best source, the newest and what is
// found, as "source where: what it says -> what is right".
func TestCompareSources(t *testing.T) {
	old := sourcesDay.AddDate(-1, 0, 0)
	file := func(days int, contacts ...string) verify.Verification {
		facts := []string{"location=https://example.org/.well-known/security.txt"}
		for _, c := range contacts {
			facts = append(facts, "contact="+c)
		}
		return says("securitytxt", "example.org", days, facts...)
	}
	signed := func(v verify.Verification) verify.Verification {
		v.Facts = append(v.Facts, verify.Fact{Name: "signature", Value: "verified"})
		return v
	}
	stamped := func(v verify.Verification) verify.Verification {
		v.Facts = append(v.Facts, verify.Fact{Name: "signed-at", Value: sourcesDay.AddDate(0, 0, -3).Format(time.RFC3339)})
		return v
	}
	imported := func(t *directory.Team, day time.Time) *directory.Team {
		for i := range t.Contacts {
			t.Contacts[i].Origin = directory.Origin{Source: "ti", AsOf: day, At: sourcesDay}
		}
		return t
	}
	const where = "securitytxt https://example.org/.well-known/security.txt"
	for _, tt := range []struct {
		name         string
		team         *directory.Team
		layers       []verify.Layer
		known        []verify.Verification
		best, newest string
		want         []string
	}{
		{name: "one source is nothing to compare", team: teamWith(old, "cert@example.org")},
		{name: "all say the same", team: teamWith(old, "cert@example.org"), known: []verify.Verification{file(1, "mailto:CERT@example.org"), says("dnssecuritytxt", "example.org", 2, "security-contact=mailto:cert@example.org")},
			best: "profile", newest: "profile"},
		{name: "a profile says more than the file", team: teamWith(old, "cert@example.org", "office@example.org"), known: []verify.Verification{file(1, "mailto:cert@example.org")}, best: "profile", newest: "profile"},
		{name: "the file has another address", team: teamWith(old, "cert@example.org"), known: []verify.Verification{file(1, "mailto:old@example.org")},
			best: "profile", newest: "profile", want: []string{where + ": mailto:old@example.org -> mailto:cert@example.org"}},
		{name: "a signed file counts above a profile that was never proven", team: teamWith(old, "old@example.org"), known: []verify.Verification{signed(file(1, "mailto:cert@example.org"))},
			best: "securitytxt", newest: "profile", want: []string{"profile: mailto:old@example.org -> mailto:cert@example.org"}},
		{name: "what has answered counts above a signed file", team: proven(teamWith(old, "cert@example.org"), "cert@example.org"), known: []verify.Verification{signed(file(1, "mailto:new@example.org"))},
			best: "profile", newest: "profile", want: []string{where + ": mailto:new@example.org -> mailto:cert@example.org"}},
		{name: "a proof gives its place weight wherever the address stands", team: proven(teamWith(old, "cert@example.org"), "cert@example.org"),
			known: []verify.Verification{file(1, "mailto:cert@example.org"), says("caa", "example.org", 0, "caa=issue ca.example.net", "caa=iodef mailto:noc@example.org")},
			best:  "profile", newest: "profile", want: []string{"caa-iodef example.org: mailto:noc@example.org -> mailto:cert@example.org"}},
		{name: "an import that is behind", team: teamWith(sourcesDay, "cert@example.org"), layers: []verify.Layer{{Source: "ti", At: old, Contacts: []directory.Contact{{Channel: "email", Value: "gone@example.org"}}}},
			best: "profile", newest: "profile", want: []string{"import:ti: mailto:gone@example.org -> mailto:cert@example.org"}},
		{name: "phones and pages are compared too", team: &directory.Team{Profile: directory.Profile{Contacts: []directory.Contact{{Channel: "phone", Value: "+4315056416"}, {Channel: "url", Value: "https://Example.org/report/"}}}},
			known: []verify.Verification{file(1, "tel:+43-1-505.64.16", "https://example.org/report")}, best: "profile"},
		{name: "without a profile the places are compared with one another", known: []verify.Verification{file(1, "mailto:a@example.org"), says("dnssecuritytxt", "example.org", 3, "security-contact=mailto:a@example.org"), says("caa", "example.org", 0, "caa=iodef mailto:b@example.org")},
			best: "securitytxt", want: []string{"caa-iodef example.org: mailto:b@example.org -> mailto:a@example.org"}},
		{name: "a check without the fact says nothing", team: teamWith(old, "cert@example.org"), known: []verify.Verification{says("caa", "example.org", 1, "caa=issue ca.example.net"), says("mx", "example.org", 1, "contact=mailto:x@example.org")}},

		{name: "what was read today is not new for that", team: teamWith(sourcesDay.AddDate(0, 0, -1), "cert@example.org"), known: []verify.Verification{since(file(0, "mailto:old@example.org"), 300)},
			best: "profile", newest: "profile", want: []string{where + ": mailto:old@example.org -> mailto:cert@example.org"}},
		{name: "a file that changed after the profile", team: teamWith(sourcesDay.AddDate(0, 0, -9), "cert@example.org"), known: []verify.Verification{since(file(0, "mailto:new@example.org"), 3)},
			best: "profile", newest: "securitytxt", want: []string{where + ": mailto:new@example.org -> mailto:cert@example.org"}},
		{name: "a signature says when", team: teamWith(sourcesDay.AddDate(0, 0, -9), "cert@example.org"), known: []verify.Verification{stamped(signed(file(0, "mailto:cert@example.org")))},
			best: "securitytxt", newest: "securitytxt"},
		{name: "one that does not verify says nothing", team: teamWith(sourcesDay.AddDate(0, 0, -9), "cert@example.org"), known: []verify.Verification{stamped(file(0, "mailto:cert@example.org"))},
			best: "profile", newest: "profile"},
		{name: "an imported value of the profile is of its source's day", team: imported(teamWith(sourcesDay, "cert@example.org"), sourcesDay.AddDate(-2, 0, 0)),
			known: []verify.Verification{since(says("dnssecuritytxt", "example.org", 2, "security-contact=mailto:cert@example.org"), 300)}, best: "profile", newest: "dnssecuritytxt"},
		{name: "nobody's clock makes a place newer than now", team: teamWith(sourcesDay, "cert@example.org"), known: []verify.Verification{since(file(0, "mailto:cert@example.org"), -300)},
			best: "profile", newest: "profile"},

		{name: "keys agree", team: withKey("cert@example.org", onePrint), known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint)}, best: "profile"},
		{name: "a key server has another key", team: withKey("cert@example.org", onePrint),
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint, "channel.vks=https://keys.example.net/y found "+otherPrint)},
			best:  "profile", want: []string{"vks https://keys.example.net/y: " + otherPrint + " -> " + onePrint}},
		{name: "the profile is the one that is behind", team: withKey("cert@example.org", otherPrint),
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint, "channel.openpgpkey=abc._openpgpkey.example.org found "+onePrint)},
			best:  "wkd", want: []string{"profile: " + otherPrint + " -> " + onePrint}},
		{name: "a key that was made later is newer, whenever it was read", team: withKey("cert@example.org", onePrint),
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 9, "channel.wkd=https://example.org/x found "+onePrint, "key-created="+onePrint+" 2019-01-01"),
				says("pgpkey-contact", "noc@example.org", 1)},
			best: "profile", newest: "wkd"},
		{name: "a place that changed is newer than an old key's making", team: &directory.Team{Profile: directory.Profile{Keys: []directory.TeamKey{keyOf("cert@example.org", onePrint, old)}}},
			known: []verify.Verification{since(says("pgpkey-contact", "cert@example.org", 0, "channel.wkd=https://example.org/x found "+otherPrint, "key-created="+otherPrint+" 2019-01-01"), 3)},
			best:  "profile", newest: "wkd", want: []string{"wkd https://example.org/x: " + otherPrint + " -> " + onePrint}},
		{name: "a stale directory that was read today", team: &directory.Team{Profile: directory.Profile{Keys: []directory.TeamKey{keyOf("cert@example.org", onePrint, sourcesDay.AddDate(0, 0, -1))}}},
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 0, "channel.wkd=https://example.org/x found "+otherPrint, "key-created="+otherPrint+" 2019-01-01")},
			best:  "profile", newest: "profile", want: []string{"wkd https://example.org/x: " + otherPrint + " -> " + onePrint}},
		{name: "imported keys are compared too", team: withKey("cert@example.org", onePrint),
			layers: []verify.Layer{{Source: "ti", At: old, Keys: []directory.TeamKey{keyOf("cert@example.org", otherPrint, time.Time{})}}, {Source: "first", At: old, Keys: []directory.TeamKey{keyOf("noc@example.org", otherPrint, time.Time{})}}},
			known:  []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint)},
			best:   "profile", newest: "import:ti", want: []string{"import:ti: " + otherPrint + " -> " + onePrint}},
		{name: "of a list with fingerprints only", team: withKey("cert@example.org", onePrint),
			layers: []verify.Layer{{Source: "ti", At: old, Keys: []directory.TeamKey{{Key: directory.Key{Fingerprint: otherPrint}}}}},
			known:  []verify.Verification{says("pgpkey-contact", "cert@example.org", 1)},
			best:   "profile", newest: "import:ti", want: []string{"import:ti: " + otherPrint + " -> " + onePrint}},
		{name: "what anybody can upload vouches for nothing", team: withKey("cert@example.org", onePrint),
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.hkp=https://hkp.example.net/z found "+otherPrint, "channel.openpgpkey=abc insecure "+otherPrint, "channel.wkd=https://example.org/x absent")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := verify.CompareSources(verify.SourcesAsk{Team: tt.team, Layers: tt.layers, Known: tt.known, Now: sourcesDay})
			if tt.best == "" {
				if len(list) > 0 {
					t.Errorf("%+v, want nothing to compare", list)
				}
				return
			}
			if len(list) != 1 {
				t.Fatalf("%d comparisons: %+v", len(list), list)
			}
			var got []string
			for _, f := range list[0].Findings {
				got = append(got, f.Subject+": "+f.Evidence+" -> "+f.Corrected)
			}
			if c := list[0]; c.Best != tt.best || c.Newest != tt.newest || !slices.Equal(got, tt.want) {
				t.Errorf("best %s, newest %s, found %q; want %s, %s, %q", c.Best, c.Newest, got, tt.best, tt.newest, tt.want)
			}
			if verify.Differ(list) != (len(tt.want) > 0) {
				t.Error("Differ says otherwise")
			}
		})
	}
}
