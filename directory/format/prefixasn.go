package format

import (
	"io"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// PrefixASN reads which network originates which prefix. It understands the
// forms in which such tables are passed around, one row a line:
//
//	192.0.2.0/24,AS64496            CSV, with or without the header prefix,asn
//	192.0.2.0/24 64496              the text that pyasn writes
//	192.0.2.0 24 64496_64497        the text that CAIDA's prefix-to-AS files hold
//
// A prefix with several origins has them joined by _ or in braces:
// {64496,64497}. What follows # or ; is a comment.
func PrefixASN(r io.Reader) directory.ReferenceItems {
	return func(yield func(directory.ReferenceItem) bool) {
		e := newEntries(directory.PrefixASN, yield)
		l, err := openLines(r, maxStream)
		if err != nil {
			e.fail(err)
			return
		}
		header := false
		for !e.done {
			t, err := l.next()
			if err == io.EOF {
				if e.rows == 0 {
					e.fail(fault("import.empty", "", "the file has no rows", ""))
				}
				return
			}
			if err != nil {
				e.fail(err)
				return
			}
			text := t.text
			if t.bad == nil {
				text = uncomment(t.text)
			}
			switch {
			case t.bad == nil && text == "":
			case t.bad == nil && e.rows == 0 && !header && isASNHeader(text):
				header = true
			case t.bad == nil && e.rows == 0 && !header && !likePrefix(text):
				e.fail(fault("import.header", text, "neither a header nor a prefix", "prefix,asn or a row such as 192.0.2.0/24,AS64496"))
			default:
				e.rows++
				e.origins(t, text)
			}
		}
	}
}

// uncomment cuts a comment and the spaces around what is left.
func uncomment(s string) string {
	if i := strings.IndexAny(s, "#;"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

func isASNHeader(text string) bool {
	prefix, asn := cutColumn(text)
	return strings.EqualFold(strings.Trim(prefix, `"`), "prefix") && slices.Contains([]string{"asn", "as", "origin"}, strings.ToLower(strings.Trim(asn, `"`)))
}

// likePrefix reports whether a row begins with the characters of a prefix.
func likePrefix(text string) bool {
	first, _ := cutColumn(text)
	return strings.ContainsAny(first, ".:") && strings.Trim(first, `0123456789abcdefABCDEF.:/"`) == ""
}

// cutColumn cuts off the first column at a comma, or else at white space.
func cutColumn(s string) (first, rest string) {
	i := strings.IndexAny(s, ", \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.Trim(s[i:], ", \t")
}

// origins reads one row.
func (e *entries) origins(t line, text string) {
	if t.bad != nil {
		e.skip(t.n, *t.bad)
		return
	}
	prefix, rest := cutColumn(strings.ReplaceAll(text, `"`, ""))
	if length, asns := cutColumn(rest); asns != "" && !strings.Contains(prefix, "/") && isLength(length) {
		prefix, rest = prefix+"/"+length, asns
	}
	p, err := directory.ParseCIDR(prefix)
	if err != nil {
		e.skip(t.n, faultOf(err, "prefix"))
		return
	}
	origins, err := parseOrigins(rest)
	if err != nil {
		e.skip(t.n, faultOf(err, "asn"))
		return
	}
	e.send(directory.ReferenceItem{Row: t.n, Kind: e.kind, Entry: directory.ReferenceRow{Prefix: p, Origins: origins}})
}

func isLength(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// maxOrigins is how many origins one prefix may have; real ones have under 50.
const maxOrigins = 256

func parseOrigins(s string) ([]directory.ASN, error) {
	var origins []directory.ASN
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune("{}_, \t", r) }) {
		asn, err := directory.ParseASN(word)
		if err != nil {
			return nil, err
		}
		if origins = append(origins, asn); len(origins) > maxOrigins {
			return nil, fault("origins.empty", s, "more origins than any prefix has", "at most 256")
		}
	}
	if origins == nil {
		return nil, fault("origins.empty", s, "no network is named", "64496, or 64496_64497 for several")
	}
	slices.Sort(origins)
	return slices.Compact(origins), nil
}
