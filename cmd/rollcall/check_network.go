package main

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// network is what checks by hand ask the world through: that of a worker, as it
// is configured, changed by flags. They are as polite, and wait as long as they
// may for their turn: somebody wants the answer.
func (p *checkPrinter) network(at time.Time) (verify.Network, error) {
	cfg := p.liveConfig()
	cfg.Limiter = verify.NewLimiter(verify.Paces(), p.flags.timeout)
	if p.cmd.Flags().Changed("at") {
		cfg.Now = func() time.Time { return at }
	}
	if len(p.flags.resolvers) > 0 {
		cfg.Resolvers = p.flags.resolvers
	}
	var err error
	if cfg.Allow, err = p.allowed(); err != nil {
		return nil, err
	}
	if p.flags.ca != "" {
		if cfg.Roots, err = rootsWith(p.flags.ca); err != nil {
			return nil, usage(p.cmd, "ca: %v", err)
		}
	}
	if p.lab != nil {
		p.lab(&cfg)
	}
	if p.own != nil {
		labNetwork(p.own, &cfg)
		cfg.Limiter = nil // nobody there minds
	}
	live, err := verify.NewLive(cfg)
	if err != nil && len(p.flags.resolvers) > 0 {
		return nil, usage(p.cmd, "resolver: %v", err)
	}
	if err != nil {
		return noNetwork{err}, nil // each subject is told, as one that could not be asked
	}
	return live, nil
}

// inLab checks what the arguments name in a lab, which lives at the moment as
// of which they are judged.
func (p *checkPrinter) inLab(at time.Time) (err error) {
	if p.own, err = lab.Start(lab.Config{Now: func() time.Time { return at }}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.own.Close()) }()
	return p.subjects(at)
}

// noNetwork is the network of a machine that has none.
type noNetwork struct{ err error }

func (n noNetwork) Fetch(context.Context, verify.Request) (*verify.Exchange, error) {
	return nil, n.trouble()
}

func (n noNetwork) Query(context.Context, verify.Question) (*verify.Answer, error) {
	return nil, n.trouble()
}

func (n noNetwork) Greet(context.Context, verify.Greeting) (*verify.Visit, error) {
	return nil, n.trouble()
}

func (noNetwork) Origins(netip.Addr) []directory.ASN { return nil }

func (n noNetwork) trouble() error {
	return &verify.Trouble{Code: verify.CodeInternal, Ours: true, Err: n.err}
}

// allowed returns the networks of --allow, else those of the configuration.
func (p *checkPrinter) allowed() (list []netip.Prefix, err error) {
	if !p.cmd.Flags().Changed("allow") {
		return p.cfg.Verify.Allow, nil
	}
	if err = networks(func(*config) *[]netip.Prefix { return &list })(nil, p.flags.allow); err != nil {
		err = usage(p.cmd, "allow: %v", err)
	}
	return list, err
}

// catalog is what the checks are set up with: as it is configured, changed by
// flags. It is no part of a transcript: whoever replays one of a lab says again
// what the lab is.
func (p *checkPrinter) catalog() (cfg catalog.Config, err error) {
	if p.own != nil {
		return labCatalog(p.own)
	}
	cfg = p.catalogConfig()
	if p.flags.rdap != "" {
		if u, bad := directory.ParseURL(p.flags.rdap); bad != nil || !strings.HasPrefix(u, "https://") {
			return cfg, usage(p.cmd, "rdap: %q is not an https URL; want one such as https://data.iana.org/rdap/dns.json", p.flags.rdap)
		}
		cfg.DNS.RDAP = p.flags.rdap
	}
	if cfg.DNS.Open, err = p.allowed(); err != nil || p.flags.anchor == "" {
		return cfg, err
	}
	if cfg.DNS.Anchors, err = anchorsIn(p.flags.anchor); err != nil {
		err = usage(p.cmd, "anchor: %v", err)
	}
	cfg.Keys.Anchors = cfg.DNS.Anchors
	return cfg, err
}

// rootsWith returns the system's authorities and those in a file.
func rootsWith(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(name + " holds no certificate in PEM")
	}
	return pool, nil
}
