package challenge_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func fortnight(t *testing.T, secret byte) challenge.Campaign {
	t.Helper()
	s, err := challenge.NewSecret(chance(secret))
	if err != nil {
		t.Fatal(err)
	}
	return challenge.Campaign{ID: "spring", Name: "Spring 2026", From: moment(t, "2026-03-23T00:00:00Z"), To: moment(t, "2026-04-06T00:00:00Z"), Secret: s, State: challenge.CampaignPlanned}
}

// TestMomentsAreEven draws for many contacts, over the change to summer time,
// and counts them by equal parts of their team's working time: chi-squared with
// 19 degrees of freedom stays below its 99.99 % point.
func TestMomentsAreEven(t *testing.T) {
	const contacts, parts = 1000, 20
	campaign := fortnight(t, 1)
	for i, calendar := range append(calendars, challenge.Calendar{Zone: "America/New_York", Hours: hours(t, "Mon-Thu 07:30-12:00; Fri 07:30-10:00")}) {
		open := calendar.Open(campaign.From, campaign.To)
		var total time.Duration
		for _, s := range open {
			total += s.To.Sub(s.From)
		}
		var seen [parts]int
		for n := range contacts {
			at, ok := campaign.Moment(directory.ContactID(fmt.Sprint("contact-", n)), calendar, challenge.KindCode)
			var passed time.Duration
			within := false
			for _, s := range open {
				passed += max(0, min(at.Sub(s.From), s.To.Sub(s.From)))
				within = within || !at.Before(s.From) && at.Before(s.To)
			}
			if !ok || !within {
				t.Fatalf("calendar %d: contact %d is asked at %v, %t", i, n, at, ok)
			}
			seen[int(int64(passed)*parts/int64(total))]++
		}
		chi := 0.0
		for _, n := range seen {
			chi += math.Pow(float64(n)-contacts/parts, 2) / (contacts / parts)
		}
		if chi > 50.8 {
			t.Errorf("calendar %d: chi-squared %.1f over %v", i, chi, seen)
		}
	}
}

// TestMomentIsTheSecrets: the same draw each time, another one with another
// secret or campaign, and none by the order of a list.
func TestMomentIsTheSecrets(t *testing.T) {
	a, b := fortnight(t, 1), fortnight(t, 2)
	other := a
	other.ID = "autumn"
	same := 0
	for n := range 100 {
		id := directory.ContactID(fmt.Sprint(n))
		first, _ := a.Moment(id, challenge.Calendar{}, challenge.KindCode)
		again, _ := a.Moment(id, challenge.Calendar{}, challenge.KindCode)
		secret, _ := b.Moment(id, challenge.Calendar{}, challenge.KindCode)
		campaign, _ := other.Moment(id, challenge.Calendar{}, challenge.KindCode)
		if !first.Equal(again) {
			t.Fatalf("contact %d is asked at %v and at %v", n, first, again)
		}
		if first.Equal(secret) || first.Equal(campaign) {
			same++
		}
	}
	if same > 2 {
		t.Errorf("%d of 100 moments do not depend on secret or campaign", same)
	}
	if at, ok := a.Moment("k", challenge.Calendar{}, challenge.KindDrill); ok {
		t.Errorf("a drill without promised hours at %v", at)
	}
	if at, ok := a.Moment("k", challenge.Calendar{Holidays: allDays(2026, 2027)}, challenge.KindCode); ok {
		t.Errorf("a question on a holiday at %v", at)
	}
}

func TestCampaignLife(t *testing.T) {
	c := fortnight(t, 1)
	if _, _, err := c.Halt(monday); !errors.Is(err, challenge.ErrCampaign) {
		t.Errorf("halting a planned campaign: %v", err)
	}
	c, err := c.Start(c.From)
	if err != nil {
		t.Fatal(err)
	}
	end := c.To
	c, event, err := c.Halt(monday)
	if err != nil || event != challenge.EventPaused || c.State != challenge.CampaignHalted {
		t.Fatalf("Halt = %s, %s, %v", c.State, event, err)
	}
	c, event, err = c.Resume(monday.AddDate(0, 0, 2))
	if err != nil || event != challenge.EventResumed || c.To.Sub(end) != 48*time.Hour {
		t.Fatalf("Resume = %s, %v, to %v", event, err, c.To)
	}
	c, event, err = c.Abort()
	if err != nil || event != challenge.EventStopped || c.State != challenge.CampaignAborted {
		t.Fatalf("Abort = %s, %s, %v", c.State, event, err)
	}
	if _, _, err := c.Abort(); err == nil {
		t.Error("a campaign is aborted twice")
	}
	for name, spoil := range map[string]func(*challenge.Campaign){
		"no name":       func(c *challenge.Campaign) { c.Name = "" },
		"no window":     func(c *challenge.Campaign) { c.To = c.From },
		"a long window": func(c *challenge.Campaign) { c.To = c.From.AddDate(2, 0, 0) },
		"no secret":     func(c *challenge.Campaign) { c.Secret = nil },
	} {
		bad := fortnight(t, 1)
		spoil(&bad)
		if _, err := bad.Start(monday); !errors.Is(err, challenge.ErrCampaign) {
			t.Errorf("%s: Start = %v, want ErrCampaign", name, err)
		}
	}
}

// TestPauseShiftsTime: what a halt takes is given back, for who waits to be
// asked as for who was.
func TestPauseShiftsTime(t *testing.T) {
	p := preset(t, challenge.PresetHalfYearly)
	waiting, _ := run(scheduledAt(challenge.KindCode), p, at(challenge.EventPaused, -10), at(challenge.EventResumed, 14))
	if _, due := waiting.Next(p); !due.Equal(monday.Add(24 * time.Hour)) {
		t.Errorf("after a day of pause, due at %v", due)
	}
	c, _ := run(scheduledAt(challenge.KindCode), p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0), at(challenge.EventSettled, 48), at(challenge.EventPaused, 49))
	if kind, due := c.Next(p); !due.IsZero() {
		t.Errorf("while paused, %s at %v", kind, due)
	}
	c, _ = run(c, p, at(challenge.EventResumed, 49+240))
	if kind, due := c.Next(p); kind != challenge.EventReminder || !due.Equal(monday.AddDate(0, 0, 17)) {
		t.Errorf("after ten days of pause, %s at %v, want the reminder of the seventh day on the 17th", kind, due)
	}
}

func TestCount(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	var all []challenge.Challenge
	for _, state := range challenge.States() {
		c, _ := run(scheduledAt(challenge.KindCode), p, lives()[state]...)
		all = append(all, c)
	}
	got := challenge.Count(all)
	sum := 0
	for _, n := range got.States {
		sum += n
	}
	if got.Total != 9 || sum != 9 || got.Asked != 8 || got.Over != 2 || got.Mails != 9 || got.Accepted != 8 || got.Bounced != 1 || got.Outcomes[challenge.OutcomeStopped] != 1 || got.Levels[3] != 1 || !got.Next.Equal(monday) {
		t.Errorf("Count = %+v", got)
	}
}

// TestHaltAltersNoDraw: a moment is the same before a halt and after it.
func TestHaltAltersNoDraw(t *testing.T) {
	c := fortnight(t, 1)
	first, _ := c.Moment("k", challenge.Calendar{}, challenge.KindCode)
	c, err := c.Start(c.From.AddDate(0, 0, -1))
	if err != nil || !c.From.Equal(fortnight(t, 1).From) {
		t.Fatalf("started before its window: from %v, %v", c.From, err)
	}
	c, _, err = c.Halt(c.From)
	if err == nil {
		c, _, err = c.Resume(c.From.AddDate(0, 0, 3))
	}
	if again, _ := c.Moment("k", challenge.Calendar{}, challenge.KindCode); err != nil || !again.Equal(first) {
		t.Errorf("drawn at %v before the halt and at %v after it, %v", first, again, err)
	}
}

// TestStartLate: of a window that has begun, what is left is drawn over.
func TestStartLate(t *testing.T) {
	c := fortnight(t, 1)
	now := c.From.AddDate(0, 0, 10)
	late, err := c.Start(now)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		if at, ok := late.Moment(directory.ContactID(fmt.Sprint(n)), challenge.Calendar{}, challenge.KindCode); !ok || at.Before(now) || !at.Before(c.To) {
			t.Errorf("contact %d is asked at %v, %t; want it between %v and %v", n, at, ok, now, c.To)
		}
	}
	if _, err := c.Start(c.To); !errors.Is(err, challenge.ErrCampaign) {
		t.Errorf("started when its window is over: %v", err)
	}
}
