package mail

import (
	"bytes"
	"io"
	"mime"
	"net/mail"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// Header is a header as it came, in order.
type Header []Field

// Field is a header field, unfolded and not decoded.
type Field struct{ Name, Value string }

// Get returns the first value of a field, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// All returns all values of a field.
func (h Header) All(name string) (out []string) {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value)
		}
	}
	return out
}

// Has tells whether there is such a field.
func (h Header) Has(name string) bool {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// Text returns the first value of a field, decoded (RFC 2047) and made valid UTF-8 without
// control characters. Raw octets beyond ASCII, which old programs send, are read as UTF-8.
func (h Header) Text(name string) string { return decodeWords(h.Get(name)) }

func decodeWords(s string) string {
	d := mime.WordDecoder{CharsetReader: charsetReader}
	if out, err := d.DecodeHeader(s); err == nil {
		s = out
	}
	return printable(strings.ToValidUTF8(s, "\uFFFD"))
}

// printable drops control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xad || r >= 0x200b && r <= 0x200f || r == 0xfeff {
			return -1
		}
		return r
	}, s)
}

// charsetReader reads the character sets that browsers know, which are those of mails.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	return e.NewDecoder().Reader(r), nil
}

// fields reads the header of a part: RFC 5322 section 2.2. A line that is neither a field nor its
// continuation ends the header, as if the blank line had been forgotten.
func (r *reader) fields(whole []byte) (h Header, body []byte, err error) {
	rest := whole
	for len(rest) > 0 {
		line, after := nextLine(rest)
		if len(line) == 0 {
			return h, after, nil
		}
		for len(after) > 0 && (after[0] == ' ' || after[0] == '\t') { // RFC 5322 section 2.2.3: folding
			_, after = nextLine(after)
		}
		name, value, ok := bytes.Cut(rest[:len(rest)-len(after)], []byte(":"))
		name = bytes.TrimRight(name, " \t") // obs-optional, section 4.5.8
		if !ok || !fieldName(name) {
			if len(h) == 0 && bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")) { // mbox
				rest = after
				continue
			}
			return h, rest, nil
		}
		r.header += len(rest) - len(after)
		if r.found++; r.found > r.limits.Fields || r.header > r.limits.Header {
			return nil, nil, refuse(HeaderFlood, "more than %d fields or %d octets", r.limits.Fields, r.limits.Header)
		}
		h = append(h, Field{Name: string(name), Value: unfold(value)})
		rest = after
	}
	return h, nil, nil
}

// nextLine cuts a line off, without its line break.
func nextLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

func fieldName(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 128
}

func unfold(b []byte) string {
	if bytes.IndexByte(b, '\n') < 0 {
		return strings.TrimSpace(string(b))
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return strings.TrimSpace(string(out))
}

// contentType reads the type of a part. RFC 2045 section 5.2: without one, or with one that can't
// be read, it is text/plain; one that is there twice is nothing that anybody should interpret.
func contentType(h Header) (string, map[string]string) {
	all := h.All("Content-Type")
	if len(all) == 0 {
		return "text/plain", nil
	}
	t, params, err := mime.ParseMediaType(all[0])
	switch {
	case len(all) > 1:
		return "application/octet-stream", nil
	case t == "" && err != nil:
		return "text/plain", nil
	}
	return t, params
}

// addresses reads the addresses of a field, at most some.
func addresses(value string) []string {
	if len(value) > 4<<10 {
		return nil
	}
	p := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: charsetReader}}
	list, err := p.ParseList(value)
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range list {
		out = append(out, a.Address)
	}
	return out
}

// Sender is the one address in From, or "" when there is not exactly one.
func (m *Message) Sender() string {
	all := m.Header.All("From")
	if len(all) != 1 {
		return ""
	}
	if list := addresses(all[0]); len(list) == 1 {
		return list[0]
	}
	return ""
}
