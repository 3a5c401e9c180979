package securitytxt

import (
	"net/mail"
	"time"
)

// expires judges an Expires. RFC 9116 section 2.5.5 has the format of RFC 3339,
// where early drafts had that of RFC 5322.
func (p *parser) expires(f *Field) {
	if _, ok := parseTime(f.Value); ok {
		return
	}
	if at, err := mail.ParseDate(f.Value); err == nil {
		p.tellRight("expires-old-format", f.Value, at.UTC().Format(time.RFC3339))
		return
	}
	right := ""
	if at, ok := guessTime(f.Value); ok {
		right = at.UTC().Format(time.RFC3339)
	}
	p.tellRight("expires-invalid", f.Value, right)
}

// parseTime reads a date-time of RFC 3339 section 5.6: with seconds and an
// offset, T and Z in either case, and a space in place of T (the note there).
// A leap second is the second after it; -00:00 is UTC (section 4.3).
func parseTime(s string) (time.Time, bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' || s[10]|0x20 != 't' && s[10] != ' ' {
		return time.Time{}, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	second, ok6 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	nanos, rest, ok := fraction(s[19:])
	offset, zoned := offsetOf(rest)
	if !ok || !zoned || day < 1 || day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC).Add(-offset)
	// RFC 3339 section 5.7: only the last minute of a month, in UTC, has a 61st second.
	if second == 60 && (at.Day() != 1 || at.Hour() != 0 || at.Minute() != 0) {
		return time.Time{}, false
	}
	return at, true
}

// digits reads a number of digits only.
func digits(s string) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// fraction reads a fraction of a second, as far as it is kept.
func fraction(s string) (nanos int, rest string, ok bool) {
	if s[0] != '.' {
		return 0, s, true
	}
	i, unit := 1, 100_000_000
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		nanos += int(s[i]-'0') * unit
		unit /= 10
	}
	return nanos, s[i:], i > 1
}

// offsetOf reads Z or an offset from UTC.
func offsetOf(s string) (time.Duration, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	h, ok1 := digits(s[1:3])
	m, ok2 := digits(s[4:6])
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, ok1 && ok2 && h < 24 && m < 60
}

// guessTime reads what people write instead of a time.
func guessTime(s string) (time.Time, bool) {
	for _, layout := range []string{
		time.DateOnly, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04",
		"2006-01-02T15:04:05-0700", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", "20060102T150405Z", "20060102",
		"2006/01/02", "02.01.2006", "2 January 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006",
	} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
