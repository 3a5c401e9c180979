package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// demoLab is the part of the demo in which claims are checked: teams whose
// sites, zones and keys are in the lab, and what checks them.
type demoLab struct {
	*lab.Lab
	checks []verify.Check
	runner *verify.Runner
	ids    map[string]directory.TeamID // by handle
	post   *demoPost
}

// newDemoLab enters the teams of the lab, and makes the runner.
func (c *call) newDemoLab(s *server, l *lab.Lab) (*demoLab, error) {
	d := &demoLab{Lab: l, ids: map[string]directory.TeamID{}}
	return d, c.fillLab(s, d)
}

func (c *call) fillLab(s *server, d *demoLab) (err error) {
	for _, t := range d.Teams() {
		if err := c.enterLabTeam(s.door, d, t); err != nil {
			return fmt.Errorf("demo team %s: %w", t.Handle, err)
		}
	}
	if d.checks, err = d.checksFor(); err != nil {
		return err
	}
	var live verify.LiveConfig
	labNetwork(d.Lab, &live)
	network, err := verify.NewLive(live)
	if err != nil {
		return err
	}
	// A runner looks at one thing of a domain at a time, and gives back for a while
	// what must wait. With room for all checks at once nothing is given back.
	d.runner, err = verify.NewRunner(verify.RunnerConfig{Store: s.db, Directory: s.door, Follower: s.follower, Checks: d.checks, Network: network,
		Name: "demo", Now: c.now, Log: c.log, Poll: 50 * time.Millisecond, Concurrency: 4096})
	return err
}

// labNetwork leads all questions into a lab. It is in a hurry: some of the
// lab's sites never answer.
func labNetwork(l *lab.Lab, c *verify.LiveConfig) {
	c.Resolvers, c.Allow, c.Roots, c.Map, c.Now = []string{l.Resolver()}, l.Allow(), l.Roots(), l.DialMap, l.Now
	c.Connect, c.Header, c.Total = 3*time.Second, 3*time.Second, 6*time.Second
}

// labCatalog sets the checks up for a lab: its trust anchor, registry and key
// servers, and its addresses as those that anybody can reach.
func labCatalog(l *lab.Lab) (catalog.Config, error) {
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor())
	return catalog.Config{
		DNS:  dnscheck.Config{Open: l.Allow(), Anchors: anchors, RDAP: lab.RDAPBootstrap},
		Keys: pgpkey.Config{VKS: []string{lab.VKS}, HKP: []string{lab.HKP}, Anchors: anchors},
	}, err
}

// checksFor are all checks that ship, set up for the lab, for its teams alone:
// the demo's other teams have domains that the lab does not have.
func (d *demoLab) checksFor() ([]verify.Check, error) {
	cfg, err := labCatalog(d.Lab)
	if err != nil {
		return nil, err
	}
	all := cfg.Checks()
	for i := range all {
		applies := all[i].Applies
		all[i].Applies = func(t *directory.Team) []verify.Subject {
			if d.ids[string(t.Handle)] != t.ID {
				return nil
			}
			return applies(t)
		}
	}
	return all, nil
}

// enterLabTeam enters what a team says of itself, as the team would.
func (c *call) enterLabTeam(door *directory.Directory, d *demoLab, t lab.Team) error {
	p := directory.Profile{
		Names: directory.Names{Short: t.Name}, Kinds: []directory.Word{"csirt"}, Country: directory.Country(t.Country),
		Website: t.Website, Languages: []directory.Language{"en"}, Hours: directory.Hours{Always: true},
		Memberships: []directory.Membership{{Forum: demoForum, Type: tierOf(t.Manner), Status: "member"}},
		Resources:   []directory.Resource{{Type: "domain", Domain: directory.Domain(t.Domain)}},
	}
	for _, o := range t.Contacts {
		contact := directory.Contact{Channel: directory.Word(o.Channel), Value: o.Value}
		for _, use := range o.Uses {
			contact.Uses = append(contact.Uses, directory.Word(use))
		}
		p.Contacts = append(p.Contacts, contact)
	}
	for _, k := range t.Keys {
		key, _, err := directory.ParseKey([]byte(k.Armor))
		if err != nil {
			return err
		}
		p.Keys = append(p.Keys, directory.TeamKey{Key: key})
	}
	team, err := door.Create(c.ctx, c.operator(), directory.NewTeam{Handle: directory.Handle(t.Handle), Profile: p})
	if err != nil {
		return err
	}
	d.ids[t.Handle] = team.ID
	if !t.Control.Lost { // what was lost was proven before, which nothing in the demo was
		n := directory.NewControl{Domain: directory.Domain(t.Domain), Token: t.Control.Token}
		if _, _, err := door.StartControl(c.ctx, c.operator(), t.Handle, n); err != nil {
			return err
		}
	}
	_, err = door.RecordEvidence(c.ctx, c.operator(), t.Handle, directory.Evidence{
		Contact: team.Contacts[0].ID, Level: directory.Answered, Outcome: directory.OutcomeProved, Method: "phone", At: c.ago(30)})
	return err
}

// tierOf is the tier of a team in its forum: full members answer with their keys.
func tierOf(m lab.Manner) string {
	if m == lab.Signs || m == lab.Gone || m == lab.Away {
		return "full"
	}
	return demoAssociate
}

// run checks until the result is called, which also closes the lab.
func (d *demoLab) run(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = d.runner.Run(ctx) }) // it has no error but its end
	return func() error {
		cancel()
		running.Wait()
		return d.Close()
	}
}

// demoPatience is how long the demo waits for the checks.
const demoPatience = 2 * time.Minute

// settled waits until each check of each team was tried, and returns how many
// there are.
func (d *demoLab) settled(ctx context.Context, s *server) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		rows, tried, err := d.progress(ctx, s)
		if err != nil || rows > 0 && tried == rows {
			return rows, err
		}
		select {
		case <-ctx.Done():
			return rows, fmt.Errorf("demo: %d of %d checks were tried: %w", tried, rows, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// progress counts the checks there are and those that were tried. Until all
// teams have some there are none to speak of.
func (d *demoLab) progress(ctx context.Context, s *server) (rows, tried int, err error) {
	for _, id := range d.ids {
		list, err := s.db.Verifications(ctx, id)
		if err != nil || len(list) == 0 {
			return 0, 0, err
		}
		for _, v := range list {
			if rows++; !v.Tried.IsZero() {
				tried++
			}
		}
	}
	return rows, tried, nil
}

// replay runs a check again on what is kept of its last conclusion, without any
// network.
func (d *demoLab) replay(ctx context.Context, s *server, v *verify.Verification) (verify.Verdict, error) {
	data, err := s.db.Transcript(ctx, v.Raw)
	if err != nil {
		return "", err
	}
	t, err := verify.DecodeTranscript(data)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(d.checks, func(c verify.Check) bool { return c.Name == t.Check })
	if i < 0 {
		return "", fmt.Errorf("demo: a transcript of %s, which is no check", t.Check)
	}
	r, err := d.checks[i].Run(ctx, verify.Replay(t), t.Target)
	if err != nil {
		return verify.VerdictInconclusive, nil // which is then another verdict
	}
	return verify.VerdictOf(r.Findings), nil
}

// writeRoot writes the lab's root certificate beside the database.
func (d *demoLab) writeRoot(dir string) (string, error) {
	name := filepath.Join(dir, "lab-root.pem")
	return name, os.WriteFile(name, d.RootPEM(), 0o600)
}
