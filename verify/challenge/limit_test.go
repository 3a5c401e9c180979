package challenge_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func TestMay(t *testing.T) {
	p := preset(t, challenge.PresetHalfYearly)
	p.Again, p.Holidays = challenge.Delay{Days: 1}, []directory.Date{"2026-03-10"} // a day, which is never heeded
	vienna := challenge.Calendar{Zone: "Europe/Vienna"}
	always := challenge.Calendar{Zone: "Europe/Vienna", Hours: hours(t, "24x7")}
	night := challenge.Calendar{Zone: "Europe/Vienna", Hours: hours(t, "Mon-Sun 22:00-06:00")}
	day := "2026-03-02T10:00:00Z"
	ago := func(list ...string) (times []time.Time) {
		for _, d := range list {
			age, err := time.ParseDuration(d)
			if err != nil {
				t.Fatal(err)
			}
			times = append(times, moment(t, day).Add(-age))
		}
		return times
	}
	many := func(n int, age string) (list []string) {
		for range n {
			list = append(list, age)
		}
		return list
	}
	question := challenge.Request{Calendar: vienna, Kind: challenge.KindCode, New: true}
	with := func(f func(*challenge.Request)) challenge.Request { r := question; f(&r); return r }
	tests := []struct {
		name string
		r    challenge.Request
		h    challenge.History
		now  string
		why  challenge.Reason // "" may be sent
		at   string
	}{
		{"nothing stands against it", question, challenge.History{}, day, "", ""},
		{"the kill switch", question, challenge.History{Stopped: true, Open: true}, day, challenge.ReasonStopped, ""},
		{"opted out", question, challenge.History{OptedOut: true}, day, challenge.ReasonOptedOut, ""},
		{"paused", question, challenge.History{Paused: true}, day, challenge.ReasonPaused, ""},
		{"another question is open", question, challenge.History{Open: true}, day, challenge.ReasonOpen, ""},
		{"a reminder of the open one", with(func(r *challenge.Request) { r.New = false }), challenge.History{Open: true, Last: ago("24h")[0]}, day, "", ""},
		{"thirteen days after the last question", question, challenge.History{Last: ago("312h")[0]}, day, challenge.ReasonAgain, "2026-03-03T10:00:00Z"},
		{"fourteen days after it", question, challenge.History{Last: ago("336h")[0]}, day, "", ""},
		{"the address has had its two", question, challenge.History{Address: ago("23h", "1h")}, day, challenge.ReasonAddress, "2026-03-02T11:00:00Z"},
		{"the address had two a day ago", question, challenge.History{Address: ago("24h", "24h")}, day, "", ""},
		{"the address had more than its two: all but one must be a day old", question, challenge.History{Address: ago("1h", "23h", "22h")}, day, challenge.ReasonAddress, "2026-03-02T12:00:00Z"},
		{"mails of a clock that was ahead", question, challenge.History{Address: ago("-1h", "-2h", "-3h")}, day, "", ""},
		{"the domain has had its twenty within the hour", question, challenge.History{Domain: ago(many(20, "30m")...)}, day, challenge.ReasonDomain, "2026-03-02T10:30:00Z"},
		{"the domain has had nineteen", question, challenge.History{Domain: ago(many(19, "30m")...)}, day, "", ""},
		{"the domain has had its hundred of the day", question, challenge.History{Domain: ago(many(100, "20h")...)}, day, challenge.ReasonDomain, "2026-03-02T14:00:00Z"},
		{"the instance has had its hour", question, challenge.History{Overall: ago(many(2000, "15m")...)}, day, challenge.ReasonOverall, "2026-03-02T10:45:00Z"},
		{"of two caps the later counts", question, challenge.History{Address: ago("23h", "22h"), Overall: ago(many(2000, "15m")...)}, day, challenge.ReasonAddress, "2026-03-02T11:00:00Z"},
		{"a cap that ends in the evening", question, challenge.History{Address: ago("14h30m", "14h30m")}, day, challenge.ReasonQuiet, "2026-03-03T06:00:00Z"},
		{"in the evening", question, challenge.History{}, "2026-03-02T19:00:00Z", challenge.ReasonQuiet, "2026-03-03T06:00:00Z"},
		{"in the evening before a holiday", question, challenge.History{}, "2026-03-09T20:00:00Z", challenge.ReasonQuiet, "2026-03-11T06:00:00Z"},
		{"on a holiday", question, challenge.History{}, "2026-03-10T10:00:00Z", challenge.ReasonQuiet, "2026-03-11T06:00:00Z"},
		{"in the evening, around the clock", with(func(r *challenge.Request) { r.Calendar = always }), challenge.History{}, "2026-03-10T19:00:00Z", "", ""},
		{"at night, to those who work at night", with(func(r *challenge.Request) { r.Calendar = night }), challenge.History{}, "2026-03-02T23:00:00Z", "", ""},
		{"at night, to a machine", with(func(r *challenge.Request) { r.Kind = challenge.KindWebhook }), challenge.History{}, "2026-03-02T23:00:00Z", "", ""},
		{"a drill without promised hours", with(func(r *challenge.Request) { r.Kind = challenge.KindDrill }), challenge.History{}, day, challenge.ReasonUnknown, ""},
		{"a drill outside of them", with(func(r *challenge.Request) { r.Kind, r.Calendar = challenge.KindDrill, night }), challenge.History{}, day, challenge.ReasonHours, "2026-03-02T21:00:00Z"},
		{"a drill within them", with(func(r *challenge.Request) { r.Kind, r.Calendar = challenge.KindDrill, night }), challenge.History{}, "2026-03-02T23:00:00Z", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := challenge.May(tt.r, tt.h, p, moment(t, tt.now))
			want := time.Time{}
			if tt.at != "" {
				want = moment(t, tt.at)
			}
			if got.OK != (tt.why == "") || got.Why != tt.why || !got.NotBefore.Equal(want) {
				t.Errorf("May = %t, %s, not before %v, want %q, %v", got.OK, got.Why, got.NotBefore, tt.why, want)
			}
		})
	}
}

// TestMayKeepsItsWord: who comes back when told to is let through, and caps hold
// however the mails come.
func TestMayKeepsItsWord(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	p := preset(t, challenge.PresetHalfYearly)
	p.Caps = challenge.Caps{AddressDay: 2, DomainHour: 3, DomainDay: 7, OverallHour: 4}
	var sent []time.Time
	now := monday
	for range 1500 {
		now = now.Add(time.Duration(r.IntN(40)) * time.Minute)
		request := challenge.Request{Calendar: pick(r, calendars), Kind: challenge.KindCode}
		h := challenge.History{Domain: sent, Overall: sent}
		got := challenge.May(request, h, p, now)
		if !got.OK {
			if !got.NotBefore.After(now) {
				t.Fatalf("May at %v = not before %v", now, got.NotBefore)
			}
			if later := challenge.May(request, h, p, got.NotBefore); !later.OK {
				t.Fatalf("told to come back at %v, and then %s", got.NotBefore, later.Why)
			}
			continue
		}
		sent = append(sent, now)
		if n := within(sent, now, time.Hour); n > 3 {
			t.Fatalf("%d mails to a domain within an hour", n)
		}
		if n := within(sent, now, 24*time.Hour); n > 7 {
			t.Fatalf("%d mails to a domain within a day", n)
		}
	}
	if len(sent) < 30 {
		t.Errorf("only %d mails were let through", len(sent))
	}
}

func within(sent []time.Time, now time.Time, d time.Duration) (n int) {
	for _, t := range sent {
		if now.Sub(t) < d {
			n++
		}
	}
	return n
}
