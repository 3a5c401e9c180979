package challenge_test

import (
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func TestParseDelay(t *testing.T) {
	tests := []struct{ in, want string }{
		{"4mo", "4mo"}, {"10d", "10d"}, {"2w", "14d"}, {"3bd", "3bd"}, {"12h", "12h"}, {"90m", "1h30m"}, {"1d12h", "1d12h"}, {" 1MO2D3BD4H5M ", "1mo2d3bd4h5m"}, {"", ""},
		{"0d", ""}, {"4", "!"}, {"d", "!"}, {"4 d", "!"}, {"-1d", "!"}, {"1d1d", "!"}, {"1y", "!"}, {"1.5d", "!"}, {"10001d", "!"}, {"99999999999999999999d", "!"}, {"1d-", "!"},
	}
	for _, tt := range tests {
		d, err := challenge.ParseDelay(tt.in)
		got := d.String()
		if err != nil {
			got = "!"
		}
		if got != tt.want {
			t.Errorf("ParseDelay(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func hours(t *testing.T, text string) directory.Hours {
	t.Helper()
	if text == "" {
		return directory.Hours{}
	}
	h, err := directory.ParseHours(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func TestAfter(t *testing.T) {
	tests := []struct {
		name                string
		zone, hours, nation string
		holidays            []directory.Date
		from, delay, want   string
	}{
		{"a business day in the week", "UTC", "", "", nil, "2026-03-02T10:00:00Z", "1bd", "2026-03-03T10:00:00Z"},
		{"Friday's next business day is Monday", "UTC", "", "", nil, "2026-03-06T10:00:00Z", "1bd", "2026-03-09T10:00:00Z"},
		{"from a Saturday", "UTC", "", "", nil, "2026-03-07T10:00:00Z", "1bd", "2026-03-09T10:00:00Z"},
		{"a holiday does not count", "UTC", "", "", []directory.Date{"2026-03-03"}, "2026-03-02T10:00:00Z", "1bd", "2026-03-04T10:00:00Z"},
		{"Friday and Saturday are the weekend in Riyadh", "Asia/Riyadh", "", "SA", nil, "2026-03-05T10:00:00Z", "1bd", "2026-03-08T10:00:00Z"},
		{"hours that name Saturday make it a business day", "UTC", "Mon-Sat 08:00-12:00", "", nil, "2026-03-06T10:00:00Z", "1bd", "2026-03-07T10:00:00Z"},
		{"a 24x7 team has clerks on weekdays", "UTC", "24x7", "", nil, "2026-03-06T10:00:00Z", "1bd", "2026-03-09T10:00:00Z"},
		{"the day is that of the team: Monday in Auckland", "Pacific/Auckland", "", "NZ", nil, "2026-03-01T20:00:00Z", "1bd", "2026-03-02T20:00:00Z"},
		{"the clock on the wall stays over the change to summer time", "Europe/Vienna", "", "", nil, "2026-03-28T09:00:00Z", "1d", "2026-03-29T08:00:00Z"},
		{"hours do not", "Europe/Vienna", "", "", nil, "2026-03-28T09:00:00Z", "24h", "2026-03-29T09:00:00Z"},
		{"a month that is too short", "UTC", "", "", nil, "2026-10-31T10:00:00Z", "4mo", "2027-02-28T10:00:00Z"},
		{"a leap year", "UTC", "", "", nil, "2027-10-31T10:00:00Z", "4mo", "2028-02-29T10:00:00Z"},
		{"an unknown zone is UTC", "Mars/Olympus", "", "", nil, "2026-03-02T10:00:00Z", "1bd", "2026-03-03T10:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := challenge.Calendar{Zone: directory.Zone(tt.zone), Hours: hours(t, tt.hours), Country: directory.Country(tt.nation), Holidays: tt.holidays}
			d, err := challenge.ParseDelay(tt.delay)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.After(moment(t, tt.from), d); !got.Equal(moment(t, tt.want)) {
				t.Errorf("After(%s, %s) = %v, want %s", tt.from, tt.delay, got, tt.want)
			}
		})
	}
}

// TestOpenAgreesWithHours holds every quarter of an hour of a fortnight, with
// the change to summer time and back, against the directory's own reading.
func TestOpenAgreesWithHours(t *testing.T) {
	for _, zone := range []directory.Zone{"UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		for _, text := range []string{"24x7", "Mon-Fri 08:00-17:00", "Mon-Sun 22:00-06:00", "Fri 20:00-24:00; Sat 00:00-04:00", "Sun 23:00-01:30; Wed 12:00-12:15"} {
			c := challenge.Calendar{Zone: zone, Hours: hours(t, text)}
			location := c.Location()
			for _, start := range []string{"2026-03-02T00:00:00Z", "2026-03-23T00:00:00Z", "2026-10-19T00:00:00Z", "2026-10-30T00:00:00Z"} {
				from := moment(t, start)
				open := c.Open(from, from.AddDate(0, 0, 14))
				for at := from; at.Before(from.AddDate(0, 0, 14)); at = at.Add(15 * time.Minute) {
					got := false
					for _, s := range open {
						got = got || !at.Before(s.From) && at.Before(s.To)
					}
					if want := c.Hours.Open(at, location); got != want && !changes(at, location) {
						t.Fatalf("%s, %s: at %v open %t, want %t", zone, text, at.In(location), got, want)
					}
				}
			}
		}
	}
}

// changes reports whether the clock is moved within two hours of t: what an hour
// that happens twice, or never, is part of, is a matter of taste.
func changes(t time.Time, zone *time.Location) bool {
	_, a := t.Add(-2 * time.Hour).In(zone).Zone()
	_, b := t.Add(2 * time.Hour).In(zone).Zone()
	return a != b
}

func TestNextOpen(t *testing.T) {
	office := challenge.Calendar{Zone: "Europe/Vienna", Hours: hours(t, "Mon-Fri 08:00-17:00"), Holidays: []directory.Date{"2026-03-09"}}
	tests := []struct{ name, from, want string }{
		{"at work", "2026-03-06T10:00:00Z", "2026-03-06T10:00:00Z"},
		{"before work", "2026-03-06T05:00:00Z", "2026-03-06T07:00:00Z"},
		{"over the weekend and a holiday", "2026-03-06T16:00:00Z", "2026-03-10T07:00:00Z"},
		{"on the first Monday of summer time", "2026-03-28T16:00:00Z", "2026-03-30T06:00:00Z"},
	}
	for _, tt := range tests {
		if got := office.NextOpen(moment(t, tt.from)); !got.Equal(moment(t, tt.want)) {
			t.Errorf("%s: NextOpen(%s) = %v, want %s", tt.name, tt.from, got, tt.want)
		}
	}
	if got, want := office.AfterOpen(moment(t, "2026-03-06T15:00:00Z"), 2*time.Hour), moment(t, "2026-03-10T08:00:00Z"); !got.Equal(want) {
		t.Errorf("two hours of work from Friday at four = %v, want %v", got, want)
	}
	never := challenge.Calendar{Holidays: allDays(2026, 2028)}
	if at := monday; !never.NextOpen(at).Equal(at) || !never.After(at, challenge.Delay{Business: 1}).After(at) {
		t.Error("a calendar of holidays does not end")
	}
}

func allDays(from, to int) (days []directory.Date) {
	for d := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < to; d = d.AddDate(0, 0, 1) {
		days = append(days, directory.Date(d.Format(time.DateOnly)))
	}
	return days
}
