package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// dotgovColumns are the columns of the file, in the order of the constants
// below. The first four have to be there.
var dotgovColumns = []string{"Domain name", "Domain type", "Organization name", "Security contact email", "Suborganization name", "City", "State"}

const (
	govDomain = iota
	govType
	govOrg
	govContact
	govSub
	govCity
	govState
)

// maxOtherNames is how many names beside its own a record keeps. A mailbox
// that serves more organisations still has each as the holder of its domains.
const maxOtherNames = 100

// Dotgov reads the list of .gov domains with their security contacts that the
// registry publishes as CSV.
//
// Domains with the same security contact become one team: it is one mailbox,
// so it is proven once. Domains without a contact ("(blank)") are grouped by
// organisation, suborganisation and place into teams that have no contact, so
// that a lookup can say "no contact published" rather than "unknown". A
// contact that can't be read leaves its domain known, without contact, and a
// note; a domain that can't be read, or comes twice, is skipped.
//
// The contact is for general use, abuse and vulnerabilities: it is the only
// address that the registry publishes for the security of a domain.
//
// The whole file is held, since its rows have to be grouped. Records come in
// the order of the smallest domain of each.
func Dotgov(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		t, err := openTable(r, maxGrouped, dotgovColumns[:govSub]...)
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		d := dotgov{table: t, seen: map[directory.Domain]int{}, groups: map[string]*dotgovGroup{}}
		for _, name := range dotgovColumns {
			d.column = append(d.column, t.column(name))
		}
		for {
			in, err := t.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				yield(directory.ImportItem{Fatal: err})
				return
			}
			for _, item := range d.add(in) {
				if !yield(item) {
					return
				}
			}
		}
		if d.rows == 0 {
			yield(directory.ImportItem{Fatal: fault("import.empty", "", "the file has a header and no rows", "")})
			return
		}
		d.yield(yield)
	}
}

// dotgov is one reading of a file.
type dotgov struct {
	*table
	column []int // of each of dotgovColumns, its number; -1: the file does not have it
	rows   int
	seen   map[directory.Domain]int // domain to line
	groups map[string]*dotgovGroup  // by key
}

// dotgovGroup is the rows of one team.
type dotgovGroup struct {
	key  string
	rows []dotgovRow
}

type dotgovRow struct {
	n                           int
	domain                      directory.Domain
	kind, org, sub, city, state string
	contact                     directory.Email // as this row spells it
}

// holder is who holds the domain.
func (r dotgovRow) holder() string {
	if r.sub == "" || r.sub == r.org {
		return r.org
	}
	holder, _ := clean(strings.TrimPrefix(r.org+" / "+r.sub, " / "), 300)
	return holder
}

// add takes a row in. It returns what is to be told of it.
func (d *dotgov) add(in row) []directory.ImportItem {
	if in.bad == nil && len(in.fields) == 0 {
		return nil
	}
	d.rows++
	if in.bad != nil {
		return []directory.ImportItem{skipped(in.n, *in.bad)}
	}
	domain, err := directory.ParseDomain(d.get(in, govDomain))
	if err != nil {
		return []directory.ImportItem{skipped(in.n, faultOf(err, "Domain name"))}
	}
	if first, twice := d.seen[domain]; twice {
		return []directory.ImportItem{skipped(in.n, duplicate(string(domain), first).At("/Domain name"))}
	}
	d.seen[domain] = in.n
	var told []directory.ImportItem
	text := func(column int) string {
		s := d.get(in, column)
		if blank(s) {
			return ""
		}
		s, mended := clean(s, 300)
		if mended != nil {
			told = append(told, noted(in.n, mended.At("/"+dotgovColumns[column])))
		}
		return s
	}
	r := dotgovRow{n: in.n, domain: domain, kind: text(govType), org: text(govOrg),
		sub: text(govSub), city: text(govCity), state: text(govState)}
	if contact := d.get(in, govContact); !blank(contact) {
		if r.contact, err = directory.ParseEmail(contact); err != nil {
			p := faultOf(err, "Security contact email")
			p.Reason = "the domain is kept without contact: " + p.Reason
			told = append(told, noted(in.n, p))
		}
	}
	d.put(r)
	return told
}

func skipped(n int, p directory.Problem) directory.ImportItem {
	return directory.ImportItem{Skipped: &directory.RowProblem{Row: n, Problem: p}}
}

func noted(n int, p directory.Problem) directory.ImportItem {
	return directory.ImportItem{Note: &directory.RowProblem{Row: n, Problem: p}}
}

func duplicate(value string, first int) directory.Problem {
	return fault("row.duplicate", value, fmt.Sprintf("line %d has the same already", first), "")
}

func (d *dotgov) get(in row, column int) string {
	if i := d.column[column]; i >= 0 {
		return in.fields[i]
	}
	return ""
}

func blank(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || strings.EqualFold(s, "(blank)")
}

// put adds the row to its group.
func (d *dotgov) put(r dotgovRow) {
	key := "mailto:" + r.contact.Key()
	switch {
	case r.contact != "":
	case r.org == "" && r.sub == "":
		key = "domain:" + string(r.domain)
	default:
		key = "org:" + strings.ToLower(strings.Join([]string{r.org, r.sub, r.city, r.state}, "|"))
	}
	g := d.groups[key]
	if g == nil {
		g = &dotgovGroup{key: key}
		d.groups[key] = g
	}
	g.rows = append(g.rows, r)
}

func (d *dotgov) yield(yield func(directory.ImportItem) bool) {
	var records []*directory.SourceRecord
	for _, g := range d.groups {
		records = append(records, g.record())
	}
	slices.SortFunc(records, func(a, b *directory.SourceRecord) int {
		return cmp.Compare(a.Profile.Resources[0].Domain, b.Profile.Resources[0].Domain)
	})
	for _, r := range records {
		if !yield(directory.ImportItem{Record: r}) {
			return
		}
	}
}

// record makes the team of a group. Its rows are in file order.
func (g *dotgovGroup) record() *directory.SourceRecord {
	byDomain := g.rows
	if len(byDomain) > 1 {
		byDomain = slices.SortedFunc(slices.Values(byDomain), func(a, b dotgovRow) int { return cmp.Compare(a.domain, b.domain) })
	}
	rec := &directory.SourceRecord{Row: g.rows[0].n, Rows: len(g.rows), Key: g.key}
	if home := string(home(byDomain)); len(home) <= 64 {
		rec.Handle = directory.Handle(home)
	}
	p := &rec.Profile
	p.Names = g.names()
	p.Status = "active"
	p.Country = "US"
	p.Address = g.place()
	p.Constituency.Types = []directory.ConstituencyType{{Type: "government"}}
	p.Constituency.Text, _ = clean("Domain types: "+strings.Join(g.kinds(), "; "), 4000)
	p.Resources = make([]directory.Resource, 0, len(byDomain))
	for _, r := range byDomain {
		p.Resources = append(p.Resources, directory.Resource{Type: "domain", Domain: r.domain, Claim: "listed", Holder: r.holder()})
	}
	p.Contacts = []directory.Contact{} // not nil: the source says that there is none
	if spelling := mostOften(g.rows, func(r dotgovRow) string { return string(r.contact) }); spelling != "" {
		p.Contacts = append(p.Contacts, directory.Contact{Channel: "email", Value: spelling,
			Uses: []directory.Word{"general", "abuse", "vulnerability"}})
	}
	return rec
}

// home is the domain that names the group best: that of its mailbox, where the
// group holds it, else the first.
func home(byDomain []dotgovRow) directory.Domain {
	for _, r := range byDomain {
		if r.contact != "" && r.contact.Domain() == r.domain {
			return r.domain
		}
	}
	return byDomain[0].domain
}

// names takes the organisation named most often as the name, and the other
// organisations and the suborganisations as other names.
func (g *dotgovGroup) names() directory.Names {
	if g.rows[0].contact == "" { // all rows have the same holder
		return directory.Names{Full: cmp.Or(g.rows[0].holder(), string(g.rows[0].domain))}
	}
	full := mostOften(g.rows, func(r dotgovRow) string { return r.org })
	full = cmp.Or(full, g.rows[0].sub, string(g.rows[0].domain))
	var others []string
	for _, r := range g.rows {
		others = append(others, r.org)
	}
	for _, r := range g.rows {
		others = append(others, r.sub)
	}
	return directory.Names{Full: full, Other: otherNames([]string{full}, others, maxOtherNames)}
}

// place is the city and state, where all rows agree on it.
func (g *dotgovGroup) place() string {
	first := g.rows[0]
	for _, r := range g.rows {
		if r.city != first.city || r.state != first.state {
			return ""
		}
	}
	return strings.Trim(first.city+", "+first.state, ", ")
}

func (g *dotgovGroup) kinds() []string {
	var kinds []string
	for _, r := range g.rows {
		kinds = append(kinds, r.kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// mostOften returns the value that most rows have, "" not counted; of several,
// the one that comes first.
func mostOften[R any](rows []R, value func(R) string) string {
	if len(rows) == 1 { // as in most groups
		return value(rows[0])
	}
	counts := map[string]int{}
	for _, r := range rows {
		counts[value(r)]++
	}
	best := ""
	for _, r := range rows {
		if v := value(r); v != "" && (best == "" || counts[v] > counts[best]) {
			best = v
		}
	}
	return best
}
