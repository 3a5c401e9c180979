package directory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// keyInput is an input opened: one block's packets and what it took.
type keyInput struct {
	packets []byte
	repairs []string
	notes   []Problem
}

var (
	secretMarker = regexp.MustCompile(`(?i)` + anyDash + ` ?BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY`)
	htmlMarker   = regexp.MustCompile(`(?i)<!doctype html|<html[ >]|<head[ >]|<body[ >]`)
	otherKey     = regexp.MustCompile(`-----BEGIN (?:TRUSTED )?CERTIFICATE-----|-----BEGIN (?:RSA )?PUBLIC KEY-----|(?m:^(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-\S+) AAAA)`)
)

// errPrivateKey says nothing about the input but that it is lost.
func errPrivateKey() Problem {
	return problem("key.private", "",
		"this is or contains a PRIVATE key: it was not stored, but it has left its owner's hands and must be considered leaked",
		"revoke this key, make a new one, and send only what your program calls export of the public key")
}

// hasSecretMarker looks for the BEGIN line of a private key. Megabytes of flood
// are not put through a regular expression that their octets cannot match.
func hasSecretMarker(data []byte) bool {
	const words = "private key"
	for i := 0; i+len(words) <= len(data); i++ {
		if data[i]|0x20 == 'p' && bytes.EqualFold(data[i:i+len(words)], []byte(words)) {
			return secretMarker.Match(data)
		}
	}
	return false
}

// openKey finds the packets of the one certificate that data should be.
func openKey(data []byte) (keyInput, error) {
	if hasSecretMarker(data) || hasSecretPacket(data) {
		return keyInput{}, errPrivateKey()
	}
	if len(data) > maxKeySize {
		return keyInput{}, problem("key.too-large", "",
			fmt.Sprintf("the input has %d bytes, the limit is %d", len(data), maxKeySize),
			"the key without the signatures of others: gpg --export-options export-minimal --armor --export")
	}
	text, repairs := decodeText(data)
	switch {
	case len(repairs) > 0 && (hasSecretMarker(text) || hasSecretPacket(text)):
		return keyInput{}, errPrivateKey()
	case len(bytes.TrimSpace(text)) == 0:
		return keyInput{}, problem("key.empty", "", "the input is empty", "an OpenPGP public key")
	}
	if isBinary(text) {
		return keyInput{packets: text, repairs: repairs}, nil
	}
	in, err := openArmor(text)
	in.repairs = append(repairs, in.repairs...)
	if len(in.repairs) > 0 {
		in.notes = append(in.notes, problem("key.armor-repaired", "",
			"the text was damaged on its way and was repaired: "+strings.Join(in.repairs, ", "),
			"the key file itself, attached or uploaded, not pasted into a form"))
	}
	return in, err
}

// isBinary reports whether data is packets rather than text. The first byte alone
// does not tell: a text may open with an umlaut, and a key may be cut short.
func isBinary(data []byte) bool {
	if len(data) == 0 || data[0]&0x80 == 0 {
		return false
	}
	if wellFormed(data) {
		return true
	}
	p, _, err := nextPacket(data)
	return err != errPacketHeader && p.tag == tagPublicKey && armorBegin.FindIndex(data) == nil
}

// decodeText makes UTF-8 of what Windows editors save as "Unicode" and takes
// off the byte order mark.
func decodeText(data []byte) (text []byte, repairs []string) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], binary.LittleEndian), []string{"UTF-16 text converted"}
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], binary.BigEndian), []string{"UTF-16 text converted"}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return data[3:], []string{"byte order mark removed"}
	}
	return data, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// openArmor finds the one public key block of a text.
func openArmor(text []byte) (keyInput, error) {
	blocks, err := armorBlocks(text)
	if err != nil {
		return keyInput{}, err
	}
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		return keyInput{}, problem("key.nul-bytes", "",
			"the text has NUL bytes in it: it is no text, or UTF-16 without its byte order mark", "UTF-8 or ASCII text")
	case len(blocks) == 0:
		return openBare(text)
	case len(blocks) > 1:
		return keyInput{}, problem("key.several-blocks", "",
			fmt.Sprintf("the text has %d armoured blocks; most programs read the first and drop the rest in silence", len(blocks)),
			"one public key block")
	}
	b := blocks[0]
	if err := b.check(); err != nil {
		return keyInput{}, err
	}
	in := keyInput{packets: b.data, repairs: b.repairs}
	if b.badSum {
		in.notes = append(in.notes, problem("key.armor-checksum", "",
			"the checksum at the end of the armour is wrong; the signatures inside decide", "the key exported anew"))
	}
	if !isBlank(text[:b.start]) || !isBlank(text[b.end:]) {
		in.notes = append(in.notes, problem("key.surrounding-text", "",
			"there is other text before or after the key; it was ignored", "the key block alone"))
	}
	return in, nil
}

// isBlank reports whether text is nothing but blanks, or what became of them.
func isBlank(text []byte) bool {
	text, _ = undoMarkup(text)
	return len(bytes.TrimSpace(text)) == 0
}

// armorBlocks returns the armoured blocks of text. It looks into every one of
// them for a secret key before anything else is said.
func armorBlocks(text []byte) ([]*armorBlock, error) {
	var blocks []*armorBlock
	for b := nextBlock(text, 0); b != nil; b = nextBlock(text, b.end) {
		if hasSecretPacket(b.data) {
			return nil, errPrivateKey()
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// check refuses blocks that are no whole public key block.
func (b *armorBlock) check() error {
	switch {
	case b.kind == "SIGNATURE":
		return errSignatureOnly()
	case b.kind == "MESSAGE" || b.kind == "SIGNED MESSAGE":
		return errMessage()
	case b.kind != publicKeyBlock:
		return problem("key.armor-broken", b.kind, "this kind of armoured block holds no key", "PGP PUBLIC KEY BLOCK")
	case b.data == nil:
		return problem("key.armor-broken", "", "what stands between the BEGIN and END lines is not base64", "the key exported anew")
	case !b.ended && !wellFormed(b.data):
		return problem("key.truncated", "", "the END line and the end of the key are missing", "the whole block")
	}
	return nil
}

// openBare reads a text without a BEGIN line: the base64 of a key alone, as it
// stands in vCards and DNS tools, or something else that it names.
func openBare(text []byte) (keyInput, error) {
	if data, _, ok := decodeBase64(text); ok {
		if hasSecretPacket(data) {
			return keyInput{}, errPrivateKey()
		}
		if p, _, err := nextPacket(data); err == nil && p.tag == tagPublicKey {
			return keyInput{packets: data, repairs: []string{"BEGIN and END lines missing"}}, nil
		}
	}
	switch {
	case htmlMarker.Match(text):
		return keyInput{}, problem("key.html-page", "",
			"this is an HTML page, not a key; the address may show a download page or an error", "the key file itself")
	case otherKey.Match(text):
		return keyInput{}, problem("key.not-openpgp", "", "this is a certificate or key of another kind (X.509 or SSH)", "an OpenPGP public key")
	}
	return keyInput{}, problem("key.not-openpgp", "", "no OpenPGP key is in this", `-----BEGIN PGP PUBLIC KEY BLOCK-----`)
}

func errSignatureOnly() Problem {
	return problem("key.signature-only", "", "this is a signature, perhaps a revocation certificate, without its key", "the public key with the signature in it")
}

func errMessage() Problem {
	return problem("key.message-only", "", "this is an OpenPGP message, not a key", "an OpenPGP public key")
}

// countPrimaries counts the primary keys among packets.
func countPrimaries(packets []byte) int {
	n := 0
	for len(packets) > 0 {
		p, rest, err := nextPacket(packets)
		if err != nil {
			break
		}
		if p.tag == tagPublicKey {
			n++
		}
		packets = rest
	}
	return n
}
