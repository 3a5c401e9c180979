package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// ProblemCode explains one code.
type ProblemCode struct {
	Code   string `json:"code" doc:"The code" example:"if-match.syntax"`
	Title  string `json:"title" doc:"The rule" example:"If-Match has one ETag of a team"`
	Spec   string `json:"spec,omitzero" doc:"Where a standard demands it" example:"RFC 9110 section 13.1.1"`
	Advice string `json:"advice" doc:"What to do" example:"Send the ETag as it was given, such as \"7\", or *."`
}

type (
	problemInput struct {
		Code string `path:"code" maxLength:"64" doc:"The code" example:"if-match.syntax"`
	}
	problemOutput struct{ Body ProblemCode }
)

// Codes returns the codes that are the API's own, sorted. Those of records and
// of queries are in [directory.Codes], those of formats in [format.Codes].
func Codes() []directory.CodeInfo {
	return []directory.CodeInfo{
		{Code: "auth.forbidden", Title: "The token may not do this", Advice: "Ask an operator for a token of another role or scope."},
		{Code: "auth.scheme", Title: "The credentials are a Bearer token", Spec: "RFC 6750 section 2.1", Advice: "Send Authorization: Bearer rct_…, once."},
		{Code: "auth.too-many", Title: "Few tokens that are not valid come from one address", Spec: "RFC 6585 section 4", Advice: "Mend the token, and wait as long as Retry-After says."},
		{Code: "body.encoding", Title: "A body is compressed with gzip or not at all", Spec: "RFC 9110 section 15.5.16", Advice: "Send Content-Encoding: gzip, once, or none."},
		{Code: "body.media-type", Title: "The body has a media type that the operation reads", Spec: "RFC 9110 section 15.5.16", Advice: "Send Content-Type: application/json, in UTF-8."},
		{Code: "body.missing", Title: "The operation needs a body", Advice: "Send a JSON object."},
		{Code: "body.timeout", Title: "A body comes in time", Spec: "RFC 9110 section 15.5.9", Advice: "Send it again over a better connection."},
		{Code: "body.too-large", Title: "A body has at most 1 MiB, that of a batch 128 MiB unless the operator says otherwise", Spec: "RFC 9110 section 15.5.14", Advice: "Send less at once."},
		{Code: "body.unreadable", Title: "A body is complete", Advice: "Send the request again."},
		{Code: "campaign.unknown", Title: "A campaign of this id exists, and the viewer may run it", Advice: "Look at the list of campaigns."},
		{Code: "case.unknown", Title: "A case of this kind is open for the question", Advice: "Look at the list of cases."},
		{Code: "challenge.off", Title: "This server asks contacts", Advice: "Set up mail and challenges: see the operator's guide."},
		{Code: "challenge.unknown", Title: "A question of this id exists", Advice: "Look at the list of questions."},
		{Code: "changes.busy", Title: "A limited number of requests wait for changes at once", Spec: "RFC 9110 section 15.6.4", Advice: "Ask again later, or without wait."},
		{Code: "changes.epoch", Title: "The numbers of changes belong to this database and to what the viewer may see", Spec: "RFC 9110 section 15.5.10", Advice: "Forget the copy; take a new snapshot and follow from its number."},
		{Code: "checks.evidence", Title: "What a check saw is kept as long as something refers to it, and a time longer", Advice: "Take the evidence of a result as it is now."},
		{Code: "checks.unknown", Title: "A check of this name ships", Advice: "See the list of checks."},
		{Code: "contact.unknown", Title: "The team has this contact, and the viewer sees it", Advice: "Look at the list of contacts."},
		{Code: "cursor.sort", Title: "A page goes on in the order of the page before", Advice: "Send the same sort with each page."},
		{Code: "cursor.syntax", Title: "A page begins at the next of the page before", Advice: "Send next as it was given, or nothing for the first page."},
		{Code: "designation.unknown", Title: "The team has this designation", Advice: "Write country and scope as AT-national."},
		{Code: "diff.order", Title: "A comparison goes from the older revision to the newer", Advice: "Change from and to."},
		{Code: "export.format", Title: "There is a format of this name to export teams in", Advice: "Use one that the API document names."},
		{Code: "if-match.syntax", Title: "If-Match has one ETag of a team", Spec: "RFC 9110 section 13.1.1", Advice: `Send the ETag as it was given, such as "7", or *.`},
		{Code: "if-none-match.syntax", Title: "If-None-Match is *, and alone", Spec: "RFC 9110 section 13.1.2", Advice: "Send * to add a team at a chosen id, If-Match to change one."},
		{Code: "item.exists", Title: "A list has each item once", Advice: "Change the one that is there."},
		{Code: "item.imported", Title: "What a source says about a forum or a country is the source's", Advice: "Enter the item with its end: what is entered counts above the source."},
		{Code: "key.no-armor", Title: "The key itself is known, and not its fingerprint alone", Advice: "Ask a key server or the team."},
		{Code: "key.unknown", Title: "The team has this key, and the viewer sees it", Advice: "Look at the list of keys."},
		{Code: "import.columns", Title: "Only a csv file has columns to name", Advice: `Send columns as a JSON object such as {"Team":"names.short"}, with format=csv.`},
		{Code: "import.complete", Title: "A file is all of its source or a part of it", Advice: "Send one of complete and partial."},
		{Code: "import.format", Title: "A format is one that can be imported", Advice: "See the formats in the API document."},
		{Code: "lookup.queries", Title: "A batch has 1 to 1,000,000 queries", Advice: "Send several batches."},
		{Code: "lookup.unavailable", Title: "The directory could not be asked", Spec: "RFC 9110 section 15.6.4", Advice: "Ask again in a moment: nothing is known about the query."},
		{Code: "membership.unknown", Title: "The team is or was in this forum", Advice: "Give the handle of the forum."},
		{Code: "parameter.invalid", Title: "A parameter has a value that it can have", Advice: "Send what the API document says."},
		{Code: "parameter.missing", Title: "A parameter is there", Advice: "Send the parameter."},
		{Code: "parameter.repeated", Title: "A parameter is there once", Advice: "Send it once."},
		{Code: "parameter.unknown", Title: "There is a parameter of this name", Advice: "Check the spelling with the API document."},
		{Code: "ready.check", Title: "What the server needs works", Advice: "See the server's log."},
		{Code: "ready.index", Title: "The index is level with the store", Advice: "See the server's log."},
		{Code: "request.accept", Title: "Accept takes a media type that the operation answers in", Spec: "RFC 9110 section 15.5.7", Advice: "Send Accept: application/json, or none."},
		{Code: "request.conflict", Title: "The input clashes with what is stored", Spec: "RFC 9110 section 15.5.10", Advice: "The errors say with what."},
		{Code: "request.invalid", Title: "The input breaks several rules", Spec: "RFC 9110 section 15.5.21", Advice: "Mend each of the errors."},
		{Code: "request.malformed", Title: "The request can be read", Spec: "RFC 9110 section 15.5.1", Advice: "Mend each of the errors."},
		{Code: "request.method", Title: "The path has this method", Spec: "RFC 9110 section 15.5.6", Advice: "Use one that Allow names."},
		{Code: "request.not-found", Title: "What is asked for exists", Spec: "RFC 9110 section 15.5.5", Advice: "Check the path."},
		{Code: "request.path", Title: "There is something at the path", Spec: "RFC 9110 section 15.5.5", Advice: "Check the path with the API document."},
		{Code: "request.query", Title: "The query string is percent-encoded", Spec: "RFC 3986 section 2.1", Advice: "Write % as %25."},
		{Code: "request.too-many", Title: "Requests stay within the limit", Spec: "RFC 6585 section 4", Advice: "Wait as long as Retry-After says."},
		{Code: "resource.unknown", Title: "The team has this resource, and the viewer sees it", Advice: "Give its value, with %2F for the slash of a prefix."},
		{Code: "securitytxt.no-contact", Title: "A security.txt has a contact", Spec: "RFC 9116 section 2.5.3", Advice: "Publish a contact for vulnerabilities with the label clear."},
		{Code: "securitytxt.value", Title: "A line of a security.txt breaks no rule", Spec: "RFC 9116 section 2", Advice: "Send an absolute https URL."},
		{Code: "server.internal", Title: "The server has no defect", Spec: "RFC 9110 section 15.6.1", Advice: "Tell the operator the request id."},
		{Code: "server.unavailable", Title: "The server can answer now", Spec: "RFC 9110 section 15.6.4", Advice: "Try again later."},
		{Code: "snapshot.busy", Title: "A limited number of snapshots is written at once", Spec: "RFC 9110 section 15.6.4", Advice: "Ask again later."},
		{Code: "team.exists", Title: "No team has the id yet", Spec: "RFC 9110 section 13.1.2", Advice: "Send If-Match with the ETag of the team, to replace it."},
		{Code: "token.unknown", Title: "A token of this id exists", Advice: "Look at the list of tokens."},
		{Code: "webhook.none", Title: "The contact has an automation that answers", Advice: "Register its key first."},
		{Code: "webhook.team", Title: "The team of a webhook stays as it was", Advice: "Make a webhook for the other team."},
		{Code: "webhook.unknown", Title: "A webhook of this id exists", Advice: "Look at the list of webhooks."},
	}
}

// AllCodes returns every code that a problem of this product can have, sorted,
// each once.
func AllCodes() []directory.CodeInfo {
	all := slices.Concat(Codes(), directory.Codes(), format.Codes(), challenge.Codes())
	slices.SortStableFunc(all, func(a, b directory.CodeInfo) int { return cmp.Compare(a.Code, b.Code) })
	return slices.CompactFunc(all, func(a, b directory.CodeInfo) bool { return a.Code == b.Code })
}

func (s *Server) registerProblems() {
	register(s, spec{id: "problem", method: http.MethodGet, path: "/problems/{code}", tag: "operation", access: open,
		summary: "Explain the code of a problem", more: "The type of every problem leads here.", errors: []int{notFound},
		answer: ProblemCode{Code: "if-match.syntax", Title: "If-Match has one ETag of a team", Spec: "RFC 9110 section 13.1.1", Advice: `Send the ETag as it was given, such as "7", or *.`}}, explainCode)
}

func explainCode(_ context.Context, in *problemInput) (*problemOutput, error) {
	all := AllCodes()
	i := slices.IndexFunc(all, func(c directory.CodeInfo) bool { return strings.EqualFold(string(c.Code), in.Code) })
	if i < 0 {
		return nil, inParameter("code", edgeError(directory.NotFound, "request.not-found", in.Code, "there is no such code", ""))
	}
	c := all[i]
	return &problemOutput{Body: ProblemCode{Code: string(c.Code), Title: c.Title, Spec: c.Spec, Advice: c.Advice}}, nil
}
