package directory

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// The blocks in which a [Store] keeps reference data. A block stands alone:
//
//	byte     1, the version of this form
//	rows     at most 4,096, see below
//	4 bytes  CRC-32 (IEEE) of everything before, big endian
//
// A row begins with a byte of flags. A prefix has its length in one byte and
// as many bytes of the address as that length needs; a range of AS numbers
// has its first number and its extent as varints; a country is two letters;
// origins are a count and that many varints.
const (
	blockVersion = 1
	blockRows    = 4096
	maxOrigins   = 255

	rowIPv4    = 1 << 0
	rowIPv6    = 1 << 1
	rowASNs    = 1 << 2
	rowCountry = 1 << 3
	rowOrigins = 1 << 4
)

// ErrReferenceBlock says that a block of reference data is damaged. Load the
// set again.
var ErrReferenceBlock = errors.New("directory: damaged block of reference data")

// EncodeReference packs rows, in their order, into blocks for
// [Tx.PutReference]. Origins above the 255th of one prefix are left out.
func EncodeReference(rows []ReferenceRow) [][]byte {
	var blocks [][]byte
	for len(rows) > 0 {
		n := min(len(rows), blockRows)
		b := make([]byte, 1, n*8)
		b[0] = blockVersion
		for i := range rows[:n] {
			b = appendRow(b, &rows[i])
		}
		blocks = append(blocks, binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
		rows = rows[n:]
	}
	return blocks
}

func appendRow(b []byte, r *ReferenceRow) []byte {
	at := len(b)
	b = append(b, 0)
	switch p := r.Prefix; {
	case !p.IsValid():
	case p.Addr().Is4():
		b[at] |= rowIPv4
		a := p.Masked().Addr().As4()
		b = append(append(b, byte(p.Bits())), a[:(p.Bits()+7)/8]...)
	default:
		b[at] |= rowIPv6
		a := p.Masked().Addr().As16()
		b = append(append(b, byte(p.Bits())), a[:(p.Bits()+7)/8]...)
	}
	if r.Last != 0 && r.Last >= r.First {
		b[at] |= rowASNs
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.First)), uint64(r.Last-r.First))
	}
	if _, ok := r.Country.number(); ok {
		b[at] |= rowCountry
		b = append(b, r.Country...)
	}
	if n := min(len(r.Origins), maxOrigins); n > 0 {
		b[at] |= rowOrigins
		b = append(b, byte(n))
		for _, o := range r.Origins[:n] {
			b = binary.AppendUvarint(b, uint64(o))
		}
	}
	return b
}

// DecodeReference calls yield with each row of a block in order and returns
// the first error of yield, or [ErrReferenceBlock]. Nothing is yielded from a
// block whose checksum is wrong.
func DecodeReference(block []byte, yield func(ReferenceRow) error) error {
	if len(block) < 5 || block[0] != blockVersion {
		return ErrReferenceBlock
	}
	body, sum := block[:len(block)-4], binary.BigEndian.Uint32(block[len(block)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return ErrReferenceBlock
	}
	d := rowDecoder{rest: body[1:]}
	for n := 0; len(d.rest) > 0; n++ {
		r := d.row()
		if d.bad || n == blockRows {
			return ErrReferenceBlock
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// rowDecoder reads rows; bad is set, and stays, when the bytes make no sense.
type rowDecoder struct {
	rest []byte
	bad  bool
}

func (d *rowDecoder) take(n int) []byte {
	if n > len(d.rest) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *rowDecoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// number reads a varint that an AS number can hold.
func (d *rowDecoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > 1<<32-1 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *rowDecoder) row() (r ReferenceRow) {
	flags := d.byte()
	if flags >= rowOrigins<<1 || flags&(rowIPv4|rowIPv6) == rowIPv4|rowIPv6 {
		d.bad = true
		return r
	}
	if flags&(rowIPv4|rowIPv6) != 0 {
		r.Prefix = d.prefix(flags&rowIPv4 != 0)
	}
	if flags&rowASNs != 0 {
		first, extent := d.number(), d.number()
		d.bad = d.bad || first+extent == 0 || first+extent > 1<<32-1
		r.First, r.Last = ASN(first), ASN(first+extent)
	}
	if flags&rowCountry != 0 {
		r.Country = d.country()
	}
	if flags&rowOrigins != 0 {
		r.Origins = d.origins()
	}
	return r
}

func (d *rowDecoder) prefix(is4 bool) netip.Prefix {
	size := int(d.byte())
	if size > 128 || (is4 && size > 32) {
		d.bad = true
		return netip.Prefix{}
	}
	var a [16]byte
	copy(a[:], d.take((size+7)/8))
	addr := netip.AddrFrom16(a)
	if is4 {
		addr = netip.AddrFrom4([4]byte(a[:4]))
	}
	p := netip.PrefixFrom(addr, size)
	if p.Masked() != p {
		d.bad = true
	}
	return p
}

func (d *rowDecoder) country() Country {
	b := d.take(2)
	if b == nil || b[0] < 'A' || b[0] > 'Z' || b[1] < 'A' || b[1] > 'Z' {
		d.bad = true
		return ""
	}
	return countryAt(uint32(b[0]-'A')*26 + uint32(b[1]-'A'))
}

func (d *rowDecoder) origins() []ASN {
	n := int(d.byte())
	if n == 0 || n > len(d.rest) {
		d.bad = true
		return nil
	}
	list := make([]ASN, n)
	for i := range list {
		list[i] = ASN(d.number())
	}
	return list
}
