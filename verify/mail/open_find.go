package mail

import (
	"bytes"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// sealed is what was signed, and by which signatures.
type sealed struct {
	form      Form
	encrypted bool
	texts     [][]byte // what the signatures may be over; the first that holds counts
	text      []byte   // the first of them
	part      *Part    // it as MIME; nil: it is plain text
	sigs      []*packet.Signature
}

const (
	beginSigned  = "-----BEGIN PGP SIGNED MESSAGE-----"
	beginMessage = "-----BEGIN PGP MESSAGE-----"
)

// candidate is a place in a mail where something is signed or encrypted.
type candidate struct {
	form Form
	part *Part
	next *Part // the signature of a detached one
}

// find finds the one thing in a mail that is signed. With two, a reader would see one and
// we would take the other.
func (o *Opener) find(m *Message) (*sealed, error) {
	found := candidates(m.Root)
	switch len(found) {
	case 0:
		return nil, refuse(NotSigned, "")
	case 1:
		return o.take(m, found[0])
	}
	return nil, refuse(SeveralSigned, "%s and %s", found[0].form, found[1].form)
}

// candidates visits a tree. Mailing lists and gateways wrap what was signed, so it may be deeper.
func candidates(p *Part) (out []candidate) {
	switch {
	case p.Type == "multipart/signed" && p.protocol("application/pgp-signature"):
		return []candidate{{form: FormSigned, part: p}}
	case p.Type == "multipart/encrypted" && p.protocol("application/pgp-encrypted"):
		return []candidate{{form: FormEncrypted, part: p}}
	case len(p.Parts) == 0:
		return inline(p)
	}
	for i := 0; i < len(p.Parts); i++ {
		c := p.Parts[i]
		switch {
		case i > 0 && c.Type == "application/pgp-signature":
			out = append(out, candidate{form: FormDetached, part: p.Parts[i-1], next: c})
		case c.Type == "application/pgp-encrypted" && i+1 < len(p.Parts): // Exchange calls the whole multipart/mixed, and puts an empty text before
			out = append(out, candidate{form: FormEncrypted, part: &Part{Parts: p.Parts[i : i+2], Depth: p.Depth}})
			i++
		default:
			out = append(out, candidates(c)...)
		}
	}
	return out
}

// protocol: RFC 3156 sections 4 and 5 demand the parameter; some programs leave it out.
func (p *Part) protocol(want string) bool {
	v := p.Params["protocol"]
	return v == "" && p.find(want) != nil || strings.EqualFold(v, want)
}

// inline looks for armour at the beginning of a line: in texts, and in what is attached, if it begins so.
func inline(p *Part) (out []candidate) {
	text := "\n" + string(p.Decoded())
	if p.Type != "text/plain" && !strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN PGP ") {
		return nil
	}
	if n := strings.Count(text, "\n"+beginSigned); n > 0 {
		out = append(out, candidate{form: FormClear, part: p})
	}
	if strings.Contains(text, "\n"+beginMessage) {
		out = append(out, candidate{form: FormInline, part: p})
	}
	return out
}

// take reads what a candidate has.
func (o *Opener) take(m *Message, c candidate) (*sealed, error) {
	switch c.form {
	case FormSigned:
		return takeSigned(c.part)
	case FormEncrypted:
		return o.takeEncrypted(m, c.part)
	case FormClear:
		return takeClear(c.part.Decoded())
	case FormInline:
		return o.takeInline(c.part.Decoded())
	}
	if len(c.part.Parts) > 0 {
		return nil, refuse(Malformed, "a signature beside a multipart")
	}
	sigs, err := readSignatures(c.next.Decoded())
	if err != nil {
		return nil, err
	}
	data := c.part.Decoded() // as people see the file, or as it went over the wire
	lf := bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	// The last is multipart/signed that Exchange calls multipart/mixed.
	texts := [][]byte{data, crlf(data), lf, crlf(c.part.Whole)}
	return &sealed{form: FormDetached, texts: texts, text: data, part: c.part, sigs: sigs}, nil
}

// takeSigned: RFC 3156 section 5: the first part as it stands in the mail, its lines ended by
// CRLF; the second is the signature. There is no third.
func takeSigned(p *Part) (*sealed, error) {
	if len(p.Parts) != 2 || p.Parts[1].Type != "application/pgp-signature" {
		return nil, refuse(Malformed, "multipart/signed of %d parts", len(p.Parts))
	}
	sigs, err := readSignatures(p.Parts[1].Decoded())
	if err != nil {
		return nil, err
	}
	text := crlf(p.Parts[0].Whole)
	// Against RFC 3156 section 5: some programs sign the last line break too.
	return &sealed{form: FormSigned, texts: [][]byte{text, append(bytes.Clone(text), "\r\n"...)}, text: text, part: p.Parts[0], sigs: sigs}, nil
}

// takeClear reads a cleartext signature. clearsign.Decode passes over what stands before the message, hands
// back what stands behind it, and reads the first of several. Text before it is refused, since a reader takes it
// for part of what was signed; gateways put disclaimers behind, which are not looked at.
func takeClear(data []byte) (*sealed, error) {
	if at := bytes.Index(data, []byte(beginSigned)); at < 0 || len(bytes.TrimSpace(data[:at])) > 0 {
		return nil, refuse(TextBefore, "")
	}
	block, rest := clearsign.Decode(data)
	switch {
	case block == nil:
		return nil, refuse(Malformed, "cleartext signature")
	case bytes.Contains(rest, []byte(beginSigned)) || bytes.Contains(rest, []byte(beginMessage)):
		return nil, refuse(SeveralSigned, "behind a cleartext signature")
	}
	raw, err := io.ReadAll(io.LimitReader(block.ArmoredSignature.Body, 64<<10))
	if err != nil {
		return nil, refuse(Malformed, "armour: %v", err)
	}
	sigs, err := packetSignatures(raw)
	if err != nil {
		return nil, err
	}
	return &sealed{form: FormClear, texts: [][]byte{block.Bytes}, text: block.Plaintext, sigs: sigs}, nil
}

// readSignatures reads signatures, armoured or not.
func readSignatures(data []byte) ([]*packet.Signature, error) {
	if bytes.Contains(data, []byte("-----BEGIN PGP ")) {
		raw, err := dearmor(data, openpgp.SignatureType, 64<<10)
		if err != nil {
			return nil, err
		}
		data = raw
	}
	return packetSignatures(data)
}

// dearmor reads the one block of armour.
func dearmor(data []byte, kind string, most int64) ([]byte, error) {
	if n := bytes.Count(data, []byte("-----BEGIN PGP ")); n != 1 {
		return nil, refuse(SeveralSigned, "%d blocks of armour", n)
	}
	block, err := armor.Decode(bytes.NewReader(data))
	if err != nil || block.Type != kind {
		return nil, refuse(Malformed, "no %s", kind)
	}
	raw, err := io.ReadAll(io.LimitReader(block.Body, most+1))
	switch {
	case err != nil:
		return nil, refuse(Malformed, "armour: %v", err)
	case int64(len(raw)) > most:
		return nil, refuse(TooMuchInside, "a signature")
	}
	return raw, nil
}

// packetSignatures reads signature packets; others have no place there.
func packetSignatures(raw []byte) ([]*packet.Signature, error) {
	var out []*packet.Signature
	for r := packet.NewReader(bytes.NewReader(raw)); ; {
		p, err := r.Next()
		if err == io.EOF && len(out) > 0 {
			return out, nil
		}
		if err == io.EOF && weakPacket(raw) {
			return nil, refuse(WeakSignature, "by its hash")
		}
		if err != nil {
			return nil, refuse(Malformed, "signature: %v", err)
		}
		s, ok := p.(*packet.Signature)
		if !ok || len(out) == maxSigners {
			return nil, refuse(Malformed, "signature: another packet, or too many")
		}
		out = append(out, s)
	}
}

// weakPacket: go-crypto passes over signatures with hashes that it does not know any more:
// MD5, SHA-1, RIPEMD-160 (RFC 9580 section 9.5).
func weakPacket(raw []byte) bool {
	p, err := packet.NewOpaqueReader(bytes.NewReader(raw)).Next()
	if err != nil || p.Tag != 2 || len(p.Contents) < 17 {
		return false
	}
	hash := p.Contents[3]
	if p.Contents[0] == 3 {
		hash = p.Contents[16]
	}
	return hash >= 1 && hash <= 3
}
