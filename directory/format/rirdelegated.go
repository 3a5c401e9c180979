package format

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

var rirCodes = []directory.CodeInfo{
	{Code: "rir.syntax", Title: "Not a record of RIR statistics", Advice: "Download the file again; if the registry publishes it so, tell the registry."},
	{Code: "rir.value", Title: "The size of a delegation is impossible", Advice: "Tell the registry."},
	{Code: "rir.available", Title: "Nobody holds it: the registry has not delegated it", Advice: "Nothing: the row says that there is no country."},
	{Code: "rir.reserved", Title: "Nobody holds it: the registry keeps it back", Advice: "Nothing: the row says that there is no country."},
	{Code: "rir.counts", Title: "A file has more records than its own summary says", Advice: "Compare with the next day's file."},
}

// RIRDelegated reads the statistics of a regional Internet registry: the
// "delegated" and "delegated-extended" files, versions 2 to 2.3, also several
// behind each other, as in the file of all five registries.
//
// Allocated and assigned address space becomes entries of the kind
// prefix-country, AS numbers entries of the kind asn-country. An IPv4 record
// counts addresses, so that one row may make several prefixes. What nobody
// holds is skipped with the code rir.available or rir.reserved.
//
// The summary lines say how many records there are of each type. With fewer
// the file was cut short: fatal, code import.truncated. With more it was put
// together carelessly, which is a note.
func RIRDelegated(r io.Reader) directory.ReferenceItems {
	return func(yield func(directory.ReferenceItem) bool) {
		f := &rirFile{entries: newEntries("", yield)}
		l, err := openLines(r, maxStream)
		if err != nil {
			f.fail(err)
			return
		}
		for !f.done {
			t, err := l.next()
			switch {
			case err == io.EOF:
				f.finish()
				return
			case err != nil:
				f.fail(err)
				return
			}
			f.line(t)
		}
	}
}

// rirFile is one reading of a file.
type rirFile struct {
	*entries
	begun   bool
	asOf    time.Time
	total   int            // records, as the version line says; -1: it does not
	summary map[string]int // records of each type, as the summary lines say
	counted map[string]int
	version int // line of the version line
}

func (f *rirFile) line(t line) {
	text := strings.TrimSpace(t.text)
	fields := strings.Split(text, "|")
	switch {
	case t.bad != nil && !f.begun:
		f.fail(fault("import.header", t.bad.Value, "the first line can't be read: "+t.bad.Reason, versionLine))
	case t.bad != nil:
		f.rows++
		if len(fields) > 2 {
			f.counted[fields[2]]++
		}
		f.skip(t.n, *t.bad)
	case text == "", strings.HasPrefix(text, "#"):
	case !f.begun && !isVersion(fields):
		f.fail(fault("import.header", text, "the file does not begin with the version line of RIR statistics, version 2 to 2.3", versionLine))
	case isVersion(fields):
		if f.check() {
			f.begin(t.n, fields)
		}
	case len(fields) == 6 && fields[1] == "*" && fields[5] == "summary":
		if n, err := strconv.Atoi(fields[4]); err == nil && n >= 0 {
			f.summary[fields[2]] = n
		}
	default:
		f.rows++
		f.record(t.n, text, fields)
	}
}

const versionLine = "a line such as 2|ripencc|20260822|1|19830705|20260821|+0200"

func isVersion(fields []string) bool {
	return len(fields) == 7 && slices.Contains([]string{"2", "2.0", "2.1", "2.2", "2.3"}, fields[0])
}

// begin starts the part of one registry.
func (f *rirFile) begin(n int, fields []string) {
	f.begun, f.version = true, n
	f.summary, f.counted = map[string]int{}, map[string]int{}
	f.asOf, _ = time.Parse("20060102", fields[5])
	f.total = -1
	if total, err := strconv.Atoi(fields[3]); err == nil {
		f.total = total
	}
}

// finish closes the last part.
func (f *rirFile) finish() {
	switch {
	case !f.begun:
		f.fail(fault("import.empty", "", "the file has no version line and no records", ""))
	case f.check() && f.rows == 0:
		f.fail(fault("import.empty", "", "the file has no records", ""))
	}
}

// check compares a part with its own summary, or with its version line where
// there is none, and reports whether the part is whole.
func (f *rirFile) check() bool {
	if !f.begun {
		return true
	}
	said, found := f.summary, f.counted
	if len(said) == 0 && f.total >= 0 {
		said, found = map[string]int{"records": f.total}, map[string]int{"records": 0}
		for _, n := range f.counted {
			found["records"] += n
		}
	}
	for _, what := range []string{"asn", "ipv4", "ipv6", "records"} {
		n, ok := said[what]
		switch {
		case ok && found[what] < n:
			f.fail(fault("import.truncated", what, fmt.Sprintf("%d of %d records are there in the part that begins on line %d", found[what], n, f.version), "the whole file"))
			return false
		case ok && found[what] > n:
			p := fault("rir.counts", what, fmt.Sprintf("%d records, of which the summary says %d", found[what], n), "")
			f.send(directory.ReferenceItem{Row: f.version, Note: &directory.RowProblem{Row: f.version, Problem: p}})
		}
	}
	return true
}

// record reads registry|country|type|start|value|date|status, and what the
// extended form has behind it.
func (f *rirFile) record(n int, text string, fields []string) {
	if len(fields) < 3 {
		f.skip(n, fault("rir.syntax", text, "not a record", "registry|country|type|start|value|date|status"))
		return
	}
	f.counted[fields[2]]++
	if len(fields) < 7 {
		f.skip(n, fault("rir.syntax", text, "fewer than seven fields", "registry|country|type|start|value|date|status"))
		return
	}
	switch fields[6] {
	case "allocated", "assigned":
	case "reserved":
		f.skip(n, fault("rir.reserved", text, "reserved by the registry: nobody holds it", ""))
		return
	case "available", "ianapool":
		f.skip(n, fault("rir.available", text, "not delegated: nobody holds it", ""))
		return
	default:
		f.skip(n, fault("rir.syntax", fields[6], "not a status of a delegation", "allocated, assigned, available or reserved").At("/status"))
		return
	}
	country, err := f.country(fields[1])
	if err != nil {
		f.skip(n, faultOf(err, "country"))
		return
	}
	kind, rows, err := delegated(fields[2], fields[3], fields[4])
	if err != nil {
		f.skip(n, faultOf(err, ""))
		return
	}
	for _, entry := range rows {
		entry.Country = country
		f.send(directory.ReferenceItem{Row: n, Kind: kind, Entry: entry, AsOf: f.asOf})
	}
}

// delegated reads what a record is about.
func delegated(what, start, value string) (directory.ReferenceKind, []directory.ReferenceRow, error) {
	count, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		count = 0 // never a good one
	}
	switch what {
	case "ipv4":
		rows, err := delegated4(start, value, count)
		return directory.PrefixCountry, rows, err
	case "ipv6":
		p, err := directory.ParseCIDR(start + "/" + value)
		if err != nil || p.Addr().Is4() || count == 0 {
			return "", nil, orFault(err, fault("rir.value", start+"/"+value, "not an IPv6 prefix", "a start and a length from 1 to 128"))
		}
		return directory.PrefixCountry, []directory.ReferenceRow{{Prefix: p}}, nil
	case "asn":
		first, err := directory.ParseASN(start)
		if err != nil {
			return "", nil, err
		}
		if count == 0 || count > 1<<32-1-uint64(first) {
			return "", nil, fault("rir.value", value, "not a number of AS numbers", "1 or more, and none above 4294967294")
		}
		row := directory.ReferenceRow{First: first, Last: first + directory.ASN(count-1)}
		return directory.ASNCountry, []directory.ReferenceRow{row}, nil
	}
	return "", nil, fault("rir.syntax", what, "not a type of record", "ipv4, ipv6 or asn")
}

func delegated4(start, value string, count uint64) ([]directory.ReferenceRow, error) {
	a, err := netip.ParseAddr(start)
	if err != nil || !a.Is4() {
		return nil, fault("prefix.syntax", start, "not an IPv4 address", "such as 192.0.2.0")
	}
	b := a.As4()
	first := binary.BigEndian.Uint32(b[:])
	if count == 0 || count > 1<<32-uint64(first) {
		return nil, fault("rir.value", value, "not a number of IPv4 addresses", "1 or more, and none behind 255.255.255.255")
	}
	var rows []directory.ReferenceRow
	for _, p := range rangePrefixes(first, count) {
		rows = append(rows, directory.ReferenceRow{Prefix: p})
	}
	return rows, nil
}

// rangePrefixes returns the fewest prefixes that cover n IPv4 addresses from
// first on: registries delegate counts that are not powers of two.
func rangePrefixes(first uint32, n uint64) []netip.Prefix {
	var ps []netip.Prefix
	for at := uint64(first); n > 0; {
		bits, size := 32, uint64(1)
		for bits > 0 && at%(size*2) == 0 && size*2 <= n {
			bits, size = bits-1, size*2
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(at))
		ps = append(ps, netip.PrefixFrom(netip.AddrFrom4(b), bits))
		at, n = at+size, n-size
	}
	return ps
}

func orFault(err error, p directory.Problem) error {
	if err != nil {
		return err
	}
	return p
}
