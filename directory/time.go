package directory

import (
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Date is a calendar day in the form 2006-01-02; "" is unknown.
type Date string

// ParseDate parses an ISO 8601 calendar day between 1900 and 2199.
func ParseDate(s string) (Date, error) {
	text := strings.TrimSpace(s)
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "", problem("date.syntax", s, "not a day of the calendar", "a date such as 2026-11-21")
	}
	if t.Year() < 1900 || t.Year() > 2199 {
		return "", problem("date.range", s, "a year before 1900 or after 2199", "a date such as 2026-11-21")
	}
	return Date(text), nil
}

// Time returns the first moment of d in UTC; the zero time for "".
func (d Date) Time() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d))
	return t
}

// Zone is an IANA time zone name, such as Europe/Vienna.
type Zone string

// ParseZone parses the name of an IANA zone. Offsets and abbreviations are
// refused, since they do not say when clocks change.
func ParseZone(s string) (Zone, error) {
	text := strings.TrimSpace(s)
	const want = "an IANA name such as Europe/Vienna"
	if text == "" || text == "Local" || strings.ContainsAny(text, `\ `) {
		return "", problem("zone.unknown", s, "not an IANA time zone", want)
	}
	if !strings.Contains(text, "/") && text != "UTC" {
		return "", problem("zone.unknown", s, "an offset or abbreviation, which does not say when clocks change", want)
	}
	l, err := time.LoadLocation(text)
	if err != nil {
		return "", problem("zone.unknown", s, "not an IANA time zone", want)
	}
	return Zone(l.String()), nil
}

// Language is a BCP 47 tag in canonical form, such as de or zh-Hant.
type Language string

// ParseLanguage parses a BCP 47 tag (RFC 5646) and puts it in canonical form.
func ParseLanguage(s string) (Language, error) {
	t, err := language.Parse(strings.TrimSpace(s))
	if err != nil || t == language.Und {
		return "", problem("language.unknown", s, "not a BCP 47 language tag (RFC 5646)", "a tag such as en, de-AT or zh-Hant")
	}
	return Language(t.String()), nil
}
