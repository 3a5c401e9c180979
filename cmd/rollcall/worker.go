package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/publicsuffix"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

const workerLong = `Worker checks what teams claim, apart from serving: it fetches and asks when a
check is due, and writes what came of it into the database. Run it apart from
"rollcall serve --verify off", as another user or on another machine behind a
firewall of its own, to keep what reaches out apart from what is reached. Any
number of workers share the work on one database.

With --challenge on it also asks contacts whether they answer, and takes the mail
that comes back; "rollcall serve --challenge pages" then has the pages.

SIGINT and SIGTERM stop it: no new checks, shutdown_timeout for those under way,
which then run again later. "rollcall verify" shows and steers what it does.`

func workerCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "worker", Short: "Check what teams claim, and ask contacts, apart from serving", Long: workerLong,
		Example: `  rollcall worker --db teams.db --verify-contact https://rollcall.example.org/about
  rollcall worker --db postgres://rollcall@db.example.org/rollcall --verify-resolvers 127.0.0.1 --verify-deny 198.51.100.0/24`,
		Args: exactArgs(), RunE: w.action((*call).worker),
	}
	keyFlags(cmd.Flags(), append([]string{"db", "policy_lasts", "policy_grace", "shutdown_timeout", "verify_memory_mib"}, append(verifyKeyNames(), challengeKeyNames()...)...)...)
	return cmd
}

func (c *call) worker() error {
	network, err := c.live()
	if err != nil {
		return err
	}
	return c.runWorker(verify.RunnerConfig{Network: network, Checks: c.checks()})
}

// runWorker runs checks until the call ends.
func (c *call) runWorker(cfg verify.RunnerConfig) error {
	if c.cfg.Verify.Memory > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.cfg.Verify.Memory) << 20)
	}
	return c.withStore(func(db *store.DB) error {
		follower, err := c.newFollower(db)
		if err != nil {
			return err
		}
		door, err := directory.New(directory.Config{Store: db, Now: c.now})
		if err != nil {
			return err
		}
		cfg.Store, cfg.Directory, cfg.Follower = db, door, follower
		runner, err := c.newRunner(cfg)
		if err != nil {
			return err
		}
		asks, err := c.workerOffice(db, follower)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(c.stdout, "checking %d teams by %d checks\n", follower.Index().Stats().Teams, len(cfg.Checks)); err != nil {
			return err
		}
		return c.untilOver(follower, runner, asks)
	}, store.MigrateFirst)
}

// workerOffice makes what asks contacts, nil where the configuration does not want it.
func (c *call) workerOffice(db *store.DB, follower *directory.Follower) (*officeRun, error) {
	m := &c.cfg.Challenge
	switch {
	case !m.On:
		return nil, nil
	case m.Aloof:
		return nil, usage(c.cmd, "challenge: pages are what serve has; want on or off for a worker")
	}
	o, err := c.newOffice(officeParts{store: db, index: follower.Index, ready: c.ready})
	if err != nil {
		return nil, err
	}
	return c.newOfficeRun(o, db, false)
}

// untilOver runs a runner, what asks contacts if it is there, and what they follow, until
// the call ends.
func (c *call) untilOver(follower *directory.Follower, runner *verify.Runner, asks *officeRun) error {
	following, stop := context.WithCancel(context.WithoutCancel(c.ctx))
	defer stop()
	var parts, asking sync.WaitGroup
	var followed error
	parts.Go(func() { followed = follower.Run(following) })
	if asks != nil {
		asking.Go(func() { asks.run(c.ctx) })
	}
	c.log.Info("checking", "version", version(), "teams", follower.Index().Stats().Teams)
	err := runner.Run(c.ctx)
	asking.Wait()
	stop()
	parts.Wait()
	c.log.Info("stopped")
	return errors.Join(err, followed)
}

// newFollower reads the directory and follows it.
func (c *call) newFollower(db *store.DB) (*directory.Follower, error) {
	// What was committed between the first index and the watch is looked for at once.
	watch := func(ctx context.Context, wake func()) error {
		wake()
		return db.Watch(ctx, wake)
	}
	f, err := directory.NewFollower(directory.FollowerConfig{Store: db, Now: c.now, Watch: watch, Log: c.log,
		Options: directory.IndexOptions{LastResort: c.cfg.LastResort, Policy: c.cfg.Policy}})
	if err != nil {
		return nil, err
	}
	return f, f.Start(c.ctx)
}

// newRunner makes a runner of cfg, completed by the configuration.
func (c *call) newRunner(cfg verify.RunnerConfig) (*verify.Runner, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	v := &c.cfg.Verify
	if err := dnssec.InForce(v.Anchors, c.now()); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("verify_anchor: %w", err)}
	}
	if v.SMTP && c.helo() == "" {
		return nil, &exitError{exitUsage, errors.New("mail_host: missing, while verify_smtp is on and this machine has no public name; want the name that mail servers are told, such as rollcall.example.org")}
	}
	cfg.Name, cfg.Concurrency, cfg.Grace, cfg.KeepRaw = host+"/"+strconv.Itoa(os.Getpid()), v.Concurrency, c.cfg.ShutdownTimeout, v.KeepRaw
	cfg.Guard = verify.Guard{Share: v.Guard, Least: v.GuardLeast, Window: time.Hour}
	cfg.Network = verify.WithOrigins(cfg.Network, func(a netip.Addr) []directory.ASN { return cfg.Follower.Index().Origins(a) })
	cfg.Policy, cfg.Now, cfg.Log = c.cfg.Policy, c.now, c.log
	return verify.NewRunner(cfg)
}

// live is the network as it is configured.
func (c *call) live() (verify.Network, error) {
	cfg := c.liveConfig()
	cfg.Limiter, cfg.Cache = verify.NewLimiter(verify.Paces(), 0), 16<<20
	live, err := verify.NewLive(cfg)
	if err != nil {
		return nil, notAsked("%w", err)
	}
	return live, nil
}

// checks are all checks, set up as it is configured.
func (c *call) checks() []verify.Check { return c.catalogConfig().Checks() }

// catalogConfig is what the configuration says of the checks: what they may
// reach counts as public.
func (c *call) catalogConfig() catalog.Config {
	v := &c.cfg.Verify
	return catalog.Config{
		DNS:  dnscheck.Config{Open: v.Allow, Closed: v.Deny, Label: c.cfg.ControlLabel, Anchors: v.Anchors, RDAP: v.RDAP, SMTP: v.SMTP},
		Keys: pgpkey.Config{VKS: v.VKS, HKP: v.HKP, Anchors: v.Anchors},
	}
}

// liveConfig is what the configuration says of the network.
func (c *call) liveConfig() verify.LiveConfig {
	v := &c.cfg.Verify
	release, _, _ := strings.Cut(version(), " ") // a product is followed by a token (RFC 9110 section 5.6.2)
	agent := "Rollcall/" + release
	if v.Contact != "" {
		agent += " (+" + v.Contact + ")"
	}
	return verify.LiveConfig{
		UserAgent: agent, Resolvers: v.Resolvers, Allow: v.Allow, Deny: v.Deny, NAT64: v.NAT64, Proxy: v.Proxy, Now: c.now, Helo: c.helo(),
	}
}

// helo is the name that is told to mail servers that are visited.
func (c *call) helo() string {
	machine, _ := os.Hostname() // "" where it has none
	return heloOf(c.cfg.Challenge.Host, machine)
}

// heloOf is the name that is told to the relay, if it is a whole one, else the machine's
// if it is a public one: strangers need not know what it is called inside. "" for none.
func heloOf(host, machine string) string {
	if d, err := directory.ParseDomain(host); err == nil && d.Parent() != "" {
		return string(d)
	}
	d, err := directory.ParseDomain(machine)
	if err != nil || d.IsPublicSuffix() {
		return ""
	}
	if _, registry := publicsuffix.PublicSuffix(string(d)); !registry {
		return ""
	}
	return string(d)
}
