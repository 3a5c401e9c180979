package securitytxt

import (
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

// Signed is a cleartext signature (RFC 9580 section 7) that was taken apart.
type Signed struct {
	Text      []byte // what the signature is over
	Signature []byte // the signature packets, binary
}

const (
	beginSigned    = "-----BEGIN PGP SIGNED MESSAGE-----"
	beginSignature = "-----BEGIN PGP SIGNATURE-----"
	endSignature   = "-----END PGP SIGNATURE-----"
)

// signed reads a file with a cleartext signature that begins at an offset.
//
// clearsign.Decode passes over what stands before a message, hands back what
// stands behind it, and reads the first of several: all of that would be shown to
// people without being signed, so it is looked for here.
func (p *parser) signed(text string, at int) {
	p.around(text, at)
	message := text[at:]
	block, rest := clearsign.Decode([]byte(message))
	first := strings.Count(text[:at], "\n") // lines before the message
	if block == nil {
		p.file.partial, p.file.frame = true, true
		p.malformed(message, first)
		return
	}
	p.after(text, string(rest))
	signature, err := io.ReadAll(io.LimitReader(block.ArmoredSignature.Body, MaxSize))
	if err != nil {
		p.file.partial, p.file.frame = true, true
		p.say(find("signature-malformed", "the armour is damaged").AtLine(1 + first + strings.Count(message[:lineWith(message, beginSignature)], "\n")))
		return
	}
	p.file.Signed = &Signed{Text: block.Bytes, Signature: signature}
	p.line = first + headerLines(message)
	p.lines(string(block.Plaintext), false)
}

// around looks at what stands before the message, for a second one, and at
// the line breaks. RFC 9116 section 2.3: the file is signed as a whole.
func (p *parser) around(text string, at int) {
	if at > 0 {
		p.say(find("text-before-signature", strings.TrimSpace(text[:at])).AtLine(1))
	}
	if i := lineWith(text[at+len(beginSigned):], beginSigned); i >= 0 {
		i += at + len(beginSigned)
		p.say(find("signature-several", beginSigned).AtLine(1 + strings.Count(text[:i], "\n")))
	}
	if !strings.HasSuffix(text, "\n") {
		p.say(find("line-unterminated", lineAt(text, len(text))).AtLine(1 + strings.Count(text, "\n")))
	}
	if strings.HasPrefix(text[at+len(beginSigned):], "\n") { // Against RFC 9116 section 4, which has CRLF here (erratum 7743)
		p.say(find("signature-line-endings", "").AtLine(1 + strings.Count(text[:at], "\n")))
	}
}

// after looks at what stands behind the signature.
func (p *parser) after(text, rest string) {
	line := func(rest string) int { return 1 + strings.Count(text[:len(text)-len(rest)], "\n") }
	if trimmed := strings.TrimLeft(rest, " \t\r\n"); trimmed != "" {
		p.say(find("data-after-signature", before(trimmed, '\n')).AtLine(line(trimmed)))
		return
	}
	end := text[strings.LastIndex(text, endSignature)+len(endSignature):]
	if strings.Count(end, "\n") > 1 {
		p.say(find("blank-lines-at-end", "").AtLine(line(end) + 1))
	}
}

// headerLines returns how many lines stand before the signed text: the first
// line, the headers and the blank line.
func headerLines(message string) (n int) {
	for line := range strings.Lines(message) {
		n++
		if n > 1 && strings.TrimSpace(line) == "" {
			return n
		}
	}
	return n
}

// malformed says why a signed message can't be read.
func (p *parser) malformed(message string, first int) {
	p.line = first
	signature := false
	header := true
	for line := range strings.Lines(message) {
		p.line++
		line = strings.TrimRight(line, "\r\n")
		switch name, _, isHeader := strings.Cut(line, ":"); {
		case p.line == first+1 && line != beginSigned:
			p.tell("signature-malformed", line)
			return
		case p.line == first+1:
		case header && strings.TrimSpace(line) == "":
			header = false
		case header && (!isHeader || strings.TrimSpace(name) != "Hash"):
			p.tell("signature-header", line)
			return
		case header: // Hash, of which the values may be the trouble
		case line == beginSignature:
			signature = true
		}
	}
	switch {
	case header:
		p.tell("signature-malformed", "no blank line ends the headers")
	case !signature:
		p.tell("signature-malformed", "there is no "+beginSignature)
	case lineWith(message, endSignature) < 0:
		p.tell("signature-malformed", "there is no "+endSignature)
	default:
		p.tell("signature-malformed", "the armour or a Hash header is damaged")
	}
}
