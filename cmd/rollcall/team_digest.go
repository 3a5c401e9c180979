package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

const digestLong = `Digest prints what about the team with the handle or id TEAM needs attention,
the most urgent first, with what to do and by when: findings of checks, contacts
whose proof failed or runs out, and what would leave the team out of reach.
The text can be sent to the team as it is.`

func teamDigestCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "digest TEAM", Short: "Show what about a team needs attention",
		Long: digestLong, Example: "  rollcall team digest --db teams.db example-csirt\n  rollcall team digest --db teams.db --json example-csirt | jq -r '.items[].title'",
		Args: exactArgs("TEAM"), RunE: w.action(func(c *call) error { return c.digestTeam(asJSON) }),
	}
	keyFlags(cmd.Flags(), "db", "policy_lasts", "policy_grace")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// teamDigest is a digest in JSON.
type teamDigest struct {
	Team  directory.Handle   `json:"team"`
	At    time.Time          `json:"at"`
	Items []verify.Attention `json:"items"`
}

func (c *call) digestTeam(asJSON bool) error {
	return c.withStore(func(db *store.DB) error {
		d, err := directory.New(directory.Config{Store: db, Now: c.now, Rules: c.cfg.MatchRules})
		if err != nil {
			return err
		}
		t, err := d.Team(c.ctx, c.operator(), c.args[0])
		if err != nil {
			return err
		}
		known, err := db.Verifications(c.ctx, t.ID)
		if err != nil {
			return err
		}
		now := c.now().UTC()
		list := verify.Digest(&t, known, c.cfg.Policy, catalog.Find, now)
		if asJSON {
			return printJSON(c.stdout, teamDigest{t.Handle, now.Truncate(time.Second), append([]verify.Attention{}, list...)})
		}
		_, err = io.WriteString(c.stdout, verify.DigestText(&t, list, now))
		return err
	}, store.MustExist)
}
