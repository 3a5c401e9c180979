package format

import (
	"iter"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// csvField is a field that a column can hold.
type csvField struct {
	name  string // as in our wire shape, with the channel and use of contacts
	known string // other names of it, folded, with | between
	finds bool   // a name or a contact
	read  func(*csvTeam, csvCell)
}

// csvCell is one cell that says something.
type csvCell struct{ at, text, field string }

// csvFields lists the fields in the order in which they are read.
func csvFields() []csvField {
	return slices.Concat(csvTeamFields(), csvScopeFields(), csvContactFields())
}

func csvTeamFields() []csvField {
	return []csvField{
		{"uuid", "misp uuid|org uuid|team uuid", false, func(c *csvTeam, x csvCell) { one(c, x, &c.record.ID, directory.ParseTeamID) }},
		{"handle", "slug", true, func(c *csvTeam, x csvCell) { one(c, x, &c.handle, parseHandle) }},
		{"names.short", "name|short|short name|team|team name|short team name|abbreviation|acronym", true,
			(*csvTeam).shortName},
		{"names.full", "full|full name|long name|official name|official team name|full team name|team full|official", true,
			func(c *csvTeam, x csvCell) { c.line(x, &c.record.Profile.Names.Full, 300) }},
		{"names.former", "former name|former names|former team names", false, func(c *csvTeam, x csvCell) { c.names(x, &c.record.Profile.Names.Former) }},
		{"names.other", "other name|other names|alias|aliases|also known as", false, func(c *csvTeam, x csvCell) { c.names(x, &c.record.Profile.Names.Other) }},
		{"kinds", "kind|type|types|team type|type of team", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.record.Profile.Kinds, parseKind) }},
		{"status", "team status|operating status", false,
			func(c *csvTeam, x csvCell) {
				one(c, x, &c.record.Profile.Status, vocabulary("status.unknown", directory.Statuses))
			}},
		{"host", "host organisation|host organization|organisation|organization|parent organisation|parent organization|company", false,
			func(c *csvTeam, x csvCell) { c.line(x, &c.record.Profile.Host, 300) }},
		{"country", "country code|country name|iso2|iso 2|nation", false,
			func(c *csvTeam, x csvCell) { one(c, x, &c.record.Profile.Country, c.countries.parse) }},
		{"address", "postal address|street address", false, func(c *csvTeam, x csvCell) { c.lines(x, &c.record.Profile.Address, 2000) }},
		{"zone", "time zone|timezone|tz", false, func(c *csvTeam, x csvCell) { one(c, x, &c.record.Profile.Zone, directory.ParseZone) }},
		{"hours", "operating hours|business hours|office hours|opening hours|service hours", false, (*csvTeam).hours},
		{"holidays", "holiday|closed|closed days|days off", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.record.Profile.Holidays, parseTextDate) }},
		{"languages", "language|lang|working languages", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.record.Profile.Languages, directory.ParseLanguage) }},
		{"website", "web site|web|www|url|homepage|home page|site", false, func(c *csvTeam, x csvCell) { one(c, x, &c.record.Profile.Website, directory.ParseURL) }},
		{"established", "established on|establishment|date of establishment|founded", false,
			func(c *csvTeam, x csvCell) { one(c, x, &c.record.Profile.Established, parseTextDate) }},
		{"services", "service", false,
			func(c *csvTeam, x csvCell) {
				many(c, x, &c.record.Profile.Services, vocabulary("service.unknown", directory.Services))
			}},
		{"memberships", "membership|forum|forums|forum membership|forum memberships|member of", false, (*csvTeam).memberships},
		{"as_of", "last changed|last change|last modified|last update|last updated|updated|modified|changed", false, (*csvTeam).asOf},
	}
}

func csvScopeFields() []csvField {
	return []csvField{
		{"constituency.text", "constituency|constituency description|description of constituency", false,
			func(c *csvTeam, x csvCell) { c.lines(x, &c.record.Profile.Constituency.Text, 4000) }},
		{"constituency.types", "constituency type|type of constituency|types of constituency", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.record.Profile.Constituency.Types, parseConstituencyType) }},
		{"constituency.sectors", "sector|sectors|constituency sector", false,
			func(c *csvTeam, x csvCell) {
				many(c, x, &c.record.Profile.Constituency.Sectors, vocabulary("sector.unknown", directory.Sectors))
			}},
		{"constituency.countries", "country of constituents|countries of constituents|constituency country|countries", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.record.Profile.Constituency.Countries, c.countries.parse) }},
		{"resources.prefix", "prefix|prefixes|network|networks|net|nets|netblock|netblocks|cidr|cidrs|ip range|ip ranges|ipranges|constituency nets", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.prefixes, directory.ParsePrefix) }},
		{"resources.asn", "asn|asns|as|as number|as numbers|autonomous systems|constituency asns", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.asns, directory.ParseASN) }},
		{"resources.domain", "domain|domains|domain name|domain names|constituency domains", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.domains, directory.ParseDomain) }},
		{"keys.fingerprint", "fingerprint|fingerprints|pgp fingerprint|openpgp fingerprint|gpg fingerprint|key fingerprint|pgp key fingerprint", false,
			func(c *csvTeam, x csvCell) { many(c, x, &c.fingerprints, directory.ParseFingerprint) }},
		{"keys.armor", "key|keys|pgp|pgp key|openpgp key|gpg key|public key|pgp public key|pgp key team", false, (*csvTeam).armor},
	}
}

// csvContactFields are the channels, each for general use and for the others.
func csvContactFields() []csvField {
	known := map[string]string{
		"email":                "email|e mail|mail|email address|e mail address|mail address|mailbox|contact email|team email|team e mail",
		"email abuse":          "abuse email|abuse e mail|abuse mail|abuse mailbox|abuse c",
		"email vulnerability":  "vulnerability email|security contact email|security email|disclosure email|security contact",
		"email emergency":      "emergency email|emergency e mail",
		"email representative": "representative email|email rep|e mail rep|representative e mail",
		"phone":                "phone|telephone|tel|phone number|telephone number|phone no",
		"phone emergency":      "emergency|emergency phone|emergency telephone|emergency number|phone emergency|hotline|24x7 phone",
		"phone representative": "representative phone",
		"url":                  "contact form|reporting form|incident form|contact url|form",
		"url vulnerability":    "vulnerability form|disclosure form",
		"chat":                 "chat|matrix|xmpp",
	}
	var fields []csvField
	for _, channel := range directory.Channels {
		fields = append(fields, contactField(channel, "", known[channel]))
		for _, use := range directory.Uses[1:] {
			fields = append(fields, contactField(channel, use, known[channel+" "+use]))
		}
	}
	return append(fields, csvField{"contacts.fax", "fax|telefax|fax number|facsimile", false, func(c *csvTeam, x csvCell) {
		c.fax(x.at, x.text)
	}})
}

func contactField(channel directory.Word, use directory.Word, known string) csvField {
	name := "contacts." + channel
	var uses []directory.Word
	if use != "" {
		name, uses = name+"."+use, []directory.Word{use}
	}
	return csvField{name, known, true, func(c *csvTeam, x csvCell) { c.contacts(x, channel, uses) }}
}

// CSVFields names the fields that a column of a spreadsheet can hold, for the
// map of [CSV]. Beside them there are memberships.FORUM, whose cells are the
// kind of membership, and prose.NUMBER, a section of RFC 2350 appendix D.
func CSVFields() []string {
	var names []string
	for _, f := range csvFields() {
		names = append(names, f.name)
	}
	return append(names, "memberships.FORUM", "prose.NUMBER", "-")
}

// fieldNamed finds the field of a folded name. A number behind the name is
// passed over: "e mail 2" is another e-mail address.
func fieldNamed(fields []csvField, name string) (csvField, bool) {
	if slices.Contains(csvAside, name) {
		return csvField{name: "-"}, true
	}
	for _, s := range []string{name, strings.TrimRight(name, " 0123456789")} {
		for _, f := range fields {
			if s != "" && (foldColumn(f.name) == s || slices.Contains(strings.Split(f.known, "|"), s)) {
				return f, true
			}
		}
		if f, ok := openField(s); ok {
			return f, true
		}
	}
	return csvField{}, false
}

// openField is a field whose name says which forum or section it is about.
func openField(name string) (csvField, bool) {
	switch name {
	case "ti level":
		name = "memberships ti"
	case "first membership":
		name = "memberships first"
	}
	kind, rest := name, ""
	if i := strings.IndexAny(name, " ."); i > 0 {
		kind, rest = name[:i], name[i+1:]
	}
	switch {
	case rest == "":
	case kind == "memberships":
		forum := forumHandle(rest)
		return csvField{"memberships." + string(forum), "", false, func(c *csvTeam, x csvCell) { c.membership(x, forum, x.text) }}, forum != ""
	case kind == "prose":
		number, err := directory.ParseSection(strings.ReplaceAll(rest, " ", "."))
		return csvField{"prose." + number, "", false, func(c *csvTeam, x csvCell) { c.prose(x, number) }}, err == nil
	}
	return csvField{}, false
}

// nearestField returns the name of a field that is one or two letters away.
func nearestField(name string) string {
	best, least := "", 3
	for _, f := range csvFields() {
		for _, known := range append(strings.Split(f.known, "|"), f.name) {
			if d := editDistance(name, known); d < least && 2*d < len(known) {
				best, least = known, d
			}
		}
	}
	return best
}

// parseHandle reads a handle in any case.
func parseHandle(s string) (directory.Handle, error) {
	return directory.ParseHandle(strings.ToLower(s))
}

// parseKind reads a kind of team; CERT is a registered name for what CSIRT is
// the word for.
func parseKind(s string) (directory.Word, error) {
	switch strings.ToLower(s) {
	case "cert", "cirt", "irt":
		return "csirt", nil
	}
	return directory.ParseWord("kind.unknown", s, directory.Kinds)
}

// parseConstituencyType reads our words and those of the Trusted Introducer
// and FIRST, with or without the scope behind them.
func parseConstituencyType(s string) (directory.ConstituencyType, error) {
	name, scope := s, ""
	if m := tiScopeForm.FindStringSubmatchIndex(s); m != nil {
		name, scope = s[:m[0]], strings.ToLower(s[m[2]:m[3]])
	}
	t := directory.ConstituencyType{Scope: map[string]directory.Word{"internal": "internal", "external": "external",
		"external and internal": "both", "internal and external": "both"}[scope]}
	lower := strings.ToLower(strings.TrimSpace(name))
	for _, list := range []map[string]directory.Word{tiTypes, firstTypes} {
		if word := list[lower]; word != "" {
			t.Type = word
			return t, nil
		}
	}
	var err error
	t.Type, err = directory.ParseWord("constituency-type.unknown", name, directory.ConstituencyTypes)
	return t, err
}

// forumHandle is the handle of a forum by its name.
func forumHandle(name string) directory.Handle {
	if strings.EqualFold(strings.TrimSpace(name), "trusted introducer") {
		return "ti"
	}
	return wishHandle(name)
}

var (
	breaksForm = regexp.MustCompile(`[;\n]`)
	phoneParts = regexp.MustCompile(`[;,\n]|\s/\s`)
	phonePlain = regexp.MustCompile(`^(?:tel:)?\+?[0-9 ()./\x{a0}\x{2013}-]+$`)
	forumForm  = regexp.MustCompile(`^([^:(),]+?)\s*(?::\s*([^:(),]+?)|\(\s*([^:(),]+?)\s*\))?$`)
)

// one reads a cell of a field that holds one value.
func one[T comparable](c *csvTeam, x csvCell, to *T, parse func(string) (T, error)) {
	var none T
	v, err := parse(x.text)
	switch {
	case err != nil:
		c.refuse(x, x.text, err)
	case *to != none && *to != v:
		c.several(x)
	default:
		*to = v
	}
}

// many reads a cell of a list. A piece is split further, at commas and then at
// spaces, only where it is nothing as a whole: "Korea, South" is one country.
func many[T comparable](c *csvTeam, x csvCell, to *[]T, parse func(string) (T, error)) {
	known := map[T]bool{}
	for _, v := range *to {
		known[v] = true
	}
	add := func(list ...T) {
		for _, v := range list {
			if !known[v] {
				known[v] = true
				*to = append(*to, v)
			}
		}
	}
	for piece := range pieces(breaksForm.Split(x.text, -1)) {
		if v, err := parse(piece); err == nil {
			add(v)
			continue
		}
		for part := range pieces(strings.Split(piece, ",")) {
			list, err := words(part, parse)
			if err != nil {
				c.refuse(x, part, err)
			}
			add(list...)
		}
	}
}

// words reads a text as one value or, if each of its words is one, as several.
func words[T any](s string, parse func(string) (T, error)) ([]T, error) {
	v, whole := parse(s)
	if whole == nil {
		return []T{v}, nil
	}
	var list []T
	for word := range strings.FieldsSeq(s) {
		v, err := parse(word)
		if err != nil {
			return nil, whole
		}
		list = append(list, v)
	}
	return list, nil
}

// pieces yields those parts that say something.
func pieces(parts []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, part := range parts {
			if part = strings.TrimSpace(part); part != "" && !yield(part) {
				return
			}
		}
	}
}

// parsePhone reads a number that has nothing beside it: the parser of numbers
// would pass over words, and take "4.31506E+09", what a spreadsheet makes of a
// long number, for one.
func parsePhone(s string, home directory.Country) (string, error) {
	plain := strings.ReplaceAll(s, "(0)", "")
	if !phonePlain.MatchString(plain) {
		return "", fault("phone.syntax", s, "a telephone number with something beside it", "the number alone, such as +43 1 5056416")
	}
	number, err := directory.ParsePhone(plain, home)
	return string(number), err
}

// coveredPrefixes leaves out prefixes that lie in another one of the list.
func coveredPrefixes(list []netip.Prefix) []netip.Prefix {
	known := map[netip.Prefix]bool{}
	for _, p := range list {
		known[p] = true
	}
	return slices.DeleteFunc(list, func(p netip.Prefix) bool {
		for bits := range p.Bits() {
			if wider, err := p.Addr().Prefix(bits); err == nil && known[wider] {
				return true
			}
		}
		return false
	})
}
