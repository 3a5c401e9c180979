package challenge

import (
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Calendar is when a team works. The zero value is Monday to Friday, nine to
// five in UTC.
type Calendar struct {
	Zone     directory.Zone    `json:"zone,omitempty"`     // "" is UTC
	Hours    directory.Hours   `json:"hours,omitzero"`     // what the contact or else the team promises; zero is unknown
	Country  directory.Country `json:"country,omitempty"`  // which days are a weekend, where the hours don't say
	Holidays []directory.Date  `json:"holidays,omitempty"` // declared by the team or the operator

	zone *time.Location // Zone, while somebody reckons with it: to read a zone's rules costs more than all the rest
}

// Equal reports whether c and o are the same working time.
func (c Calendar) Equal(o Calendar) bool {
	return c.Zone == o.Zone && c.Hours.Equal(o.Hours) && c.Country == o.Country && slices.Equal(c.Holidays, o.Holidays)
}

// CalendarOf returns the calendar of one contact of a team: its own hours, else
// the team's; and the holidays given with those that the team declares.
func CalendarOf(t *directory.Team, c *directory.Contact, holidays []directory.Date) Calendar {
	hours := c.Hours
	if hours.IsZero() {
		hours = t.Hours
	}
	if len(t.Holidays) > 0 {
		holidays = slices.Concat(holidays, t.Holidays)
	}
	return Calendar{Zone: t.Zone, Hours: hours, Country: t.Country, Holidays: holidays}
}

// Location returns the time zone, UTC where the zone is unknown to this system.
func (c Calendar) Location() *time.Location {
	if c.zone != nil {
		return c.zone
	}
	if l, err := time.LoadLocation(string(c.Zone)); err == nil {
		return l
	}
	return time.UTC
}

// loaded returns c with its zone's rules at hand.
func (c Calendar) loaded() Calendar {
	c.zone = c.Location()
	return c
}

// Always reports whether the team promises to be there around the clock.
func (c Calendar) Always() bool { return c.Hours.Always }

// weekends are the days off by territory where they are not Saturday and Sunday
// (CLDR 44, supplemental/weekData).
var weekends = map[directory.Country][]time.Weekday{
	"AF": {time.Thursday, time.Friday}, "IR": {time.Friday}, "IN": {time.Sunday}, "UG": {time.Sunday},
	"BH": fridaySaturday, "DZ": fridaySaturday, "EG": fridaySaturday, "IL": fridaySaturday, "IQ": fridaySaturday,
	"JO": fridaySaturday, "KW": fridaySaturday, "LY": fridaySaturday, "OM": fridaySaturday, "QA": fridaySaturday,
	"SA": fridaySaturday, "SD": fridaySaturday, "SY": fridaySaturday, "YE": fridaySaturday,
}

var (
	fridaySaturday = []time.Weekday{time.Friday, time.Saturday}
	saturdaySunday = []time.Weekday{time.Saturday, time.Sunday}
)

// Business reports whether the day of t, in the team's zone, is one on which
// somebody sits at a desk: a day that the hours name, else no weekend, and never
// a holiday. A team that is there around the clock has people on duty at
// weekends and no clerks, so its weekends are days off as well.
func (c Calendar) Business(t time.Time) bool { return c.business(t.In(c.Location())) }

// business is Business for a moment in the team's zone already.
func (c Calendar) business(day time.Time) bool {
	if c.holiday(day) {
		return false
	}
	if len(c.Hours.Spans) > 0 {
		return slices.ContainsFunc(c.Hours.Spans, func(s directory.Span) bool { return s.Day == day.Weekday() })
	}
	off, ok := weekends[c.Country]
	if !ok {
		off = saturdaySunday
	}
	return !slices.Contains(off, day.Weekday())
}

func (c Calendar) holiday(day time.Time) bool {
	return slices.Contains(c.Holidays, directory.Date(day.Format(time.DateOnly)))
}

// maxSearch bounds every walk over days: a calendar of nothing but holidays
// must not make anybody wait for ever.
const maxSearch = 400

// After returns t and d, reckoned in the team's zone: the clock on the wall
// stays the same over a change to summer time, except for the part of d that
// is time on the clock. A month that is too short ends the sum on its last day.
func (c Calendar) After(t time.Time, d Delay) time.Time {
	c = c.loaded()
	at := addMonths(t.In(c.Location()), d.Months).AddDate(0, 0, d.Days)
	for n, tries := d.Business, 0; n > 0 && tries < maxSearch; tries++ {
		at = at.AddDate(0, 0, 1)
		if c.business(at) {
			n--
		}
	}
	return at.Add(d.Clock).UTC()
}

func addMonths(t time.Time, n int) time.Time {
	if n == 0 {
		return t
	}
	sum := t.AddDate(0, n, 0)
	if sum.Day() != t.Day() {
		return sum.AddDate(0, 0, -sum.Day())
	}
	return sum
}

// Stretch is a stretch of time, From included and To not.
type Stretch struct{ From, To time.Time }

// Open returns the stretches between from and to in which the team is at work,
// in order: the promised hours outside holidays, any time where it promises to
// be there around the clock, nine to five where nothing is known. Stretches
// that touch are one.
func (c Calendar) Open(from, to time.Time) []Stretch {
	c = c.loaded()
	if !from.Before(to) {
		return nil
	}
	if c.Always() {
		return []Stretch{{from, to}}
	}
	var open []Stretch
	zone := c.Location()
	first := from.In(zone).AddDate(0, 0, -1) // a span may run over midnight
	for day := midnight(first, 0, zone); day.Before(to); day = midnight(day, 1, zone) {
		for _, s := range c.spansOf(day) {
			open = appendStretch(open, Stretch{later(from, wall(day, s.From, zone)), earlier(to, wall(day, until(s), zone))})
		}
	}
	return open
}

// spansOf returns the hours that begin on a day.
func (c Calendar) spansOf(day time.Time) []directory.Span {
	if c.holiday(day) {
		return nil
	}
	if len(c.Hours.Spans) == 0 {
		if !c.business(day) {
			return nil
		}
		return []directory.Span{{Day: day.Weekday(), From: 9 * 60, To: 17 * 60}}
	}
	var spans []directory.Span
	for _, s := range c.Hours.Spans {
		if s.Day == day.Weekday() {
			spans = append(spans, s)
		}
	}
	return spans
}

// until returns the minute at which s ends, counted from midnight of the day on
// which it begins.
func until(s directory.Span) int {
	if s.To <= s.From {
		return s.To + 1440
	}
	return s.To
}

func midnight(day time.Time, days int, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day()+days, 0, 0, 0, 0, zone)
}

// wall returns the moment at which the clock on the wall shows minute of day.
func wall(day time.Time, minute int, zone *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, minute, 0, 0, zone)
}

func appendStretch(list []Stretch, s Stretch) []Stretch {
	if !s.From.Before(s.To) {
		return list
	}
	if n := len(list); n > 0 && !s.From.After(list[n-1].To) {
		list[n-1].To = later(list[n-1].To, s.To)
		return list
	}
	return append(list, s)
}

// IsOpen reports whether the team is at work at t.
func (c Calendar) IsOpen(t time.Time) bool { return len(c.Open(t, t.Add(time.Second))) > 0 }

// NextOpen returns the first moment from t on at which the team is at work; t
// itself where there is none within a year.
func (c Calendar) NextOpen(t time.Time) time.Time {
	c = c.loaded()
	for days := range maxSearch {
		if open := c.Open(t.AddDate(0, 0, days), t.AddDate(0, 0, days+1)); len(open) > 0 {
			return open[0].From.UTC()
		}
	}
	return t
}

// AfterOpen returns when the team was at work for d since t: what a promise to
// answer within hours is measured by.
func (c Calendar) AfterOpen(t time.Time, d time.Duration) time.Time {
	c = c.loaded()
	for days := range maxSearch {
		for _, s := range c.Open(t.AddDate(0, 0, days), t.AddDate(0, 0, days+1)) {
			if have := s.To.Sub(s.From); have < d {
				d -= have
				continue
			}
			return s.From.Add(d).UTC()
		}
	}
	return t.Add(d)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// until returns the end of something that lasts d from t; zero for no d.
func (c Calendar) until(t time.Time, d Delay) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return c.After(t, d)
}
