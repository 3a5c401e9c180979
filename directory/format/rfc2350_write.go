package format

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// RFC2350Form is how a description is rendered.
type RFC2350Form string

// The forms.
const (
	RFC2350Text     RFC2350Form = "text"
	RFC2350Markdown RFC2350Form = "markdown"
	RFC2350HTML     RFC2350Form = "html"
)

// MediaType returns the media type of the form.
func (f RFC2350Form) MediaType() string {
	switch f {
	case RFC2350Markdown:
		return "text/markdown; charset=utf-8" // RFC 7763
	case RFC2350HTML:
		return "text/html; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}

// RFC2350Options say how a description is written. The zero value is plain
// text in English with addresses that a program can read.
type RFC2350Options struct {
	Form RFC2350Form // "" is text
	// Language is that of the prose; "" is en. Where a section lacks it, its
	// nearest relative stands in (de for de-AT and the other way round), else
	// English, else any language that there is.
	Language  directory.Language
	Obfuscate bool // write name(at)example(dot)org
}

// RFC2350Document is a team's description, section by section.
type RFC2350Document struct {
	ID        string           `json:"id" format:"uuid" doc:"The team's id" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Handle    string           `json:"handle" doc:"The team's handle" example:"example-csirt"`
	Title     string           `json:"title" doc:"Title of the document" example:"Description of EXAMPLE-CSIRT according to RFC 2350"`
	Label     string           `json:"label" enum:"clear,green,amber,amber+strict,red" doc:"The strictest TLP 2.0 label of what the document shows"`
	Revision  int64            `json:"revision" doc:"The team's revision" example:"7"`
	Updated   time.Time        `json:"updated" format:"date-time" doc:"When the team was last written"`
	Language  string           `json:"language" doc:"The language that was asked for" example:"de"`
	Languages []string         `json:"languages" doc:"The languages that the team's prose is in" example:"[\"de\",\"en\"]"`
	Sections  []RFC2350Section `json:"sections" doc:"All sections of RFC 2350 appendix D, in order"`
	Withheld  []string         `json:"withheld,omitzero" doc:"Fields of which the viewer does not see everything" example:"[\"contacts\"]"`
}

// RFC2350Section is one section of a description.
type RFC2350Section struct {
	Number   string `json:"number" doc:"Number in RFC 2350 appendix D" example:"3.1"`
	Title    string `json:"title" doc:"Heading of the template" example:"Mission Statement"`
	Text     string `json:"text,omitzero" doc:"Markdown where it is the team's prose, else plain text; absent where nothing is known" example:"We guard the network of Example University."`
	Language string `json:"language,omitzero" doc:"Language of the text, which may be another than was asked for" example:"en"`
	Source   string `json:"source" enum:"prose,record,none" doc:"Whether the team wrote the text or it was made from the record" example:"prose"`
}

// DescribeRFC2350 returns the description of t in the form of RFC 2350
// appendix D: every section in order, with the team's prose, and from the
// record where there is no prose. It shows all that t holds: redact t before.
// Its label is the strictest of what is shown.
func DescribeRFC2350(t *directory.Team, o RFC2350Options) RFC2350Document {
	if o.Language == "" {
		o.Language = "en"
	}
	r := rendering{team: t, options: o}
	d := RFC2350Document{
		ID: string(t.ID), Handle: string(t.Handle), Title: "Description of " + oneLine(t.Name()) + " according to RFC 2350",
		Label: string(r.label()), Revision: t.Revision, Updated: utc(t.Updated), Language: string(o.Language), Withheld: t.Withheld,
		Languages: []string{},
	}
	for _, s := range t.Prose {
		if !slices.Contains(d.Languages, string(s.Language)) {
			d.Languages = append(d.Languages, string(s.Language))
		}
	}
	slices.Sort(d.Languages)
	for _, s := range directory.Sections() {
		d.Sections = append(d.Sections, r.section(s))
	}
	return d
}

// WriteRFC2350 writes the description of t, which is that of
// [DescribeRFC2350], in the form that o asks for. A section about which
// nothing is known says "None available.".
func WriteRFC2350(w io.Writer, t *directory.Team, o RFC2350Options) error {
	d := DescribeRFC2350(t, o)
	out := bufio.NewWriter(w)
	switch o.Form {
	case RFC2350HTML:
		d.writeHTML(out)
	case RFC2350Markdown:
		d.writeMarkdown(out)
	default:
		d.writeText(out)
	}
	return out.Flush()
}

func (d *RFC2350Document) writeText(out *bufio.Writer) {
	fmt.Fprintf(out, "%s\n%s\n", d.Title, strings.Repeat("=", len([]rune(d.Title))))
	for _, s := range d.Sections {
		fmt.Fprintf(out, "\n%s %s\n", s.heading(), s.Title)
		if text := d.body(s); text != "" {
			fmt.Fprintf(out, "\n%s\n", text)
		}
	}
}

func (d *RFC2350Document) writeMarkdown(out *bufio.Writer) {
	fmt.Fprintf(out, "# %s\n", factMarkdown(d.Title))
	for _, s := range d.Sections {
		fmt.Fprintf(out, "\n%s %s %s\n", strings.Repeat("#", s.depth()+1), s.heading(), s.Title)
		text := d.body(s)
		if s.Source != "prose" {
			text = factMarkdown(text)
		}
		if text != "" {
			fmt.Fprintf(out, "\n%s\n", proseMarkdown(text))
		}
	}
}

// body is the text of a section, with the label of the document in its first.
func (d *RFC2350Document) body(s RFC2350Section) string {
	switch {
	case s.Number == "1":
		return strings.TrimRight("TLP:"+strings.ToUpper(d.Label)+"\n\n"+s.Text, "\n")
	case s.Text == "" && !s.parent():
		return "None available."
	}
	return s.Text
}

func (s RFC2350Section) heading() string {
	if !strings.Contains(s.Number, ".") {
		return s.Number + "."
	}
	return s.Number
}

// depth is 1 for a section, 2 for a part of it, 3 for a part of that.
func (s RFC2350Section) depth() int { return strings.Count(s.Number, ".") + 1 }

// parent reports whether the template has parts of the section.
func (s RFC2350Section) parent() bool {
	return slices.ContainsFunc(directory.Sections(), func(o directory.SectionInfo) bool { return strings.HasPrefix(o.Number, s.Number+".") })
}

// rendering is one description being made.
type rendering struct {
	team    *directory.Team
	options RFC2350Options
}

// section returns a section: prose, else what the record says.
func (r rendering) section(info directory.SectionInfo) RFC2350Section {
	s := RFC2350Section{Number: info.Number, Title: info.Title, Source: "none"}
	if prose := r.prose(info.Number); prose != nil {
		s.Text, s.Language, s.Source = strings.Trim(written(prose.Text), "\n"), string(prose.Language), "prose"
	}
	if info.Number == "2.8" {
		s.Text = r.keys(s.Text)
	} else if s.Text == "" {
		s.Text = written(r.facts(info.Number))
	}
	switch {
	case s.Text == "":
		s.Language, s.Source = "", "none"
	case s.Source == "none":
		s.Language, s.Source = "en", "record"
	}
	return s
}

// prose returns the text of a section in the language nearest to the wanted
// one; nil for none.
func (r rendering) prose(number string) *directory.Section {
	var found *directory.Section
	best := -1
	for i := range r.team.Prose {
		s := &r.team.Prose[i]
		if rank := languageRank(r.options.Language, s.Language); s.Number == number && s.Text != "" && rank > best {
			best, found = rank, s
		}
	}
	return found
}

// languageRank says how well a language stands in for the wanted one, after
// the look-up of RFC 4647 section 3.4.
func languageRank(want, have directory.Language) int {
	primary := func(l directory.Language) string {
		tag, _, _ := strings.Cut(strings.ToLower(string(l)), "-")
		return tag
	}
	switch {
	case strings.EqualFold(string(want), string(have)):
		return 4
	case primary(want) == strings.ToLower(string(have)):
		return 3
	case primary(want) == primary(have):
		return 2
	case primary(have) == "en":
		return 1
	}
	return 0
}

// label returns the strictest label among what is shown.
func (r rendering) label() directory.TLP {
	labels := reachLabels(r.team)
	for _, s := range r.team.Prose {
		labels = append(labels, s.Visibility)
	}
	for _, x := range r.team.Resources {
		labels = append(labels, x.Visibility)
	}
	return strictest(labels)
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

// labelled writes a value of one line.
func labelled(label, value string) string {
	if value = oneLine(value); value == "" {
		return ""
	}
	return label + ": " + value
}

// list writes items one a line, as both Markdown and plain text have it.
func list(items []string) string {
	if len(items) == 0 {
		return ""
	}
	lines := make([]string, len(items))
	for i := range items {
		lines[i] = "* " + oneLine(items[i])
	}
	return strings.Join(lines, "\n")
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
		if k.Continuity != "" {
			parts = append(parts, "The key "+k.Fingerprint.Spaced()+" is "+k.Continuity+": nothing shows yet that it is the team's.")
		}
		if keyPackets(k.Key) != nil {
			parts = append(parts, strings.TrimSpace(written(k.Armor)))
		}
	}
	return paragraphs(parts...)
}
