package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// demoPost is the post office of the demo: a relay on this machine that keeps every mail
// in a folder, and carries none on.
type demoPost struct {
	dir  string
	stop context.CancelFunc
	done chan struct{}

	mu sync.Mutex
	to func(mail.Envelope) // whoever is to get the mails beside the folder; nil: nobody
}

// demoPages is where the pages of the demo would be.
const demoPages = "https://rollcall.example/"

// demoPolicies ask without regard to the hour: nobody is woken.
const demoPolicies = `{"policies":[
{"name":"demo","about":"at any hour: nobody is woken here","interval":"6mo","again":"14d","window":"15d","close":"60d",
"minimum":2,"kind":"both","lasts":{"deliverable":"6mo","answered":"6mo","proven":"6mo","drilled":"6mo"}},
{"name":"demo-code","about":"the same, by code","interval":"6mo","again":"14d","window":"15d","close":"60d",
"minimum":2,"kind":"code","lasts":{"deliverable":"6mo","answered":"6mo","proven":"6mo","drilled":"6mo"}}],
"rules":[{"policy":"demo"},{"policy":"demo-code","tier":"` + demoAssociate + `"}]}`

// newDemoPost starts the relay, and makes what asking contacts needs.
func (c *call) newDemoPost(dir string) (*demoPost, challengeConfig, error) {
	p := &demoPost{dir: filepath.Join(dir, "mails"), done: make(chan struct{})}
	cfg := challengeConfig{On: true, Untested: true, Dir: filepath.Join(dir, "mail"), Name: "Rollcall Demo", Address: "rollcall@rollcall.example", Contact: "https://rollcall.example/about",
		Pages: demoPages, Operator: "Rollcall Demo", Policies: filepath.Join(dir, "policies.json"), RelayTLS: mail.TLSNone, SMTP: "127.0.0.1:0"}
	if err := errors.Join(os.MkdirAll(p.dir, 0o700), os.WriteFile(cfg.Policies, []byte(demoPolicies), 0o600)); err != nil {
		return nil, cfg, err
	}
	if _, err := mail.CreateIdentity(cfg.identity()); err != nil {
		return nil, cfg, err
	}
	if _, err := makeChallengeKey(filepath.Join(cfg.Dir, keyFile)); err != nil {
		return nil, cfg, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, cfg, err
	}
	cfg.Relay = l.Addr().String()
	server := mail.NewServer(mail.ServerConfig{Host: "relay.example", Accepts: func(string) bool { return true }, Handle: p.keep, Now: c.now})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() { defer close(p.done); _ = server.Serve(ctx, l) }() // it has no error but its end
	return p, cfg, nil
}

// deliver has somebody get the mails from now on.
func (p *demoPost) deliver(to func(mail.Envelope)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

// keep writes a mail down, and delivers it.
func (p *demoPost) keep(_ context.Context, env mail.Envelope) error {
	sum := sha256.Sum256(env.Raw)
	if err := os.WriteFile(filepath.Join(p.dir, plainAddress(env.To[0])+"-"+hex.EncodeToString(sum[:4])+".eml"), env.Raw, 0o600); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.to != nil {
		p.to(env)
	}
	return nil
}

// plainAddress makes a file's name of an address.
func plainAddress(s string) string {
	out := []byte(s)
	for i, b := range out {
		if !(b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '@' || b == '-') && (b != '.' || i == 0) {
			out[i] = '_'
		}
	}
	return string(out[:min(len(out), 100)])
}

func (p *demoPost) close() {
	p.stop()
	<-p.done
}
