package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

func evidenceCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "evidence", Short: "Record what was proven about a contact",
		Long:    "Evidence is dated proof about one contact: what was shown, how, when, by whom.",
		Example: "  rollcall evidence record --db teams.db --method phone --level 2 example-csirt csirt@example.org",
		Args:    cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(evidenceRecordCommand(w))
	return cmd
}

const evidenceLong = `Record writes down what a person proved about the contact CONTACT of TEAM: that
somebody answered a call, met the team, or that another registrar vouches.
CONTACT is the contact's address or id.

Levels: 1 deliverable, 2 answered, 3 proven, 4 drilled.`

// evidenceFlags are the flags of rollcall evidence record.
type evidenceFlags struct {
	method, outcome, at, until, note string
	level                            int
}

func evidenceRecordCommand(w world) *cobra.Command {
	f := &evidenceFlags{}
	cmd := &cobra.Command{
		Use: "record TEAM CONTACT", Short: "Record a proof by hand", Long: evidenceLong,
		Example: `  rollcall evidence record --db teams.db --method phone --level 2 example-csirt csirt@example.org
  rollcall evidence record --db teams.db --method phone --outcome failed --note "number not in service" example-csirt +43123456789`,
		Args: exactArgs("TEAM", "CONTACT"), RunE: w.action(func(c *call) error { return c.recordEvidence(f) }),
	}
	keyFlags(cmd.Flags(), "db")
	flags := cmd.Flags()
	flags.StringVar(&f.method, "method", "", "`METHOD`: phone, in-person, letter or other-registrar")
	flags.StringVar(&f.outcome, "outcome", "proved", "`OUTCOME`: proved, failed, disputed or settled")
	flags.IntVar(&f.level, "level", 2, "`LEVEL` that was proved, 1 to 4")
	flags.StringVar(&f.at, "at", "", "`TIME` of the proof, as 2026-11-21 or 2026-11-21T10:00:00Z (default: now)")
	flags.StringVar(&f.until, "valid-until", "", "`TIME` until which it holds (default: by the policy)")
	flags.StringVar(&f.note, "note", "", "`TEXT` for the team and the operator")
	return cmd
}

func (c *call) recordEvidence(f *evidenceFlags) error {
	e := directory.Evidence{Method: f.method, Outcome: directory.Outcome(f.outcome), Level: directory.Level(f.level), Note: f.note, At: c.now()}
	if e.Outcome != directory.OutcomeProved && !c.cmd.Flags().Changed("level") {
		e.Level = directory.Listed
	}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"at", f.at, &e.At}, {"valid-until", f.until, &e.ValidUntil}} {
		if err := moment(t.text, t.to); err != nil {
			return usage(c.cmd, "%s: %v", t.name, err)
		}
	}
	return c.withDirectory(func(d *directory.Directory) error {
		t, err := d.Team(c.ctx, c.operator(), c.args[0])
		if err != nil {
			return err
		}
		i := slices.IndexFunc(t.Contacts, func(x directory.Contact) bool {
			return string(x.ID) == c.args[1] || strings.EqualFold(x.Value, c.args[1])
		})
		if i < 0 {
			return fmt.Errorf("CONTACT: %s has no contact %q; want one that \"rollcall team show\" lists", t.Handle, c.args[1])
		}
		e.Contact = t.Contacts[i].ID
		if t, err = d.RecordEvidence(c.ctx, c.operator(), c.args[0], e); err != nil {
			return asUsage(err)
		}
		s := directory.Assess(t.Contacts[i], t.Evidence, c.cfg.Policy, c.now())
		_, err = fmt.Fprintf(c.stdout, "%s %s: %s\n", t.Handle, t.Contacts[i].Value, standing(s, c.now()))
		return err
	}, store.MustExist)
}

// moment reads a day or a time into to; "" leaves it.
func moment(s string, to *time.Time) error {
	if s == "" {
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			*to = t
			return nil
		}
	}
	return bad(s, "not a day or time", "2026-11-21 or 2026-11-21T10:00:00Z")
}
