package directory

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The limits of a profile. They are far above what real teams have, and low
// enough that one record can't fill the memory of everybody who reads it.
const (
	maxContacts     = 50
	maxKeys         = 20
	maxResources    = 20_000
	maxNames        = 200
	maxHolidays     = 60 // who has more of them would never be asked
	maxMemberships  = 50
	maxDesignations = 50
	maxProse        = 400
	maxText         = 64 << 10 // bytes of one prose section
	maxOrder        = 99
)

// checker collects the problems of one profile.
type checker struct {
	now   time.Time
	found []Problem
}

func (c *checker) add(code Code, field, value, reason, want string) {
	p := problem(code, value, reason, want)
	p.Field = field
	c.found = append(c.found, p)
}

// Check returns every breach of a rule that concerns more than one value:
// limits, duplicates, overlaps, dates in the wrong order. Single values were
// parsed into types that can't hold a wrong one. Fields are JSON pointers into
// the profile's wire form.
func (p *Profile) Check(now time.Time) []Problem {
	c := &checker{now: now}
	c.names(p.Names)
	c.line("/host", p.Host, 300)
	c.text("/address", p.Address, 2000)
	c.text("/constituency/text", p.Constituency.Text, 4000)
	if p.Established != "" && p.Established.Time().After(now) {
		c.add("date.future", "/established", string(p.Established), "a day that has not come yet", "the day the team was established")
	}
	c.count("/holidays", len(p.Holidays), maxHolidays)
	c.unique("/holidays", len(p.Holidays), func(i int) string { return string(p.Holidays[i]) })
	c.unique("/languages", len(p.Languages), func(i int) string { return string(p.Languages[i]) })
	c.unique("/kinds", len(p.Kinds), func(i int) string { return p.Kinds[i] })
	c.unique("/services", len(p.Services), func(i int) string { return p.Services[i] })
	c.contacts(p.Contacts)
	c.resources(p.Resources)
	c.keys(p.Keys)
	c.prose(p.Prose)
	c.memberships(p.Memberships)
	c.designations(p.Designations)
	c.maturity(p.Maturity)
	return c.found
}

func (c *checker) names(n Names) {
	c.line("/names/short", n.Short, 100)
	c.line("/names/full", n.Full, 300)
	c.count("/names/former", len(n.Former), maxNames)
	c.count("/names/other", len(n.Other), maxNames)
	for i, s := range n.Former {
		c.line("/names/former/"+strconv.Itoa(i), s, 300)
	}
	for i, s := range n.Other {
		c.line("/names/other/"+strconv.Itoa(i), s, 300)
	}
}

// line checks a text of one line.
func (c *checker) line(field, s string, most int) {
	if strings.ContainsAny(s, "\r\n\t") {
		c.add("text.line-break", field, s, "a line break or tab in a value of one line", "one line")
		return
	}
	c.text(field, s, most)
}

// text checks that s is fit to be shown: valid UTF-8, no control characters,
// no characters that reorder the text around them (Unicode TR 36).
func (c *checker) text(field, s string, most int) {
	if !utf8.ValidString(s) {
		c.add("text.encoding", field, s, "not valid UTF-8", "UTF-8")
		return
	}
	if n := length(s); n > most {
		c.add("text.too-long", field, s, fmt.Sprintf("%d characters", n), fmt.Sprintf("at most %d characters", most))
	}
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
		case r == 0:
			c.add("text.control", field, s, "a NUL character", "text without control characters")
			return
		case unicode.IsControl(r):
			c.add("text.control", field, s, fmt.Sprintf("the control character %U", r), "text without control characters")
			return
		case unicode.Is(unicode.Bidi_Control, r):
			c.add("text.bidi", field, s, fmt.Sprintf("the character %U, which can make text read as what it is not", r), "text without bidi controls")
			return
		}
	}
}

func (c *checker) count(field string, n, most int) {
	if n > most {
		c.add("list.too-long", field, strconv.Itoa(n)+" items", "more items than one team can mean", fmt.Sprintf("at most %d", most))
	}
}

func (c *checker) unique(field string, n int, key func(int) string) {
	seen := make(map[string]int, n)
	for i := range n {
		k := key(i)
		if first, ok := seen[k]; ok {
			c.add("list.duplicate", field+"/"+strconv.Itoa(i), k, fmt.Sprintf("the same as item %d", first), "each item once")
			continue
		}
		seen[k] = i
	}
}

func (c *checker) contacts(list []Contact) {
	c.count("/contacts", len(list), maxContacts)
	seen := map[string]int{}
	for i, x := range list {
		at := "/contacts/" + strconv.Itoa(i)
		c.line(at+"/label", x.Label, 200)
		c.line(at+"/person", x.Person, 200)
		if x.Order < 0 || x.Order > maxOrder {
			c.add("contact.order", at+"/order", strconv.Itoa(x.Order), "out of range", "0 to 99, lower first")
		}
		if first, ok := seen[x.Key()]; ok {
			c.add("contact.duplicate", at, x.Value, fmt.Sprintf("the same address as contact %d", first), "one contact with several uses")
		}
		seen[x.Key()] = i
		c.unique(at+"/uses", len(x.Uses), func(j int) string { return x.Uses[j] })
		c.unique(at+"/classes", len(x.Classes), func(j int) string { return x.Classes[j] })
	}
}

func (c *checker) resources(list []Resource) {
	c.count("/resources", len(list), maxResources)
	seen := make(map[string]int, len(list))
	var prefixes []numbered
	for i, r := range list {
		at := "/resources/" + strconv.Itoa(i)
		c.line(at+"/holder", r.Holder, 300)
		if first, ok := seen[r.Key()]; ok {
			c.add("resource.duplicate", at, r.Value(), fmt.Sprintf("the same as resource %d", first), "each resource once")
			continue
		}
		seen[r.Key()] = i
		if r.Type == "prefix" {
			prefixes = append(prefixes, numbered{r.Prefix, i})
		}
	}
	c.overlaps(prefixes)
}

type numbered struct {
	netip.Prefix
	at int
}

// overlaps finds prefixes that lie in another one of the same team: the
// narrower one says nothing, and hides that somebody meant something by it.
func (c *checker) overlaps(list []numbered) {
	slices.SortFunc(list, func(a, b numbered) int {
		if o := a.Addr().Compare(b.Addr()); o != 0 {
			return o
		}
		return a.Bits() - b.Bits()
	})
	var outer numbered
	for _, p := range list {
		if outer.IsValid() && outer.Overlaps(p.Prefix) {
			c.add("resource.overlap", "/resources/"+strconv.Itoa(p.at), p.String(),
				fmt.Sprintf("already covered by resource %d, %s", outer.at, outer.Prefix), "the wider prefix alone")
			continue
		}
		outer = p
	}
}

func (c *checker) keys(list []TeamKey) {
	c.count("/keys", len(list), maxKeys)
	for i, k := range list {
		for j := range i {
			if list[j].Fingerprint == k.Fingerprint {
				c.add("key.duplicate", "/keys/"+strconv.Itoa(i), string(k.Fingerprint), fmt.Sprintf("the same key as key %d", j), "each key once")
			}
		}
	}
}

func (c *checker) prose(list []Section) {
	c.count("/prose", len(list), maxProse)
	c.unique("/prose", len(list), func(i int) string { return list[i].key() })
	for i, s := range list {
		at := "/prose/" + strconv.Itoa(i) + "/text"
		if len(s.Text) > maxText {
			c.add("text.too-long", at, s.Text, "more than 64 KiB", "at most 64 KiB in one section")
			continue
		}
		c.text(at, s.Text, maxText)
	}
}

func (c *checker) memberships(list []Membership) {
	c.count("/memberships", len(list), maxMemberships)
	c.unique("/memberships", len(list), func(i int) string { return list[i].Forum })
	for i, m := range list {
		at := "/memberships/" + strconv.Itoa(i)
		if _, err := ParseHandle(m.Forum); err != nil {
			c.found = append(c.found, asProblem(err, at+"/forum"))
		}
		c.line(at+"/type", m.Type, 100)
		c.order(at, m.Since, m.Until)
	}
}

func (c *checker) designations(list []Designation) {
	c.count("/designations", len(list), maxDesignations)
	c.unique("/designations", len(list), func(i int) string { return list[i].key() })
	for i, d := range list {
		at := "/designations/" + strconv.Itoa(i)
		c.line(at+"/by", d.By, 300)
		c.order(at, d.Since, d.Until)
		if d.Preference < 0 || d.Preference > maxOrder {
			c.add("designation.preference", at+"/preference", strconv.Itoa(d.Preference), "out of range", "1 to 99, or 0 for none")
		}
	}
}

func (c *checker) order(at string, since, until Date) {
	if since != "" && until != "" && until < since {
		c.add("date.order", at+"/until", string(until), "before its since "+string(since), "a day on or after it")
	}
}

func (c *checker) maturity(m Maturity) {
	c.order("/maturity", m.Assessed, m.ValidUntil)
	for parameter, level := range m.Levels {
		if !simParameter(parameter) {
			c.add("maturity.parameter", "/maturity/levels", parameter, "not a SIM3 parameter", "O-1 to O-11, H-1 to H-7, T-1 to T-10 or P-1 to P-17")
		}
		if level < 0 || level > 4 {
			c.add("maturity.level", "/maturity/levels/"+parameter, strconv.Itoa(level), "not a SIM3 level", "0 to 4")
		}
	}
}

// simParameter reports whether s is a parameter of SIM3 v1 or v2 interim.
func simParameter(s string) bool {
	group, number, _ := strings.Cut(s, "-")
	n, err := strconv.Atoi(number)
	most := map[string]int{"O": 11, "H": 7, "T": 10, "P": 17}[group]
	return err == nil && n >= 1 && n <= most && number == strconv.Itoa(n)
}

// ParseHandle parses a team's or forum's handle.
func ParseHandle(s string) (Handle, error) {
	const want = "2 to 64 of a-z, 0-9, dot and hyphen, beginning with a letter or digit"
	if len(s) < 2 || len(s) > 64 {
		return "", problem("handle.syntax", s, "too short or too long", want)
	}
	if _, err := ParseTeamID(s); err == nil {
		return "", problem("handle.syntax", s, "a UUID, which names a team by its id", want)
	}
	if strings.Trim(s, "0123456789.") == "" {
		return "", problem("handle.syntax", s, "a number or an address, which means something else in a lookup", want)
	}
	for i, r := range s {
		alnum := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !alnum && (i == 0 || r != '.' && r != '-') {
			return "", problem("handle.syntax", s, fmt.Sprintf("the character %q", r), want)
		}
	}
	return Handle(s), nil
}

// ParseTeamID parses a team's UUID in its canonical text form (RFC 9562
// section 4).
func ParseTeamID(s string) (TeamID, error) {
	id := strings.ToLower(s)
	if len(id) != 36 || strings.Count(id, "-") != 4 || strings.Trim(strings.ReplaceAll(id, "-", ""), "0123456789abcdef") != "" ||
		id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return "", problem("id.syntax", s, "not a UUID", "eight, four, four, four and twelve hex digits with hyphens between")
	}
	return TeamID(id), nil
}
