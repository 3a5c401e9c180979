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
			best: "profile", newest: "securitytxt"},
		{name: "a profile says more than the file", team: teamWith(old, "cert@example.org", "office@example.org"), known: []verify.Verification{file(1, "mailto:cert@example.org")}, best: "profile", newest: "securitytxt"},
		{name: "the file has another address", team: teamWith(old, "cert@example.org"), known: []verify.Verification{file(1, "mailto:old@example.org")},
			best: "profile", newest: "securitytxt", want: []string{where + ": mailto:old@example.org -> mailto:cert@example.org"}},
		{name: "a signed file counts above a profile that was never proven", team: teamWith(old, "old@example.org"), known: []verify.Verification{signed(file(1, "mailto:cert@example.org"))},
			best: "securitytxt", newest: "securitytxt", want: []string{"profile: mailto:old@example.org -> mailto:cert@example.org"}},
		{name: "what has answered counts above a signed file", team: proven(teamWith(old, "cert@example.org"), "cert@example.org"), known: []verify.Verification{signed(file(1, "mailto:new@example.org"))},
			best: "profile", newest: "securitytxt", want: []string{where + ": mailto:new@example.org -> mailto:cert@example.org"}},
		{name: "a proof gives its place weight wherever the address stands", team: proven(teamWith(old, "cert@example.org"), "cert@example.org"),
			known: []verify.Verification{file(1, "mailto:cert@example.org"), says("caa", "example.org", 0, "caa=issue ca.example.net", "caa=iodef mailto:noc@example.org")},
			best:  "profile", newest: "caa-iodef", want: []string{"caa-iodef example.org: mailto:noc@example.org -> mailto:cert@example.org"}},
		{name: "an import that is behind", team: teamWith(sourcesDay, "cert@example.org"), layers: []verify.Layer{{Source: "ti", At: old, Contacts: []directory.Contact{{Channel: "email", Value: "gone@example.org"}}}},
			best: "profile", newest: "profile", want: []string{"import:ti: mailto:gone@example.org -> mailto:cert@example.org"}},
		{name: "phones and pages are compared too", team: &directory.Team{Profile: directory.Profile{Contacts: []directory.Contact{{Channel: "phone", Value: "+4315056416"}, {Channel: "url", Value: "https://Example.org/report/"}}}},
			known: []verify.Verification{file(1, "tel:+43-1-505.64.16", "https://example.org/report")}, best: "profile", newest: "securitytxt"},
		{name: "without a profile the places are compared with one another", known: []verify.Verification{file(1, "mailto:a@example.org"), says("dnssecuritytxt", "example.org", 3, "security-contact=mailto:a@example.org"), says("caa", "example.org", 0, "caa=iodef mailto:b@example.org")},
			best: "securitytxt", newest: "caa-iodef", want: []string{"caa-iodef example.org: mailto:b@example.org -> mailto:a@example.org"}},
		{name: "a check without the fact says nothing", team: teamWith(old, "cert@example.org"), known: []verify.Verification{says("caa", "example.org", 1, "caa=issue ca.example.net"), says("mx", "example.org", 1, "contact=mailto:x@example.org")}},

		{name: "keys agree", team: withKey("cert@example.org", onePrint), known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint)}, best: "profile", newest: "wkd"},
		{name: "a key server has another key", team: withKey("cert@example.org", onePrint),
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint, "channel.vks=https://keys.example.net/y found "+otherPrint)},
			best:  "profile", newest: "wkd", want: []string{"vks https://keys.example.net/y: " + otherPrint + " -> " + onePrint}},
		{name: "the profile is the one that is behind", team: withKey("cert@example.org", otherPrint),
			known: []verify.Verification{says("pgpkey-contact", "cert@example.org", 1, "channel.wkd=https://example.org/x found "+onePrint, "channel.openpgpkey=abc._openpgpkey.example.org found "+onePrint)},
			best:  "wkd", newest: "wkd", want: []string{"profile: " + otherPrint + " -> " + onePrint}},
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
