package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hours are weekly hours in the team's time zone. The zero value is unknown.
type Hours struct {
	Always bool   `json:",omitzero"` // 24 hours on 7 days; Spans is then empty
	Spans  []Span `json:",omitzero"` // sorted, not overlapping
}

// Span is one stretch of a week. A To that is not after From ends on the next
// day.
type Span struct {
	Day  time.Weekday
	From int // minutes after midnight, 0 to 1439
	To   int // minutes after midnight, 1 to 1440
}

var dayNames = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// ParseHours parses "24x7" (also 24/7, 24*7 and 24x7x365) or rules such as
// "Mon-Fri 08:00-17:00; Sat 10:00-12:00". A span may run over midnight. Hours
// that do not exist, empty spans and overlapping spans are refused.
func ParseHours(s string) (Hours, error) {
	text := strings.TrimSpace(strings.NewReplacer("–", "-", "—", "-", ",", ";").Replace(s))
	if len(text) > 500 {
		return Hours{}, problem("hours.syntax", s, "longer than 500 characters", wantHours)
	}
	switch strings.ReplaceAll(strings.ToLower(text), " ", "") {
	case "24x7", "24/7", "24*7", "24x7x365", "24/7/365", "24*7;365", "24h":
		return Hours{Always: true}, nil
	}
	var h Hours
	for rule := range strings.SplitSeq(text, ";") {
		spans, err := parseRule(s, strings.Fields(rule))
		if err != nil {
			return Hours{}, err
		}
		h.Spans = append(h.Spans, spans...)
	}
	if len(h.Spans) > maxSpans {
		return Hours{}, problem("hours.syntax", s, "more than four stretches a day", wantHours)
	}
	slices.SortFunc(h.Spans, func(a, b Span) int { return a.start() - b.start() })
	return h, h.overlaps(s)
}

// maxSpans keeps [Hours.String] within the length that ParseHours reads.
const maxSpans = 28

const wantHours = `24x7, or rules such as "Mon-Fri 08:00-17:00; Sat 10:00-12:00"`

func parseRule(given string, words []string) ([]Span, error) {
	if len(words) != 2 {
		return nil, problem("hours.syntax", given, "not days followed by hours", wantHours)
	}
	days, err := parseDays(given, words[0])
	if err != nil {
		return nil, err
	}
	from, to, ok := strings.Cut(words[1], "-")
	f, okF := parseClock(from)
	t, okT := parseClock(to)
	switch {
	case !ok:
		return nil, problem("hours.syntax", given, "not a stretch of hours", wantHours)
	case !okF || !okT || f == 1440:
		return nil, problem("hours.impossible", given, "a time of day that does not exist", "00:00 to 23:59, or 24:00 as an end")
	case f == t:
		return nil, problem("hours.impossible", given, "a stretch that ends when it starts", "24x7 for around the clock")
	}
	var spans []Span
	for _, d := range days {
		spans = append(spans, Span{d, f, t})
	}
	return spans, nil
}

func parseDays(given, s string) ([]time.Weekday, error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	f, t := dayIndex(from), dayIndex(to)
	if f < 0 || t < 0 {
		return nil, problem("hours.day", given, "not a day of the week", "Mon, Tue, Wed, Thu, Fri, Sat or Sun")
	}
	var days []time.Weekday
	for i := f; ; i = (i + 1) % 7 {
		days = append(days, time.Weekday((i+1)%7))
		if i == t {
			return days, nil
		}
	}
}

// dayIndex counts from Monday, as ISO 8601 does.
func dayIndex(s string) int {
	return slices.IndexFunc(dayNames, func(d string) bool {
		full := time.Weekday((slices.Index(dayNames, d) + 1) % 7).String()
		return strings.EqualFold(s, d) || strings.EqualFold(s, full)
	})
}

func parseClock(s string) (int, bool) {
	h, m, ok := strings.Cut(s, ":")
	hours, errH := strconv.ParseUint(h, 10, 8)
	minutes, errM := strconv.ParseUint(m, 10, 8)
	if !ok || errH != nil || errM != nil || len(h) > 2 || len(m) != 2 || minutes > 59 || hours > 24 || (hours == 24 && minutes > 0) {
		return 0, false
	}
	return int(hours)*60 + int(minutes), true
}

// start and end count minutes from Monday 00:00.
func (s Span) start() int { return (int(s.Day)+6)%7*1440 + s.From }

func (s Span) end() int {
	if s.To <= s.From {
		return s.start() - s.From + 1440 + s.To
	}
	return s.start() - s.From + s.To
}

func (h Hours) overlaps(given string) error {
	const week = 7 * 1440
	for i, s := range h.Spans {
		next := h.Spans[(i+1)%len(h.Spans)]
		limit := next.start()
		if i == len(h.Spans)-1 {
			limit += week
		}
		if s.end() > limit {
			return problem("hours.overlap", given, "two stretches overlap on "+next.Day.String(), "one stretch for each time")
		}
	}
	return nil
}

// IsZero reports whether the hours are unknown.
func (h Hours) IsZero() bool { return !h.Always && len(h.Spans) == 0 }

// Equal reports whether h and o are the same hours.
func (h Hours) Equal(o Hours) bool { return h.Always == o.Always && slices.Equal(h.Spans, o.Spans) }

// Open reports whether t, seen in zone, lies within the hours.
func (h Hours) Open(t time.Time, zone *time.Location) bool {
	if h.Always {
		return true
	}
	t = t.In(zone)
	now := Span{Day: t.Weekday(), From: t.Hour()*60 + t.Minute()}.start()
	return slices.ContainsFunc(h.Spans, func(s Span) bool {
		return now >= s.start() && now < s.end() || now+7*1440 < s.end()
	})
}

// String prints the hours in the form that [ParseHours] reads.
func (h Hours) String() string {
	if h.Always {
		return "24x7"
	}
	var rules []string
	for i := 0; i < len(h.Spans); {
		j := i + 1
		for j < len(h.Spans) && h.Spans[j].From == h.Spans[i].From && h.Spans[j].To == h.Spans[i].To &&
			h.Spans[j].Day == (h.Spans[j-1].Day+1)%7 {
			j++
		}
		rules = append(rules, spanText(h.Spans[i], h.Spans[j-1]))
		i = j
	}
	return strings.Join(rules, "; ")
}

func spanText(first, last Span) string {
	days := dayNames[(first.Day+6)%7]
	if last.Day != first.Day {
		days += "-" + dayNames[(last.Day+6)%7]
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d", days, first.From/60, first.From%60, first.To/60, first.To%60)
}
