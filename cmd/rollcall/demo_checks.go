package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// showChecks shows what came of the checks: all teams, one of them, and a
// lookup that leads to it.
func (c *call) showChecks(s *server, d *demoLab, db string) error {
	started := time.Now()
	n, err := d.settled(c.ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, `6. What thirty more teams claim, checked against a small Internet on this machine:
   name servers, sites, key servers, and teams in every state. %d checks, the last
   of them %s after the first five steps; nothing left this machine.

`, n, time.Since(started).Round(100*time.Millisecond))
	if err := c.showVerdicts(s, d); err != nil {
		return err
	}
	if err := c.showFindings(s, d, "heron"); err != nil {
		return err
	}
	step := demoStep{"8.", "The same where it matters: whom to tell about a name of theirs, with the evidence\n   and with what the checks found.",
		[]string{"www.heron.example"}, false, "/v1/lookup?q=www.heron.example"}
	if err := c.showStep(s, step, ""); err != nil {
		return err
	}
	return c.showLab(d, db)
}

// aspects are the columns of the table: what of a team the checks look at.
func aspects() []string { return []string{"security.txt", "DNS, mail", "keys"} }

func aspectOf(check string) int {
	switch check {
	case "securitytxt":
		return 0
	case "pgpkey", "pgpkey-contact", "pgpkey-securitytxt":
		return 2
	}
	return 1
}

// ranked are the verdicts, worst first.
func ranked() []verify.Verdict {
	return []verify.Verdict{verify.VerdictError, verify.VerdictWarning, verify.VerdictInconclusive, verify.VerdictOK}
}

func worse(a, b verify.Verdict) verify.Verdict {
	order := ranked()
	if b == "" || a != "" && slices.Index(order, a) <= slices.Index(order, b) {
		return a
	}
	return b
}

// showVerdicts prints a line for each team, and how the verdicts compare with
// what the lab was built for.
func (c *call) showVerdicts(s *server, d *demoLab) error {
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "   team\t%s\tworst finding\tchecked\n", strings.Join(aspects(), "\t"))
	var agreed, expected, same, kept int
	for _, team := range d.Teams() {
		list, err := s.db.Verifications(c.ctx, d.ids[team.Handle])
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "   %s\t%s\n", team.Handle, teamLine(list))
		for i := range list {
			v := &list[i]
			if want := team.Expected(v.Check, v.Subject.ID); want != "" {
				expected++
				agreed += one(want == string(v.Verdict))
			}
			if v.Raw != "" {
				again, err := d.replay(c.ctx, s, v)
				if err != nil {
					return err
				}
				kept++
				same += one(again == v.Verdict)
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.stdout, "\n   %s verdicts are those that the lab was built to cause.\n   %s conclusions come out the same when what was answered is replayed offline.\n\n",
		share(agreed, expected), share(same, kept))
	return err
}

// share says how many of all.
func share(n, all int) string {
	if n == all {
		return fmt.Sprintf("All %d", all)
	}
	return fmt.Sprintf("%d of %d", n, all)
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// teamLine is the verdict by aspect, the worst finding, and the time of the last check.
func teamLine(list []verify.Verification) string {
	verdicts := make([]verify.Verdict, len(aspects()))
	var last time.Time
	for _, v := range list {
		i := aspectOf(v.Check)
		verdicts[i] = worse(verdicts[i], v.Verdict)
		if v.Tried.After(last) {
			last = v.Tried
		}
	}
	var cells []string
	for _, v := range verdicts {
		cells = append(cells, cmp.Or(string(v), "-"))
	}
	return strings.Join(append(cells, worstFinding(list), last.UTC().Format("15:04:05")), "\t")
}

// worstFinding is the code of the worst finding, and how many more are as bad;
// without any, what kept a check from a conclusion.
func worstFinding(list []verify.Verification) string {
	byCode := map[verify.Severity][]string{}
	trouble := "-"
	for _, v := range list {
		for _, f := range v.Findings {
			byCode[f.Severity] = append(byCode[f.Severity], string(f.Code))
		}
		if v.Trouble != "" {
			trouble = "(" + string(v.Trouble) + ")"
		}
	}
	for _, severity := range []verify.Severity{verify.Error, verify.Warning} {
		switch codes := byCode[severity]; len(codes) {
		case 0:
		case 1:
			return codes[0]
		default:
			return fmt.Sprintf("%s and %d more", codes[0], len(codes)-1)
		}
	}
	return trouble
}

// showFindings prints all that was found about one team.
func (c *call) showFindings(s *server, d *demoLab, handle string) error {
	teams := d.Teams()
	team := teams[slices.IndexFunc(teams, func(t lab.Team) bool { return t.Handle == handle })]
	list, err := s.db.Verifications(c.ctx, d.ids[handle])
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "7. One of them: %s (%s). %s\n\n", team.Name, handle, team.Does)
	fine := 0
	for _, v := range list {
		if v.Verdict == verify.VerdictOK {
			fine++
			continue
		}
		fmt.Fprintf(c.stdout, "   %s of %s: %s since %s\n", v.Check, plain(v.Subject.ID), v.Verdict, v.Since.UTC().Format("2006-01-02 15:04:05"))
		for _, f := range v.Findings {
			c.showFinding(f)
		}
		if v.Raw != "" {
			fmt.Fprintf(c.stdout, "     what was answered is kept under %.16s...\n", v.Raw)
		}
	}
	_, err = fmt.Fprintf(c.stdout, "   and %d checks with nothing to mend\n\n", fine)
	return err
}

// showFinding prints a finding as a team needs it to act: what, where, by which
// standard, and what to do.
func (c *call) showFinding(f verify.Finding) {
	if f.Severity != verify.Error && f.Severity != verify.Warning {
		return
	}
	fmt.Fprintf(c.stdout, "     %s: %s (%s)\n", f.Severity, f.Code, f.Spec)
	if p, ok := catalog.Find(f.Code); ok {
		fmt.Fprintf(c.stdout, "       %s", p.Title)
		if f.Evidence != "" {
			fmt.Fprintf(c.stdout, ": %s", plain(f.Evidence))
		}
		fmt.Fprintln(c.stdout)
	}
	fmt.Fprintf(c.stdout, "       %s\n", f.Advice)
}

// showLab says how to look at the lab while it runs.
func (c *call) showLab(d *demoLab, db string) error {
	root, err := d.writeRoot(filepath.Dir(db))
	if err != nil {
		return err
	}
	dns, site := d.ResolverAddr(), d.Socket("heron.example")
	_, err = fmt.Fprintf(c.stdout, `What to try on the small Internet while it runs (--hold; see docs/lab.md):
  dig @%[1]s -p %[2]d heron.example MX +dnssec
  dig @%[1]s -p %[2]d tramway.example A          # its signatures have ended
  curl --cacert %[3]s --connect-to heron.example:443:%[4]s \
       https://heron.example/.well-known/security.txt

`, dns.Addr(), dns.Port(), root, site)
	return err
}
