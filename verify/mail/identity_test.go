package mail_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

func identityConfig(dir string) mail.IdentityConfig {
	return mail.IdentityConfig{Dir: dir, Name: "Rollcall", Address: "rollcall@example.org", Contact: "https://rollcall.example.org/", Now: at(now)}
}

// TestIdentity: what was made once is found again, and nothing that is there is made anew.
func TestIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	if _, err := mail.OpenIdentity(identityConfig(dir)); !errors.Is(err, mail.ErrIdentity) {
		t.Errorf("OpenIdentity of nothing = %v", err)
	}
	first, err := mail.CreateIdentity(identityConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "dkim-rsa.pem")); err != nil {
		t.Fatal(err)
	}
	second, err := mail.CreateIdentity(identityConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	a, b := first.Records(), second.Records()
	if a[0].Value == b[0].Value || a[1] != b[1] || first.Return(letter) != second.Return(letter) || !bytes.Equal(first.Key.PrimaryKey.Fingerprint, second.Key.PrimaryKey.Fingerprint) {
		t.Errorf("%+v and %+v", a, b)
	}
	if a[1].Name != "rollcall-ed25519._domainkey.example.org" || !strings.HasPrefix(a[0].Value, "v=DKIM1; k=rsa; p=MII") || !strings.HasPrefix(a[1].Value, "v=DKIM1; k=ed25519; p=") {
		t.Errorf("records %+v", a)
	}
	if got := files(t, dir); got != "dkim-ed25519.pem dkim-rsa.pem openpgp.asc verp.key" {
		t.Errorf("the folder has %s", got)
	}
}

func TestIdentityRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string, cfg *mail.IdentityConfig)
		want  string
	}{
		{"a file that others may read", func(t *testing.T, dir string, _ *mail.IdentityConfig) {
			if err := os.Chmod(filepath.Join(dir, "openpgp.asc"), 0o640); err != nil {
				t.Fatal(err)
			}
		}, "chmod 600"},
		{"a name with a line break", func(_ *testing.T, _ string, cfg *mail.IdentityConfig) { cfg.Name = "a\r\nBcc: x" }, "the name"},
		{"an address that is none", func(_ *testing.T, _ string, cfg *mail.IdentityConfig) { cfg.Address = "rollcall" }, "address"},
		{"a domain that is none", func(_ *testing.T, _ string, cfg *mail.IdentityConfig) { cfg.Domain = "a b" }, "domain"},
		{"a contact without TLS", func(_ *testing.T, _ string, cfg *mail.IdentityConfig) { cfg.Contact = "http://x.example/" }, "contact"},
		{"a host that is none", func(_ *testing.T, _ string, cfg *mail.IdentityConfig) { cfg.Host = "x y" }, "host"},
		{"a selector that is none", func(_ *testing.T, _ string, cfg *mail.IdentityConfig) { cfg.SelectorRSA = "A.b" }, "selector"},
		{"a secret that is too short", func(t *testing.T, dir string, _ *mail.IdentityConfig) { overwrite(t, dir, "verp.key", "abcd\n") }, "32"},
		{"a secret that is none", func(t *testing.T, dir string, _ *mail.IdentityConfig) { overwrite(t, dir, "verp.key", "secret\n") }, "hexadecimal"},
		{"a key that is none", func(t *testing.T, dir string, _ *mail.IdentityConfig) { overwrite(t, dir, "openpgp.asc", "key\n") }, "openpgp.asc"},
		{"a public key", func(t *testing.T, dir string, _ *mail.IdentityConfig) {
			overwrite(t, dir, "openpgp.asc", public(t, keyPlan{}.key(t)))
		}, "private"},
		{"a DKIM key that is none", func(t *testing.T, dir string, _ *mail.IdentityConfig) { overwrite(t, dir, "dkim-rsa.pem", "key\n") }, "PEM"},
	}
	made := t.TempDir()
	if _, err := mail.CreateIdentity(identityConfig(made)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
				t.Fatal(err)
			}
			for _, name := range strings.Fields(files(t, dir)) {
				if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg := identityConfig(dir)
			tt.spoil(t, dir, &cfg)
			if _, err := mail.OpenIdentity(cfg); !errors.Is(err, mail.ErrIdentity) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("OpenIdentity = %v, want %q", err, tt.want)
			}
		})
	}
}

func overwrite(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestIdentityShared lets many use an identity at once that was just read: go-crypto
// keeps what it finds out about a key inside of it, and the race detector sees that.
func TestIdentityShared(t *testing.T) {
	dir := t.TempDir()
	id, err := mail.CreateIdentity(identityConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	c, err := mail.NewComposer(mail.ComposerConfig{Identity: id, Now: at(now)})
	if err != nil {
		t.Fatal(err)
	}
	own := public(t, id.Key)
	signed, sealed := sample(mail.KindCode, ""), sample(mail.KindBoth, "")
	sealed.Key = own
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := c.Render(signed); err != nil {
				t.Error(err)
			}
			m, err := c.Render(sealed)
			if err != nil {
				t.Error(err)
				return
			}
			o := mail.Opener{Own: id.Key, Key: own, Nonce: nonce, From: []string{string(id.Address)}, Since: now.Add(-time.Hour), Now: now.Add(time.Minute)}
			if proof, err := o.Open(read(t, m.Raw)); err != nil || !proof.Encrypted {
				t.Errorf("what was encrypted to ourselves: %+v, %v", proof, err)
			}
		})
	}
	all.Wait()
}
