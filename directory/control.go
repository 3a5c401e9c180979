package directory

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Control is the proof, under way or in force, that a team controls one of its
// domains: it published a token there that was given to nobody else. While it is
// confirmed, so is the team's claim to the domain, unless that is disputed.
//
// The token is no part of it, only its digest: what is shown, indexed, recorded
// or compared never needs the token itself.
type Control struct {
	Domain  Domain
	Digest  string    // of the token, as [TokenDigest] makes it; "" where it was redacted
	Expiry  Date      // that the record to publish names; "" is never
	Started time.Time // when the token was made
	State   Word      // of [ControlStates]
	Since   time.Time // since when
	Seen    time.Time // when the record was last seen; zero: never
	Until   time.Time // to when the record says that it holds; zero: as long as it is seen
	Missing time.Time // since when it was not there any more, while once does not count yet; zero: it is there, or never was
	DNSSEC  Word      // what could be proven of the record: secure, insecure or indeterminate; "" before
	RawHash string    // of the transcript in which it was last seen
}

// The states of a [Control].
const (
	ControlWaiting   Word = "waiting"   // the record was not seen yet
	ControlConfirmed Word = "confirmed" // it was, and holds
	ControlLost      Word = "lost"      // it was, and is gone
	ControlLapsed    Word = "lapsed"    // its date has passed, or nobody could look for too long
)

// ControlStates lists the states.
var ControlStates = []Word{ControlWaiting, ControlConfirmed, ControlLost, ControlLapsed}

// ControlLabel is the label below a domain at which the record is looked for,
// unless an instance has another: that of one provider, as
// draft-ietf-dnsop-domain-verification-techniques asks for, so that nobody else's
// record is in the way.
const ControlLabel = "_rollcall-challenge"

// ControlLasts is how long a proof holds after the record was last seen, where
// nobody can look. It is looked at weekly.
const ControlLasts = 90 * 24 * time.Hour

// End returns until when a confirmed proof holds if the record is not seen again.
func (c *Control) End() time.Time {
	if c.State != ControlConfirmed {
		return time.Time{}
	}
	end := c.Seen.Add(ControlLasts)
	if !c.Until.IsZero() && c.Until.Before(end) {
		return c.Until
	}
	return end
}

// tokenBytes is 160 bits: more than anybody guesses, and 32 characters without
// padding.
const tokenBytes = 20

// newControlToken makes a token in base32 (RFC 4648 section 6), which survives
// whatever is done to the case of letters.
func (d *Directory) newControlToken() string {
	return base32.StdEncoding.EncodeToString(d.random(tokenBytes))
}

// parseControlToken reads a token in the form that newControlToken makes.
func parseControlToken(s string) (string, bool) {
	s = strings.ToUpper(s)
	b, err := base32.StdEncoding.DecodeString(s)
	return s, err == nil && len(b) == tokenBytes
}

// TokenDigest returns what is compared in place of a token: SHA-256 in hex of
// its upper-case form.
func TokenDigest(token string) string {
	sum := sha256.Sum256([]byte("rollcall domain control " + strings.ToUpper(token)))
	return hex.EncodeToString(sum[:])
}

// ControlRecord returns the text of the TXT record that proves control: the
// form with keys of draft-ietf-dnsop-domain-verification-techniques section 5.
func ControlRecord(token string, expiry Date) string {
	if expiry == "" {
		expiry = "never"
	}
	return "token=" + token + " expiry=" + string(expiry)
}

// Control returns the proof for a domain, nil where none was begun.
func (t *Team) Control(d Domain) *Control {
	if i := slices.IndexFunc(t.Controls, func(c Control) bool { return c.Domain == d }); i >= 0 {
		return &t.Controls[i]
	}
	return nil
}

// domain returns the team's resource for a domain, nil where there is none.
func (t *Team) domain(d Domain) *Resource {
	if i := slices.IndexFunc(t.Resources, func(r Resource) bool { return r.Type == "domain" && r.Domain == d }); i >= 0 {
		return &t.Resources[i]
	}
	return nil
}

// confirm puts what is proven into the claims. A dispute stays one: whoever
// controls a domain need not answer for it.
func (t *Team) confirm(list []Control) {
	t.Controls = list
	for i := range list {
		r := t.domain(list[i].Domain)
		if r != nil && list[i].State == ControlConfirmed && r.Claim != "disputed" {
			r.Claim = "confirmed"
		}
	}
}

// redactControls drops proofs for domains that were taken out, and all digests.
func redactControls(out *Team, list []Control) []Control {
	var kept []Control
	for _, c := range list {
		if out.domain(c.Domain) != nil {
			c.Digest = ""
			kept = append(kept, c)
		}
	}
	return kept
}

// unproven returns the team as it was entered, without what proofs confirm.
func (r *Record) unproven() Team {
	bare := *r
	bare.Controls = nil
	return bare.Team()
}

// keepClaims takes back what an edit enters only because a proof showed it: a
// claim that was sent back as confirmed would outlast its proof. before is the
// team without proofs, as it was.
func (r *Record) keepClaims(before *Team) {
	proven := map[Domain]bool{}
	for i := range r.Controls {
		proven[r.Controls[i].Domain] = r.Controls[i].State == ControlConfirmed
	}
	if len(proven) == 0 {
		return
	}
	r.Own.Resources = each(r.Own.Resources, func(x *Resource) {
		if x.Type != "domain" || x.Claim != "confirmed" || !proven[x.Domain] {
			return
		}
		x.Claim = ""
		if was := before.domain(x.Domain); was != nil {
			x.Claim = was.Claim
		}
	})
}
