package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

const teamControlLong = `Control proves that a team controls one of its domains: it publishes a TXT record
with a token there, and once all name servers and resolvers show it, the team's
claim to the domain is confirmed. The record is looked for weekly by whatever
server or worker is running, and the claim stays confirmed while it is there.`

func teamControlCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "control", Short: "Prove that a team controls its domains", Long: teamControlLong,
		Example: "  rollcall team control start --db teams.db example-csirt example.org\n  rollcall team control show --db teams.db example-csirt\n" +
			"  rollcall team control check --db teams.db example-csirt example.org",
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(controlStartCommand(w), controlShowCommand(w),
		controlCommand(w, "check", "Look for the record now", "Check has the record looked for. A server or worker begins with it within seconds;\n\"rollcall team control show\" shows what came of it.", (*call).checkControl),
		controlCommand(w, "renew", "Make another token", "Renew begins a proof anew. The old token counts for nothing from now on, and what\nit confirmed is confirmed no more. To change the date in the record alone, use\n\"rollcall team control start\" again, or write another into the record.", (*call).renewControl),
		controlCommand(w, "withdraw", "End a proof", "Withdraw ends a proof: what it confirmed is confirmed no more, and the record can\nbe taken out of the DNS.", (*call).withdrawControl))
	return cmd
}

// controlCommand is one that names a team and a domain, and nothing else.
func controlCommand(w world, name, short, long string, do func(*call) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " TEAM DOMAIN", Short: short, Long: long, Example: "  rollcall team control " + name + " --db teams.db example-csirt example.org",
		Args: exactArgs("TEAM", "DOMAIN"), RunE: w.action(do),
	}
	keyFlags(cmd.Flags(), "db", "control_label")
	return cmd
}

func controlStartCommand(w world) *cobra.Command {
	var expiry, token string
	cmd := &cobra.Command{
		Use: "start TEAM DOMAIN", Short: "Begin a proof, and print the record to publish",
		Long: `Start begins to prove that TEAM controls DOMAIN, which is one of its resources, and
prints the TXT record to publish. Where a proof was begun already it stays as it
is, but for the date. Give the record a TTL of 300 seconds or less until it is
seen: it is looked for within 15 minutes, then less and less often, or at once
with "rollcall team control check".`,
		Example: "  rollcall team control start --db teams.db example-csirt example.org\n  rollcall team control start --db teams.db --expiry 2027-12-31 example-csirt example.org",
		Args:    exactArgs("TEAM", "DOMAIN"), RunE: w.action(func(c *call) error { return c.startControl(expiry, token) }),
	}
	keyFlags(cmd.Flags(), "db", "control_label")
	cmd.Flags().StringVar(&expiry, "expiry", "never", "`DAY` to the end of which the record says that it holds, or never")
	cmd.Flags().StringVar(&token, "token", "", "`TOKEN` that is published already, as after a move from another instance")
	return cmd
}

func controlShowCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show TEAM [DOMAIN]", Short: "Show proofs and their records",
		Long: `Show prints the proofs of TEAM, or the one for DOMAIN: what came of each, since when
and until when, what evidence there is ("rollcall check --replay" comes to the same
from it), and the record to publish.`,
		Example: "  rollcall team control show --db teams.db example-csirt\n  rollcall team control show --db teams.db --json example-csirt example.org",
		Args:    oneOrTwoArgs("TEAM", "DOMAIN"), RunE: w.action(func(c *call) error { return c.showControl(asJSON) }),
	}
	keyFlags(cmd.Flags(), "db", "control_label")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

// oneOrTwoArgs is for a command whose second argument may be left out.
func oneOrTwoArgs(first, second string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < 1 || len(args) > 2 {
			return usage(cmd, "%d arguments; want %s and one %s at most", len(args), first, second)
		}
		return nil
	}
}

// controlDomain reads the argument that names a domain.
func (c *call) controlDomain() (directory.Domain, error) {
	d, err := directory.ParseDomain(c.args[1])
	if err != nil {
		return "", usage(c.cmd, "DOMAIN: %v", err)
	}
	return d, nil
}

// onControl does something about the proof that the arguments name.
func (c *call) onControl(do func(*directory.Directory, directory.Domain) error) error {
	domain, err := c.controlDomain()
	if err != nil {
		return err
	}
	return c.withDirectory(func(d *directory.Directory) error { return asUsage(do(d, domain)) }, store.MustExist)
}

func (c *call) startControl(expiry, token string) error {
	n := directory.NewControl{Token: token}
	if expiry != "never" && expiry != "" {
		day, err := directory.ParseDate(expiry)
		if err != nil {
			return usage(c.cmd, "expiry: %v", err)
		}
		n.Expiry = day
	}
	return c.onControl(func(d *directory.Directory, domain directory.Domain) error {
		n.Domain = domain
		made, token, err := d.StartControl(c.ctx, c.operator(), c.args[0], n)
		if err != nil {
			return err
		}
		return c.printRecord(&made, token)
	})
}

func (c *call) renewControl() error {
	return c.onControl(func(d *directory.Directory, domain directory.Domain) error {
		made, token, err := d.RenewControl(c.ctx, c.operator(), c.args[0], domain)
		if err != nil {
			return err
		}
		return c.printRecord(&made, token)
	})
}

// printRecord prints the record as a line of a zone file.
func (c *call) printRecord(o *directory.Control, token string) error {
	_, err := fmt.Fprintf(c.stdout, "publish this record, and leave it there for as long as the claim shall be confirmed:\n\n  %s\n\n", c.zoneLine(o, token))
	return err
}

func (c *call) zoneLine(o *directory.Control, token string) string {
	return fmt.Sprintf("%s.%s. 300 IN TXT %q", c.cfg.ControlLabel, o.Domain, directory.ControlRecord(token, o.Expiry))
}

func (c *call) checkControl() error {
	return c.onControl(func(d *directory.Directory, domain directory.Domain) error {
		due, err := d.CheckControl(c.ctx, c.operator(), c.args[0], domain)
		if err != nil {
			return err
		}
		said := "the record is looked for as soon as a server or worker has room"
		if !due {
			said = "the record is being looked for, or will be once a server or worker runs"
		}
		_, err = fmt.Fprintln(c.stdout, said)
		return err
	})
}

func (c *call) withdrawControl() error {
	return c.onControl(func(d *directory.Directory, domain directory.Domain) error {
		if err := d.WithdrawControl(c.ctx, c.operator(), c.args[0], domain); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.stdout, "withdrawn: %s\n", domain)
		return err
	})
}

// teamProof is a proof with its token.
type teamProof struct {
	directory.Control
	token string
}

// teamProofs reads the proofs that the arguments name.
func (c *call) teamProofs(d *directory.Directory) (list []teamProof, err error) {
	t, err := d.Team(c.ctx, c.operator(), c.args[0])
	if err != nil {
		return nil, err
	}
	var domains []directory.Domain
	for i := range t.Controls {
		domains = append(domains, t.Controls[i].Domain)
	}
	if len(c.args) == 2 {
		domain, err := c.controlDomain()
		if err != nil {
			return nil, err
		}
		domains = []directory.Domain{domain}
	}
	for _, domain := range domains {
		o, token, err := d.ControlToken(c.ctx, c.operator(), c.args[0], domain)
		if err != nil {
			return nil, err
		}
		list = append(list, teamProof{o, token})
	}
	return list, nil
}

func (c *call) showControl(asJSON bool) error {
	return c.withDirectory(func(d *directory.Directory) error {
		list, err := c.teamProofs(d)
		switch {
		case err != nil:
			return err
		case asJSON:
			out := api.DomainControlList{Controls: []api.DomainControl{}}
			for i := range list {
				out.Controls = append(out.Controls, api.ControlFrom(&list[i].Control, c.cfg.ControlLabel, list[i].token))
			}
			return printJSON(c.stdout, out)
		case len(list) == 0:
			_, err = fmt.Fprintln(c.stdout, "no proof was begun")
			return err
		}
		for i := range list {
			if err := c.printControl(&list[i]); err != nil {
				return err
			}
		}
		return nil
	}, store.MustExist)
}

// printControl prints one proof for people.
func (c *call) printControl(p *teamProof) error {
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	day := func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 MST") }
	fmt.Fprintf(t, "%s\t%s since %s\n", p.Domain, p.State, day(p.Since))
	if !p.Seen.IsZero() {
		fmt.Fprintf(t, "  last seen\t%s, DNSSEC %s\n", day(p.Seen), p.DNSSEC)
	}
	if end := p.End(); !end.IsZero() {
		fmt.Fprintf(t, "  holds until\t%s, and longer when it is seen again\n", day(end))
	}
	if !p.Missing.IsZero() {
		fmt.Fprintf(t, "  missing since\t%s\n", day(p.Missing))
	}
	if p.RawHash != "" {
		fmt.Fprintf(t, "  evidence\t%s\n", p.RawHash)
	}
	fmt.Fprintf(t, "  record\t%s\n", strings.TrimSpace(c.zoneLine(&p.Control, p.token)))
	return t.Flush()
}
