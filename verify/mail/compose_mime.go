package mail

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"mime/quotedprintable"
	"strings"
)

// field is a header field, its value without folding.
type field struct{ name, value string }

type fields []field

// writeFields writes fields, folded at spaces to lines of 78 where that is possible:
// RFC 5322 sections 2.1.1 and 2.2.3.
func writeFields(b *bytes.Buffer, fs fields) {
	for _, f := range fs {
		b.WriteString(f.name + ":")
		at := len(f.name) + 1
		for word := range strings.FieldsSeq(f.value) {
			if at+1+len(word) > maxLine && at > len(f.name)+1 {
				b.WriteString("\r\n")
				at = 0
			}
			b.WriteString(" " + word)
			at += 1 + len(word)
		}
		b.WriteString("\r\n")
	}
}

// writeText writes the fields and the body of a text. hp is what RFC 9788 section 2.1 has in
// Content-Type: "clear", "cipher", or nothing.
func writeText(b *bytes.Buffer, text, hp string) {
	contentType := "text/plain; charset=utf-8"
	if hp != "" {
		contentType += `; hp="` + hp + `"`
	}
	writeFields(b, fields{{"Content-Type", contentType}, {"Content-Transfer-Encoding", "quoted-printable"}})
	b.WriteString("\r\n")
	var q bytes.Buffer
	w := quotedprintable.NewWriter(&q)
	_, _ = w.Write([]byte(text)) // a buffer takes everything
	_ = w.Close()
	// RFC 3156 section 3: no line may begin with "From ", which some stores would mend, and break the signature.
	b.Write(bytes.ReplaceAll(q.Bytes(), []byte("\r\nFrom "), []byte("\r\n=46rom ")))
}

// boundary is a boundary that no body can contain: it is random, and no line of
// quoted-printable or armour begins like that (RFC 2045 section 6.7 has "=_" never in it).
func boundary() string {
	var r [12]byte
	_, _ = rand.Read(r[:]) // never fails: crypto/rand
	return "=_" + hex.EncodeToString(r[:])
}

// multipart writes a body of parts, each complete with its fields.
func multipart(b *bytes.Buffer, boundary string, parts ...[]byte) {
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\n")
		b.Write(p)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
}

// part is a part of a fixed type, its content in seven bits with CRLF or LF.
func part(fs fields, content []byte) []byte {
	var b bytes.Buffer
	writeFields(&b, fs)
	b.WriteString("\r\n")
	b.Write(crlf(content))
	return b.Bytes()
}

// crlf makes every line end with CRLF.
func crlf(data []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}
