package mail

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// The files of an identity, in its folder. Each is readable by its owner only.
const (
	fileKey     = "openpgp.asc"
	fileRSA     = "dkim-rsa.pem"
	fileEd25519 = "dkim-ed25519.pem"
	fileSecret  = "verp.key"
)

// IdentityConfig says where an [Identity] is kept, and what its files do not say.
type IdentityConfig struct {
	Dir     string // with the four files
	Name    string
	Address string
	Domain  string // "": that of Address
	Contact string
	Host    string // "": Domain

	SelectorRSA     string           // "": rollcall-rsa
	SelectorEd25519 string           // "": rollcall-ed25519
	Now             func() time.Time // when new keys are made; nil: time.Now
}

// CreateIdentity makes what is missing in the folder, touches nothing that is there,
// and opens the whole.
func CreateIdentity(cfg IdentityConfig) (*Identity, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	for name, create := range map[string]func() ([]byte, error){
		fileKey: cfg.newKey, fileRSA: newRSA, fileEd25519: newEd25519, fileSecret: newSecret,
	} {
		if err := createOnce(filepath.Join(cfg.Dir, name), create); err != nil {
			return nil, err
		}
	}
	return OpenIdentity(cfg)
}

// createOnce writes a file that is not there. It appears whole or not at all.
func createOnce(path string, create func() ([]byte, error)) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := create()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	defer os.Remove(part)                                                       //nolint:errcheck // it is gone when all went well
	if err := os.Link(part, path); err != nil && !errors.Is(err, fs.ErrExist) { // another process may have been first
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return nil
}

func (cfg IdentityConfig) newKey() ([]byte, error) {
	// Version 4 and Curve25519: what every program of the last ten years reads.
	e, err := openpgp.NewEntity(cfg.Name, "", cfg.Address, &packet.Config{Time: cfg.Now, Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := e.SerializePrivate(&out, nil); err != nil {
		return nil, err
	}
	return armorOf(openpgp.PrivateKeyType, out.Bytes())
}

// newRSA: RFC 8301 section 3.2: signers SHOULD use 2048 bits at least; more do not fit a record of one string well.
func newRSA() ([]byte, error) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return encodePEM(k)
}

func newEd25519() ([]byte, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return encodePEM(k)
}

func encodePEM(k crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func newSecret() ([]byte, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return []byte(hex.EncodeToString(b) + "\n"), nil
}

// OpenIdentity reads an identity from its folder. Every file must be there, and be
// readable by nobody else.
func OpenIdentity(cfg IdentityConfig) (*Identity, error) {
	address, err := directory.ParseEmail(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: address: %w", ErrIdentity, err)
	}
	domain := address.Domain()
	if cfg.Domain != "" {
		if domain, err = directory.ParseDomain(cfg.Domain); err != nil {
			return nil, fmt.Errorf("%w: domain: %w", ErrIdentity, err)
		}
	}
	id := &Identity{Name: cfg.Name, Address: address, Domain: domain, Contact: cfg.Contact, Host: orElse(cfg.Host, string(domain))}
	if err := id.read(cfg); err != nil {
		return nil, err
	}
	return id, id.check()
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// read reads the four files.
func (id *Identity) read(cfg IdentityConfig) error {
	data := map[string][]byte{}
	for _, name := range []string{fileKey, fileRSA, fileEd25519, fileSecret} {
		b, err := readSecretFile(filepath.Join(cfg.Dir, name))
		if err != nil {
			return err
		}
		data[name] = b
	}
	var err error
	if id.Key, err = readPrivateKey(data[fileKey]); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrIdentity, fileKey, err)
	}
	for _, k := range []struct{ file, selector string }{
		{fileRSA, orElse(cfg.SelectorRSA, "rollcall-rsa")}, {fileEd25519, orElse(cfg.SelectorEd25519, "rollcall-ed25519")},
	} {
		s, err := readSigner(data[k.file])
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrIdentity, k.file, err)
		}
		id.DKIM = append(id.DKIM, DKIMKey{Selector: k.selector, Signer: s})
	}
	if id.secret, err = hex.DecodeString(strings.TrimSpace(string(data[fileSecret]))); err != nil {
		return fmt.Errorf("%w: %s: want 64 hexadecimal digits", ErrIdentity, fileSecret)
	}
	return nil
}

func readSecretFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%w: %s may be read by others (mode %04o): chmod 600", ErrIdentity, path, info.Mode().Perm())
	case info.Size() > 64<<10:
		return nil, fmt.Errorf("%w: %s is too large", ErrIdentity, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return b, nil
}

func readPrivateKey(data []byte) (*openpgp.Entity, error) {
	list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(data))
	switch {
	case err != nil:
		return nil, err
	case len(list) != 1:
		return nil, fmt.Errorf("%d keys, want one", len(list))
	case list[0].PrivateKey == nil || list[0].PrivateKey.Encrypted:
		return nil, errors.New("want a private key without a passphrase; the file's rights guard it")
	}
	return judged(list[0])
}

// judged decides at once what go-crypto decides when a key is first used and keeps in it: after that a key is
// only read, and any number may use it at the same time.
func judged(e *openpgp.Entity) (*openpgp.Entity, error) {
	var public bytes.Buffer
	if err := e.Serialize(&public); err != nil {
		return nil, err
	}
	c, err := directory.ParseCertificate(public.Bytes())
	if err != nil {
		return nil, err
	}
	settle(c.Entity, policy(time.Now()))
	own := map[uint64]*packet.PrivateKey{e.PrimaryKey.KeyId: e.PrivateKey}
	for _, s := range e.Subkeys {
		own[s.PublicKey.KeyId] = s.PrivateKey
	}
	c.Entity.PrivateKey = e.PrivateKey
	for i := range c.Entity.Subkeys {
		s := &c.Entity.Subkeys[i]
		s.PrivateKey = own[s.PublicKey.KeyId]
	}
	return c.Entity, nil
}

// readSigner reads a private key, of which the length is judged: RFC 8301 section 3.2.
func readSigner(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("want PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 || k.N.BitLen() > 4096 {
			return nil, fmt.Errorf("RSA of %d bits, want 2048 to 4096", k.N.BitLen())
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errors.New("want a key of RSA or Ed25519")
}
