package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
)

// A letter is named in three places that come back: the return path (VERP), the reply address,
// and the message id. The first and the last carry a MAC, so that nobody can have a bounce
// counted for a letter that they never saw.
const (
	bouncePrefix    = "bounce+"
	challengePrefix = "challenge+"
)

var (
	letterID   = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$`) // with prefix and MAC within the 64 octets of a local part (RFC 5321 section 4.5.3.1.1)
	replyToken = regexp.MustCompile(`^[A-Za-z0-9]{16,54}$`)
	subjectTag = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{8}$`) // Crockford's base32
)

// mac8 is eight characters of HMAC-SHA-256 over a purpose and an id: 40 bits, which
// are guessed against a live server only.
func (id *Identity) mac8(purpose, letter string) string {
	m := hmac.New(sha256.New, id.secret)
	m.Write([]byte(purpose + "\x00" + letter))
	return strings.ToLower(base32.StdEncoding.EncodeToString(m.Sum(nil)[:5]))
}

// Return is the return path of a letter.
func (id *Identity) Return(letter string) string {
	return bouncePrefix + letter + "." + id.mac8("return", letter) + "@" + string(id.Domain)
}

// Reply is the address to which answers to a challenge go. The token is in lower case
// there, since relays may change the case of it anyway: it must not depend on that.
func (id *Identity) Reply(token string) string {
	return challengePrefix + strings.ToLower(token) + "@" + string(id.Domain)
}

// MessageID is the message id of a letter, without its brackets.
func (id *Identity) MessageID(letter string) string {
	return letter + "." + id.mac8("message", letter) + "@" + string(id.Domain)
}

// Bounced says of which letter an address is the return path.
func (id *Identity) Bounced(address string) (letter string, ok bool) {
	local, ok := id.local(address, bouncePrefix)
	if !ok {
		return "", false
	}
	return id.macked("return", local)
}

// Answered says which token a reply address carries, in lower case. Whether there is such a
// token, the caller knows.
func (id *Identity) Answered(address string) (token string, ok bool) {
	local, ok := id.local(address, challengePrefix)
	return local, ok && replyToken.MatchString(local)
}

// Sent says of which letter a message id is, with or without its brackets.
func (id *Identity) Sent(messageID string) (letter string, ok bool) {
	local, ok := id.local(strings.Trim(messageID, "<> \t"), "")
	if !ok {
		return "", false
	}
	return id.macked("message", local)
}

// Accepts tells whether mail to an address is this instance's: its own address, a return path or a
// reply address. Everything else is refused at the door.
func (id *Identity) Accepts(address string) bool {
	_, bounce := id.Bounced(address)
	_, answer := id.Answered(address)
	return bounce || answer || strings.EqualFold(address, string(id.Address))
}

// local takes the prefix and our domain off an address. Relays may change the case of both.
func (id *Identity) local(address, prefix string) (string, bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || at > 128 || !strings.EqualFold(address[at+1:], string(id.Domain)) {
		return "", false
	}
	return strings.CutPrefix(strings.ToLower(address[:at]), prefix)
}

// macked splits "id.mac" and verifies the MAC in constant time.
func (id *Identity) macked(purpose, local string) (letter string, ok bool) {
	letter, mac, ok := strings.Cut(local, ".")
	if !ok || !letterID.MatchString(letter) {
		return "", false
	}
	return letter, hmac.Equal([]byte(mac), []byte(id.mac8(purpose, letter)))
}
