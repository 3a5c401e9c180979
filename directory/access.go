package directory

import (
	"reflect"
	"slices"
	"strconv"
)

// action is something a principal may or may not do.
type action string

const (
	actCreate    action = "create team"
	actEdit      action = "edit team"
	actDelete    action = "delete team"
	actMerge     action = "merge teams"
	actHistory   action = "read history"
	actAudit     action = "read audit"
	actEvidence  action = "record evidence"
	actTokens    action = "manage tokens"
	actImport    action = "import"
	actExport    action = "export"
	actReference action = "import reference data"
)

// rule says who may do an action. own is for a role bound to a team or forum:
// it may act on that team, or on members of that forum.
type rule struct {
	scope Scope
	any   []Role // on every team
	own   []Role // on its own team or its forum's members
}

// rules is the whole of who may do what; reading is not here, since everybody
// may read what [Redact] leaves.
var rules = map[action]rule{
	actCreate:    {ScopeWrite, []Role{Operator, Secretariat}, nil},
	actEdit:      {ScopeWrite, []Role{Operator}, []Role{Editor, Secretariat}},
	actDelete:    {ScopeWrite, []Role{Operator}, nil},
	actMerge:     {ScopeWrite, []Role{Operator}, nil},
	actHistory:   {ScopeRead, []Role{Operator}, []Role{Editor, Secretariat}},
	actAudit:     {ScopeAdmin, []Role{Operator}, nil},
	actEvidence:  {ScopeAdmin, []Role{Operator}, nil},
	actTokens:    {ScopeAdmin, []Role{Operator}, nil},
	actImport:    {ScopeImport, []Role{Operator}, nil},
	actExport:    {ScopeAdmin, []Role{Operator}, nil},
	actReference: {ScopeImport, []Role{Operator}, nil},
}

// authorise is the one place that decides whether p may do a to t, which is
// nil for actions on no team.
func authorise(p Principal, a action, t *Team) error {
	r := rules[a]
	switch {
	case !p.SignedIn():
		return &Error{Kind: Unauthenticated, Op: string(a), Problems: []Problem{
			problem("auth.required", "", "this needs a token", "an Authorization header with a Bearer token")}}
	case !p.may(r.scope):
		return refuse(a, "auth.scope", "the token lacks the scope "+string(r.scope), "a token with that scope")
	case slices.Contains(r.any, p.Role):
		return nil
	case t != nil && slices.Contains(r.own, p.Role) && p.owns(t):
		return nil
	}
	return refuse(a, "auth.role", "the role "+string(p.Role)+" may not do this here", "")
}

// owns reports whether a bound role is bound to t.
func (p Principal) owns(t *Team) bool {
	switch p.Role {
	case Editor:
		return p.Team != "" && p.Team == t.ID
	case Secretariat:
		return t.inForum(p.Forum)
	}
	return false
}

func refuse(a action, code Code, reason, want string) error {
	return &Error{Kind: Forbidden, Op: string(a), Problems: []Problem{problem(code, "", reason, want)}}
}

// restricted returns the problems of an edit that touches what its author may
// not decide: a forum decides who its members are, a government whom it
// designates, and nobody confirms a claim of their own.
func restricted(p Principal, before, after *Profile) []Problem {
	if p.Role == Operator {
		return nil
	}
	b, a := bare(*before), bare(*after)
	before, after = &b, &a
	var c checker
	if !reflect.DeepEqual(before.Designations, after.Designations) {
		c.add("auth.field", "/designations", "", "only an operator records what a government designated", "")
	}
	c.foreignMemberships(p, before.Memberships, after.Memberships)
	for i, r := range after.Resources {
		if r.Claim != "confirmed" {
			continue
		}
		if !slices.ContainsFunc(before.Resources, func(b Resource) bool { return b.Key() == r.Key() && b.Claim == r.Claim }) {
			c.add("auth.field", "/resources/"+strconv.Itoa(i)+"/claim", r.Claim, "only an operator confirms a claim", "declared")
		}
	}
	return c.found
}

// foreignMemberships allows a secretariat to change the memberships of its forum.
func (c *checker) foreignMemberships(p Principal, before, after []Membership) {
	theirs := func(list []Membership) []Membership {
		return slices.DeleteFunc(slices.Clone(list), func(m Membership) bool {
			return p.Role == Secretariat && m.Forum == p.Forum
		})
	}
	b, a := theirs(before), theirs(after)
	if len(b)+len(a) > 0 && !reflect.DeepEqual(b, a) {
		c.add("auth.field", "/memberships", "", "only the forum's secretariat or an operator says who its members are", "")
	}
}
