package directory

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// CheckSummary is what an answer shows of the verdicts that it leans on: how
// many there are, and those that are not fine.
type CheckSummary struct {
	OK, Warning, Error, Inconclusive int
	// Checked is until when at least all of them that came to a conclusion were
	// seen to hold; zero where none did.
	Checked time.Time
	// Faults are those that are not ok: the worst first, of those the newest, at
	// most 16.
	Faults []CheckVerdict
}

// maxFaults is how many faults a [CheckSummary] has.
const maxFaults = 16

// Worst returns the worst verdict, "" of none.
func (s *CheckSummary) Worst() Word {
	switch {
	case s == nil:
		return ""
	case s.Error > 0:
		return "error"
	case s.Warning > 0:
		return "warning"
	case s.Inconclusive > 0:
		return "inconclusive"
	}
	return "ok"
}

// summary sums up verdicts; nil where there are none.
func summary(list []CheckVerdict) *CheckSummary {
	if len(list) == 0 {
		return nil
	}
	s := new(CheckSummary)
	for _, v := range list {
		switch v.Verdict {
		case "ok":
			s.OK++
		case "warning":
			s.Warning++
		case "error":
			s.Error++
		default:
			s.Inconclusive++
		}
		if v.Verdict != "ok" {
			s.Faults = append(s.Faults, v)
		}
		if !v.Checked.IsZero() && (s.Checked.IsZero() || v.Checked.Before(s.Checked)) {
			s.Checked = v.Checked
		}
	}
	slices.SortStableFunc(s.Faults, func(a, b CheckVerdict) int {
		return cmp.Or(cmp.Compare(slices.Index(CheckVerdicts, a.Verdict), slices.Index(CheckVerdicts, b.Verdict)), b.Since.Compare(a.Since))
	})
	s.Faults = s.Faults[:min(len(s.Faults), maxFaults)]
	return s
}

// verdictsOn sums up what an answer that names c leans on: what was found about
// the contact, about the domain that it is reached by, and about the keys that
// whoever sees the contact sees too.
func (t *Team) verdictsOn(c *Contact) *CheckSummary {
	var list []CheckVerdict
	host := c.host()
	for _, v := range t.Checks {
		switch {
		case v.Kind == "contact" && strings.EqualFold(v.Subject, c.Value),
			v.Kind == "domain" && v.Subject == host,
			v.Kind == "key" && t.showsKey(v.Subject, c.Visibility):
			list = append(list, v)
		}
	}
	return summary(list)
}

// showsKey reports whether everybody who sees what has the label sees the key.
func (t *Team) showsKey(fingerprint string, label TLP) bool {
	return slices.ContainsFunc(t.Keys, func(k TeamKey) bool {
		return string(k.Fingerprint) == fingerprint && k.Visibility.rank() <= label.rank()
	})
}

// verdictsOf sums up what was found about one domain that the team lists.
func (t *Team) verdictsOf(d Domain) *CheckSummary {
	var list []CheckVerdict
	for _, v := range t.Checks {
		if v.Kind == "domain" && v.Subject == string(d) {
			list = append(list, v)
		}
	}
	return summary(list)
}
