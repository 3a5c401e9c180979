package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// keyFile is the file of the server's key, beside those of the mail identity. It is
// what a copy of the database lacks.
const keyFile = "challenge.key"

// office is all that asks contacts and takes their answers.
type office struct {
	*challenge.Desk
	identity  *mail.Identity
	composer  *mail.Composer
	submitter *mail.Submitter
	sender    *challenge.Sender
	receiver  *challenge.Receiver
	aside     *asideFolder
	said      func(mail.Outcome) // hears what the relay said of each mail; nil: nobody does
	notifier  *challenge.Notifier
}

// officeStore is what an office needs of a database.
type officeStore interface {
	challenge.Store
	Verifications(context.Context, directory.TeamID) ([]verify.Verification, error)
}

// officeParts are what an office is made of beside its configuration.
type officeParts struct {
	store officeStore
	index func() *directory.Index
	ready func(context.Context, *office) error // before a campaign; nil: nobody looks
}

// newDesk makes a desk, which asks nobody by itself.
func (c *call) newDesk(p officeParts, ready func(context.Context) error) (*challenge.Desk, error) {
	m := &c.cfg.Challenge
	if m.Dir == "" {
		return nil, &exitError{exitUsage, fmt.Errorf("mail_dir: missing; want the folder that rollcall mail init makes: %w", errNoMail)}
	}
	key, err := readChallengeKey(filepath.Join(m.Dir, keyFile))
	if err != nil {
		return nil, err
	}
	file, err := c.policies()
	if err != nil {
		return nil, err
	}
	return challenge.NewDesk(challenge.DeskConfig{Store: p.store, Index: p.index, Key: key, Policies: file.policies, Rules: file.Rules, Secretariats: file.Secretariats, Notices: m.Notices, Ready: ready, Random: rand.Reader, Now: c.now, Log: c.log})
}

// newOffice makes all of it.
func (c *call) newOffice(p officeParts) (*office, error) {
	m := &c.cfg.Challenge
	if err := m.lacking(); err != nil {
		return nil, err
	}
	o := &office{aside: c.newAside()}
	var err error
	if o.identity, err = c.openIdentity(); err != nil {
		return nil, err
	}
	var ready func(context.Context) error
	if p.ready != nil {
		ready = func(ctx context.Context) error { return p.ready(ctx, o) }
	}
	if o.Desk, err = c.newDesk(p, ready); err != nil {
		return nil, err
	}
	if o.composer, err = c.newComposer(o.identity); err != nil {
		return nil, err
	}
	if o.submitter, err = c.newSubmitter(); err != nil {
		return nil, err
	}
	o.sender, err = challenge.NewSender(challenge.SenderConfig{Desk: o.Desk, Composer: o.composer, Submit: o.submit, Pages: m.Pages + "answer/", Stop: m.Pages + "stop/", Name: processName(), Lease: m.Lease})
	if err != nil {
		return nil, err
	}
	if o.receiver, err = c.newReceiver(o.Desk, o.identity, o.aside); err != nil {
		return nil, err
	}
	o.notifier, err = challenge.NewNotifier(challenge.NotifierConfig{Sender: o.sender, Known: p.store.Verifications, Explain: catalog.Find, Proof: c.cfg.Policy, Confirm: m.Pages + "confirm/", Stop: m.Pages + "notices/"})
	return o, err
}

// submit hands a mail to the relay.
func (o *office) submit(ctx context.Context, m mail.Mail) mail.Result {
	r := o.submitter.Submit(ctx, m)
	if o.said != nil {
		o.said(r.Outcome)
	}
	return r
}

// openIdentity reads the mail identity, and says how to make one.
func (c *call) openIdentity() (*mail.Identity, error) {
	id, err := mail.OpenIdentity(c.cfg.Challenge.identity())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &exitError{exitUsage, fmt.Errorf("mail_dir: %w; rollcall mail init makes what is missing", err)}
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return id, nil
}

func (c *call) newComposer(id *mail.Identity) (*mail.Composer, error) {
	m := &c.cfg.Challenge
	cfg := mail.ComposerConfig{Identity: id, Now: c.now, Plain: m.Plain}
	if m.Templates != "" {
		cfg.Templates = os.DirFS(m.Templates)
	}
	composer, err := mail.NewComposer(cfg)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return composer, nil
}

func (c *call) newSubmitter() (*mail.Submitter, error) {
	m := &c.cfg.Challenge
	r := mail.Relay{Address: m.Relay, Policy: m.RelayTLS, User: m.RelayUser, Conns: senders, Helo: m.Host, Now: c.now}
	if r.Helo == "" {
		r.Helo = m.Domain
	}
	if r.Helo == "" {
		_, r.Helo, _ = strings.Cut(m.Address, "@")
	}
	if m.RelayCA != "" {
		roots, err := rootsWith(m.RelayCA)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("mail_relay_ca: %w", err)}
		}
		r.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if m.RelayPass != "" {
		info, err := os.Stat(m.RelayPass)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("%s may be read by others (mode %04o): chmod 600", m.RelayPass, info.Mode().Perm())
		}
		var text []byte
		if err == nil {
			text, err = os.ReadFile(m.RelayPass)
		}
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("mail_relay_password_file: %w", err)}
		}
		r.Password = strings.TrimRight(string(text), "\r\n")
	}
	s, err := mail.NewSubmitter(r)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("mail_relay: %w", err)}
	}
	return s, nil
}

// readChallengeKey reads the key with which tokens and codes are made and checked.
func readChallengeKey(path string) (challenge.Key, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return challenge.Key{}, &exitError{exitUsage, fmt.Errorf("mail_dir: %w; rollcall mail init makes what is missing", err)}
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s may be read by others (mode %04o): chmod 600", path, info.Mode().Perm())
	}
	if err != nil {
		return challenge.Key{}, &exitError{exitUsage, err}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return challenge.Key{}, &exitError{exitUsage, err}
	}
	secret, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return challenge.Key{}, &exitError{exitUsage, fmt.Errorf("%s: want 64 hexadecimal digits", path)}
	}
	key, err := challenge.NewKey(secret)
	if err != nil {
		return challenge.Key{}, &exitError{exitUsage, fmt.Errorf("%s: %w", path, err)}
	}
	return key, nil
}

// makeChallengeKey makes the key where there is none, and reports whether it did.
func makeChallengeKey(path string) (bool, error) {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = fmt.Fprintln(f, hex.EncodeToString(secret[:]))
	return true, errors.Join(err, f.Sync(), f.Close())
}

// policyFile is the file of policies.
type policyFile struct {
	Policies     []json.RawMessage       `json:"policies"`
	Rules        []challenge.Rule        `json:"rules"`
	Secretariats []challenge.Secretariat `json:"secretariats"`

	policies []challenge.Policy // read, and those that ship
}

// policies reads the policies and rules of the configuration. Without a file
// everybody is asked half-yearly.
func (c *call) policies() (file policyFile, err error) {
	path := c.cfg.Challenge.Policies
	if path == "" {
		return policyFile{Rules: []challenge.Rule{{Policy: challenge.PresetHalfYearly}}}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return file, &exitError{exitUsage, fmt.Errorf("challenge_policies: %w", err)}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok { // it names types of Go
			err = fmt.Errorf("/%s is a JSON %s", strings.ReplaceAll(wrong.Field, ".", "/"), wrong.Value)
		}
		return file, &exitError{exitUsage, fmt.Errorf("challenge_policies: %s: %w; want an object with policies, rules and secretariats", path, err)}
	}
	var policies []challenge.Policy
	var wrong []error
	known := map[string]bool{}
	for _, p := range challenge.Presets() {
		known[p.Name] = true
	}
	for i, raw := range file.Policies {
		p, found := challenge.ParsePolicy(raw)
		for _, f := range found {
			f.Field = fmt.Sprintf("/policies/%d%s", i, f.Field)
			wrong = append(wrong, f)
		}
		policies, known[p.Name] = append(policies, p), true
	}
	for i, r := range file.Rules {
		if !known[r.Policy] {
			wrong = append(wrong, directory.Problem{Code: challenge.CodePolicyUnknown, Field: fmt.Sprintf("/rules/%d/policy", i), Value: r.Policy, Reason: "there is no policy of this name", Want: "a preset, or one of the file"})
		}
	}
	if len(file.Rules) == 0 {
		wrong = append(wrong, directory.Problem{Code: challenge.CodePolicyMissing, Field: "/rules", Reason: "no rule says who is asked", Want: `such as {"policy":"half-yearly"} for everybody`})
	}
	for _, f := range challenge.CheckSecretariats(file.Secretariats) {
		f.Field = "/secretariats" + f.Field
		wrong = append(wrong, f)
	}
	if len(wrong) > 0 {
		return file, &exitError{exitUsage, fmt.Errorf("challenge_policies: %s: %w", path, errors.Join(wrong...))}
	}
	file.policies = withPresets(policies)
	return file, nil
}

// withPresets adds the presets that are not replaced: rules may name them.
func withPresets(own []challenge.Policy) []challenge.Policy {
	names := map[string]bool{}
	for _, p := range own {
		names[p.Name] = true
	}
	for _, p := range challenge.Presets() {
		if !names[p.Name] {
			own = append(own, p)
		}
	}
	return own
}
