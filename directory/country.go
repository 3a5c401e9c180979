package directory

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Country is an ISO 3166-1 alpha-2 code in upper case, or one of two codes
// that directories use beside it: EU (the Union's institutions) and XK
// (Kosovo, user-assigned). The zero value is no country.
type Country string

// iso3166 holds the 249 officially assigned alpha-2 codes, two letters each.
const iso3166 = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ " +
	"BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR " +
	"CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU " +
	"ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ " +
	"LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ " +
	"MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF " +
	"PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI " +
	"SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR " +
	"TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"

// ParseCountry parses an alpha-2 code in any case. The aliases that real
// directories carry are mapped: UK to GB (the registries' and CERT.at's
// spelling), EL to GR (the Union's spelling).
func ParseCountry(s string) (Country, error) {
	c := strings.ToUpper(strings.TrimSpace(s))
	switch c {
	case "UK":
		return "GB", nil
	case "EL":
		return "GR", nil
	case "EU", "XK":
		return Country(c), nil
	}
	if len(c) != 2 || strings.Contains(c, " ") || !strings.Contains(iso3166, c) {
		return "", problem("country.unknown", s, "not an ISO 3166-1 alpha-2 country code", "two letters such as AT; UK, EL, EU and XK are understood too")
	}
	return Country(c), nil
}

// countryOfTLD returns the country of a country-code top-level domain.
func countryOfTLD(tld string) (Country, bool) {
	if len(tld) != 2 {
		return "", false
	}
	c, err := ParseCountry(tld)
	return c, err == nil
}

// Name returns the country's English name. It is in most answers to a lookup,
// so that the names are looked up once.
func (c Country) Name() string {
	if name, ok := countryNames()[c]; ok {
		return name
	}
	return string(c)
}

var countryNames = sync.OnceValue(func() map[Country]string {
	names := map[Country]string{"EU": "European Union"}
	for _, code := range strings.Fields(iso3166 + " XK") {
		if r, err := language.ParseRegion(code); err == nil {
			names[Country(code)] = display.English.Regions().Name(r)
		}
	}
	return names
})
