package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/serve/web"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const serveLong = `Serve answers over HTTP: the REST API under /v1, its description at
/openapi.yaml, /healthz, /readyz and /metrics. It brings the schema of the
database up to date, reads the directory into memory and follows every change,
also those of other processes on the same database.

It prints the address that it listens on; with port 0 that is a free one. It
speaks plain HTTP unless tls_cert and tls_key are set: tokens travel with each
request, so listen beyond this machine with TLS or behind a proxy only.

Files that are uploaded to /v1/imports are imported one after the other, by one
server for each database. A job that a stop interrupts begins anew afterwards.

It checks what teams claim, too: it asks name servers and fetches pages of the
domains in the directory. --verify off leaves that to "rollcall worker", or to
nobody; "rollcall verify" shows and steers it.

With --challenge on it asks contacts whether they answer, by mail, and takes what
they answer: on the page of the link in each mail, and by mail at mail_smtp,
mail_lmtp or mail_maildir. "rollcall mail init" makes the keys for it, "rollcall
mail selftest" says whether others will believe our mails. --challenge pages leaves
the mail to "rollcall worker --challenge on". With --challenge-notices on as well,
teams are told by mail what about them needs attention.

SIGINT and SIGTERM stop it: no new requests and checks, shutdown_timeout for
those under way, then the index, then the database. A second signal ends it at
once.`

func serveCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Answer over HTTP", Long: serveLong,
		Example: `  rollcall serve --db teams.db
  rollcall serve --db postgres://rollcall@db.example.org/rollcall --listen 127.0.0.1:8080 --last-resort example-csirt
  ROLLCALL_DB=teams.db ROLLCALL_LISTEN=:8443 rollcall serve --tls-cert cert.pem --tls-key key.pem`,
		Args: exactArgs(), RunE: w.action((*call).serve),
	}
	keyFlags(cmd.Flags(), append(append(verifyKeyNames(), challengeKeyNames()...), "verify", "db", "listen", "tls_cert", "tls_key", "last_resort", "match_rules", "policy_lasts", "policy_grace", "shutdown_timeout",
		"rate_anonymous", "rate_anonymous_burst", "rate_token", "rate_token_burst", "rate_failed", "rate_limit_exempt",
		"trusted_proxies", "proxy_header", "cors_origins", "import_max_mib", "import_keep", "batch_body")...)
	cmd.Flags().Bool("no-verify", false, "the same as --verify off")
	return cmd
}

func (c *call) serve() error {
	if no, err := c.cmd.Flags().GetBool("no-verify"); err == nil && no {
		c.cfg.Verify.On = false
	}
	s, err := c.newServer()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.stdout, "listening on %s\n", s.url()); err != nil {
		return errors.Join(err, s.close())
	}
	return s.run(c.ctx)
}

// server is everything that runs while rollcall serves.
type server struct {
	log      *slog.Logger
	patience time.Duration // for requests under way at a stop
	listener net.Listener
	secure   bool

	lastResort directory.Handle
	http       *http.Server
	follower   *directory.Follower
	door       *directory.Directory
	imports    *directory.ImportRunner
	checks     *verify.Runner // nil: not here
	office     *officeRun     // nil: nobody is asked from here
	db         *store.DB
}

// newServer opens the database, reads the index and takes the address, in the
// order in which close gives them back the other way round.
func (c *call) newServer() (*server, error) {
	s := &server{log: c.log, patience: c.cfg.ShutdownTimeout, secure: c.cfg.TLSCert != "", lastResort: c.cfg.LastResort}
	var certificate tls.Certificate
	var err error
	if s.secure {
		if certificate, err = tls.LoadX509KeyPair(c.cfg.TLSCert, c.cfg.TLSKey); err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("tls_cert, tls_key: %w", err)}
		}
	}
	if s.db, err = c.openStore(store.MigrateFirst); err != nil {
		return nil, err
	}
	if err = c.wire(s); err == nil {
		s.listener, err = net.Listen("tcp", c.cfg.Listen)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.listener = patientListener{s.listener}
	if s.secure {
		s.listener = tls.NewListener(s.listener, &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		})
	}
	return s, nil
}

// wire puts the parts together and builds the first index.
func (c *call) wire(s *server) error {
	var err error
	if s.follower, err = c.newFollower(s.db); err != nil {
		return err
	}
	s.door, err = directory.New(directory.Config{Store: s.db, Now: c.now, Committed: s.follower.Sync, Rules: c.cfg.MatchRules})
	if err != nil {
		return err
	}
	s.imports, err = directory.NewImportRunner(directory.ImportRunnerConfig{
		Directory: s.door, Report: format.EncodeJobResult, Keep: c.cfg.ImportKeep, Log: c.log,
		Import: func(ctx context.Context, j directory.ImportJob, p directory.Principal, o directory.ImportOptions, file io.Reader) (directory.ImportReport, error) {
			return format.RunImportJob(ctx, s.door, j, p, o, file)
		},
	})
	if err != nil {
		return err
	}
	if err := c.wireChecks(s); err != nil {
		return err
	}
	desk, err := c.wireOffice(s)
	if err != nil {
		return err
	}
	handler, err := api.New(api.Config{
		Directory: s.door, Index: s.follower.Index, IndexAge: s.follower.Age, Moved: s.follower.Moved, Sync: s.follower.Sync,
		Policy: c.cfg.Policy, Now: c.now, Log: c.log, Version: version(), Ready: readiness(s.db), MaxBatchBody: c.cfg.BatchBody,
		Limits: c.cfg.Limits, CORSOrigins: c.cfg.CORSOrigins, ImportMax: int64(c.cfg.ImportMax) << 20,
		Figures: s.figures(c.now), Verify: s.db, ControlLabel: c.cfg.ControlLabel, Challenges: desk,
	})
	if err != nil {
		return err
	}
	pages, err := c.pages(s, handler)
	if err != nil {
		return err
	}
	s.http = &http.Server{
		Handler: pages, ErrorLog: slog.NewLogLogger(c.log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	s.http.RegisterOnShutdown(handler.Release)
	return nil
}

// wireChecks makes the runner of checks, where the configuration wants one. A
// machine without resolvers can serve all the same.
func (c *call) wireChecks(s *server) error {
	if !c.cfg.Verify.On {
		return nil
	}
	network, err := c.live()
	if err != nil {
		c.log.Error("nothing is checked from here", "err", err)
		return nil
	}
	s.checks, err = c.newRunner(verify.RunnerConfig{Store: s.db, Directory: s.door, Follower: s.follower, Network: network, Checks: c.checks()})
	return err
}

// wireOffice makes what asks contacts, where the configuration wants it.
func (c *call) wireOffice(s *server) (*challenge.Desk, error) {
	if !c.cfg.Challenge.On {
		return nil, nil
	}
	parts := officeParts{store: s.db, index: s.follower.Index, ready: c.ready}
	if c.cfg.Challenge.Untested {
		parts.ready = nil
	}
	o, err := c.newOffice(parts)
	if err != nil {
		return nil, err
	}
	s.office, err = c.newOfficeRun(o, s.db, c.cfg.Challenge.Aloof)
	return o.Desk, err
}

// figures are what is shown at /metrics beside the API's own.
func (s *server) figures(now func() time.Time) []prometheus.Collector {
	list := []prometheus.Collector{newCheckFigures(s.db, now)}
	if s.office != nil {
		list = append(list, s.office.tally)
	}
	return list
}

// pages puts the pages for people beside the API.
func (c *call) pages(s *server, rest http.Handler) (http.Handler, error) {
	if s.office == nil {
		return rest, nil
	}
	desk := web.NewDesk(s.office.Desk, s.follower.Index, c.log)
	page, err := web.New(web.Config{Answers: desk, Notices: desk, Operator: cmp.Or(c.cfg.Challenge.Operator, c.cfg.Challenge.Name),
		Client: c.cfg.Limits.Client, Now: c.now, Log: c.log})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	page.Register(mux)
	// The API sees its paths as they came: a mux before it would clean and redirect them.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, page := range []string{"/answer/", "/stop/", "/confirm/", "/notices/"} {
			if strings.HasPrefix(r.URL.Path, page) {
				mux.ServeHTTP(w, r)
				return
			}
		}
		rest.ServeHTTP(w, r)
	}), nil
}

// readiness is what must work beside the index before requests are sent here.
func readiness(db *store.DB) []api.Check {
	return []api.Check{
		{Name: "store", Run: func(ctx context.Context) error {
			return db.View(ctx, func(r directory.Reader) error {
				_, err := r.Head()
				return err
			})
		}},
		{Name: "migrations", Run: func(ctx context.Context) error {
			pending, err := db.Pending(ctx)
			if err == nil && len(pending) > 0 {
				err = fmt.Errorf("%d migrations are due", len(pending))
			}
			return err
		}},
	}
}

// url is where the server can be asked.
func (s *server) url() string {
	scheme, address := "http", s.listener.Addr().(*net.TCPAddr)
	if s.secure {
		scheme = "https"
	}
	if address.IP.IsUnspecified() { // all addresses, of which this one always exists
		return fmt.Sprintf("%s://localhost:%d", scheme, address.Port)
	}
	return scheme + "://" + address.String()
}

// run serves until ctx ends or something fails, and then stops in reverse
// order: stop accepting, drain, checks and import jobs, follower, store.
func (s *server) run(ctx context.Context) error {
	s.greet()
	// Requests and the index outlive ctx until it is their turn to end.
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFollowing()
	importing, stopImporting := context.WithCancel(following)
	defer stopImporting()
	served, followed := make(chan error, 1), make(chan error, 1)
	checking, stopChecking := context.WithCancel(ctx) // checks end while requests drain
	defer stopChecking()
	var parts, imports sync.WaitGroup
	if s.checks != nil {
		imports.Go(func() { _ = s.checks.Run(checking) }) // it has no error but its end
	}
	if s.office != nil {
		imports.Go(func() { s.office.run(checking) })
	}
	imports.Go(func() { _ = s.imports.Run(importing) }) // it has no error but its end
	parts.Go(func() { followed <- s.follower.Run(following) })
	parts.Go(func() { served <- s.http.Serve(s.listener) })
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "timeout", s.patience.String())
	case err = <-served:
	}
	err = firstError(ignore(err, http.ErrServerClosed), s.drain(ctx))
	stopChecking()
	stopImporting()
	imports.Wait()
	stopFollowing()
	parts.Wait()
	s.door.Wait()
	err = firstError(err, <-followed, s.db.Close())
	s.log.Info("stopped")
	return err
}

// greet logs where the server is, and what its operator should know.
func (s *server) greet() {
	stats, address := s.follower.Index().Stats(), s.listener.Addr().(*net.TCPAddr)
	s.log.Info("serving", "url", s.url(), "version", version(), "teams", stats.Teams, "reference_entries", stats.ReferenceEntries, "seq", s.follower.Index().Seq())
	if h := s.lastResort; h != "" {
		if _, ok := s.follower.Index().ByHandle(h); !ok {
			s.log.Warn("last_resort names no team, so nobody answers for everything else", "last_resort", h)
		}
	}
	if !s.secure && !address.IP.IsLoopback() {
		s.log.Warn("plain HTTP beyond this machine: tokens can be read on the way; set tls_cert and tls_key, or put a proxy in front", "listen", address.String())
	}
}

// drain lets requests under way finish, for as long as the timeout says.
func (s *server) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests were cut off", "timeout", s.patience.String())
		return s.http.Close()
	}
	return err
}

// close gives back what newServer took, for a server that never ran.
func (s *server) close() error {
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	if s.office != nil {
		err = errors.Join(err, s.office.close())
	}
	return errors.Join(err, s.db.Close())
}

// ignore returns err unless it is expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
