package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rule says what two teams must have in common to be merged without a person:
// kinds of reason joined by "+", such as "key+country". The word country means
// the same country, and near-name is also met by an equal name.
//
// Whatever a rule says, it never merges two teams where anything speaks against
// it, or that somebody once decided to be different, or that are in one group
// with two such teams.
type Rule string

// UsualRules are the rules of an instance that names none: what imports do
// anyway when the UUID is known at the first sight of a team.
func UsualRules() []Rule { return []Rule{"uuid"} }

// ruleWords are what a rule may ask for; one of the first three it must.
var ruleWords = []Word{ReasonUUID, ReasonKey, ReasonMailbox, ReasonPhone, ReasonNetwork, ReasonDomain, ReasonName, ReasonNearName, "country"}

// ParseRules reads rules separated by commas or blanks; "none" is no rule.
func ParseRules(s string) ([]Rule, error) {
	if strings.TrimSpace(s) == "none" {
		return []Rule{}, nil
	}
	var rules []Rule
	for _, text := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		words := strings.Split(text, "+")
		strong := false
		for _, w := range words {
			if !slices.Contains(ruleWords, w) {
				return nil, problem("match.rule", text, "there is no condition "+strconv.Quote(cut(w, 40)), strings.Join(ruleWords, ", ")+", joined by +")
			}
			strong = strong || slices.Contains(ruleWords[:3], w)
		}
		if !strong {
			return nil, problem("match.rule", text, "what the rule asks for, two different teams may well have", "uuid, key or mailbox among its conditions")
		}
		if !slices.Contains(rules, Rule(text)) {
			rules = append(rules, Rule(text))
		}
	}
	if rules == nil {
		return nil, problem("match.rule", s, "no rule", "rules such as uuid, key+country, or none")
	}
	return rules, nil
}

// met reports whether a match fulfils the rule.
func (r Rule) met(m *Match) bool {
	for w := range strings.SplitSeq(string(r), "+") {
		switch {
		case w == "country" && m.A.Country != "" && m.A.Country == m.B.Country:
		case w == ReasonNearName && m.Has(ReasonName):
		case w != "country" && m.Has(w):
		default:
			return false
		}
	}
	return true
}

// RuleOptions say how [Directory.ApplyRules] goes about it.
type RuleOptions struct {
	Rules  []Rule // nil: those of [Config]
	DryRun bool   // report, and write nothing
	Force  bool   // skip the guard
	// MaxMerge is the share of all teams, 0 to 1, that may become part of
	// another without Force. 0 is 0.2. Fewer than ten merges are not guarded.
	MaxMerge float64
}

// RuleMerge is one merge that a rule did, or would do.
type RuleMerge struct {
	Rule       Rule
	From, Into TeamRef
	Reasons    []Reason
}

// TeamRef names a team.
type TeamRef struct {
	ID     TeamID
	Handle Handle
	Name   string
}

// Ref returns how the team is named.
func (t *Team) Ref() TeamRef { return TeamRef{t.ID, t.Handle, t.Name()} }

// RuleReport says what rules did, or would do.
type RuleReport struct {
	Teams  int         // that were looked at
	Merges []RuleMerge // in the order in which they are done
	// Held are matches that fulfil a rule and were left to people, since their
	// teams are in one group with two that can't be one.
	Held   []Match
	DryRun bool
	Seq    int64 // the last change written; 0 when nothing was
}

// ApplyRules merges what the rules say is one team. All of it is written in
// one transaction, or none. Each merge has the rule as its author: "rule:uuid".
func (d *Directory) ApplyRules(ctx context.Context, p Principal, opt RuleOptions) (RuleReport, error) {
	if err := authorise(p, actMerge, nil); err != nil {
		return RuleReport{}, err
	}
	return d.applyRules(ctx, opt)
}

func (d *Directory) applyRules(ctx context.Context, opt RuleOptions) (RuleReport, error) {
	if opt.Rules == nil {
		opt.Rules = d.cfg.Rules
	}
	report := RuleReport{DryRun: opt.DryRun}
	if len(opt.Rules) == 0 {
		return report, nil
	}
	a := &ruling{opt: opt, report: &report, revision: map[TeamID]int64{}}
	if err := d.cfg.Store.View(ctx, a.plan); err != nil {
		return report, err
	}
	if err := a.guard(); err != nil || opt.DryRun || len(report.Merges) == 0 {
		return report, err
	}
	err := d.cfg.Store.Update(ctx, func(tx Tx) error { return a.apply(ctx, d, tx) })
	return report, d.committed(ctx, err)
}

// ruling is one run of rules, from plan to store.
type ruling struct {
	opt      RuleOptions
	report   *RuleReport
	revision map[TeamID]int64 // of the teams as they were seen
}

// plan reads all teams and decides what is merged.
func (a *ruling) plan(tx Reader) error {
	var err error
	var teams []*Team
	merged := map[TeamID]TeamID{}
	for r := range allRecords(tx, &err) {
		if r.MergedInto != "" {
			merged[r.ID] = r.MergedInto
		} else if r.Deleted.IsZero() {
			t := r.Team()
			teams = append(teams, &t)
			a.revision[t.ID] = t.Revision
		}
	}
	if err != nil {
		return err
	}
	list, err := tx.Decisions("")
	if err != nil {
		return err
	}
	a.report.Teams = len(teams)
	a.choose(FindMatches(teams), pairsOf(list, func(id TeamID) TeamID {
		for n := 0; n < 16 && merged[id] != ""; n++ {
			id = merged[id]
		}
		return id
	}))
	return nil
}

// choose puts the teams that rules make one into groups, and leaves out the
// groups with two teams that can't be one.
func (a *ruling) choose(matches []Match, decided decidedPairs) {
	groups := map[TeamID]*ruleGroup{}
	barred := map[[2]TeamID]bool{}
	for key := range decided {
		barred[key] = true
	}
	for i := range matches {
		if m := &matches[i]; m.Contradicted() {
			barred[[2]TeamID{min(m.A.ID, m.B.ID), max(m.A.ID, m.B.ID)}] = true
		}
	}
	for i := range matches {
		m := &matches[i]
		if barred[[2]TeamID{min(m.A.ID, m.B.ID), max(m.A.ID, m.B.ID)}] {
			continue
		}
		if at := slices.IndexFunc(a.opt.Rules, func(r Rule) bool { return r.met(m) }); at >= 0 {
			joinGroups(groups, m, a.opt.Rules[at])
		}
	}
	done := map[*ruleGroup]bool{}
	for i := range matches { // in their order, so that the report has one
		g := groups[matches[i].A.ID]
		if g == nil || done[g] {
			continue
		}
		done[g] = true
		if g.broken(barred) {
			for _, l := range g.links {
				a.report.Held = append(a.report.Held, *l.match)
			}
			continue
		}
		a.report.Merges = append(a.report.Merges, g.merges()...)
	}
}

// ruleGroup is teams that rules make one.
type ruleGroup struct {
	teams []*Team
	links []ruleLink
}

type ruleLink struct {
	match *Match
	rule  Rule
}

func joinGroups(groups map[TeamID]*ruleGroup, m *Match, rule Rule) {
	one := func(t *Team) *ruleGroup {
		if groups[t.ID] == nil {
			groups[t.ID] = &ruleGroup{teams: []*Team{t}}
		}
		return groups[t.ID]
	}
	g, other := one(m.A), one(m.B)
	if g != other {
		g.teams, g.links = append(g.teams, other.teams...), append(g.links, other.links...)
		for _, t := range other.teams {
			groups[t.ID] = g
		}
	}
	g.links = append(g.links, ruleLink{m, rule})
}

// broken reports whether two teams of the group can't be one: they were
// decided to be different, or something speaks against it, also where they
// have so little in common that nobody would have proposed them.
func (g *ruleGroup) broken(barred map[[2]TeamID]bool) bool {
	subjects := make([]subject, len(g.teams))
	for i, t := range g.teams {
		subjects[i] = subject{team: t, facts: matchFacts(t), role: roleOf(t)}
	}
	for i := range subjects {
		for j := range i {
			a, b := subjects[i].team.ID, subjects[j].team.ID
			if barred[[2]TeamID{min(a, b), max(a, b)}] || len(against(&subjects[i], &subjects[j])) > 0 {
				return true
			}
		}
	}
	return false
}

// merges returns how the group becomes one team: each of its teams goes into
// the one that had better stay, by the best link that it has.
func (g *ruleGroup) merges() []RuleMerge {
	into := slices.MinFunc(g.teams, better)
	slices.SortFunc(g.teams, func(a, b *Team) int { return strings.Compare(string(a.ID), string(b.ID)) })
	var list []RuleMerge
	for _, t := range g.teams {
		if t == into {
			continue
		}
		at := slices.IndexFunc(g.links, func(l ruleLink) bool { return l.match.names(t) && l.match.names(into) })
		if at < 0 {
			at = slices.IndexFunc(g.links, func(l ruleLink) bool { return l.match.names(t) })
		}
		list = append(list, RuleMerge{Rule: g.links[at].rule, From: t.Ref(), Into: into.Ref(), Reasons: g.links[at].match.Reasons})
	}
	return list
}

func (m *Match) names(t *Team) bool { return m.A.ID == t.ID || m.B.ID == t.ID }

// guard stops rules that would merge a large part of the directory: a mailbox
// that a provider gives to all its customers looks just like that.
func (a *ruling) guard() error {
	most, n := a.opt.MaxMerge, len(a.report.Merges)
	if most == 0 {
		most = 0.2
	}
	if a.opt.Force || a.opt.DryRun || n < smallSource || float64(n) <= most*float64(a.report.Teams) {
		return nil
	}
	return &Error{Kind: Conflict, Op: "apply rules", Problems: []Problem{
		problem("match.mass-merge", strconv.Itoa(n), fmt.Sprintf("%d of %d teams would become part of another, which is more than %.0f %%", n, a.report.Teams, most*100),
			"a look at what would be merged (--dry-run); --force does it")}}
}

// apply writes what was planned, on the revisions that the plan saw.
func (a *ruling) apply(ctx context.Context, d *Directory, tx Tx) error {
	now := map[TeamID]int64{}
	for _, m := range a.report.Merges {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		from, err := a.unmoved(tx, m.From.ID, now)
		if err != nil {
			return err
		}
		into, err := a.unmoved(tx, m.Into.ID, now)
		if err != nil {
			return err
		}
		if _, err := d.merge(tx, "rule:"+string(m.Rule), &from, &into); err != nil {
			return err
		}
		now[into.ID] = into.Revision + 1
	}
	head, err := tx.Head()
	a.report.Seq = head.Seq
	return err
}

// unmoved reads a record that must be as the plan, or the merge before, left it.
func (a *ruling) unmoved(tx Reader, id TeamID, now map[TeamID]int64) (Record, error) {
	r, err := tx.Team(id)
	want := a.revision[id]
	if n, ok := now[id]; ok {
		want = n
	}
	if err == nil && r.Revision != want {
		err = &Error{Kind: Conflict, Op: "apply rules", Subject: string(r.Handle), Problems: []Problem{
			problem("match.raced", string(r.Handle), "the team was changed while the rules were looked at", "the rules once more")}}
	}
	return r, err
}

// mergeByRule runs the instance's rules on what an import brought, as a step of
// its own: the import is done whatever comes of it. A rule that asks for the
// UUID alone has nothing to do where the source knew none.
func (im *importer) mergeByRule(ctx context.Context) {
	rules := im.d.cfg.Rules
	if !slices.ContainsFunc(im.writes, func(w pending) bool { return w.source != nil && w.source.knowsID() }) {
		rules = slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.asks(ReasonUUID) })
	}
	if len(rules) == 0 {
		return
	}
	report, err := im.d.applyRules(ctx, RuleOptions{Rules: rules, MaxMerge: im.opt.MaxChange})
	if err != nil {
		why := problem("match.held", "", "the import is done, and the rules that merge teams were not applied: "+err.Error(), "rollcall team match --apply-rules --dry-run")
		if list := ProblemsOf(err); len(list) > 0 {
			why.Value, why.Reason = list[0].Value, "the import is done, and the rules that merge teams were not applied: "+list[0].Reason
		}
		im.report.Notes = append(im.report.Notes, RowProblem{0, why})
		return
	}
	im.report.Merges = report.Merges
	im.report.Seq = max(im.report.Seq, report.Seq)
}

func (r Rule) asks(w Word) bool { return slices.Contains(strings.Split(string(r), "+"), w) }

// knowsID reports whether the source knows the team's UUID.
func (s *SourceRecord) knowsID() bool {
	_, err := ParseTeamID(s.Key)
	return s.ID != "" || err == nil
}
