package api

import (
	"context"
	"net/http"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Vocabulary is one closed list of words.
type Vocabulary struct {
	Name  string   `json:"name" doc:"Name of the list" example:"statuses"`
	Title string   `json:"title" doc:"What the words say" example:"Whether a team operates"`
	Where []string `json:"where" doc:"Members of a team that hold these words, as pointers with * for an index; none where they are elsewhere" example:"[\"/status\"]"`
	Words []Word   `json:"words" doc:"In the order in which to offer them"`
}

// Word is one word of a vocabulary.
type Word struct {
	Word  string `json:"word" doc:"As it is sent and shown" example:"active"`
	Title string `json:"title,omitzero" doc:"What it stands for, where the word alone does not say" example:"Constituency"`
}

// VocabularyList is all vocabularies.
type VocabularyList struct {
	Vocabularies []Vocabulary `json:"vocabularies" doc:"Each once"`
}

type vocabulariesOutput struct{ Body VocabularyList }

func (s *Server) registerVocabularies() {
	register(s, spec{id: "list-vocabularies", method: http.MethodGet, path: "/v1/vocabularies", tag: "reference", access: open,
		summary: "List the words that fields can hold", more: "Closed lists: a word outside of them is refused. They grow with versions of the program and lose nothing.",
		answer: VocabularyList{Vocabularies: []Vocabulary{{Name: "statuses", Title: "Whether a team operates", Where: []string{"/status"}, Words: []Word{{Word: "active"}, {Word: "inactive"}}}}}},
		func(context.Context, *struct{}) (*vocabulariesOutput, error) {
			return &vocabulariesOutput{VocabularyList{vocabularies()}}, nil
		})
}

func vocabularies() []Vocabulary {
	return []Vocabulary{
		{"kinds", "What a team is", []string{"/kinds/*"}, wordsOf(directory.Kinds)},
		{"statuses", "Whether a team operates; none is active", []string{"/status"}, wordsOf(directory.Statuses)},
		{"constituency-types", "Kinds of constituency", []string{"/constituency/types/*/type"}, wordsOf(directory.ConstituencyTypes)},
		{"constituency-scopes", "On which side of the host organisation a constituency lies", []string{"/constituency/types/*/scope"}, wordsOf(directory.ConstituencyScopes)},
		{"sectors", "The sectors of NIS2", []string{"/constituency/sectors/*"}, wordsOf(directory.Sectors)},
		{"channels", "Ways of reaching a contact", []string{"/contacts/*/channel"}, wordsOf(directory.Channels)},
		{"uses", "What a contact is for; none is general", []string{"/contacts/*/uses/*"}, wordsOf(directory.Uses)},
		{"incident-classes", "Incident classes of RSIT; none is all", []string{"/contacts/*/classes/*"}, wordsOf(directory.IncidentClasses)},
		{"visibilities", "TLP 2.0 labels, from open to closed; none is clear", []string{"/contacts/*/visibility", "/keys/*/visibility", "/resources/*/visibility", "/prose/*/visibility", "/maturity/visibility"}, []Word{
			{"clear", "anyone"}, {"green", "anyone who is signed in"}, {"amber", "members and secretariats of a forum the team is in"},
			{"amber+strict", "the team, and the secretariats of its forums"}, {"red", "the team and the operator"}}},
		{"resource-types", "What a team can be responsible for", []string{"/resources/*/type"}, wordsOf(directory.ResourceTypes)},
		{"claims", "How far responsibility for a resource is established; none is declared", []string{"/resources/*/claim"}, wordsOf(directory.Claims)},
		{"membership-statuses", "States of a membership in a forum", []string{"/memberships/*/status", "/memberships/*/history/*/status"}, wordsOf(directory.MembershipStatuses)},
		{"designation-scopes", "For what a government named a team", []string{"/designations/*/scope"}, wordsOf(directory.DesignationScopes)},
		{"services", "The FIRST CSIRT Services Framework 2.1", []string{"/services/*"}, wordsOf(directory.Services)},
		{"sections", "The sections of RFC 2350 appendix D", []string{"/prose/*/number"}, sections()},
		{"levels", "How strongly a contact was proven", []string{"/contacts/*/evidence/level_name"}, levels()},
		{"states", "What the evidence about a contact amounts to", []string{"/contacts/*/evidence/state"}, wordsOf([]directory.State{
			directory.Verified, directory.Due, directory.Overdue, directory.Unverified, directory.Disputed, directory.Failed})},
		{"verdicts", "What checks come to, the worst first", []string{"/checks/*/verdict"}, wordsOf(directory.CheckVerdicts)},
		{"check-kinds", "What checks look at", []string{"/checks/*/kind"}, wordsOf(directory.CheckKinds)},
		{"severities", "How bad a finding is, the worst first", []string{}, wordsOf(verify.Severities())},
		{"roles", "What the owner of a token is to the directory", []string{}, wordsOf(directory.Roles())},
		{"scopes", "What a token is good for", []string{}, wordsOf(directory.Scopes())},
	}
}

func wordsOf[T ~string](list []T) []Word {
	out := make([]Word, len(list))
	for i, w := range list {
		out[i].Word = string(w)
	}
	return out
}

func sections() []Word {
	var out []Word
	for _, s := range directory.Sections() {
		out = append(out, Word{s.Number, s.Title})
	}
	return out
}

func levels() []Word {
	titles := []string{"well-formed, and nothing more", "mail is accepted and nothing bounced", "somebody reads the mailbox or picks up",
		"mailbox and listed key are in the team's hands", "a person answers within the hours the team promises"}
	var out []Word
	for l := directory.Listed; l <= directory.Drilled; l++ {
		out = append(out, Word{l.String(), titles[l]})
	}
	return out
}
