package format

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// vcardExporter writes one vCard 4.0 (RFC 6350) for each team, of the kind org:
// address books take a card of the kind group for a list of others, and show
// nothing of what it says itself.
func vcardExporter() Exporter {
	return Exporter{
		Name: "vcard", About: "vCard 4.0, one card for each team, for address books",
		MediaType: "text/vcard; charset=utf-8", Extension: ".vcf",
		write: func(w *bufio.Writer, o ExportOptions, teams Teams) error {
			for t, err := range teams {
				if err != nil {
					return err
				}
				if err := writeVCard(w, o, &t); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// vcardWriter writes the content lines of a card; the first error is kept by
// out.
type vcardWriter struct{ out *bufio.Writer }

func writeVCard(w *bufio.Writer, o ExportOptions, t *directory.Team) error {
	v := vcardWriter{w}
	contacts := provenContacts(t, o)
	v.line("BEGIN", nil, "VCARD")
	v.line("VERSION", nil, "4.0") // RFC 6350 section 6.7.9: right after BEGIN
	v.line("PRODID", nil, "-//Rollcall//Rollcall//EN")
	v.line("UID", nil, "urn:uuid:"+string(t.ID))
	v.line("KIND", nil, "org")
	v.line("LANGUAGE", nil, "en") // RFC 9554 section 3.3: of the words in NOTE
	v.text("FN", oneLine(t.Name()))
	v.names(t)
	for i, l := range t.Languages {
		v.line("LANG", params{{"PREF", strconv.Itoa(min(i+1, 100))}}, oneLine(string(l)))
	}
	v.address(t)
	for _, c := range contacts {
		v.contact(c)
	}
	if t.Website != "" {
		v.line("URL", nil, oneLine(t.Website))
	}
	for _, k := range usableKeys(t, o.Now) {
		v.key(k)
	}
	v.list("CATEGORIES", append(append([]string(nil), t.Kinds...), t.Constituency.Sectors...))
	v.text("NOTE", teamNote(t, contacts))
	if o.Base != "" {
		v.line("SOURCE", nil, o.Base+"v1/teams/"+string(t.ID)+"/export/vcard")
	}
	v.line("CREATED", nil, vcardTime(t.Created)) // RFC 9554 section 3.1
	v.line("REV", nil, vcardTime(t.Updated))
	v.line("END", nil, "VCARD")
	_, err := w.Write(nil) // a bufio.Writer keeps its first error
	return err
}

// params are the parameters of a content line in order; several values are
// joined by commas.
type params [][]string

func (v vcardWriter) names(t *directory.Team) {
	org, unit := organisation(t)
	value := vcardText(org)
	if unit != "" {
		value += ";" + vcardText(unit)
	}
	v.line("ORG", params{{"TYPE", "work"}}, value)
	v.list("NICKNAME", otherNamesOf(t))
}

// address writes where the team is. The record has an address of free lines,
// so the lines stand in the label (RFC 6350 section 6.3.1) and, for readers
// that do not show it, in the street; nothing is guessed about their parts.
func (v vcardWriter) address(t *directory.Team) {
	lines := strings.TrimSpace(written(t.Address))
	if t.Country != "" || lines != "" {
		p := params{}
		if lines != "" {
			p = append(p, []string{"LABEL", lines})
		}
		if t.Country != "" {
			p = append(p, []string{"CC", string(t.Country)}) // RFC 8605 section 3.1
		}
		v.line("ADR", p, ";;"+vcardText(strings.ReplaceAll(lines, "\n", ", "))+";;;;"+vcardText(t.Country.Name()))
	}
	if t.Zone != "" {
		v.text("TZ", oneLine(string(t.Zone)))
	}
}

// contact writes one way of reaching the team. PROP-ID (RFC 9554 section 4.7)
// is the contact's own id, the rest of the extended parameters its evidence.
func (v vcardWriter) contact(c provenContact) {
	p := params{{"PROP-ID", string(c.ID)}, {"PREF", strconv.Itoa(c.Pref)}}
	value := oneLine(c.Value)
	kind := []string{"TYPE", "work"}
	for _, use := range c.Uses {
		if use != "general" {
			kind = append(kind, "x-"+use)
		}
	}
	name := map[string]string{"email": "EMAIL", "phone": "TEL", "url": "URL", "chat": "IMPP"}[c.Channel]
	switch {
	case name == "":
		return
	case c.Channel == "email":
		value = vcardText(value)
	case c.Channel == "phone": // RFC 6350 section 6.4.1: a URI wants to be called one
		p, kind, value = append(p, []string{"VALUE", "uri"}), append(kind, "voice"), "tel:"+value
	case c.Channel == "chat" && strings.HasPrefix(value, "http"): // a page, and no messaging protocol
		name = "SOCIALPROFILE" // RFC 9554 section 3.5
	}
	p = append(p, kind,
		[]string{"X-EVIDENCE-LEVEL", strconv.Itoa(int(c.Standing.Level))}, []string{"X-EVIDENCE-STATE", string(c.Standing.State)},
		[]string{"X-EVIDENCE-METHOD", c.Standing.Method})
	if !c.Standing.At.IsZero() {
		p = append(p, []string{"X-EVIDENCE-AT", vcardTime(c.Standing.At)})
	}
	if !c.Standing.ValidUntil.IsZero() {
		p = append(p, []string{"X-EVIDENCE-UNTIL", vcardTime(c.Standing.ValidUntil)})
	}
	v.line(name, p, value)
}

// key writes a key in a data: URI (RFC 2397), or its fingerprint where no more
// is known.
func (v vcardWriter) key(k directory.Key) {
	if packets := keyPackets(k); packets != nil {
		v.line("KEY", nil, "data:application/pgp-keys;base64,"+base64.StdEncoding.EncodeToString(packets))
		return
	}
	v.line("KEY", nil, "openpgp4fpr:"+oneLine(string(k.Fingerprint)))
}

// text writes a property of text, if there is any.
func (v vcardWriter) text(name, value string) {
	if value != "" {
		v.line(name, nil, vcardText(value))
	}
}

// list writes a property whose value is a list of texts.
func (v vcardWriter) list(name string, values []string) {
	var texts []string
	for _, s := range values {
		if s = oneLine(s); s != "" {
			texts = append(texts, vcardText(s))
		}
	}
	if len(texts) > 0 {
		v.line(name, nil, strings.Join(texts, ","))
	}
}

// vcardEscapes are those of RFC 6350 section 3.4.
var vcardEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, ",", `\,`, ";", `\;`)

func vcardText(s string) string { return vcardEscapes.Replace(written(s)) }

// vcardTime is the basic format of RFC 6350 section 4.3.5.
func vcardTime(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// paramEscapes are those of RFC 6868 section 3.1; a quoted value has no others.
var paramEscapes = strings.NewReplacer("^", "^^", "\n", "^n", `"`, "^'")

// line writes one content line. The value is one that can't end it: what comes
// out of written, with line breaks escaped.
func (v vcardWriter) line(name string, p params, value string) {
	var b strings.Builder
	b.WriteString(name)
	for _, param := range p {
		for i, s := range param[1:] {
			if s = paramEscapes.Replace(written(s)); strings.ContainsAny(s, ":;, ^") {
				s = `"` + s + `"`
			}
			b.WriteString(map[bool]string{true: ";" + param[0] + "=", false: ","}[i == 0] + s)
		}
	}
	b.WriteString(":" + value)
	v.fold(b.String())
}

// fold writes a line in pieces of at most 75 octets, never within a character
// (RFC 6350 section 3.2). The space before a piece counts.
func (v vcardWriter) fold(line string) {
	for most := 75; len(line) > most; most = 74 {
		n := most
		for !utf8.RuneStart(line[n]) {
			n--
		}
		fmt.Fprintf(v.out, "%s\r\n ", line[:n])
		line = line[n:]
	}
	fmt.Fprintf(v.out, "%s\r\n", line)
}
