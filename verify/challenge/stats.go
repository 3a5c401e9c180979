package challenge

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Observation is one wait: until something happened, or until nobody looked any
// longer (censored). To leave out who did not answer would make every figure
// look better than it is.
type Observation struct {
	After time.Duration
	Event bool
}

// Point is one step of a [Curve].
type Point struct {
	At       time.Duration `json:"-"`
	Seconds  int64         `json:"seconds"`  // At, in whole seconds
	AtRisk   int           `json:"at_risk"`  // still waiting just before
	Events   int           `json:"events"`   // that happened then
	Censored int           `json:"censored"` // no longer watched from here to the next point
	Waiting  float64       `json:"waiting"`  // the share that is still without an answer afterwards
}

// Curve is the Kaplan-Meier estimate of the share that has not answered yet.
type Curve []Point

// KaplanMeier estimates the curve (Kaplan and Meier, Nonparametric Estimation from
// Incomplete Observations, JASA 53, 1958). Who stopped being watched at the moment
// of an event counts as still at risk then. The first point is the beginning.
func KaplanMeier(list []Observation) Curve {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Observation) int { return cmp.Compare(a.After, b.After) })
	curve := Curve{{AtRisk: len(list), Waiting: 1}}
	for i := 0; i < len(sorted); {
		at, events, censored, risk := sorted[i].After, 0, 0, len(sorted)-i
		for ; i < len(sorted) && sorted[i].After == at; i++ {
			if sorted[i].Event {
				events++
			} else {
				censored++
			}
		}
		last := &curve[len(curve)-1]
		if events == 0 {
			last.Censored += censored
			continue
		}
		curve = append(curve, Point{at, int64(at / time.Second), risk, events, censored, last.Waiting * float64(risk-events) / float64(risk)})
	}
	return curve
}

// Quantile returns by when a share q had answered; false where the curve does
// not get that far: it is not known, and no number stands for it.
func (c Curve) Quantile(q float64) (time.Duration, bool) {
	const rounding = 1e-9 // products of fractions miss a half by less
	for _, p := range c {
		if p.Events > 0 && 1-p.Waiting >= q-rounding {
			return p.At, true
		}
	}
	return 0, false
}

// Sample is what one challenge gives to the figures.
type Sample struct {
	Team     directory.TeamID
	Campaign string
	Forums   []string
	Sectors  []directory.Word
	Country  directory.Country
	Human    Observation // until the first act of a person
	Proof    Observation // until level 3 or more
	Reached  directory.Level
	Outcome  Outcome
	State    State
	Quick    bool // something came too soon to be a person's without a second look
}

// SampleOf returns what c, of team t, gives to the figures as they stand at now.
// False means nothing: its clock never began, or it did not ask people. A mail that was
// answered before its sender could write down that the relay had it, and died, was asked
// when it was written: that is the longer wait.
func SampleOf(c *Challenge, t *directory.Team, now time.Time) (Sample, bool) {
	began := c.Accepted
	if began.IsZero() && (!c.reached().IsZero() || !c.Disputed.IsZero()) {
		began = c.Sent
	}
	if began.IsZero() || c.Kind == KindWebhook || c.Kind == KindImported {
		return Sample{}, false
	}
	s := Sample{Team: c.Team, Campaign: string(c.Campaign), Sectors: t.Constituency.Sectors, Country: t.Country,
		Reached: c.Reached, Outcome: c.Outcome, State: c.State, Quick: !c.Quick.IsZero()}
	for _, m := range t.Memberships {
		if m.Status != "ended" {
			s.Forums = append(s.Forums, m.Forum)
		}
	}
	end := now
	if !c.Closed.IsZero() {
		end = earlier(end, c.Closed)
	}
	human := c.Human
	if c.Outcome == OutcomeWrongAddress {
		human = time.Time{} // somebody answered, and it was not the team
	}
	s.Human, s.Proof = wait(began, human, end), wait(began, c.Proof, end)
	return s, true
}

func wait(from, event, end time.Time) Observation {
	if event.IsZero() {
		return Observation{After: max(0, end.Sub(from))}
	}
	return Observation{After: max(0, event.Sub(from)), Event: true}
}

// LeastTeams is how many teams a group must have for its figures to be shown:
// what is known of four is known of each of them.
const LeastTeams = 5

// Dimension is what samples are grouped by.
type Dimension string

// The dimensions.
const (
	ByAll      Dimension = "all"
	ByCampaign Dimension = "campaign"
	ByForum    Dimension = "forum"
	BySector   Dimension = "sector"
	ByCountry  Dimension = "country"
)

// Dimensions returns what samples can be grouped by, all together first.
func Dimensions() []Dimension { return []Dimension{ByAll, ByCampaign, ByForum, BySector, ByCountry} }

func (s *Sample) groups(d Dimension) []string {
	switch d {
	case ByAll:
		return []string{""}
	case ByCampaign:
		return []string{s.Campaign} // those of none are a group too: else it could be worked out from the rest
	case ByForum:
		return s.Forums
	case BySector:
		return s.Sectors
	}
	return known(string(s.Country))
}

func known(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// Times are the times until something, in whole seconds. Absent means that so
// many have not answered that nobody can say.
type Times struct {
	Count  int    `json:"count"` // for how many it happened
	Median *int64 `json:"median_seconds,omitempty"`
	P90    *int64 `json:"p90_seconds,omitempty"`
	Curve  Curve  `json:"curve,omitempty"`
}

func timesOf(list []Observation) Times {
	curve := KaplanMeier(list)
	t := Times{Curve: curve}
	for _, p := range curve {
		t.Count += p.Events
	}
	t.Median, t.P90 = seconds(curve.Quantile(0.5)), seconds(curve.Quantile(0.9))
	return t
}

func seconds(d time.Duration, ok bool) *int64 {
	if !ok {
		return nil
	}
	n := int64(d / time.Second)
	return &n
}

// Group is the figures of the samples that have something in common.
type Group struct {
	By         Dimension       `json:"by"`
	Name       string          `json:"name,omitempty"`
	Suppressed bool            `json:"suppressed,omitempty"` // too few teams: there are no figures
	Teams      int             `json:"teams,omitempty"`
	Asked      int             `json:"asked,omitempty"`
	Answered   int             `json:"answered,omitempty"`
	Levels     [5]int          `json:"levels,omitzero"` // by the highest level reached
	Outcomes   map[Outcome]int `json:"outcomes,omitempty"`
	Quick      int             `json:"quick,omitempty"` // of which something came within [QuickWithin]
	Human      Times           `json:"human,omitzero"`
	Proof      Times           `json:"proof,omitzero"`
}

// Summarise returns the figures by each dimension, groups in the order of their
// names. Groups of fewer than [LeastTeams] teams have no figures; and where what
// is withheld in one dimension would be few teams together, which anybody could
// work out from the whole, the next smallest group is withheld as well.
func Summarise(samples []Sample, by ...Dimension) []Group {
	var groups []Group
	for _, d := range by {
		members := map[string][]*Sample{}
		for i := range samples {
			for _, name := range slices.Compact(slices.Sorted(slices.Values(samples[i].groups(d)))) {
				members[name] = append(members[name], &samples[i])
			}
		}
		hidden := withheld(members)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if hidden[name] {
				groups = append(groups, Group{By: d, Name: name, Suppressed: true})
				continue
			}
			groups = append(groups, figures(d, name, members[name]))
		}
	}
	return groups
}

// withheld decides which groups of one dimension have no figures.
func withheld(members map[string][]*Sample) map[string]bool {
	names := slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		return cmp.Or(cmp.Compare(teams(members[a]), teams(members[b])), cmp.Compare(a, b))
	})
	hidden := map[string]bool{}
	var together []*Sample
	for _, name := range names {
		few := len(together) > 0 && teams(together) < LeastTeams
		if teams(members[name]) < LeastTeams || few {
			hidden[name] = true
			together = append(together, members[name]...)
		}
	}
	return hidden
}

func teams(samples []*Sample) int {
	seen := map[directory.TeamID]bool{}
	for i := range samples {
		seen[samples[i].Team] = true
	}
	return len(seen)
}

func figures(d Dimension, name string, samples []*Sample) Group {
	g := Group{By: d, Name: name, Teams: teams(samples), Asked: len(samples), Outcomes: map[Outcome]int{}}
	var human, proof []Observation
	for _, s := range samples {
		human, proof = append(human, s.Human), append(proof, s.Proof)
		g.Answered += count(s.State == StateAnswered)
		g.Quick += count(s.Quick)
		if s.Reached >= directory.Listed && s.Reached <= directory.Drilled {
			g.Levels[s.Reached]++
		}
		if s.Outcome != "" {
			g.Outcomes[s.Outcome]++
		}
	}
	g.Human, g.Proof = timesOf(human), timesOf(proof)
	return g
}
