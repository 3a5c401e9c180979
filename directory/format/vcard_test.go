package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// property is a content line of a vCard, taken apart by the grammar of RFC 6350
// section 3.3 and nothing of the code under test.
type property struct {
	name   string
	params map[string][]string
	value  string
}

var (
	propertyForm = regexp.MustCompile(`^([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):(.*)$`)
	paramForm    = regexp.MustCompile(`;([A-Za-z0-9-]+)=((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)`)
	paramValue   = regexp.MustCompile(`"([^"]*)"|([^",]+)`)
	textForm     = regexp.MustCompile(`^(?:[^\\,;\n]|\\[\\,;n])*$`)
)

// vcardProperties are those that a card may have, with whether the value is one
// text (RFC 6350 section 3.4).
var vcardProperties = map[string]bool{
	"VERSION": false, "PRODID": false, "UID": false, "KIND": true, "LANGUAGE": true, "FN": true, "ORG": false, "NICKNAME": false, "LANG": true, "ADR": false, "TZ": true,
	"EMAIL": true, "TEL": false, "URL": false, "IMPP": false, "SOCIALPROFILE": false, "KEY": false, "CATEGORIES": false, "NOTE": true, "SOURCE": false, "CREATED": true, "REV": true,
}

// readVCards reads a stream of cards and reports the first breach.
func readVCards(text string) ([][]property, error) {
	if text != "" && !strings.HasSuffix(text, "\r\n") {
		return nil, errors.New("the last line does not end")
	}
	for _, l := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(l) > 75 || !utf8.ValidString(l) || strings.ContainsAny(l, "\r\n") {
			return nil, fmt.Errorf("line of %d octets, or half a character, or a bare line break: %q", len(l), l)
		}
	}
	var cards [][]property
	var card []property
	in := false
	for _, l := range strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n ", ""), "\r\n"), "\r\n") {
		switch {
		case l == "BEGIN:VCARD" && !in:
			in, card = true, nil
		case l == "END:VCARD" && in:
			in, cards = false, append(cards, card)
		case !in:
			return nil, fmt.Errorf("outside of a card: %q", l)
		default:
			p, err := readProperty(l, len(card))
			if err != nil {
				return nil, err
			}
			card = append(card, p)
		}
	}
	if in {
		return nil, errors.New("a card does not end")
	}
	return cards, nil
}

func readProperty(l string, n int) (property, error) {
	m := propertyForm.FindStringSubmatch(l)
	if m == nil {
		return property{}, fmt.Errorf("no content line: %q", l)
	}
	isText, known := vcardProperties[m[1]]
	switch {
	case !known:
		return property{}, fmt.Errorf("a property that nobody wrote: %q", l)
	case (m[1] == "VERSION") != (n == 0):
		return property{}, fmt.Errorf("VERSION is first and once: %q", l)
	case isText && !textForm.MatchString(m[3]):
		return property{}, fmt.Errorf("a text that is not escaped: %q", l)
	}
	p := property{name: m[1], params: map[string][]string{}, value: m[3]}
	for _, m := range paramForm.FindAllStringSubmatch(m[2], -1) {
		for _, v := range paramValue.FindAllStringSubmatch(m[2], -1) {
			p.params[m[1]] = append(p.params[m[1]], strings.NewReplacer("^n", "\n", "^'", `"`, "^^", "^").Replace(v[1]+v[2]))
		}
	}
	return p, nil
}

// plainText undoes the escapes of a text.
func plainText(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\,`, ",", `\;`, ";").Replace(s)
}

func vcardOf(t testing.TB, team directory.Team) map[string][]property {
	t.Helper()
	var b bytes.Buffer
	write(t, &b, "vcard", team)
	cards, err := readVCards(b.String())
	if err != nil || len(cards) != 1 {
		t.Fatalf("%d cards, %v:\n%s", len(cards), err, b.String())
	}
	byName := map[string][]property{}
	for _, p := range cards[0] {
		byName[p.name] = append(byName[p.name], p)
	}
	return byName
}

func TestVCard(t *testing.T) {
	card := vcardOf(t, fullTeam(t, 1))
	for name, want := range map[string][]string{
		"KIND": {"org"}, "FN": {"EXAMPLE-CSIRT"}, "ORG": {"Example & Sons <Ltd>;Example Computer Security Incident Response Team"}, "UID": {"urn:uuid:5694da62-6314-4565-9c4d-129853882601"},
		"EMAIL": {"csirt@example.org"}, "TEL": {"tel:+4315056416"}, "IMPP": {"xmpp:csirt@example.org"}, "URL": {"https://report.example.org/form", "https://csirt.example.org/"},
		"LANG": {"de-AT", "en"}, "TZ": {"Europe/Vienna"}, "REV": {"20261101T000000Z"}, "CREATED": {"20250102T000000Z"}, "CATEGORIES": {"csirt,nren,research"},
		"ADR": {`;;Example CSIRT\, Example Street 1\, 1010 Vienna\, Austria;;;;Austria`},
	} {
		var got []string
		for _, p := range card[name] {
			got = append(got, p.value)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
	mail, phone := card["EMAIL"][0].params, card["TEL"][0].params
	if got := fmt.Sprint(mail["PREF"], mail["X-EVIDENCE-LEVEL"], mail["X-EVIDENCE-STATE"], mail["X-EVIDENCE-METHOD"], mail["X-EVIDENCE-AT"]); got != "[1] [2] [verified] [phone] [20261110T000000Z]" {
		t.Errorf("evidence of the mailbox = %s", got)
	}
	if !slices.Equal(phone["TYPE"], []string{"work", "x-emergency", "voice"}) || phone["VALUE"][0] != "uri" {
		t.Errorf("parameters of the telephone = %v", phone)
	}
	if label := card["ADR"][0].params["LABEL"]; !slices.Equal(label, []string{"Example CSIRT\nExample Street 1\n1010 Vienna\nAustria"}) || card["ADR"][0].params["CC"][0] != "AT" {
		t.Errorf("label of the address = %q", label)
	}
	note := plainText(card["NOTE"][0].value)
	for _, want := range []string{"TLP:AMBER\n", "csirt@example.org: answered (level 2), verified; by phone on 2026-11-10, lasts until 2027-05-09", "Hours: Mon-Fri 08:00-17:00; Sat 22:00-02:00"} {
		if !strings.Contains(note, want) {
			t.Errorf("the note lacks %q:\n%s", want, note)
		}
	}
}

// A text comes out as it went in, whatever it is, but for what no text has.
func TestVCardText(t *testing.T) {
	for _, s := range []string{`a,b;c:d\e"f^g`, "жизнь " + strings.Repeat("ж", 200), "👩🏽‍💻" + strings.Repeat("🏳️‍🌈", 40), `\n`, "x"} {
		team := directory.Team{ID: "t", Handle: "t", Profile: directory.Profile{Names: directory.Names{Short: s}, Address: s + "\n" + s}}
		card := vcardOf(t, team)
		if got := plainText(card["FN"][0].value); got != s {
			t.Errorf("FN = %q, want %q", got, s)
		}
		if got := card["ADR"][0].params["LABEL"][0]; got != s+"\n"+s {
			t.Errorf("LABEL = %q, want %q", got, s+"\n"+s)
		}
	}
}

// An address book is no place for a key that nobody can encrypt to.
func TestVCardKeys(t *testing.T) {
	for name, want := range map[string]int{"good": 1, "revoked": 0, "expired": 0, "noencrypt": 0, "rsa3072": 1} {
		team := directory.Team{ID: "t", Handle: "t", Profile: directory.Profile{Keys: []directory.TeamKey{{Key: aKey(t, name)}}}}
		if got := len(vcardOf(t, team)["KEY"]); got != want {
			t.Errorf("%d keys of a team with the key %s, want %d", got, name, want)
		}
	}
}

func FuzzVCard(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		write(t, &b, "vcard", hostileTeam(s), hostileTeam("second"))
		if cards, err := readVCards(b.String()); err != nil || len(cards) != 2 {
			t.Fatalf("%q: %d cards, %v\n%s", s, len(cards), err, b.String())
		}
	})
}
