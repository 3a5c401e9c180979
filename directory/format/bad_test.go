package format_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// told is what any codec said, records and entries as line numbers.
type told struct {
	good           []int
	skipped, notes []directory.RowProblem
	fatal          error
}

func imports(codec func(io.Reader) directory.ImportItems) func(io.Reader) told {
	return func(r io.Reader) told {
		in := collect(codec(r))
		out := told{skipped: in.skipped, notes: in.notes, fatal: in.fatal}
		for _, rec := range in.records {
			out.good = append(out.good, rec.Row)
		}
		return out
	}
}

func references(codec func(io.Reader) directory.ReferenceItems) func(io.Reader) told {
	return func(r io.Reader) told {
		var out told
		for i := range codec(r) {
			switch {
			case i.Fatal != nil:
				out.fatal = i.Fatal
			case i.Skipped != nil:
				out.skipped = append(out.skipped, *i.Skipped)
			case i.Note != nil:
				out.notes = append(out.notes, *i.Note)
			default:
				out.good = append(out.good, i.Row)
			}
		}
		return out
	}
}

// codec is a codec under test: how its files begin and end, and on which line
// the first row is.
type codec struct {
	read         func(io.Reader) told
	before, good string // the header, and one good row
	after        string
	line         int
}

func codecs() map[string]codec {
	const copyLine = "COPY public.certs (iso2, team_name, full_team_name, email, confirmed, source, active, editor_email, created, changed, type_of_cert, weight, ti_url) FROM stdin;\n"
	return map[string]codec{
		"dotgov": {imports(format.Dotgov), "Domain name,Domain type,Organization name,Suborganization name,City,State,Security contact email\n",
			"good.example.org,City,City of Good,,Good,KS,good@example.org\n", "", 2},
		"csv": {imports(func(r io.Reader) directory.ImportItems { return format.CSV(r, format.CSVMap{}) }),
			"handle;name;email;country;phone;prefixes;website\n", "good;Good;good@example.org;AT;;;\n", "", 2},
		"ti-csv":  {imports(format.TICSV), "Team Name;TI Level;Country;Email;Telephone;Constituency Nets\n", "Good;Listed;AT;good@example.org;;\n", "", 2},
		"irt-csv": {imports(format.GlobalIRT), "short-team-name,country-code,email,phone-numbers,website\n", "Good,AT,good@example.org,,\n", "", 2},
		"csirts":  {imports(format.NationalCSIRTs), copyLine, csirtLine("AT", "GOOD", "good@example.org", "t", "2017-06-29 01:23:28+02", "national", `\N`), "\\.\n", 2},
		"country": {references(format.PrefixCountry), "prefix,country\n", "192.0.2.0/24,AT\n", "", 2},
		"asn":     {references(format.PrefixASN), "prefix,asn\n", "192.0.2.0/24,64496\n", "", 2},
		"rir":     {references(format.RIRDelegated), "2|examplencc|20260822||19930901|20260821|+0200\n", "examplencc|AT|ipv4|192.0.2.0|256|20100101|allocated\n", "", 2},
	}
}

// csirtLine is a row of the table of national CSIRTs.
func csirtLine(iso2, name, email, active, changed, kind, url string) string {
	return strings.Join([]string{iso2, name, `\N`, email, "t", "a list", active, "editor@example.net", `\N`, changed, kind, "0.5", url}, "\t") + "\n"
}

// badRow is a row that has something wrong with it. It stands behind one good
// row, so that it is on line 3.
type badRow struct {
	name, codec, row string
	code             directory.Code
	field, value     string
	note             bool // the row is kept
	line             int  // 0 is 3
}

var long = strings.Repeat("x", 1<<20+1)

func badRows() []badRow {
	const gov = ",City,City of Bad,,Bad,KS,"
	at := func(email string) string {
		return csirtLine("AT", "BAD", email, "t", "2017-06-29 01:23:28+02", "national", `\N`)
	}
	return []badRow{
		{name: "a domain is needed", codec: "dotgov", row: gov + "a@example.org", code: "domain.empty", field: "/Domain name"},
		{name: "a domain has no spaces", codec: "dotgov", row: "bad domain.gov" + gov + "a@example.org", code: "domain.syntax", field: "/Domain name", value: "bad domain.gov"},
		{name: "an address is no domain", codec: "dotgov", row: "192.0.2.1" + gov + "a@example.org", code: "domain.syntax", field: "/Domain name", value: "192.0.2.1"},
		{name: "look-alike letters are refused", codec: "dotgov", row: "exаmple.gov" + gov, code: "domain.confusable", field: "/Domain name", value: "exаmple.gov"},
		{name: "a domain comes once", codec: "dotgov", row: "GOOD.example.org." + gov + "b@example.org", code: "row.duplicate", field: "/Domain name", value: "good.example.org"},
		{name: "too few fields", codec: "dotgov", row: "bad.example.org,City", code: "row.fields", value: "bad.example.org,City"},
		{name: "a comma too many", codec: "dotgov", row: "bad.example.org,City,City, of Bad,,Bad,KS,a@example.org", code: "row.fields", value: "bad.example.org,City,City, of Bad,,Bad,KS,a@example.org"},
		{name: "a quote inside a field", codec: "dotgov", row: `bad.example.org,City,City "of" Bad,,Bad,KS,`, code: "row.quote", value: `bad.example.org,City,City "of" Bad,,Bad,KS,`},
		{name: "text behind a closing quote", codec: "dotgov", row: `bad.example.org,City,"City" of Bad,,Bad,KS,`, code: "row.quote", value: `bad.example.org,City,"City" of Bad,,Bad,KS,`},
		{name: "a quote that is never closed", codec: "dotgov", row: `bad.example.org,City,"City of Bad,,Bad,KS,`, code: "row.quote", value: `bad.example.org,City,"City of Bad,,Bad,KS,`},
		{name: "a NUL character", codec: "dotgov", row: "bad.example.org,City,City\x00of Bad,,Bad,KS,", code: "row.nul", value: "bad.example.org,City,City\x00of Bad,,Bad,KS,"},
		{name: "Latin-1 text", codec: "dotgov", row: "bad.example.org,City,Ca\xf1on City,,Bad,KS,", code: "row.encoding", value: "bad.example.org,City,Ca\uFFFDon City,,Bad,KS,"},
		{name: "a line has at most 1 MiB", codec: "dotgov", row: long, code: "row.too-long", value: long[:120] + "…"},
		{name: "a contact without @", codec: "dotgov", row: "bad.example.org" + gov + "nobody", code: "email.syntax", field: "/Security contact email", value: "nobody", note: true},
		{name: "two contacts in one field", codec: "dotgov", row: "bad.example.org" + gov + "a@example.org; b@example.org", code: "email.several", field: "/Security contact email", value: "a@example.org; b@example.org", note: true},
		{name: "a contact with a display name", codec: "dotgov", row: "bad.example.org" + gov + "Desk <a@example.org>", code: "email.display-name", field: "/Security contact email", value: "Desk <a@example.org>", note: true},
		{name: "a contact in a bad domain", codec: "dotgov", row: "bad.example.org" + gov + "a@exa_mple.org", code: "domain.syntax", field: "/Security contact email", value: "exa_mple.org", note: true},
		{name: "an organisation has at most 300 characters", codec: "dotgov", row: "bad.example.org,City," + long[:301] + ",,Bad,KS,", code: "text.too-long", field: "/Organization name", value: long[:120] + "…", note: true},
		{name: "no control characters", codec: "dotgov", row: "bad.example.org,City,City\aof Bad,,Bad,KS,", code: "text.control", field: "/Organization name", value: "City\aof Bad", note: true},
		{name: "no characters that turn text around", codec: "dotgov", row: "bad.example.org,City,City of Bad,,\u202eBad,KS,", code: "text.bidi", field: "/City", value: "\u202eBad", note: true},

		{name: "too few cells", codec: "csv", row: "bad;Bad", code: "row.fields", value: "bad;Bad"},
		{name: "a cell too many", codec: "csv", row: "bad;Bad;;;;;;x", code: "row.fields", value: "bad;Bad;;;;;;x"},
		{name: "a quote that stays open", codec: "csv", row: `bad;"Bad;;;;;`, code: "row.quote", value: `bad;"Bad;;;;;`},
		{name: "a cell with NUL", codec: "csv", row: "bad;B\x00d;;;;;", code: "row.nul", value: "bad;B\x00d;;;;;"},
		{name: "a cell in Windows-1252", codec: "csv", row: "bad;B\xe4d;;;;;", code: "row.encoding", value: "bad;B\uFFFDd;;;;;"},
		{name: "a row of more than 1 MiB", codec: "csv", row: long, code: "row.too-long", value: long[:120] + "…"},
		{name: "nobody to reach", codec: "csv", row: ";;;AT;;;", code: "csv.nobody", value: ";;;AT;;;"},
		{name: "a bad cell leaves the row", codec: "csv", row: "bad;Bad;nobody;;;;", code: "email.syntax", field: "/email", value: "nobody", note: true},
		{name: "an unknown country leaves the row", codec: "csv", row: "bad;Bad;;Atlantis;;;", code: "country.unknown", field: "/country", value: "Atlantis", note: true},
		{name: "an impossible number leaves the row", codec: "csv", row: "bad;Bad;;AT;+1 20255501234567;;", code: "phone.impossible", field: "/phone", value: "+1 20255501234567", note: true},
		{name: "a range of addresses leaves the row", codec: "csv", row: "bad;Bad;;;;192.0.2.0-192.0.2.9;", code: "prefix.syntax", field: "/prefixes", value: "192.0.2.0-192.0.2.9", note: true},
		{name: "a website without its scheme leaves the row", codec: "csv", row: "bad;Bad;;;;;www.example.org", code: "url.syntax", field: "/website", value: "www.example.org", note: true},

		{name: "a cell too many in the old list", codec: "ti-csv", row: "Bad;Listed;AT;a@example.org;;;x", code: "row.fields", value: "Bad;Listed;AT;a@example.org;;;x"},
		{name: "a team of the old list has a name", codec: "ti-csv", row: ";Listed;AT;a@example.org;;", code: "field.missing", field: "/Team Name"},
		{name: "a quote of the old list", codec: "ti-csv", row: `"Bad;Listed;AT;;;`, code: "row.quote", value: `"Bad;Listed;AT;;;`},
		{name: "a level that is not known", codec: "ti-csv", row: "Bad;Gold;AT;;;", code: "membership-status.unknown", field: "/TI Level", value: "Gold", note: true},
		{name: "the world is no country", codec: "ti-csv", row: "Bad;Listed;World Wide;;;", code: "country.pseudo", field: "/Country", value: "World Wide", note: true},
		{name: "one bad address of two", codec: "ti-csv", row: "Bad;Listed;AT;a@example.org - nobody;;", code: "email.syntax", field: "/Email", value: "nobody", note: true},
		{name: "a number of nowhere", codec: "ti-csv", row: "Bad;Listed;;;01 5056416;", code: "phone.syntax", field: "/Telephone", value: "01 5056416", note: true},
		{name: "one bad net of two", codec: "ti-csv", row: "Bad;Listed;AT;;;192.0.2.0/24 - 198.51.100.1/24", code: "prefix.host-bits", field: "/Constituency Nets", value: "198.51.100.1/24", note: true},
		{name: "a cell too few in CSV", codec: "irt-csv", row: "Bad,AT", code: "row.fields", value: "Bad,AT"},
		{name: "a team in CSV has a name", codec: "irt-csv", row: ",AT,a@example.org,,", code: "field.missing", field: "/short-team-name"},
		{name: "a region in CSV", codec: "irt-csv", row: "Bad,Europe,,,", code: "country.pseudo", field: "/country-code", value: "Europe", note: true},
		{name: "one bad mailbox of two in CSV", codec: "irt-csv", row: "Bad,AT,a@example.org|nobody,,", code: "email.syntax", field: "/email/1", value: "nobody", note: true},
		{name: "a bad page in CSV", codec: "irt-csv", row: "Bad,AT,,,gopher://example.org/", code: "url.scheme", field: "/website/0", value: "gopher://example.org/", note: true},

		{name: "a country is needed", codec: "csirts", row: csirtLine(`\N`, "BAD", "a@example.org", "t", "", "", ""), code: "country.unknown", field: "/iso2"},
		{name: "a country that does not exist", codec: "csirts", row: csirtLine("ZZ", "BAD", "a@example.org", "t", "", "", ""), code: "country.unknown", field: "/iso2", value: "ZZ"},
		{name: "an address is needed", codec: "csirts", row: at(`\N`), code: "email.empty", field: "/email"},
		{name: "an address literal", codec: "csirts", row: at("a@[192.0.2.1]"), code: "email.literal", field: "/email", value: "a@[192.0.2.1]"},
		{name: "a non-ASCII mailbox", codec: "csirts", row: at("büro@example.org"), code: "email.non-ascii", field: "/email", value: "büro@example.org"},
		{name: "a name is needed", codec: "csirts", row: csirtLine("AT", `\N`, "a@example.org", "t", "", "", ""), code: "csirts.name", field: "/team_name"},
		{name: "active is true or false", codec: "csirts", row: csirtLine("AT", "BAD", "a@example.org", "maybe", "", "", ""), code: "csirts.active", field: "/active", value: "maybe"},
		{name: "too few columns", codec: "csirts", row: "AT\tBAD\n", code: "row.fields", value: "AT\tBAD"},
		{name: "a backslash at the end", codec: "csirts", row: csirtLine("AT", `BAD\`, "a@example.org", "t", "", "", ""), code: "row.escape", field: "/team_name", value: `BAD\`},
		{name: "an escape that makes no UTF-8", codec: "csirts", row: csirtLine("AT", `BAD\377`, "a@example.org", "t", "", "", ""), code: "row.escape", field: "/team_name", value: `BAD\377`},
		{name: "an escape that makes NUL", codec: "csirts", row: csirtLine("AT", `BAD\x00`, "a@example.org", "t", "", "", ""), code: "row.escape", field: "/team_name", value: `BAD\x00`},
		{name: "text that is not UTF-8", codec: "csirts", row: csirtLine("AT", "B\xc4D", "a@example.org", "t", "", "", ""), code: "row.encoding", value: "AT\tB\uFFFDD\t\\N\ta@example.org\tt\ta list\tt\teditor@example.net\t\\N\t\t\t0.5\t"},
		{name: "a time that does not exist", codec: "csirts", row: csirtLine("AT", "BAD", "a@example.org", "t", "2017-02-30", "national", ""), code: "csirts.date", field: "/changed", value: "2017-02-30", note: true},
		{name: "a kind that is not known", codec: "csirts", row: csirtLine("AT", "BAD", "a@example.org", "t", "", "imperial", ""), code: "csirts.scope", field: "/type_of_cert", value: "imperial", note: true},
		{name: "no kind is national", codec: "csirts", row: csirtLine("AT", "BAD", "a@example.org", "t", "", `\N`, ""), code: "csirts.scope", field: "/type_of_cert", note: true},
		{name: "a link that can't be opened", codec: "csirts", row: csirtLine("AT", "BAD", "a@example.org", "t", "", "national", "ftp://example.org/x"), code: "url.scheme", field: "/ti_url", value: "ftp://example.org/x", note: true},
		{name: "a doubled apostrophe", codec: "csirts", row: csirtLine("AT", "BAD''s", "a@example.org", "t", "", "national", ""), code: "csirts.name", field: "/team_name", value: "BAD''s", note: true},
		{name: "a name has at most 100 characters", codec: "csirts", row: csirtLine("AT", long[:101], "a@example.org", "t", "", "national", ""), code: "text.too-long", field: "/team_name", value: long[:101], note: true},
		{name: "not active and no day since when", codec: "csirts", row: csirtLine("AT", "BAD", "a@example.org", "f", "", "national", ""), code: "csirts.date", field: "/changed", note: true},
		{name: "an address of a person", codec: "csirts", row: at("jean.dupont@example.org"), code: "contact.personal", field: "/email", value: "jean.dupont@example.org", note: true},

		{name: "a prefix is needed", codec: "country", row: ",AT", code: "prefix.syntax", field: "/prefix"},
		{name: "a length that does not exist", codec: "country", row: "198.51.100.0/33,AT", code: "prefix.syntax", field: "/prefix", value: "198.51.100.0/33"},
		{name: "no bits behind the length", codec: "country", row: "198.51.100.1/24,AT", code: "prefix.host-bits", field: "/prefix", value: "198.51.100.1/24"},
		{name: "no IPv4 in IPv6 clothes", codec: "country", row: "::ffff:192.0.2.0/120,AT", code: "prefix.mapped", field: "/prefix", value: "::ffff:192.0.2.0/120"},
		{name: "a country that nobody has", codec: "country", row: "198.51.100.0/24,ZZ", code: "country.unknown", field: "/country", value: "ZZ"},
		{name: "a region is not a country", codec: "country", row: "198.51.100.0/24,AP", code: "country.region", field: "/country", value: "AP"},
		{name: "no country", codec: "country", row: "198.51.100.0/24,", code: "country.unknown", field: "/country"},
		{name: "a third field", codec: "country", row: "198.51.100.0/24,AT,x", code: "row.fields", value: "198.51.100.0/24,AT,x"},
		{name: "a broken quote", codec: "country", row: `"198.51.100.0/24,AT`, code: "row.quote", value: `"198.51.100.0/24,AT`},

		{name: "a prefix is needed", codec: "asn", row: ",64496", code: "prefix.syntax", field: "/prefix"},
		{name: "an origin is needed", codec: "asn", row: "198.51.100.0/24,", code: "origins.empty", field: "/asn"},
		{name: "no empty set of origins", codec: "asn", row: "198.51.100.0/24 {}", code: "origins.empty", field: "/asn", value: "{}"},
		{name: "an origin is a number", codec: "asn", row: "198.51.100.0/24,ASX", code: "asn.syntax", field: "/asn", value: "ASX"},
		{name: "AS 0 originates nothing", codec: "asn", row: "198.51.100.0/24,0", code: "asn.reserved", field: "/asn", value: "0"},
		{name: "AS numbers have 32 bits", codec: "asn", row: "198.51.100.0/24,4294967296", code: "asn.syntax", field: "/asn", value: "4294967296"},
		{name: "one bad origin of two", codec: "asn", row: "198.51.100.0/24,64496_23456", code: "asn.reserved", field: "/asn", value: "23456"},
		{name: "no bits behind the length", codec: "asn", row: "198.51.100.1\t24\t64496", code: "prefix.host-bits", field: "/prefix", value: "198.51.100.1/24"},

		{name: "fewer than seven fields", codec: "rir", row: "examplencc|AT|ipv4|198.51.100.0|256", code: "rir.syntax", value: "examplencc|AT|ipv4|198.51.100.0|256"},
		{name: "not a record", codec: "rir", row: "hello", code: "rir.syntax", value: "hello"},
		{name: "a type that is not known", codec: "rir", row: "examplencc|AT|ipv5|198.51.100.0|256|20100101|allocated", code: "rir.syntax", value: "ipv5"},
		{name: "a status that is not known", codec: "rir", row: "examplencc|AT|ipv4|198.51.100.0|256|20100101|lent", code: "rir.syntax", field: "/status", value: "lent"},
		{name: "nobody holds what is available", codec: "rir", row: "examplencc||ipv4|198.51.100.0|256||available", code: "rir.available", value: "examplencc||ipv4|198.51.100.0|256||available"},
		{name: "nobody holds what is reserved", codec: "rir", row: "examplencc|ZZ|ipv4|198.51.100.0|256||reserved", code: "rir.reserved", value: "examplencc|ZZ|ipv4|198.51.100.0|256||reserved"},
		{name: "no addresses", codec: "rir", row: "examplencc|AT|ipv4|198.51.100.0|0|20100101|allocated", code: "rir.value", value: "0"},
		{name: "more addresses than there are", codec: "rir", row: "examplencc|AT|ipv4|255.255.255.0|257|20100101|allocated", code: "rir.value", value: "257"},
		{name: "an IPv6 start in an IPv4 record", codec: "rir", row: "examplencc|AT|ipv4|2001:db8::|256|20100101|allocated", code: "prefix.syntax", value: "2001:db8::"},
		{name: "an IPv4 start in an IPv6 record", codec: "rir", row: "examplencc|AT|ipv6|198.51.100.0|24|20100101|allocated", code: "rir.value", value: "198.51.100.0/24"},
		{name: "an IPv6 record of host bits", codec: "rir", row: "examplencc|AT|ipv6|2001:db8::1|32|20100101|allocated", code: "prefix.host-bits", value: "2001:db8::1/32"},
		{name: "a region is not a country", codec: "rir", row: "examplencc|AP|ipv4|198.51.100.0|256|20100101|allocated", code: "country.region", field: "/country", value: "AP"},
		{name: "AS numbers end at 32 bits", codec: "rir", row: "examplencc|AT|asn|4294967290|6|20100101|allocated", code: "rir.value", value: "6"},
		{name: "an AS number is a number", codec: "rir", row: "examplencc|AT|asn|x|1|20100101|allocated", code: "asn.syntax", value: "x"},
		{name: "more records than the summary says", codec: "rir", row: "examplencc|*|ipv4|*|0|summary", code: "rir.counts", value: "ipv4", note: true, line: 1},
	}
}

func TestBadRows(t *testing.T) {
	for _, c := range badRows() {
		t.Run(c.codec+": "+c.name, func(t *testing.T) {
			codec := codecs()[c.codec]
			text := codec.before + codec.good + strings.TrimSuffix(c.row, "\n") + "\n" + codec.after
			out := codec.read(strings.NewReader(text))
			if out.fatal != nil {
				t.Fatalf("fatal: %v", out.fatal)
			}
			got, other := out.skipped, out.notes
			if c.note {
				got, other = other, got
			}
			if len(got) != 1 || len(other) != 0 {
				t.Fatalf("skipped %v, notes %v, want one problem", out.skipped, out.notes)
			}
			p := got[0]
			if p.Reason == "" {
				t.Error("the problem gives no reason")
			}
			p.Reason, p.Want = "", ""
			line := c.line
			if line == 0 {
				line = 3
			}
			want := directory.RowProblem{Row: line, Problem: directory.Problem{Code: c.code, Field: c.field, Value: c.value}}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
			if !slices.Contains(out.good, 2) {
				t.Errorf("good rows %v, want the good row on line 2", out.good)
			}
			if kept := slices.Contains(out.good, 3); kept != (c.note && line == 3) {
				t.Errorf("the bad row kept: %v, want %v", kept, c.note)
			}
		})
	}
}

func TestProblemsSayWhatWouldBeRight(t *testing.T) {
	out := codecs()["country"].read(strings.NewReader("prefix,country\n198.51.100.1/24,AT\n"))
	if len(out.skipped) != 1 || out.skipped[0].Want != "198.51.100.0/24" {
		t.Errorf("skipped %v, want the prefix with its host bits cleared", out.skipped)
	}
}

// badFile is a file that is no use as a whole.
type badFile struct {
	name, codec, text string
	code              directory.Code
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

func badFiles() []badFile {
	all := codecs()
	packed := zipped(all["dotgov"].before + strings.Repeat(all["dotgov"].good, 1000))
	damaged := []byte(packed)
	damaged[len(damaged)-6] ^= 0xff // in the checksum (RFC 1952 section 2.3.1)
	const version = "2.3|examplencc|20260822|%|19930901|20260821|+0200\n"
	rir := all["rir"].good
	var files []badFile
	for name, c := range all {
		packed := zipped(c.before + c.good + c.after)
		files = append(files, []badFile{
			{"a login page", name, "<!DOCTYPE html><html><body>Please log in</body></html>", "import.html"},
			{"a page with a byte order mark", name, "\uFEFF\n  <HTML lang=en>", "import.html"},
			{"a packed page", name, zipped("<html></html>"), "import.html"},
			{"an XML error", name, `<?xml version="1.0"?><Error>AccessDenied</Error>`, "import.html"},
			{"nothing", name, "", "import.empty"},
			{"nothing but blank lines", name, "\uFEFF\r\n \n", "import.empty"},
			{"a header and no rows", name, c.before + c.after, "import.empty"},
			{"JSON", name, "{\"teams\": []}\n", "import.header"},
			{"UTF-16", name, "\xff\xfep\x00r\x00e\x00f\x00i\x00x\x00", "import.encoding"},
			{"a zip archive", name, "PK\x03\x04xxxx", "import.encoding"},
			{"gzip that ends early", name, packed[:len(packed)-4], "import.truncated"},
			{"gzip with a bad header", name, "\x1f\x8b\x00\x00\x00\x00\x00\x00\x00\x00", "import.gzip"},
			{"gzip with nothing behind its first bytes", name, "\x1f\x8b", "import.truncated"},
		}...)
	}
	return append(files,
		badFile{"a bad checksum", "dotgov", string(damaged), "import.gzip"},
		badFile{"damage in the middle", "dotgov", packed[:12] + "\xff\xff\xff\xff\xff\xff\xff\xff" + packed[20:], "import.gzip"},
		badFile{"another list", "dotgov", "prefix,country\n192.0.2.0/24,AT\n", "import.header"},
		badFile{"no column of contacts", "dotgov", "Domain name,Domain type,Organization name\na.example.org,City,A\n", "import.header"},
		badFile{"a column twice", "dotgov", "Domain name,Domain type,Organization name,Security contact email,Domain name\n", "import.header"},
		badFile{"a header that is not UTF-8", "dotgov", "Domain n\xe4me,x\n", "import.header"},
		badFile{"too much", "dotgov", all["dotgov"].before + strings.Repeat(strings.Repeat(" ", 1<<20-1)+"\n", 129), "import.too-large"},
		badFile{"a dump without the table", "csirts", "COPY public.other (id) FROM stdin;\n1\n\\.\n", "import.header"},
		badFile{"a dump of INSERT statements", "csirts", "INSERT INTO certs VALUES ('AT');\n", "import.header"},
		badFile{"a dump in CSV", "csirts", "COPY certs (iso2, team_name, email) FROM stdin WITH (FORMAT csv);\nAT,A,a@example.org\n\\.\n", "import.header"},
		badFile{"a column of the table twice", "csirts", "COPY certs (iso2, team_name, email, email) FROM stdin;\n\\.\n", "import.header"},
		badFile{"rows without an end", "csirts", all["csirts"].before + all["csirts"].good, "import.truncated"},
		badFile{"another table without an end", "csirts", all["csirts"].before + all["csirts"].good + "\\.\nCOPY other (id) FROM stdin;\n1\n", "import.truncated"},
		badFile{"no header", "country", "192.0.2.0/24,AT\n", "import.header"},
		badFile{"words", "asn", "hello world\n", "import.header"},
		badFile{"a later version", "rir", "3|examplencc|1|1|19930901|20260821|+0200\n" + rir, "import.header"},
		badFile{"records without a version line", "rir", rir, "import.header"},
		badFile{"fewer records than the summary says", "rir", strings.Replace(version, "%", "2", 1) + "examplencc|*|ipv4|*|2|summary\n" + rir, "import.truncated"},
		badFile{"fewer records than the version line says", "rir", strings.Replace(version, "%", "2", 1) + rir, "import.truncated"},
		badFile{"the first part of two cut short", "rir", strings.Replace(version, "%", "2", 1) + rir + strings.Replace(version, "%", "0", 1), "import.truncated"},
	)
}

func TestBadFiles(t *testing.T) {
	for _, f := range badFiles() {
		t.Run(f.codec+": "+f.name, func(t *testing.T) {
			out := codecs()[f.codec].read(strings.NewReader(f.text))
			problems := directory.ProblemsOf(out.fatal)
			if len(problems) != 1 || problems[0].Code != f.code || problems[0].Reason == "" {
				t.Errorf("fatal %v, want code %s with a reason", out.fatal, f.code)
			}
		})
	}
}

// failing gives text and then an error of its own.
type failing struct{ text io.Reader }

var errDisk = errors.New("disk trouble")

func (f failing) Read(b []byte) (int, error) {
	n, err := f.text.Read(b)
	if err == io.EOF {
		err = errDisk
	}
	return n, err
}

func TestReadErrorsArePassedOn(t *testing.T) {
	for name, c := range codecs() {
		for _, text := range []string{"", c.before, c.before + strings.Repeat(c.good, 3000)} {
			out := c.read(failing{strings.NewReader(text)})
			if !errors.Is(out.fatal, errDisk) || len(directory.ProblemsOf(out.fatal)) != 0 {
				t.Errorf("%s after %d octets: fatal %v, want the reader's own error", name, len(text), out.fatal)
			}
		}
	}
}

func TestCodes(t *testing.T) {
	tested := map[directory.Code]bool{}
	for _, r := range badRows() {
		tested[r.code] = true
	}
	for _, f := range badFiles() {
		tested[f.code] = true
	}
	documented := map[directory.Code]bool{}
	for _, c := range format.DataCodes() {
		if !tested[c.Code] {
			t.Errorf("code %s has no case in the tables of bad rows and files", c.Code)
		}
		if c.Title == "" || c.Advice == "" || documented[c.Code] {
			t.Errorf("code %s: no title, no advice, or twice", c.Code)
		}
		documented[c.Code] = true
	}
	for code := range tested {
		own := slices.ContainsFunc([]string{"import.", "row.", "rir.", "csirts.", "origins."}, func(p string) bool { return strings.HasPrefix(string(code), p) })
		if own && !documented[code] {
			t.Errorf("code %s is told and not documented", code)
		}
	}
	all := format.Codes()
	if !slices.IsSortedFunc(all, func(a, b directory.CodeInfo) int { return strings.Compare(string(a.Code), string(b.Code)) }) || len(all) < len(documented) {
		t.Errorf("Codes() is not sorted, or lacks some of %d", len(documented))
	}
}
