package format_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// prefixes lets cmp compare what has unexported fields.
func prefixes() cmp.Option { return cmpopts.EquateComparable(netip.Prefix{}) }

func domain(name, holder string) directory.Resource {
	return directory.Resource{Type: "domain", Domain: directory.Domain(name), Claim: "listed", Holder: holder}
}

func TestDotgov(t *testing.T) {
	in := collect(format.Dotgov(bytes.NewReader(testdata(t, "dotgov.csv"))))
	in.whole(t, 7)
	government := []directory.ConstituencyType{{Type: "government"}}
	uses := []directory.Word{"general", "abuse", "vulnerability"}
	want := []*directory.SourceRecord{
		{Row: 7, Rows: 1, Key: "mailto:desk@example.net", Handle: "alone.example.org", Profile: directory.Profile{
			Names: directory.Names{Full: `City of "Quotes", Inc`}, Status: "active", Country: "US", Address: "Quotes, OR",
			Constituency: directory.Constituency{Types: government, Text: "Domain types: City"},
			Resources:    []directory.Resource{domain("alone.example.org", `City of "Quotes", Inc`)},
			Contacts:     []directory.Contact{{Channel: "email", Value: "desk@example.net", Uses: uses}},
		}},
		{Row: 2, Rows: 3, Key: "mailto:security@example.org", Handle: "alpha.example.org", Profile: directory.Profile{
			Names:  directory.Names{Full: "Department of Examples", Other: []string{"County of Instances", "Office of Samples, East"}},
			Status: "active", Country: "US",
			Constituency: directory.Constituency{Types: government, Text: "Domain types: County; Federal - Executive"},
			Resources: []directory.Resource{
				domain("alpha.example.org", "Department of Examples / Office of Samples, East"),
				domain("beta.example.org", "County of Instances"),
				domain("zeta.example.org", "Department of Examples"),
			},
			Contacts: []directory.Contact{{Channel: "email", Value: "security@example.org", Uses: uses}},
		}},
		{Row: 8, Rows: 1, Key: "org:city of nowhere||elsewhere|ks", Handle: "elsewhere.example.org", Profile: directory.Profile{
			Names: directory.Names{Full: "City of Nowhere"}, Status: "active", Country: "US", Address: "Elsewhere, KS",
			Constituency: directory.Constituency{Types: government, Text: "Domain types: City"},
			Resources:    []directory.Resource{domain("elsewhere.example.org", "City of Nowhere")},
			Contacts:     []directory.Contact{},
		}},
		{Row: 4, Rows: 2, Key: "org:city of nowhere||nowhere|ks", Handle: "nil.example.org", Profile: directory.Profile{
			Names: directory.Names{Full: "City of Nowhere"}, Status: "active", Country: "US", Address: "Nowhere, KS",
			Constituency: directory.Constituency{Types: government, Text: "Domain types: City; City - Election"},
			Resources:    []directory.Resource{domain("nil.example.org", "City of Nowhere"), domain("none.example.org", "City of Nowhere")},
			Contacts:     []directory.Contact{},
		}},
	}
	if diff := cmp.Diff(want, in.records, prefixes()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestDotgovReadsEveryDress(t *testing.T) {
	plain := string(testdata(t, "dotgov.csv"))
	want := collect(format.Dotgov(strings.NewReader(plain))).records
	for name, text := range map[string]string{
		"byte order mark":   "\uFEFF" + plain,
		"CRLF":              strings.ReplaceAll(plain, "\n", "\r\n"),
		"gzip":              zipped(plain),
		"gzip in two parts": zipped(plain[:100]) + zipped(plain[100:]),
		"no last line end":  strings.TrimSuffix(plain, "\n"),
		"an added column":   strings.ReplaceAll(strings.ReplaceAll(plain, "\n", ",new\n"), "email,new", "email,Since"),
		"header in capitals": strings.ToUpper(plain[:strings.Index(plain, "\n")]) +
			plain[strings.Index(plain, "\n"):],
	} {
		if diff := cmp.Diff(want, collect(format.Dotgov(strings.NewReader(text))).records, prefixes()); diff != "" {
			t.Errorf("%s: records differ (-want +got):\n%s", name, diff)
		}
	}
}

func TestDotgovOrderOfRowsDoesNotMatter(t *testing.T) {
	lines := strings.SplitAfter(string(testdata(t, "dotgov.csv")), "\n")
	turned := lines[0]
	for i := len(lines) - 1; i > 0; i-- {
		turned += lines[i]
	}
	keys := func(text string) (out []string) {
		for _, r := range collect(format.Dotgov(strings.NewReader(text))).records {
			out = append(out, fmt.Sprint(r.Key, r.Handle, r.Rows))
		}
		return out
	}
	if diff := cmp.Diff(keys(strings.Join(lines, "")), keys(turned)); diff != "" {
		t.Errorf("keys and handles (-want +got):\n%s", diff)
	}
}

func TestDotgovContactThatCannotBeReadKeepsTheDomain(t *testing.T) {
	c := codecs()["dotgov"]
	in := collect(format.Dotgov(strings.NewReader(c.before + "bad.example.org,City,City of Bad,,Bad,KS,nobody\n")))
	in.whole(t, 1)
	if r := in.records[0]; r.Profile.Contacts == nil || len(r.Profile.Contacts) != 0 || r.Profile.Resources[0].Domain != "bad.example.org" {
		t.Errorf("contacts %v of %v, want an empty list and the domain", r.Profile.Contacts, r.Profile.Resources)
	}
}

func TestQuotedLineBreaks(t *testing.T) {
	c := codecs()["dotgov"]
	text := c.before + "a.example.org,City,\"City\n\nof \"\"A\"\"\",,A,KS,\nb.example.org,City,B,,B,KS,\n"
	in := collect(format.Dotgov(strings.NewReader(text)))
	in.whole(t, 2)
	if got := in.records[0].Profile.Names.Full; got != `City of "A"` {
		t.Errorf("name %q, want the line breaks as one space", got)
	}
	if got := in.records[1].Row; got != 5 {
		t.Errorf("the row behind is on line %d, want 5", got)
	}
}

func TestAnOpenQuoteCostsOneRow(t *testing.T) {
	c := codecs()["dotgov"]
	text := c.before + "a.example.org,City,\"A,,A,KS,\n" + strings.Repeat(" \n", 10) + "b.example.org,City,B,,B,KS,\nc.example.org,City,\"C\",,C,KS,\n"
	in := collect(format.Dotgov(strings.NewReader(text)))
	if len(in.skipped) != 1 || in.skipped[0].Row != 2 || in.rows != 2 {
		t.Errorf("skipped %v, %d rows kept, want line 2 skipped and 2 kept", in.skipped, in.rows)
	}
}

func TestImportsStopWhenAskedTo(t *testing.T) {
	n := 0
	for range format.Dotgov(bytes.NewReader(testdata(t, "dotgov.csv"))) {
		n++
		break
	}
	for range format.NationalCSIRTs(bytes.NewReader(testdata(t, "national-csirts.sql"))) {
		n++
		break
	}
	for range format.PrefixCountry(bytes.NewReader(testdata(t, "prefix-country.csv"))) {
		n++
		break
	}
	for range format.PrefixASN(bytes.NewReader(testdata(t, "prefix-asn.txt"))) {
		n++
		break
	}
	for range format.RIRDelegated(bytes.NewReader(testdata(t, "delegated-extended.txt"))) {
		n++
		break
	}
	if n != 5 {
		t.Errorf("%d items, want one of each of 5 codecs", n)
	}
}

// TestDotgovHandle: the handle is the mailbox's own domain where the group
// holds it, whatever the order of the file.
func TestDotgovHandle(t *testing.T) {
	const header = "Domain name,Domain type,Organization name,Suborganization name,City,State,Security contact email\n"
	for _, c := range []struct{ name, rows, want string }{
		{"the mailbox's domain is in the group",
			"aaa.example.org,City,A,,X,KS,desk@mmm.example.org\nmmm.example.org,City,A,,X,KS,desk@mmm.example.org\n", "mmm.example.org"},
		{"the mailbox is elsewhere", "bbb.example.org,City,A,,X,KS,desk@example.net\naaa.example.org,City,A,,X,KS,desk@example.net\n", "aaa.example.org"},
		{"the mailbox is below", "bbb.example.org,City,A,,X,KS,desk@mail.bbb.example.org\n", "bbb.example.org"},
	} {
		for item := range format.Dotgov(strings.NewReader(header + c.rows)) {
			if item.Record == nil || string(item.Record.Handle) != c.want {
				t.Errorf("%s: got %+v, want the handle %s", c.name, item, c.want)
			}
		}
	}
}
