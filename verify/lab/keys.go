package lab

import (
	"crypto"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Key is an OpenPGP key as a team publishes it.
type Key struct {
	Fingerprint string // upper case hex
	Armor       string
}

// pgpKey is a key with its secret part.
type pgpKey struct {
	entity *openpgp.Entity
	leaks  bool // whoever publishes it publishes the secret part
}

// newPGPKey makes a key of version 4 on Curve25519 that was made and expires at
// given times; a zero expiry is none.
func newPGPKey(name, email string, made, expires time.Time) (*pgpKey, error) {
	conf := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, Time: func() time.Time { return made }}
	if !expires.IsZero() {
		conf.KeyLifetimeSecs = uint32(expires.Sub(made) / time.Second)
	}
	e, err := openpgp.NewEntity(name, "", email, conf)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", email, err)
	}
	return &pgpKey{entity: e}, nil
}

// public renders the public part.
func (k *pgpKey) public() (Key, error) {
	var b strings.Builder
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.PublicKeyType, nil, true)
	if err != nil {
		return Key{}, err
	}
	if err := k.entity.Serialize(w); err != nil {
		return Key{}, err
	}
	if err := w.Close(); err != nil {
		return Key{}, err
	}
	return Key{Fingerprint: fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint), Armor: b.String() + "\n"}, nil
}

// binary is the key as packets: what the DNS and Web Key Directories hold.
func (k *pgpKey) binary() (string, error) {
	var b strings.Builder
	write := k.entity.Serialize
	if k.leaks {
		write = func(w io.Writer) error { return k.entity.SerializePrivateWithoutSigning(w, nil) }
	}
	err := write(&b)
	return b.String(), err
}

// revoked is the public part with a revocation. The key itself stays as it is.
func (k *pgpKey) revoked(at time.Time) (Key, error) {
	raw, err := k.binary()
	if err != nil {
		return Key{}, err
	}
	e, err := openpgp.ReadEntity(packet.NewReader(strings.NewReader(raw)))
	if err != nil {
		return Key{}, err
	}
	e.PrivateKey = k.entity.PrivateKey
	conf := &packet.Config{Time: func() time.Time { return at }}
	if err := e.Revoke(packet.KeyCompromised, "lost", conf); err != nil {
		return Key{}, err
	}
	return (&pgpKey{entity: e}).public()
}

// sign makes a clear-signed message (RFC 9580 section 7) at a given time.
func (k *pgpKey) sign(text string, at time.Time, hash crypto.Hash) (string, error) {
	var b strings.Builder
	conf := &packet.Config{DefaultHash: hash, Time: func() time.Time { return at }}
	w, err := clearsign.Encode(&b, k.entity.PrivateKey, conf)
	if err != nil {
		return "", err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return b.String() + "\n", nil
}
