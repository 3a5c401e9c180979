package mail

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Handle is something in a mail that says which letter or challenge it belongs to. It proves nothing.
type Handle struct {
	By    By
	Of    Named
	Value string
}

// By is where a handle was found. Any one is enough; they are listed in the order in which they are trusted.
type By string

// Where handles are found.
const (
	ByRecipient  By = "recipient"  // the address that the mail was sent to
	ByReferences By = "references" // In-Reply-To and References
	ByReturned   By = "returned"   // the header of our mail, sent back in a bounce
	BySubject    By = "subject"
	ByBody       By = "body"
)

// Named is what a handle names.
type Named string

// What handles name.
const (
	NamesLetter Named = "letter" // Letter.ID; its MAC was verified
	NamesToken  Named = "token"  // Letter.Token; lower case, and for the caller to look up
	NamesTag    Named = "tag"    // Letter.Tag; upper case, and for the caller to look up
)

const maxHandles = 20

// Correlate finds the handles of a mail, each once, the most trusted first.
func (id *Identity) Correlate(env Envelope, m *Message) []Handle {
	c := correlation{id: id}
	for _, to := range env.To {
		c.address(ByRecipient, to)
	}
	for _, name := range []string{"In-Reply-To", "References"} {
		for _, v := range m.Header.All(name) {
			c.references(ByReferences, v)
		}
	}
	if h := m.returned(); h != nil {
		c.references(ByReturned, h.Get("Message-ID"))
		c.tags(ByReturned, h.Text("Subject"))
		for _, a := range addresses(h.Get("Reply-To")) {
			c.address(ByReturned, a)
		}
	}
	c.tags(BySubject, m.Header.Text("Subject"))
	c.body(m.text())
	return c.found
}

type correlation struct {
	id    *Identity
	found []Handle
}

func (c *correlation) add(h Handle) {
	same := func(g Handle) bool { return g.By == h.By && g.Of == h.Of && g.Value == h.Value }
	if len(c.found) < maxHandles && !slices.ContainsFunc(c.found, same) {
		c.found = append(c.found, h)
	}
}

func (c *correlation) address(by By, address string) {
	if letter, ok := c.id.Bounced(address); ok {
		c.add(Handle{by, NamesLetter, letter})
	}
	if token, ok := c.id.Answered(address); ok {
		c.add(Handle{by, NamesToken, token})
	}
}

// references finds our message ids. Some programs forget the brackets, or wrap the ids.
func (c *correlation) references(by By, value string) {
	c.ours(cut(value, maxText), func(address string) {
		if letter, ok := c.id.Sent(address); ok {
			c.add(Handle{by, NamesLetter, letter})
		}
	})
}

// ours visits what looks like an address at our domain.
func (c *correlation) ours(text string, visit func(address string)) {
	domain := "@" + string(c.id.Domain)
	text = strings.ToLower(text)
	for n := 0; n < 100; n++ {
		at := strings.Index(text, domain)
		if at < 0 {
			return
		}
		from := at
		for from > 0 && at-from < 64 && localChar(text[from-1]) {
			from--
		}
		visit(text[from : at+len(domain)])
		text = text[at+len(domain):]
	}
}

func localChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+'
}

// tagForm finds the tag wherever a ticket system left it, in upper case and NFKC.
var tagForm = regexp.MustCompile(`ROLLCALL[\s_:#-]{0,3}([0-9A-Z]{8})(?:[^0-9A-Z]|$)`)

func (c *correlation) tags(by By, text string) {
	for _, m := range tagForm.FindAllStringSubmatch(normal(text), 10) {
		// Crockford's base32: people and OCR write O for 0, and I or L for 1.
		tag := strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(m[1])
		if subjectTag.MatchString(tag) {
			c.add(Handle{by, NamesTag, tag})
		}
	}
}

// normal is a text in upper case with plain dashes.
func normal(s string) string {
	s = norm.NFKC.String(s)
	s = strings.NewReplacer("\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2212", "-", "\u00ad", "").Replace(s)
	return strings.ToUpper(s)
}

func (c *correlation) body(text string) {
	c.ours(text, func(address string) { c.address(ByBody, address) })
	c.references(ByBody, text)
	c.tags(ByBody, text)
}

// returned is the header of the mail that a bounce is about, if it has it: as
// message/rfc822 or as text/rfc822-headers (RFC 6522 section 3).
func (m *Message) returned() Header {
	p := m.Root.find("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers")
	if p == nil {
		return nil
	}
	r := reader{limits: m.limits}
	h, _, err := r.fields(p.Decoded())
	if err != nil {
		return nil
	}
	return h
}
