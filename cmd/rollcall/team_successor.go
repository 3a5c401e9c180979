package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

const successorLong = `Successor tells what speaks for a new OpenPGP key of the team with the handle or
id TEAM, which KEYFILE holds, to take the place of a key that the team has: that
the old key has certified it, or has signed a statement that names it; that two
independent channels have it, by what the checks have found; or that two
operators have confirmed it. It changes no key. Status 1: nothing does.

With --confirm you vouch, under your name, that you have asked the team on
another way, such as by telephone, and were told that the key is right. That, and
a statement that counts, are kept and count once the key is entered.`

func teamSuccessorCommand(w world) *cobra.Command {
	var statement, confirm string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "successor TEAM KEYFILE", Short: "Tell what speaks for a new key of a team",
		Long: successorLong, Example: "  rollcall team successor --db teams.db --statement transition.asc example-csirt new.asc\n  rollcall team successor --db teams.db --confirm \"called the number in the contract\" example-csirt new.asc",
		Args: exactArgs("TEAM", "KEYFILE"), RunE: w.action(func(c *call) error { return c.successor(statement, confirm, asJSON) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().StringVar(&statement, "statement", "", "`FILE` with a statement that the old key has clear-signed")
	cmd.Flags().StringVar(&confirm, "confirm", "", "vouch for the key; `TEXT` says how you asked")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// keySuccession is what speaks for a new key, in JSON.
type keySuccession struct {
	Team        directory.Handle      `json:"team"`
	Fingerprint directory.Fingerprint `json:"fingerprint"`
	Old         directory.Fingerprint `json:"old,omitempty"` // "": the team has no other key
	Proposed    bool                  `json:"proposed"`
	Grounds     []pgpkey.Ground       `json:"grounds"`
	For         []string              `json:"for"`
	Against     []string              `json:"against"`
	Statement   string                `json:"statement,omitempty"` // what the old key has signed, word by word
	Vouched     []keyVoucher          `json:"vouched"`
}

type keyVoucher struct {
	Ground directory.KeyGround `json:"ground"`
	By     string              `json:"by"`
	At     string              `json:"at"`
	Note   string              `json:"note,omitempty"`
}

func (c *call) successor(statement, confirm string, asJSON bool) error {
	s := pgpkey.Succession{Now: c.now().UTC()}
	var err error
	if s.New, err = os.ReadFile(c.args[1]); err != nil {
		return usage(c.cmd, "KEYFILE: %v", err)
	}
	key, _, err := directory.ParseKey(s.New)
	if err != nil {
		return usage(c.cmd, "KEYFILE: %v", err)
	}
	s.Fingerprint = key.Fingerprint
	if statement != "" {
		if s.Statement, err = os.ReadFile(statement); err != nil {
			return usage(c.cmd, "statement: %v", err)
		}
	}
	if c.cmd.Flags().Changed("confirm") && strings.TrimSpace(confirm) == "" {
		return usage(c.cmd, "confirm: say how you asked the team")
	}
	return c.withStore(func(db *store.DB) error {
		d, err := directory.New(directory.Config{Store: db, Now: c.now})
		if err != nil {
			return err
		}
		out, err := c.succeed(d, db, s, confirm)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(c.stdout, out)
		} else {
			err = out.print(c)
		}
		if err == nil && !out.Proposed && out.Old != "" {
			err = &exitError{exitFailed, nil}
		}
		return err
	}, store.MustExist)
}

// succeed takes together what the keys, the checks and people say.
func (c *call) succeed(d *directory.Directory, db *store.DB, s pgpkey.Succession, confirm string) (*keySuccession, error) {
	t, err := d.Team(c.ctx, c.operator(), c.args[0])
	if err != nil {
		return nil, err
	}
	known, err := db.Verifications(c.ctx, t.ID)
	if err != nil {
		return nil, err
	}
	s.Channels = channelsOf(known, s.Fingerprint)
	if confirm != "" {
		if t, err = d.VouchForKey(c.ctx, c.operator(), c.args[0], s.Fingerprint, confirm); err != nil {
			return nil, err
		}
	}
	// A statement that does not count, and why, is told by what follows; a key that
	// was there from the start needs none.
	if len(s.Statement) > 0 && len(t.Keys)+len(t.FormerKeys) > 0 {
		after, err := d.StateKey(c.ctx, c.operator(), c.args[0], s.Fingerprint, s.Statement)
		switch directory.KindOf(err) {
		case "":
			t = after
		case directory.Invalid, directory.Conflict:
		default:
			return nil, err
		}
	}
	return successionOf(&t, s), nil
}

// channelsOf lists the channels on which the last checks found a key.
func channelsOf(known []verify.Verification, f directory.Fingerprint) (list []pgpkey.Channel) {
	for _, v := range known {
		for _, fact := range v.Facts {
			fingerprint, channels, _ := strings.Cut(fact.Value, " ")
			if v.Check != "pgpkey-contact" || fact.Name != "key" || fingerprint != string(f) {
				continue
			}
			for name := range strings.SplitSeq(channels, ",") {
				if c := pgpkey.Channel(name); name != "" && !slices.Contains(list, c) {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// successionOf holds a new key against each that the team has, and takes the one
// that most speaks for.
func successionOf(t *directory.Team, s pgpkey.Succession) *keySuccession {
	out := &keySuccession{Team: t.Handle, Fingerprint: s.Fingerprint, Grounds: []pgpkey.Ground{}, For: []string{}, Against: []string{}, Vouched: []keyVoucher{}}
	for _, w := range t.GroundsFor(s.Fingerprint) {
		if w.Ground == directory.KeyConfirmed {
			s.Operators = append(s.Operators, w.By)
		}
		out.Vouched = append(out.Vouched, keyVoucher{w.Ground, w.By, w.At.UTC().Format("2006-01-02 15:04"), w.Note})
	}
	for _, old := range t.Keys {
		if old.Fingerprint == s.Fingerprint {
			continue
		}
		s.Old = []byte(old.Armor)
		p := pgpkey.Succeeds(s)
		if out.Old != "" && len(p.Grounds) <= len(out.Grounds) {
			continue
		}
		out.Old, out.Proposed, out.Statement = old.Fingerprint, p.Proposed(), p.Statement
		out.Grounds, out.For, out.Against = append([]pgpkey.Ground{}, p.Grounds...), append([]string{}, p.For...), append([]string{}, p.Against...)
	}
	return out
}

func (k *keySuccession) print(c *call) error {
	b := new(strings.Builder)
	switch {
	case k.Old == "":
		fmt.Fprintf(b, "%s: the team has no other key\n", k.Fingerprint)
	case k.Proposed:
		fmt.Fprintf(b, "%s may take the place of %s\n", k.Fingerprint, k.Old)
	default:
		fmt.Fprintf(b, "%s should not take the place of %s yet\n", k.Fingerprint, k.Old)
	}
	for _, line := range k.For {
		fmt.Fprintf(b, "  + %s\n", verify.Quote(line))
	}
	for _, line := range k.Against {
		fmt.Fprintf(b, "  - %s\n", verify.Quote(line))
	}
	for _, v := range k.Vouched {
		fmt.Fprintf(b, "  %s by %s on %s: %s\n", v.Ground, v.By, v.At, verify.Quote(v.Note))
	}
	if k.Statement != "" {
		b.WriteString("The old key has signed:\n")
		for line := range strings.Lines(k.Statement) {
			fmt.Fprintf(b, "  | %s\n", verify.Quote(strings.TrimRight(line, "\r\n")))
		}
	}
	_, err := fmt.Fprint(c.stdout, b.String())
	return err
}
