package format

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// jscontactExporter writes a JSON array of Cards (RFC 9553), each with what
// the vCard of the team has, at the places of RFC 9555.
func jscontactExporter() Exporter {
	return Exporter{
		Name: "jscontact", About: "JSContact cards (RFC 9553), an array of one for each team",
		MediaType: "application/json", Extension: ".json",
		write: func(w *bufio.Writer, o ExportOptions, teams Teams) error {
			list := jsonItems{w: w}
			w.WriteString("[") //nolint:errcheck // a bufio.Writer keeps its first error
			for t, err := range teams {
				if err != nil {
					return err
				}
				if err := list.add(jscontactCard(&t, o)); err != nil {
					return err
				}
			}
			_, err := w.WriteString("\n]\n")
			return err
		},
	}
}

// jsonItems writes the items of a JSON array, each on a line.
type jsonItems struct {
	w     *bufio.Writer
	wrote bool
}

func (l *jsonItems) add(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	separator := ",\n"
	if !l.wrote {
		l.wrote, separator = true, "\n"
	}
	l.w.WriteString(separator) //nolint:errcheck // a bufio.Writer keeps its first error
	_, err = l.w.Write(text)
	return err
}

// The parts of a Card that are used here; their @type may be left out where
// their place says it (RFC 9553 section 1.3.4).
type (
	jscontact struct {
		Type          string                  `json:"@type"`
		Version       string                  `json:"version"`
		UID           string                  `json:"uid"`
		Kind          string                  `json:"kind"`
		Language      string                  `json:"language"`
		ProdID        string                  `json:"prodId"`
		Created       string                  `json:"created"`
		Updated       string                  `json:"updated"`
		Name          jscontactName           `json:"name"`
		Nicknames     map[string]jscontactOrg `json:"nicknames,omitempty"`
		Organizations map[string]jscontactOrg `json:"organizations"`
		Emails        jscontactValues         `json:"emails,omitempty"`
		Phones        jscontactValues         `json:"phones,omitempty"`
		Services      jscontactValues         `json:"onlineServices,omitempty"`
		Links         jscontactValues         `json:"links,omitempty"`
		Keys          jscontactValues         `json:"cryptoKeys,omitempty"`
		Languages     jscontactValues         `json:"preferredLanguages,omitempty"`
		Addresses     map[string]any          `json:"addresses,omitempty"`
		Keywords      map[string]bool         `json:"keywords,omitempty"`
		Notes         jscontactValues         `json:"notes"`
	}
	jscontactName struct {
		Full string `json:"full"`
	}
	jscontactOrg struct {
		Name  string         `json:"name"`
		Units []jscontactOrg `json:"units,omitempty"`
	}
	jscontactValues map[string]*jscontactValue
	// jscontactValue is any of the objects that stand for one value; each kind
	// uses some of the members.
	jscontactValue struct {
		Address   string          `json:"address,omitempty"`
		Number    string          `json:"number,omitempty"`
		URI       string          `json:"uri,omitempty"`
		Language  string          `json:"language,omitempty"`
		Note      string          `json:"note,omitempty"`
		Kind      string          `json:"kind,omitempty"`
		MediaType string          `json:"mediaType,omitempty"`
		Features  map[string]bool `json:"features,omitempty"`
		Contexts  map[string]bool `json:"contexts,omitempty"`
		Pref      int             `json:"pref,omitempty"`
		Label     string          `json:"label,omitempty"`
		Evidence  *Evidence       `json:"rollcall-csirt.github.io:evidence,omitempty"`
	}
)

func jscontactCard(t *directory.Team, o ExportOptions) *jscontact {
	c := &jscontact{
		Type: "Card", Version: "1.0", UID: "urn:uuid:" + string(t.ID), Kind: "org", Language: "en", ProdID: "Rollcall",
		Created: jscontactTime(t.Created), Updated: jscontactTime(t.Updated), Name: jscontactName{oneLine(t.Name())},
		Organizations: map[string]jscontactOrg{"org": jscontactOrganisation(t)}, Keywords: map[string]bool{},
		Nicknames: map[string]jscontactOrg{}, Languages: jscontactValues{}, Keys: jscontactValues{}, Links: jscontactValues{},
		Emails: jscontactValues{}, Phones: jscontactValues{}, Services: jscontactValues{},
	}
	for i, n := range otherNamesOf(t) {
		c.Nicknames["n"+strconv.Itoa(i+1)] = jscontactOrg{Name: oneLine(n)}
	}
	for i, l := range t.Languages {
		c.Languages["l"+strconv.Itoa(i+1)] = &jscontactValue{Language: string(l), Pref: min(i+1, 100)}
	}
	for _, words := range [][]string{t.Kinds, t.Constituency.Sectors} {
		for _, w := range words {
			c.Keywords[w] = true
		}
	}
	if t.Website != "" {
		c.Links["website"] = &jscontactValue{URI: oneLine(t.Website)}
	}
	for i, k := range usableKeys(t, o.Now) {
		c.Keys["k"+strconv.Itoa(i+1)] = jscontactKey(k)
	}
	contacts := provenContacts(t, o)
	for _, x := range contacts {
		c.contact(x)
	}
	c.Notes = jscontactValues{"note": {Note: teamNote(t, contacts)}}
	c.Addresses = jscontactAddress(t)
	return c
}

func jscontactOrganisation(t *directory.Team) jscontactOrg {
	name, unit := organisation(t)
	org := jscontactOrg{Name: name}
	if unit != "" {
		org.Units = []jscontactOrg{{Name: unit}}
	}
	return org
}

// contact puts one way of reaching the team where it belongs, under its id.
func (c *jscontact) contact(x provenContact) {
	s := standingTo(x.Standing)
	v := &jscontactValue{Contexts: map[string]bool{"work": true}, Pref: x.Pref, Label: aboutContact(x.Contact), Evidence: &s}
	value, id := oneLine(x.Value), string(x.ID)
	switch x.Channel {
	case "email":
		v.Address, c.Emails[id] = value, v
	case "phone":
		v.Number, v.Features, c.Phones[id] = "tel:"+value, map[string]bool{"voice": true}, v
	case "chat":
		v.URI, c.Services[id] = value, v
	case "url": // RFC 9553 section 2.6.3: a page by which to get in touch
		v.URI, v.Kind, c.Links[id] = value, "contact", v
	}
}

func jscontactKey(k directory.Key) *jscontactValue {
	if packets := keyPackets(k); packets != nil {
		return &jscontactValue{URI: "data:application/pgp-keys;base64," + base64.StdEncoding.EncodeToString(packets), MediaType: "application/pgp-keys", Label: k.Fingerprint.Spaced()}
	}
	return &jscontactValue{URI: "openpgp4fpr:" + oneLine(string(k.Fingerprint))}
}

// jscontactAddress has the whole address as text, and of its parts what the
// record knows by itself. The time zone has its place here too (RFC 9553
// section 2.5.1).
func jscontactAddress(t *directory.Team) map[string]any {
	address := map[string]any{}
	if text := strings.TrimSpace(written(t.Address)); text != "" {
		address["full"] = text
	}
	if t.Country != "" {
		address["countryCode"] = string(t.Country)
	}
	if t.Zone != "" {
		address["timeZone"] = string(t.Zone)
	}
	if len(address) == 0 {
		return nil
	}
	return map[string]any{"address": address}
}

// jscontactTime is an UTCDateTime of RFC 9553 section 1.4.5.
func jscontactTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
