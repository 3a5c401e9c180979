// Package mailtest starts the programs that mail passes in earnest, for tests: GnuPG
// with a home of its own, and Postfix with a configuration, a queue and ports of its own.
// Where one is not installed the test is skipped; .ci/run counts that as a failure.
package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// GnuPG is GnuPG with a home of its own.
type GnuPG struct {
	t    *testing.T
	home string
}

// NewGnuPG starts with a key of the team for an address. Its agent ends with the test.
func NewGnuPG(t *testing.T, address string) *GnuPG {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed")
	}
	home, err := os.MkdirTemp("", "gpg") // a short path: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	g := &GnuPG{t, home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
		_ = os.RemoveAll(home)
	})
	g.Run("", "--quick-generate-key", "Team CSIRT <"+address+">", "ed25519", "sign,cert", "1y")
	fpr := strings.Split(g.Run("", "--with-colons", "--list-keys"), "fpr:::::::::")[1]
	g.Run("", "--quick-add-key", fpr[:40], "cv25519", "encr", "1y")
	return g
}

// Run runs gpg with text for its standard input, and returns its standard output. It must succeed.
func (g *GnuPG) Run(stdin string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %v: %v\n%s", args, err, &errs)
	}
	return string(out)
}

// Postfix is Postfix with a configuration, a queue and ports of its own: the relay of an
// instance, and the mail server of a team.
type Postfix struct {
	Address string         // where it takes mail, with STARTTLS
	Roots   *x509.CertPool // what its certificate is of
	PEM     string         // the same, as a file
	Dir     string         // for its files, and what a test puts beside them

	t *testing.T
}

// Site is what a [Postfix] serves.
type Site struct {
	Domain string   // of the team
	Boxes  []string // local parts of its mailboxes
	Own    string   // the domain of the instance, whose mail is handed over to LMTP
	LMTP   string   // where that is, as host:port
	// Refuses is where mail to "gone" at the domain is sent on to: a server that refuses
	// it, so that it bounces after it was accepted.
	Refuses string
}

// StartPostfix delivers mail to a team's mailboxes into Maildirs, and hands that of the
// instance over. It ends with the test.
func StartPostfix(t *testing.T, site Site) *Postfix {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/postfix"); err != nil {
		t.Skip("postfix is not installed")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can start postfix")
	}
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	p := &Postfix{t: t, Dir: dir, Address: FreePort(t)}
	t.Cleanup(func() {
		if out, err := exec.Command("/usr/sbin/postfix", "-c", dir, "stop").CombinedOutput(); err != nil {
			t.Errorf("postfix stop: %v\n%s", err, out)
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("postfix:\n%s", log)
		}
		_ = os.RemoveAll(dir)
	})
	p.configure(&site)
	if out, err := exec.Command("/usr/sbin/postfix", "-c", dir, "start").CombinedOutput(); err != nil {
		t.Fatalf("postfix start: %v\n%s", err, out)
	}
	return p
}

// FreePort is an address of this machine on which nobody listens.
func FreePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only to find a port
	return l.Addr().String()
}

func (p *Postfix) configure(site *Site) {
	p.t.Helper()
	cert, roots := Certificate(p.t)
	p.Roots = roots
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	own := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	p.write("tls.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))+own)
	p.write("roots.pem", own)
	p.PEM = filepath.Join(p.Dir, "roots.pem")
	boxes := "gone@" + site.Domain + " gone/\n"
	for _, box := range site.Boxes {
		boxes += box + "@" + site.Domain + " " + box + "/\n"
	}
	p.write("mailboxes", boxes)
	host, port, _ := net.SplitHostPort(site.LMTP)
	_, refuses, _ := net.SplitHostPort(site.Refuses)
	p.write("transport", fmt.Sprintf("%s lmtp:inet:[%s]:%s\ngone@%s smtp:[127.0.0.1]:%s\n", site.Own, host, port, site.Domain, refuses))
	p.write("main.cf", fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.%[2]s
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = %[1]s/tls.pem
smtp_dns_support_level = disabled
relay_domains = %[3]s
transport_maps = texthash:%[1]s/transport
virtual_mailbox_domains = %[2]s
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = texthash:%[1]s/mailboxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
`, p.Dir, site.Domain, site.Own))
	services := fmt.Sprintf("%s inet n - n - - smtpd\n", p.Address)
	for _, s := range []string{"cleanup unix n - n - 0", "tlsmgr unix - - n 1000? 1", "bounce unix - - n - 0", "defer unix - - n - 0", "trace unix - - n - 0", "error unix - - n - -", "retry unix - - n - -", "virtual unix - n n - -", "lmtp unix - - n - -",
		"smtp unix - - n - -", "qmgr unix n - n 300 1", "anvil unix - - n - 1", "scache unix - - n - 1", "proxymap unix - - n - -", "flush unix n - n 1000? 0", "verify unix - - n - 1"} {
		name, _, _ := strings.Cut(s, " ")
		services += s + " " + map[string]string{"defer": "bounce", "trace": "bounce", "retry": "error"}[name]
		if !strings.Contains("defer trace retry", name) {
			services += name
		}
		services += "\n"
	}
	p.write("master.cf", services+"rewrite unix - - n - - trivial-rewrite\npostlog unix-dgram n - n - 1 postlogd\n")
	p.prepare()
}

// prepare makes the folders, with the owners that Postfix wants.
func (p *Postfix) prepare() {
	p.t.Helper()
	if err := os.Chmod(p.Dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	for name, owner := range map[string]string{"queue": "root", "data": "postfix", "mail": "nobody"} {
		path := filepath.Join(p.Dir, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			p.t.Fatal(err)
		}
		if out, err := exec.Command("chown", owner, path).CombinedOutput(); err != nil {
			p.t.Fatalf("chown: %v\n%s", err, out)
		}
	}
}

func (p *Postfix) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// Arrived waits for the next mail in a mailbox of the team, and takes it out.
func (p *Postfix) Arrived(box string) string {
	p.t.Helper()
	dir := filepath.Join(p.Dir, "mail", box, "new")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		entries, _ := os.ReadDir(dir)
		if len(entries) == 0 {
			continue
		}
		path := filepath.Join(dir, entries[0].Name())
		text, err := os.ReadFile(path)
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			p.t.Fatal(err)
		}
		return string(text)
	}
	p.t.Fatalf("no mail arrives at %s", box)
	return ""
}

// Certificate makes a certificate for 127.0.0.1 that holds for an hour, and what it is of.
func Certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
