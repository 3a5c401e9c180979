package mail

import (
	"bytes"
	"net/netip"
	"strings"
	"time"
)

// Envelope is a mail as it came in.
type Envelope struct {
	From string     // the return path; "" for the null path of bounces
	To   []string   // the recipients that were ours
	Raw  []byte     // the mail, as it came
	Peer netip.Addr // who handed it over by SMTP; the zero Addr: LMTP, a pipe or a folder
	Helo string     // how the peer called itself
	At   time.Time
}

// Limits of what [Read] takes apart. A zero field has the default.
type Limits struct {
	Size   int // octets of the whole; 1 MiB
	Depth  int // multiparts within multiparts; 8
	Parts  int // of all levels; 50
	Header int // octets of all headers together; 128 KiB
	Fields int // of all headers together; 1,000
}

func (l Limits) orDefault() Limits {
	set := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	set(&l.Size, 1<<20)
	set(&l.Depth, 8)
	set(&l.Parts, 50)
	set(&l.Header, 128<<10)
	set(&l.Fields, 1000)
	return l
}

// Message is a mail that was taken apart. Nothing in it is decoded before it is asked for.
type Message struct {
	Header Header
	Root   *Part // the whole mail
	limits Limits
}

// Part is a leaf or a multipart. A message/rfc822 is a leaf: what it contains was
// said to somebody else.
type Part struct {
	Header Header
	Type   string            // "text/plain", in lower case
	Params map[string]string // of Content-Type
	Whole  []byte            // header and body, as they came: what a signature is over
	Body   []byte            // as it came
	Parts  []*Part
	Depth  int
}

// Read takes a mail apart within limits. A mail beyond them, or one that is none, is [Refused].
func Read(raw []byte, limits Limits) (*Message, error) {
	r := reader{limits: limits.orDefault()}
	switch {
	case len(raw) > r.limits.Size:
		return nil, refuse(TooLarge, "%d octets", len(raw))
	case bytes.IndexByte(raw, 0) >= 0:
		return nil, refuse(HasNUL, "at octet %d", bytes.IndexByte(raw, 0))
	}
	root, err := r.part(raw, 1)
	if err != nil {
		return nil, err
	}
	if len(root.Header) == 0 {
		return nil, refuse(NoHeader, "")
	}
	return &Message{Header: root.Header, Root: root, limits: r.limits}, nil
}

// reader counts what all parts of a mail have together.
type reader struct {
	limits        Limits
	parts         int
	header, found int
}

// part reads one part and those below it.
func (r *reader) part(whole []byte, depth int) (*Part, error) {
	if r.parts++; r.parts > r.limits.Parts {
		return nil, refuse(TooManyParts, "more than %d", r.limits.Parts)
	}
	if depth > r.limits.Depth {
		return nil, refuse(TooDeep, "more than %d levels", r.limits.Depth)
	}
	p := &Part{Whole: whole, Depth: depth}
	var err error
	if p.Header, p.Body, err = r.fields(whole); err != nil {
		return nil, err
	}
	p.Type, p.Params = contentType(p.Header)
	limit := p.Params["boundary"]
	if !strings.HasPrefix(p.Type, "multipart/") || limit == "" {
		return p, nil
	}
	for _, piece := range split(p.Body, limit, r.limits.Parts+1) {
		child, err := r.part(piece, depth+1)
		if err != nil {
			return nil, err
		}
		p.Parts = append(p.Parts, child)
	}
	return p, nil
}

// split cuts the body of a multipart at its boundary: RFC 2046 section 5.1.1. The line break before a
// boundary belongs to it. A last part without an end runs to the end of the body, as after a cut.
func split(body []byte, boundary string, most int) (out [][]byte) {
	from := -1 // of the part that is open
	for at := 0; at < len(body) && len(out) < most; {
		end := at + len(body[at:])
		if i := bytes.IndexByte(body[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		is, last := isBoundary(body[at:end], boundary)
		if is {
			if from >= 0 {
				out = append(out, withoutBreak(body[from:max(from, at)]))
			}
			if from = end; last {
				return out
			}
		}
		at = end
	}
	if from >= 0 && len(out) < most {
		out = append(out, body[from:])
	}
	return out
}

// isBoundary reports whether a line is the boundary, and the closing one.
func isBoundary(line []byte, boundary string) (is, last bool) {
	rest, ok := bytes.CutPrefix(line, []byte("--"))
	if !ok || !bytes.HasPrefix(rest, []byte(boundary)) {
		return false, false
	}
	switch string(bytes.TrimRight(rest[len(boundary):], " \t\r\n")) {
	case "":
		return true, false
	case "--":
		return true, true
	}
	return false, false
}

func withoutBreak(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

// Leaves visits the leaves of a part in order.
func (p *Part) Leaves(visit func(*Part)) {
	if len(p.Parts) == 0 {
		visit(p)
		return
	}
	for _, c := range p.Parts {
		c.Leaves(visit)
	}
}

// find returns the first part of a type.
func (p *Part) find(types ...string) *Part {
	for _, t := range types {
		if p.Type == t {
			return p
		}
	}
	for _, c := range p.Parts {
		if found := c.find(types...); found != nil {
			return found
		}
	}
	return nil
}
