package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

func tokenCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Make, list and revoke API tokens",
		Long: `A token says who a program is to the API. It is shown once, when it is made, and
kept as a hash only. It can be revoked at any time, and holds for the running
server at once.`,
		Example: "  rollcall token create --db teams.db --role consumer --expires 90d\n  rollcall token list --db teams.db\n  rollcall token revoke --db teams.db rct_4f2a9c1b",
		Args:    cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(tokenCreateCommand(w), tokenListCommand(w), tokenRevokeCommand(w))
	return cmd
}

const tokenCreateLong = `Create makes a token and prints its secret: alone on a line when the output is
not a terminal, so that a script can keep it.

Roles:
  consumer     looks up, and sees what is TLP:GREEN; with --team also what the
               team's forums share
  editor       edits the team that --team names
  secretariat  keeps the members of the forum that --forum names
  operator     may do everything

Scopes narrow a role: read, write, import, admin. Without any, the token may do
all that its role may.`

// tokenFlags are the flags of rollcall token create.
type tokenFlags struct {
	role, team, forum, expires, name string
	scopes                           []string
	json, quiet                      bool
}

func tokenCreateCommand(w world) *cobra.Command {
	f := &tokenFlags{}
	cmd := &cobra.Command{
		Use: "create", Short: "Make a token", Long: tokenCreateLong,
		Example: `  rollcall token create --db teams.db --role consumer --name intelmq --expires 90d
  rollcall token create --db teams.db --role editor --team example-csirt
  rollcall token create --db teams.db --role operator --scope read --scope import`,
		Args: exactArgs(), RunE: w.action(func(c *call) error { return c.createToken(f) }),
	}
	keyFlags(cmd.Flags(), "db")
	flags := cmd.Flags()
	flags.StringVar(&f.role, "role", "", "`ROLE`: consumer, editor, secretariat or operator")
	flags.StringVar(&f.team, "team", "", "handle or id of the `TEAM` that an editor edits or a consumer belongs to")
	flags.StringVar(&f.forum, "forum", "", "handle of the `FORUM` that a secretariat keeps")
	flags.StringArrayVar(&f.scopes, "scope", nil, "`SCOPE` that the token is limited to: read, write, import or admin; may be repeated")
	flags.StringVar(&f.expires, "expires", "", "`TIME` after which the token ends, such as 90d (default: never)")
	flags.StringVar(&f.name, "name", "", "`NAME`: what the token is for")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print the secret only")
	return cmd
}

func (c *call) createToken(f *tokenFlags) error {
	if err := c.exclusive("json", "quiet"); err != nil {
		return err
	}
	spec := directory.TokenSpec{Name: f.name, Role: directory.Role(f.role), Team: f.team, Forum: f.forum}
	if f.role == "" {
		return usage(c.cmd, "role: missing; want --role consumer, editor, secretariat or operator")
	}
	for _, s := range f.scopes {
		for part := range strings.SplitSeq(s, ",") {
			spec.Scopes = append(spec.Scopes, directory.Scope(part))
		}
	}
	if f.expires != "" {
		d, err := parseSpan(f.expires)
		if err == nil && d <= 0 {
			err = bad(f.expires, "no time at all", "a time such as 90d")
		}
		if err != nil {
			return usage(c.cmd, "expires: %v", err)
		}
		spec.Expires = d
	}
	return c.withDirectory(func(d *directory.Directory) error {
		secret, t, err := d.CreateToken(c.ctx, c.operator(), spec)
		if err != nil {
			return asUsage(err)
		}
		return c.printSecret(f, secret, t)
	}, store.MigrateFirst)
}

func (c *call) printSecret(f *tokenFlags, secret string, t directory.Token) error {
	switch {
	case f.json:
		return printJSON(c.stdout, struct {
			Secret string `json:"secret"`
			tokenJSON
		}{secret, tokenTo(t, c.now())})
	case f.quiet || !c.terminal(c.stdout):
		_, err := fmt.Fprintln(c.stdout, secret)
		return err
	}
	ends := "never expires"
	if !t.Expires.IsZero() {
		ends = "expires " + t.Expires.Format(time.DateOnly)
	}
	_, err := fmt.Fprintf(c.stdout, "%s\n\nToken %s, role %s, %s. This is the only time that the secret is shown.\nUse it as: Authorization: Bearer %s\n",
		secret, t.ID, t.Role, ends, secret)
	return err
}

// tokenJSON is a token as --json shows it.
type tokenJSON struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"`
	Role     directory.Role    `json:"role"`
	Team     directory.TeamID  `json:"team,omitempty"`
	Forum    string            `json:"forum,omitempty"`
	Scopes   []directory.Scope `json:"scopes,omitempty"`
	State    string            `json:"state"`
	Created  time.Time         `json:"created"`
	By       string            `json:"by"`
	Expires  time.Time         `json:"expires,omitzero"`
	LastUsed time.Time         `json:"last_used,omitzero"`
	Revoked  time.Time         `json:"revoked,omitzero"`
}

func tokenTo(t directory.Token, now time.Time) tokenJSON {
	return tokenJSON{
		ID: t.ID, Name: t.Name, Role: t.Role, Team: t.Team, Forum: t.Forum, Scopes: t.Scopes, State: t.State(now),
		Created: t.Created, By: t.By, Expires: t.Expires, LastUsed: t.LastUsed, Revoked: t.Revoked,
	}
}

func tokenListCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens, newest first",
		Long: "List shows all tokens, also those that ended, with their last use to the minute.\nNo secret is shown: none is kept.", Example: "  rollcall token list --db teams.db\n  rollcall token list --db teams.db --json",
		Args: exactArgs(), RunE: w.action(func(c *call) error { return c.listTokens(asJSON) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one token on a line")
	return cmd
}

func (c *call) listTokens(asJSON bool) error {
	return c.withDirectory(func(d *directory.Directory) error {
		list, err := d.Tokens(c.ctx, c.operator())
		if err != nil {
			return err
		}
		if asJSON {
			for _, t := range list {
				err = firstError(err, printJSON(c.stdout, tokenTo(t, c.now())))
			}
			return err
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tSTATE\tROLE\tBOUND TO\tEXPIRES\tLAST USED\tNAME")
		for _, k := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.State(c.now()), k.Role, dash(c.handleOf(d, k.Team)+k.Forum), day(k.Expires), day(k.LastUsed), dash(k.Name))
		}
		return t.Flush()
	}, store.MustExist)
}

// handleOf returns the handle of a team, by which commands know it; its id where the team
// is gone.
func (c *call) handleOf(d *directory.Directory, id directory.TeamID) string {
	if t, err := d.Team(c.ctx, c.operator(), string(id)); id != "" && err == nil {
		return string(t.Handle)
	}
	return string(id)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.DateOnly)
}

func tokenRevokeCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End a token at once",
		Long: "Revoke ends a token for good. ID is its public part, which \"rollcall token list\"\nshows and the secret begins with. Revoking twice is no error.", Example: "  rollcall token revoke --db teams.db rct_4f2a9c1b",
		Args: exactArgs("ID"), RunE: w.action((*call).revokeToken),
	}
	keyFlags(cmd.Flags(), "db")
	return cmd
}

func (c *call) revokeToken() error {
	id := c.args[0]
	if i := strings.LastIndexByte(id, '_'); i > len("rct_") {
		id = id[:i] // a whole secret was given: it must not be shown again
	}
	return c.withDirectory(func(d *directory.Directory) error {
		t, err := d.RevokeToken(c.ctx, c.operator(), id)
		if directory.KindOf(err) == directory.NotFound {
			return fmt.Errorf("ID: there is no token %q; want one that \"rollcall token list\" shows", id)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "revoked %s\n", t.ID)
		return err
	}, store.MustExist)
}
