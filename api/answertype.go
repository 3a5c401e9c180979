package api

import (
	"time"

	"github.com/rollcall-csirt/rollcall/directory/format"
)

// Answer is the answer to one lookup as JSON shows it. [AppendAnswer] writes
// it; clients read it.
type Answer struct {
	Query      string      `json:"query" doc:"The query as it was asked" example:"192.0.2.17"`
	Kind       string      `json:"kind" enum:"ip,cidr,asn,domain,url,email,country,fingerprint,team," doc:"What the query was taken for; empty for one of a batch that can't be read" example:"ip"`
	Status     string      `json:"status" enum:"match,none,ambiguous,unavailable" doc:"match: the first rank names one team; ambiguous: several teams answer alike and nothing was chosen; none: every step was asked and nobody is known" example:"match"`
	Candidates []Candidate `json:"candidates" doc:"Teams to contact, best first; those of one rank are undecided"`
	Trace      []Step      `json:"trace" doc:"Every step in the order it was tried"`
	Incomplete bool        `json:"incomplete,omitzero" doc:"A step could not be asked, as the trace says"`
	Seq        int64       `json:"seq" doc:"The change that the directory had reached" example:"812"`

	// Only in a batch.
	Line  int          `json:"line,omitzero" doc:"In a batch that has lines: the one that the query is on, from 1" example:"1"`
	Error *ProblemItem `json:"error,omitzero" doc:"In a batch: why this query can't be read; its status is unavailable"`
}

// Candidate is one team to contact, and why.
type Candidate struct {
	Team        TeamRef             `json:"team" doc:"The team"`
	Contact     *AnswerContact      `json:"contact" doc:"The contact for the asked use; null where none can be shown"`
	MatchedOn   string              `json:"matched_on" doc:"What of the team's matched" example:"192.0.2.0/24"`
	Rung        string              `json:"rung" enum:"fingerprint,mailbox,team,prefix,asn,domain,country,national,last-resort" doc:"Step of the ladder" example:"prefix"`
	Rank        int                 `json:"rank" minimum:"1" doc:"From 1" example:"1"`
	Why         string              `json:"why" doc:"Why the team is a candidate, in words" example:"is responsible for 192.0.2.0/24"`
	Holder      string              `json:"holder,omitzero" doc:"The organisation behind what matched" example:"Example University"`
	Claim       string              `json:"claim,omitzero" enum:"listed,declared,confirmed,disputed" doc:"How far the team's responsibility is established; absent is declared"`
	Continuity  string              `json:"continuity,omitzero" enum:"unproven,refused" doc:"Of a key that was asked for and that came beside or in place of another: unproven, while nothing speaks for it; refused, after somebody said that it is wrong"`
	Withheld    bool                `json:"withheld,omitzero" doc:"A better contact exists that the viewer may not see"`
	Near        bool                `json:"near,omitzero" doc:"The name only looks like the one asked for; never to be taken without asking"`
	Evidence    *format.Evidence    `json:"evidence" doc:"What was proven about the contact, when, how and until when; null without a contact"`
	Designation *format.Designation `json:"designation,omitzero" doc:"Of a national team"`
	Checks      *AnswerChecks       `json:"checks,omitzero" doc:"What checks found about what this answer leans on: the contact, the domain that it is reached by, the team's keys, and the domain that matched; absent where nothing was checked. A bad verdict hides nothing; all verdicts are in the team"`
}

// AnswerChecks sums up the verdicts that an answer leans on.
type AnswerChecks struct {
	OK           int                   `json:"ok" minimum:"0" doc:"How many are fine" example:"17"`
	Warning      int                   `json:"warning" minimum:"0" doc:"How many have warnings" example:"1"`
	Error        int                   `json:"error" minimum:"0" doc:"How many have errors" example:"0"`
	Inconclusive int                   `json:"inconclusive" minimum:"0" doc:"How many could not be checked, which is nobody's defect" example:"0"`
	Checked      time.Time             `json:"checked,omitzero" format:"date-time" doc:"Until when at least all of them were seen to hold; refreshed weekly while nothing changes"`
	Faults       []format.CheckVerdict `json:"faults,omitzero" doc:"Those that are not ok, the worst first; at most 16 about the contact and 16 about what matched"`
}

// TeamRef names a team.
type TeamRef struct {
	ID     string `json:"id" format:"uuid" doc:"Stable UUID" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Handle string `json:"handle" doc:"Unique short name" example:"example-csirt"`
	Name   string `json:"name" doc:"The name to show" example:"EXAMPLE-CSIRT"`
}

// AnswerContact is the contact of a [Candidate].
type AnswerContact struct {
	ID      string   `json:"id" format:"uuid" doc:"Stable UUID" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Channel string   `json:"channel" enum:"email,phone,url,chat" doc:"How the contact is reached" example:"email"`
	Value   string   `json:"value" doc:"Address, E.164 number or URI" example:"csirt@example.org"`
	Uses    []string `json:"uses" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contact is for"`
	Classes []string `json:"classes,omitzero" doc:"RSIT incident classes; absent is all"`
	Label   string   `json:"label,omitzero" doc:"A word for people" example:"duty officer"`
	Person  string   `json:"person,omitzero" doc:"Name of the person, if it is not a role"`
	Hours   string   `json:"hours,omitzero" doc:"Weekly hours in the team's zone, where they differ from the team's" example:"24x7"`
}

// Step is one step of the trace.
type Step struct {
	Rung    string      `json:"rung" enum:"fingerprint,mailbox,team,prefix,asn,domain,country,national,last-resort" doc:"Step of the ladder" example:"country"`
	Result  string      `json:"result" enum:"match,ambiguous,none,no_contact,withheld,mapped,not_loaded,inactive,near" doc:"What it came to" example:"mapped"`
	Subject string      `json:"subject" doc:"What was tried" example:"192.0.2.17"`
	Found   string      `json:"found,omitzero" doc:"What it matched or was mapped to" example:"AT"`
	Team    *TeamRef    `json:"team,omitzero" doc:"The only team found"`
	Count   int         `json:"count,omitzero" doc:"How many teams were found"`
	Source  *StepSource `json:"source,omitzero" doc:"The reference data that was asked"`
	Text    string      `json:"text" doc:"The step in words" example:"prefix 192.0.2.0/24 → AT (prefix-country/rir, as of 2026-02-01)"`
}

// StepSource is the reference data behind a [Step].
type StepSource struct {
	Kind   string    `json:"kind" doc:"Kind of reference data" example:"prefix-country"`
	Source string    `json:"source" doc:"Who published it" example:"rir"`
	Prefix string    `json:"prefix,omitzero" doc:"The entry that matched" example:"192.0.2.0/24"`
	AsOf   time.Time `json:"as_of,omitzero" format:"date-time" doc:"The day that it describes"`
}
