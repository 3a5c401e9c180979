package format

import (
	"bufio"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// tiExporter writes the shape of the Trusted Introducer's teams.json, for
// IntelMQ's expert bot of that name and whatever else reads the feed. The bot
// takes the first mailbox with the usage "contact", strips "*." of domains,
// wants AS numbers as numbers, and lets later teams win where two have the
// same domain or number.
func tiExporter() Exporter {
	return Exporter{Name: "ti", About: "JSON in the shape of the Trusted Introducer's teams.json", MediaType: "application/json", Extension: ".json", write: writeTI}
}

func writeTI(w *bufio.Writer, o ExportOptions, teams Teams) error {
	if _, err := jsonArray(w, teams, func(t *directory.Team) any { return tiFrom(t, o) }); err != nil {
		return err
	}
	return w.WriteByte('\n')
}

func tiFrom(t *directory.Team, o ExportOptions) tiTeam {
	return tiTeam{
		OfficialName: t.Names.Full, ShortName: tiShort(t), Established: orRaw(t, string(t.Established), "established"),
		HostOrganisation: orRaw(t, t.Host, "host"), PostalAddress: t.Address, Country: tiCountryOf(t),
		Classification: tiLevelOf(t), Constituency: tiServedOf(t),
		BusinessHours: orRaw(t, t.Hours.String(), "hours"), BusinessZone: orRaw(t, string(t.Zone), "zone"),
		Keys: tiKeysOf(t), Phones: tiPhonesOf(t, o), Emails: tiMailboxesOf(t, o), MISP: tiMISPOf(t),
	}
}

// tiShort is the short name; a team that has no name at all has its handle.
func tiShort(t *directory.Team) string {
	if t.Names.Short == "" && t.Names.Full == "" {
		return string(t.Handle)
	}
	return t.Names.Short
}

func tiCountryOf(t *directory.Team) tiCountry {
	if t.Country != "" {
		return tiCountry{string(t.Country), t.Country.Name()}
	}
	return tiCountryRaw(orRaw(t, "", "country"))
}

// tiCountryRaw takes "01 World Wide" apart again.
func tiCountryRaw(s string) tiCountry {
	code, name, _ := strings.Cut(s, " ")
	if len(code) == 2 && (name != "" || strings.Trim(code, "0123456789") == "") {
		return tiCountry{code, name}
	}
	return tiCountry{"", s}
}

func tiLevelOf(t *directory.Team) tiLevel {
	m := membershipIn(t, "ti")
	name := statusWord(m, tiStatuses, []string{"Listed", "Accredited", "Certified", "Candidate", "Suspended", "Not Operational"})
	if name == "" {
		name, m.Since = orRaw(t, "", "memberships.ti"), ""
	}
	code := map[string]string{"listed": "l", "accredited": "a", "certified": "c"}[strings.ToLower(name)]
	since := string(m.Since)
	if name != "" {
		since = orRaw(t, since, "memberships.ti.since")
	}
	return tiLevel{code, name, since}
}

// typeTitle is what a list calls a type of constituency.
func typeTitle(words map[string]directory.Word, kind directory.Word) string {
	titles := make([]string, 0, 1)
	for title, word := range words {
		if word == kind {
			titles = append(titles, title)
		}
	}
	slices.Sort(titles)
	if len(titles) == 0 {
		return ""
	}
	return titleCase(titles[0])
}

// titleCase writes "isp customer base" as the lists do.
func titleCase(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		switch w {
		case "isp", "ciip":
			words[i] = strings.ToUpper(w)
		default:
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

func tiServedOf(t *directory.Team) tiServed {
	s := tiServed{Types: []string{}, ASNs: []json.Number{}, Domains: []string{}, IPRanges: []string{}, Countries: []tiCountry{}}
	for _, x := range t.Constituency.Types {
		title := typeTitle(tiTypes, x.Type)
		if title == "" {
			title = titleCase(x.Type)
		}
		if scope := map[directory.Word]string{"internal": "Internal", "external": "External", "both": "External and Internal"}[x.Scope]; scope != "" {
			title += " - " + scope
		}
		s.Types = append(s.Types, title)
	}
	for _, r := range t.Resources {
		switch r.Type {
		case "asn":
			s.ASNs = append(s.ASNs, json.Number(strconv.FormatUint(uint64(r.ASN), 10)))
		case "domain":
			s.Domains = append(s.Domains, tiDomain(r.Domain))
		case "prefix":
			s.IPRanges = append(s.IPRanges, r.Prefix.String())
		}
	}
	for _, c := range t.Constituency.Countries {
		s.Countries = append(s.Countries, tiCountry{string(c), c.Name()})
	}
	return tiServedRaw(t, s)
}

// tiServedRaw adds what could not be read when it came in. AS numbers are
// numbers, and others are lost.
func tiServedRaw(t *directory.Team, s tiServed) tiServed {
	for _, text := range rawOf(t, "resources.asn") {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			s.ASNs = append(s.ASNs, json.Number(strconv.FormatUint(n, 10)))
		}
	}
	for _, text := range rawOf(t, "constituency.countries") {
		s.Countries = append(s.Countries, tiCountryRaw(text))
	}
	s.Types = append(s.Types, rawOf(t, "constituency.types")...)
	s.Domains = append(s.Domains, rawOf(t, "resources.domain")...)
	s.IPRanges = append(s.IPRanges, rawOf(t, "resources.prefix")...)
	return s
}

// tiDomain writes names below which others register as the feed does: *.ac.at.
func tiDomain(d directory.Domain) string {
	if d.IsPublicSuffix() {
		return "*." + string(d)
	}
	return string(d)
}

func tiKeysOf(t *directory.Team) []tiKey {
	keys := []tiKey{}
	for _, k := range t.Keys {
		expires := ""
		if !k.Expires.IsZero() {
			expires = k.Expires.UTC().Format(time.DateOnly)
		}
		keys = append(keys, tiKey{k.Fingerprint.Spaced(), expires})
	}
	for _, text := range rawOf(t, "keys.fingerprint") {
		keys = append(keys, tiKey{text, ""})
	}
	return keys
}

// tiUsage writes the uses of a contact in the words of the feed.
func tiUsage(uses []directory.Word) []string {
	usage := []string{}
	for _, use := range uses {
		if use == "general" {
			use = "contact"
		}
		usage = append(usage, use)
	}
	if len(usage) == 0 {
		usage = append(usage, "contact")
	}
	return usage
}

func tiPhonesOf(t *directory.Team, o ExportOptions) []tiPhone {
	phones := []tiPhone{}
	zones := map[string]string{}
	for _, text := range rawOf(t, "contacts.phone.zone") {
		number, zone, _ := strings.Cut(text, " ")
		zones[number] = zone
	}
	own := orRaw(t, string(t.Zone), "zone")
	zone := func(number string) string {
		if z := zones[number]; z != "" {
			return z
		}
		return own
	}
	for _, c := range contactsOf(t, "phone") {
		usage := []string{"voice"}
		if len(c.Uses) > 0 {
			usage = append(usage, tiUsage(c.Uses)...)
		}
		phones = append(phones, tiPhone{usage, c.Value, zone(c.Value), c.Label, noteOf(t, c, o)})
	}
	for _, raw := range []struct{ field, use string }{{"contacts.phone", "voice"}, {"contacts.phone.emergency", "emergency"}, {"contacts.fax", "fax"}} {
		for _, text := range rawOf(t, raw.field) {
			usage := []string{raw.use}
			if raw.use == "emergency" {
				usage = []string{"voice", "emergency"}
			}
			phones = append(phones, tiPhone{Usage: usage, Number: text, TimeZone: own})
		}
	}
	return phones
}

// tiMailboxesOf makes sure that one mailbox has the usage "contact", which is
// the only one that IntelMQ looks at: where none is for general use, the one
// that is nearest to it, with uses saying what it is for.
func tiMailboxesOf(t *directory.Team, o ExportOptions) []tiMailbox {
	boxes := []tiMailbox{}
	emails := contactsOf(t, "email")
	for _, c := range emails {
		boxes = append(boxes, tiMailbox{Address: c.Value, Usage: tiUsage(c.Uses), Evidence: noteOf(t, c, o)})
	}
	general := slices.ContainsFunc(emails, func(c directory.Contact) bool { return c.Serves("general") })
	for _, use := range []directory.Word{"abuse", "emergency", "vulnerability"} {
		i := slices.IndexFunc(emails, func(c directory.Contact) bool { return c.Serves(use) })
		if general || i < 0 {
			continue
		}
		boxes[i].Uses = boxes[i].Usage
		boxes[i].Usage = append([]string{"contact"}, boxes[i].Usage...)
		break
	}
	for _, text := range rawOf(t, "contacts.email") {
		boxes = append(boxes, tiMailbox{Address: text, Usage: []string{}})
	}
	return boxes
}

func tiMISPOf(t *directory.Team) *tiMISP {
	m := &tiMISP{UUID: string(t.ID), Name: t.Name(), Email: orRaw(t, "", "misp.email")}
	if len(t.Names.Other) > 0 {
		m.Name = t.Names.Other[0]
	}
	return m
}
