package format_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// entriesOf prints what a codec says, one line an item.
func entriesOf(items directory.ReferenceItems) (out []string) {
	for i := range items {
		switch {
		case i.Fatal != nil:
			out = append(out, "fatal "+i.Fatal.Error())
		case i.Skipped != nil:
			out = append(out, fmt.Sprintf("%d skipped %s", i.Row, i.Skipped.Code))
		case i.Note != nil:
			out = append(out, fmt.Sprintf("%d note %s", i.Row, i.Note.Code))
		case i.Kind == directory.ASNCountry:
			out = append(out, fmt.Sprintf("%d %s-%s %s %s", i.Row, i.Entry.First, i.Entry.Last, i.Entry.Country, i.AsOf.Format("2006-01-02")))
		case i.Kind == directory.PrefixASN:
			out = append(out, fmt.Sprintf("%d %s %v", i.Row, i.Entry.Prefix, i.Entry.Origins))
		default:
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%d %s %s %s", i.Row, i.Entry.Prefix, i.Entry.Country, i.AsOf.Format("2006-01-02")), " 0001-01-01"))
		}
	}
	return out
}

func TestReferenceData(t *testing.T) {
	for _, c := range []struct {
		file  string
		codec func(io.Reader) directory.ReferenceItems
		want  []string
	}{
		{"prefix-country.csv", format.PrefixCountry, []string{
			"2 192.0.2.0/24 AT", "3 198.51.100.0/25 GB", "5 203.0.113.0/24 EU", "6 2001:db8::/32 NL"}},
		{"prefix-asn.txt", format.PrefixASN, []string{
			"3 192.0.2.0/24 [AS64496]", "4 198.51.100.0/24 [AS64497]", "5 203.0.113.0/24 [AS64498 AS64499]", "6 2001:db8::/32 [AS64496 AS64500]"}},
		{"delegated-extended.txt", format.RIRDelegated, []string{
			"6 192.0.2.0/24 AT 2026-08-21", "7 198.51.100.0/25 GB 2026-08-21", "7 198.51.100.128/26 GB 2026-08-21", "8 skipped rir.available",
			"9 2001:db8::/32 NL 2026-08-21", "10 skipped rir.reserved", "11 AS64496-AS64499 EU 2026-08-21", "12 skipped country.region"}},
	} {
		if diff := cmp.Diff(c.want, entriesOf(c.codec(bytes.NewReader(testdata(t, c.file))))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.file, diff)
		}
	}
}

func TestRIRDelegatedSplitsCountsIntoPrefixes(t *testing.T) {
	for _, c := range []struct{ start, count, want string }{
		{"192.0.2.0", "1", "192.0.2.0/32"},
		{"192.0.2.0", "256", "192.0.2.0/24"},
		{"192.0.2.0", "768", "192.0.2.0/23 192.0.4.0/24"},
		{"192.0.3.0", "768", "192.0.3.0/24 192.0.4.0/23"},
		{"192.0.2.1", "6", "192.0.2.1/32 192.0.2.2/31 192.0.2.4/31 192.0.2.6/32"},
		{"255.255.255.255", "1", "255.255.255.255/32"},
		{"0.0.0.0", "4294967296", "0.0.0.0/0"},
	} {
		text := codecs()["rir"].before + "examplencc|AT|ipv4|" + c.start + "|" + c.count + "|20100101|allocated\n"
		var got []string
		for i := range format.RIRDelegated(strings.NewReader(text)) {
			got = append(got, i.Entry.Prefix.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s addresses from %s = %v, want %s", c.count, c.start, got, c.want)
		}
	}
}

func TestRIRDelegatedReadsSeveralPartsEachWithItsDay(t *testing.T) {
	text := "2|aa|1|1|19930901|20260820|+0200\naa|AT|asn|64496|1|20100101|allocated\n" +
		"2.3|bb|1|1|19930901|20260821|+0200\nbb|*|asn|*|1|summary\nbb|NL|asn|64500|2|20100101|assigned|B1\n"
	want := []string{"2 AS64496-AS64496 AT 2026-08-20", "5 AS64500-AS64501 NL 2026-08-21"}
	if diff := cmp.Diff(want, entriesOf(format.RIRDelegated(strings.NewReader(text)))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestPrefixASNWithoutHeader(t *testing.T) {
	want := []string{"1 192.0.2.0/24 [AS64496]", "2 skipped prefix.syntax"}
	if diff := cmp.Diff(want, entriesOf(format.PrefixASN(strings.NewReader("192.0.2.0/24 64496\nprefix,asn\n")))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestParseCIDRJudgesTheFormOnly(t *testing.T) {
	for text, want := range map[string]string{
		"0.0.0.0/0": "0.0.0.0/0", "10.0.0.0/8": "10.0.0.0/8", "192.0.2.1": "192.0.2.1/32", " 2001:db8::/32 ": "2001:db8::/32", "::/0": "::/0",
	} {
		if got, err := directory.ParseCIDR(text); err != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("ParseCIDR(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
}
