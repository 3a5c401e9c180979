package challenge_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestSign holds the form against a value that was computed with OpenSSL:
// printf '1767225600.{"id":"1"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
func TestSign(t *testing.T) {
	got := challenge.Sign([]byte(`{"id":"1"}`), time.Unix(1767225600, 0), []byte("0123456789abcdef0123456789abcdef"))
	const want = "t=1767225600,v1=b97481a1a3e3a27ebb671fa495fcc9de0fea863cd0046f9f99bab1d57461106a"
	if got != want {
		t.Errorf("Sign = %q, want %q", got, want)
	}
}

func TestVerifyAnswer(t *testing.T) {
	secret, old := []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("o", 32))
	public, private, err := ed25519.GenerateKey(chance(1))
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"challenge":"c1","nonce":"N"}`)
	now := monday
	unix := fmt.Sprint(now.Unix())
	ed := "ed25519=" + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(unix+"."+string(body))))
	hmacKey, edKey := challenge.AnswerKey{Scheme: challenge.SchemeHMAC, Key: secret}, challenge.AnswerKey{Scheme: challenge.SchemeEd25519, Key: public}
	good := challenge.Sign(body, now, secret)
	tests := []struct {
		name   string
		key    challenge.AnswerKey
		header string
		body   string
		at     time.Time
		want   error
	}{
		{"HMAC", hmacKey, good, string(body), now, nil},
		{"HMAC while the secret is replaced", hmacKey, challenge.Sign(body, now, old, secret), string(body), now, nil},
		{"HMAC with an unknown part", hmacKey, good + ",v2=abc", string(body), now, nil},
		{"HMAC five minutes later", hmacKey, good, string(body), now.Add(5 * time.Minute), nil},
		{"HMAC of a clock that is five minutes ahead", hmacKey, good, string(body), now.Add(-5 * time.Minute), nil},
		{"Ed25519", edKey, "t=" + unix + "," + ed, string(body), now, nil},
		{"another body", hmacKey, good, string(body) + " ", now, challenge.ErrSignature},
		{"another secret", hmacKey, challenge.Sign(body, now, old), string(body), now, challenge.ErrSignature},
		{"no signature", hmacKey, "t=" + unix, string(body), now, challenge.ErrSignature},
		{"an empty signature", hmacKey, "t=" + unix + ",v1=", string(body), now, challenge.ErrSignature},
		{"a later time than was signed", hmacKey, strings.Replace(good, unix, fmt.Sprint(now.Unix()+60), 1), string(body), now, challenge.ErrSignature},
		{"HMAC with the public key as secret", edKey, challenge.Sign(body, now, public), string(body), now, challenge.ErrSignature},
		{"Ed25519 where a secret is shared", hmacKey, "t=" + unix + "," + ed, string(body), now, challenge.ErrSignature},
		{"Ed25519 over another body", edKey, "t=" + unix + "," + ed, "{}", now, challenge.ErrSignature},
		{"Ed25519 that is too short", edKey, "t=" + unix + ",ed25519=AAAA", string(body), now, challenge.ErrSignature},
		{"a minute too old", hmacKey, good, string(body), now.Add(6 * time.Minute), challenge.ErrSignatureTime},
		{"a minute too new", hmacKey, good, string(body), now.Add(-6 * time.Minute), challenge.ErrSignatureTime},
		{"nothing", hmacKey, "", string(body), now, challenge.ErrSignatureForm},
		{"no time", hmacKey, strings.TrimPrefix(good, "t="+unix+","), string(body), now, challenge.ErrSignatureForm},
		{"two times", hmacKey, good + ",t=" + unix, string(body), now, challenge.ErrSignatureForm},
		{"a time with a sign", hmacKey, strings.Replace(good, "t=", "t=+", 1), string(body), now, challenge.ErrSignatureForm},
		{"no hex", hmacKey, "t=" + unix + ",v1=xyz", string(body), now, challenge.ErrSignatureForm},
		{"five signatures", hmacKey, challenge.Sign(body, now, old, old, old, old, secret), string(body), now, challenge.ErrSignatureForm},
		{"a header of a megabyte", hmacKey, strings.Repeat("v1=", 1<<20), string(body), now, challenge.ErrSignatureForm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := challenge.VerifyAnswer(tt.key, tt.header, []byte(tt.body), tt.at); !errors.Is(err, tt.want) {
				t.Errorf("VerifyAnswer = %v, want %v", err, tt.want)
			}
		})
	}
	for _, bad := range []challenge.AnswerKey{{}, {Scheme: "none", Key: secret}, {Scheme: challenge.SchemeHMAC, Key: secret[:31]}, {Scheme: challenge.SchemeEd25519, Key: public[:31]}} {
		if bad.Check() == nil || challenge.VerifyAnswer(bad, good, body, now) == nil {
			t.Errorf("the key %+v is taken", bad)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	if got, err := challenge.ParseAnswer([]byte(`{"challenge":"c1","nonce":"N","more":true}`)); err != nil || got != (challenge.Answer{Challenge: "c1", Nonce: "N"}) {
		t.Errorf("ParseAnswer = %+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"challenge":"c1"}`, `{"challenge":"c1","nonce":"N"}{}`, `{"challenge":"c1","nonce":"` + strings.Repeat("N", 5000) + `"}`, strings.Repeat("[", 4000)} {
		if got, err := challenge.ParseAnswer([]byte(bad)); !errors.Is(err, challenge.ErrAnswer) {
			t.Errorf("ParseAnswer(%.30q) = %+v, %v, want ErrAnswer", bad, got, err)
		}
	}
}

// TestNotice: what goes to strangers' endpoints has no address in it.
func TestNotice(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c, out := challenge.Step(scheduledAt(challenge.KindCode), at(challenge.EventDue, 0), monday, p)
	for _, e := range out {
		a, ok := e.(challenge.Announce)
		if !ok {
			continue
		}
		n := challenge.NoticeOf(&c, a, monday)
		if n.Type != "challenge.sent" || n.ID != challenge.NoticeOf(&c, a, monday).ID || strings.Contains(mustJSON(t, n), c.Address) {
			t.Errorf("NoticeOf = %s", mustJSON(t, n))
		}
		return
	}
	t.Error("nothing was announced")
}
