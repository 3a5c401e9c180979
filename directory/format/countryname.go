package format

import (
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-csirt/rollcall/directory"
)

// countryNames knows names of countries, folded, and the codes of three
// letters of ISO 3166-1. It is made once for a file, and its names when the
// first is asked for, as many files have nothing but codes.
type countryNames struct{ byName map[string]directory.Country }

// countryAliases are names in lists beside those that Unicode's CLDR has in
// English and those of [otherCountryNames]. "Korea" and "Congo" alone are not
// here: each names two.
var countryAliases = map[string]directory.Country{
	"america": "US", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "holland": "NL", "slovak republic": "SK",
	"democratic people's republic of korea": "KP", "dprk": "KP", "rok": "KR", "prc": "CN", "people's republic of china": "CN",
	"hong kong sar": "HK", "macao": "MO", "macao sar": "MO", "chinese taipei": "TW", "province of china taiwan": "TW",
	"uae": "AE", "ksa": "SA", "iran islamic republic of": "IR", "islamic republic of iran": "IR", "republic of moldova": "MD",
	"bolivarian republic of venezuela": "VE", "plurinational state of bolivia": "BO", "united republic of tanzania": "TZ",
	"syrian arab republic": "SY", "lao people's democratic republic": "LA", "lao pdr": "LA", "brunei darussalam": "BN",
	"ivory coast": "CI", "cape verde": "CV", "cabo verde": "CV", "swaziland": "SZ", "eswatini": "SZ", "burma": "MM", "myanmar": "MM",
	"east timor": "TL", "timor-leste": "TL", "vatican": "VA", "holy see": "VA", "palestine": "PS", "state of palestine": "PS",
	"dr congo": "CD", "drc": "CD", "democratic republic of congo": "CD", "democratic republic of the congo": "CD",
	"republic of the congo": "CG", "republic of congo": "CG", "macedonia": "MK", "republic of ireland": "IE", "republic of singapore": "SG",
	"kingdom of saudi arabia": "SA", "federated states of micronesia": "FM", "gambia": "GM", "bahamas": "BS", "republic of kosovo": "XK",
}

// allCountryNames is made once: a list may have a name in every row.
var allCountryNames = sync.OnceValue(func() map[string]directory.Country {
	n := map[string]directory.Country{"european union": "EU"}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string(a) + string(b)
			c, err := directory.ParseCountry(code)
			if err != nil || string(c) != code || c == "EU" {
				continue
			}
			n[foldCountry(c.Name())] = c
			if r, err := language.ParseRegion(code); err == nil && len(r.ISO3()) == 3 {
				n[strings.ToLower(r.ISO3())] = c
			}
		}
	}
	for _, names := range []map[string]directory.Country{otherCountryNames, countryAliases} {
		for name, c := range names {
			n[foldCountry(name)] = c
		}
	}
	return n
})

// parse reads a code of two or three letters or a name, also one that is
// turned around for sorting: "Korea, South".
func (n *countryNames) parse(s string) (directory.Country, error) {
	if c, err := directory.ParseCountry(s); err == nil {
		return c, nil
	}
	if n.byName == nil {
		n.byName = allCountryNames()
	}
	name := foldCountry(s)
	if first, last, turned := strings.Cut(name, ","); turned && n.byName[name] == "" {
		name = strings.TrimSpace(last) + " " + strings.TrimSpace(first)
	}
	if c := n.byName[name]; c != "" {
		return c, nil
	}
	return "", fault("country.unknown", s, "not a code or an English name of a country", "a code such as AT, or a name such as Austria")
}

// foldCountry takes out of a name what spellings differ in.
func foldCountry(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '.':
			return -1
		case r == '’':
			return '\''
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
	s = strings.ReplaceAll(s, "&", " and ")
	s = strings.TrimPrefix(strings.Join(strings.Fields(s), " "), "the ")
	if rest, ok := strings.CutPrefix(s, "saint "); ok {
		return "st " + rest
	}
	return s
}
