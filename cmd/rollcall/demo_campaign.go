package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// The forum of the lab's teams, and the tier of those that are asked for a code, whatever keys they have.
const (
	demoForum     = "lab-forum"
	demoAssociate = "associate"
)

// demoWindow is the window of the demo's campaign.
const demoWindow = 8 * time.Second

// demoTeams are the lab's teams as those who get mail: each does what it does, by SMTP and
// on the page of the link, as a team far away would.
type demoTeams struct {
	lab  *lab.Lab
	now  func() time.Time
	smtp string // where the instance takes mail
	site string // whose pages the links lead to: nobody outside this machine is asked

	mu      sync.Mutex
	waiting sync.WaitGroup
	failed  []error
}

// got has a team do something about a mail, in its own time.
func (d *demoTeams) got(ctx context.Context, env mail.Envelope) {
	team, ok := d.lab.TeamAt(env.To[0])
	if !ok {
		return
	}
	d.waiting.Go(func() {
		r, err := team.React(env.From, env.Raw, d.now())
		if err == nil {
			err = d.act(ctx, &r)
		}
		if err != nil && ctx.Err() == nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.failed = append(d.failed, fmt.Errorf("demo team %s: %w", team.Handle, err))
		}
	})
}

func (d *demoTeams) act(ctx context.Context, r *lab.Reaction) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.After):
	}
	if r.To != "" {
		return smtp.SendMail(d.smtp, nil, r.From, []string{r.To}, r.Raw)
	}
	if r.Page == "" {
		return nil
	}
	return d.visit(ctx, r.Page, r.Form)
}

// visit looks at a page, and sends its form.
func (d *demoTeams) visit(ctx context.Context, page string, form url.Values) error {
	at := d.site + "/" + strings.TrimPrefix(page, demoPages)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			return errors.Join(err, fmt.Errorf("%s of the page: %s", method, answer.Status))
		}
	}
	return nil
}

// trouble is what the teams could not do.
func (d *demoTeams) trouble() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.failed...)
}

// showCampaign asks the lab's teams whether they answer, and shows what came of it.
func (c *call) showCampaign(s *server, d *demoLab, db string) error {
	teams := &demoTeams{lab: d.Lab, now: c.now, smtp: s.office.doors[0].listener.Addr().String(), site: s.url()}
	ctx, stop := context.WithCancel(c.ctx)
	defer teams.waiting.Wait()
	defer stop()
	d.post.deliver(func(env mail.Envelope) { teams.got(ctx, env) })
	defer d.post.deliver(nil)

	from := c.now().Add(time.Second)
	one, err := s.office.PlanCampaign(ctx, c.operator(), challenge.Campaign{Name: "Do you answer?", From: from, To: from.Add(demoWindow), Scope: challenge.Scope{Forum: demoForum}})
	if err != nil {
		return err
	}
	if _, err := s.office.Steer(ctx, c.operator(), one.ID, challenge.MoveStart); err != nil {
		return err
	}
	list, err := c.campaignOver(ctx, s, teams, one.ID)
	if err != nil {
		return err
	}
	if err := c.printAnswers(d, list); err != nil {
		return err
	}
	return c.showReport(s, d, one.ID, db)
}

// campaignOver waits until everything that will happen soon has. Who stays silent has days
// to answer, which nobody waits for here.
func (c *call) campaignOver(ctx context.Context, s *server, teams *demoTeams, id challenge.CampaignID) ([]challenge.Challenge, error) {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := s.db.ListChallenges(ctx, challenge.ListFilter{Campaign: id, Limit: 1000})
		if err != nil {
			return list, err
		}
		waits := slices.ContainsFunc(list, func(q challenge.Challenge) bool { return !asExpected(teams.lab, &q) })
		if len(list) == len(teams.lab.Teams()) && !waits {
			return list, nil
		}
		if err := teams.trouble(); err != nil {
			return list, err
		}
		select {
		case <-ctx.Done():
			return list, fmt.Errorf("demo: %d questions, and not all came to what they should: %w", len(list), context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// asExpected reports whether a question came to what the team was built for.
func asExpected(l *lab.Lab, q *challenge.Challenge) bool {
	team, _ := l.TeamAt(q.Address)
	switch team.Manner {
	case lab.Signs, lab.Types:
		return q.State == challenge.StateAnswered
	case lab.Moved:
		return q.Outcome == challenge.OutcomeWrongAddress
	case lab.Away, lab.Ticket:
		return !q.Auto.IsZero() && q.Reached <= directory.Deliverable
	case lab.Gone:
		return q.State == challenge.StateBounced
	}
	return !q.Accepted.IsZero()
}

// printAnswers prints a line for each manner and kind of question: who did what, and what it counts for.
func (c *call) printAnswers(d *demoLab, list []challenge.Challenge) error {
	fmt.Fprintf(c.stdout, "9. A campaign asks the same thirty teams whether they answer. An answer is what only a\n   person, or the holder of the key, can send; nothing else counts.\n\n")
	teams := map[string][]string{}
	for i := range list {
		q := &list[i]
		team, _ := d.TeamAt(q.Address)
		came := string(q.State)
		switch {
		case q.Outcome != "" && q.State == challenge.StateClosed:
			came = string(q.Outcome)
		case q.State == challenge.StateAnswered:
			came = fmt.Sprintf("answered, level %d", q.Reached)
		}
		row := fmt.Sprintf("%s\t%s\t%s", q.Kind, team.Manner, came)
		teams[row] = append(teams[row], team.Handle)
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "   asked for\twhat came back\twhat it counts for\tteams\n")
	for _, row := range slices.Sorted(maps.Keys(teams)) {
		slices.Sort(teams[row])
		names := teams[row]
		if len(names) > 4 {
			names = append(slices.Clone(names[:3]), fmt.Sprintf("and %d more", len(names)-3))
		}
		fmt.Fprintf(t, "   %s\t%s\n", row, strings.Join(names, " "))
	}
	return errors.Join(t.Flush(), c.ctx.Err())
}

// showReport writes the report beside the database, and says how to look at it.
func (c *call) showReport(s *server, d *demoLab, id challenge.CampaignID, db string) error {
	report, err := s.office.Report(c.ctx, c.operator(), id)
	if err != nil {
		return err
	}
	dir := filepath.Dir(db)
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		return err
	}
	name := filepath.Join(dir, "report.html")
	if err := os.WriteFile(name, page.Bytes(), 0o600); err != nil {
		return err
	}
	all, p := report.Groups[0], report.Progress
	_, err = fmt.Fprintf(c.stdout, `
   %d asked, %d answered; half of all had by %s. %d automatic replies and %d bounces count as what they are.
   The mails went through a relay, and what came back through SMTP or the page of the link:
     %s
   The report, with its curves (rollcall campaign report prints it too):
     %s

`, all.Asked, all.Answered, shortTime(all.Human.Median), p.Automatic, p.Bounced, d.post.dir, name)
	return err
}

// shortTime is a duration that may not be known.
func shortTime(seconds *int64) string {
	if seconds == nil {
		return "no time yet"
	}
	return (time.Duration(*seconds) * time.Second).String()
}
