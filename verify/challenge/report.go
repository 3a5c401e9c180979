package challenge

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Report is what a campaign, or a stretch of time, came to. Its JSON form is
// the one that the API serves.
type Report struct {
	Title    string    `json:"title"`
	Policy   string    `json:"policy,omitempty"`
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Made     time.Time `json:"made"`
	Progress Progress  `json:"progress"`
	Groups   []Group   `json:"groups"` // all together first
}

// NewReport makes the report of a campaign from its challenges, whose teams
// lookup knows; or, where the campaign has no id, of a stretch of time, by
// campaign as well. It is pure but for lookup.
func NewReport(c Campaign, challenges []Challenge, lookup func(directory.TeamID) (*directory.Team, bool), now time.Time) Report {
	r := newReporter(c, lookup, now)
	for i := range challenges {
		r.add(&challenges[i])
	}
	return r.report()
}

// reporter makes a report of questions that come one after the other. It keeps of each
// what the figures need, and shares what many have in common.
type reporter struct {
	campaign Campaign
	lookup   func(directory.TeamID) (*directory.Team, bool)
	now      time.Time
	progress Progress
	samples  []Sample
	words    map[string]string
	forums   map[directory.TeamID][]string
}

func newReporter(c Campaign, lookup func(directory.TeamID) (*directory.Team, bool), now time.Time) *reporter {
	return &reporter{campaign: c, lookup: lookup, now: now, progress: Count(nil), words: map[string]string{}, forums: map[directory.TeamID][]string{}}
}

// word is a text that equals another one, in its place.
func (r *reporter) word(s string) string {
	known, ok := r.words[s]
	if !ok {
		known = strings.Clone(s)
		r.words[known] = known
	}
	return known
}

func (r *reporter) add(c *Challenge) {
	r.progress.add(c)
	team, ok := r.lookup(c.Team)
	if !ok {
		return
	}
	s, ok := SampleOf(c, team, r.now)
	if !ok {
		return
	}
	s.Team, s.Campaign = directory.TeamID(r.word(string(s.Team))), r.word(s.Campaign)
	s.State, s.Outcome = State(r.word(string(s.State))), Outcome(r.word(string(s.Outcome)))
	if forums, ok := r.forums[s.Team]; ok {
		s.Forums = forums
	}
	r.forums[s.Team] = s.Forums
	r.samples = append(r.samples, s)
}

func (r *reporter) report() Report {
	by := Dimensions()
	if r.campaign.ID != "" { // one campaign is all that there is
		by = slices.DeleteFunc(by, func(d Dimension) bool { return d == ByCampaign })
	}
	c := &r.campaign
	return Report{Title: c.Name, Policy: c.Policy, From: c.From, To: c.To, Made: r.now, Progress: r.progress, Groups: Summarise(r.samples, by...)}
}

// csvHeader are the columns of [Report.WriteCSV]. They are added to, never renamed.
var csvHeader = []string{"by", "name", "suppressed", "teams", "asked", "answered", "human_count", "human_median_seconds", "human_p90_seconds",
	"proof_count", "proof_median_seconds", "proof_p90_seconds", "level_0", "level_1", "level_2", "level_3", "level_4",
	"unanswered", "undeliverable", "wrong_address", "other_outcome", "quick"}

// WriteCSV writes the groups as CSV (RFC 4180), one row each. A group without
// figures has empty cells, never zeros.
func (r Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180 section 2.1
	if err := out.Write(csvHeader); err != nil {
		return fmt.Errorf("challenge: report: %w", err)
	}
	for i := range r.Groups {
		if err := out.Write(r.Groups[i].row()); err != nil {
			return fmt.Errorf("challenge: report: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("challenge: report: %w", err)
	}
	return nil
}

func (g *Group) row() []string {
	row := []string{string(g.By), plain(g.Name), strconv.FormatBool(g.Suppressed)}
	if g.Suppressed {
		return append(row, make([]string, len(csvHeader)-len(row))...)
	}
	for _, n := range []int{g.Teams, g.Asked, g.Answered} {
		row = append(row, strconv.Itoa(n))
	}
	for _, t := range []*Times{&g.Human, &g.Proof} {
		row = append(row, strconv.Itoa(t.Count), secondsText(t.Median), secondsText(t.P90))
	}
	for _, n := range g.Levels {
		row = append(row, strconv.Itoa(n))
	}
	named := []Outcome{OutcomeUnanswered, OutcomeUndeliverable, OutcomeWrongAddress}
	other := 0
	for o, n := range g.Outcomes {
		if !slices.Contains(named, o) {
			other += n
		}
	}
	for _, o := range named {
		row = append(row, strconv.Itoa(g.Outcomes[o]))
	}
	return append(row, strconv.Itoa(other), strconv.Itoa(g.Quick))
}

// plain keeps a name from being a formula in a spreadsheet.
func plain(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}

func secondsText(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}
