package challenge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// crockford is the alphabet of Crockford's base 32: no I, L, O and U, so that
// what is read from a screen or over a telephone is typed right.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	secretBytes  = 20 // 160 bits: tokens and nonces
	secretLength = secretBytes * 8 / 5
	codeLength   = 8  // 40 bits: typed codes, valid only with the token of their mail
	leastKey     = 32 // octets of the server's key
)

// ErrKey is returned for a server key that is too short. Make a new one of 32 random octets.
var ErrKey = errors.New("challenge: the server's key has fewer than 32 octets")

// ErrSecret is returned for a text that can't be a token, code or nonce. Treat it as an unknown one.
var ErrSecret = errors.New("challenge: not a secret of ours")

// Digest is HMAC-SHA-256 of a secret under the server's key, in hex. It is all
// that is stored of a secret.
type Digest string

// Key makes and checks secrets. Whoever has it can check guesses against a
// stolen database, and nothing else; so it is kept outside of the database.
type Key struct{ secret []byte }

// NewKey returns the key of a server.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < leastKey {
		return Key{}, ErrKey
	}
	return Key{append([]byte(nil), secret...)}, nil
}

// Secrets are what one mail carries, in the clear. They are never stored.
type Secrets struct {
	Token string // for the link, 32 characters
	Code  string // to be typed: "7F3K-9Q2M"
	Nonce string // to be quoted in a reply, 32 characters: [Key.Nonce] makes it again
}

// Issue is what is stored of the secrets of one mail.
type Issue struct {
	Lookup  Digest    `json:"lookup"` // of the token alone, to find the challenge by
	Token   Digest    `json:"token"`  // bound to purpose, contact, revision and campaign, as are the others
	Code    Digest    `json:"code"`   // bound to the token as well
	Salt    string    `json:"salt"`   // from which, with the server's key, the nonce is made again
	Expires time.Time `json:"expires"`
	Sealed  bool      `json:"sealed,omitempty"` // code and nonce stand in the encrypted part only
}

// Expiry returns when the secrets of a mail of c that is sent at now stop counting:
// with the campaign, else when its policy closes the question.
func (c *Challenge) Expiry(p Policy, now time.Time) time.Time {
	end := c.Calendar.After(now, p.Close)
	if !c.Until.IsZero() {
		return earlier(end, c.Until)
	}
	return end
}

// Issue makes the secrets of one mail of c from random, and what is stored of them.
func (k Key) Issue(random io.Reader, c *Challenge, expires time.Time, sealed bool) (Secrets, Issue, error) {
	var raw [2*secretBytes + 5]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secrets{}, Issue{}, fmt.Errorf("challenge: randomness: %w", err)
	}
	s := Secrets{Token: encode(raw[:secretBytes]), Code: encode(raw[2*secretBytes:])}
	issue := Issue{Lookup: k.digest("lookup", s.Token), Token: k.bound(c, "token", s.Token), Code: k.bound(c, "code", s.Token, s.Code),
		Salt: encode(raw[secretBytes : 2*secretBytes]), Expires: expires, Sealed: sealed}
	s.Nonce = k.Nonce(c, issue)
	s.Code = s.Code[:4] + "-" + s.Code[4:]
	return s, issue, nil
}

// Nonce returns the nonce of a mail of c. Whoever looks for it in a reply needs the
// nonce itself, and to store it would give it to who has the database. So it is
// made of random salt that is stored and of the key that is not; "" where there was none.
func (k Key) Nonce(c *Challenge, issue Issue) string {
	if issue.Salt == "" {
		return ""
	}
	raw, err := hex.DecodeString(string(k.bound(c, "nonce", issue.Salt)))
	if err != nil {
		return ""
	}
	return encode(raw[:secretBytes])
}

// Lookup returns the digest by which the challenge of a link's token is found.
func (k Key) Lookup(token string) (Digest, error) {
	token, err := normal(token, secretLength)
	if err != nil {
		return "", err
	}
	return k.digest("lookup", token), nil
}

// Checked is what a secret turned out to be.
type Checked struct {
	Result Result
	Step   string // of which mail the secret is
	Sealed bool   // it stood in the encrypted part only
	Left   int    // attempts that are left after this one
}

// Result is how the check of a secret ended.
type Result string

// The results.
const (
	Right   Result = "right"
	Wrong   Result = "wrong"   // count it: [EventCodeWrong]
	Locked  Result = "locked"  // typed wrong too often: a new code must be asked for
	Expired Result = "expired" //
	Used    Result = "used"    // the challenge is over, or the code was used
	Unknown Result = "unknown" // no secret of this challenge
)

// CheckCode checks the code that was typed on the page of a link's token. It
// changes nothing: the caller takes the step that the result stands for
// ([EventCodeRight], [EventCodeWrong]) in the transaction in which c was read.
func (k Key) CheckCode(c *Challenge, token, code string, now time.Time) Checked {
	p, checked := k.posting(c, token, now)
	if checked.Result != Right {
		return checked
	}
	code, err := normal(code, codeLength)
	token, _ = normal(token, secretLength)
	if err != nil || !equal(k.bound(c, "code", token, code), p.Issue.Code) {
		checked.Result, checked.Left = Wrong, checked.Left-1
	}
	return checked
}

// CheckToken checks a link's token alone, for showing the page. What it finds
// proves nothing: tokens travel through mail scanners.
func (k Key) CheckToken(c *Challenge, token string, now time.Time) Checked {
	_, checked := k.posting(c, token, now)
	return checked
}

// posting finds the mail that carried a token. All are compared, so that the
// time says nothing of which it was.
func (k Key) posting(c *Challenge, token string, now time.Time) (*Posting, Checked) {
	text, err := normal(token, secretLength)
	if err != nil {
		return nil, Checked{Result: Unknown}
	}
	digest := k.bound(c, "token", text)
	var found *Posting
	for i := range c.Postings {
		if equal(digest, c.Postings[i].Issue.Token) {
			found = &c.Postings[i]
		}
	}
	if found == nil {
		return nil, Checked{Result: Unknown}
	}
	return found, Checked{Result: found.usable(c, now), Step: found.Step, Sealed: found.Issue.Sealed, Left: max(0, MaxAttempts-found.Attempts)}
}

// usable tells what stands against the secrets of a mail; [Right] is nothing.
func (p *Posting) usable(c *Challenge, now time.Time) Result {
	switch {
	case c.State == StateClosed || !p.Used.IsZero():
		return Used
	case c.expired(p, now):
		return Expired
	case p.Attempts >= MaxAttempts:
		return Locked
	}
	return Right
}

// expired reports whether the secrets of a mail of c have run out.
func (c *Challenge) expired(p *Posting, now time.Time) bool { return now.After(c.expires(p, now)) }

// expires is until when the secrets of a mail of c count, as it looks at now. While c is
// paused its time stands still, and so does theirs.
func (c *Challenge) expires(p *Posting, now time.Time) time.Time {
	if c.Paused.IsZero() || p.Accepted.IsZero() { // what has to wait before it goes out gets that back when it does
		return p.Issue.Expires
	}
	return p.Issue.Expires.Add(max(0, now.Sub(later(c.Paused, p.Accepted))))
}

// expiresOut is expires for a mail that goes out at now.
func (c *Challenge) expiresOut(p *Posting, now time.Time) time.Time {
	if !p.Accepted.IsZero() {
		return c.expires(p, now)
	}
	return p.Issue.Expires.Add(max(0, now.Sub(p.Asked)))
}

// CheckNonce checks a nonce that was found in a reply. It has 160 bits, so
// guesses are not counted. A challenge that was answered by a lesser proof still
// takes it; one that was closed does not.
func (k Key) CheckNonce(c *Challenge, nonce string, now time.Time) Checked {
	text, err := normal(nonce, secretLength)
	if err != nil {
		return Checked{Result: Unknown}
	}
	out := Checked{Result: Unknown}
	for i := range c.Postings {
		p := &c.Postings[i]
		if !equal(Digest(text), Digest(k.Nonce(c, p.Issue))) {
			continue
		}
		out = Checked{Result: Right, Step: p.Step, Sealed: p.Issue.Sealed}
		switch {
		case c.State == StateClosed:
			out.Result = Used
		case c.expired(p, now):
			out.Result = Expired
		}
	}
	return out
}

// bound is the digest of a secret together with all that it is good for.
func (k Key) bound(c *Challenge, purpose string, secret ...string) Digest {
	return k.digest(append([]string{"challenge/" + purpose, string(c.ID), string(c.Team), string(c.Contact), fmt.Sprint(c.Revision), string(c.Campaign)}, secret...)...)
}

// digest authenticates parts, each behind its length, so that no two lists of
// parts are one text.
func (k Key) digest(parts ...string) Digest {
	m := hmac.New(sha256.New, k.secret)
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		m.Write(n[:])
		m.Write([]byte(p))
	}
	return Digest(hex.EncodeToString(m.Sum(nil)))
}

// equal compares in constant time. Nothing equals the digest of a secret that was never made.
func equal(a, b Digest) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func encode(raw []byte) string {
	return base32.NewEncoding(crockford).WithPadding(base32.NoPadding).EncodeToString(raw)
}

// spelling is what people make of a secret: dashes of all sorts, and look-alikes.
var spelling = strings.NewReplacer("-", "", " ", "", "\t", "", "\u2010", "", "\u2011", "", "\u2013", "", "I", "1", "L", "1", "O", "0")

// normal puts what people make of a secret back into its form: any case, with
// dashes and spaces, with I and L for 1 and O for 0.
func normal(s string, length int) (string, error) {
	if len(s) > 4*length {
		return "", ErrSecret
	}
	s = spelling.Replace(strings.ToUpper(s))
	if len(s) != length || strings.Trim(s, crockford) != "" {
		return "", ErrSecret
	}
	return s, nil
}

// SubjectPrefix begins every subject token.
const SubjectPrefix = "ROLLCALL-"

// NewSubject makes a subject token: a handle by which replies are found, and no proof of anything.
func NewSubject(random io.Reader) (string, error) {
	var raw [5]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("challenge: randomness: %w", err)
	}
	return SubjectPrefix + encode(raw[:]), nil
}

// PhoneCode returns the six digits of a question that an operator reads out on the
// telephone and has read back: who reads them back has listened, which an answering machine has not.
func (k Key) PhoneCode(c *Challenge) string {
	n, err := strconv.ParseUint(string(k.bound(c, "phone"))[:16], 16, 64)
	if err != nil {
		return "" // a digest is hexadecimal
	}
	return fmt.Sprintf("%06d", n%1_000_000)
}
