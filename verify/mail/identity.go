package mail

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ErrIdentity is a mail identity that can't be used: configuration to mend.
var ErrIdentity = errors.New("mail: identity")

// Identity is this instance as others see it in mail. It is read-only once made,
// and safe for concurrent use.
type Identity struct {
	Name    string           // beside the address in From: letters, digits, spaces and dots only
	Address directory.Email  // in From
	Domain  directory.Domain // of return paths, reply addresses, message ids and DKIM signatures
	Contact string           // an https URL where people learn what these mails are
	Host    string           // the name that the sending host says in EHLO

	Key  *openpgp.Entity // with its private parts; nil: mails are not signed with OpenPGP
	DKIM []DKIMKey       // one of RSA and one of Ed25519; each signs

	secret []byte // of the HMAC in return paths and message ids
}

// DKIMKey is a key that signs mails, under the name it is published at.
type DKIMKey struct {
	Selector string
	Signer   crypto.Signer // *rsa.PrivateKey or ed25519.PrivateKey
}

// Record is a record of the DNS that the operator has to publish.
type Record struct {
	Name, Type, Value string
}

var (
	displayName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 .]{0,63}$`)
	selector    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// check refuses an identity from which no proper mail can be made.
func (id *Identity) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrIdentity, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(id.Contact)
	switch {
	case !displayName.MatchString(id.Name):
		return bad("the name %q: want letters, digits, spaces and dots, 64 at most", id.Name)
	case len(id.secret) < 32:
		return bad("the secret of return paths has %d bytes, want 32", len(id.secret))
	case err != nil || u.Scheme != "https" || u.Host == "" || len(id.Contact) > maxURL:
		return bad("the contact URL %q: want https://…", id.Contact)
	}
	if _, err := directory.ParseDomain(id.Host); err != nil {
		return bad("the host name %q: %v", id.Host, err)
	}
	for _, k := range id.DKIM {
		if !selector.MatchString(k.Selector) {
			return bad("the DKIM selector %q", k.Selector)
		}
		if _, err := k.value(); err != nil {
			return err
		}
	}
	return nil
}

// value is the text of the record that publishes the key: RFC 6376 section 3.6.1, RFC 8463 section 4.
func (k DKIMKey) value() (string, error) {
	switch pub := k.Signer.Public().(type) {
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			return "", fmt.Errorf("%w: DKIM key %s: %w", ErrIdentity, k.Selector, err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub), nil
	}
	return "", fmt.Errorf("%w: DKIM key %s is neither RSA nor Ed25519", ErrIdentity, k.Selector)
}

// name is where the key is published: RFC 6376 section 3.6.2.1.
func (k DKIMKey) name(domain directory.Domain) string {
	return k.Selector + "._domainkey." + string(domain)
}

// Records returns what has to be published for the keys of the identity. The other records
// (SPF, DMARC, MX, the reverse name) depend on the network: [Selftest] says what is missing.
func (id *Identity) Records() []Record {
	var out []Record
	for _, k := range id.DKIM {
		if v, err := k.value(); err == nil { // checked when the identity was made
			out = append(out, Record{Name: k.name(id.Domain), Type: "TXT", Value: v})
		}
	}
	return out
}

// from is the From field's value. The name's alphabet needs no quoting but for the dot.
func (id *Identity) from() string {
	return `"` + id.Name + `" <` + string(id.Address) + ">"
}

// loop is what X-Loop says, by which we know our own mail.
func (id *Identity) loop() string { return strings.ToLower(string(id.Address)) }
