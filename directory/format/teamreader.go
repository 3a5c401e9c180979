package format

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// teamCodes are the problems that records of several formats have.
var teamCodes = []directory.CodeInfo{
	{Code: "contact.fax", Title: "A fax number has no channel", Advice: "Nothing: teams are not reached by fax here. The number is kept in the source's own words."},
	{Code: "country.pseudo", Title: "A code or name that stands for the world or a part of it, and for no country", Advice: "Nothing: it is kept in the source's own words."},
	{Code: "host.url", Title: "A URL stands where the name of the host organisation belongs", Advice: "Name the organisation. The URL was taken as the website where there is no other."},
	{Code: "value.kept", Title: "No field holds this value", Advice: "Nothing: it is kept in the source's own words. Enter it where it belongs, if somebody needs it."},
}

// teamReader reads the values of one team. What can't be read is a problem,
// and is kept in the source's own words.
type teamReader struct {
	parser
	nations *countryNames
	raw     []directory.Raw
	known   map[string]bool // resources
}

// maxRaws is how many values of one team are kept in the source's own words.
const maxRaws = 200

// keep keeps what the source says of a field in its own words.
func (c *teamReader) keep(field, text string, label directory.TLP) {
	text = strings.TrimSpace(documentText(text))
	if utf8.RuneCountInString(text) > maxRaw {
		text = strings.TrimSpace(string([]rune(text)[:maxRaw]))
	}
	same := func(have directory.Raw) bool { return have.Field == field && have.Text == text }
	if text != "" && len(c.raw) < maxRaws && !slices.ContainsFunc(c.raw, same) {
		c.raw = append(c.raw, directory.Raw{Field: field, Text: text, Visibility: label})
	}
}

// keepTold is keep for what is not wrong, but has no field.
func (c *teamReader) keepTold(at, field, text string, label directory.TLP) {
	if strings.TrimSpace(text) != "" {
		c.keep(field, text, label)
		c.add("value.kept", at, text, "no field holds this; it is kept in the source's own words", "")
	}
}

// takeValue parses a value unless it is blank, and keeps one that can't be
// read.
func takeValue[T any](c *teamReader, at, field, s string, parse func(string) (T, error)) T {
	var none T
	if strings.TrimSpace(s) == "" {
		return none
	}
	v, err := parse(s)
	if err != nil {
		c.fail(at, s, err)
		c.keep(field, s, "")
		return none
	}
	return v
}

// name takes a text of one line.
func (c *teamReader) name(at, s string, most int) string {
	text, mended := clean(s, most)
	if mended != nil {
		c.problems = append(c.problems, mended.At(at))
	}
	return text
}

// text takes a text of several lines.
func (c *teamReader) text(at, s string, most int) string {
	text := strings.TrimSpace(documentText(s))
	if runes := []rune(text); len(runes) > most {
		c.add("text.too-long", at, text, fmt.Sprintf("more than %d characters; the rest was cut off", most), "")
		text = strings.TrimSpace(string(runes[:most]))
	}
	return text
}

// pseudoCountries are words that lists write where a country belongs. EU is
// not one of them: the Union's institutions have a team.
var pseudoCountries = []string{"world wide", "worldwide", "world", "global", "international", "europe", "asia", "africa", "asia pacific", "asia-pacific",
	"america", "americas", "latin america", "north america", "south america", "middle east", "oceania", "multinational"}

// country takes a code, or the name where there is none. The pseudo codes 00,
// 01 … that stand for the world and its parts are nobody's country.
func (c *teamReader) country(at, field, code, name string) directory.Country {
	code, name = strings.TrimSpace(code), strings.TrimSpace(name)
	word := code
	if word == "" {
		word = name
	}
	switch {
	case word == "":
		return ""
	case strings.Trim(word, "0123456789") == "" || slices.Contains(pseudoCountries, strings.ToLower(word)):
		text := code
		if name != "" {
			text = strings.TrimSpace(code + " " + name)
		}
		c.keep(field, text, "")
		c.add("country.pseudo", at, text, "stands for a part of the world and for no country", "")
		return ""
	}
	if c.nations == nil {
		c.nations = &countryNames{}
	}
	country, err := c.nations.parse(word)
	if err != nil {
		c.fail(at, word, err)
		c.keep(field, strings.TrimSpace(code+" "+name), "")
	}
	return country
}

// dateForms are the ways of writing a day that can be read in one way only.
var dateForms = []string{time.DateOnly, "January 2, 2006", "Jan 2, 2006", "2 January 2006", "2 Jan 2006", "02-Jan-2006", "2006/01/02", "2006.01.02", "20060102",
	time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.RFC1123, time.RFC1123Z}

// parseTextDate reads "September 8, 2008" and its like beside the form of ISO
// 8601. 03/04/2008 is two days, and refused.
func parseTextDate(s string) (directory.Date, error) {
	if t, ok := parseMoment(s); ok {
		return directory.ParseDate(t.Format(time.DateOnly))
	}
	return directory.ParseDate(s)
}

// parseMoment reads a day or a time in one of [dateForms].
func parseMoment(s string) (time.Time, bool) {
	text := strings.Join(strings.Fields(s), " ")
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// moment reads when a record was changed last.
func (c *teamReader) moment(at, s string) time.Time {
	t, ok := parseMoment(s)
	if !ok && strings.TrimSpace(s) != "" {
		c.add("date.syntax", at, s, "not a day that can be read in one way only", "a date such as 2026-11-21")
		c.keep("as_of", s, "")
	}
	return t
}

// mailbox takes an address. One that is disguised is not taken, since nobody
// knows what the disguise stands for, but the problem says what it may be.
func (c *teamReader) mailbox(at, s string) directory.Contact {
	address := required(&c.parser, at, s, directory.ParseEmail)
	if address == "" {
		if last := &c.problems[len(c.problems)-1]; s != "" {
			if plain, err := directory.ParseEmail(deobfuscate(s)); err == nil {
				last.Want = "a bare address, perhaps " + string(plain)
			}
		}
		c.keep("contacts.email", s, directory.Green)
		return directory.Contact{}
	}
	contact := directory.Contact{Channel: "email", Value: string(address)}
	if personal(address.Local()) {
		contact.Visibility = directory.Green
		c.add("contact.personal", at, s, "seems to be a person's address, and is shown to those who are signed in only", "the address of a role")
	}
	return contact
}

// phones takes the telephone numbers of a text. Fax numbers stand among the
// others, marked by a word, or there is nothing but the word.
func (c *teamReader) phones(p *directory.Profile, at, s string, uses []directory.Word) {
	for part := range pieces(phoneParts.Split(s, -1)) {
		if strings.Contains(strings.ToLower(part), "fax") {
			c.fax(at, part)
			continue
		}
		number, err := parsePhone(part, c.home)
		if err != nil {
			c.fail(at, part, err)
			c.keep(fieldOfUse("contacts.phone", uses), part, directory.Green)
			continue
		}
		c.reach(p, at, directory.Contact{Channel: "phone", Value: number, Uses: uses})
	}
}

// fieldOfUse names what is kept of a contact for some use.
func fieldOfUse(field string, uses []directory.Word) string {
	if len(uses) == 0 || slices.Contains(uses, "general") {
		return field
	}
	return field + "." + uses[0]
}

func (c *teamReader) fax(at, s string) {
	if strings.Trim(strings.ToLower(s), "( fax:)") != "" {
		c.keep("contacts.fax", s, "")
	}
	c.add("contact.fax", at, s, "a fax number, for which there is no channel here", "")
}

// reach adds a way of reaching the team, once; one that comes again adds its
// use.
func (c *teamReader) reach(p *directory.Profile, at string, x directory.Contact) {
	i := slices.IndexFunc(p.Contacts, func(have directory.Contact) bool { return have.Key() == x.Key() })
	switch {
	case x.Value == "":
	case i >= 0:
		p.Contacts[i].Uses = addUses(p.Contacts[i].Uses, x.Uses)
	case len(p.Contacts) == maxTeamContacts:
		c.add("list.too-long", at, x.Value, "more contacts than a team can have; left out", fmt.Sprintf("at most %d", maxTeamContacts))
	default:
		p.Contacts = append(p.Contacts, x)
	}
}

// addUses joins two lists of uses, of which none stands for general use.
func addUses(have, more []directory.Word) []directory.Word {
	all := []directory.Word{}
	for _, list := range [][]directory.Word{have, more} {
		if len(list) == 0 {
			list = []directory.Word{"general"}
		}
		for _, use := range list {
			if !slices.Contains(all, use) {
				all = append(all, use)
			}
		}
	}
	if len(all) == 1 && all[0] == "general" {
		return nil
	}
	return all
}

// website takes the first of several; the others are kept.
func (c *teamReader) website(p *directory.Profile, at, s string) {
	u := takeValue(c, at, "website", s, directory.ParseURL)
	switch {
	case u == "" || u == p.Website:
	case p.Website == "":
		p.Website = u
	default:
		c.keepTold(at, "website", u, "")
	}
}

// host takes the name of the host organisation. Some records have its website
// there.
func (c *teamReader) host(p *directory.Profile, at, s string) {
	text := strings.TrimSpace(s)
	if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
		p.Host = c.name(at, s, 300)
		return
	}
	c.keep("host", text, "")
	c.add("host.url", at, text, "a URL instead of the name of the organisation", "the name of the organisation")
	if u, err := directory.ParseURL(text); err == nil && p.Website == "" {
		p.Website = u
	}
}

// resource parses and adds a resource, once.
func (c *teamReader) resource(p *directory.Profile, at, kind, s string) {
	r := directory.Resource{Type: kind, Claim: "listed"}
	before := len(c.problems)
	switch kind {
	case "asn":
		r.ASN = takeValue(c, at, "resources.asn", s, directory.ParseASN)
	case "domain":
		r.Domain = takeValue(c, at, "resources.domain", s, directory.ParseDomain)
	default:
		r.Prefix = takeValue(c, at, "resources.prefix", s, directory.ParsePrefix)
	}
	switch key := r.Key(); {
	case len(c.problems) > before || strings.TrimSpace(s) == "" || c.known[key]:
	case len(p.Resources) == maxTeamResources:
		c.add("list.too-long", at, s, "more resources than a team can have; left out", "at most "+strconv.Itoa(maxTeamResources))
	default:
		if c.known == nil {
			c.known = map[string]bool{}
		}
		c.known[key] = true
		p.Resources = append(p.Resources, r)
	}
}

// uncovered leaves out the prefixes that lie in another one.
func uncovered(list []directory.Resource) []directory.Resource {
	known := map[string]bool{}
	for _, r := range list {
		known[r.Key()] = true
	}
	return slices.DeleteFunc(list, func(r directory.Resource) bool {
		if r.Type != "prefix" {
			return false
		}
		for bits := range r.Prefix.Bits() {
			if wider, err := r.Prefix.Addr().Prefix(bits); err == nil && known[directory.Resource{Type: "prefix", Prefix: wider}.Key()] {
				return true
			}
		}
		return false
	})
}

// constituencyType adds a type of constituency, once.
func (c *teamReader) constituencyType(p *directory.Profile, at, s string) {
	if strings.TrimSpace(s) == "" {
		return
	}
	t, err := parseConstituencyType(strings.TrimSpace(s))
	if err != nil {
		c.add("constituency-type.unknown", at, s, "not a type of constituency that is known here", "")
		c.keep("constituency.types", s, "")
		return
	}
	if !slices.Contains(p.Constituency.Types, t) {
		p.Constituency.Types = append(p.Constituency.Types, t)
	}
}

// served adds a country to the constituency, once.
func (c *teamReader) served(p *directory.Profile, at, code, name string) {
	country := c.country(at, "constituency.countries", code, name)
	if country != "" && !slices.Contains(p.Constituency.Countries, country) {
		p.Constituency.Countries = append(p.Constituency.Countries, country)
	}
}

// kinds takes a list with commas in it; a kind that stands in it twice counts
// once.
func (c *teamReader) kinds(p *directory.Profile, at, s string) {
	for part := range pieces(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '/' })) {
		if kind := takeValue(c, at, "kinds", part, parseKind); kind != "" && !slices.Contains(p.Kinds, kind) {
			p.Kinds = append(p.Kinds, kind)
		}
	}
}

// forum adds the membership that the forum's own word stands for.
func (c *teamReader) forum(p *directory.Profile, at, forum, word, since string, words map[string]directory.Word) {
	word = c.name(at, word, 100)
	status := words[strings.ToLower(word)]
	switch {
	case word == "":
	case status == "":
		c.add("membership-status.unknown", at, word, "not a membership of "+forum+" that is known here", "")
		c.keep("memberships."+forum, word, "")
		c.keep("memberships."+forum+".since", since, "")
	default:
		p.Memberships = append(p.Memberships, directory.Membership{Forum: forum, Type: word, Status: status,
			Since: takeValue(c, at, "memberships."+forum+".since", since, parseTextDate)})
	}
}

// fingerprint adds a key of which a source has the fingerprint only.
func (c *teamReader) fingerprint(p *directory.Profile, at, s string, expires directory.Date) {
	fpr := takeValue(c, at, "keys.fingerprint", s, directory.ParseFingerprint)
	same := func(have directory.TeamKey) bool { return have.Fingerprint == fpr }
	if fpr == "" || slices.ContainsFunc(p.Keys, same) {
		return
	}
	if len(p.Keys) == maxTeamKeys {
		c.add("list.too-long", at, s, "more keys than a team can have; left out", "at most "+strconv.Itoa(maxTeamKeys))
		return
	}
	p.Keys = append(p.Keys, directory.TeamKey{Key: directory.Key{Fingerprint: fpr, Version: map[int]int{40: 4, 64: 6}[len(fpr)], Expires: expires.Time()}})
}

// armor adds a key, and compares it with what is said about it beside it. A
// key that can't be read is never kept as text: it may be a private one.
func (c *teamReader) armor(p *directory.Profile, at, s string) directory.Fingerprint {
	k, notes, err := directory.ParseKey([]byte(s))
	if err != nil {
		c.fail(at, "", err)
		return ""
	}
	for _, n := range notes {
		c.problems = append(c.problems, n.At(at))
	}
	same := func(have directory.TeamKey) bool { return have.Fingerprint == k.Fingerprint }
	if !slices.ContainsFunc(p.Keys, same) && len(p.Keys) < maxTeamKeys {
		p.Keys = append(p.Keys, directory.TeamKey{Key: k})
	}
	return k.Fingerprint
}

// items returns what an import takes of the team of one row.
func (c *teamReader) items(row int, r directory.SourceRecord) []directory.ImportItem {
	items := make([]directory.ImportItem, 0, len(c.problems)+1)
	for _, n := range c.problems {
		items = append(items, noted(row, n))
	}
	r.Row, r.Rows, r.Raw = row, 1, c.raw
	r.Profile.Resources = uncovered(r.Profile.Resources)
	return append(items, directory.ImportItem{Record: &r})
}

// skippedRow is a row that can't be used.
func skippedRow(row int, p directory.Problem) []directory.ImportItem {
	return []directory.ImportItem{{Skipped: &directory.RowProblem{Row: row, Problem: p}}}
}
