package format_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// The fuzz targets look for panics, and hold every codec to its promise that
// each row of data is in a record or in a problem. The rows are counted here
// with nothing of the codecs, so quotes and gzip are left out of the count.

// dataLines returns the numbers of the lines that are not blank, and their
// text.
func dataLines(data []byte) (numbers []int, texts []string) {
	for i, l := range strings.Split(strings.TrimPrefix(string(data), "\uFEFF"), "\n") {
		if strings.TrimSpace(l) != "" {
			numbers, texts = append(numbers, i+1), append(texts, strings.TrimSuffix(l, "\r"))
		}
	}
	return numbers, texts
}

func countable(data []byte) bool {
	return !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) && bytes.IndexByte(data, '"') < 0
}

// accounted fails unless each row is good or skipped, and not both.
func accounted(t *testing.T, out told, want []int) {
	t.Helper()
	var got []int
	for _, p := range out.skipped {
		if slices.Contains(out.good, p.Row) {
			t.Errorf("line %d is both kept and skipped: %v", p.Row, p)
		}
		got = append(got, p.Row)
		if p.Code == "" || p.Reason == "" {
			t.Errorf("line %d: a problem without code or reason", p.Row)
		}
	}
	got = append(got, out.good...)
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("lines accounted for: %v, want %v", got, want)
	}
}

func seed(f *testing.F, name, file string) {
	f.Helper()
	f.Add(testdata(f, file))
	f.Add([]byte(zipped(string(testdata(f, file)))))
	c := codecs()[name]
	for _, r := range badRows() {
		if r.codec == name && len(r.row) < 1000 {
			f.Add([]byte(c.before + c.good + strings.TrimSuffix(r.row, "\n") + "\n" + c.after))
		}
	}
}

func FuzzDotgov(f *testing.F) {
	seed(f, "dotgov", "dotgov.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		in := collect(format.Dotgov(bytes.NewReader(data)))
		checked(t, in)
		for _, r := range in.records {
			if r.Rows == 0 || len(r.Profile.Resources) != r.Rows || r.Profile.Names.Full == "" || len(r.Profile.Contacts) > 1 {
				t.Errorf("record %+v of %d rows", r, r.Rows)
			}
		}
		if in.fatal != nil || !countable(data) {
			return
		}
		if numbers, _ := dataLines(data); in.rows+len(in.skipped) != len(numbers)-1 {
			t.Errorf("%d rows in records and %d skipped, want %d", in.rows, len(in.skipped), len(numbers)-1)
		}
	})
}

func FuzzNationalCSIRTs(f *testing.F) {
	seed(f, "csirts", "national-csirts.sql")
	f.Fuzz(func(t *testing.T, data []byte) {
		collect(format.NationalCSIRTs(bytes.NewReader(data))) // must not panic, whatever the file
		body := strings.Split(string(data), "\n")
		if strings.Contains(strings.ToUpper(string(data)), "COPY") || bytes.IndexByte(data, '\r') >= 0 {
			return // what behind the end may be another table is not counted here
		}
		in := collect(format.NationalCSIRTs(strings.NewReader(codecs()["csirts"].before + string(data) + "\n\\.\n")))
		want := slices.Index(append(body, `\.`), `\.`)
		if in.fatal != nil && want > 0 {
			t.Fatalf("fatal: %v", in.fatal)
		}
		if in.rows+len(in.skipped) != want {
			t.Errorf("%d rows in records and %d skipped, want %d", in.rows, len(in.skipped), want)
		}
		checked(t, in)
		for _, r := range in.records {
			if len(r.Profile.Contacts) != 1 || r.Profile.Country == "" || r.Profile.Names.Short+r.Profile.Names.Full+r.Profile.Contacts[0].Person == "" {
				t.Errorf("record %+v", r)
			}
		}
	})
}

func FuzzPrefixCountry(f *testing.F) {
	seed(f, "country", "prefix-country.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range format.PrefixCountry(bytes.NewReader(data)) {
			if i.Fatal == nil && i.Skipped == nil && (i.Entry.Prefix != i.Entry.Prefix.Masked() || len(i.Entry.Country) != 2) {
				t.Errorf("entry %+v", i.Entry)
			}
		}
		out := codecs()["country"].read(bytes.NewReader(data))
		if numbers, _ := dataLines(data); out.fatal == nil && countable(data) {
			accounted(t, out, numbers[1:])
		}
	})
}

func FuzzPrefixASN(f *testing.F) {
	seed(f, "asn", "prefix-asn.txt")
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range format.PrefixASN(bytes.NewReader(data)) {
			if i.Fatal == nil && i.Skipped == nil && (i.Entry.Prefix != i.Entry.Prefix.Masked() || len(i.Entry.Origins) == 0) {
				t.Errorf("entry %+v", i.Entry)
			}
		}
		out := codecs()["asn"].read(bytes.NewReader(data))
		numbers, texts := dataLines(data)
		if out.fatal != nil || !countable(data) || bytes.IndexByte(data, 0) >= 0 || !bytes.Equal(bytes.ToValidUTF8(data, nil), data) {
			return
		}
		var want []int
		for i, text := range texts {
			if j := strings.IndexAny(text, "#;"); j >= 0 {
				text = text[:j]
			}
			header := len(want) == 0 && strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "prefix")
			if strings.TrimSpace(text) != "" && !header {
				want = append(want, numbers[i])
			}
		}
		accounted(t, out, want)
	})
}

func FuzzRIRDelegated(f *testing.F) {
	seed(f, "rir", "delegated-extended.txt")
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range format.RIRDelegated(bytes.NewReader(data)) {
			e := i.Entry
			if i.Kind == directory.PrefixCountry && e.Prefix != e.Prefix.Masked() || i.Kind == directory.ASNCountry && (e.First == 0 || e.Last < e.First) {
				t.Errorf("entry %+v", e)
			}
		}
		out := codecs()["rir"].read(bytes.NewReader(data))
		if out.fatal != nil || !countable(data) {
			return
		}
		var want []int
		numbers, texts := dataLines(data)
		for i, text := range texts {
			fields := strings.Split(strings.TrimSpace(text), "|")
			version := len(fields) == 7 && slices.Contains(strings.Fields("2 2.0 2.1 2.2 2.3"), fields[0])
			summary := len(fields) == 6 && fields[1] == "*" && fields[5] == "summary"
			broken := strings.Contains(text, "\x00") || strings.ToValidUTF8(text, "") != text
			if broken || !version && !summary && !strings.HasPrefix(fields[0], "#") {
				want = append(want, numbers[i])
			}
		}
		accounted(t, out, want)
	})
}
