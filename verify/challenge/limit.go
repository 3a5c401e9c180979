package challenge

import (
	"slices"
	"time"
)

// Request is what somebody wants to send.
type Request struct {
	Calendar Calendar
	Kind     Kind
	New      bool // a new question, and not a further mail of one that is open
}

// History is what was sent before, and who has said stop. The lists hold when
// mails went out within the last day, in any order; more does no harm.
type History struct {
	Stopped  bool        // the kill switch of the instance
	Paused   bool        // the team, contact or campaign
	OptedOut bool        // the contact, until an operator decided
	Open     bool        // a question to this contact waits for its answer
	Last     time.Time   // the last question to this contact, by whatever campaign; zero for none
	Address  []time.Time // mails to this address, for whichever team
	Domain   []time.Time // mails to this domain
	Overall  []time.Time // mails of this instance
}

// Reason is why something may not be sent now.
type Reason string

// The reasons, the strongest first.
const (
	ReasonStopped  Reason = "stopped"
	ReasonOptedOut Reason = "opted-out"
	ReasonPaused   Reason = "paused"
	ReasonOpen     Reason = "open"         // one question at a time
	ReasonAgain    Reason = "again"        // too soon after the last question
	ReasonUnknown  Reason = "no-hours"     // a drill for a team that promises none
	ReasonAddress  Reason = "address-cap"  //
	ReasonDomain   Reason = "domain-cap"   //
	ReasonOverall  Reason = "overall-cap"  //
	ReasonHoliday  Reason = "holiday"      //
	ReasonQuiet    Reason = "quiet-hours"  //
	ReasonHours    Reason = "out-of-hours" // a drill outside of promised hours
)

// Permission is whether something may be sent. Where it may not, NotBefore is
// when to ask again; zero where that is for people to decide.
type Permission struct {
	OK        bool
	Why       Reason
	NotBefore time.Time
}

// May decides whether a request may be sent at now under p. It is pure. What
// people have to lift is named first; of all that lifts itself with time, what
// takes longest.
func May(r Request, h History, p Policy, now time.Time) Permission {
	for _, stop := range []struct {
		holds bool
		why   Reason
	}{{h.Stopped, ReasonStopped}, {h.OptedOut, ReasonOptedOut}, {h.Paused, ReasonPaused}, {r.New && h.Open, ReasonOpen},
		{r.Kind == KindDrill && r.New && !r.Calendar.promised(), ReasonUnknown}} {
		if stop.holds {
			return Permission{Why: stop.why}
		}
	}
	r.Calendar = r.Calendar.loaded()
	wait := Permission{OK: true, NotBefore: now}
	put := func(why Reason, at time.Time) {
		if at.After(wait.NotBefore) {
			wait = Permission{Why: why, NotBefore: at}
		}
	}
	if r.New && !h.Last.IsZero() {
		put(ReasonAgain, r.Calendar.After(h.Last, p.again()))
	}
	put(ReasonAddress, freeAt(h.Address, p.Caps.AddressDay, 24*time.Hour, now))
	put(ReasonDomain, freeAt(h.Domain, p.Caps.DomainHour, time.Hour, now))
	put(ReasonDomain, freeAt(h.Domain, p.Caps.DomainDay, 24*time.Hour, now))
	put(ReasonOverall, freeAt(h.Overall, p.Caps.OverallHour, time.Hour, now))
	// When all that has passed, it must still be a decent time of day.
	if why, at := r.decent(p, wait.NotBefore); at.After(wait.NotBefore) {
		wait = Permission{Why: why, NotBefore: at}
	}
	if wait.OK {
		return Permission{OK: true}
	}
	return wait
}

// again is the least time between two questions; fourteen days whatever a policy says.
func (p Policy) again() Delay {
	if p.Again.rough() < leastAgain {
		return Delay{Days: 14}
	}
	return p.Again
}

// freeAt returns when one more is within most for each stretch of length per.
func freeAt(sent []time.Time, most int, per time.Duration, now time.Time) time.Time {
	if most <= 0 {
		return now
	}
	var recent []time.Time
	for _, t := range sent {
		if now.Sub(t) < per && !t.After(now) {
			recent = append(recent, t)
		}
	}
	if len(recent) < most {
		return now
	}
	slices.SortFunc(recent, time.Time.Compare)
	return recent[len(recent)-most].Add(per)
}

// decent returns the first moment from t on at which the team may be written
// to, and what stood against t.
func (r Request) decent(p Policy, t time.Time) (Reason, time.Time) {
	c := r.Calendar
	c.Holidays = slices.Concat(c.Holidays, p.Holidays)
	switch {
	case r.Kind == KindWebhook || c.Always(): // machines, and those who say that they never sleep
		return "", t
	case r.Kind == KindDrill && r.New:
		return ReasonHours, c.NextOpen(t)
	}
	zone, why := c.Location(), Reason("")
	for range maxSearch {
		local := t.In(zone)
		switch {
		case c.holiday(local):
			why, t = ReasonHoliday, midnight(local, 1, zone).UTC()
		case p.Quiet.holds(local) && !(c.promised() && c.IsOpen(t)):
			why, t = ReasonQuiet, p.Quiet.end(local, zone).UTC()
		default:
			return why, t
		}
	}
	return why, t
}

// promised reports whether the team says when it is there.
func (c Calendar) promised() bool { return c.Always() || len(c.Hours.Spans) > 0 }

func (q Quiet) holds(local time.Time) bool {
	minute := local.Hour()*60 + local.Minute()
	if q.From <= q.To {
		return minute >= q.From && minute < q.To
	}
	return minute >= q.From || minute < q.To
}

// end returns when quiet hours that hold at local end.
func (q Quiet) end(local time.Time, zone *time.Location) time.Time {
	end := wall(local, q.To, zone)
	if !end.After(local) {
		end = wall(local.AddDate(0, 0, 1), q.To, zone)
	}
	return end
}
