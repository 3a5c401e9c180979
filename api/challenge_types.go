package api

import (
	"cmp"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Question is one question to one contact: a reachability challenge.
type Question struct {
	ID       string     `json:"id" format:"uuid" doc:"Its id" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
	Team     TeamRef    `json:"team" doc:"The team"`
	Contact  string     `json:"contact" format:"uuid" doc:"The contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Revision int        `json:"revision" doc:"Of the contact: an answer proves nothing about another" example:"1"`
	Address  string     `json:"address,omitzero" doc:"What was asked; absent where the viewer does not see the contact" example:"csirt@example.org"`
	Campaign string     `json:"campaign,omitzero" format:"uuid" doc:"The campaign that it is part of" example:"9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"`
	Kind     string     `json:"kind" enum:"code,nonce,signed,both,drill,webhook,phone,imported" doc:"How it is asked" example:"code"`
	Policy   string     `json:"policy" doc:"By which policy" example:"half-yearly"`
	Parent   string     `json:"parent,omitzero" format:"uuid" doc:"The question whose silence led to this one" example:"1c9a7e02-64bb-4a0a-9a6b-0f7f5d3e2a10"`
	State    string     `json:"state" enum:"scheduled,sent,delivered,bounced,reminded,expired,escalated,answered,closed" doc:"Where it stands" example:"answered"`
	Outcome  string     `json:"outcome,omitzero" enum:"unanswered,undeliverable,not-sent,wrong-address,superseded,withdrawn,stopped" doc:"Why it was closed without proof" example:"unanswered"`
	Reached  int        `json:"reached" minimum:"0" maximum:"4" doc:"The highest level that was proven" example:"2"`
	Due      time.Time  `json:"due" format:"date-time" doc:"When it is or was to go out"`
	Accepted time.Time  `json:"accepted,omitzero" format:"date-time" doc:"When the mail relay took it: the clock of the answer started"`
	Bounced  int        `json:"bounced,omitzero" doc:"How many of its mails came back" example:"0"`
	Human    time.Time  `json:"human,omitzero" format:"date-time" doc:"The first act of a person"`
	Quick    time.Time  `json:"quick,omitzero" format:"date-time" doc:"The first act of a person, by its looks, that came within 120 seconds of its mail: it counts, and may be a program's"`
	Answered time.Time  `json:"answered,omitzero" format:"date-time" doc:"When what was asked for was proven"`
	Closed   time.Time  `json:"closed,omitzero" format:"date-time" doc:"When it was closed without proof"`
	Paused   time.Time  `json:"paused,omitzero" format:"date-time" doc:"Since when it stands still"`
	Proofs   []Proven   `json:"proofs,omitzero" doc:"What was proven, each method once"`
	Call     *PhoneCall `json:"call,omitzero" doc:"A call that waits for a second operator; for operators only"`
}

// Proven is what one method proved.
type Proven struct {
	Method string    `json:"method" doc:"How" example:"challenge.code"`
	Level  int       `json:"level" doc:"The level" example:"2"`
	At     time.Time `json:"at" format:"date-time" doc:"When"`
}

// PhoneCall is an operator's call as it was logged.
type PhoneCall struct {
	Operator    string    `json:"operator" doc:"Who called" example:"token:rct_4f2a9c1b"`
	Number      string    `json:"number" doc:"As it was dialled" example:"+4315056416"`
	At          time.Time `json:"at" format:"date-time" doc:"When"`
	Reached     bool      `json:"reached" doc:"A person of the team answered and read back the code" example:"true"`
	Unannounced bool      `json:"unannounced,omitzero" doc:"Within promised hours and without notice" example:"false"`
}

// QuestionPage is a page of questions.
type QuestionPage struct {
	Questions []Question `json:"questions" doc:"Newest first"`
	Next      string     `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"MTc2NzIyNTYwMDAwMDAwMA"`
}

// QuestionStory is a question with what happened to it.
type QuestionStory struct {
	Question Question        `json:"question" doc:"The question"`
	Events   []QuestionEvent `json:"events" doc:"What happened, oldest first. It has no secret: neither codes nor tokens"`

	PhoneCode string `json:"phone_code,omitzero" doc:"Six digits that an operator reads out on the telephone and has read back; for operators only, while it waits for its answer" example:"402917"`
}

// QuestionEvent is one thing that happened to a question.
type QuestionEvent struct {
	N        int       `json:"n" doc:"Its number" example:"1"`
	At       time.Time `json:"at" format:"date-time" doc:"When it was taken in"`
	Event    string    `json:"event" doc:"What happened" example:"code-right"`
	Step     string    `json:"step,omitzero" doc:"To which of its mails" example:"first"`
	Status   string    `json:"status,omitzero" doc:"The enhanced status code (RFC 3463) of a refusal or bounce" example:"5.1.1"`
	Evidence string    `json:"evidence,omitzero" doc:"SHA-256 of the mail that was kept as evidence" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Quick    bool      `json:"quick,omitzero" doc:"It came within 120 seconds of its mail: a plain reply is suspected of being automatic, and a code, a click or a signature counts, and may be a program's" example:"true"`
	By       string    `json:"by,omitzero" doc:"The operator or registrar" example:"token:rct_4f2a9c1b"`
	Effects  []string  `json:"effects,omitzero" doc:"What came of it" example:"[\"record answered challenge.code\"]"`

	Origin *MailOrigin `json:"origin,omitzero" doc:"Of a mail that came in: what speaks for where it came from. It proves nothing and decides nothing"`
}

// MailOrigin is how a mail that came in was authenticated (RFC 8601).
type MailOrigin struct {
	SPF     string          `json:"spf" enum:"pass,fail,softfail,neutral,none,temperror,permerror" doc:"Whether the mail's return path names the address that it came from (RFC 7208). None, too, where that address is not known: behind a mail server of the site, on a pipe, from a folder" example:"pass"`
	DKIM    []MailSignature `json:"dkim" doc:"Its DKIM signatures (RFC 6376), at most five"`
	DMARC   string          `json:"dmarc,omitzero" enum:"pass,fail,none,temperror" doc:"Whether SPF or DKIM speak for the domain in From (RFC 9989). Where the address is not known, fail says of DKIM alone" example:"pass"`
	Policy  string          `json:"policy,omitzero" enum:"none,quarantine,reject" doc:"What that domain asks for otherwise" example:"reject"`
	Trusted []string        `json:"trusted,omitzero" doc:"What a mail server of the site found that is named in the configuration" example:"[\"dmarc=pass example.org\"]"`
}

// MailSignature is a DKIM signature of a mail that came in.
type MailSignature struct {
	Domain   string `json:"domain" doc:"Who signed, in lower case" example:"example.org"`
	Selector string `json:"selector,omitzero" doc:"By which key, where it passed: its name at _domainkey of that domain" example:"s1"`
	Result   string `json:"result" enum:"pass,fail,temperror" doc:"What became of it" example:"pass"`
	Reason   string `json:"reason,omitzero" doc:"Why it did not pass" example:"dkim: body hash did not verify"`
}

// NewQuestion is the body of a request that has a contact asked.
type NewQuestion struct {
	Team    string    `json:"team" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	Contact string    `json:"contact" maxLength:"64" doc:"Id of the contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Kind    string    `json:"kind,omitzero" enum:"code,nonce,signed,both,drill,webhook,phone" doc:"How to ask; absent is what fits the contact" example:"code"`
	Policy  string    `json:"policy,omitzero" maxLength:"40" doc:"By which policy; absent is the one that holds for the contact" example:"half-yearly"`
	Due     time.Time `json:"due,omitzero" format:"date-time" doc:"When to ask; absent is as soon as limits allow"`
}

// Reason is the body of a request that says why.
type Reason struct {
	Why string `json:"why,omitzero" maxLength:"500" doc:"Why, for those who come after" example:"the team asked for it"`
}

// NewCall is the body of a request that logs a call.
type NewCall struct {
	Number      string    `json:"number" maxLength:"40" doc:"As it was dialled" example:"+4315056416"`
	At          time.Time `json:"at,omitzero" format:"date-time" doc:"When; absent is now"`
	Reached     bool      `json:"reached" doc:"A person of the team answered and read back the code" example:"true"`
	Code        string    `json:"code,omitzero" maxLength:"20" doc:"Where a person was reached: the six digits of the question (phone_code), as they were read back" example:"402917"`
	Unannounced bool      `json:"unannounced,omitzero" doc:"Within promised hours and without notice" example:"false"`
}

// Judgement is the body of a request of a second operator.
type Judgement struct {
	Approve *bool `json:"approve" doc:"The call counts; false rejects it" example:"true"`
}

// DeskCase is something that an operator is asked to look at.
type DeskCase struct {
	Question string    `json:"question" format:"uuid" doc:"The question that it is about" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
	Team     TeamRef   `json:"team" doc:"The team"`
	Kind     string    `json:"kind" enum:"call,please-call,approve-call,wrong-address,opt-out,other-key,locked,unsendable,unreachable" doc:"Why" example:"please-call"`
	Opened   time.Time `json:"opened" format:"date-time" doc:"Since when"`
	Closed   time.Time `json:"closed,omitzero" format:"date-time" doc:"When it was closed"`
	ClosedBy string    `json:"closed_by,omitzero" doc:"By whom" example:"token:rct_4f2a9c1b"`
	Note     string    `json:"note,omitzero" doc:"What is known" example:"5.7.1"`
}

// DeskCaseList is a list of cases.
type DeskCaseList struct {
	Cases []DeskCase `json:"cases" doc:"Oldest first"`
	Next  string     `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"MTc2NzIyNTYwMDAwMDAwMA"`
}

// CaseClosing is the body of a request that closes a case.
type CaseClosing struct {
	Note    string `json:"note,omitzero" maxLength:"500" doc:"What was done" example:"spoke with them by telephone"`
	Allowed bool   `json:"allowed,omitzero" doc:"Of an opt-out: the contact agrees to be mailed again. Otherwise it is left alone" example:"true"`

	Confirmed bool `json:"confirmed,omitzero" doc:"Of an unreachable contact: nobody answers there. It becomes evidence, and the contact is failed until it answers" example:"false"`
}

// ForeignResult is the body of a request that takes in what another registrar found.
type ForeignResult struct {
	Team    string    `json:"team" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	Contact string    `json:"contact" maxLength:"64" doc:"Id of the contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Level   int       `json:"level" minimum:"1" maximum:"4" doc:"The level that they proved" example:"2"`
	Source  string    `json:"source" maxLength:"100" doc:"The registrar" example:"Example Forum"`
	At      time.Time `json:"at" format:"date-time" doc:"When they found it"`
}

// ContactOutlook is how a contact stands with its questions.
type ContactOutlook struct {
	Contact string    `json:"contact" format:"uuid" doc:"The contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Address string    `json:"address,omitzero" doc:"Its value; absent where the viewer does not see it" example:"csirt@example.org"`
	Policy  string    `json:"policy,omitzero" doc:"By which policy it is asked; absent: it is never asked" example:"half-yearly"`
	Rule    string    `json:"rule,omitzero" doc:"For whom that policy holds" example:"everybody"`
	Kind    string    `json:"kind,omitzero" doc:"How it would be asked; absent where nothing here reaches it" example:"code"`
	Due     time.Time `json:"due,omitzero" format:"date-time" doc:"When it is to be asked next; may have passed; absent where nothing comes by itself, for the reason in why"`
	Why     string    `json:"why,omitzero" enum:"never-proven,interval,runs-out,failed,below-level,disputed,asked,opted-out,no-policy,no-way,unvouched,stopped,digest" doc:"Why then; or, without due, why not: disputed and opted-out until an operator decided, no-policy (no rule holds for it), no-way (nothing that its policy asks for fits it), unvouched (nobody but the team's editors stands for the address), stopped (the kill switch). By digest it is asked in a notice to its team" example:"interval"`
	Proof   time.Time `json:"proof,omitzero" format:"date-time" doc:"The proof that this counts from"`
	Mark    string    `json:"mark,omitzero" enum:"unanswered,temporarily-unanswered,unreachable,undeliverable,opt-out-asked" doc:"What it is marked with" example:"unanswered"`
	Open    *Question `json:"open,omitzero" doc:"What it is being asked"`
	Last    *Question `json:"last,omitzero" doc:"What it was asked last, and is over"`
}

// TeamOutlook is how a team's contacts stand with their questions.
type TeamOutlook struct {
	Team     TeamRef          `json:"team" doc:"The team"`
	Contacts []ContactOutlook `json:"contacts" doc:"In the order of the team"`
}

// OutlookPage is a page of contacts that stand with their questions for one reason.
type OutlookPage struct {
	Teams []TeamOutlook `json:"teams" doc:"In the order of their ids, with the contacts that stand so; what these are and were asked is left out"`
	Next  string        `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"MTc2NzIyNTYwMDAwMDAwMA"`
}

// PolicyList is how contacts are asked here.
type PolicyList struct {
	Policies []AskingPolicy `json:"policies" doc:"The operator's own, and the presets that they do not replace"`
	Rules    []PolicyRule   `json:"rules" doc:"Who is asked by which; the one that says most holds"`
	Stopped  bool           `json:"stopped" doc:"The kill switch is on: nobody is asked anything" example:"false"`
}

// AskingPolicy says how often contacts are asked, how long they have, who hears of silence,
// and how long proof lasts. Delays are written as 4mo, 2w, 10d, 3bd (business days), 12h or 30m.
type AskingPolicy struct {
	Name      string            `json:"name" doc:"Its name" example:"half-yearly"`
	About     string            `json:"about,omitzero" doc:"What it is for" example:"address registries"`
	Interval  string            `json:"interval" doc:"From one proof to the next question" example:"6mo"`
	Again     string            `json:"again" doc:"The least time between two questions to one contact: 14 days or more" example:"14d"`
	Window    string            `json:"window" doc:"In which the answer is due, from when the mail relay took the question" example:"15d"`
	Reminders []string          `json:"reminders,omitzero" doc:"When to remind" example:"[\"7d\",\"12d\"]"`
	Ladder    []PolicyRung      `json:"ladder,omitzero" doc:"What follows silence"`
	Close     string            `json:"close" doc:"After which no answer counts" example:"60d"`
	Settle    string            `json:"settle,omitzero" doc:"Without a bounce for this long, a mail was delivered; absent is 48h" example:"48h"`
	Drill     string            `json:"drill,omitzero" doc:"Of promised hours, in which a drill must be answered; absent is 2h" example:"2h"`
	Minimum   int               `json:"minimum" minimum:"0" maximum:"4" doc:"The level that a contact must prove" example:"2"`
	Kind      string            `json:"kind" doc:"How it asks; a contact without a key is asked by code" example:"code"`
	Quiet     string            `json:"quiet,omitzero" doc:"Hours of the team's day in which nothing is sent" example:"20:00-07:00"`
	Holidays  []string          `json:"holidays,omitzero" doc:"Days on which nothing is sent" example:"[\"2026-12-24\"]"`
	MaxMails  int               `json:"max_mails" minimum:"1" maximum:"4" doc:"Mails to one contact for one question, at most" example:"4"`
	Caps      map[string]int    `json:"caps,omitzero" doc:"Most mails within an hour or a day: address_day, domain_hour, domain_day, overall_hour" example:"{\"domain_hour\":10}"`
	Lasts     map[string]string `json:"lasts" doc:"How long proof of each level counts: deliverable, answered, proven, drilled" example:"{\"answered\":\"6mo\"}"`
	Digest    bool              `json:"digest" doc:"Where notices to teams are on, those ask for the one click: a contact that is due is listed there, and not asked by a mail of its own" example:"false"`
	Confirm   bool              `json:"confirm" doc:"Still right, in one click, counts as freshness of level 0" example:"false"`
}

// PolicyRung is one step of what follows silence.
type PolicyRung struct {
	At   string `json:"at" doc:"After the mail relay took the question" example:"15d"`
	To   string `json:"to,omitzero" enum:"next-contact,representative,sponsor,operator,secretariat" doc:"Who hears of it" example:"representative"`
	Flag string `json:"flag,omitzero" enum:"unanswered,temporarily-unanswered,unreachable" doc:"What the contact is marked with" example:"temporarily-unanswered"`
}

func policyFrom(p *challenge.Policy) AskingPolicy {
	out := AskingPolicy{Name: p.Name, About: p.About, Interval: p.Interval.String(), Again: p.Again.String(), Window: p.Window.String(), Close: p.Close.String(),
		Settle: p.Settle.String(), Drill: p.Drill.String(), Minimum: int(p.Minimum), Kind: string(p.Kind), Quiet: p.Quiet.String(), MaxMails: cmp.Or(p.MaxMails, 4),
		Digest: p.Digest, Confirm: p.Confirm, Lasts: map[string]string{}}
	for _, d := range p.Reminders {
		out.Reminders = append(out.Reminders, d.String())
	}
	for _, r := range p.Ladder {
		out.Ladder = append(out.Ladder, PolicyRung{r.At.String(), string(r.To), string(r.Flag)})
	}
	for _, d := range p.Holidays {
		out.Holidays = append(out.Holidays, string(d))
	}
	for _, c := range []struct {
		name string
		n    int
	}{{"address_day", p.Caps.AddressDay}, {"domain_hour", p.Caps.DomainHour}, {"domain_day", p.Caps.DomainDay}, {"overall_hour", p.Caps.OverallHour}} {
		if c.n > 0 {
			if out.Caps == nil {
				out.Caps = map[string]int{}
			}
			out.Caps[c.name] = c.n
		}
	}
	for _, l := range []struct {
		name string
		d    challenge.Delay
	}{{"deliverable", p.Lasts.Deliverable}, {"answered", p.Lasts.Answered}, {"proven", p.Lasts.Proven}, {"drilled", p.Lasts.Drilled}} {
		if !l.d.IsZero() {
			out.Lasts[l.name] = l.d.String()
		}
	}
	return out
}

// PolicyRule says for whom a policy holds.
type PolicyRule struct {
	Policy string `json:"policy" doc:"Its name" example:"half-yearly"`
	Holds  string `json:"holds" doc:"For whom" example:"forum tf-csirt"`
}

func (s *Server) asked(c *challenge.Challenge, viewer directory.Principal) Question {
	return QuestionOf(s.cfg.Index(), c, viewer)
}

// QuestionOf makes the wire form of a question, as the viewer may see it. The index
// may be nil: then its team has no name.
func QuestionOf(x *directory.Index, c *challenge.Challenge, viewer directory.Principal) Question {
	q := Question{ID: string(c.ID), Team: TeamRef{ID: string(c.Team)}, Contact: string(c.Contact), Revision: c.Revision, Campaign: string(c.Campaign), Kind: string(c.Kind),
		Policy: c.Policy, Parent: string(c.Parent), State: string(c.State), Outcome: string(c.Outcome), Reached: int(c.Reached), Due: utc(c.Due), Accepted: utc(c.Accepted),
		Bounced: len(c.Bounces), Human: utc(c.Human), Quick: utc(c.Quick), Answered: utc(c.Answered), Closed: utc(c.Closed), Paused: utc(c.Paused)}
	for _, p := range c.Proofs {
		q.Proofs = append(q.Proofs, Proven{p.Method, int(p.Level), utc(p.At)})
	}
	if c.Call != nil && directory.MayReadCases(viewer) == nil {
		q.Call = &PhoneCall{c.Call.Operator, c.Call.Number, utc(c.Call.At), c.Call.Reached, c.Call.Unannounced}
	}
	if directory.MayReadChallenges(viewer, nil) == nil { // also of contacts and teams that are gone
		q.Address = c.Address
	}
	if x == nil {
		return q
	}
	if t, ok := x.Team(c.Team); ok {
		q.Team = refOf(t)
		for i := range t.Contacts {
			if t.Contacts[i].ID == c.Contact && viewer.Sees(t.Contacts[i].Visibility, t) {
				q.Address = c.Address
			}
		}
	}
	return q
}

// StoryOf makes the wire form of a question and of what happened to it, with the code that is
// read back on the telephone.
func StoryOf(x *directory.Index, c *challenge.Challenge, log []challenge.Logged, phone string, viewer directory.Principal) QuestionStory {
	out := QuestionStory{Question: QuestionOf(x, c, viewer), Events: []QuestionEvent{}, PhoneCode: phone}
	for i := range log {
		out.Events = append(out.Events, eventFrom(&log[i]))
	}
	return out
}

// CaseOf makes the wire form of a case.
func CaseOf(x *directory.Index, c *challenge.OpenCase) DeskCase {
	one := DeskCase{Question: string(c.Challenge), Team: TeamRef{ID: string(c.Team)}, Kind: string(c.Kind), Opened: utc(c.Opened), Closed: utc(c.Closed), ClosedBy: c.ClosedBy, Note: c.Note}
	if x == nil {
		return one
	}
	if t, ok := x.Team(c.Team); ok {
		one.Team = refOf(t)
	}
	return one
}

func eventFrom(l *challenge.Logged) QuestionEvent {
	e := QuestionEvent{N: l.N, At: utc(l.At), Event: string(l.Event.Kind), Step: l.Event.Step, Status: l.Event.Status, Evidence: l.Event.Raw, Quick: l.Event.Quick, By: l.Event.Operator, Effects: l.Effects, Origin: originFrom(&l.Event)}
	if l.Event.Source != "" {
		e.By = l.Event.Source
	}
	return e
}

func originFrom(e *challenge.Event) *MailOrigin {
	a := e.Origin
	if a == nil {
		return nil
	}
	o := &MailOrigin{SPF: cmp.Or(a.SPF, "none"), DKIM: []MailSignature{}, DMARC: a.DMARC, Policy: a.Policy, Trusted: a.Trusted}
	for _, s := range a.DKIM {
		o.DKIM = append(o.DKIM, MailSignature(s))
	}
	return o
}

func exampleQuestion() Question {
	at := exampleDay()
	return Question{ID: "4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11", Team: exampleRef(), Contact: "0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d", Revision: 1, Address: "csirt@example.org",
		Kind: "code", Policy: "half-yearly", State: "answered", Reached: 2, Due: at, Accepted: at.Add(time.Minute), Human: at.Add(2 * time.Hour), Answered: at.Add(2 * time.Hour),
		Proofs: []Proven{{"challenge.code", 2, at.Add(2 * time.Hour)}}}
}
