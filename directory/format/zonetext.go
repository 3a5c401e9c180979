package format

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// readZone reads a time zone as lists write it: "Europe/Istanbul" beside
// "UTC-0500", "GMT+2" and "BST". An offset alone does not say when clocks
// change. Where the source adds that they do not, it is a zone: that of
// Etc/GMT, whose sign is the other way round.
func readZone(s, dst string) (directory.Zone, error) {
	z, err := directory.ParseZone(s)
	if err == nil {
		return z, nil
	}
	zone, ok := offsetZone(s)
	if !ok {
		return "", err
	}
	if same, also := offsetZone(dst); neverForm.MatchString(dst) || also && same == zone {
		return directory.ParseZone(zone)
	}
	p := fault("zone.unknown", s, "an offset, which does not say when clocks change", "an IANA name such as Europe/Vienna, or "+zone+" if they never do")
	return "", p
}

var (
	offsetForm = regexp.MustCompile(`(?i)^\s*(?:UTC|GMT)\s*([+-])\s*([0-9]{1,2})(?::?([0-9]{2}))?\s*$`)
	neverForm  = regexp.MustCompile(`(?i)^\s*(?:no|none|not? (?:dst|observed)\b.*|no\b.*)\s*$`)
)

// offsetZone returns the zone of a whole number of hours.
func offsetZone(s string) (string, bool) {
	m := offsetForm.FindStringSubmatch(s)
	if m == nil || strings.Trim(m[3], "0") != "" {
		return "", false
	}
	hours, err := strconv.Atoi(m[2])
	switch {
	case err != nil || m[1] == "+" && hours > 14 || m[1] == "-" && hours > 12:
		return "", false
	case hours == 0:
		return "UTC", true
	case m[1] == "+":
		return fmt.Sprint("Etc/GMT-", hours), true
	}
	return fmt.Sprint("Etc/GMT+", hours), true
}

// readHours reads hours as people write them: "8 a.m. to 5 p.m., Monday to
// Friday" beside "24*7, 365". Hours without days, and what has two readings
// ("9-5"), are refused.
func readHours(s string) (directory.Hours, error) {
	h, err := directory.ParseHours(s)
	if err == nil {
		return h, nil
	}
	text := hoursMarks.Replace(strings.ToLower(strings.TrimSpace(s)))
	if alwaysForm.MatchString(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,.;()", r) {
			return -1
		}
		return r
	}, text)) {
		return directory.Hours{Always: true}, nil
	}
	var rules []string
	for rule := range pieces(breaksForm.Split(text, -1)) {
		days, from, to, ok := hoursRule(rule)
		if !ok {
			return h, err
		}
		rules = append(rules, days+" "+from+"-"+to)
	}
	if read, again := directory.ParseHours(strings.Join(rules, "; ")); again == nil && len(rules) > 0 {
		return read, nil
	}
	return h, err
}

// The dashes of text, the words that stand for them, and the points of a.m.
var hoursMarks = strings.NewReplacer("–", "-", "—", "-", "−", "-", "a.m.", "am", "p.m.", "pm", "a.m", "am", "p.m", "pm",
	" to ", "-", " until ", "-", " till ", "-", " through ", "-", " and ", " ", "from ", " ", "local time", "", "\u00a0", " ")

var (
	alwaysForm = regexp.MustCompile(`^(?:24[x*/]7(?:[x*/]?365)?|24x365|24h(?:ours)?(?:aday)?[x/*]?7d(?:ays)?(?:aweek)?|24hours|aroundtheclock|alwaysopen)$`)
	dayWords   = `(mon|tue|wed|thu|fri|sat|sun)[a-z]*`
	daysPart   = dayWords + `\s*(?:-\s*` + dayWords + `)?`
	clockPart  = `([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*(am|pm|h|hrs|hours)?`
	hoursPart  = clockPart + `\s*-\s*` + clockPart
	daysFirst  = regexp.MustCompile(`^` + daysPart + `\s*[:,]?\s*` + hoursPart + `$`)
	hoursFirst = regexp.MustCompile(`^` + hoursPart + `\s*[:,]?\s*(?:on\s+)?` + daysPart + `$`)
)

// hoursRule reads one stretch with its days in front or behind.
func hoursRule(rule string) (days, from, to string, ok bool) {
	var d, h []string
	if m := daysFirst.FindStringSubmatch(rule); m != nil {
		d, h = m[1:3], m[3:]
	} else if m := hoursFirst.FindStringSubmatch(rule); m != nil {
		d, h = m[7:9], m[1:7]
	} else {
		return "", "", "", false
	}
	days = d[0]
	if d[1] != "" {
		days += "-" + d[1]
	}
	half := func(s string) bool { return s == "am" || s == "pm" }
	start, okStart := clock(h[0], h[1], h[2])
	end, okEnd := clock(h[3], h[4], h[5])
	// Between "9-5" and "9-17" only the second has one reading, and "8-5pm" has
	// two.
	if !okStart || !okEnd || half(h[2]) != half(h[5]) || !half(h[2]) && end <= start {
		return "", "", "", false
	}
	return days, clockText(start), clockText(end), true
}

// clock returns the minutes after midnight.
func clock(hour, minute, half string) (int, bool) {
	h, errH := strconv.Atoi(hour)
	m, errM := 0, error(nil)
	if minute != "" {
		m, errM = strconv.Atoi(minute)
	}
	switch {
	case errH != nil || errM != nil || m > 59 || h > 24:
		return 0, false
	case half == "am" || half == "pm":
		if h < 1 || h > 12 {
			return 0, false
		}
		h %= 12
		if half == "pm" {
			h += 12
		}
	}
	return h*60 + m, true
}

func clockText(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
