package directory

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	beginSigned    = "-----BEGIN PGP SIGNED MESSAGE-----"
	maxStatement   = 64 << 10 // octets of a statement
	maxCertified   = 64       // certifications in one key's name that are verified
	maxSignedNote  = 2000     // characters of a statement that are kept
	statementSkew  = 5 * time.Minute
	wantStatement  = "a text that the old key has clear-signed, alone, with the new key's full fingerprint in it; or the new key with the old key's certification"
	wantStatedTime = "a statement made while both keys were good"
)

// ProveByStatement returns what a statement proves of the key f by the word of one
// of the old keys: a text that one has clear-signed (RFC 9580 section 7) and that
// names the full fingerprint, or the key itself with its certification. next is the
// key as far as it is known. The error is a [Problem] that says what is missing.
func ProveByStatement(f Fingerprint, next *Key, old []TeamKey, statement []byte, now time.Time) (KeyProof, error) {
	signed, err := openStatement(statement)
	if err != nil {
		return KeyProof{}, err
	}
	var refused error
	for _, k := range old {
		if k.Fingerprint == f || k.Armor == "" {
			continue
		}
		c, err := ParseCertificate([]byte(k.Armor))
		if err != nil {
			continue
		}
		w := witness{cert: &c, cfg: statementConfig(now), now: now}
		var at time.Time
		ground := KeyStated
		if signed == nil {
			ground = KeyCertified
			at, err = w.certified(f, statement)
		} else {
			at, err = w.signed(signed)
		}
		if errors.Is(err, errNotBy) {
			continue
		}
		if err == nil {
			err = w.sensible(at, next)
		}
		if err == nil && signed != nil && !namesKey(signed.words, f) {
			err = problem("continuity.fingerprint", string(f), "what "+string(k.Fingerprint)+" has signed does not name this key's full fingerprint", wantStatement)
		}
		if err == nil {
			return KeyProof{Ground: ground, At: now, Old: k.Fingerprint, Signed: at.UTC(), Note: signed.note()}, nil
		}
		refused = err
	}
	if refused == nil {
		refused = problem("continuity.signer", "", "no old key of the team that is kept here has signed this", wantStatement)
	}
	return KeyProof{}, refused
}

// statementConfig refuses what proves nothing any more.
func statementConfig(now time.Time) *packet.Config {
	return &packet.Config{
		Time: func() time.Time { return now }, MinRSABits: 2047,
		RejectHashAlgorithms:        map[crypto.Hash]bool{crypto.MD5: true, crypto.RIPEMD160: true, crypto.SHA1: true},
		RejectMessageHashAlgorithms: map[crypto.Hash]bool{crypto.MD5: true, crypto.RIPEMD160: true, crypto.SHA1: true},
	}
}

// statement is a clear-signed text that was taken apart.
type statement struct {
	signed    []byte // what the signature is over
	signature []byte // packets
	words     string
}

// openStatement takes a clear-signed text apart. go-crypto skips words before the
// message and hands back what comes behind it: people would read both as signed,
// so they are refused, as is a second message. It returns nil for a key.
func openStatement(data []byte) (*statement, error) {
	bad := func(reason string) error { return problem("continuity.statement", "", reason, wantStatement) }
	if isKey(data) && len(data) <= maxKeySize {
		return nil, nil
	}
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return nil, bad("there is nothing")
	case len(data) > maxStatement:
		return nil, bad(fmt.Sprintf("it has %d octets, the limit is %d", len(data), maxStatement))
	case !bytes.HasPrefix(data, []byte(beginSigned)):
		return nil, bad("it does not begin with " + beginSigned)
	case bytes.Count(data, []byte(beginSigned)) > 1:
		return nil, bad("there is more than one message")
	}
	block, rest := clearsign.Decode(data)
	switch {
	case block == nil:
		return nil, bad("the message or its armour is damaged")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, bad("there is something behind the signature")
	}
	for name := range block.Headers {
		if name != "Hash" {
			return nil, bad("the message has a header other than Hash, which nobody has signed")
		}
	}
	signature, err := io.ReadAll(block.ArmoredSignature.Body)
	if err != nil {
		return nil, bad("the armour of the signature is damaged")
	}
	return &statement{block.Bytes, signature, string(block.Plaintext)}, nil
}

// note is the text for people to read.
func (s *statement) note() string {
	if s == nil {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s.words, "\uFFFD"))
	if r := []rune(text); len(r) > maxSignedNote {
		return string(r[:maxSignedNote]) + "…"
	}
	return text
}

func isKey(data []byte) bool {
	return isBinary(data) || bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN PGP "+publicKeyBlock))
}

// errNotBy: the key has nothing to do with it.
var errNotBy = errors.New("directory: not by this key")

// witness is an old key that is asked what it has signed.
type witness struct {
	cert *Certificate
	cfg  *packet.Config
	now  time.Time
}

// signed returns when the key has signed a text.
func (w *witness) signed(s *statement) (time.Time, error) {
	sig, _, err := openpgp.VerifyDetachedSignature(openpgp.EntityList{w.cert.Entity}, bytes.NewReader(s.signed), bytes.NewReader(s.signature), w.cfg)
	if err == nil && sig != nil {
		return sig.CreationTime, nil
	}
	switch {
	case !w.names(s.signature):
		return time.Time{}, errNotBy
	case w.cert.Key.Compromised():
		return time.Time{}, w.compromised()
	}
	return time.Time{}, problem("continuity.signer", string(w.cert.Key.Fingerprint),
		"the signature names this key, and does not hold: the text was changed, the key could not sign then, or its hash proves nothing", wantStatement)
}

// names reports whether one of the signatures says that it is by the key.
func (w *witness) names(data []byte) bool {
	e := w.cert.Entity
	for r := packet.NewReader(bytes.NewReader(data)); ; {
		p, err := r.Next()
		if err != nil {
			return false
		}
		s, ok := p.(*packet.Signature)
		if ok && (s.CheckKeyIdOrFingerprint(e.PrimaryKey) || slices.ContainsFunc(e.Subkeys, func(k openpgp.Subkey) bool { return s.CheckKeyIdOrFingerprint(k.PublicKey) })) {
			return true
		}
	}
}

// sensible judges when something was signed.
func (w *witness) sensible(at time.Time, next *Key) error {
	k := &w.cert.Key
	bad := func(reason string) error {
		return problem("continuity.time", at.UTC().Format(time.RFC3339), reason, wantStatedTime)
	}
	switch {
	case k.Compromised():
		return w.compromised()
	case at.After(w.now.Add(statementSkew)):
		return bad("it is dated in the future")
	case k.Revoked && at.After(k.RevokedAt):
		return bad("the old key was revoked before, on " + k.RevokedAt.Format(time.DateOnly))
	case !k.Expires.IsZero() && at.After(k.Expires):
		return bad("the old key had expired before, on " + k.Expires.Format(time.DateOnly))
	case next != nil && at.Before(next.Created):
		return bad("the new key was not made before " + next.Created.Format(time.DateOnly))
	}
	return nil
}

func (w *witness) compromised() error {
	return problem("continuity.compromised", string(w.cert.Key.Fingerprint), "the old key is revoked ("+w.cert.Key.RevocationReason+"), so that nothing it has signed counts",
		"two confirmations by operators, or two channels")
}

// certified returns when the key has certified a user ID of the key f in data. Keys
// certify those of others too: what counts is one with an address that the old key
// itself has.
func (w *witness) certified(f Fingerprint, data []byte) (time.Time, error) {
	next := entityIn(data, f)
	if next == nil {
		return time.Time{}, problem("continuity.fingerprint", string(f), "the key is not in there, or can't be read", wantStatement)
	}
	tries := 0
	for _, name := range slices.Sorted(maps.Keys(next.Identities)) {
		id := next.Identities[name]
		if !w.has(id.Name) {
			continue
		}
		for _, c := range id.OtherCertifications {
			if !c.Packet.CheckKeyIdOrFingerprint(w.cert.Entity.PrimaryKey) { // anybody's, and as many as anybody likes
				continue
			}
			if tries++; tries > maxCertified {
				return time.Time{}, errNotBy
			}
			if w.certifies(next, id, c.Packet) {
				return c.Packet.CreationTime, nil
			}
		}
	}
	return time.Time{}, errNotBy
}

// has reports whether the key has the address of a user ID, or all of it.
func (w *witness) has(userID string) bool {
	u := ParseUserID(userID)
	return slices.ContainsFunc(w.cert.Key.UserIDs, func(have UserID) bool {
		return strings.EqualFold(have.Email, u.Email) && (u.Email != "" || have.Raw == u.Raw)
	})
}

// certifies reports whether c is a certification that the key could make when it
// did, and has not taken back.
func (w *witness) certifies(next *openpgp.Entity, id *openpgp.Identity, c *packet.Signature) bool {
	if !w.made(next, id, c) || !isCertification(c) {
		return false
	}
	for _, o := range id.OtherCertifications {
		takenBack := o.Packet.SigType == packet.SigTypeCertificationRevocation && !o.Packet.CreationTime.Before(c.CreationTime)
		if takenBack && w.made(next, id, o.Packet) {
			return false
		}
	}
	_, err := w.cert.Entity.VerifyPrimaryKey(c.CreationTime, w.cfg)
	return err == nil || w.cert.Key.Compromised() // which sensible says
}

func (w *witness) made(next *openpgp.Entity, id *openpgp.Identity, c *packet.Signature) bool {
	pub := w.cert.Entity.PrimaryKey
	for _, n := range c.Notations { // RFC 9580 section 5.2.3.24
		if n.IsCritical {
			return false
		}
	}
	return c.CheckKeyIdOrFingerprint(pub) && !c.SigExpired(w.now) && !w.cfg.RejectHashAlgorithm(c.Hash) &&
		pub.VerifyUserIdSignature(id.Name, next.PrimaryKey, c) == nil
}

// entityIn reads a key with the signatures of others, which [ParseCertificate]
// drops. Nothing of it counts before it is verified.
func entityIn(data []byte, f Fingerprint) *openpgp.Entity {
	if len(data) > maxKeySize {
		return nil
	}
	read := openpgp.ReadKeyRing
	if !isBinary(data) {
		read = openpgp.ReadArmoredKeyRing
	}
	ring, err := read(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	for _, e := range ring {
		if strings.EqualFold(fmt.Sprintf("%x", e.PrimaryKey.Fingerprint), string(f)) {
			return e
		}
	}
	return nil
}

// namesKey reports whether a text has a full fingerprint in it, in whatever groups
// of digits, that is not a part of something longer.
func namesKey(text string, f Fingerprint) bool {
	if f == "" {
		return false
	}
	digits := strings.Join(strings.Split(string(f), ""), `[\s\x{a0}:]*`)
	found, err := regexp.MatchString(`(?i)(?:^|[^0-9a-z]|\b0x)`+digits+`(?:$|[^0-9a-z])`, text)
	return err == nil && found
}
