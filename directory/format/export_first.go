package format

import (
	"bufio"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// firstExporter writes the shape of the FIRST API v1.
func firstExporter() Exporter {
	return Exporter{Name: "first", About: "JSON in the shape of the FIRST API v1", MediaType: "application/json", Extension: ".json", write: writeFIRST}
}

// firstOut is one team. What has one place in the shape is one text, even where
// a team has several: the others are in members of our own, -other.
type firstOut struct {
	ID             string     `json:"id"`
	Team           string     `json:"team"`
	TeamFull       string     `json:"team-full"`
	Host           string     `json:"host"`
	Membership     string     `json:"membership,omitempty"`
	TeamType       string     `json:"team-type,omitempty"`
	Establishment  string     `json:"establishment,omitempty"`
	MemberSince    string     `json:"member-since,omitempty"`
	Address        string     `json:"address"`
	Country        string     `json:"country"`
	CountryOther   []string   `json:"country-other"`
	Website        []string   `json:"website"`
	Email          string     `json:"email"`
	EmailOther     []string   `json:"email-other,omitempty"`
	Phone          []string   `json:"phone"`
	Emergency      string     `json:"phone-emergency,omitempty"`
	EmergencyOther []string   `json:"phone-emergency-other,omitempty"`
	Fax            string     `json:"fax,omitempty"`
	FaxOther       []string   `json:"fax-other,omitempty"`
	OtherWay       string     `json:"other-communication,omitempty"`
	TimeZone       string     `json:"timezone"`
	TimeZoneDST    string     `json:"timezone-dst,omitempty"`
	KeyID          string     `json:"pgp-id,omitempty"`
	Fingerprint    string     `json:"pgp-fingerprint,omitempty"`
	Key            string     `json:"pgp-key,omitempty"`
	Hours          string     `json:"operating-hours"`
	Constituency   string     `json:"constituency"`
	Description    string     `json:"constituency-description"`
	Modified       string     `json:"last-modified,omitempty"`
	Evidence       *shapeNote `json:"evidence,omitempty"` // of email
}

// writeFIRST writes the count behind the teams, as it is not known before.
func writeFIRST(w *bufio.Writer, o ExportOptions, teams Teams) error {
	w.WriteString(`{"status":"OK","status-code":200,"version":"1.0","access":"public","data":`) //nolint:errcheck // a bufio.Writer keeps its error for Flush
	n, err := jsonArray(w, teams, func(t *directory.Team) any { return firstFrom(t, o) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `,"total":%d,"offset":0,"limit":%d}`+"\n", n, n)
	return err
}

func firstFrom(t *directory.Team, o ExportOptions) firstOut {
	out := firstOut{
		ID: orRaw(t, "", "handle"), Team: tiShort(t), TeamFull: t.Names.Full, Host: orRaw(t, t.Host, "host"),
		TeamType: strings.Join(slices.Concat(firstKinds(t.Kinds), rawOf(t, "kinds")), ", "), Establishment: orRaw(t, textDate(t.Established), "established"),
		Address: t.Address, Country: orRaw(t, string(t.Country), "country"),
		CountryOther: orNone(slices.Concat(textsTo(t.Constituency.Countries), rawOf(t, "constituency.countries"))),
		Website:      websitesOf(t), TimeZone: orRaw(t, string(t.Zone), "zone"), TimeZoneDST: orRaw(t, "", "zone.dst"),
		Hours: orRaw(t, t.Hours.String(), "hours"), Constituency: firstConstituency(t), Description: t.Constituency.Text,
		OtherWay: orRaw(t, "", "contacts.other"), Modified: orRaw(t, "", "as_of"),
	}
	out.ID = cmp.Or(out.ID, string(t.Handle))
	if last := asOf(t); !last.IsZero() {
		out.Modified = last.UTC().Format(http.TimeFormat)
	}
	m := membershipIn(t, "first")
	out.Membership = statusWord(m, firstStatuses, []string{"Full Member", "Associate Member", "Liaison", "Suspended"})
	if out.Membership == "" {
		out.Membership, m.Since = orRaw(t, "", "memberships.first"), ""
	}
	if out.Membership != "" {
		out.MemberSince = orRaw(t, textDate(m.Since), "memberships.first.since")
	}
	out.contacts(t, o)
	out.key(t)
	return out
}

// websitesOf returns the website and what sources name beside it.
func websitesOf(t *directory.Team) []string {
	var sites []string
	if t.Website != "" {
		sites = append(sites, t.Website)
	}
	for _, s := range rawOf(t, "website") {
		if s != t.Website {
			sites = append(sites, s)
		}
	}
	return orNone(sites)
}

// textDate writes a day as FIRST does: September 8, 2008.
func textDate(d directory.Date) string {
	if d == "" {
		return ""
	}
	return d.Time().Format("January 2, 2006")
}

// firstKinds writes the four of FIRST's typology in capitals.
func firstKinds(kinds []directory.Word) []string {
	var out []string
	for _, k := range kinds {
		switch k {
		case "csirt", "psirt", "soc", "isac":
			k = strings.ToUpper(k)
		}
		out = append(out, k)
	}
	return out
}

func firstConstituency(t *directory.Team) string {
	var types []string
	for _, x := range t.Constituency.Types {
		title := cmp.Or(typeTitle(firstTypes, x.Type), typeTitle(tiTypes, x.Type), titleCase(x.Type))
		if !slices.Contains(types, title) {
			types = append(types, title)
		}
	}
	return strings.Join(slices.Concat(types, rawOf(t, "constituency.types")), ", ")
}

// contacts fills in the ways of reaching the team: the mailbox for general
// use, or the one that is nearest to it.
func (f *firstOut) contacts(t *directory.Team, o ExportOptions) {
	emails := contactsOf(t, "email")
	for _, use := range []directory.Word{"general", "abuse", "emergency", "vulnerability"} {
		for _, c := range emails {
			switch {
			case !c.Serves(use), c.Value == f.Email:
			case f.Email == "":
				f.Email, f.Evidence = c.Value, noteOf(t, c, o)
			case use == "general":
				f.EmailOther = append(f.EmailOther, c.Value)
			}
		}
	}
	f.EmailOther = append(f.EmailOther, rawOf(t, "contacts.email")...)
	var emergency []string
	for _, c := range contactsOf(t, "phone") {
		if c.Serves("general") {
			f.Phone = append(f.Phone, c.Value)
		}
		if c.Serves("emergency") {
			emergency = append(emergency, c.Value)
		}
	}
	f.Phone = orNone(append(f.Phone, rawOf(t, "contacts.phone")...))
	f.Emergency, f.EmergencyOther = firstOf(append(emergency, rawOf(t, "contacts.phone.emergency")...))
	f.Fax, f.FaxOther = firstOf(rawOf(t, "contacts.fax"))
}

// firstOf parts the first text of a list from the others.
func firstOf(list []string) (string, []string) {
	if len(list) == 0 {
		return "", nil
	}
	return list[0], list[1:]
}

// key takes the first key that is published as a whole, else the first
// fingerprint. A fingerprint that a source gave beside another key is wrong,
// and is not passed on.
func (f *firstOut) key(t *directory.Team) {
	i := max(0, slices.IndexFunc(t.Keys, func(k directory.TeamKey) bool { return k.Armor != "" }))
	if i >= len(t.Keys) {
		f.Fingerprint, f.KeyID = orRaw(t, "", "keys.fingerprint"), orRaw(t, "", "keys.id")
		return
	}
	k := t.Keys[i]
	f.Key, f.Fingerprint = k.Armor, string(k.Fingerprint)
	f.KeyID = f.Fingerprint[len(f.Fingerprint)-16:]
	if len(f.Fingerprint) == 64 {
		f.KeyID = f.Fingerprint[:16] // RFC 9580 section 5.5.4.3
	}
}
