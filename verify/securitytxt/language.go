package securitytxt

import (
	"bytes"
	"strings"

	"golang.org/x/text/language"
)

// languages judges a Preferred-Languages. RFC 9116 section 2.5.8: one or more
// language tags of RFC 5646, separated by commas.
func (p *parser) languages(f *Field) {
	if right, ok := separated(f.Value); !ok {
		p.tellRight("languages-separator", f.Value, right)
		return
	}
	empty := false
	for tag := range strings.SplitSeq(f.Value, ",") {
		if tag = trim(tag); tag == "" {
			empty = true
			continue
		}
		p.language(tag)
	}
	if empty {
		p.tellRight("languages-empty", f.Value, joinTags(strings.Split(f.Value, ",")))
	}
}

// separated reports whether a list has no other separators than commas, and
// what would be right.
func separated(s string) (right string, ok bool) {
	// "en;q=0.8" is of HTTP: the weight has to go, not the separator.
	if onlyCommas(s) || strings.Contains(s, ";q=") {
		return "", true
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,;/|\t", r) })
	for _, tag := range parts {
		if !wellFormed(tag) {
			return "", true // not separators that are wrong
		}
	}
	right = joinTags(parts)
	return right, right == joinTags(strings.Split(s, ","))
}

// onlyCommas reports whether nothing but white space stands beside the commas.
func onlyCommas(s string) bool {
	inTag, space := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			space = inTag
		case c == ',':
			inTag, space = false, false
		case space || c == ';' || c == '/' || c == '|':
			return false
		default:
			inTag = true
		}
	}
	return true
}

func joinTags(parts []string) string {
	var out []string
	for _, s := range parts {
		if s = trim(s); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func (p *parser) language(tag string) {
	if len(tag) == 2 && alphanumeric(tag) { // nearly all there are
		if _, err := language.ParseBase(tag); err == nil {
			return
		}
	}
	right := rightTag(tag)
	switch meant := countryNotLanguage(strings.ToLower(before(tag, '-'))); {
	case !wellFormed(tag):
		p.tellRight("language-invalid", tag, right)
	case meant != "" && right == "":
		p.tellRight("language-mistake", tag, meant)
	case right != tag:
		p.tellRight("language-unknown", tag, right)
	}
}

// rightTag returns a tag as the registry has it, "" when it has none like it.
func rightTag(tag string) string {
	if name, ok := languageNamed(strings.ToLower(tag)); ok {
		return name
	}
	near := strings.ReplaceAll(before(tag, ';'), "_", "-")
	if !wellFormed(near) {
		return ""
	}
	t, err := language.Raw.Parse(near)
	if err != nil {
		return ""
	}
	// RFC 5646 section 2.2.1: a language that has a code of two letters has no other.
	if base, _, _ := t.Raw(); len(before(near, '-')) == 3 && len(base.String()) == 2 {
		return t.String()
	}
	return near
}

// countryNotLanguage returns the language that people mean by the code of its
// country, where that code is no language.
func countryNotLanguage(code string) string {
	return map[string]string{
		"at": "de", "by": "be", "cn": "zh", "cz": "cs", "dk": "da", "gb": "en", "gr": "el", "il": "he", "ir": "fa", "jp": "ja", "kr": "ko",
		"pk": "ur", "rs": "sr", "ua": "uk", "us": "en", "vn": "vi",
	}[code]
}

// languageNamed returns the tag of a language that is spelt out.
func languageNamed(name string) (string, bool) {
	tag, ok := map[string]string{
		"english": "en", "german": "de", "deutsch": "de", "french": "fr", "francais": "fr", "français": "fr", "spanish": "es", "español": "es",
		"italian": "it", "italiano": "it", "dutch": "nl", "nederlands": "nl", "portuguese": "pt", "russian": "ru", "japanese": "ja",
		"chinese": "zh", "czech": "cs", "polish": "pl",
	}[name]
	return tag, ok
}

// wellFormed judges the syntax of a tag (RFC 5646 section 2.1), whether its
// parts are registered or not.
func wellFormed(tag string) bool {
	parts := strings.Split(tag, "-")
	for _, s := range parts {
		if s == "" || len(s) > 8 || !alphanumeric(s) {
			return false
		}
	}
	first := parts[0]
	switch {
	case len(first) == 1:
		// x-private, or a grandfathered i-…
		return len(parts) > 1 && (first[0]|0x20 == 'x' || first[0]|0x20 == 'i' && len(parts) == 2 && len(parts[1]) > 2)
	case !alphabetic(first):
		return false
	case len(first) < 4: // extended language subtags
		parts = skip(parts[1:], 3, func(s string) bool { return len(s) == 3 && alphabetic(s) })
	default:
		parts = parts[1:]
	}
	parts = skip(parts, 1, func(s string) bool { return len(s) == 4 && alphabetic(s) }) // script
	parts = skip(parts, 1, func(s string) bool {
		return len(s) == 2 && alphabetic(s) || len(s) == 3 && strings.Trim(s, "0123456789") == ""
	}) // region
	parts = skip(parts, len(parts), func(s string) bool { return len(s) >= 5 || len(s) == 4 && s[0] <= '9' }) // variants
	return extensions(parts)
}

// extensions judges what follows: a singleton and its subtags, again and again;
// behind x anything goes.
func extensions(parts []string) bool {
	for len(parts) > 0 {
		if len(parts[0]) != 1 || len(parts) < 2 {
			return false
		}
		if parts[0][0]|0x20 == 'x' {
			return true
		}
		n := len(parts) - 1
		parts = skip(parts[1:], n, func(s string) bool { return len(s) >= 2 })
		if len(parts) == n {
			return false
		}
	}
	return true
}

// skip leaves out at most n parts at the front that are of a kind.
func skip(parts []string, n int, kind func(string) bool) []string {
	for ; n > 0 && len(parts) > 0 && kind(parts[0]); n-- {
		parts = parts[1:]
	}
	return parts
}

// alphanumeric reports whether s is of ASCII letters, digits and others.
func alphanumeric(s string, others ...byte) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && bytes.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

func alphabetic(s string) bool { return alphanumeric(s) && !strings.ContainsAny(s, "0123456789") }
