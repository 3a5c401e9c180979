package mail_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// now is the present of the tests, but where a real relay or gpg is asked.
var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

const (
	nonce  = "R7QK2M9XT4VB6NWE8ZPA"
	tag    = "7F3K9Q2M"
	token  = "0a1b2c3d4e5f6g7h8j9k0m1n2p3q4r5s"
	letter = "2f1c9a40-challenge-7"
)

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

var instances sync.Map // by folder; making RSA keys takes a while

// instance is the identity of the tests: one for the whole run, in a folder of its own.
func instance(t testing.TB) *mail.Identity {
	t.Helper()
	once, _ := instances.LoadOrStore("the one", sync.OnceValues(func() (*mail.Identity, error) {
		dir, err := os.MkdirTemp("", "identity")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it has been read
		return mail.CreateIdentity(mail.IdentityConfig{
			Dir: dir, Name: "Rollcall of Example", Address: "rollcall@example.org", Contact: "https://rollcall.example.org/about",
			Host: "mail.example.org", Now: at(now.AddDate(-1, 0, 0)),
		})
	}))
	id, err := once.(func() (*mail.Identity, error))()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func composer(t testing.TB, moment time.Time) *mail.Composer {
	t.Helper()
	c, err := mail.NewComposer(mail.ComposerConfig{Identity: instance(t), Now: at(moment)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sample is a letter in which nothing is missing.
func sample(kind, of mail.Kind) mail.Letter {
	return mail.Letter{
		ID: letter, Kind: kind, Of: of, Language: "en", To: "csirt@team.example", Handle: "team-csirt", Domain: "team.example",
		Tag: tag, Token: token, Code: "K7QM-3T9X", Nonce: nonce, Link: "https://rollcall.example.org/a/9b3c1d", Stop: "https://rollcall.example.org/stop/9b3c1d",
		Deadline: now.AddDate(0, 0, 7), Date: now, Items: []mail.Item{{Code: "dns.spf-missing", Subject: "team.example", Due: now}},
	}
}

// keyPlan says how a team's key is made.
type keyPlan struct {
	made    time.Time
	lasts   time.Duration // 0: for ever
	algo    packet.PublicKeyAlgorithm
	revoked bool
	subkey  bool // signs by a subkey
}

// key makes a key.
func (p keyPlan) key(t testing.TB) *openpgp.Entity {
	t.Helper()
	if p.made.IsZero() {
		p.made = now.AddDate(-1, 0, 0)
	}
	if p.algo == 0 {
		p.algo = packet.PubKeyAlgoEdDSA
	}
	cfg := &packet.Config{Time: at(p.made), Algorithm: p.algo, RSABits: 2048, KeyLifetimeSecs: uint32(p.lasts / time.Second)}
	e, err := openpgp.NewEntity("Team CSIRT", "", "csirt@team.example", cfg)
	if err != nil {
		t.Fatal(err)
	}
	if p.subkey {
		if err := e.AddSigningSubkey(cfg); err != nil {
			t.Fatal(err)
		}
	}
	if p.revoked {
		if err := e.Revoke(packet.KeyCompromised, "stolen", &packet.Config{Time: at(p.made.Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// public is the armoured public key.
func public(t testing.TB, e *openpgp.Entity) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// names is a DNS of its own: records by "TYPE name". What is not there does not exist; "!" is trouble.
type names map[string][]string

func (n names) find(kind, name string) ([]string, error) {
	all := n[kind+" "+strings.ToLower(strings.TrimSuffix(name, "."))]
	switch {
	case len(all) == 0:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case all[0] == "!":
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return all, nil
}

func (n names) LookupTXT(_ context.Context, name string) ([]string, error) {
	return n.find("TXT", name)
}

func (n names) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return n.find("PTR", addr)
}

func (n names) LookupMX(_ context.Context, name string) (out []*net.MX, err error) {
	all, err := n.find("MX", name)
	for _, v := range all {
		out = append(out, &net.MX{Host: v, Pref: 10})
	}
	return out, err
}

func (n names) LookupIPAddr(_ context.Context, host string) (out []net.IPAddr, err error) {
	all, err := n.find("A", host)
	for _, v := range all {
		out = append(out, net.IPAddr{IP: net.ParseIP(v)})
	}
	return out, err
}

// published is the DNS in which all is well for the instance of the tests.
func published(t testing.TB) names {
	n := names{
		"TXT example.org":            {"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"},
		"TXT _dmarc.example.org":     {"v=DMARC1; p=reject; adkim=s"},
		"TXT _smtp._tls.example.org": {"v=TLSRPTv1; rua=mailto:tls@example.org"},
		"TXT _mta-sts.example.org":   {"v=STSv1; id=20261129"},
		"MX example.org":             {"mail.example.org."},
		"A mail.example.org":         {"192.0.2.25", "2001:db8::25"},
		"PTR 192.0.2.25":             {"mail.example.org."},
		"PTR 2001:db8::25":           {"mail.example.org."},
	}
	for _, r := range instance(t).Records() {
		n[r.Type+" "+r.Name] = []string{r.Value}
	}
	return n
}

func read(t testing.TB, raw []byte) *mail.Message {
	t.Helper()
	m, err := mail.Read(raw, mail.Limits{})
	if err != nil {
		t.Fatalf("Read: %v\n%s", err, raw)
	}
	return m
}

// english is the file of English texts as it ships.
func english(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("templates/en.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func armored(t testing.TB, kind string, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// clone is a copy with a change.
func (n names) with(key string, values ...string) names {
	out := names{}
	for k, v := range n {
		out[k] = slices.Clone(v)
	}
	out[key] = values
	return out
}

func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n"))
}

// code is the code of a refusal, "" for none.
func code(err error) mail.Refusal {
	if err == nil {
		return ""
	}
	if r, ok := err.(*mail.Refused); ok { //nolint:errorlint // it is returned as it is
		return r.Code
	}
	return mail.Refusal(fmt.Sprintf("another error: %v", err))
}
