package storetest

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Moment is the time at which samples happen.
func Moment() time.Time { return time.Date(2026, 11, 21, 9, 30, 15, 123456000, time.UTC) }

// TeamID returns the id of the nth sample team.
func TeamID(n int) directory.TeamID {
	return directory.TeamID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// Small returns the first revision of the nth sample team, as an import of a
// list of contacts would make it.
func Small(n int) directory.Record {
	return directory.Record{
		ID: TeamID(n), Handle: directory.Handle(fmt.Sprintf("team-%05d", n)), Revision: 1,
		Created: Moment(), Updated: Moment(),
		Layers: []directory.Layer{{
			Source: "list", Key: fmt.Sprintf("row-%d.example.org", n), AsOf: Moment().Truncate(24 * time.Hour), At: Moment(), Hash: fmt.Sprintf("%064x", n),
			Profile: directory.Profile{
				Names:     directory.Names{Full: fmt.Sprintf("Team %d of Example", n)},
				Kinds:     []directory.Word{"csirt"},
				Country:   "AT",
				Resources: []directory.Resource{{Type: "domain", Domain: directory.Domain(fmt.Sprintf("row-%d.example.org", n)), Claim: "listed"}},
				Contacts: []directory.Contact{{ID: directory.ContactID(fmt.Sprintf("10000000-0000-4000-8000-%012d", n)), Revision: 1,
					Channel: "email", Value: fmt.Sprintf("cert@row-%d.example.org", n), Uses: []directory.Word{"abuse"}}},
			},
		}},
	}
}

// Full returns a record in which every field that is stored is set.
func Full() directory.Record {
	r := directory.Record{
		ID: TeamID(1), Handle: "example-cert", Revision: 1, Created: Moment(), Updated: Moment().Add(time.Hour),
		Deleted: Moment().Add(2 * time.Hour), MergedInto: TeamID(2), Own: fullProfile(), OwnAt: Moment(), OwnBy: "token:rct_1",
		OwnDates: directory.Dates{"names": Moment()},
	}
	r.Layers = []directory.Layer{{Source: "list", Key: "row 1", AsOf: Moment(), At: Moment(), Hash: "h1", ID: TeamID(3), Profile: fullProfile(),
		Dates: directory.Dates{"contacts": Moment()}, Raw: []directory.Raw{{Field: "hours", Text: "nine to five", Visibility: "GREEN"}}}}
	r.Successions = []directory.Succession{{Fingerprint: fullKey().Fingerprint, At: Moment(), By: "token:rct_1", Old: []directory.Fingerprint{fullKey().Subkeys[0].Fingerprint},
		Proofs: []directory.KeyProof{{Ground: directory.KeyStated, By: "token:rct_1", At: Moment(), Old: fullKey().Subkeys[0].Fingerprint, Signed: Moment(),
			Channels: []directory.Word{"wkd"}, Note: "our new key"}}, Refused: Moment(), RefusedBy: "cli:root", Why: "nobody made it"}}
	r.FormerKeys = []directory.FormerKey{{TeamKey: directory.TeamKey{Key: fullKey(), Visibility: "GREEN"}, Left: Moment()}}
	return r
}

func fullProfile() directory.Profile {
	date := directory.Date("2020-02-29")
	hours := directory.Hours{Spans: []directory.Span{{Day: time.Monday, From: 480, To: 1020}}}
	return directory.Profile{
		Names: directory.Names{Short: "EX-CERT", Full: "Example CERT «Österreich»", Former: []string{"Old"}, Other: []string{"例え"}},
		Kinds: []directory.Word{"csirt", "national"}, Status: "forming", Host: "Example Org", Country: "AT",
		Address: "Street 1\n1010 Wien", Zone: "Europe/Vienna", Hours: directory.Hours{Always: true}, Holidays: []directory.Date{"2026-12-24", "2026-12-25"}, Languages: []directory.Language{"de", "en"},
		Website: "https://example.org/", Established: date,
		Constituency: directory.Constituency{Types: []directory.ConstituencyType{{Type: "government", Scope: "both"}},
			Sectors: []directory.Word{"energy"}, Countries: []directory.Country{"AT"}, Text: "Everybody"},
		Resources: fullResources(),
		Contacts: []directory.Contact{{ID: "c1", Revision: 3, Channel: "email", Value: "cert@example.org", Uses: []directory.Word{"abuse"},
			Person: "A. Person", Label: "duty officer", Hours: hours, Order: 7, Classes: []directory.Word{"fraud"}, Visibility: "AMBER", Since: Moment(), Vouched: true}},
		Keys:     []directory.TeamKey{{Key: fullKey(), Visibility: "GREEN"}},
		Prose:    []directory.Section{{Number: "3.2", Language: "de", Text: "Für alle", Visibility: "GREEN"}},
		Services: []directory.Word{"exercises"},
		Memberships: []directory.Membership{{Forum: "first", Type: "Full Member", Status: "member", Sponsors: []directory.Handle{"other"}, Since: date, Until: date,
			History: []directory.MembershipStatus{{Status: "candidate", Since: date}}}},
		Designations: []directory.Designation{{Country: "AT", Scope: "national", By: "Chancellery", Evidence: "https://example.org/act", Since: date, Until: date, Preference: 1}},
		Maturity:     directory.Maturity{Model: "SIM3 v1", By: "peer", Assessed: date, ValidUntil: date, Levels: map[string]int{"O-1": 4, "H-2": 2}, Visibility: "GREEN"},
	}
}

func fullKey() directory.Key {
	sub := directory.Subkey{Fingerprint: "1123456789ABCDEF0123456789ABCDEF01234567", Algorithm: "RSA", Bits: 4096, Created: Moment(), Signed: Moment(),
		Expires: Moment(), Revoked: true, Encrypts: true, Signs: true}
	return directory.Key{
		Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567", Version: 4, Armor: "-----BEGIN", Algorithm: "RSA", Bits: 4096,
		UserIDs: []directory.UserID{{Name: "EX", Email: "cert@example.org", Raw: "EX <cert@example.org>", Primary: true, Revoked: true}},
		Created: Moment(), Signed: Moment(), Expires: Moment(), Certifies: true, Signs: true,
		Subkeys: []directory.Subkey{sub}, EncryptTo: []directory.Subkey{sub}, EncryptionExpires: Moment(),
		Revoked: true, RevokedAt: Moment(), RevocationReason: "key compromised", Stripped: 2, Repairs: []string{"joined lines"},
	}
}

func fullResources() []directory.Resource {
	return []directory.Resource{
		{Type: "prefix", Prefix: netip.MustParsePrefix("192.0.2.0/24"), Claim: "confirmed", Holder: "Example", Visibility: "GREEN"},
		{Type: "prefix", Prefix: netip.MustParsePrefix("2001:db8::/32")},
		{Type: "asn", ASN: 64496},
		{Type: "domain", Domain: "example.org"},
		{Type: "country", Country: "AT"},
	}
}

// Evidence returns an item about contact c1 with every field set.
func Evidence(id string, at time.Time) directory.Evidence {
	return directory.Evidence{ID: id, Contact: "c1", Revision: 3, Level: directory.Proven, Outcome: directory.OutcomeProved, Method: "phone",
		At: at, ValidUntil: at.Add(time.Hour), By: "operator", Note: "called", RawHash: "ab"}
}

// Write writes records as the next changes, and fails the test when it can't.
func Write(t testing.TB, s directory.Store, records ...directory.Record) {
	t.Helper()
	if err := TryWrite(s, records...); err != nil {
		t.Fatalf("write %d records: %v", len(records), err)
	}
}

// TryWrite writes records as the next changes.
func TryWrite(s directory.Store, records ...directory.Record) error {
	return s.Update(context.Background(), func(tx directory.Tx) error { return put(tx, records...) })
}

func put(tx directory.Tx, records ...directory.Record) error {
	seq, err := tx.NextSeq(len(records))
	if err != nil {
		return err
	}
	writes := make([]directory.TeamWrite, len(records))
	for i, r := range records {
		r.Seq = seq + int64(i)
		op := directory.OpUpsert
		if !r.Deleted.IsZero() || r.MergedInto != "" {
			op = directory.OpDelete
		}
		writes[i] = directory.TeamWrite{Record: r, Op: op, Actor: "tester", Action: "test", Fields: []string{"names"}}
	}
	return tx.PutTeams(writes)
}
