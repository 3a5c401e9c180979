package mail

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Decrypting is done packet by packet, not by openpgp.ReadMessage: that one hashes the text once for
// each of as many one-pass signatures as a stranger likes to put before it.

// takeEncrypted takes what is signed inside what is encrypted.
func (o *Opener) takeEncrypted(m *Message, p *Part) (*sealed, error) {
	inside, within, err := o.unwrap(m, p)
	if err != nil {
		return nil, err
	}
	if len(inside.sigs) == 0 { // RFC 3156 section 6.1: signed first, then encrypted
		return takeWithin(within)
	}
	inside.form, inside.part = FormEncrypted, within.Root
	return inside, nil
}

// unwrap decrypts multipart/encrypted. RFC 3156 section 4: two parts, of which the second is the message.
func (o *Opener) unwrap(m *Message, p *Part) (*sealed, *Message, error) {
	if len(p.Parts) != 2 || p.Parts[0].Type != "application/pgp-encrypted" {
		return nil, nil, refuse(Malformed, "multipart/encrypted of %d parts", len(p.Parts))
	}
	inside, err := o.decrypt(p.Parts[1].Decoded())
	if err != nil {
		return nil, nil, err
	}
	limits := m.limits
	limits.Size, limits.Depth = maxInside, limits.Depth-p.Depth // what is inside counts as if it stood here
	if limits.Depth < 1 {
		return nil, nil, refuse(TooDeep, "encrypted")
	}
	within, err := Read(inside.text, limits)
	return inside, within, err
}

// takeWithin takes what is signed inside what was encrypted, which is nothing encrypted again.
func takeWithin(within *Message) (*sealed, error) {
	found := candidates(within.Root)
	switch {
	case len(found) == 0:
		return nil, refuse(NotSigned, "encrypted")
	case len(found) > 1 || found[0].form == FormEncrypted || found[0].form == FormInline:
		return nil, refuse(SeveralSigned, "within what is encrypted")
	}
	s, err := (&Opener{}).take(within, found[0])
	if err != nil {
		return nil, err
	}
	s.form, s.encrypted = FormEncrypted, true
	return s, nil
}

// takeInline reads an armoured message in a text, which may be signed only, or encrypted too.
func (o *Opener) takeInline(data []byte) (*sealed, error) {
	if at := bytes.Index(data, []byte(beginMessage)); len(bytes.TrimSpace(data[:at])) > 0 {
		return nil, refuse(TextBefore, "")
	}
	s, err := o.decrypt(data)
	if err != nil {
		return nil, err
	}
	s.form = FormInline
	if len(s.sigs) > 0 {
		return s, nil
	}
	if bytes.Contains(s.text, []byte(beginSigned)) {
		clear, err := takeClear(s.text)
		if err != nil {
			return nil, err
		}
		clear.form, clear.encrypted = FormInline, s.encrypted
		return clear, nil
	}
	return nil, refuse(NotSigned, "inline")
}

// decrypt opens a message, armoured or not: RFC 9580 section 10.3.
func (o *Opener) decrypt(data []byte) (*sealed, error) {
	if bytes.Contains(data, []byte("-----BEGIN PGP ")) {
		raw, err := dearmor(data, openpgp.MessageType, maxInside)
		if err != nil {
			return nil, err
		}
		data = raw
	}
	var keys []*packet.EncryptedKey
	r := packet.NewReader(bytes.NewReader(data))
	for range maxPackets {
		p, err := r.Next()
		if err != nil {
			return nil, refuse(Malformed, "message: %v", err)
		}
		switch p := p.(type) {
		case *packet.EncryptedKey:
			keys = append(keys, p)
		case *packet.SymmetricKeyEncrypted: // a passphrase, which we have none of
		case packet.EncryptedDataPacket:
			return o.decryptWith(keys, p)
		default:
			s := &sealed{}
			r.Unread(p)
			return s, s.read(r, false)
		}
	}
	return nil, refuse(TooMuchInside, "more than %d packets", maxPackets)
}

// decryptWith finds the session key that is for us, and reads what it opens.
func (o *Opener) decryptWith(keys []*packet.EncryptedKey, data packet.EncryptedDataPacket) (*sealed, error) {
	if s, ok := data.(*packet.SymmetricallyEncrypted); ok && !s.IntegrityProtected { // EFAIL; RFC 9580 section 5.7
		return nil, refuse(NotProtected, "")
	}
	if o.Own == nil {
		return nil, refuse(NotForUs, "there is no key of ours")
	}
	cfg := policy(o.Now)
	for _, k := range keys {
		for _, mine := range o.Own.DecryptionKeys(k.KeyId, time.Time{}, cfg) {
			if mine.PrivateKey == nil || k.Decrypt(mine.PrivateKey, cfg) != nil {
				continue
			}
			open, err := data.Decrypt(k.CipherFunc, k.Key)
			if err != nil {
				return nil, refuse(NotForUs, "%v", err)
			}
			return within(open)
		}
	}
	return nil, refuse(NotForUs, "%d keys", len(keys))
}

// within reads all that was encrypted before any of it is looked at: only at its end
// is it known to be whole (RFC 9580 section 5.13.1).
func within(open io.ReadCloser) (*sealed, error) {
	plain, err := io.ReadAll(io.LimitReader(open, maxInside+1))
	if err != nil {
		return nil, refuse(NotProtected, "%v", err)
	}
	if len(plain) > maxInside {
		return nil, refuse(TooMuchInside, "more than %d octets", maxInside)
	}
	if err := open.Close(); err != nil {
		return nil, refuse(NotProtected, "%v", err)
	}
	s := &sealed{encrypted: true}
	return s, s.read(packet.NewReader(bytes.NewReader(plain)), false)
}

// read reads the packets of a signed message, compressed once or not at all.
func (s *sealed) read(r *packet.Reader, compressed bool) error {
	for range maxPackets {
		p, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && s.texts != nil:
			return nil
		case err != nil:
			return refuse(Malformed, "message: %v", err)
		}
		switch p := p.(type) {
		case *packet.Compressed:
			if compressed || s.texts != nil {
				return refuse(Malformed, "compressed in compressed")
			}
			return s.inflate(p)
		case *packet.OnePassSignature: // says what follows; what counts is the signature
		case *packet.LiteralData:
			if s.texts != nil {
				return refuse(SeveralSigned, "two texts in one message")
			}
			if s.text, err = io.ReadAll(io.LimitReader(p.Body, maxInside+1)); err != nil || len(s.text) > maxInside {
				return refuse(TooMuchInside, "text: %v", err)
			}
			s.texts = [][]byte{s.text}
		case *packet.Signature:
			if s.sigs = append(s.sigs, p); len(s.sigs) > maxSigners {
				return refuse(TooMuchInside, "more than %d signatures", maxSigners)
			}
		case *packet.Marker, *packet.Padding:
		default:
			return refuse(Malformed, "a packet %T in a message", p)
		}
	}
	return refuse(TooMuchInside, "more than %d packets", maxPackets)
}

// inflate decompresses within a limit: of 525 KB somebody made 512 MB.
func (s *sealed) inflate(p *packet.Compressed) error {
	most := int64(maxInside)
	plain, err := io.ReadAll(io.LimitReader(p.LimitedBodyReader(&most), maxInside+1))
	switch {
	case len(plain) > maxInside || err != nil && len(plain) >= maxInside:
		return refuse(TooMuchInside, "decompressed beyond %d octets", maxInside)
	case err != nil:
		return refuse(Malformed, "compressed: %v", err)
	}
	return s.read(packet.NewReader(bytes.NewReader(plain)), true)
}
