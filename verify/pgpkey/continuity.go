package pgpkey

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Succession is the question whether a new key may take the place of an old one.
type Succession struct {
	Old []byte // the key so far, as it is stored
	New []byte // what was found, with the signatures of others
	// Fingerprint says which key of New is meant.
	Fingerprint directory.Fingerprint
	Address     directory.Email // that the new key is to serve; "": any
	Statement   []byte          // a clear-signed transition statement; nil: none
	Channels    []Channel       // that give out the new key
	Operators   []string        // who asked the team out of band, and were told that it is right
	Policy      Policy
	Now         time.Time
}

// Ground is one thing that speaks for a new key.
type Ground string

// The grounds. Any one of them is enough to propose a key.
const (
	GroundCertified Ground = "certified" // the old key has certified it
	GroundStatement Ground = "statement" // the old key has signed a statement that names it
	GroundChannels  Ground = "channels"  // two independent channels have it
	GroundOperators Ground = "operators" // two operators have confirmed it
)

// Proposal is what speaks for a new key and what stands against it. It never
// replaces a key: somebody has to decide.
type Proposal struct {
	Grounds []Ground
	For     []string
	Against []string
	// Statement is what the old key has signed, word by word, for people to
	// read: it may say the opposite of what its fingerprints suggest.
	Statement string
}

// Proposed reports whether the new key should be proposed.
func (p Proposal) Proposed() bool { return len(p.Grounds) > 0 && len(p.Against) == 0 }

// Reasons lists all that was found, for and against.
func (p Proposal) Reasons() []string { return slices.Concat(p.For, p.Against) }

func (p *Proposal) ground(g Ground, text string) {
	p.Grounds, p.For = append(p.Grounds, g), append(p.For, text)
}

// Succeeds decides what speaks for a new key. It is pure: whatever has to be
// fetched or asked is in s.
func Succeeds(s Succession) Proposal {
	var p Proposal
	next := s.next(&p)
	if old, hard, ok := s.old(); !ok || hard {
		p.For = append(p.For, "the old key cannot speak for it: it was compromised, or its own signatures are refused")
	} else if next != nil {
		s.certified(&p, old, next)
		s.stated(&p, old)
	}
	if independent := s.independent(); len(independent) >= 2 {
		p.ground(GroundChannels, "found on "+strings.ReplaceAll(join(independent), ",", " and "))
	}
	if n := s.confirmed(); n >= 2 {
		p.ground(GroundOperators, "confirmed by "+strconv.Itoa(n)+" operators")
	}
	return p
}

// next is the new key, and says what stands against it.
func (s Succession) next(p *Proposal) *openpgp.Entity {
	for r := range JudgeKeyring(s.New, s.Policy, s.Now) {
		if r.Key.Fingerprint != s.Fingerprint {
			continue
		}
		if !r.Encrypts {
			p.Against = append(p.Against, "the new key cannot be encrypted to")
		}
		if s.Address != "" && r.Has(s.Address) == MatchNone {
			p.Against = append(p.Against, "the new key does not have the address")
		}
		return withCertifications(s.New, s.Fingerprint)
	}
	p.Against = append(p.Against, "the new key is not there, or was refused")
	return nil
}

// withCertifications reads a key as it came. [directory.ParseCertificate] drops what
// is looked for here. Nothing of it counts before it is verified.
func withCertifications(data []byte, f directory.Fingerprint) *openpgp.Entity {
	read := openpgp.ReadKeyRing
	if len(data) > 0 && data[0]&0x80 == 0 {
		read = openpgp.ReadArmoredKeyRing
	}
	ring, err := read(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	for _, e := range ring {
		if fingerprintOf(e.PrimaryKey) == f {
			return e
		}
	}
	return nil
}

// old is the old key under the policy. hard: it was revoked for a reason that
// makes all it ever signed worthless (RFC 9580 section 5.2.3.31).
func (s Succession) old() (e *openpgp.Entity, hard, ok bool) {
	c, err := directory.ParseCertificate(s.Old)
	if err != nil {
		return nil, false, false
	}
	j := &judgement{cert: c}
	s.Policy.apply(c.Entity, s.Policy.config(s.Now))
	return c.Entity, c.Key.Revoked && !j.onlyRetired(), true
}

// maxCertifications is how many in the old key's name are verified.
const maxCertifications = 64

// certified looks for the old key's certification of a user ID of the new one.
func (s Succession) certified(p *Proposal, old, next *openpgp.Entity) {
	tries := 0
	for _, name := range slices.Sorted(maps.Keys(next.Identities)) {
		id := next.Identities[name]
		if s.Address != "" {
			if e, err := directory.ParseEmail(directory.ParseUserID(id.Name).Email); err != nil || e.Key() != s.Address.Key() {
				continue
			}
		}
		for _, c := range id.OtherCertifications {
			if !c.Packet.CheckKeyIdOrFingerprint(old.PrimaryKey) { // anybody's, and as many as anybody likes
				continue
			}
			if tries++; tries > maxCertifications {
				return
			}
			if s.certifies(old, next, id, c.Packet) {
				p.ground(GroundCertified, "certified by the old key on "+day(c.Packet.CreationTime))
				return
			}
		}
	}
}

// certifies reports whether c is a certification that the old key could make
// when it did, and has not taken back.
func (s Succession) certifies(old, next *openpgp.Entity, id *openpgp.Identity, c *packet.Signature) bool {
	if !s.madeBy(old, next, id, c) || c.SigType == packet.SigTypeCertificationRevocation {
		return false
	}
	for _, o := range id.OtherCertifications {
		takenBack := o.Packet.SigType == packet.SigTypeCertificationRevocation && !o.Packet.CreationTime.Before(c.CreationTime)
		if takenBack && s.madeBy(old, next, id, o.Packet) {
			return false
		}
	}
	_, err := old.VerifyPrimaryKey(c.CreationTime, s.Policy.config(s.Now))
	return err == nil // it says of a revocation that came later that it had not come yet
}

func (s Succession) madeBy(old, next *openpgp.Entity, id *openpgp.Identity, c *packet.Signature) bool {
	return c.CheckKeyIdOrFingerprint(old.PrimaryKey) && !c.SigExpired(s.Now) && accepts(s.Policy.config(s.Now), c) &&
		old.PrimaryKey.VerifyUserIdSignature(id.Name, next.PrimaryKey, c) == nil
}

// stated looks for the new fingerprint in what the old key has signed.
func (s Succession) stated(p *Proposal, old *openpgp.Entity) {
	if len(s.Statement) == 0 {
		return
	}
	text, at, err := signedText(s.Statement, old, s.Policy.config(s.Now))
	switch {
	case err != nil:
		p.For = append(p.For, "the statement does not count: "+err.Error())
	case !names(text, s.Fingerprint):
		p.For = append(p.For, "the statement does not name the new key's full fingerprint")
	default:
		p.Statement = text
		p.ground(GroundStatement, "named in a statement that the old key signed on "+day(at))
	}
}

// names reports whether a text has the fingerprint, in whatever groups of digits.
func names(text string, f directory.Fingerprint) bool {
	digits := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == ':' {
			return -1
		}
		return unicode.ToUpper(r)
	}, text)
	return f != "" && strings.Contains(digits, string(f))
}

var (
	errNotClearsigned = errors.New("pgpkey: no clear-signed text and nothing else")
	errBadStatement   = errors.New("pgpkey: the old key has not signed this")
)

// maxStatement is the most octets of a statement.
const maxStatement = 64 << 10

// signedText returns what of a clear-signed text is signed by the key, and when.
// RFC 9580 section 7: go-crypto skips words before the message and leaves what
// comes after it, so both are refused here: people would read them as signed.
func signedText(data []byte, e *openpgp.Entity, cfg *packet.Config) (string, time.Time, error) {
	data = bytes.TrimSpace(data)
	if len(data) > maxStatement || !bytes.HasPrefix(data, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		return "", time.Time{}, errNotClearsigned
	}
	block, rest := clearsign.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return "", time.Time{}, errNotClearsigned
	}
	signature, err := io.ReadAll(block.ArmoredSignature.Body)
	if err != nil {
		return "", time.Time{}, errNotClearsigned
	}
	sig, _, err := openpgp.VerifyDetachedSignature(openpgp.EntityList{e}, bytes.NewReader(block.Bytes), bytes.NewReader(signature), cfg)
	if err != nil || sig == nil {
		return "", time.Time{}, errBadStatement
	}
	return string(block.Plaintext), sig.CreationTime, nil
}

// independent lists the channels that count, each once. The profile is what is
// to be changed, and an HKP server takes anything from anybody.
func (s Succession) independent() []Channel {
	var all []Channel
	for _, c := range s.Channels {
		if c != ChannelProfile && c != ChannelHKP && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// confirmed counts the operators, each once.
func (s Succession) confirmed() int {
	seen := map[string]bool{}
	for _, o := range s.Operators {
		if o = strings.TrimSpace(o); o != "" {
			seen[strings.ToLower(o)] = true
		}
	}
	return len(seen)
}
