package challenge

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// chart is a picture as numbers: the template makes SVG of it. Every text that
// it shows stands in the data as well, and every picture has a table beside it.
type chart struct {
	ID, Title, Desc string
	Width, Height   int
	Lines           []line // curves
	Bars            []bar
	XTicks, YTicks  []tick
	XLabel          string
	Head            []string // of the table that says the same
	Table           [][]string
}

type line struct{ Class, Label, Path string }

type bar struct {
	Label, Share   string
	Count          int
	X, Y           float64
	Width, Height  float64
	TextX, MiddleY float64
}

type tick struct {
	At    float64
	Label string
}

// The drawing area, in units of the picture.
const (
	chartWidth, chartHeight = 640, 300
	chartLeft, chartRight   = 56, 624
	chartTop, chartBottom   = 16, 252
	barHeight, barGap       = 28, 12
	barLeft, barRight       = 120, 560
	curveTicks              = 6
)

// curveChart draws how many have not answered yet, against time.
func curveChart(g *Group) chart {
	c := chart{ID: "waiting", Title: "Share still without an answer", Width: chartWidth, Height: chartHeight, XLabel: "time since the mail was accepted",
		Head: []string{"since the mail was accepted", "waiting for a person", "waiting for proof"}}
	end := max(lastPoint(g.Human.Curve), lastPoint(g.Proof.Curve), time.Hour)
	step := niceStep(end)
	end = (end + step - 1) / step * step
	for at := time.Duration(0); at <= end; at += step {
		c.XTicks = append(c.XTicks, tick{chartX(at, end), shortSpan(at)})
		c.Table = append(c.Table, []string{shortSpan(at), share(g.Human.Curve.at(at)), share(g.Proof.Curve.at(at))})
	}
	for n := 0; n <= 100; n += 25 {
		c.YTicks = append(c.YTicks, tick{chartY(float64(n) / 100), fmt.Sprintf("%d %%", n)})
	}
	c.Lines = []line{{"human", "until a person acts", curvePath(g.Human.Curve, end)}, {"proof", "until the key is proven", curvePath(g.Proof.Curve, end)}}
	c.Desc = fmt.Sprintf("Kaplan-Meier curves of %d questions. A person had acted for half of them after: %s. The key was proven for half of them after: %s.",
		g.Asked, g.Human.MedianText(), g.Proof.MedianText())
	return c
}

func lastPoint(c Curve) time.Duration {
	if len(c) == 0 {
		return 0
	}
	return c[len(c)-1].At
}

// at returns the share that waits at t.
func (c Curve) at(t time.Duration) float64 {
	waiting := 1.0
	for _, p := range c {
		if p.At <= t {
			waiting = p.Waiting
		}
	}
	return waiting
}

func share(f float64) string { return fmt.Sprintf("%.0f %%", 100*f) }

// niceStep returns a distance between ticks that people can count in.
func niceStep(end time.Duration) time.Duration {
	const hour, day = time.Hour, 24 * time.Hour
	for _, step := range []time.Duration{hour / 2, hour, 2 * hour, 4 * hour, 6 * hour, 12 * hour, day, 2 * day, 3 * day, 5 * day, 7 * day, 14 * day, 30 * day} {
		if end <= curveTicks*step {
			return step
		}
	}
	return 90 * day
}

func shortSpan(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

func chartX(at, end time.Duration) float64 {
	return chartLeft + (chartRight-chartLeft)*float64(at)/float64(end)
}

func chartY(share float64) float64 { return chartBottom - (chartBottom-chartTop)*share }

// curvePath draws the curve in steps, as an estimate that only events move is.
func curvePath(c Curve, end time.Duration) string {
	var b strings.Builder
	for i, p := range c {
		if i == 0 {
			fmt.Fprintf(&b, "M%.1f %.1f", chartX(0, end), chartY(p.Waiting))
			continue
		}
		fmt.Fprintf(&b, "H%.1fV%.1f", chartX(p.At, end), chartY(p.Waiting))
	}
	if b.Len() > 0 {
		fmt.Fprintf(&b, "H%.1f", chartX(end, end))
	}
	return b.String()
}

// levelChart draws how many reached each level.
func levelChart(g *Group) chart {
	c := chart{ID: "levels", Title: "Highest level reached", Width: chartWidth, Height: len(g.Levels)*(barHeight+barGap) + barGap,
		Head: []string{"level", "questions", "share"}}
	most := 1
	for _, n := range g.Levels {
		most = max(most, n)
	}
	var words []string
	for level, n := range g.Levels {
		label := fmt.Sprintf("%d %s", level, directory.Level(level))
		y := float64(barGap + level*(barHeight+barGap))
		b := bar{Label: label, Share: percent(n, g.Asked), Count: n, X: barLeft, Y: y, Height: barHeight,
			Width: (barRight - barLeft) * float64(n) / float64(most), MiddleY: y + barHeight/2}
		b.TextX = b.X + b.Width + 8
		c.Bars = append(c.Bars, b)
		c.Table = append(c.Table, []string{label, fmt.Sprint(n), b.Share})
		words = append(words, fmt.Sprintf("%s: %d", label, n))
	}
	c.Desc = strings.Join(words, ", ") + "."
	return c
}
