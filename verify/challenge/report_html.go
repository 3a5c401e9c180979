package challenge

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed report.html
var reportPage string

// reportTemplate escapes whatever stands in a report; the page has no script and
// asks nothing of any other server.
var reportTemplate = template.Must(template.New("report").Parse(reportPage))

// WriteHTML writes the report as one page for people, with its charts inside it.
func (r Report) WriteHTML(w io.Writer) error {
	page := struct {
		Report
		All      *Group
		Window   string
		MadeText string
		Charts   []chart
		Tables   []reportTable
		States   []bar
	}{Report: r, MadeText: r.Made.UTC().Format("2 January 2006, 15:04 UTC")}
	if !r.From.IsZero() && !r.To.IsZero() {
		page.Window = r.From.UTC().Format("2 January 2006") + " to " + r.To.UTC().Format("2 January 2006")
	}
	for i := range r.Groups {
		if r.Groups[i].By == ByAll {
			page.All = &r.Groups[i]
		}
	}
	if page.All != nil && !page.All.Suppressed {
		page.Charts = []chart{curveChart(page.All), levelChart(page.All)}
	}
	for _, s := range States() {
		page.States = append(page.States, bar{Label: string(s), Count: r.Progress.States[s]})
	}
	for _, d := range Dimensions()[1:] {
		if t := tableOf(d, r.Groups); len(t.Rows) > 0 {
			page.Tables = append(page.Tables, t)
		}
	}
	if err := reportTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("challenge: report: %w", err)
	}
	return nil
}

// reportTable is the figures of one dimension as people read them.
type reportTable struct {
	ID, Title string
	Rows      []reportRow
}

type reportRow struct {
	Name                                      string
	Suppressed                                bool
	Teams, Asked, Answered                    int
	Share, HumanMedian, HumanP90, ProofMedian string
}

func tableOf(d Dimension, groups []Group) reportTable {
	t := reportTable{ID: string(d), Title: "By " + string(d)}
	for i := range groups {
		g := &groups[i]
		if g.By != d {
			continue
		}
		row := reportRow{Name: g.Name, Suppressed: g.Suppressed, Teams: g.Teams, Asked: g.Asked, Answered: g.Answered}
		if !g.Suppressed {
			row.Share = percent(g.Answered, g.Asked)
			row.HumanMedian, row.HumanP90, row.ProofMedian = g.Human.MedianText(), g.Human.P90Text(), g.Proof.MedianText()
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func percent(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
}

// AnsweredShare returns the share of questions that were answered, for people.
func (g *Group) AnsweredShare() string { return percent(g.Answered, g.Asked) }

// MedianText returns the median for people.
func (t Times) MedianText() string { return spanText(t.Median) }

// P90Text returns the ninetieth percentile for people.
func (t Times) P90Text() string { return spanText(t.P90) }

// spanText returns a time as people say it.
func spanText(n *int64) string {
	if n == nil {
		return "not reached"
	}
	switch d := time.Duration(*n) * time.Second; {
	case d < time.Minute:
		return "under a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
	default:
		return strings.TrimSuffix(fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24), " 0 h")
	}
}
