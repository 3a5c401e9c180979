package api

import (
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// BatchGroup is what one recipient, or one set of undecided ones, is to be told.
type BatchGroup struct {
	Group      int              `json:"group" minimum:"1" doc:"Number of the group, in the order in which the groups appeared" example:"1"`
	Part       int              `json:"part,omitzero" minimum:"1" doc:"Only where a group comes in several parts, because the batch is too large to be held at once: the number of the part" example:"1"`
	Status     string           `json:"status" enum:"match,none,ambiguous,unavailable" doc:"match: one recipient; ambiguous: several, and nothing that decides between them; none: nobody is known; unavailable: what could not be read" example:"match"`
	Recipients []BatchRecipient `json:"recipients" doc:"Whom to tell"`
	Count      int              `json:"count" doc:"How many indicators are in this group, or in this part of it" example:"2"`
	Indicators []string         `json:"indicators" doc:"As they were asked, in their order; one that was asked twice is there twice" example:"[\"192.0.2.17\",\"192.0.2.18\"]"`
	Problems   []BatchProblem   `json:"problems,omitzero" doc:"What could not be read"`
}

// BatchRecipient is a team to tell and the contact to use.
type BatchRecipient struct {
	Team     TeamRef          `json:"team" doc:"The team"`
	Contact  *AnswerContact   `json:"contact" doc:"The contact for the asked use; null where none can be shown"`
	Evidence *format.Evidence `json:"evidence" doc:"What was proven about the contact; null without a contact"`
	Withheld bool             `json:"withheld,omitzero" doc:"A better contact exists that the viewer may not see"`
	Checks   *AnswerChecks    `json:"checks,omitzero" doc:"What checks found about the contact, the domain that it is reached by and the team's keys; absent where nothing was checked"`
}

// BatchProblem is one line, row or query that could not be read.
type BatchProblem struct {
	Line  int         `json:"line" minimum:"1" doc:"Line of the input, from 1; in JSON the number of the query" example:"3"`
	Query string      `json:"query" doc:"What stands there, shortened" example:"192.0.2.256"`
	Error ProblemItem `json:"error" doc:"Why it can't be read"`
}

// BatchSummary ends the answer to a batch. An answer without one is not
// complete.
type BatchSummary struct {
	End         bool         `json:"end" doc:"The answer is complete; false: it was interrupted, and error says why" example:"true"`
	Count       int          `json:"count" doc:"Indicators answered, those that could not be read among them" example:"2"`
	Match       int          `json:"match" doc:"How many of each status" example:"2"`
	None        int          `json:"none" doc:"Nobody is known" example:"0"`
	Ambiguous   int          `json:"ambiguous" doc:"Several teams, and nothing that decides between them" example:"0"`
	Unavailable int          `json:"unavailable" doc:"Could not be read" example:"0"`
	Incomplete  int          `json:"incomplete,omitzero" doc:"Answers of which a step could not be asked" example:"1"`
	Groups      int          `json:"groups,omitzero" doc:"How many groups there are" example:"1"`
	Exact       bool         `json:"exact,omitzero" doc:"Names that are not known were not answered with those that look like them, as is done for up to ten queries" example:"true"`
	Seq         int64        `json:"seq" doc:"The change that the directory had reached for all of the batch" example:"812"`
	Error       *ProblemItem `json:"error,omitzero" doc:"Why the answer was interrupted"`
}

// add counts what one stretch of the batch came to.
func (s *BatchSummary) add(o *BatchSummary) {
	s.Count += o.Count
	s.Match += o.Match
	s.None += o.None
	s.Ambiguous += o.Ambiguous
	s.Unavailable += o.Unavailable
	s.Incomplete += o.Incomplete
}

// answered counts one answer.
func (s *BatchSummary) answered(a *directory.Answer) {
	s.Count++
	if a.Incomplete {
		s.Incomplete++
	}
	switch a.Status {
	case directory.StatusMatch:
		s.Match++
	case directory.StatusNone:
		s.None++
	case directory.StatusAmbiguous:
		s.Ambiguous++
	default:
		s.Unavailable++
	}
}
