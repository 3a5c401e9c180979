package directory

import (
	"bytes"
	"fmt"
)

// WithRevocations returns k with the revocations that data holds of the key, of
// its subkeys and of its user IDs, and how many there were that k had not. It is the only
// thing that a copy of unknown origin is good for: a revocation proves itself, and
// to withhold one is what an attacker would do. Nothing else of data is taken over, and
// it need not be a whole key: key servers give keys out without user IDs.
func (k Key) WithRevocations(data []byte) (Key, int, error) {
	in, err := openKey([]byte(k.Armor))
	if err != nil {
		return Key{}, 0, err
	}
	if len(data) > maxKeySize {
		return Key{}, 0, problem("key.too-large", "", fmt.Sprintf("the input has %d bytes, the limit is %d", len(data), maxKeySize), "the key without the signatures of others")
	}
	c, err := splitCertificate(in.packets)
	if err != nil {
		return Key{}, 0, err
	}
	before := c.revocations()
	for _, packets := range packetsIn(data) {
		c.offer(packets)
	}
	merged, err := c.finish()
	if err != nil {
		return Key{}, 0, err
	}
	merged.Key.Stripped, merged.Key.Repairs = k.Stripped, k.Repairs
	return merged.Key, c.revocations() - before, nil
}

// packetsIn returns the packets of data, and of each block if it is a text.
func packetsIn(data []byte) [][]byte {
	text, _ := decodeText(data)
	if isBinary(text) {
		return [][]byte{text}
	}
	var all [][]byte
	for b := nextBlock(text, 0); b != nil; b = nextBlock(text, b.end) {
		all = append(all, b.data)
	}
	return all
}

// offer puts each revocation that may be the owner's with whatever it may be
// about. [certificate.verify] decides.
func (c *certificate) offer(packets []byte) {
	for len(packets) > 0 {
		p, rest, err := nextPacket(packets)
		if err != nil {
			return
		}
		packets = rest
		head, ok := glance(p.body)
		if p.tag != tagSignature || !ok || !head.issuedBy(byte(c.pub.Version), c.rawFpr) || c.seen >= maxSelfSignatures {
			continue
		}
		switch head.kind {
		case sigKeyRevocation:
			c.primary.offer(p)
		case sigSubkeyRevocation:
			for _, s := range c.subkeys {
				s.offer(p)
			}
		case sigCertRevocation:
			for _, u := range c.users {
				u.offer(p)
			}
		default:
			continue
		}
		c.seen++
	}
}

// offer adds a candidate unless it is there. What the owner signed decides that,
// so that rewriting the rest of a signature makes no other one.
func (at *component) offer(p rawPacket) {
	for _, have := range at.cands {
		if bytes.Equal(signedPart(have.body), signedPart(p.body)) {
			return
		}
	}
	at.cands = append(at.cands, p)
}

// signedPart is the part of a signature that is itself signed: all up to the end
// of the hashed subpackets. It is empty of what cannot be read.
func signedPart(body []byte) []byte {
	width := 2
	if len(body) > 0 && body[0] == 6 {
		width = 4
	}
	if len(body) < 4 {
		return nil
	}
	_, rest, ok := subpacketArea(body[4:], width)
	if !ok {
		return nil
	}
	return body[:len(body)-len(rest)]
}

// revocations counts those of all components, candidates or verified.
func (c *certificate) revocations() int {
	n := 0
	for _, at := range append(append([]*component{&c.primary}, c.users...), c.subkeys...) {
		for _, s := range at.sigs {
			n += count(isRevocation(byte(s.SigType)))
		}
		for _, p := range at.cands {
			head, ok := glance(p.body)
			n += count(ok && isRevocation(head.kind))
		}
	}
	return n
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func isRevocation(kind byte) bool {
	return kind == sigKeyRevocation || kind == sigSubkeyRevocation || kind == sigCertRevocation
}
