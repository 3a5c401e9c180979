package main

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

const teamSecurityTxtLong = `Securitytxt prints a security.txt (RFC 9116) with the contacts, keys and
languages that the team with the handle or id TEAM shows everybody: contacts for
vulnerabilities first, in the team's order. Sign it and put it at
/.well-known/security.txt of each host; "rollcall check HOST" then looks at it.`

// securityTxtFlags are what the file says beside the profile.
type securityTxtFlags struct {
	days        int
	hosts, keys []string
	plan        securitytxt.Plan
}

func teamSecurityTxtCommand(w world) *cobra.Command {
	var f securityTxtFlags
	cmd := &cobra.Command{
		Use: "securitytxt TEAM", Short: "Write a security.txt from a team's profile",
		Long: teamSecurityTxtLong,
		Example: "  rollcall team securitytxt --db teams.db example-csirt\n" +
			"  rollcall team securitytxt --db teams.db --host www.example.org --policy https://www.example.org/disclosure example-csirt | gpg --clearsign > security.txt",
		Args: exactArgs("TEAM"), RunE: w.action(func(c *call) error { return c.securityTxt(&f) }),
	}
	keyFlags(cmd.Flags(), "db")
	flags := cmd.Flags()
	flags.IntVar(&f.days, "days", 180, "the file is good for `N` days, 365 at most")
	flags.StringArrayVar(&f.hosts, "host", nil, "`HOST` where the file will lie (repeatable; default the host of the team's website)")
	flags.StringArrayVar(&f.keys, "key", nil, "https `URL` of a key (repeatable; default the fingerprints of the team's keys)")
	flags.StringVar(&f.plan.Policy, "policy", "", "https `URL` of the disclosure policy")
	flags.StringVar(&f.plan.Acknowledgments, "acknowledgments", "", "https `URL` of the page of thanks")
	flags.StringVar(&f.plan.Hiring, "hiring", "", "https `URL` of the team's vacancies")
	flags.StringVar(&f.plan.CSAF, "csaf", "", "https `URL` of provider-metadata.json")
	return cmd
}

func (c *call) securityTxt(f *securityTxtFlags) error {
	if f.days < 1 || f.days > 365 {
		return usage(c.cmd, "--days %d: want 1 to 365, since RFC 9116 section 2.5.5 wants less than a year", f.days)
	}
	f.plan.Lasts, f.plan.Keys = time.Duration(f.days)*24*time.Hour, f.keys
	for _, h := range f.hosts {
		d, err := directory.ParseDomain(h)
		if err != nil {
			return usage(c.cmd, "--host: %v", err)
		}
		f.plan.Hosts = append(f.plan.Hosts, d)
	}
	return c.withStore(func(db *store.DB) error {
		d, err := directory.New(directory.Config{Store: db, Now: c.now, Rules: c.cfg.MatchRules})
		if err != nil {
			return err
		}
		t, err := d.Team(c.ctx, directory.Nobody(), c.args[0])
		if err != nil {
			return err
		}
		f.plan.Now = c.now()
		file, err := securitytxt.Generate(&t, f.plan)
		if err != nil {
			return c.notWritten(&t, err)
		}
		_, err = io.WriteString(c.stdout, file.String())
		return err
	}, store.MustExist)
}

// notWritten says what keeps the file from being written, and which flag is to
// blame.
func (c *call) notWritten(t *directory.Team, err error) error {
	if errors.Is(err, securitytxt.ErrNoContact) {
		return &directory.Error{Kind: directory.Conflict, Op: "write security.txt", Subject: string(t.Handle), Problems: []directory.Problem{{Code: "securitytxt.no-contact",
			Reason: "the team shows everybody no contact that a security.txt can have", Want: "a contact for vulnerabilities with the label clear"}}}
	}
	bad, ok := errors.AsType[*securitytxt.PlanError](err)
	if !ok {
		return err
	}
	flag := strings.ToLower(string(bad.Field))
	if bad.Field == securitytxt.Encryption {
		flag = "key"
	}
	return usage(c.cmd, "--%s %q: the line would break a rule (%s); want an https URL", flag, bad.Value, bad.Code)
}
