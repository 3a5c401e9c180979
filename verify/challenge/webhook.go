package challenge

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// SignatureHeader carries the signature of a webhook's body, ours and a team's:
// "t=1767225600,v1=…", the time in seconds and HMAC-SHA-256 (RFC 2104) in hex over
// the time, a dot and the body. A team that signs with Ed25519 (RFC 8032) sends
// "ed25519=" and the signature in base64 in place of v1. While a secret is being
// replaced there may be two v1.
const SignatureHeader = "Rollcall-Signature"

// Tolerance is how far the time of a signature may be from ours, either way.
// Within it a repeated request is told by its nonce or id, after it by its time.
const Tolerance = 5 * time.Minute

// What is read of a signature and of an answer.
const (
	maxSignature  = 1024 // octets
	maxSignatures = 4
	maxAnswer     = 4 << 10
)

// Errors of signatures. All of them mean that the request is not to be believed.
var (
	ErrSignature     = errors.New("challenge: the signature is wrong")
	ErrSignatureForm = errors.New("challenge: not a signature such as t=1767225600,v1=…")
	ErrSignatureTime = errors.New("challenge: the signature is too old, or of a clock that is ahead")
	ErrAnswer        = errors.New("challenge: not an answer")
)

// Sign returns the value of [SignatureHeader] for a body that is sent at now,
// under one secret or, while it is being replaced, under two.
func Sign(body []byte, now time.Time, secrets ...[]byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	header := "t=" + t
	for _, s := range secrets {
		header += ",v1=" + hex.EncodeToString(mac(s, t, body))
	}
	return header
}

func mac(secret []byte, t string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(signed(t, body))
	return m.Sum(nil)
}

func signed(t string, body []byte) []byte { return append([]byte(t+"."), body...) }

// signature is a parsed header.
type signature struct {
	t      string
	v1, ed [][]byte
}

func parseSignature(header string, now time.Time) (signature, error) {
	var s signature
	if len(header) > maxSignature {
		return s, ErrSignatureForm
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var raw []byte
		var err error
		switch {
		case name == "t" && s.t == "":
			s.t = value
		case name == "v1":
			raw, err = hex.DecodeString(value)
			s.v1 = append(s.v1, raw)
		case name == "ed25519":
			raw, err = base64.StdEncoding.DecodeString(value)
			s.ed = append(s.ed, raw)
		case name == "t":
			return s, ErrSignatureForm // two times: which of them is signed?
		}
		if err != nil || len(s.v1)+len(s.ed) > maxSignatures {
			return s, ErrSignatureForm
		}
	}
	n, err := strconv.ParseInt(s.t, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s.t {
		return s, ErrSignatureForm
	}
	if age := now.Sub(time.Unix(n, 0)); age > Tolerance || age < -Tolerance {
		return s, ErrSignatureTime
	}
	return s, nil
}

// Scheme is how a team's automation signs.
type Scheme string

// The schemes.
const (
	SchemeHMAC    Scheme = "hmac"
	SchemeEd25519 Scheme = "ed25519"
)

// AnswerKey is what a team's automation signs with: a shared secret of 32 octets
// or more, or the public half of an Ed25519 key.
type AnswerKey struct {
	Scheme Scheme
	Key    []byte
}

// Check returns an error for a key that can't be used.
func (k AnswerKey) Check() error {
	switch {
	case k.Scheme == SchemeHMAC && len(k.Key) >= leastKey:
		return nil
	case k.Scheme == SchemeEd25519 && len(k.Key) == ed25519.PublicKeySize:
		return nil
	}
	return fmt.Errorf("challenge: a key of %d octets for the scheme %q; want hmac with 32 or more, or ed25519 with 32", len(k.Key), k.Scheme)
}

// VerifyAnswer checks the signature of a team's answer. Only the scheme of k
// counts: a header can't choose a weaker one, nor a public key be taken for a
// secret.
func VerifyAnswer(k AnswerKey, header string, body []byte, now time.Time) error {
	if err := k.Check(); err != nil {
		return err
	}
	s, err := parseSignature(header, now)
	if err != nil {
		return err
	}
	if k.Scheme == SchemeEd25519 {
		for _, sig := range s.ed {
			if len(sig) == ed25519.SignatureSize && ed25519.Verify(k.Key, signed(s.t, body), sig) {
				return nil
			}
		}
		return ErrSignature
	}
	want, fine := mac(k.Key, s.t, body), false
	for _, sig := range s.v1 {
		fine = hmac.Equal(sig, want) || fine
	}
	if !fine {
		return ErrSignature
	}
	return nil
}

// Answer is the body of an automation's answer.
type Answer struct {
	Challenge ID     `json:"challenge"`
	Nonce     string `json:"nonce"` // as we sent it; [Key.CheckNonce] says whether it is right
}

// ParseAnswer reads an answer, whose signature is to be checked over the same octets.
func ParseAnswer(body []byte) (Answer, error) {
	if len(body) > maxAnswer {
		return Answer{}, fmt.Errorf("%w: %d octets, at most %d", ErrAnswer, len(body), maxAnswer)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	var a Answer
	if err := d.Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Answer{}, fmt.Errorf("%w: something follows it", ErrAnswer)
	}
	if a.Challenge == "" || a.Nonce == "" {
		return Answer{}, fmt.Errorf("%w: challenge and nonce are needed", ErrAnswer)
	}
	return a, nil
}

// Question is the body of a POST to a team's endpoint ([KindWebhook]).
type Question struct {
	Challenge ID                  `json:"challenge"`
	Contact   directory.ContactID `json:"contact"`
	Revision  int                 `json:"revision"`
	Nonce     string              `json:"nonce"`
	Answer    string              `json:"answer"` // where to POST the [Answer]
	Expires   time.Time           `json:"expires"`
}

// Notice is the body of a webhook of this instance: a change of state. It has
// neither addresses nor secrets.
type Notice struct {
	ID        string              `json:"id"`               // the same when it is sent again
	Number    int64               `json:"number,omitempty"` // in the order of all notices; given when it is stored
	Type      string              `json:"type"`
	At        time.Time           `json:"at"`
	Challenge ID                  `json:"challenge,omitempty"` // a ping has none, nor what follows but for the team
	Team      directory.TeamID    `json:"team,omitempty"`
	Contact   directory.ContactID `json:"contact,omitempty"`
	Revision  int                 `json:"revision,omitempty"`
	Campaign  CampaignID          `json:"campaign,omitempty"`
	From      State               `json:"from,omitempty"`
	To        State               `json:"to,omitempty"`
	Outcome   Outcome             `json:"outcome,omitempty"`
	Level     directory.Level     `json:"level"`
}

// NoticeOf returns the notice of a change of state of c.
func NoticeOf(c *Challenge, a Announce, at time.Time) Notice {
	id := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", c.ID, a.From, a.To, at.UnixNano()))
	return Notice{ID: hex.EncodeToString(id[:16]), Type: noticeType(a.To), At: at, Challenge: c.ID, Team: c.Team, Contact: c.Contact,
		Revision: c.Revision, Campaign: c.Campaign, From: a.From, To: a.To, Outcome: a.Outcome, Level: c.Reached}
}
