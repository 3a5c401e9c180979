package directory

import (
	"fmt"
	"iter"
)

// KeyringItem is one certificate of a keyring, or what was refused in its place.
type KeyringItem struct {
	Index  int // counted from 0
	Offset int // where in the input its block (armoured) or first packet (binary) stands
	Certificate
	Err error // as from [ParseKey]; the certificate is zero then
}

// ParseKeyring yields every certificate of a keyring: binary, or text with any
// number of armoured blocks of any number of certificates. Each is read when it is asked
// for, by the rules of [ParseKey] and within its limits, and a bad one costs
// no other: after damage the search goes on at the next primary key. Text around blocks,
// and blocks that hold no keys, are passed over. An input in which nothing is a
// key yields one item that says so.
func ParseKeyring(data []byte) iter.Seq[KeyringItem] {
	return func(yield func(KeyringItem) bool) {
		r := ringReader{yield: yield}
		text, repairs := decodeText(data)
		if isBinary(text) || isBinary(firstKey(text)) {
			r.packets(text, 0, -1, nil)
			return
		}
		r.armored(text, repairs)
	}
}

// firstKey returns data from its first byte if that starts a secret key, so
// that a binary ring may open with one.
func firstKey(data []byte) []byte {
	if p, rest, err := nextPacket(data); err == nil && p.tag == tagSecretKey {
		return rest
	}
	return nil
}

type ringReader struct {
	yield func(KeyringItem) bool
	index int
	done  bool
}

func (r *ringReader) send(item KeyringItem) bool {
	item.Index = r.index
	r.index++
	r.done = r.done || !r.yield(item)
	return !r.done
}

func (r *ringReader) refuse(offset int, err error) bool {
	return r.send(KeyringItem{Offset: offset, Err: err})
}

// armored reads the blocks of a text.
func (r *ringReader) armored(text []byte, repairs []string) {
	for b := nextBlock(text, 0); b != nil && !r.done; b = nextBlock(text, b.end) {
		switch {
		case b.kind == "SIGNATURE" || b.kind == "MESSAGE" || b.kind == "SIGNED MESSAGE":
		case b.kind == "PRIVATE KEY BLOCK" || hasSecretPacket(b.data) && countPrimaries(b.data) == 0:
			r.refuse(b.start, errPrivateKey())
		case b.data == nil || b.kind != publicKeyBlock:
			r.refuse(b.start, b.check())
		default:
			r.packets(b.data, 0, b.start, append(repairs[:len(repairs):len(repairs)], b.repairs...))
		}
	}
	if r.index > 0 || r.done {
		return
	}
	if len(text) > maxKeySize {
		text = text[:maxKeySize]
	}
	in, err := openKey(text)
	if err != nil {
		r.refuse(0, err)
		return
	}
	r.packets(in.packets, 0, 0, in.repairs)
}

// packets reads the certificates of a block. block is where the block stands in
// the text, or -1 for a binary ring.
func (r *ringReader) packets(data []byte, from, block int, repairs []string) {
	for from < len(data) && !r.done {
		size, err := certificateSize(data[from:])
		item := KeyringItem{Offset: from}
		if block >= 0 {
			item.Offset = block
		}
		switch {
		case err != nil:
			if item.Err = framing(err); hasSecretPacket(data[from:]) {
				item.Err = errPrivateKey()
			}
			size = 1 + nextPrimary(data[from+1:])
		case size > maxKeySize:
			item.Err = problem("key.too-large", "", fmt.Sprintf("the key has %d bytes, the limit is %d", size, maxKeySize), "the key without the signatures of others")
		default:
			item.Certificate, item.Err = parseCertificate(data[from : from+size])
			if item.Err == nil {
				item.Key.Repairs = repairs
			}
		}
		r.send(item)
		from += size
	}
}

// certificateSize is how many bytes belong to the certificate at the start of data.
func certificateSize(data []byte) (int, error) {
	rest := data
	for len(rest) > 0 {
		p, after, err := nextPacket(rest)
		if err != nil {
			return 0, err
		}
		if (p.tag == tagPublicKey || p.tag == tagSecretKey) && len(rest) < len(data) {
			break
		}
		rest = after
	}
	return len(data) - len(rest), nil
}

// nextPrimary finds where the next whole primary key starts, len(data) if
// nowhere: the way back onto the track after damage.
func nextPrimary(data []byte) int {
	for i := range data {
		if c := data[i]; c != 0x98 && c != 0x99 && c != 0x9a && c != 0xc6 {
			continue
		}
		p, rest, err := nextPacket(data[i:])
		if err != nil || p.tag != tagPublicKey || len(rest) == 0 {
			continue
		}
		if next, _, err := nextPacket(rest); err != nil || next.tag != tagUserID && next.tag != tagSignature && next.tag != tagPublicSubkey {
			continue
		}
		if _, err := readPublicKey(p); err == nil {
			return i
		}
	}
	return len(data)
}
