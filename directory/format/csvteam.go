package format

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// csvTeam is the team of one row on its way from cells to record. What can't
// be read is collected as notes.
type csvTeam struct {
	teamReader
	countries    *countryNames
	record       directory.SourceRecord
	handle       directory.Handle
	prefixes     []netip.Prefix
	asns         []directory.ASN
	domains      []directory.Domain
	fingerprints []directory.Fingerprint
}

// refuse reports a part of a cell that can't be read.
func (c *csvTeam) refuse(x csvCell, part string, err error) {
	var p directory.Problem
	if !errors.As(err, &p) {
		p = fault("value.invalid", part, err.Error(), "")
	}
	c.problems = append(c.problems, p.At(x.at))
	label := directory.TLP("")
	if strings.HasPrefix(x.field, "contacts.") {
		label = directory.Green // perhaps of a person
	}
	if x.field != "keys.armor" { // perhaps a private key
		c.keep(x.field, part, label)
	}
}

func (c *csvTeam) several(x csvCell) {
	c.add("csv.several", x.at, x.text, "another value of a field that holds one; the first was taken", "one value")
	if x.field != "keys.armor" {
		c.keep(x.field, x.text, "")
	}
}

// line reads a text of one line.
func (c *csvTeam) line(x csvCell, to *string, most int) {
	text := c.name(x.at, x.text, most)
	if *to != "" && *to != text {
		c.several(x)
		return
	}
	*to = text
}

// lines reads a text of several lines.
func (c *csvTeam) lines(x csvCell, to *string, most int) {
	text := c.text(x.at, x.text, most)
	if *to != "" && *to != text {
		c.several(x)
		return
	}
	*to = text
}

// shortName reads the name of a team; one that is too long to be a short one
// is the full one.
func (c *csvTeam) shortName(x csvCell) {
	n := &c.record.Profile.Names
	if utf8.RuneCountInString(x.text) > 100 {
		c.line(x, &n.Full, 300)
		return
	}
	c.line(x, &n.Short, 100)
}

// maxTeamNames is how many former or other names a team can have.
const maxTeamNames = 200

// names reads a list of names, in which commas may stand.
func (c *csvTeam) names(x csvCell, to *[]string) {
	for piece := range pieces(breaksForm.Split(x.text, -1)) {
		name := c.name(x.at, piece, 300)
		if name != "" && c.room(x, piece, len(*to), maxTeamNames) && !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
}

// room reports whether a list of n items can take one more.
func (c *csvTeam) room(x csvCell, value string, n, most int) bool {
	if n >= most {
		c.add("list.too-long", x.at, value, "more items than one team can have; left out", fmt.Sprintf("at most %d", most))
	}
	return n < most
}

// hours reads weekly hours, whose rules have semicolons between them.
func (c *csvTeam) hours(x csvCell) {
	h, err := readHours(strings.ReplaceAll(x.text, "\n", "; "))
	p := &c.record.Profile
	switch {
	case err != nil:
		c.refuse(x, x.text, err)
	case !p.Hours.IsZero() && !p.Hours.Equal(h):
		c.several(x)
	default:
		p.Hours = h
	}
}

func (c *csvTeam) asOf(x csvCell) {
	t, ok := parseMoment(x.text)
	switch {
	case !ok:
		_, err := directory.ParseDate(x.text)
		c.refuse(x, x.text, err)
	case !c.record.AsOf.IsZero() && !c.record.AsOf.Equal(t):
		c.several(x)
	default:
		c.record.AsOf = t
	}
}

// contacts reads the values of one channel.
func (c *csvTeam) contacts(x csvCell, channel directory.Word, uses []directory.Word) {
	switch channel {
	case "email":
		c.emails(x, uses)
	case "phone":
		for part := range pieces(phoneParts.Split(x.text, -1)) {
			if strings.Contains(strings.ToLower(part), "fax") {
				c.fax(x.at, part)
				continue
			}
			number, err := parsePhone(part, c.record.Profile.Country)
			if err != nil {
				c.refuse(x, part, err)
			}
			c.contact(x, directory.Contact{Channel: channel, Value: number, Uses: uses})
		}
	default:
		parse := func(s string) (string, error) { return directory.ParseContactValue(channel, s, "") }
		for part := range pieces(strings.Fields(x.text)) {
			part = strings.TrimRight(part, ",;") // a URL can hold both, but hardly ends with one
			value, err := parse(part)
			if err != nil {
				c.refuse(x, part, err)
			}
			c.contact(x, directory.Contact{Channel: channel, Value: value, Uses: uses})
		}
	}
}

// emails reads addresses; the text between the separators is one address, or
// one for each word where every word has its @.
func (c *csvTeam) emails(x csvCell, uses []directory.Word) {
	for part := range pieces(strings.FieldsFunc(x.text, func(r rune) bool { return r == '\n' || r == ',' || r == ';' })) {
		list := []string{part}
		if all, err := words(part, directory.ParseEmail); err == nil && len(all) > 1 {
			list = strings.Fields(part)
		}
		for _, s := range list {
			contact := c.mailbox(x.at, s)
			contact.Uses = uses
			if slices.Contains(uses, "representative") { // a person, as a rule
				contact.Visibility = directory.Green
			}
			c.contact(x, contact)
		}
	}
}

// contact adds a contact, once; one that comes again adds its use.
func (c *csvTeam) contact(x csvCell, add directory.Contact) {
	p := &c.record.Profile
	i := slices.IndexFunc(p.Contacts, func(have directory.Contact) bool { return have.Key() == add.Key() })
	switch {
	case add.Value == "":
	case i >= 0:
		p.Contacts[i].Uses = addUses(p.Contacts[i].Uses, add.Uses)
	case c.room(x, add.Value, len(p.Contacts), maxTeamContacts):
		p.Contacts = append(p.Contacts, add)
	}
}

// memberships reads "FIRST: Full Member; TI (Accredited); TF-CSIRT".
func (c *csvTeam) memberships(x csvCell) {
	for piece := range pieces(breaksForm.Split(x.text, -1)) {
		for part := range pieces(strings.Split(piece, ",")) {
			if blankCell(part) {
				continue
			}
			m := forumForm.FindStringSubmatch(part)
			if m == nil || forumHandle(m[1]) == "" {
				c.add("handle.syntax", x.at, part, "not the name of a forum", "FIRST, or FIRST: Full Member")
				continue
			}
			c.membership(x, forumHandle(m[1]), m[2]+m[3])
		}
	}
}

// memberWords are what lists call the state of a membership, beside our words.
var memberWords = map[string]directory.Word{
	"": "member", "yes": "member", "y": "member", "x": "member", "true": "member", "full": "member", "full member": "member",
	"associate member": "associate", "liaison member": "liaison", "accreditation candidate": "candidate", "former": "ended", "former member": "ended",
	"not operational": "ended", "outdated": "ended",
}

// maxTeamForums is how many memberships a team can have.
const maxTeamForums = 50

// membership adds the place in a forum that a word stands for.
func (c *csvTeam) membership(x csvCell, forum directory.Handle, word string) {
	lower := strings.ToLower(strings.TrimSpace(word))
	if lower == "no" || lower == "false" || lower == "not a member" {
		return
	}
	status := memberWords[lower]
	if status == "" {
		var err error
		if status, err = directory.ParseWord("membership-status.unknown", word, directory.MembershipStatuses); err != nil {
			c.refuse(x, word, err)
			return
		}
	}
	p := &c.record.Profile
	if i := slices.IndexFunc(p.Memberships, func(m directory.Membership) bool { return m.Forum == string(forum) }); i >= 0 {
		if p.Memberships[i].Status != status {
			c.several(x)
		}
		return
	}
	if len(lower) < 4 || lower == "true" {
		word = "" // a mark in a column, and not the forum's own word
	}
	if c.room(x, string(forum), len(p.Memberships), maxTeamForums) {
		p.Memberships = append(p.Memberships, directory.Membership{Forum: string(forum), Type: c.name(x.at, word, 100), Status: status})
	}
}

func (c *csvTeam) prose(x csvCell, number string) {
	p := &c.record.Profile
	text := c.text(x.at, x.text, maxSection/4) // four bytes a character at most
	if slices.ContainsFunc(p.Prose, func(s directory.Section) bool { return s.Number == number }) {
		c.several(x)
		return
	}
	if text != "" {
		p.Prose = append(p.Prose, directory.Section{Number: number, Language: "en", Text: text})
	}
}

// maxTeamKeys is how many keys a team can have.
const maxTeamKeys = 20

// armor reads a key. Spreadsheets flatten armour, which the parser mends.
func (c *csvTeam) armor(x csvCell) {
	k, notes, err := directory.ParseKey([]byte(x.text))
	if err != nil {
		c.refuse(x, x.text, err)
		return
	}
	for _, n := range notes {
		c.problems = append(c.problems, n.At(x.at))
	}
	c.key(x, directory.TeamKey{Key: k})
}

// key adds a key, once.
func (c *csvTeam) key(x csvCell, k directory.TeamKey) {
	p := &c.record.Profile
	same := func(have directory.TeamKey) bool { return have.Fingerprint == k.Fingerprint }
	if !slices.ContainsFunc(p.Keys, same) && c.room(x, string(k.Fingerprint), len(p.Keys), maxTeamKeys) {
		p.Keys = append(p.Keys, k)
	}
}

// maxTeamResources is how many resources a team can have.
const maxTeamResources = 20_000

// settle makes resources and keys of what the cells said about them.
func (c *csvTeam) settle() {
	p := &c.record.Profile
	add := func(r directory.Resource) {
		if r.Claim = "listed"; c.room(csvCell{at: "/resources"}, r.Value(), len(p.Resources), maxTeamResources) {
			p.Resources = append(p.Resources, r)
		}
	}
	for _, n := range coveredPrefixes(c.prefixes) {
		add(directory.Resource{Type: "prefix", Prefix: n})
	}
	for _, n := range c.asns {
		add(directory.Resource{Type: "asn", ASN: n})
	}
	for _, d := range c.domains {
		add(directory.Resource{Type: "domain", Domain: d})
	}
	for _, f := range c.fingerprints {
		if len(p.Keys) > 0 && p.Keys[0].Armor != "" && p.Keys[0].Fingerprint != f {
			c.add("key.fingerprint-mismatch", "/keys", string(f), "the fingerprint belongs to another key than the one in the row", string(p.Keys[0].Fingerprint))
			continue
		}
		c.key(csvCell{at: "/keys"}, directory.TeamKey{Key: directory.Key{Fingerprint: f, Version: map[int]int{40: 4, 64: 6}[len(f)]}})
	}
}
