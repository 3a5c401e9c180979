package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
)

const teamSourcesLong = `Sources puts side by side what is published about the team with the handle or
id TEAM: its profile here, the lists that were imported, its security.txt, its
_security records and the iodef of its CAA records, and of each address the keys
that the profile, the lists, the Web Key Directory, key servers and the DNS have.
It says which place is the newest (which spoke last, not which was read last),
which is the best proven, and what is to be corrected where. What checks have not
read yet is left out.`

func teamSourcesCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sources TEAM", Short: "Compare the places in which a team is published",
		Long: teamSourcesLong, Example: "  rollcall team sources --db teams.db example-csirt\n  rollcall team sources --db teams.db --json example-csirt | jq -r '.compared[].findings[].subject'",
		Args: exactArgs("TEAM"), RunE: w.action(func(c *call) error { return c.teamSources(asJSON) }),
	}
	keyFlags(cmd.Flags(), "db", "policy_lasts", "policy_grace")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

const verifySourcesLong = `Sources prints every team that is published in places which differ, as
"rollcall team sources" does for one: what each place says and what is to be
corrected. It reads what checks have seen and asks nobody.`

func verifySourcesCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sources", Short: "List teams that are published in places that differ",
		Long: verifySourcesLong, Example: "  rollcall verify sources --db teams.db\n  rollcall verify sources --db teams.db --json | jq -r .team",
		Args: exactArgs(), RunE: w.action(func(c *call) error { return c.verifySources(asJSON) }),
	}
	keyFlags(cmd.Flags(), "db", "policy_lasts", "policy_grace")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line for each team")
	return cmd
}

// sourceReport is the comparison of one team in JSON.
type sourceReport struct {
	Team     directory.Handle          `json:"team"`
	At       time.Time                 `json:"at"`
	Agree    bool                      `json:"agree"`
	Compared []verify.SourceComparison `json:"compared"`
}

func (c *call) teamSources(asJSON bool) error {
	return c.withSources(func(db *store.DB, d *directory.Directory) error {
		t, err := d.Team(c.ctx, c.operator(), c.args[0])
		if err != nil {
			return err
		}
		r, err := c.compareSources(db, d, &t)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.stdout, r)
		}
		_, err = io.WriteString(c.stdout, sourcesText(&t, r))
		return err
	})
}

func (c *call) verifySources(asJSON bool) error {
	return c.withSources(func(db *store.DB, d *directory.Directory) error {
		looked, differ := 0, 0
		for rec, err := range d.Records(c.ctx, c.operator()) {
			if err != nil {
				return err
			}
			if !rec.Deleted.IsZero() {
				continue
			}
			looked++
			t := rec.Team()
			r, err := c.compareSources(db, d, &t)
			if err != nil {
				return err
			}
			if r.Agree {
				continue
			}
			differ++
			if asJSON {
				err = printJSON(c.stdout, r)
			} else {
				_, err = io.WriteString(c.stdout, sourcesText(&t, r)+"\n")
			}
			if err != nil {
				return err
			}
		}
		if asJSON {
			return nil
		}
		_, err := fmt.Fprintf(c.stdout, "%d of %d teams are published in places that differ\n", differ, looked)
		return err
	})
}

func (c *call) withSources(do func(*store.DB, *directory.Directory) error) error {
	return c.withStore(func(db *store.DB) error {
		d, err := directory.New(directory.Config{Store: db, Now: c.now, Rules: c.cfg.MatchRules})
		if err != nil {
			return err
		}
		return do(db, d)
	}, store.MustExist)
}

func (c *call) compareSources(db interface {
	Verifications(context.Context, directory.TeamID) ([]verify.Verification, error)
}, d *directory.Directory, t *directory.Team,
) (sourceReport, error) {
	known, err := db.Verifications(c.ctx, t.ID)
	if err != nil {
		return sourceReport{}, err
	}
	layers, err := d.Layers(c.ctx, c.operator(), string(t.ID))
	if err != nil {
		return sourceReport{}, err
	}
	now := c.now().UTC()
	list := verify.CompareSources(verify.SourcesAsk{Team: t, Layers: verify.LayersOf(layers), Known: known, Policy: c.cfg.Policy, Now: now})
	return sourceReport{Team: t.Handle, At: now.Truncate(time.Second), Agree: !verify.Differ(list), Compared: append([]verify.SourceComparison{}, list...)}, nil
}

// sourcesText is a comparison for people.
func sourcesText(t *directory.Team, r sourceReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), %s\n", verify.Quote(t.Name()), t.Handle, r.At.Format(time.DateOnly))
	if len(r.Compared) == 0 {
		b.WriteString("\nOnly one place speaks of it; there is nothing to compare.\n")
	}
	for i := range r.Compared {
		b.WriteString("\n" + comparisonText(&r.Compared[i]))
	}
	return b.String()
}

func comparisonText(c *verify.SourceComparison) string {
	var b strings.Builder
	title := string(c.Aspect)
	if c.Subject != "" {
		title += " of " + verify.Quote(c.Subject)
	}
	agree := "they agree"
	if len(c.Findings) > 0 {
		agree = "they differ"
	}
	newest := "newest is " + c.Newest
	if c.Newest == "" {
		newest = "how old they are is not known"
	}
	fmt.Fprintf(&b, "%s: %s; %s, best proven is %s\n", title, agree, newest, c.Best)
	for _, s := range c.Statements {
		date := "          "
		if !s.At.IsZero() {
			date = s.At.UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(&b, "  %-15s %s  %s\n", s.Source, date, verify.Quote(strings.Join(s.Values, ", ")))
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		verify.WrapText(&b, "  correct ", "    ", fmt.Sprintf("%s: it says %s; want %s (%s)", f.Subject, f.Evidence, f.Corrected, f.Code))
	}
	return b.String()
}

// sourcesOutcome compares what the checks of one subject saw, where two of them
// saw places that publish the same thing.
func sourcesOutcome(outcomes []checkOutcome, s *checkSubject) []checkOutcome {
	var known []verify.Verification
	for i := range outcomes {
		if o := &outcomes[i]; o.Trouble == nil {
			known = append(known, verify.Verification{Check: o.Check, Subject: s.runs[i].target.Subject, Facts: o.Facts, Checked: s.runs[i].target.Now})
		}
	}
	list := verify.CompareSources(verify.SourcesAsk{Known: known, Now: s.runs[0].target.Now})
	if len(list) == 0 {
		return nil
	}
	out := checkOutcome{Check: "sources"}
	for i := range list {
		out.findings = append(out.findings, list[i].Findings...)
		for _, st := range list[i].Statements {
			out.Facts = append(out.Facts, verify.Fact{Name: string(list[i].Aspect), Value: verify.Quote(strings.TrimSpace(st.Source+" "+st.Where) + ": " + strings.Join(st.Values, ", "))})
		}
	}
	out.Verdict = verify.VerdictOf(out.findings)
	return []checkOutcome{out}
}
