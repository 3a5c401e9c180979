package directory

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// component is the primary key, a user ID or a subkey with the signatures that
// follow it: first all that claim to be the owner's, then only those that are.
type component struct {
	raw   rawPacket
	key   *packet.PublicKey // of a subkey
	fpr   Fingerprint       // of a subkey
	cands []rawPacket
	sigs  []selfSig
}

// selfSig is a verified signature of the primary key.
type selfSig struct {
	raw rawPacket
	*packet.Signature
}

// certificate is a certificate being read.
type certificate struct {
	pub     *packet.PublicKey
	fpr     Fingerprint
	rawFpr  []byte
	primary component
	users   []*component
	subkeys []*component

	thirdParty  []rawPacket // key revocations by others, which a designated revoker may have made
	stripped    int         // signatures of others
	attributes  int         // photos
	unknown     int         // packets of no known type
	bad         int         // signatures in the owner's name that do not verify
	noBack      int         // bindings of subkeys for signing that lack the subkey's own signature
	seen        int         // signatures in the owner's name
	hashMD5     bool        // one of them uses MD5 or is of version 3
	droppedUIDs int
	droppedKeys int
}

// parseCertificate reads the packets of one certificate.
func parseCertificate(packets []byte) (Certificate, error) {
	c, err := splitCertificate(packets)
	if err != nil {
		return Certificate{}, err
	}
	return c.finish()
}

// finish makes of what was split the key, its notes and its form for go-crypto.
func (c *certificate) finish() (Certificate, error) {
	c.verify()
	if err := c.checkBound(); err != nil {
		return Certificate{}, err
	}
	minimal := c.serialize()
	e, err := c.reread(minimal)
	if err != nil {
		return Certificate{}, err
	}
	k := c.facts()
	if k.Armor, err = armorKey(minimal, k.Version); err != nil {
		return Certificate{}, &Error{Kind: Internal, Op: "armour key", Subject: string(k.Fingerprint), Err: err}
	}
	return Certificate{Key: k, Notes: c.notes(k), Entity: e}, nil
}

// splitCertificate sorts the packets into components and drops what is not the
// owner's, at the cost of a glance a signature: a flood never reaches the parser.
func splitCertificate(packets []byte) (*certificate, error) {
	if hasSecretPacket(packets) {
		return nil, errPrivateKey()
	}
	first, rest, err := nextPacket(packets)
	if err != nil {
		return nil, framing(err)
	}
	c := &certificate{}
	if err := c.readPrimary(first); err != nil {
		return nil, err
	}
	at := &c.primary
	for len(rest) > 0 {
		var p rawPacket
		if p, rest, err = nextPacket(rest); err != nil {
			return nil, framing(err)
		}
		if at, err = c.place(p, at); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func framing(err error) Problem {
	if errors.Is(err, errPacketTruncated) {
		return problem("key.truncated", "", "the end of the key is missing: "+err.Error(), "the whole key")
	}
	return problem("key.malformed", "", "the key is damaged: "+err.Error(), "the key exported anew")
}

// readPrimary checks the packet that must open a certificate.
func (c *certificate) readPrimary(p rawPacket) error {
	switch {
	case p.tag == tagSecretKey || p.tag == tagSecretSubkey:
		return errPrivateKey()
	case p.tag == tagSignature:
		return errSignatureOnly()
	case isMessageTag(p.tag):
		return errMessage()
	case p.tag != tagPublicKey || len(p.body) < 6:
		return problem("key.malformed", "", "a certificate opens with its primary key, this does not", "the key exported anew")
	}
	pub, err := readPublicKey(p)
	if err != nil {
		return err
	}
	if !pub.CanSign() {
		return problem("key.malformed", algorithmName(pub), "the primary key is of an algorithm that cannot sign", "a key made by a current program")
	}
	c.pub, c.primary.raw = pub, p
	c.fpr, c.rawFpr = keyFingerprint(p.body)
	return nil
}

// readPublicKey parses a public key or subkey packet within our limits.
func readPublicKey(p rawPacket) (*packet.PublicKey, error) {
	const anew = "a new key of version 4 or 6"
	if len(p.body) < 6 {
		return nil, problem("key.malformed", "", "a public key packet is too short to be one", "the key exported anew")
	}
	version := strconv.Itoa(int(p.body[0]))
	switch p.body[0] {
	case 4, 6:
	case 2, 3:
		return nil, problem("key.version-3", version, "keys of version 2 and 3 rest on MD5 and have no fingerprint worth the name", anew)
	case 5:
		return nil, problem("key.version-5", version, "version 5 is LibrePGP's own and no part of RFC 9580; few programs can read it", anew)
	default:
		return nil, problem("key.version-unknown", version, "no such version of OpenPGP keys exists", anew)
	}
	parsed, err := parseWhole(p)
	if errors.As(err, new(pgperrors.UnsupportedError)) {
		return nil, problem("key.algorithm-unknown", "algorithm "+strconv.Itoa(int(p.body[5])), "the algorithm of the key is not known", anew)
	}
	pub, ok := parsed.(*packet.PublicKey)
	if err != nil || !ok {
		return nil, problem("key.malformed", "", "the numbers of a public key are damaged", "the key exported anew")
	}
	if _, sum := keyFingerprint(p.body); !bytes.Equal(sum, pub.Fingerprint) {
		// Leading zeros in a number: programs differ in what the fingerprint is.
		return nil, problem("key.malformed", "", "the numbers of a public key are not in their one normal form, so its fingerprint is ambiguous", "the key exported anew")
	}
	return pub, checkSize(pub)
}

// checkSize refuses numbers that no program makes: small ones are no key, huge
// ones make every signature cost seconds to verify.
func checkSize(pub *packet.PublicKey) error {
	bits, err := pub.BitLength()
	if err != nil {
		return problem("key.algorithm-unknown", "", "the algorithm of the key is not known", "a new key of version 4 or 6")
	}
	limit := uint16(maxKeyBits)
	switch pub.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly, packet.PubKeyAlgoRSASignOnly:
		if bits < 1024 {
			return problem("key.size-refused", strconv.Itoa(int(bits))+" bits", "an RSA key this small can be broken on one computer", "3072 bits or more")
		}
	case packet.PubKeyAlgoDSA, packet.PubKeyAlgoElGamal:
		limit = maxDSABits
		if pub.PubKeyAlgo == packet.PubKeyAlgoElGamal {
			limit = maxKeyBits // we never compute with it
		}
	default:
		return nil
	}
	if bits > limit {
		return problem("key.size-refused", strconv.Itoa(int(bits))+" bits", fmt.Sprintf("no more than %d bits are accepted", limit), "a key of usual size")
	}
	return nil
}

// parseWhole parses a packet and insists that all of its body was used: what
// go-crypto leaves unread it takes for the next packet.
func parseWhole(p rawPacket) (packet.Packet, error) {
	r := bytes.NewReader(p.append(nil))
	parsed, err := packet.Read(r)
	if err == nil && r.Len() > 0 {
		err = errors.New("trailing bytes in a packet")
	}
	return parsed, err
}

// place puts p where it belongs and returns the component that following
// signatures are about; nil when they are about something that is dropped.
func (c *certificate) place(p rawPacket, at *component) (*component, error) {
	switch p.tag {
	case tagSignature:
		return at, c.placeSignature(p, at)
	case tagUserID:
		return c.addUser(p)
	case tagPublicSubkey:
		return c.addSubkey(p)
	case tagUserAttribute:
		c.attributes++
		return nil, nil
	case tagMarker, tagTrust, tagPadding:
		return at, nil
	case tagSecretKey, tagSecretSubkey: // of a version that nobody knows
		return nil, errPrivateKey()
	}
	if p.tag == tagPublicKey || isMessageTag(p.tag) {
		return nil, problem("key.malformed", "", "a packet that cannot be part of a key is among its packets", "the key exported anew")
	}
	c.unknown++
	return nil, nil
}

func (c *certificate) addUser(p rawPacket) (*component, error) {
	if len(p.body) > maxUserIDSize {
		c.droppedUIDs++
		return nil, nil
	}
	for _, u := range c.users { // the same user ID twice is one with the signatures of both
		if bytes.Equal(u.raw.body, p.body) {
			return u, nil
		}
	}
	if len(c.users) == maxUserIDs {
		return nil, problem("key.too-many-user-ids", "", fmt.Sprintf("the key has more than %d user IDs", maxUserIDs), "a key with the team's own addresses only")
	}
	c.users = append(c.users, &component{raw: p})
	return c.users[len(c.users)-1], nil
}

func (c *certificate) addSubkey(p rawPacket) (*component, error) {
	if len(c.subkeys) == maxSubkeys {
		return nil, problem("key.too-many-subkeys", "", fmt.Sprintf("the key has more than %d subkeys", maxSubkeys), "a key without its oldest subkeys")
	}
	pub, err := readPublicKey(p)
	if err != nil || pub.Version != c.pub.Version { // RFC 9580 section 10.1: all of one version
		if c.droppedKeys++; c.droppedKeys > maxSubkeys {
			return nil, problem("key.too-many-subkeys", "", fmt.Sprintf("the key has more than %d subkeys that cannot be read", maxSubkeys), "a key without its oldest subkeys")
		}
		return nil, nil
	}
	fpr, _ := keyFingerprint(p.body)
	for _, s := range c.subkeys {
		if s.fpr == fpr {
			return s, nil
		}
	}
	c.subkeys = append(c.subkeys, &component{raw: p, key: pub, fpr: fpr})
	return c.subkeys[len(c.subkeys)-1], nil
}

func (c *certificate) placeSignature(p rawPacket, at *component) error {
	head, ok := glance(p.body)
	own := ok && head.issuedBy(byte(c.pub.Version), c.rawFpr)
	switch {
	case !own:
		c.stripped++
		if ok && head.kind == sigKeyRevocation && at == &c.primary && len(c.thirdParty) < 8 {
			c.thirdParty = append(c.thirdParty, p)
		}
		return nil
	case at == nil:
		return nil
	}
	c.hashMD5 = c.hashMD5 || head.hash == hashMD5 || head.version < 4
	if c.seen++; c.seen > maxSelfSignatures {
		return problem("key.too-many-signatures", "", fmt.Sprintf("the key has more than %d signatures in its own name", maxSelfSignatures),
			"the key exported with only the newest of its own signatures")
	}
	at.cands = append(at.cands, p)
	return nil
}

// verify keeps of every component the signatures that the primary key made, each once.
func (c *certificate) verify() {
	c.keep(&c.primary, c.verifyPrimary)
	for _, u := range c.users {
		c.keep(u, func(s *packet.Signature) error { return c.verifyUser(u, s) })
	}
	for _, sub := range c.subkeys {
		c.keep(sub, func(s *packet.Signature) error { return c.verifySubkey(sub, s) })
	}
	c.dropUnbound()
	c.keepDesignated()
}

func isCertification(s *packet.Signature) bool {
	return s.SigType >= packet.SigTypeGenericCert && s.SigType <= packet.SigTypePositiveCert
}

func (c *certificate) keep(at *component, verify func(*packet.Signature) error) {
	known := map[string]bool{}
	for _, raw := range at.cands {
		if known[string(raw.body)] {
			continue
		}
		known[string(raw.body)] = true
		parsed, err := parseWhole(raw)
		sig, ok := parsed.(*packet.Signature)
		if err == nil && ok {
			err = verify(sig)
		}
		switch {
		case err == nil && ok:
			at.sigs = append(at.sigs, selfSig{raw, sig})
		case errors.Is(err, errBackSignature):
			c.noBack++
		case claimsIssuer(raw):
			c.bad++
		default: // nobody said that it was the owner's
			c.stripped++
		}
	}
	at.cands = nil
}

func claimsIssuer(raw rawPacket) bool {
	head, _ := glance(raw.body)
	return head.issuerFpr != nil || head.issuerID != nil
}

// dropUnbound drops user IDs and subkeys that anybody may have added: those
// without a valid signature of the primary key.
func (c *certificate) dropUnbound() {
	users, subkeys := len(c.users), len(c.subkeys)
	c.users = slices.DeleteFunc(c.users, func(u *component) bool { return u.newest(isCertification) == nil })
	c.subkeys = slices.DeleteFunc(c.subkeys, func(s *component) bool { return s.newest(isBinding) == nil })
	c.droppedUIDs += users - len(c.users)
	c.droppedKeys += subkeys - len(c.subkeys)
}

func isBinding(s *packet.Signature) bool { return s.SigType == packet.SigTypeSubkeyBinding }

func isDirect(s *packet.Signature) bool { return s.SigType == packet.SigTypeDirectSignature }

// newest returns the newest signature of a kind that may be relied on, or nil.
// Of two of the same second the later one counts, as in go-crypto.
func (at *component) newest(kind func(*packet.Signature) bool) *packet.Signature {
	var best *packet.Signature
	for _, s := range at.sigs {
		if kind(s.Signature) && !hasUnknownCritical(s.Signature) &&
			(best == nil || !s.CreationTime.Before(best.CreationTime)) {
			best = s.Signature
		}
	}
	return best
}

// hasUnknownCritical: RFC 9580 section 5.2.3.24: a signature with an unknown
// critical notation must be considered in error.
func hasUnknownCritical(s *packet.Signature) bool {
	return slices.ContainsFunc(s.Notations, func(n *packet.Notation) bool { return n.IsCritical })
}

// keepDesignated keeps key revocations by those whom the owner named as
// revokers (RFC 9580 section 5.2.3.23). Without their keys they cannot be verified:
// they are passed on, not believed.
func (c *certificate) keepDesignated() {
	var named [][]byte
	for _, at := range append([]*component{&c.primary}, c.users...) {
		for _, s := range at.sigs {
			if head, ok := glance(s.raw.body); ok && head.revoker != nil {
				named = append(named, head.revoker)
			}
		}
	}
	c.thirdParty = slices.DeleteFunc(c.thirdParty, func(p rawPacket) bool {
		head, _ := glance(p.body)
		return !slices.ContainsFunc(named, func(fpr []byte) bool { return head.issuedBy(4, fpr) })
	})
	c.stripped -= len(c.thirdParty)
}

// checkBound refuses a key about which its owner states nothing valid.
func (c *certificate) checkBound() error {
	bound, packets := len(c.users) > 0, len(c.users)+c.droppedUIDs
	if c.pub.Version == 6 { // RFC 9580 section 10.1.1: a direct-key signature, user IDs are optional
		bound, packets = c.primary.newest(isDirect) != nil, 1
	}
	const want = "the key exported anew by a current program"
	switch {
	case bound:
		return nil
	case packets == 0:
		return problem("key.no-user-id", "", "the key has no user ID, so most programs refuse it", want)
	case c.hashMD5:
		return problem("key.no-self-signature", "", "the only signatures that bind the key together use MD5 or are of version 3, which prove nothing", want)
	}
	return problem("key.no-self-signature", "", "nothing in the key is bound to it by a valid signature of its own: it is damaged or forged", want)
}

// serialize writes the minimal certificate.
func (c *certificate) serialize() []byte {
	var b []byte
	add := func(at *component) {
		b = at.raw.append(b)
		for _, s := range at.sigs {
			b = s.raw.append(b)
		}
	}
	add(&c.primary)
	for _, p := range c.thirdParty {
		b = p.append(b)
	}
	for _, at := range slices.Concat(c.users, c.subkeys) {
		add(at)
	}
	return b
}

// reread proves that what is about to be stored is the same key to others.
func (c *certificate) reread(minimal []byte) (*openpgp.Entity, error) {
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(minimal)))
	if err != nil || !bytes.Equal(e.PrimaryKey.Fingerprint, c.rawFpr) || e.PrivateKey != nil || len(e.Subkeys) != len(c.subkeys) {
		return nil, problem("key.malformed", "", "the key is put together in a way that other programs cannot read", "the key exported anew")
	}
	markVerified(e)
	return e, nil
}

// markVerified tells go-crypto what [certificate.verify] found out about every
// packet of the minimal certificate, so that nobody verifies it again. Revocations by
// designated revokers, which nobody verified, are left open.
func markVerified(e *openpgp.Entity) {
	good := true
	mark := func(sigs []*packet.VerifiableSignature) {
		for _, s := range sigs {
			if s.Packet.CheckKeyIdOrFingerprint(e.PrimaryKey) {
				s.Valid = &good
			}
		}
	}
	mark(e.Revocations)
	mark(e.DirectSignatures)
	for _, id := range e.Identities {
		mark(id.SelfCertifications)
		mark(id.Revocations)
	}
	for _, s := range e.Subkeys {
		mark(s.Bindings)
		mark(s.Revocations)
	}
}
