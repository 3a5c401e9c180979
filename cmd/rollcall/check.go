package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

const checkLong = `Check holds domains, e-mail addresses, security.txt files and OpenPGP keys
against the standards, without a server or a database, and says what is wrong,
in which line, what would be right, and which standard says so. It asks the DNS
and fetches over HTTPS, within limits, and writes to nobody.

A domain or an address is asked about on the network. --file, --key and
--keyring judge a file instead, offline; - is the standard input. Signatures,
and keys that are published, are compared with those of --known-keys.

Each subject gets a verdict and a grade: A nothing to do, B recommendations,
C warnings, D a part does not work, or not for everybody, F nobody can or should
rely on it. A check that could not be concluded, because a server did not answer
for example, is never counted as a fault: the verdict is then inconclusive,
unless another check found an error, and there is no grade.

--json prints one object a line for each subject. --at judges as of another
moment: a reminder in time, or what was true then.

--lab asks a small Internet inside this program instead of the real one, whose
teams and sites are good and bad in every way (docs/lab.md): to see what checks
find, offline.

--save keeps all that was asked and answered, one file for each check. --replay
comes to the same verdict from such a file, offline, or with --db from the hash
of one that a server keeps.

What the configuration says of resolvers, networks and key servers (verify_*)
holds here too; --resolver and --allow win over it.

Exit status: 0 ok or warnings; 1 an error; 2 wrong usage; 3 inconclusive. Of
several subjects an error counts before what is inconclusive.`

const checkExample = `  rollcall check example.org csirt@example.org
  rollcall check --json example.org | jq -r '.findings[] | [.severity, .code] | @tsv'
  rollcall check --file security.txt --url https://example.org/.well-known/security.txt
  rollcall check --file security.txt --at 2027-01-01
  gpg --export csirt@example.org | rollcall check --key -
  rollcall check --keyring /usr/share/keyrings/debian-keyring.gpg --json
  rollcall check --check securitytxt --save evidence example.org
  rollcall check --replay evidence/securitytxt-example.org-0123456789ab.json.gz
  rollcall check --explain securitytxt.expired
  rollcall check --lab anchor.example heron.example csirt@jetty.example`

// checkFlags are the flags of rollcall check.
type checkFlags struct {
	json, list, facts, lab                 bool
	at, file, url, knownKeys, key, keyring string
	replay, checks                         []string
	save, explain, ca                      string
	resolvers                              []string
	allow, anchor, rdap                    string
	timeout                                time.Duration
}

func checkCommand(w world) *cobra.Command {
	f := &checkFlags{}
	cmd := &cobra.Command{
		Use: "check [DOMAIN|EMAIL...]", Short: "Check a domain, an address, a security.txt or a key, and say what is wrong",
		Long: checkLong, Example: checkExample, Args: cobra.ArbitraryArgs,
		RunE:              w.action(func(c *call) error { return c.check(f) }),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	keyFlags(cmd.Flags(), "db")
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print one JSON object a line for each subject")
	flags.StringVar(&f.at, "at", "", "judge as of `TIME`, as 2026-11-21T12:00:00Z or 2026-11-21")
	flags.StringVar(&f.file, "file", "", "judge the security.txt in `FILE`")
	flags.StringVar(&f.url, "url", "", "--file: the `URL` at which the file is published")
	flags.StringVar(&f.key, "key", "", "judge the OpenPGP key in `FILE`")
	flags.StringVar(&f.keyring, "keyring", "", "judge each OpenPGP key in `FILE`")
	flags.StringVar(&f.knownKeys, "known-keys", "", "OpenPGP keys in `FILE` that are known to be right, to compare with")
	flags.StringArrayVar(&f.replay, "replay", nil, "judge again what `FILE` recorded, or a hash with --db; may be repeated")
	flags.StringVar(&f.save, "save", "", "keep what was asked and answered in the folder `DIR`")
	flags.StringSliceVar(&f.checks, "check", nil, "run the check `NAME` only; may be repeated")
	flags.BoolVar(&f.facts, "facts", false, "show also what was seen where nothing is wrong")
	flags.BoolVar(&f.lab, "lab", false, "ask the lab, a small Internet inside this program, and nobody else")
	flags.BoolVar(&f.list, "list", false, "list all checks and codes")
	flags.StringVar(&f.explain, "explain", "", "explain the `CODE` of a finding")
	flags.StringSliceVar(&f.resolvers, "resolver", nil, "`ADDRESS` of a DNS resolver (default: verify_resolvers, else the system's)")
	flags.StringVar(&f.allow, "allow", "", "`NETWORKS` to ask although they are not public (default: verify_allow)")
	flags.StringVar(&f.anchor, "anchor", "", "`FILE` with trust anchors for DNSSEC (default: verify_anchor)")
	flags.StringVar(&f.rdap, "rdap", "", "`URL` of the list of RDAP servers (default: verify_rdap)")
	flags.StringVar(&f.ca, "ca", "", "`FILE` in PEM with certificates to trust beside the system's")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "`TIME` for each check")
	_ = cmd.RegisterFlagCompletionFunc("check", completeWith(checkNames))
	_ = cmd.RegisterFlagCompletionFunc("explain", completeWith(checkCodes))
	return cmd
}

// completeWith completes a flag from a list.
func completeWith(list func() []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list(), cobra.ShellCompDirectiveNoFileComp
	}
}

func checkNames() (names []string) {
	for _, c := range catalog.Checks() {
		names = append(names, c.Name+"\t"+c.Title)
	}
	return names
}

func checkCodes() (codes []string) {
	for _, p := range catalog.Problems() {
		codes = append(codes, string(p.Code)+"\t"+p.Title)
	}
	return codes
}

// check does what the flags ask for.
func (c *call) check(f *checkFlags) error {
	at, err := c.checkUsage(f)
	if err != nil {
		return err
	}
	switch {
	case f.list:
		return c.listChecks(f.json)
	case f.explain != "":
		return c.explainCode(f.explain, f.json)
	}
	p := &checkPrinter{call: c, flags: f, paint: painter(c.colour(c.stdout))}
	switch {
	case f.file != "":
		err = p.securityFile(at)
	case f.key != "" || f.keyring != "":
		err = p.keys(at)
	case len(f.replay) > 0:
		err = p.replays()
	case f.lab:
		err = p.inLab(at)
	default:
		err = p.subjects(at)
	}
	if err != nil {
		return checkFailed(err)
	}
	return p.end()
}

// checkFailed gives an error that has no status yet that of what could not be
// asked: 1 would say that an error was found.
func checkFailed(err error) error {
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	return notAsked("%w", err)
}

// checkUsage refuses flags that contradict each other, and returns the moment
// as of which to judge.
func (c *call) checkUsage(f *checkFlags) (at time.Time, err error) {
	var given []string
	for _, name := range []string{"list", "explain", "file", "key", "keyring", "replay"} {
		if flag := c.cmd.Flags().Lookup(name); flag.Changed {
			given = append(given, "--"+name)
			if v := flag.Value.String(); v == "" || v == "[]" {
				return at, usage(c.cmd, "%s: empty; want a value", name)
			}
		}
	}
	if len(c.args) > 0 {
		given = append(given, "DOMAIN|EMAIL")
	}
	switch {
	case len(given) == 0:
		return at, usage(c.cmd, "DOMAIN|EMAIL: missing; want what to check, such as example.org, or --file, --key, --keyring or --replay")
	case len(given) > 1:
		return at, usage(c.cmd, "%s: contradicts %s; want one of them", given[1], given[0])
	}
	if err := c.checkTogether(given[0]); err != nil {
		return at, err
	}
	if f.lab {
		// What says where the world is; and transcripts, whose keys are gone with the lab.
		for _, name := range []string{"resolver", "allow", "anchor", "rdap", "ca", "save"} {
			if c.cmd.Flags().Changed(name) {
				return at, usage(c.cmd, "%s: contradicts --lab; want one of them", name)
			}
		}
	}
	if f.file == "-" && f.knownKeys == "-" {
		return at, usage(c.cmd, "known-keys: the standard input is the file already; want a file for one of them")
	}
	if f.timeout <= 0 {
		return at, usage(c.cmd, "timeout: %s is no time for a check; want a time such as 60s", f.timeout)
	}
	return c.checkMoment(f.at)
}

// checkTogether refuses flags that would mean nothing beside what is checked.
func (c *call) checkTogether(source string) error {
	const online = "DOMAIN|EMAIL"
	for _, rule := range []struct {
		flag string
		with []string
	}{
		{"url", []string{"--file"}},
		{"known-keys", []string{online, "--file"}},
		{"db", []string{"--replay"}},
		{"at", []string{online, "--file", "--key", "--keyring"}},
		{"facts", []string{online, "--file", "--key", "--keyring", "--replay"}},
		{"check", []string{online}},
		{"save", []string{online}},
		{"resolver", []string{online}},
		{"allow", []string{online, "--replay"}},
		{"anchor", []string{online, "--replay"}},
		{"rdap", []string{online, "--replay"}},
		{"ca", []string{online}},
		{"timeout", []string{online, "--replay"}},
		{"lab", []string{online}},
	} {
		if c.cmd.Flags().Changed(rule.flag) && !slices.Contains(rule.with, source) {
			return usage(c.cmd, "%s: means nothing beside %s; want it with %s", rule.flag, source, strings.Join(rule.with, ", "))
		}
	}
	return nil
}

// checkMoment reads --at; without it, the moment is now.
func (c *call) checkMoment(s string) (time.Time, error) {
	if !c.cmd.Flags().Changed("at") {
		return c.now().UTC().Truncate(time.Second), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1900 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage(c.cmd, "at: %v", bad(s, "not a moment from 1901 to 2199", "a time such as 2026-11-21T12:00:00Z (RFC 3339), or a day such as 2026-11-21"))
}
