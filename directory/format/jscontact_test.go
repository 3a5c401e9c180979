package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// cardMembers are the members of RFC 9553 that our cards may have, with what
// they are: a JSON type, or "map:" and the members of each value.
var cardMembers = map[string]string{
	"@type": "Card", "version": "1.0", "uid": "string", "kind": "org", "language": "string", "prodId": "string", "created": "time", "updated": "time",
	"name": "full", "nicknames": "map:name", "organizations": "map:name units", "emails": "map:address contexts pref label", "phones": "map:number features contexts pref label",
	"onlineServices": "map:uri contexts pref label", "links": "map:uri kind contexts pref label", "cryptoKeys": "map:uri mediaType label", "preferredLanguages": "map:language pref",
	"addresses": "map:full countryCode timeZone", "keywords": "set", "notes": "map:note",
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`) // RFC 9553 section 1.4.1

// checkJSContact holds an array of cards against RFC 9553.
func checkJSContact(out []byte) error {
	var cards []map[string]any
	if err := json.Unmarshal(out, &cards); err != nil {
		return err
	}
	for _, card := range cards {
		for _, must := range []string{"@type", "version", "uid"} {
			if card[must] == nil {
				return fmt.Errorf("a card without %s", must)
			}
		}
		for name, v := range card {
			if err := checkCardMember(name, v); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func checkCardMember(name string, v any) error {
	want, known := cardMembers[name]
	text, isText := v.(string)
	members, isMap := v.(map[string]any)
	list, ofMap := strings.CutPrefix(want, "map:")
	switch {
	case !known:
		return fmt.Errorf("a member that RFC 9553 does not know")
	case want == "time":
		_, err := time.Parse("2006-01-02T15:04:05Z", text)
		return err
	case want == "string" && isText, isText && want == text:
		return nil
	case want == "full" && isMap && members["full"] != nil, want == "set" && isMap:
		return nil
	case !ofMap || !isMap || len(members) == 0:
		return fmt.Errorf("%v, want %s", v, want)
	}
	for id, item := range members {
		object, ok := item.(map[string]any)
		if !ok || !idForm.MatchString(id) {
			return fmt.Errorf("%q: %v, want an id and an object", id, item)
		}
		for m, v := range object {
			if err := checkItemMember(list, m, v); err != nil {
				return fmt.Errorf("%s: %s: %w", id, m, err)
			}
		}
	}
	return nil
}

func checkItemMember(list, name string, v any) error {
	n, isNumber := v.(float64)
	switch {
	case name == "rollcall-csirt.github.io:evidence":
		return nil
	case !slices.Contains(strings.Fields(list), name):
		return fmt.Errorf("a member that RFC 9553 does not know")
	case name == "pref" && (!isNumber || n < 1 || n > 100 || n != float64(int(n))):
		return fmt.Errorf("%v, want 1 to 100", v)
	case name == "uri":
		if u, err := url.Parse(strings.ReplaceAll(v.(string), " ", "")); err == nil && u.Scheme == "" {
			return fmt.Errorf("%v, want a URI", v)
		}
	}
	return nil
}

func TestJSContact(t *testing.T) {
	var b bytes.Buffer
	write(t, &b, "jscontact", fullTeam(t, 1), fullTeam(t, 2))
	if err := checkJSContact(b.Bytes()); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	var cards []struct {
		UID    string
		Emails map[string]struct {
			Address  string
			Evidence format.Evidence `json:"rollcall-csirt.github.io:evidence"`
		}
		Phones    map[string]struct{ Number string }
		Links     map[string]struct{ URI, Kind string }
		Addresses map[string]struct{ Full, CountryCode, TimeZone string }
	}
	if err := json.Unmarshal(b.Bytes(), &cards); err != nil || len(cards) != 2 {
		t.Fatalf("%d cards, %v", len(cards), err)
	}
	c := cards[0]
	mail := c.Emails["11111111-1111-4111-8111-111111111111"]
	if mail.Address != "csirt@example.org" || mail.Evidence.Level != 2 || mail.Evidence.State != "verified" {
		t.Errorf("mailbox = %+v, want it verified at level 2", mail)
	}
	if c.Phones["22222222-2222-4222-8222-222222222222"].Number != "tel:+4315056416" || c.Links["33333333-3333-4333-8333-333333333333"].Kind != "contact" || c.Links["website"].URI == "" {
		t.Errorf("phones and links = %+v, %+v", c.Phones, c.Links)
	}
	if a := c.Addresses["address"]; a.CountryCode != "AT" || a.TimeZone != "Europe/Vienna" || !strings.HasPrefix(a.Full, "Example CSIRT\n") {
		t.Errorf("address = %+v", a)
	}
}

var stixID = regexp.MustCompile(`^([a-z-]+)--([0-9a-f-]{36})$`)

// stixTypes are the types that we write, with what each must have.
var stixTypes = map[string][]string{
	"identity":             {"name", "modified", "identity_class"},
	"location":             {"country", "modified"},
	"relationship":         {"relationship_type", "source_ref", "target_ref", "modified"},
	"marking-definition":   {"name", "extensions"},
	"extension-definition": {"name", "schema", "version", "extension_types", "created_by_ref", "modified"},
}

// checkSTIX holds a bundle against the rules of STIX 2.1 that a schema can't
// tell: ids are of their type and once, times are in order, references lead
// somewhere in the bundle.
func checkSTIX(out []byte) error {
	var bundle struct {
		Type, ID string
		Objects  []map[string]any
	}
	if err := json.Unmarshal(out, &bundle); err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, o := range bundle.Objects {
		if err := checkSTIXObject(o); err != nil {
			return err
		}
		id := o["id"].(string)
		if ids[id] {
			return fmt.Errorf("%s is there twice", id)
		}
		ids[id] = true
	}
	if !strings.HasPrefix(bundle.ID, "bundle--") || bundle.Type != "bundle" || len(ids) == 0 {
		return fmt.Errorf("bundle %s of %d objects", bundle.ID, len(ids))
	}
	for _, o := range bundle.Objects {
		refs, _ := o["object_marking_refs"].([]any)
		for _, name := range []string{"created_by_ref", "source_ref", "target_ref"} {
			if o[name] != nil {
				refs = append(refs, o[name])
			}
		}
		for _, ref := range refs {
			if !ids[ref.(string)] {
				return fmt.Errorf("%s refers to %s, which is not in the bundle", o["id"], ref)
			}
		}
	}
	return nil
}

func checkSTIXObject(o map[string]any) error {
	kind, _ := o["type"].(string)
	id, _ := o["id"].(string)
	m := stixID.FindStringSubmatch(id)
	must, known := stixTypes[kind]
	if !known || m == nil || m[1] != kind || o["spec_version"] != "2.1" {
		return fmt.Errorf("object %s of type %q", id, kind)
	}
	if u, err := uuid.Parse(m[2]); err != nil || u.Version() < 1 || u.Version() > 5 || u.Variant() != uuid.RFC4122 {
		return fmt.Errorf("%s is not of RFC 4122: %v", id, err)
	}
	for _, name := range must {
		if o[name] == nil || o[name] == "" {
			return fmt.Errorf("%s has no %s", id, name)
		}
	}
	created, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(o["created"]))
	if err != nil {
		return err
	}
	if o["modified"] == nil {
		return nil
	}
	modified, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(o["modified"]))
	if err == nil && modified.Before(created) {
		err = fmt.Errorf("%s was modified before it was created", id)
	}
	return err
}

func TestSTIX(t *testing.T) {
	newer := fullTeam(t, 2)
	newer.ID = "01890a5d-ac96-774b-bcce-b302099a8057" // version 7, which STIX 2.1 does not know
	newer.Country, newer.Contacts = "", nil
	var b bytes.Buffer
	write(t, &b, "stix", fullTeam(t, 1), newer, fullTeam(t, 3))
	if err := checkSTIX(b.Bytes()); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	var bundle struct {
		Objects []struct {
			Type, ID, Name, Modified string
			Sectors, Roles           []string
			Contact                  string   `json:"contact_information"`
			Markings                 []string `json:"object_marking_refs"`
		}
	}
	if err := json.Unmarshal(b.Bytes(), &bundle); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, o := range bundle.Objects {
		kinds[o.Type]++
		if o.ID != "identity--5694da62-6314-4565-9c4d-129853882601" {
			continue
		}
		if !slices.Equal(o.Sectors, []string{"education"}) || !slices.Equal(o.Roles, []string{"csirt", "nren"}) || !strings.HasPrefix(o.Contact, "csirt@example.org: answered (level 2), verified") {
			t.Errorf("identity = %+v", o)
		}
		if o.Modified != "2026-11-10T00:00:00.000Z" { // the evidence's, which is newer than the record
			t.Errorf("modified = %s", o.Modified)
		}
		if !slices.Equal(o.Markings, []string{"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"}) {
			t.Errorf("markings = %v, want TLP:AMBER", o.Markings)
		}
	}
	want := map[string]int{"identity": 4, "marking-definition": 2, "location": 1, "relationship": 2, "extension-definition": 1}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("objects = %v, want %v", kinds, want)
	}
}

// Every sector of NIS2 has a word of the STIX vocabulary, and it is one of it.
func TestSTIXSectors(t *testing.T) {
	vocabulary := strings.Fields(`agriculture aerospace automotive chemical commercial communications construction defense education energy entertainment
		financial-services government emergency-services government-local government-national government-public-services government-regional healthcare
		hospitality-leisure infrastructure dams nuclear water insurance manufacturing mining non-profit pharmaceuticals retail technology telecommunications
		transportation utilities`) // STIX 2.1 section 10.8
	for _, sector := range directory.Sectors {
		var b bytes.Buffer
		write(t, &b, "stix", directory.Team{ID: "5694da62-6314-4565-9c4d-129853882601", Handle: "t", Profile: directory.Profile{Constituency: directory.Constituency{Sectors: []string{sector}}}})
		m := regexp.MustCompile(`"sectors":\["([a-z-]+)"\]`).FindStringSubmatch(b.String())
		if m == nil || !slices.Contains(vocabulary, m[1]) {
			t.Errorf("sector %s is %v in STIX, want a word of industry-sector-ov", sector, m)
		}
	}
}
