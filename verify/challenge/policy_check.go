package challenge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Bounds of what an operator can ask for.
const (
	leastAgain   = 14 * 24 * time.Hour
	leastNotices = 7 * 24 * time.Hour
	mostInterval = 2 * 366 * 24 * time.Hour // no proof lasts longer
	mostHolidays = 400
	mostRungs    = 10
)

var policyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// policyChecker collects what is wrong with a policy.
type policyChecker struct{ found []directory.Problem }

func (c *policyChecker) add(bad bool, code directory.Code, field string, value any, reason, want string) {
	if bad {
		c.found = append(c.found, directory.Problem{Code: code, Field: field, Value: clip(fmt.Sprint(value)), Reason: reason, Want: want})
	}
}

func clip(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}

// Check returns everything that is wrong with p, each with the JSON pointer of
// its field.
func (p Policy) Check() []directory.Problem {
	c := &policyChecker{}
	c.add(!policyName.MatchString(p.Name), CodePolicySyntax, "/name", p.Name, "not a policy's name", "1 to 40 of a-z, 0-9 and hyphen")
	c.add(len(p.About) > 200, CodePolicyRange, "/about", p.About, "too long", "at most 200 characters")
	c.times(p)
	c.reminders(p)
	c.ladder(p)
	c.proof(p)
	c.manners(p)
	return c.found
}

func (c *policyChecker) times(p Policy) {
	for _, f := range []struct {
		field string
		d     Delay
	}{{"/interval", p.Interval}, {"/window", p.Window}, {"/close", p.Close}, {"/again", p.Again}} {
		c.add(f.d.IsZero(), CodePolicyMissing, f.field, "", "missing", "a delay such as 10d")
	}
	c.add(p.Interval.rough() > mostInterval, CodePolicyRange, "/interval", p.Interval, "too long to prove anything", "at most 24mo")
	c.add(!p.Again.IsZero() && p.Again.rough() < leastAgain, CodePolicyRange, "/again", p.Again, "too soon after the last question", "14d or more")
	c.add(!p.Notices.IsZero() && (p.Notices.rough() < leastNotices || p.Notices.rough() > mostInterval), CodePolicyRange, "/notices", p.Notices, "not between a week and two years", "1w or more")
	c.add(p.Again.longer(p.Interval), CodePolicyOrder, "/again", p.Again, "longer than the interval", "at most the interval")
	c.add(p.Window.longer(p.Close), CodePolicyOrder, "/close", p.Close, "before the window is over", "the window or later")
	c.add(p.Close.longer(p.Interval), CodePolicyOrder, "/close", p.Close, "after the next question is due", "at most the interval")
	c.add(p.settle().longer(p.Window), CodePolicyOrder, "/settle", p.Settle, "after the window is over", "at most the window")
	drill := p.drill()
	c.add(drill != Delay{Clock: drill.Clock} || drill.Clock > 7*24*time.Hour, CodePolicyRange, "/drill", p.Drill, "not time on the clock", "hours and minutes, at most 168h")
}

func (c *policyChecker) reminders(p Policy) {
	c.add(p.MaxMails < 0 || p.MaxMails > mostMails, CodePolicyRange, "/max_mails", p.MaxMails, "out of range", "0 to 4")
	c.add(len(p.Reminders)+1 > p.mails(), CodePolicyRange, "/reminders", len(p.Reminders), "more mails than a contact may get", fmt.Sprintf("at most %d reminders", p.mails()-1))
	for i, r := range p.Reminders {
		field := fmt.Sprintf("/reminders/%d", i)
		c.add(r.IsZero(), CodePolicyMissing, field, "", "no time at all", "a delay such as 3bd")
		c.add(r.rough() >= p.Window.rough(), CodePolicyOrder, field, r, "when the window is over", "before the end of the window")
		c.add(i > 0 && r.rough() <= p.Reminders[max(i, 1)-1].rough(), CodePolicyOrder, field, r, "not after the reminder before it", "reminders in order")
	}
}

func (c *policyChecker) ladder(p Policy) {
	c.add(len(p.Ladder) > mostRungs, CodePolicyRange, "/ladder", len(p.Ladder), "too many rungs", "at most 10")
	flags := []FlagKind{FlagNone, FlagUnanswered, FlagTemporarily, FlagUnreachable}
	for i, r := range p.Ladder {
		field := fmt.Sprintf("/ladder/%d", i)
		c.add(r.At.rough() < p.Window.rough(), CodePolicyOrder, field+"/at", r.At, "before the window is over", "the window or later")
		c.add(r.At.rough() > p.Close.rough(), CodePolicyOrder, field+"/at", r.At, "after the question is closed", "at most the close")
		c.add(i > 0 && r.At.rough() < p.Ladder[max(i, 1)-1].At.rough(), CodePolicyOrder, field+"/at", r.At, "before the rung below it", "rungs in order")
		c.add(!slices.Contains(Recipients(), r.To), CodePolicyUnknown, field+"/to", r.To, "nobody we know", fmt.Sprintf("one of %v", Recipients()))
		c.add(!slices.Contains(flags, r.Flag), CodePolicyUnknown, field+"/flag", r.Flag, "not a flag of silence", fmt.Sprintf("one of %v", flags))
		c.add(r.To == ToNobody && r.Flag == FlagNone, CodePolicyMissing, field, "", "a rung that does nothing", "to, or flag, or both")
	}
}

func (c *policyChecker) proof(p Policy) {
	known := slices.Contains(Kinds(), p.Kind) && p.Kind != KindImported
	c.add(!known, CodePolicyUnknown, "/kind", p.Kind, "not a way of asking", "code, nonce, signed, both, drill, webhook or phone")
	level := p.Minimum >= directory.Listed && p.Minimum <= directory.Drilled
	c.add(!level, CodePolicyRange, "/minimum", int(p.Minimum), "not a level", "0 to 4")
	c.add(known && level && p.Kind.Level() < p.Minimum, CodePolicyOrder, "/kind", p.Kind, "can't prove the minimum", "a kind that proves the minimum level")
	c.add(p.Digest && !p.Digests(), CodePolicyOrder, "/digest", p.Digest, "a notice asks for one click, which proves no level", "confirm true, minimum 0, and a kind that goes by mail and is no drill")
	for _, l := range []struct {
		field string
		level directory.Level
	}{{"/lasts/deliverable", directory.Deliverable}, {"/lasts/answered", directory.Answered}, {"/lasts/proven", directory.Proven}, {"/lasts/drilled", directory.Drilled}} {
		d := p.Lasts.of(l.level)
		c.add(d.rough() > mostInterval, CodePolicyRange, l.field, d, "too long to prove anything", "at most 24mo")
		short := known && !d.IsZero() && l.level == p.Kind.Level() && d.rough() < p.Interval.rough()
		c.add(short, CodePolicyOrder, l.field, d, "runs out before the next question", "the interval or longer")
	}
}

func (c *policyChecker) manners(p Policy) {
	quiet := p.Quiet.From >= 0 && p.Quiet.From < 1440 && p.Quiet.To >= 0 && p.Quiet.To < 1440
	c.add(!quiet, CodePolicyRange, "/quiet", p.Quiet, "not hours of a day", "hours such as 20:00-07:00")
	c.add(quiet && p.Quiet.length() > 20*60, CodePolicyRange, "/quiet", p.Quiet, "leaves too little of the day", "at most 20 hours")
	c.add(len(p.Holidays) > mostHolidays, CodePolicyRange, "/holidays", len(p.Holidays), "too many", "at most 400")
	for i, d := range p.Holidays {
		_, err := directory.ParseDate(string(d))
		c.add(err != nil, CodePolicySyntax, fmt.Sprintf("/holidays/%d", i), d, "not a day of the calendar", "a date such as 2026-12-24")
	}
	for _, n := range []struct {
		field string
		n     int
	}{{"/caps/address_day", p.Caps.AddressDay}, {"/caps/domain_hour", p.Caps.DomainHour}, {"/caps/domain_day", p.Caps.DomainDay}, {"/caps/overall_hour", p.Caps.OverallHour}} {
		c.add(n.n < 0, CodePolicyRange, n.field, n.n, "less than nothing", "0 for no cap, or a number of mails")
	}
}

// length returns the minutes of q.
func (q Quiet) length() int { return (q.To - q.From + 1440) % 1440 }

// mostPolicy is how long the JSON form of a policy may be.
const mostPolicy = 64 << 10

// ParsePolicy reads the JSON form of a policy and checks it. With problems,
// the policy is not to be used.
func ParsePolicy(text []byte) (Policy, []directory.Problem) {
	if len(text) > mostPolicy {
		return Policy{}, []directory.Problem{{Code: CodePolicyRange, Reason: "too long", Want: "at most 64 KiB"}}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return Policy{}, []directory.Problem{{Code: CodePolicySyntax, Value: clip(string(text)), Reason: "not a JSON object", Want: `an object such as {"name":"yearly", …}`}}
	}
	var problems []directory.Problem
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		problems = append(problems, fieldProblems(name, fields[name])...)
	}
	var p Policy
	if len(problems) > 0 {
		return p, problems
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return Policy{}, []directory.Problem{{Code: CodePolicySyntax, Reason: err.Error()}}
	}
	return p, p.Check()
}

// fieldProblems finds the field that does not decode: encoding/json does not
// name it where a type reads its own text.
func fieldProblems(name string, value json.RawMessage) []directory.Problem {
	err := decodes(name, value)
	if err == nil {
		return nil
	}
	field := "/" + name
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil {
		for i, item := range list {
			if decodes(name, slices.Concat([]byte("["), item, []byte("]"))) != nil {
				field, value = fmt.Sprintf("/%s/%d", name, i), item
				break
			}
		}
	}
	code, want := CodePolicySyntax, "see the documentation of policies"
	if bytes.Contains([]byte(err.Error()), []byte("unknown field")) {
		code, want = CodePolicyUnknown, "a field of a policy"
	}
	return []directory.Problem{{Code: code, Field: field, Value: clip(string(value)), Reason: err.Error(), Want: want}}
}

func decodes(name string, value []byte) error {
	key, err := json.Marshal(name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(slices.Concat([]byte("{"), key, []byte(":"), value, []byte("}"))))
	d.DisallowUnknownFields()
	return d.Decode(new(Policy))
}
