package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/rollcall-csirt/rollcall/directory"
)

// What several formats for people say in the same words.

// written returns s as any text can carry it: UTF-8 with LF as its only line
// break, without other control characters and without those that reorder what
// stands around them. The directory lets none of them in; a format is not the
// place to rely on that.
func written(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
		return s // as nearly all are
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u0085' || r == '\u2028' || r == '\u2029': // line breaks to some readers
			return '\n'
		case r == '\t':
			return ' '
		case r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\uFEFF':
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\uFFFD"))
}

// oneLine is written for a text of one line.
func oneLine(s string) string {
	if plain(s) {
		return s
	}
	return strings.Join(strings.Fields(written(s)), " ")
}

// proofText says in words what was proven about a contact.
func proofText(s directory.Standing) string {
	text := fmt.Sprintf("%s (level %d), %s", s.Level, s.Level, s.State)
	if !s.At.IsZero() {
		text += fmt.Sprintf("; by %s on %s", s.Method, s.At.UTC().Format(time.DateOnly))
	}
	if !s.ValidUntil.IsZero() {
		text += ", lasts until " + s.ValidUntil.UTC().Format(time.DateOnly)
	}
	return text
}

// aboutContact says what a contact is for, in words.
func aboutContact(c directory.Contact) string {
	about := slices.Clone(c.Uses)
	about = append(about, c.Classes...)
	for _, s := range []string{c.Label, c.Person, c.Hours.String()} {
		if s != "" {
			about = append(about, oneLine(s))
		}
	}
	return strings.Join(about, ", ")
}

// contactText is one line about a contact: what it reaches, what it is for and
// what was proven.
func contactText(c directory.Contact, s directory.Standing) string {
	text := oneLine(c.Value)
	if about := aboutContact(c); about != "" {
		text += " (" + about + ")"
	}
	return text + ": " + proofText(s)
}

// provenContact is a contact with what was proven about it.
type provenContact struct {
	directory.Contact
	Standing directory.Standing
	Pref     int // 1 to 100 among the contacts of its channel, 1 is preferred
}

// provenContacts returns the contacts of t in the order of preference.
func provenContacts(t *directory.Team, o ExportOptions) []provenContact {
	list := make([]provenContact, len(t.Contacts))
	for i, c := range t.Contacts {
		list[i] = provenContact{Contact: c, Standing: directory.Assess(c, t.Evidence, o.Policy, o.Now)}
	}
	slices.SortStableFunc(list, func(a, b provenContact) int { return cmp.Compare(a.Order, b.Order) })
	count := map[string]int{}
	for i := range list {
		if list[i].ID == "" { // of a team that was never stored
			list[i].ID = directory.ContactID("c" + strconv.Itoa(i+1))
		}
		count[list[i].Channel]++
		list[i].Pref = min(count[list[i].Channel], 100)
	}
	return list
}

// teamNote is what formats without a place for evidence, hours or constituency
// say about a team in words. It begins with the label, for people who hand the
// text on.
func teamNote(t *directory.Team, contacts []provenContact) string {
	lines := []string{"TLP:" + strings.ToUpper(string(strictest(reachLabels(t))))}
	add := func(label, value string) {
		if value != "" {
			lines = append(lines, label+": "+value)
		}
	}
	add("Hours", t.Hours.String())
	add("Former names", oneLine(strings.Join(t.Names.Former, ", ")))
	add("Sectors", strings.Join(t.Constituency.Sectors, ", "))
	add("Constituency", strings.TrimSpace(written(t.Constituency.Text)))
	var forums []string
	for _, m := range t.Memberships {
		forums = append(forums, fmt.Sprintf("%s (%s)", m.Forum, m.Status))
	}
	add("Memberships", oneLine(strings.Join(forums, ", ")))
	for _, c := range contacts {
		lines = append(lines, contactText(c.Contact, c.Standing))
	}
	return strings.Join(lines, "\n")
}

// otherNamesOf returns what the team is called beside the name to show.
func otherNamesOf(t *directory.Team) []string {
	return otherNames([]string{t.Name()}, slices.Concat([]string{t.Names.Short, t.Names.Full}, t.Names.Other), 100)
}

// organisation returns the host organisation and the team's unit in it; the
// unit is "" for a team without a host.
func organisation(t *directory.Team) (org, unit string) {
	name := cmp.Or(t.Names.Full, t.Name())
	if t.Host == "" {
		return oneLine(name), ""
	}
	return oneLine(t.Host), oneLine(name)
}

// strictest returns the strictest of labels, CLEAR for none.
func strictest(labels []directory.TLP) directory.TLP {
	order := []directory.TLP{directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}
	most := 0
	for _, l := range labels {
		most = max(most, slices.Index(order, l))
	}
	return order[most]
}

// reachLabels are the labels of contacts and keys: of what address books show.
func reachLabels(t *directory.Team) []directory.TLP {
	var labels []directory.TLP
	for _, c := range t.Contacts {
		labels = append(labels, c.Visibility)
	}
	for _, k := range t.Keys {
		labels = append(labels, k.Visibility)
	}
	return labels
}

// usableKeys returns the keys that mail can be encrypted to at now, and those
// of which only the fingerprint is known: an address book is no place for a
// key that ended.
func usableKeys(t *directory.Team, now time.Time) []directory.Key {
	var keys []directory.Key
	for _, k := range t.Keys {
		if encrypt, _, _ := k.UsableAt(now); encrypt || k.Armor == "" && !k.Revoked {
			keys = append(keys, k.Key)
		}
	}
	return keys
}

// keyPackets returns a key in binary, or nil where only its fingerprint is
// known.
func keyPackets(k directory.Key) []byte {
	if k.Armor == "" {
		return nil
	}
	block, err := armor.Decode(strings.NewReader(k.Armor))
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(block.Body)
	if err != nil || len(data) == 0 || data[0] != 0xC6 && data[0]&0xFC != 0x98 {
		return nil // RFC 9580 section 4.2: it does not begin with a public key
	}
	return data
}
