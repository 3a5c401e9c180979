package format

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// RFC2350Options say how a description is written. The zero value is plain
// text in English with addresses that a program can read.
type RFC2350Options struct {
	Markdown  bool
	Language  directory.Language // of the prose; where a section lacks it, another language stands in. "" is en
	Obfuscate bool               // write name(at)example(dot)org
}

// WriteRFC2350 writes t in the form of RFC 2350 appendix D: every heading in
// order, with the team's prose, and from the record where there is no prose.
// A section about which nothing is known says "None available.".
//
// It writes all that t holds: redact t before. The label under section 1 is
// the strictest of what is written.
func WriteRFC2350(w io.Writer, t *directory.Team, o RFC2350Options) error {
	out := bufio.NewWriter(w)
	r := rendering{team: t, options: o}
	title := "Description of " + t.Name() + " according to RFC 2350"
	if o.Markdown {
		fmt.Fprintf(out, "# %s\n", title)
	} else {
		fmt.Fprintf(out, "%s\n%s\n", title, strings.Repeat("=", len([]rune(title))))
	}
	sections := directory.Sections()
	for i, s := range sections {
		fmt.Fprintf(out, "\n%s\n", r.heading(s))
		parent := i+1 < len(sections) && strings.HasPrefix(sections[i+1].Number, s.Number+".")
		text := r.section(s.Number)
		if text == "" && !parent {
			text = "None available."
		}
		if text != "" {
			fmt.Fprintf(out, "\n%s\n", text)
		}
	}
	return out.Flush()
}

// rendering is one description being written.
type rendering struct {
	team    *directory.Team
	options RFC2350Options
}

func (r rendering) heading(s directory.SectionInfo) string {
	number := s.Number
	if !strings.Contains(number, ".") {
		number += "."
	}
	if r.options.Markdown {
		return strings.Repeat("#", strings.Count(s.Number, ".")+2) + " " + number + " " + s.Title
	}
	return number + " " + s.Title
}

// section returns the text of a section: prose, else what the record says.
func (r rendering) section(number string) string {
	text := r.prose(number)
	switch {
	case number == "1":
		text = strings.TrimRight("TLP:"+strings.ToUpper(string(r.label()))+"\n\n"+text, "\n")
	case number == "2.8":
		text = r.keys(text)
	case text == "":
		text = r.facts(number)
	}
	return text
}

// prose returns the text of a section in the wanted language, else in English,
// else in whichever there is.
func (r rendering) prose(number string) string {
	want := r.options.Language
	if want == "" {
		want = "en"
	}
	best, text := -1, ""
	for _, s := range r.team.Prose {
		rank := slices.Index([]directory.Language{"en", want}, s.Language)
		if s.Language == want {
			rank = 2
		}
		if s.Number == number && (text == "" || rank > best) {
			best, text = rank, strings.Trim(s.Text, "\n")
		}
	}
	return text
}

// label returns the strictest label among what is written.
func (r rendering) label() directory.TLP {
	order := []directory.TLP{directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}
	strictest := 0
	see := func(l directory.TLP) { strictest = max(strictest, slices.Index(order, l)) }
	for _, c := range r.team.Contacts {
		see(c.Visibility)
	}
	for _, k := range r.team.Keys {
		see(k.Visibility)
	}
	for _, s := range r.team.Prose {
		see(s.Visibility)
	}
	for _, x := range r.team.Resources {
		see(x.Visibility)
	}
	return order[strictest]
}

// facts writes what the record says about a section.
func (r rendering) facts(number string) string {
	t := r.team
	switch number {
	case "1.1":
		return fmt.Sprintf("Revision %d, updated %s.", t.Revision, t.Updated.UTC().Format("2006-01-02"))
	case "2.1":
		return r.names()
	case "2.2":
		return r.address()
	case "2.3":
		return string(t.Zone)
	case "2.4":
		return r.contacts("phone", anyUse)
	case "2.6":
		return r.contacts("chat", anyUse)
	case "2.7":
		return r.contacts("email", anyUse)
	case "2.10":
		return labelled("Website", t.Website)
	case "2.11":
		return paragraphs(r.hours(), r.contacts("url", forVulnerabilities))
	case "3.2":
		return r.constituency()
	case "3.3":
		return r.affiliation()
	case "5":
		return list(t.Services)
	case "6":
		return r.contacts("url", func(c directory.Contact) bool { return !forVulnerabilities(c) })
	}
	return ""
}

func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + ": " + value
}

// list writes items one a line, as both Markdown and plain text have it.
func list(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return "* " + strings.Join(items, "\n* ")
}

// paragraphs joins the parts that are not empty.
func paragraphs(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n\n")
}

func (r rendering) names() string {
	n := r.team.Names
	lines := slices.DeleteFunc([]string{labelled("Full name", n.Full), labelled("Short name", n.Short)}, func(s string) bool { return s == "" })
	return paragraphs(strings.Join(lines, "\n"), labelled("Former names", strings.Join(n.Former, ", ")))
}

func (r rendering) address() string {
	t := r.team
	country := t.Country.Name()
	if t.Address == "" || country == "" || countryNamed(t.Address[strings.LastIndexByte(t.Address, '\n')+1:]) == t.Country {
		return paragraphs(t.Address, map[bool]string{true: country}[t.Address == ""])
	}
	return t.Address + "\n" + country
}

func anyUse(directory.Contact) bool { return true }

// forVulnerabilities tells the places for vulnerability reports, which
// documents name in section 2.11, from incident reporting forms.
func forVulnerabilities(c directory.Contact) bool { return c.Serves("vulnerability") }

// contacts lists the contacts of one channel in the order of preference.
func (r rendering) contacts(channel string, which func(directory.Contact) bool) string {
	var lines []string
	for _, c := range r.team.Contacts {
		if c.Channel == channel && which(c) {
			lines = append(lines, r.contact(c))
		}
	}
	return list(lines)
}

func (r rendering) contact(c directory.Contact) string {
	value := c.Value
	if r.options.Obfuscate && c.Channel == "email" {
		value = strings.NewReplacer("@", "(at)", ".", "(dot)").Replace(value)
	}
	about := slices.Clone(c.Uses)
	if c.Label != "" {
		about = append(about, c.Label)
	}
	if !c.Hours.IsZero() {
		about = append(about, c.Hours.String())
	}
	if len(about) == 0 {
		return value
	}
	return value + " (" + strings.Join(about, ", ") + ")"
}

func (r rendering) hours() string {
	h := r.team.Hours
	if h.IsZero() {
		return ""
	}
	text := "Hours of operation: " + h.String()
	if r.team.Zone != "" && !h.Always {
		text += " (" + string(r.team.Zone) + ")"
	}
	return text
}

func (r rendering) constituency() string {
	c := r.team.Constituency
	var types, resources, countries []string
	for _, t := range c.Types {
		types = append(types, strings.TrimSuffix(t.Type+", "+t.Scope, ", "))
	}
	for _, x := range c.Countries {
		countries = append(countries, x.Name())
	}
	for _, x := range r.team.Resources {
		value := x.Value()
		if x.Type == "country" {
			value = x.Country.Name()
		}
		resources = append(resources, value)
	}
	return paragraphs(c.Text, list(types), labelled("Sectors", strings.Join(c.Sectors, ", ")),
		labelled("Countries", strings.Join(countries, ", ")), list(resources))
}

func (r rendering) affiliation() string {
	var forums []string
	for _, m := range r.team.Memberships {
		forums = append(forums, fmt.Sprintf("%s (%s)", m.Forum, m.Status))
	}
	return paragraphs(labelled("Host organisation", r.team.Host), list(forums))
}

// keys writes what the text does not say about each key, and the key itself.
func (r rendering) keys(text string) string {
	said := strings.ToUpper(strings.NewReplacer(" ", "", ":", "", "\n", "").Replace(text))
	parts := []string{text}
	for _, k := range r.team.Keys {
		if !strings.Contains(said, string(k.Fingerprint)) {
			facts := []string{"Fingerprint: " + k.Fingerprint.Spaced()}
			if k.Algorithm != "" {
				facts = append(facts, "Algorithm: "+k.Algorithm)
			}
			if !k.Expires.IsZero() {
				facts = append(facts, "Expires: "+k.Expires.UTC().Format("2006-01-02"))
			}
			parts = append(parts, list(facts))
		}
		if armor := strings.TrimSpace(k.Armor); armor != "" && r.options.Markdown {
			parts = append(parts, "```text\n"+armor+"\n```")
		} else if armor != "" {
			parts = append(parts, armor)
		}
	}
	return paragraphs(parts...)
}
