package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

func mailCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "mail", Short: "Set up and test the mail that contacts are asked by",
		Long: `Mail makes the keys of the mail identity, says what to publish in the DNS, tests
whether others will believe our mails, and shows their texts. All but init need
mail_dir (--mail-dir, ROLLCALL_MAIL_DIR or the configuration), the folder that init
makes, and what else init needs.`,
		Example: `  rollcall mail init --mail-dir /var/lib/rollcall/mail --mail-address rollcall@rollcall.example.org --mail-contact https://rollcall.example.org/about
  rollcall mail selftest --config rollcall.toml
  rollcall mail preview --config rollcall.toml --kind code --language fr`,
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(mailInitCommand(w), mailDNSCommand(w), mailSelftestCommand(w), mailPreviewCommand(w), mailNoticesCommand(w), mailAsideCommand(w))
	return cmd
}

func mailInitCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Make the keys that are missing, and print what to publish",
		Long: `Init makes what is missing in mail_dir: an OpenPGP key, two keys for DKIM, the key
of return paths, and the key with which tokens and codes are made. What is there
is never replaced. Keep a copy of the folder, apart from that of the database.`,
		Example: "  rollcall mail init --mail-dir mail --mail-address rollcall@rollcall.example.org --mail-contact https://rollcall.example.org/about",
		Args:    exactArgs(), RunE: w.action((*call).mailInit),
	}
	keyFlags(cmd.Flags(), mailKeyNames()...)
	return cmd
}

func mailDNSCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dns", Short: "Print the records to publish",
		Long:    "Dns prints the records of the keys of the mail identity, as lines of a zone file.",
		Example: "  rollcall mail dns --mail-dir mail --mail-address rollcall@rollcall.example.org --mail-contact https://rollcall.example.org/about",
		Args:    exactArgs(), RunE: w.action(func(c *call) error {
			if err := c.needsIdentity(); err != nil {
				return err
			}
			id, err := c.openIdentity()
			if err != nil {
				return err
			}
			return c.printRecords(id)
		}),
	}
	keyFlags(cmd.Flags(), mailKeyNames()...)
	return cmd
}

// needsIdentity wants what an identity can't be without.
func (c *call) needsIdentity() error {
	m := &c.cfg.Challenge
	for _, need := range []struct{ key, value, what string }{
		{"mail_dir", m.Dir, "the folder in which the keys are kept"},
		{"mail_address", m.Address, "the address that mails come from"},
		{"mail_contact", m.Contact, "an https URL where people learn what these mails are"},
	} {
		if need.value == "" {
			return usage(c.cmd, "%s: missing; want %s", need.key, need.what)
		}
	}
	return nil
}

func (c *call) mailInit() error {
	if err := c.needsIdentity(); err != nil {
		return err
	}
	cfg := c.cfg.Challenge.identity()
	cfg.Now = c.now
	id, err := mail.CreateIdentity(cfg)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if _, err := makeChallengeKey(filepath.Join(cfg.Dir, keyFile)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.stdout, "the keys are in %s; keep a copy of it, apart from the database\n", cfg.Dir); err != nil {
		return err
	}
	return c.printRecords(id)
}

func (c *call) printRecords(id *mail.Identity) error {
	if _, err := fmt.Fprintln(c.stdout, "publish these records:"); err != nil {
		return err
	}
	for _, r := range id.Records() {
		if _, err := fmt.Fprintf(c.stdout, "\n  %s. 3600 IN %s %s\n", r.Name, r.Type, zoneText(r.Value)); err != nil {
			return err
		}
	}
	return nil
}

// zoneText writes a text in pieces of 255 octets (RFC 1035 section 3.3.14).
func zoneText(s string) string {
	var parts []string
	for len(s) > 255 {
		parts, s = append(parts, fmt.Sprintf("%q", s[:255])), s[255:]
	}
	return strings.Join(append(parts, fmt.Sprintf("%q", s)), " ")
}

func mailSelftestCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "selftest", Short: "Test whether others will believe our mails",
		Long: `Selftest looks at our own mail identity as a receiver would: SPF, DKIM and DMARC,
the reverse names of the relay's addresses, the MX of replies, and the relay's
TLS. Nothing is sent. A campaign is refused as long as something fails; what can't
be found out is no pass.

It needs what sending needs: mail_dir, mail_address, mail_contact, mail_relay and
challenge_pages; and mail_relay_from, the addresses that it looks at.

Exit status: 0 all passed; 1 a test failed, or could not be made; 2 wrong usage,
or something is not set.`,
		Example: "  rollcall mail selftest --config rollcall.toml\n  rollcall mail selftest --config rollcall.toml --json",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.mailSelftest(asJSON) }),
	}
	keyFlags(cmd.Flags(), sendKeyNames("mail_blocklists", "mail_relay_from", "verify_resolvers")...)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// selftestTime bounds a self-test.
const selftestTime = time.Minute

// selftest looks at the identity of an office.
func (c *call) selftest(ctx context.Context, id *mail.Identity, relay *mail.Submitter) (mail.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, selftestTime)
	defer cancel()
	dns, err := c.mailDNS(selftestTime)
	if err != nil {
		return nil, err
	}
	return mail.Selftest(ctx, dns, id, mail.Way{Relay: relay, Addresses: c.cfg.Challenge.RelayFrom, Blocklists: c.cfg.Challenge.Blocklists}), nil
}

// ready is what a campaign waits for: a self-test that passes.
func (c *call) ready(ctx context.Context, o *office) error {
	report, err := c.selftest(ctx, o.identity, o.submitter)
	if err != nil {
		return err
	}
	return report.Err()
}

// selftestLine is one line of a self-test as JSON.
type selftestLine struct {
	Test      string `json:"test"`
	OK        bool   `json:"ok"`
	Temporary bool   `json:"temporary,omitempty"`
	Reason    string `json:"reason"`
	Want      string `json:"want,omitempty"`
}

func (c *call) mailSelftest(asJSON bool) error {
	if err := c.cfg.Challenge.lacking(); err != nil {
		return err
	}
	id, err := c.openIdentity()
	if err != nil {
		return err
	}
	relay, err := c.newSubmitter()
	if err != nil {
		return err
	}
	report, err := c.selftest(c.ctx, id, relay)
	if err = errors.Join(err, relay.Close()); err != nil {
		return err
	}
	if err := c.printSelftest(report, asJSON); err != nil {
		return err
	}
	if bad := report.Err(); bad != nil {
		return errors.New("the self-test failed: no campaign begins or goes on before that is mended")
	}
	return nil
}

func (c *call) printSelftest(report mail.Report, asJSON bool) error {
	if asJSON {
		out := struct {
			OK    bool           `json:"ok"`
			Tests []selftestLine `json:"tests"`
		}{report.Err() == nil, []selftestLine{}}
		for _, f := range report {
			out.Tests = append(out.Tests, selftestLine(asLine(f)))
		}
		return printJSON(c.stdout, out)
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, f := range report {
		word := "failed"
		switch {
		case f.OK:
			word = "ok"
		case f.Temporary:
			word = "unknown"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Test, word, f.Reason)
		switch {
		case f.OK && f.Want != "":
			fmt.Fprintf(t, "\t\tbetter %s\n", f.Want)
		case f.Want != "":
			fmt.Fprintf(t, "\t\twant %s\n", f.Want)
		}
	}
	return t.Flush()
}

func asLine(f mail.Finding) selftestLine {
	return selftestLine{Test: f.Test, OK: f.OK, Temporary: f.Temporary, Reason: f.Reason, Want: f.Want}
}

func mailPreviewCommand(w world) *cobra.Command {
	var kind, of, language string
	cmd := &cobra.Command{
		Use: "preview", Short: "Print the text of a mail",
		Long: `Preview prints a mail's text with invented values: of a kind, for what a drill,
reminder or escalation asks for, in one of the languages that ship (ar, en, es,
fr, ru, zh) or that mail_templates adds.`,
		Example: "  rollcall mail preview --config rollcall.toml --kind signed --language es\n  rollcall mail preview --config rollcall.toml --kind reminder --of code",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.mailPreview(mail.Kind(kind), mail.Kind(of), language) }),
	}
	keyFlags(cmd.Flags(), append(mailKeyNames(), "mail_templates")...)
	cmd.Flags().StringVar(&kind, "kind", "code", "`KIND` of mail: code, nonce, signed, both, drill, reminder, escalation, digest or confirm")
	cmd.Flags().StringVar(&of, "of", "code", "what a drill, reminder or escalation asks for: `KIND` code, nonce, signed or both")
	cmd.Flags().StringVar(&language, "language", "en", "`LANGUAGE` of the text")
	return cmd
}

func (c *call) mailPreview(kind, of mail.Kind, language string) error {
	if err := c.needsIdentity(); err != nil {
		return err
	}
	id, err := c.openIdentity()
	if err != nil {
		return err
	}
	composer, err := c.newComposer(id)
	if err != nil {
		return err
	}
	if !kind.Repeats() {
		of = ""
	}
	if err := c.previewable(composer, kind, of, language); err != nil {
		return err
	}
	subject, text, err := composer.Preview(kind, of, language)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "Subject: %s\n\n%s", subject, text)
	return err
}

// previewable refuses a kind or language that there are no texts of.
func (c *call) previewable(composer *mail.Composer, kind, of mail.Kind, language string) error {
	if kinds := mail.Kinds(); !slices.Contains(kinds, kind) {
		return usage(c.cmd, "kind: %q is no kind of mail; want one of %s", kind, joinKinds(kinds))
	}
	if kinds := []mail.Kind{mail.KindCode, mail.KindNonce, mail.KindSigned, mail.KindBoth}; kind.Repeats() && !slices.Contains(kinds, of) {
		return usage(c.cmd, "of: %q is nothing that a %s asks for; want one of %s", of, kind, joinKinds(kinds))
	}
	tag, known := strings.ToLower(language), composer.Languages()
	if !slices.ContainsFunc(known, func(l string) bool { return tag == l || strings.HasPrefix(tag, l+"-") }) {
		return usage(c.cmd, "language: there are no texts in %q; want one of %s", language, strings.Join(known, ", "))
	}
	return nil
}

func joinKinds(kinds []mail.Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func mailAsideCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "aside", Short: "List mail that belongs to no question",
		Long: `Aside lists the mails that came in and belong to no question, the oldest first. They
lie in mail_aside, one file each; nobody was answered.`,
		Example: "  rollcall mail aside --mail-dir mail\n  rollcall mail aside --mail-dir mail --json",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.mailAside(asJSON) }),
	}
	keyFlags(cmd.Flags(), "mail_dir", "mail_aside")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *call) mailAside(asJSON bool) error {
	if c.cfg.Challenge.Dir == "" && c.cfg.Challenge.Aside == "" {
		return usage(c.cmd, "mail_dir: missing; want the folder of the mail identity, or mail_aside")
	}
	list, err := c.newAside().list()
	switch {
	case err != nil:
		return err
	case asJSON:
		if list == nil {
			list = []asideMail{}
		}
		return printJSON(c.stdout, list)
	case len(list) == 0:
		_, err = fmt.Fprintln(c.stdout, "no mail was kept aside")
		return err
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, m := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", m.At.Format("2006-01-02 15:04"), m.Why, m.From, m.Name)
	}
	return t.Flush()
}
