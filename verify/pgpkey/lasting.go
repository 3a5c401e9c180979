package pgpkey

import (
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rollcall-csirt/rollcall/verify"
)

const aDay = 24 * time.Hour

// reminders are when an end is told of beforehand, the nearest first.
func reminders() []struct {
	before time.Duration
	code   verify.Code
} {
	return []struct {
		before time.Duration
		code   verify.Code
	}{{7 * aDay, "pgpkey.expires-7"}, {30 * aDay, "pgpkey.expires-30"}, {90 * aDay, "pgpkey.expires-90"}}
}

// lasting finds out for how long the key can be used, warns before the end,
// and notes when the report will change by itself.
func (j *judgement) lasting() {
	j.change(j.Key.Created)
	j.change(j.Key.Signed)
	if !j.Encrypts && !j.Signs {
		return
	}
	signs := j.lastExpiry(func(s *packet.Signature) bool { return s.FlagSign })
	j.Expires = signs
	if j.Encrypts {
		j.Expires = j.lastExpiry(encrypts)
	}
	j.change(signs)
	if j.Expires.IsZero() {
		j.say(find("pgpkey.never-expires", ""))
		return
	}
	j.change(j.Expires)
	said := false
	for _, r := range reminders() {
		from := j.Expires.Add(-r.before)
		j.change(from)
		if !said && !j.now.Before(from) {
			j.say(find(r.code, "until "+j.Expires.UTC().Format(time.RFC3339)))
			said = true
		}
	}
}

// change notes a moment at which the report becomes another.
func (j *judgement) change(at time.Time) {
	if at.After(j.now) && (j.Until.IsZero() || at.Before(j.Until)) {
		j.Until = at
	}
}

// primaryExpiry is the end of the primary key by the signatures that the policy
// accepts; zero: never.
func (j *judgement) primaryExpiry() time.Time {
	end := expiry(j.cert.Entity.PrimaryKey, j.sig)
	if d, err := j.cert.Entity.LatestValidDirectSignature(j.now, j.cfg); err == nil {
		end = earliest(end, expiry(j.cert.Entity.PrimaryKey, d))
	}
	return end
}

// lastExpiry is when the last part of the key that is for a purpose now ends,
// at the latest with the primary key; zero: never.
func (j *judgement) lastExpiry(purpose func(*packet.Signature) bool) time.Time {
	primary := j.primaryExpiry()
	if purpose(j.sig) {
		return primary
	}
	var last time.Time
	for _, s := range j.cert.Entity.Subkeys {
		b, err := s.Verify(j.now, j.cfg)
		if err != nil || !purpose(b) {
			continue
		}
		end := expiry(s.PublicKey, b)
		if b.FlagSign {
			end = earliest(end, signatureExpiry(b.EmbeddedSignature))
		}
		if end.IsZero() {
			return primary
		}
		if end.After(last) {
			last = end
		}
	}
	return earliest(primary, last)
}

// expiry is the end that a signature gives a key: of the key's lifetime, counted
// from its making (RFC 9580 section 5.2.3.13), or of the signature itself
// (section 5.2.3.18), counted from its own. Zero is never.
func expiry(pub *packet.PublicKey, s *packet.Signature) time.Time {
	var end time.Time
	if s.KeyLifetimeSecs != nil && *s.KeyLifetimeSecs > 0 {
		end = pub.CreationTime.Add(time.Duration(*s.KeyLifetimeSecs) * time.Second)
	}
	return earliest(end, signatureExpiry(s)).UTC()
}

func signatureExpiry(s *packet.Signature) time.Time {
	if s == nil || s.SigLifetimeSecs == nil || *s.SigLifetimeSecs == 0 {
		return time.Time{}
	}
	return s.CreationTime.Add(time.Duration(*s.SigLifetimeSecs) * time.Second)
}

// earliest returns the earlier of two ends, where zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
