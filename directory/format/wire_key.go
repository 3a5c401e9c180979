package format

import (
	"reflect"

	"github.com/rollcall-csirt/rollcall/directory"
)

// key parses a key. The armour is the key; whatever else is said about it must
// be what it says itself. A source without armour gives the fingerprint only.
func (p *parser) key(at string, w Key) directory.TeamKey {
	k := directory.TeamKey{Visibility: optional(p, at+"/visibility", w.Visibility, directory.ParseTLP)}
	if w.Armor == "" {
		k.Key = p.bareKey(at, w)
		return k
	}
	key, _, err := directory.ParseKey([]byte(w.Armor))
	if err != nil {
		p.fail(at+"/armor", "", err)
		return k
	}
	k.Key = key
	p.compareKey(at, w, keyTo(k))
	if p.stored {
		k.Stripped, k.Repairs = w.Stripped, w.Repairs
	}
	return k
}

// compareKey reports facts that are given beside a key and differ from it.
func (p *parser) compareKey(at string, given, said Key) {
	g, s := reflect.ValueOf(given), reflect.ValueOf(said)
	for _, f := range wireFields(g.Type()) {
		switch f.name {
		case "armor", "visibility", "origin", "stripped", "repairs":
			continue
		}
		field := g.FieldByIndex(f.index)
		if field.IsZero() || reflect.DeepEqual(field.Interface(), s.FieldByIndex(f.index).Interface()) {
			continue
		}
		if f.name == "fingerprint" {
			if fpr, err := directory.ParseFingerprint(given.Fingerprint); err != nil || string(fpr) != said.Fingerprint {
				p.add("key.fingerprint-mismatch", at+"/fingerprint", given.Fingerprint, "the fingerprint belongs to another key", said.Fingerprint)
			}
			continue
		}
		p.add("field.read-only", at+"/"+f.name, "", "the key itself says something else", "leave it out, the key says it")
	}
}

// bareKey takes a fingerprint and the few facts that sources publish with it.
func (p *parser) bareKey(at string, w Key) directory.Key {
	if w.Fingerprint == "" {
		p.add("field.missing", at+"/armor", "", "there is neither a key nor a fingerprint", "the key in ASCII armour")
		return directory.Key{}
	}
	k := directory.Key{
		Fingerprint: required(p, at+"/fingerprint", w.Fingerprint, directory.ParseFingerprint),
		Version:     w.Version, Algorithm: w.Algorithm, Bits: w.Bits,
		Created: w.Created, Expires: w.Expires, EncryptionExpires: w.EncryptionExpires,
		Revoked: w.Revoked, RevokedAt: w.RevokedAt, RevocationReason: w.RevocationReason,
		Stripped: w.Stripped, Repairs: w.Repairs,
	}
	for _, u := range w.UserIDs {
		k.UserIDs = append(k.UserIDs, directory.UserID{
			Name: u.Name, Email: u.Email, Raw: u.Raw, Primary: u.Primary, Revoked: u.Revoked,
		})
	}
	return k
}
