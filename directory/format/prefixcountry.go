package format

import (
	"io"

	"github.com/rollcall-csirt/rollcall/directory"
)

// PrefixCountry reads rows of prefix and country under the header
// "prefix,country", in constant memory.
func PrefixCountry(r io.Reader) directory.ReferenceItems {
	return func(yield func(directory.ReferenceItem) bool) {
		e := newEntries(directory.PrefixCountry, yield)
		t, err := openTable(r, maxStream, "prefix", "country")
		if err != nil {
			e.fail(err)
			return
		}
		prefix, country := t.column("prefix"), t.column("country")
		for !e.done {
			in, err := t.next()
			switch {
			case err == io.EOF && e.rows == 0:
				e.fail(fault("import.empty", "", "the file has a header and no rows", ""))
				return
			case err == io.EOF:
				return
			case err != nil:
				e.fail(err)
				return
			case in.bad != nil:
				e.rows++
				e.skip(in.n, *in.bad)
			case len(in.fields) > 0:
				e.rows++
				e.prefixCountry(in.n, in.fields[prefix], in.fields[country])
			}
		}
	}
}

func (e *entries) prefixCountry(n int, prefix, country string) {
	p, err := directory.ParseCIDR(prefix)
	if err != nil {
		e.skip(n, faultOf(err, "prefix"))
		return
	}
	c, err := e.country(country)
	if err != nil {
		e.skip(n, faultOf(err, "country"))
		return
	}
	e.send(directory.ReferenceItem{Row: n, Kind: e.kind, Entry: directory.ReferenceRow{Prefix: p, Country: c}})
}
