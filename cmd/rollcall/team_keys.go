package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
)

const teamKeysLong = `Keys shows how the team with the handle or id TEAM came to its OpenPGP keys. A key
that came while the team had, or had had, another is relied on once something
shows that it is the team's: an old key has certified it, or has signed a
statement that names it; two independent channels have it, which the checks look
for; or two operators have confirmed it. After 30 days it is used with a warning.

With --key and one of --statement, --vouch and --refuse it says something of one
key first: hands in what an old key has signed, confirms under your name that you
have asked the team on another way, or says that the key is not the team's.`

// keyWord is what is said of a key.
type keyWord struct{ key, statement, vouch, refuse string }

func teamKeysCommand(w world) *cobra.Command {
	var word keyWord
	var asJSON bool
	cmd := &cobra.Command{
		Use: "keys TEAM", Short: "Show how a team came to its keys, and speak for one", Long: teamKeysLong,
		Example: "  rollcall team keys --db teams.db example-csirt\n" +
			"  rollcall team keys --db teams.db --key 0123456789ABCDEF0123456789ABCDEF01234567 --statement transition.asc example-csirt\n" +
			"  rollcall team keys --db teams.db --key 0123456789ABCDEF0123456789ABCDEF01234567 --vouch \"called the number in the contract\" example-csirt",
		Args: exactArgs("TEAM"), RunE: w.action(func(c *call) error { return c.teamKeys(word, asJSON) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().StringVar(&word.key, "key", "", "`FINGERPRINT` of the key that something is said of")
	cmd.Flags().StringVar(&word.statement, "statement", "", "`FILE` with what an old key has clear-signed or certified")
	cmd.Flags().StringVar(&word.vouch, "vouch", "", "confirm the key; `TEXT` says how you asked")
	cmd.Flags().StringVar(&word.refuse, "refuse", "", "say that the key is wrong; `TEXT` says why")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func (c *call) teamKeys(word keyWord, asJSON bool) error {
	say, err := c.keyWord(word)
	if err != nil {
		return err
	}
	return c.withDirectory(func(d *directory.Directory) error {
		if say != nil {
			if err := asUsage(say(d)); err != nil {
				return err
			}
		}
		t, err := d.Team(c.ctx, c.operator(), c.args[0])
		if err != nil {
			return err
		}
		list := api.KeySuccessionsFrom(&t, c.now())
		if asJSON {
			return printJSON(c.stdout, list)
		}
		_, err = fmt.Fprint(c.stdout, continuityText(&list))
		return err
	}, store.MustExist)
}

// keyWord returns what the flags ask to say of a key; nil is nothing.
func (c *call) keyWord(word keyWord) (func(*directory.Directory) error, error) {
	said := 0
	for _, name := range []string{"statement", "vouch", "refuse"} {
		if c.cmd.Flags().Changed(name) {
			said++
		}
	}
	switch {
	case said == 0 && word.key == "":
		return nil, nil
	case said != 1 || word.key == "":
		return nil, usage(c.cmd, "key: name one key, and say one thing of it: --statement, --vouch or --refuse")
	}
	f, err := directory.ParseFingerprint(word.key)
	if err != nil {
		return nil, usage(c.cmd, "key: %v", err)
	}
	switch {
	case c.cmd.Flags().Changed("vouch"):
		return func(d *directory.Directory) error {
			_, err := d.VouchForKey(c.ctx, c.operator(), c.args[0], f, word.vouch)
			return err
		}, nil
	case c.cmd.Flags().Changed("refuse"):
		return func(d *directory.Directory) error {
			_, err := d.RefuseKey(c.ctx, c.operator(), c.args[0], f, word.refuse)
			return err
		}, nil
	}
	statement, err := os.ReadFile(word.statement)
	if err != nil {
		return nil, usage(c.cmd, "statement: %v", err)
	}
	return func(d *directory.Directory) error {
		_, err := d.StateKey(c.ctx, c.operator(), c.args[0], f, statement)
		return err
	}, nil
}

// continuityText is how a team came to its keys, for people.
func continuityText(list *api.KeySuccessionList) string {
	b := new(strings.Builder)
	for i := range list.Keys {
		k := &list.Keys[i]
		fmt.Fprintf(b, "%s  %s", k.Fingerprint, k.State)
		if !k.Until.IsZero() {
			fmt.Fprintf(b, " until %s", k.Until.Format(time.DateOnly))
		}
		if !k.Since.IsZero() {
			fmt.Fprintf(b, ", since %s", k.Since.Format(time.DateOnly))
		}
		if k.By != "" {
			fmt.Fprintf(b, " by %s", verify.Quote(k.By))
		}
		b.WriteString("\n")
		for _, old := range k.Predecessors {
			fmt.Fprintf(b, "  after %s\n", old)
		}
		for j := range k.Grounds {
			b.WriteString(groundText(&k.Grounds[j]))
		}
		if r := k.Refusal; r != nil {
			fmt.Fprintf(b, "  - refused on %s by %s: %s\n", r.At.Format(time.DateOnly), verify.Quote(r.By), verify.Quote(r.Why))
		}
	}
	for _, k := range list.Former {
		fmt.Fprintf(b, "%s  left on %s\n", k.Fingerprint, k.Left.Format(time.DateOnly))
	}
	if b.Len() == 0 {
		return "the team has no keys\n"
	}
	return b.String()
}

func groundText(g *api.KeyGroundInfo) string {
	b := new(strings.Builder)
	sign := "+"
	if !g.Holds {
		sign = "(void)"
	}
	fmt.Fprintf(b, "  %s %s", sign, g.Ground)
	if g.Old != "" {
		fmt.Fprintf(b, " by %s on %s", g.Old, g.Signed.Format(time.DateOnly))
	}
	if len(g.Channels) > 0 {
		fmt.Fprintf(b, " %s", verify.Quote(strings.Join(g.Channels, ", ")))
	}
	fmt.Fprintf(b, ", taken in on %s from %s\n", g.At.Format(time.DateOnly), verify.Quote(g.By))
	for line := range strings.Lines(g.Note) {
		fmt.Fprintf(b, "    | %s\n", verify.Quote(strings.TrimRight(line, "\r\n")))
	}
	return b.String()
}
