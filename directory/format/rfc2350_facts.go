package format

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// address takes section 2.2 as it stands, and the country from its last line
// that names one.
func (x *extractor) address() {
	text := x.doc.text["2.2"]
	if none(text) {
		return
	}
	var lines []string
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimRight(plainLine(strings.TrimSuffix(l, `\`)), " "); l != "" {
			lines = append(lines, l)
		}
	}
	x.profile.Address = strings.Join(lines, "\n")
	for _, l := range slices.Backward(lines) {
		if c := countryNamed(l); c != "" {
			x.profile.Country = c
			return
		}
	}
	x.note("2.2", wireProblem("rfc2350.country", "", lines[len(lines)-1], "no line of the address names a country",
		"the country in English on a line of its own"))
}

// countryNamed returns the country of which s is the name, and nothing else:
// an address line that merely has two letters is no country code.
func countryNamed(s string) directory.Country {
	name := strings.ToLower(strings.Trim(s, " .,()"))
	if i := strings.LastIndex(name, ", "); i >= 0 {
		name = name[i+2:]
	}
	name = strings.TrimPrefix(name, "the ")
	if c, ok := otherCountryNames[name]; ok {
		return c
	}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			c, err := directory.ParseCountry(string(a) + string(b))
			if err == nil && string(c) == string(a)+string(b) && strings.ToLower(c.Name()) == name {
				return c
			}
		}
	}
	return ""
}

// otherCountryNames are names that letters carry beside the English ones.
var otherCountryNames = map[string]directory.Country{
	"usa": "US", "u.s.a": "US", "united states of america": "US", "uk": "GB", "great britain": "GB", "england": "GB",
	"czech republic": "CZ", "turkey": "TR", "türkiye": "TR", "russian federation": "RU", "republic of korea": "KR", "viet nam": "VN",
	"österreich": "AT", "deutschland": "DE", "schweiz": "CH", "suisse": "CH", "france": "FR", "españa": "ES", "italia": "IT",
	"nederland": "NL", "polska": "PL", "belgique": "BE", "belgië": "BE", "danmark": "DK", "sverige": "SE", "norge": "NO", "suomi": "FI",
	"brasil": "BR", "méxico": "MX", "north macedonia": "MK", "hong kong": "HK", "macau": "MO",
}

var zoneForm = regexp.MustCompile(`\b(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_]+(?:/[A-Za-z_]+)?`)

// zone takes an IANA name, if there is exactly one. "CET" or "GMT+1" name no
// zone: they do not say when clocks change.
func (x *extractor) zone() {
	text := x.doc.text["2.3"]
	if none(text) {
		return
	}
	var found []directory.Zone
	for _, s := range zoneForm.FindAllString(text, -1) {
		if z, err := directory.ParseZone(s); err == nil && !slices.Contains(found, z) {
			found = append(found, z)
		}
	}
	if len(found) == 1 {
		x.profile.Zone = found[0]
		return
	}
	reason := "the text names no IANA zone, and an abbreviation or offset stands for several"
	if len(found) > 1 {
		reason = "the text names more than one zone"
	}
	x.note("2.3", wireProblem("rfc2350.zone", "", text, reason+"; it is kept as prose", "one IANA name such as Europe/Vienna"))
}

var phoneForm = regexp.MustCompile(`(?:\+|\(\+?|\b)\d[\d ()./–-]{5,24}\d`)

// phones takes the numbers of section 2.4. Those without a country code are
// numbers of the address's country, if that is known.
func (x *extractor) phones() {
	text := x.doc.text["2.4"]
	if none(text) {
		return
	}
	found := 0
	for l := range strings.SplitSeq(text, "\n") {
		for _, s := range phoneForm.FindAllString(l, -1) {
			found++
			number, err := directory.ParsePhone(strings.NewReplacer("(0)", "", "–", "-").Replace(s), x.profile.Country)
			if err != nil {
				x.note("2.4", wireProblem("rfc2350.phone", "", s, "a telephone number that can't be read: "+reasonOf(err), "an E.164 number such as +43 1 5056416"))
				continue
			}
			c := directory.Contact{Channel: "phone", Value: string(number)}
			if strings.Contains(strings.ToLower(l), "emergency") {
				c.Uses = []directory.Word{"emergency"}
			}
			x.contact(c)
		}
	}
	if found == 0 {
		x.note("2.4", wireProblem("rfc2350.phone", "", text, "no telephone number was found; the text is kept", "an E.164 number such as +43 1 5056416"))
	}
}

func reasonOf(err error) string {
	if p := directory.ProblemsOf(err); len(p) > 0 {
		return p[0].Reason
	}
	return err.Error()
}

// contact adds a contact, once.
func (x *extractor) contact(c directory.Contact) {
	list := &x.profile.Contacts
	if !slices.ContainsFunc(*list, func(have directory.Contact) bool { return have.Key() == c.Key() }) {
		*list = append(*list, c)
	}
}

var (
	atForm      = regexp.MustCompile(`(?i)\s*[\[({<]\s*(?:at|@)\s*[\])}>]\s*`)
	dotForm     = regexp.MustCompile(`(?i)\s*[\[({<]\s*(?:dot|punkt|\.)\s*[\])}>]\s*`)
	spokenForm  = regexp.MustCompile(`([A-Za-z0-9._+-]+)\s+(?:AT|at|@)\s+([A-Za-z0-9-]+(?:\s+(?:DOT|dot)\s+[A-Za-z0-9-]+)+)`)
	spokenDot   = regexp.MustCompile(`\s+(?:DOT|dot)\s+`)
	addressForm = regexp.MustCompile(`[A-Za-z0-9._+&'=-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)
)

// deobfuscate writes addresses as addresses again: name(at)domain, name [at]
// domain (dot) org, name AT domain DOT org, and HTML entities. A bare "at"
// counts only before a spoken "dot": "look at example.org" is a sentence.
func deobfuscate(s string) string {
	s = html.UnescapeString(s)
	s = atForm.ReplaceAllString(s, "@")
	s = dotForm.ReplaceAllString(s, ".")
	return spokenForm.ReplaceAllStringFunc(s, func(m string) string {
		parts := spokenForm.FindStringSubmatch(m)
		return parts[1] + "@" + spokenDot.ReplaceAllString(parts[2], ".")
	})
}

// mail takes the addresses of section 2.7, for general use, and those of
// section 2.11 after them.
func (x *extractor) mail() {
	found := 0
	for _, section := range []string{"2.7", "2.11"} {
		for l := range strings.SplitSeq(deobfuscate(x.doc.text[section]), "\n") {
			for _, s := range addressForm.FindAllString(l, -1) {
				found++
				e, err := directory.ParseEmail(strings.Trim(s, ".'_-"))
				if err != nil {
					x.note(section, wireProblem("rfc2350.email", "", s, "a mail address that can't be used: "+reasonOf(err), "one bare address such as csirt@example.org"))
					continue
				}
				c := directory.Contact{Channel: "email", Value: string(e)}
				if section == "2.11" {
					c.Order, c.Uses = 10, usesIn(l)
				}
				x.contact(c)
			}
		}
	}
	if text := x.doc.text["2.7"]; found == 0 && !none(text) {
		x.note("2.7", wireProblem("rfc2350.email", "", text, "no mail address was found; the text is kept", "one bare address such as csirt@example.org"))
	}
}

// usesIn reads the uses that a line about a contact names; nil is general.
func usesIn(l string) []directory.Word {
	l = strings.ToLower(l)
	var uses []directory.Word
	for _, w := range []struct{ in, use string }{{"abuse", "abuse"}, {"vulnerabilit", "vulnerability"}, {"emergenc", "emergency"}} {
		if strings.Contains(l, w.in) {
			uses = append(uses, w.use)
		}
	}
	return uses
}

var (
	urlForm  = regexp.MustCompile("https?://[^\\s<>\"'`\\])|]+")
	chatForm = regexp.MustCompile("\\b(?:matrix|xmpp|sips?|ircs?):[^\\s<>\"'`\\])|]+")
	siteForm = regexp.MustCompile(`(?i)^(?:(?:our |team )?web ?(?:site|page)?|home ?page|www)\b[^:]{0,20}:`)
)

// links takes chat addresses from section 2.6, reporting forms from section
// 6, the place for vulnerability reports from section 2.11, and a website
// that is called one. Other links stay prose: what they are for is a guess.
func (x *extractor) links() {
	for _, s := range chatForm.FindAllString(x.doc.text["2.6"], -1) {
		if v, err := directory.ParseChat(strings.TrimRight(s, ".,;")); err == nil {
			x.contact(directory.Contact{Channel: "chat", Value: v})
		}
	}
	for _, u := range urlsIn(x.doc.text["6"]) {
		x.contact(directory.Contact{Channel: "url", Value: u, Label: "incident reporting form"})
	}
	before := ""
	for p := range strings.SplitSeq(x.doc.text["2.11"], "\n\n") {
		about := p
		if strings.HasPrefix(strings.TrimSpace(p), "http") {
			about = before + p
		}
		if uses := usesIn(about); slices.Contains(uses, "vulnerability") {
			for _, u := range urlsIn(p) {
				x.contact(directory.Contact{Channel: "url", Value: u, Uses: []directory.Word{"vulnerability"}})
			}
		}
		before = p
	}
	for _, section := range []string{"2.1", "2.6", "2.10", "2.11"} {
		for l := range strings.SplitSeq(x.doc.text[section], "\n") {
			if urls := urlsIn(l); len(urls) > 0 && x.profile.Website == "" && siteForm.MatchString(plainLine(l)) {
				x.profile.Website = urls[0]
			}
		}
	}
}

func urlsIn(text string) []string {
	var out []string
	for _, s := range urlForm.FindAllString(text, -1) {
		if u, err := directory.ParseURL(strings.TrimRight(s, ".,;:!?*_")); err == nil {
			out = append(out, u)
		}
	}
	return out
}

var (
	armorForm       = regexp.MustCompile("(?s)(?:(?:```|~~~)[a-z]*\n)?(-----BEGIN PGP [A-Z ]+-----.*?-----END PGP [A-Z ]+-----)(?:\n(?:```|~~~))?")
	emptyLinesForm  = regexp.MustCompile(`\n{3,}`)
	fingerprintForm = regexp.MustCompile(`(?i)(?:0x)?\b[0-9a-f]{4}(?:[ :]{0,2}[0-9a-f]{4}){9}(?:(?:[ :]{0,2}[0-9a-f]{4}){6})?\b`)
	dayForm         = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}\b`)
)

// keys takes the keys of section 2.8 out of the prose, where they would live
// on when the key is replaced, and compares what the text says with them.
func (x *extractor) keys() {
	text := armorForm.ReplaceAllStringFunc(x.doc.text["2.8"], func(block string) string {
		key, notes, err := directory.ParseKey([]byte(armorForm.FindStringSubmatch(block)[1]))
		if err != nil {
			p := wireProblem("rfc2350.key", "", "", "the key can't be used: "+reasonOf(err), "one public key in ASCII armour")
			x.note("2.8", p)
			return ""
		}
		for _, n := range notes {
			x.note("2.8", n)
		}
		x.addKey(key)
		return ""
	})
	x.doc.text["2.8"] = strings.Trim(emptyLinesForm.ReplaceAllString(text, "\n\n"), "\n")
	x.compareFingerprints(text)
	x.compareExpiry(text)
}

func (x *extractor) addKey(k directory.Key) {
	if !slices.ContainsFunc(x.profile.Keys, func(have directory.TeamKey) bool { return have.Fingerprint == k.Fingerprint }) {
		x.profile.Keys = append(x.profile.Keys, directory.TeamKey{Key: k})
	}
}

// compareFingerprints reports a fingerprint that is not of the key beside it.
// Where the document has no key at all, the fingerprint is all there is to keep.
func (x *extractor) compareFingerprints(text string) {
	keys := slices.Clone(x.profile.Keys)
	for _, s := range fingerprintForm.FindAllString(text, -1) {
		fpr, err := directory.ParseFingerprint(s)
		if err != nil {
			continue
		}
		switch {
		case slices.ContainsFunc(keys, func(k directory.TeamKey) bool { return k.Fingerprint == fpr }):
		case len(keys) > 0:
			x.note("2.8", wireProblem("rfc2350.key-mismatch", "", s, "the fingerprint belongs to none of the keys beside it", string(keys[0].Fingerprint)))
		default:
			x.addKey(directory.Key{Fingerprint: fpr, Version: map[int]int{40: 4, 64: 6}[len(fpr)]})
		}
	}
}

// compareExpiry reports a day of expiry that the only key does not have.
func (x *extractor) compareExpiry(text string) {
	if len(x.profile.Keys) != 1 || x.profile.Keys[0].Armor == "" {
		return
	}
	want := "never"
	if e := x.profile.Keys[0].Expires; !e.IsZero() {
		want = e.UTC().Format("2006-01-02")
	}
	for l := range strings.SplitSeq(text, "\n") {
		if !strings.Contains(strings.ToLower(l), "expir") {
			continue
		}
		for _, day := range dayForm.FindAllString(l, -1) {
			if day != want {
				x.note("2.8", wireProblem("rfc2350.key-expiry", "", day, fmt.Sprintf("the text says that the key expires on %s, the key says %s", day, want), want))
			}
		}
	}
}
