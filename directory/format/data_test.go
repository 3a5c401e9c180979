package format_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// realData returns a file of the published data that lies beside the
// repository. It is never committed, so the tests that need it are skipped
// where it is absent.
func realData(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("ROLLCALL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join(repoRoot(t), "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("REAL DATA ABSENT, figures not tested: %v (set ROLLCALL_TEST_DATA to the folder that has it)", err)
	}
	return data
}

func repoRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// imported is everything a codec said.
type imported struct {
	records        []*directory.SourceRecord
	skipped, notes []directory.RowProblem
	fatal          error
	rows           int // of all records
}

func collect(items directory.ImportItems) imported {
	var in imported
	for i := range items {
		switch {
		case i.Record != nil:
			in.records = append(in.records, i.Record)
			in.rows += i.Record.Rows
		case i.Skipped != nil:
			in.skipped = append(in.skipped, *i.Skipped)
		case i.Note != nil:
			in.notes = append(in.notes, *i.Note)
		default:
			in.fatal = i.Fatal
		}
	}
	return in
}

func (in imported) find(t *testing.T, key string) *directory.SourceRecord {
	t.Helper()
	for _, r := range in.records {
		if r.Key == key {
			return r
		}
	}
	t.Fatalf("no record has the key %q", key)
	return nil
}

// whole fails unless every row became part of a record, without a problem.
func (in imported) whole(t *testing.T, rows int) {
	t.Helper()
	if in.fatal != nil {
		t.Fatal(in.fatal)
	}
	if in.rows != rows || len(in.skipped) != 0 {
		t.Errorf("%d rows in records, %d skipped %v, want %d and 0", in.rows, len(in.skipped), in.skipped, rows)
	}
}

// checked fails for a record that the directory would refuse: a codec says of
// a row what is wrong with it, and leaves nothing to be found out later.
func checked(t *testing.T, in imported) {
	t.Helper()
	for _, r := range in.records {
		for _, p := range r.Profile.Check(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("record of line %d: %v", r.Row, p)
		}
	}
}

func TestDotgovReal(t *testing.T) {
	in := collect(format.Dotgov(bytes.NewReader(realData(t, "dotgov.csv"))))
	in.whole(t, 16539)
	checked(t, in)
	if len(in.notes) != 0 {
		t.Errorf("notes: %v, want none", in.notes)
	}
	known := map[directory.Domain]bool{} // domain to whether it has a contact
	contacts, most := 0, 0
	for _, r := range in.records {
		if len(r.Profile.Resources) != r.Rows {
			t.Errorf("%s: %d domains of %d rows", r.Key, len(r.Profile.Resources), r.Rows)
		}
		for _, res := range r.Profile.Resources {
			known[res.Domain] = len(r.Profile.Contacts) == 1
		}
		if contacts += len(r.Profile.Contacts); len(r.Profile.Contacts) == 1 {
			most = max(most, r.Rows)
		}
	}
	got := map[string]int{"domains": len(known), "addresses": contacts, "most domains of one mailbox": most}
	federal := federal(t)
	for domain, has := range known {
		if has {
			got["with contact"]++
		}
		if federal[domain] {
			got["federal"]++
			if has {
				got["federal with contact"]++
			}
		}
	}
	want := map[string]int{"domains": 16539, "addresses": 7510, "most domains of one mailbox": 102,
		"with contact": 9906, "federal": 1321, "federal with contact": 1187}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

// federal reads the domain types with nothing of the codec.
func federal(t *testing.T) map[directory.Domain]bool {
	all := map[directory.Domain]bool{}
	for l := range strings.Lines(string(realData(t, "dotgov.csv"))) {
		domain, rest, _ := strings.Cut(l, ",")
		all[directory.Domain(domain)] = strings.HasPrefix(rest, "Federal")
	}
	return all
}

func TestDotgovRealAnswers(t *testing.T) {
	in := collect(format.Dotgov(bytes.NewReader(realData(t, "dotgov.csv"))))
	of := map[directory.Domain]*directory.SourceRecord{}
	for _, r := range in.records {
		for _, res := range r.Profile.Resources {
			of[res.Domain] = r
		}
	}
	for domain, want := range map[directory.Domain]string{
		"cisa.gov":    "postmaster@dhs.gov",
		"irs.gov":     "domainsecurity@treasury.gov",
		"justice.gov": "Responsible_Disclosure@usdoj.gov",
		"29palms.gov": "",
	} {
		var got string
		if cs := of[domain].Profile.Contacts; len(cs) > 0 {
			got = cs[0].Value
		}
		if got != want {
			t.Errorf("contact of %s = %q, want %q", domain, got, want)
		}
	}
	if got := of["29palms.gov"].Profile; got.Contacts == nil || got.Names.Full != "City of Twentynine Palms" {
		t.Errorf("29palms.gov: contacts %v and name %q, want an empty list and the city", got.Contacts, got.Names.Full)
	}
}

// The file spells 105 codes. Two of them, UK and GB, are one country.
func TestNationalCSIRTsReal(t *testing.T) {
	in := collect(format.NationalCSIRTs(bytes.NewReader(realData(t, "national-csirts.sql"))))
	in.whole(t, 239)
	checked(t, in)
	teams, active := map[directory.Country]int{}, 0
	var newest string
	for _, r := range in.records {
		teams[r.Profile.Country]++
		if r.Profile.Status == "active" {
			active++
		}
		newest = max(newest, r.AsOf.Format("2006-01-02"))
		if len(r.Profile.Designations) == 0 || len(r.Profile.Contacts) != 1 || r.Handle == "" {
			t.Errorf("%s: %d designations, %d contacts, handle %q", r.Key, len(r.Profile.Designations), len(r.Profile.Contacts), r.Handle)
		}
	}
	got := map[string]int{"teams": len(in.records), "inactive": len(in.records) - active, "countries": len(teams),
		"AT": teams["AT"], "NL": teams["NL"], "US": teams["US"], "GB": teams["GB"], "UK": teams["UK"], "KR": teams["KR"]}
	want := map[string]int{"teams": 179, "inactive": 2, "countries": 104, "AT": 2, "NL": 1, "US": 1, "GB": 3, "UK": 0, "KR": 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if newest != "2019-03-27" {
		t.Errorf("last change on %s, want 2019-03-27", newest)
	}
}

func TestNationalCSIRTsRealCodes(t *testing.T) {
	spelled := map[string]bool{}
	for l := range strings.Lines(string(realData(t, "national-csirts.sql"))) {
		if fields := strings.Split(l, "\t"); len(fields) == 13 {
			spelled[fields[0]] = true
		}
	}
	if len(spelled) != 105 || !spelled["UK"] || !spelled["GB"] {
		t.Errorf("%d codes in the file, want 105 with UK and GB", len(spelled))
	}
}

func TestNationalCSIRTsRealTeams(t *testing.T) {
	in := collect(format.NationalCSIRTs(bytes.NewReader(realData(t, "national-csirts.sql"))))
	nl := in.find(t, "mailto:cert@ncsc.nl|NL")
	want := directory.Names{Short: "NCSC-NL", Full: "National Cyber Security Center - Netherlands",
		Other: []string{"National Cyber Security Centrum", "NCSC", "National Cyber Security Center"}}
	if diff := cmp.Diff(want, nl.Profile.Names); diff != "" || nl.Rows != 3 {
		t.Errorf("names of the NL team of %d rows (-want +got):\n%s", nl.Rows, diff)
	}
	at := in.find(t, "mailto:reports@cert.at|AT")
	if at.Handle != "cert.at" || at.Rows != 2 {
		t.Errorf("the AT team: handle %q of %d rows, want cert.at of 2", at.Handle, at.Rows)
	}
	in.find(t, "mailto:team@govcert.gv.at|AT")
	if us := in.find(t, "mailto:soc@us-cert.gov|US"); us.Rows != 2 {
		t.Errorf("the US team has %d rows, want 2", us.Rows)
	}
	var people []string
	for _, r := range in.records {
		if c := r.Profile.Contacts[0]; c.Visibility == directory.Green {
			people = append(people, c.Value)
		}
		for _, name := range append(r.Profile.Names.Other, r.Profile.Names.Short, r.Profile.Names.Full) {
			if name == "Haythem El Mir" {
				t.Errorf("%s: the name of a person is the name of the team", r.Key)
			}
		}
	}
	if diff := cmp.Diff([]string{"Badar.alsalehi@ita.gov.om", "haythem.elmir@ansi.tn"}, people); diff != "" {
		t.Errorf("personal addresses (-want +got):\n%s", diff)
	}
}

func TestPrefixCountryReal(t *testing.T) {
	got, codes := map[string]int{}, map[directory.Country]bool{}
	for i := range format.PrefixCountry(bytes.NewReader(realData(t, "rir-country.csv"))) {
		if i.Fatal != nil || i.Skipped != nil {
			t.Fatalf("row %d: %v %v", i.Row, i.Fatal, i.Skipped)
		}
		got["rows"]++
		if i.Entry.Prefix.Addr().Is4() {
			got["IPv4"]++
		} else {
			got["IPv6"]++
		}
		codes[i.Entry.Country] = true
		switch p := i.Entry.Prefix.String() + " " + string(i.Entry.Country); p {
		case "2.56.160.0/22 AT", "193.0.0.0/19 NL", "8.0.0.0/9 US":
			got[p]++
		}
	}
	got["codes"] = len(codes)
	want := map[string]int{"rows": 243034, "IPv4": 175195, "IPv6": 67839, "codes": 237,
		"2.56.160.0/22 AT": 1, "193.0.0.0/19 NL": 1, "8.0.0.0/9 US": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func BenchmarkDotgov(b *testing.B) {
	data := realData(b, "dotgov.csv")
	for b.Loop() {
		if in := collect(format.Dotgov(bytes.NewReader(data))); in.rows != 16539 {
			b.Fatal(in.rows, in.fatal)
		}
	}
}

func BenchmarkNationalCSIRTs(b *testing.B) {
	data := realData(b, "national-csirts.sql")
	for b.Loop() {
		if in := collect(format.NationalCSIRTs(bytes.NewReader(data))); in.rows != 239 {
			b.Fatal(in.rows, in.fatal)
		}
	}
}

func BenchmarkPrefixCountry(b *testing.B) {
	data := realData(b, "rir-country.csv")
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for i := range format.PrefixCountry(bytes.NewReader(data)) {
			if i.Fatal == nil && i.Skipped == nil {
				n++
			}
		}
		if n != 243034 {
			b.Fatal(n)
		}
	}
}
