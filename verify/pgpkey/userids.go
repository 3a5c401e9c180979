package pgpkey

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// liveIdentities are the user IDs that the key has not revoked, by name.
func (j *judgement) liveIdentities() []*openpgp.Identity {
	var live []*openpgp.Identity
	for _, name := range slices.Sorted(maps.Keys(j.cert.Entity.Identities)) {
		id := j.cert.Entity.Identities[name]
		var newest *packet.Signature
		for _, s := range id.SelfCertifications {
			if newest == nil || s.Packet.CreationTime.After(newest.CreationTime) {
				newest = s.Packet
			}
		}
		if !id.Revoked(newest, j.now, j.cfg) {
			live = append(live, id)
		}
	}
	return live
}

// userIDs finds out which user IDs count under the policy.
func (j *judgement) userIDs() {
	var weak []string
	address := j.Key.Version == 6 // RFC 9580 section 10.1.1: user IDs are optional there
	for _, id := range j.liveIdentities() {
		if _, err := id.Verify(j.now, j.cfg); err == nil {
			u := directory.ParseUserID(id.Name)
			j.UserIDs = append(j.UserIDs, u)
			address = address || u.Email != ""
		} else if j.anyRefused(id.SelfCertifications) {
			weak = append(weak, id.Name)
		}
	}
	if j.broken != nil || j.Key.Revoked {
		return
	}
	if len(weak) > 0 {
		j.say(find("pgpkey.weak-hash-user-id", strings.Join(weak, ", ")))
	}
	if !address {
		j.say(find("pgpkey.no-address", ""))
	}
}

// preferences judges what the owner's program asks of correspondents.
func (j *judgement) preferences() {
	if j.broken != nil || j.Key.Revoked {
		return
	}
	s := j.sig
	if !s.SEIPDv1 && !s.SEIPDv2 {
		j.say(find("pgpkey.features-missing", ""))
	}
	var old []string
	if p := s.PreferredSymmetric; len(p) > 0 && p[0] < 7 { // RFC 9580 section 9.3: AES begins at 7
		old = append(old, "cipher "+strconv.Itoa(int(p[0])))
	}
	if p := s.PreferredHash; len(p) > 0 && p[0] < 8 { // RFC 9580 section 9.5: SHA-2 begins at 8
		old = append(old, "hash "+strconv.Itoa(int(p[0])))
	}
	if len(old) > 0 {
		j.say(find("pgpkey.preferences-weak", strings.Join(old, ", ")))
	}
}

// Match is how an address occurs among the user IDs of a key.
type Match int

// The ways in which an address occurs.
const (
	MatchNone Match = iota // it does not
	MatchFold              // but for the case of the part before the @
	MatchExact
)

// Has reports how an address occurs among the user IDs that count. Domains
// are compared in their canonical form (RFC 5321 section 2.4: the local part has case).
func (r Report) Has(address directory.Email) Match {
	best := MatchNone
	for _, u := range r.UserIDs {
		e, err := directory.ParseEmail(u.Email)
		switch {
		case err != nil:
		case e == address:
			return MatchExact
		case e.Key() == address.Key():
			best = MatchFold
		}
	}
	return best
}

// Facts lists what was seen of the key, good or bad.
func (r Report) Facts() []verify.Fact {
	if r.Refused() {
		return nil
	}
	k := r.Key
	facts := []verify.Fact{
		{Name: "fingerprint", Value: string(k.Fingerprint)},
		{Name: "grade", Value: string(r.Grade)},
		{Name: "algorithm", Value: strings.TrimSuffix(k.Algorithm+" "+strconv.Itoa(k.Bits), " 0")},
		{Name: "created", Value: day(k.Created)},
	}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, verify.Fact{Name: name, Value: verify.Quote(value)})
		}
	}
	if !r.Expires.IsZero() {
		add("expires", day(r.Expires))
	}
	for _, u := range r.UserIDs {
		add("user-id", u.Raw)
	}
	add("encryption", string(r.EncryptTo))
	add("signing", map[bool]string{true: "yes"}[r.Signs])
	if k.Revoked {
		add("revoked", day(k.RevokedAt)+" "+k.RevocationReason)
	}
	if k.Stripped > 0 {
		add("third-party-signatures", strconv.Itoa(k.Stripped))
	}
	return facts
}
