package format

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
)

// stixExporter writes one bundle (STIX 2.1 section 8): an identity for each
// team with the label of what it shows, the countries as locations that the
// identities are located at, and the definitions that these refer to.
func stixExporter() Exporter {
	return Exporter{
		Name: "stix", About: "STIX 2.1 bundle of identities, with TLP 2.0 markings",
		MediaType: "application/stix+json;version=2.1", Extension: ".json",
		write: func(w *bufio.Writer, o ExportOptions, teams Teams) error {
			b := stixBundle{items: jsonItems{w: w}, sum: sha256.New(), options: o, seen: map[string]bool{}}
			w.WriteString(`{"type":"bundle","objects":[`) //nolint:errcheck // a bufio.Writer keeps its first error
			if err := b.add(stixSelf(), stixExtension()); err != nil {
				return err
			}
			for t, err := range teams {
				if err != nil {
					return err
				}
				if err := b.team(&t); err != nil {
					return err
				}
			}
			// The id comes last, since it is made of what the bundle holds.
			_, err := fmt.Fprintf(w, "\n],\"id\":\"bundle--%s\"}\n", uuid.NewSHA1(stixSpace, b.sum.Sum(nil)))
			return err
		},
	}
}

// stixSpace is the name space of ids that are made here (RFC 9562 section 5.5).
var stixSpace = uuid.MustParse("3f0c54a1-5e0f-5f57-9d0e-6b9f0c9ad2c4")

const (
	stixExtensionID = "extension-definition--8f6c2c1e-63c0-4d0a-9a3f-2f6ad8a3b5f1"
	stixSelfID      = "identity--b2a1e0d4-4c58-4b6e-8a27-57c5a3d0e6f9"
	stixBegan       = "2026-11-21T00:00:00.000Z" // when the definitions below were made
	tlpExtensionID  = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
)

// stixMarkings are the ids of the TLP 2.0 markings, fixed by OASIS in
// https://github.com/oasis-open/cti-stix-common-objects (tlp-2.0).
var stixMarkings = map[directory.TLP]string{
	directory.Clear:       "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
	directory.Green:       "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
	directory.Amber:       "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
	directory.AmberStrict: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
	directory.Red:         "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}

// stixObject is a member of a bundle; each type uses some of the members.
type stixObject struct {
	Type        string          `json:"type"`
	SpecVersion string          `json:"spec_version"`
	ID          string          `json:"id"`
	CreatedBy   string          `json:"created_by_ref,omitempty"`
	Created     string          `json:"created"`
	Modified    string          `json:"modified,omitempty"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Class       string          `json:"identity_class,omitempty"`
	Roles       []string        `json:"roles,omitempty"`
	Sectors     []string        `json:"sectors,omitempty"`
	Contact     string          `json:"contact_information,omitempty"`
	Country     string          `json:"country,omitempty"`
	Relation    string          `json:"relationship_type,omitempty"`
	Source      string          `json:"source_ref,omitempty"`
	Target      string          `json:"target_ref,omitempty"`
	Schema      string          `json:"schema,omitempty"`
	Version     string          `json:"version,omitempty"`
	Extends     []string        `json:"extension_types,omitempty"`
	Lang        string          `json:"lang,omitempty"`
	References  []stixReference `json:"external_references,omitempty"`
	Markings    []string        `json:"object_marking_refs,omitempty"`
	Extensions  map[string]any  `json:"extensions,omitempty"`
}

type stixReference struct {
	Source string `json:"source_name"`
	URL    string `json:"url,omitempty"`
	ID     string `json:"external_id,omitempty"`
}

// stixTeam is our extension of an identity: what STIX has no property for.
type stixTeam struct {
	Type     string        `json:"extension_type"`
	Handle   string        `json:"handle"`
	Kinds    []string      `json:"kinds,omitempty"`
	Sectors  []string      `json:"nis2_sectors,omitempty"`
	Contacts []stixContact `json:"contacts,omitempty"`
}

type stixContact struct {
	Channel  string   `json:"channel"`
	Value    string   `json:"value"`
	Uses     []string `json:"uses,omitempty"`
	TLP      string   `json:"tlp"`
	Evidence Evidence `json:"evidence"`
}

// stixBundle writes a bundle. What many identities refer to is written once:
// five markings and the countries of the world.
type stixBundle struct {
	items   jsonItems
	sum     hash.Hash
	options ExportOptions
	seen    map[string]bool
}

func (b *stixBundle) add(objects ...*stixObject) error {
	for _, x := range objects {
		x.SpecVersion = "2.1"
		text, err := json.Marshal(x)
		if err != nil {
			return err
		}
		b.sum.Write(text) // never fails, see hash.Hash
		if err := b.items.add(json.RawMessage(text)); err != nil {
			return err
		}
	}
	return nil
}

// once adds objects that may be there already.
func (b *stixBundle) once(objects ...*stixObject) error {
	for _, x := range objects {
		if b.seen[x.ID] {
			continue
		}
		b.seen[x.ID] = true
		if err := b.add(x); err != nil {
			return err
		}
	}
	return nil
}

func (b *stixBundle) team(t *directory.Team) error {
	contacts := provenContacts(t, b.options)
	var labels []directory.TLP
	for _, c := range contacts {
		labels = append(labels, c.Visibility)
	}
	label := strictest(labels)
	if err := b.once(stixMarking(label)); err != nil {
		return err
	}
	identity := stixIdentity(t, contacts, b.options)
	identity.Markings = []string{stixMarkings[label]}
	if err := b.add(identity); err != nil || t.Country == "" {
		return err
	}
	place := stixLocation(t.Country)
	if err := b.once(place); err != nil {
		return err
	}
	return b.add(&stixObject{
		Type: "relationship", ID: "relationship--" + uuid.NewSHA1(stixSpace, []byte(identity.ID+" located-at "+place.ID)).String(),
		Created: identity.Created, Modified: identity.Modified, Relation: "located-at", Source: identity.ID, Target: place.ID,
	})
}

func stixIdentity(t *directory.Team, contacts []provenContact, o ExportOptions) *stixObject {
	x := &stixObject{
		Type: "identity", ID: "identity--" + stixUUID(string(t.ID)), Created: stixTime(t.Created), Modified: stixTime(stixModified(t)),
		Name: oneLine(t.Name()), Description: stixDescription(t), Class: "organization", Roles: t.Kinds, Sectors: stixSectors(t.Constituency.Sectors), Lang: "en",
	}
	own := stixTeam{Type: "property-extension", Handle: string(t.Handle), Kinds: t.Kinds, Sectors: t.Constituency.Sectors}
	var lines []string
	for _, c := range contacts {
		label := c.Visibility
		if label == "" {
			label = directory.Clear
		}
		lines = append(lines, contactText(c.Contact, c.Standing))
		own.Contacts = append(own.Contacts, stixContact{Channel: c.Channel, Value: oneLine(c.Value), Uses: c.Uses, TLP: string(label), Evidence: standingTo(c.Standing)})
	}
	x.Contact = strings.Join(lines, "\n")
	x.Extensions = map[string]any{stixExtensionID: own}
	if t.Website != "" {
		x.References = append(x.References, stixReference{Source: "website", URL: oneLine(t.Website)})
	}
	if o.Base != "" {
		x.References = append(x.References, stixReference{Source: "rollcall", URL: o.Base + "v1/teams/" + string(t.ID), ID: string(t.ID)})
	}
	return x
}

// stixUUID returns a UUID that is one of RFC 4122, as STIX 2.1 section 2.9
// wants it: the team's own, or one derived from it where a newer version of
// UUIDs made that.
func stixUUID(id string) string {
	u, err := uuid.Parse(id)
	if err == nil && u.Variant() == uuid.RFC4122 && u.Version() >= 1 && u.Version() <= 5 {
		return u.String()
	}
	return uuid.NewSHA1(stixSpace, []byte(id)).String()
}

// stixModified is when the identity last changed: evidence is no edit of a
// team, but it is one of what is shown here.
func stixModified(t *directory.Team) time.Time {
	last := t.Updated
	for _, e := range t.Evidence {
		if e.At.After(last) {
			last = e.At
		}
	}
	if last.Before(t.Created) {
		return t.Created
	}
	return last
}

func stixDescription(t *directory.Team) string {
	var lines []string
	if n := otherNamesOf(t); len(n) > 0 {
		lines = append(lines, "Also known as "+oneLine(strings.Join(n, ", ")))
	}
	if t.Host != "" {
		lines = append(lines, "Host organisation: "+oneLine(t.Host))
	}
	if text := strings.TrimSpace(written(t.Constituency.Text)); text != "" {
		lines = append(lines, "Constituency: "+text)
	}
	return strings.Join(lines, "\n")
}

// stixSector is the word of industry-sector-ov (STIX 2.1 section 10.6) for a
// sector of NIS2; the extension keeps the word of NIS2 itself.
func stixSector(nis2 directory.Word) string {
	switch nis2 {
	case "energy":
		return "energy"
	case "transport", "courier":
		return "transportation"
	case "banking", "financial":
		return "financial-services"
	case "health":
		return "healthcare"
	case "drinking-water", "waste-water":
		return "water"
	case "digital-infrastructure":
		return "telecommunications"
	case "ict-services", "digital-providers":
		return "technology"
	case "public-administration":
		return "government"
	case "space":
		return "aerospace"
	case "waste-management":
		return "utilities"
	case "chemical":
		return "chemical"
	case "food":
		return "agriculture"
	case "manufacturing":
		return "manufacturing"
	case "research":
		return "education"
	}
	return ""
}

func stixSectors(nis2 []directory.Word) []string {
	var sectors []string
	for _, w := range nis2 {
		if s := stixSector(w); s != "" && !slices.Contains(sectors, s) {
			sectors = append(sectors, s)
		}
	}
	return sectors
}

// stixTime is a timestamp with the milliseconds that common STIX tools write.
func stixTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// stixMarking is a TLP 2.0 label as OASIS defines it, to the letter: an object
// with that id must not say anything else.
func stixMarking(label directory.TLP) *stixObject {
	return &stixObject{
		Type: "marking-definition", ID: stixMarkings[label], Created: "2022-10-01T00:00:00.000Z", Name: "TLP:" + strings.ToUpper(string(label)),
		Extensions: map[string]any{tlpExtensionID: map[string]string{"extension_type": "property-extension", "tlp_2_0": string(label)}},
	}
}

func stixLocation(c directory.Country) *stixObject {
	return &stixObject{
		Type: "location", ID: "location--" + uuid.NewSHA1(stixSpace, []byte("country "+string(c))).String(),
		CreatedBy: stixSelfID, Created: stixBegan, Modified: stixBegan, Name: c.Name(), Country: string(c),
	}
}

// stixSelf is who defines the extension.
func stixSelf() *stixObject {
	return &stixObject{Type: "identity", ID: stixSelfID, Created: stixBegan, Modified: stixBegan, Name: "Rollcall", Class: "system"}
}

// stixExtension defines our properties of an identity (STIX 2.1 section 7.3).
func stixExtension() *stixObject {
	return &stixObject{
		Type: "extension-definition", ID: stixExtensionID, CreatedBy: stixSelfID, Created: stixBegan, Modified: stixBegan,
		Name: "Rollcall team", Version: "1.0.0", Extends: []string{"property-extension"},
		Description: "What an incident response team's identity has no property for: its handle, its kinds, its sectors in the words of NIS2, and each contact with its TLP 2.0 label and what was proven about it.",
		Schema: "handle (string): the team's unique short name. kinds (list of string). nis2_sectors (list of string). contacts (list): channel (email, phone, url or chat), " +
			"value (string), uses (list of string), tlp (clear, green, amber, amber+strict or red), evidence: level (0 to 4), level_name, state (verified, due, overdue, unverified, " +
			"disputed or failed), at, method, by, valid_until.",
	}
}
