package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// Cert is what certificate a site shows.
type Cert string

// The certificates.
const (
	CertGood        Cert = ""             // for the host's name, under root and intermediate
	CertExpired     Cert = "expired"      // ended yesterday
	CertFuture      Cert = "future"       // begins in a week
	CertWrongName   Cert = "wrong-name"   // for another host
	CertSelfSigned  Cert = "self-signed"  // its own issuer
	CertUnknownRoot Cert = "unknown-root" // under a root that is not the lab's
	CertIncomplete  Cert = "incomplete"   // without the intermediate
	CertCommonName  Cert = "common-name"  // the host is in the common name only (RFC 9525 section 2)
	CertWildcard    Cert = "wildcard"     // for *.parent of the host
	CertTLS10       Cert = "tls-1.0"      // good, and TLS 1.0 is all that is spoken
)

const day = 24 * time.Hour

// signer is a certificate with its key.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (s signer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
}

// authority is the lab's certification authority, and one that nobody trusts.
type authority struct {
	root, intermediate, foreign signer
	leaf                        *ecdsa.PrivateKey // of all sites
	serial                      int64
}

func newAuthority(now time.Time) (*authority, error) {
	a := &authority{}
	var err error
	if a.leaf, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if a.root, err = a.newCA("Lab Root", nil, now); err != nil {
		return nil, err
	}
	if a.foreign, err = a.newCA("Nobody's Root", nil, now); err != nil {
		return nil, err
	}
	a.intermediate, err = a.newCA("Lab Intermediate", &a.root, now)
	return a, err
}

// newCA makes a certificate that may sign others; without a parent it signs itself.
func (a *authority) newCA(name string, parent *signer, now time.Time) (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer{}, err
	}
	t := a.template(name, now.Add(-3*365*day), now.Add(7*365*day))
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	s := signer{cert: t, key: key}
	if parent == nil {
		parent = &s
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		return signer{}, err
	}
	s.cert, err = x509.ParseCertificate(der)
	return s, err
}

func (a *authority) template(name string, from, until time.Time) *x509.Certificate {
	a.serial++
	return &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
}

// config makes the TLS configuration of a site.
func (a *authority) config(s *Site, now time.Time) (*tls.Config, error) {
	chain, err := a.chain(s, now)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: a.leaf}},
		NextProtos:   []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12,
	}
	if s.HTTP1 {
		conf.NextProtos = []string{"http/1.1"}
	}
	if s.Cert == CertTLS10 {
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	}
	return conf, nil
}

// chain makes the certificates that a site sends, leaf first.
func (a *authority) chain(s *Site, now time.Time) ([][]byte, error) {
	t := a.template("Lab Site", now.Add(-30*day), now.Add(400*day))
	t.DNSNames, t.ExtKeyUsage = []string{s.Host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	parent, above := a.intermediate, [][]byte{a.intermediate.cert.Raw}
	switch s.Cert {
	case CertExpired:
		t.NotBefore, t.NotAfter = now.Add(-91*day), now.Add(-day)
	case CertFuture:
		t.NotBefore = now.Add(7 * day)
	case CertWrongName:
		t.DNSNames = []string{"elsewhere.example"}
	case CertCommonName:
		t.DNSNames, t.Subject.CommonName = nil, s.Host
	case CertWildcard:
		t.DNSNames = []string{"*." + parentOf(s.Host)}
	case CertSelfSigned:
		parent, above = signer{cert: t, key: a.leaf}, nil
	case CertUnknownRoot:
		parent, above = a.foreign, [][]byte{a.foreign.cert.Raw}
	case CertIncomplete:
		above = nil
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent.cert, &a.leaf.PublicKey, parent.key)
	return append([][]byte{der}, above...), err
}
