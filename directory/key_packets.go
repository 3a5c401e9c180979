package directory

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Packet types, RFC 9580 section 5.
const (
	tagSignature     = 2
	tagSecretKey     = 5
	tagPublicKey     = 6
	tagSecretSubkey  = 7
	tagMarker        = 10
	tagTrust         = 12
	tagUserID        = 13
	tagPublicSubkey  = 14
	tagUserAttribute = 17
	tagPadding       = 21
)

var (
	errPacketHeader    = errors.New("no packet header where one must be")
	errPacketTruncated = errors.New("the data ends inside a packet")
	errPacketStreamed  = errors.New("a packet of indeterminate length, which only messages may have")
)

// rawPacket is a packet as it came: its body is a part of the input, so a flood
// of packets costs no memory. Working on raw packets also keeps every stored
// byte exactly as its owner signed it.
type rawPacket struct {
	tag  byte
	body []byte
}

// nextPacket reads the packet at the start of data and returns what follows it.
func nextPacket(data []byte) (p rawPacket, rest []byte, err error) {
	if len(data) == 0 || data[0]&0x80 == 0 {
		return p, data, errPacketHeader
	}
	var size, header int
	if data[0]&0x40 == 0 { // RFC 9580 section 4.2.2: the legacy format
		p.tag = data[0] & 0x3f >> 2
		size, header, err = legacyLength(data)
	} else {
		p.tag = data[0] & 0x3f
		size, header, err = packetLength(data[1:])
		header++
	}
	if err != nil {
		return p, data, err
	}
	if p.tag == 0 { // RFC 9580 section 5: packet type 0 is reserved and MUST NOT be used
		return p, data, errPacketHeader
	}
	if size > len(data)-header {
		p.body = data[header:]
		return p, data, errPacketTruncated
	}
	p.body = data[header : header+size]
	return p, data[header+size:], nil
}

func legacyLength(data []byte) (size, header int, err error) {
	width := 1 << (data[0] & 3)
	if width == 8 {
		return 0, 0, errPacketStreamed
	}
	if len(data) < 1+width {
		return 0, 0, errPacketTruncated
	}
	for _, b := range data[1 : 1+width] {
		size = size<<8 | int(b)
	}
	return size, 1 + width, nil
}

// packetLength reads a new-format length (RFC 9580 section 4.2.1), the form
// that signature subpackets use as well.
func packetLength(data []byte) (size, header int, err error) {
	switch {
	case len(data) == 0:
		return 0, 0, errPacketTruncated
	case data[0] < 192:
		return int(data[0]), 1, nil
	case data[0] < 224:
		if len(data) < 2 {
			return 0, 0, errPacketTruncated
		}
		return (int(data[0])-192)<<8 + int(data[1]) + 192, 2, nil
	case data[0] < 255:
		return 0, 0, errPacketStreamed
	case len(data) < 5:
		return 0, 0, errPacketTruncated
	}
	return int(binary.BigEndian.Uint32(data[1:])), 5, nil
}

// append writes p in the new format.
func (p rawPacket) append(b []byte) []byte {
	b = append(b, 0xc0|p.tag)
	switch n := len(p.body); {
	case n < 192:
		b = append(b, byte(n))
	case n < 8384:
		b = append(b, byte((n-192)>>8+192), byte(n-192))
	default:
		b = append(b, 255)
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return append(b, p.body...)
}

// hasSecretPacket reports whether a secret key or subkey is among the packets
// at the start of data, whole or cut short. It is asked of text as well, where a
// first letter may look like a packet header, so version and algorithm must fit.
func hasSecretPacket(data []byte) bool {
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if (p.tag == tagSecretKey || p.tag == tagSecretSubkey) && len(p.body) >= 6 {
			algorithm := p.body[5]
			if p.body[0] < 4 && len(p.body) > 7 { // two octets of validity come before it
				algorithm = p.body[7]
			}
			if p.body[0] >= 2 && p.body[0] <= 6 && algorithm > 0 && algorithm < 48 {
				return true
			}
		}
		if err != nil {
			return false
		}
		data = rest
	}
	return false
}

// wellFormed reports whether data is packets from its first byte to its last.
func wellFormed(data []byte) bool {
	if len(data) == 0 {
		return false
	}
	for len(data) > 0 {
		_, rest, err := nextPacket(data)
		if err != nil {
			return false
		}
		data = rest
	}
	return true
}

// isMessageTag reports whether packets of this type occur in messages only.
func isMessageTag(tag byte) bool {
	switch tag {
	case 1, 3, 4, 8, 9, 11, 18, 20:
		return true
	}
	return false
}

// keyFingerprint is the fingerprint of a version 4 or 6 public key packet body,
// taken over the bytes as sent: go-crypto takes it over what it would write
// itself, and a key for which the two differ has another name in every tool.
func keyFingerprint(body []byte) (Fingerprint, []byte) {
	if len(body) > 0xffff {
		return "", nil
	}
	if body[0] == 6 {
		sum := sha256.Sum256(binaryPrefix(0x9b, 4, body))
		return Fingerprint(fmt.Sprintf("%X", sum)), sum[:]
	}
	sum := sha1.Sum(binaryPrefix(0x99, 2, body))
	return Fingerprint(fmt.Sprintf("%X", sum)), sum[:]
}

func binaryPrefix(octet byte, width int, body []byte) []byte {
	b := []byte{octet}
	if width == 4 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	}
	return append(b, body...)
}

// Signature types and subpacket types, RFC 9580 sections 5.2.1 and 5.2.3.1.
const (
	sigKeyRevocation    = 0x20
	sigSubkeyRevocation = 0x28
	sigCertRevocation   = 0x30
	subRevocationKey    = 12
	subIssuerKeyID      = 16
	subIssuerFpr        = 33
	hashMD5, hashSHA1   = 1, 2
)

// sigHead is what a glance at a signature packet tells: enough to throw away a
// third-party signature without parsing a number or hashing a byte.
type sigHead struct {
	version, kind, hash byte
	issuerID            []byte // 8 bytes, or nil
	issuerFpr           []byte // 20 or 32 bytes, or nil
	revoker             []byte // fingerprint of a designated revoker (RFC 9580 section 5.2.3.23), or nil
}

// glance reads the head of a signature; false means that it is beyond reading.
func glance(body []byte) (h sigHead, ok bool) {
	if len(body) < 6 {
		return h, false
	}
	h.version = body[0]
	width := 2
	switch h.version {
	case 2, 3: // version, 5, type, time (4), key ID (8), algorithm, hash
		if len(body) < 17 {
			return h, false
		}
		h.kind, h.issuerID, h.hash = body[2], body[7:15], body[16]
		return h, true
	case 4:
	case 6:
		width = 4
	default:
		return h, false
	}
	h.kind, h.hash = body[1], body[3]
	rest := body[4:]
	for _, hashed := range []bool{true, false} {
		area, after, ok := subpacketArea(rest, width)
		if !ok || !h.readArea(area, hashed) {
			return h, false
		}
		rest = after
	}
	return h, true
}

// subpacketArea cuts the counted subpacket area from the start of b.
func subpacketArea(b []byte, width int) (area, rest []byte, ok bool) {
	if len(b) < width {
		return nil, nil, false
	}
	var n int
	for _, c := range b[:width] {
		n = n<<8 | int(c)
	}
	if n > len(b)-width {
		return nil, nil, false
	}
	return b[width : width+n], b[width+n:], true
}

func (h *sigHead) readArea(area []byte, hashed bool) bool {
	for len(area) > 0 {
		n, header, err := subpacketLength(area)
		if err != nil || n == 0 || n > len(area)-header {
			return false
		}
		kind, value := area[header]&0x7f, area[header+1:header+n]
		switch {
		case kind == subIssuerKeyID && len(value) == 8:
			h.issuerID = value
		case kind == subIssuerFpr && len(value) > 1:
			h.issuerFpr = value[1:]
		case kind == subRevocationKey && hashed && len(value) == 22:
			h.revoker = value[2:]
		}
		area = area[header+n:]
	}
	return true
}

// subpacketLength differs from [packetLength] in one range: subpackets have no
// partial lengths, so 224 to 254 start a two-octet length (RFC 9580 section 5.2.3.7).
func subpacketLength(b []byte) (size, header int, err error) {
	if b[0] >= 192 && b[0] < 255 {
		if len(b) < 2 {
			return 0, 0, errPacketTruncated
		}
		return (int(b[0])-192)<<8 + int(b[1]) + 192, 2, nil
	}
	return packetLength(b)
}

// issuedBy reports whether the signature claims to be made by the key with this
// fingerprint. One that names no issuer may be anybody's: only verifying tells.
func (h sigHead) issuedBy(version byte, fingerprint []byte) bool {
	if h.issuerFpr != nil {
		return bytes.Equal(h.issuerFpr, fingerprint)
	}
	if h.issuerID == nil {
		return true
	}
	if version == 6 {
		return bytes.Equal(h.issuerID, fingerprint[:8])
	}
	return bytes.Equal(h.issuerID, fingerprint[len(fingerprint)-8:])
}
