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
	actMatches   action = "list matches"
	actHistory   action = "read history"
	actAudit     action = "read audit"
	actEvidence  action = "record evidence"
	actTokens    action = "manage tokens"
	actImport    action = "import"
	actExport    action = "export"
	actReference action = "import reference data"
	actSteer     action = "steer checks"
	actRunChecks action = "run checks"

	actTranscripts action = "read transcripts of checks"
	actWatch       action = "watch checks"
	actRevoke      action = "merge revocations"
	actVouch       action = "vouch for key"
	actStateKey    action = "hand in statement about key"
	actRefuseKey   action = "refuse key"
	actSightKey    action = "record key found"

	actAsk      action = "ask contact"
	actAnswers  action = "read challenges"
	actCampaign action = "run campaign"
	actDesk     action = "work at the desk of challenges"
	actSurvey   action = "read campaigns"
	actConsent  action = "give consent"
	actCases    action = "read cases"
	actHooks    action = "keep webhooks"
	actSeeHooks action = "read webhooks"

	actControl      action = "change proof of control"
	actControlToken action = "read token of control"
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
	actMatches:   {ScopeRead, []Role{Operator, Secretariat}, nil}, // a secretariat: about members of its forum
	actHistory:   {ScopeRead, []Role{Operator}, []Role{Editor, Secretariat}},
	actAudit:     {ScopeAdmin, []Role{Operator}, nil},
	actEvidence:  {ScopeAdmin, []Role{Operator}, nil},
	actTokens:    {ScopeAdmin, []Role{Operator}, nil},
	actImport:    {ScopeImport, []Role{Operator}, nil},
	actExport:    {ScopeAdmin, []Role{Operator}, nil},
	actReference: {ScopeImport, []Role{Operator}, nil},
	actSteer:     {ScopeAdmin, []Role{Operator}, nil},
	actRunChecks: {ScopeWrite, []Role{Operator}, []Role{Editor}},

	actTranscripts: {ScopeRead, []Role{Operator}, []Role{Editor}},
	actWatch:       {ScopeRead, []Role{Operator}, nil},
	actRevoke:      {ScopeWrite, []Role{Operator}, []Role{Editor}},
	actVouch:       {ScopeAdmin, []Role{Operator}, nil},
	actStateKey:    {ScopeWrite, []Role{Operator}, []Role{Editor}},
	actRefuseKey:   {ScopeWrite, []Role{Operator}, []Role{Editor}},
	actSightKey:    {ScopeAdmin, []Role{Operator}, nil},

	actAsk:      {ScopeWrite, []Role{Operator}, []Role{Editor, Secretariat}},
	actAnswers:  {ScopeRead, []Role{Operator}, []Role{Editor, Secretariat}},
	actCampaign: {ScopeAdmin, []Role{Operator, Secretariat}, nil}, // a secretariat: of its own forum, see MayRunCampaign
	actDesk:     {ScopeAdmin, []Role{Operator}, nil},
	actSurvey:   {ScopeRead, []Role{Operator, Secretariat}, nil}, // as for actCampaign
	actConsent:  {ScopeWrite, []Role{Operator}, []Role{Editor}},
	actCases:    {ScopeRead, []Role{Operator}, nil},
	actHooks:    {ScopeWrite, []Role{Operator}, []Role{Editor}},
	actSeeHooks: {ScopeRead, []Role{Operator}, []Role{Editor}},

	actControl:      {ScopeWrite, []Role{Operator}, []Role{Editor}},
	actControlToken: {ScopeRead, []Role{Operator}, []Role{Editor}},
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
	case t != nil && slices.Contains(r.own, p.Role) && p.owns(t, a):
		return nil
	}
	return refuse(a, "auth.role", "the role "+string(p.Role)+" may not do this here", "")
}

// owns reports whether a bound role is bound to t. A secretariat edits the
// membership of a candidate, and of a member that it suspended, too: see
// restricted.
func (p Principal) owns(t *Team, a action) bool {
	switch p.Role {
	case Editor:
		return p.Team != "" && p.Team == t.ID
	case Secretariat:
		return t.inForum(p.Forum) || a == actEdit && p.Forum != "" &&
			slices.ContainsFunc(t.Memberships, func(m Membership) bool { return m.Forum == p.Forum })
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
	c.claims(before.Resources, after.Resources)
	return c.found
}

// claims refuses what only an operator decides about resources: a claim is
// confirmed or disputed by somebody else than the team, and whoever says to
// answer for a whole country or public suffix would be asked about everybody.
func (c *checker) claims(before, after []Resource) {
	judged := func(claim Word) bool { return claim == "confirmed" || claim == "disputed" }
	old := make(map[string]Word, len(before))
	for _, r := range before {
		old[r.Key()] = r.Claim
	}
	for i, r := range after {
		at := "/resources/" + strconv.Itoa(i)
		was, had := old[r.Key()]
		delete(old, r.Key())
		switch {
		case was != r.Claim && (judged(was) || judged(r.Claim)):
			c.add("auth.field", at+"/claim", r.Claim, "only an operator confirms or disputes a claim", was)
		case !had && (r.Type == "country" || r.Type == "domain" && r.Domain.IsPublicSuffix()):
			c.add("auth.field", at, r.Value(), "only an operator says who answers for a whole country or public suffix", "")
		}
	}
	for key, claim := range old {
		if claim == "disputed" {
			c.add("auth.field", "/resources", key, "a disputed resource stays until an operator settles the dispute", "")
		}
	}
}

// spare keeps an edit from touching what its author can't see or may not
// decide, before it is settled. Items of a list that are hidden from the author
// stay in the list that the author sends. Memberships and designations that
// are sent as they were shown are no edit: entered, they would outlast the
// source that they come from.
func (p Principal) spare(before *Team, old, own *Profile) []Problem {
	if p.Role == Operator {
		return nil
	}
	var c checker
	spareHidden(&c, "/contacts", before.Contacts, old.Contacts, &own.Contacts, func(x *Contact) bool { return p.Sees(x.Visibility, before) })
	spareHidden(&c, "/keys", before.Keys, old.Keys, &own.Keys, func(x *TeamKey) bool { return p.Sees(x.Visibility, before) })
	spareHidden(&c, "/resources", before.Resources, old.Resources, &own.Resources, func(x *Resource) bool { return p.Sees(x.Visibility, before) })
	spareHidden(&c, "/prose", before.Prose, old.Prose, &own.Prose, func(x *Section) bool { return p.Sees(x.Visibility, before) })
	label := before.Maturity.Visibility
	if label == "" {
		label = Red
	}
	if !before.Maturity.IsZero() && !p.Sees(label, before) && !reflect.DeepEqual(old.Maturity, own.Maturity) {
		c.add("auth.hidden", "/maturity", "", "an assessment that is not shown to you can't be edited by you", "")
	}
	b := bare(before.Profile)
	own.Memberships = unpinned(own.Memberships, old.Memberships, b.Memberships)
	own.Designations = unpinned(own.Designations, old.Designations, b.Designations)
	if p.Role == Secretariat && !before.inForum(p.Forum) {
		for _, f := range changed(old, own) {
			if f != "memberships" {
				c.add("auth.field", "/"+f, "", "the secretariat edits more than the membership of present members only", "")
			}
		}
	}
	return c.found
}

// spareHidden puts the items that the author does not see back into a list
// that the edit replaced, unless they stayed in their places.
func spareHidden[T any](c *checker, field string, shown, old []T, own *[]T, sees func(*T) bool) {
	if reflect.DeepEqual(old, *own) {
		return
	}
	var hidden []T
	for i := range shown {
		stayed := func(x T) bool { return reflect.DeepEqual(x, shown[i]) }
		if !sees(&shown[i]) && !slices.ContainsFunc(*own, stayed) {
			hidden = append(hidden, shown[i])
		}
	}
	switch {
	case len(hidden) == 0:
	case *own == nil:
		c.add("auth.hidden", field, "", "the list has items that are not shown to you, which this would remove", "the list without those to remove")
	default:
		*own = append(slices.Clip(*own), hidden...)
	}
}

// unpinned drops items that say what is shown already and were not entered
// before.
func unpinned[T any](own, old, shown []T) []T {
	is := func(list []T, item T) bool {
		return slices.ContainsFunc(list, func(x T) bool { return reflect.DeepEqual(x, item) })
	}
	kept := slices.DeleteFunc(slices.Clone(own), func(item T) bool { return is(shown, item) && !is(old, item) })
	if len(kept) == 0 && old == nil {
		return nil
	}
	return kept
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
