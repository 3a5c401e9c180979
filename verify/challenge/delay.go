package challenge

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Delay is a stretch of time as people agree on it: months and days of the
// calendar, business days, and time on the clock, added in this order. Its text
// form is a number and a unit for each, such as "4mo", "10d", "3bd", "1d12h".
type Delay struct {
	Months   int           // "mo"
	Days     int           // "d", and "w" for seven of them
	Business int           // "bd"
	Clock    time.Duration // "h" and "m"
}

// errDelay is why a text is no [Delay].
var errDelay = errors.New("challenge: not a delay such as 4mo, 10d, 3bd, 12h or 30m")

// maxDelayNumber keeps sums of delays within what time.Time can hold.
const maxDelayNumber = 10_000

// ParseDelay parses the text form of a [Delay]. Units may stand in any order,
// each at most once; "" is no delay.
func ParseDelay(s string) (Delay, error) {
	var d Delay
	seen := ""
	for rest := strings.ToLower(strings.TrimSpace(s)); rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n > maxDelayNumber {
			return Delay{}, errDelay
		}
		rest = rest[digits:]
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		rest = rest[len(unit):]
		if strings.Contains(seen, " "+unit+" ") || !d.add(n, unit) {
			return Delay{}, errDelay
		}
		seen += " " + unit + " "
	}
	return d, nil
}

func (d *Delay) add(n int, unit string) bool {
	switch unit {
	case "mo":
		d.Months += n
	case "w":
		d.Days += 7 * n
	case "d":
		d.Days += n
	case "bd":
		d.Business += n
	case "h":
		d.Clock += time.Duration(n) * time.Hour
	case "m":
		d.Clock += time.Duration(n) * time.Minute
	default:
		return false
	}
	return true
}

// IsZero reports whether d is no time at all.
func (d Delay) IsZero() bool { return d == Delay{} }

// String returns the text form; "" for no time at all.
func (d Delay) String() string {
	var b strings.Builder
	put := func(n int, unit string) {
		if n > 0 {
			b.WriteString(strconv.Itoa(n) + unit)
		}
	}
	put(d.Months, "mo")
	put(d.Days, "d")
	put(d.Business, "bd")
	put(int(d.Clock/time.Hour), "h")
	put(int(d.Clock%time.Hour/time.Minute), "m")
	return b.String()
}

// MarshalText writes the text form.
func (d Delay) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Delay) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDelay(string(text))
	return err
}

// rough returns about how long d is, for comparing delays with each other: a
// month is 30.4 days, five business days are a week.
func (d Delay) rough() time.Duration {
	hours := float64(d.Months)*30.4*24 + float64(d.Days)*24 + float64(d.Business)*24*7/5
	return time.Duration(hours*float64(time.Hour)) + d.Clock
}

// longer reports whether both are given, and d is longer than o.
func (d Delay) longer(o Delay) bool { return !d.IsZero() && !o.IsZero() && d.rough() > o.rough() }

// errQuiet is why a text is no [Quiet].
var errQuiet = errors.New("challenge: not hours such as 22:00-07:00")
