package directory

import (
	"slices"
	"strings"
	"time"
)

// KeyWait is how long a key waits that came beside or in place of another and
// that nothing speaks for. Nobody relies on it before; afterwards it is used with
// a warning, unless somebody refused it.
const KeyWait = 30 * 24 * time.Hour

// Limits of what a record remembers of its keys.
const (
	maxAbsent    = 32 // successions of keys that the team does not have
	maxFormer    = 8  // former keys; the last to leave stay
	maxKeyProofs = 16 // of one key
)

// KeyGround is one kind of thing that speaks for a key that came beside or in
// place of another.
type KeyGround string

// The grounds. Each is enough, but for the confirmations, of which it takes two.
const (
	KeyCertified KeyGround = "certified" // an old key has certified it
	KeyStated    KeyGround = "stated"    // an old key has signed a statement that names it
	KeyChannels  KeyGround = "channels"  // two independent channels have it
	KeyConfirmed KeyGround = "confirmed" // an operator asked the team on another way
)

// KeyState is how a key of a team stands.
type KeyState string

// The states. Keys of the first two are relied on, and so is an unproven one,
// with a warning.
const (
	KeyFirst    KeyState = "first"    // the team had none before it
	KeyProven   KeyState = "proven"   // something speaks for it that is enough
	KeyWaiting  KeyState = "waiting"  // nothing does yet; see [KeyWait]
	KeyUnproven KeyState = "unproven" // nothing does, and the waiting is over
	KeyRefused  KeyState = "refused"  // somebody who knows said that it is wrong
)

// Succession is what is known of how a team came to a key while it had, or had
// had, another. A key without one was there from the start.
type Succession struct {
	Fingerprint Fingerprint
	At          time.Time     `json:",omitzero"` // when the team got the key; zero: it does not have it
	By          string        `json:",omitzero"` // who entered or imported it
	Old         []Fingerprint `json:",omitzero"` // the keys before it that were relied on, present ones first
	Proofs      []KeyProof    `json:",omitzero"` // oldest first
	Refused     time.Time     `json:",omitzero"`
	RefusedBy   string        `json:",omitzero"`
	Why         string        `json:",omitzero"` // it was refused
}

// KeyProof is one thing that speaks for a key.
type KeyProof struct {
	Ground   KeyGround
	By       string      // who confirmed it, handed it in or found it
	At       time.Time   // when it was taken in
	Old      Fingerprint `json:",omitzero"` // certified, stated: the key that has signed
	Signed   time.Time   `json:",omitzero"` // certified, stated: when, by its own word
	Channels []Word      `json:",omitzero"` // channels: which
	Note     string      `json:",omitzero"` // confirmed: how the team was asked; stated: the text; channels: the address
	Counts   bool        `json:"-"`         // set in a [Team] only: it holds still
}

// FormerKey is a key that the team had and that was relied on: it can still
// speak for another, and may come back.
type FormerKey struct {
	TeamKey
	Left time.Time
}

// What [TeamKey.Continuity] says of a key that nothing speaks for. Neither
// depends on the time, so that what was rendered stays true.
const (
	ContinuityUnproven Word = "unproven"
	ContinuityRefused  Word = "refused"
)

// Succession returns what is known of how the team came to a key, nil for one
// that was there from the start.
func (t *Team) Succession(f Fingerprint) *Succession { return successionIn(t.Successions, f) }

func successionIn(list []Succession, f Fingerprint) *Succession {
	if i := slices.IndexFunc(list, func(s Succession) bool { return s.Fingerprint == f }); i >= 0 {
		return &list[i]
	}
	return nil
}

// key returns the team's key with a fingerprint, nil where there is none.
func (t *Team) key(f Fingerprint) *TeamKey {
	if i := indexKey(t.Keys, f); i >= 0 {
		return &t.Keys[i]
	}
	return nil
}

func indexKey(keys []TeamKey, f Fingerprint) int {
	return slices.IndexFunc(keys, func(k TeamKey) bool { return k.Fingerprint == f })
}

// KeyState returns how a key stands at now; "" for one that the team does not have.
func (t *Team) KeyState(f Fingerprint, now time.Time) KeyState {
	k, s := t.key(f), t.Succession(f)
	switch {
	case k == nil:
		return ""
	case k.Continuity == ContinuityRefused:
		return KeyRefused
	case k.Continuity == ContinuityUnproven && (s == nil || now.Before(s.At.Add(KeyWait))):
		return KeyWaiting
	case k.Continuity == ContinuityUnproven:
		return KeyUnproven
	case s == nil:
		return KeyFirst
	}
	return KeyProven
}

// Trusts reports whether a key of the team may be relied on at now, as far as its
// succession goes. Whether it has expired or was revoked, [Key.UsableAt] says.
func (t *Team) Trusts(f Fingerprint, now time.Time) bool {
	switch t.KeyState(f, now) {
	case KeyFirst, KeyProven, KeyUnproven:
		return true
	}
	return false
}

// TrustedKeys returns the keys that may be relied on at now, in the team's order
// but those that nothing speaks for last.
func (t *Team) TrustedKeys(now time.Time) []TeamKey {
	var sure, rest []TeamKey
	for _, k := range t.Keys {
		switch {
		case k.Continuity == "":
			sure = append(sure, k)
		case t.Trusts(k.Fingerprint, now):
			rest = append(rest, k)
		}
	}
	return append(sure, rest...)
}

// Predecessors returns the keys that a key came beside or in place of, as far as
// they were relied on then; none for one that was there from the start.
func (t *Team) Predecessors(f Fingerprint) []Fingerprint {
	if s := t.Succession(f); s != nil {
		return s.Old
	}
	return nil
}

// GroundsFor returns what speaks for a key and still holds. One confirmation by
// itself is among them and is not enough.
func (t *Team) GroundsFor(f Fingerprint) []KeyProof {
	var list []KeyProof
	if s := t.Succession(f); s != nil {
		for _, p := range s.Proofs {
			if p.Counts {
				list = append(list, p)
			}
		}
	}
	return list
}

// vouchers counts the operators among proofs that count, each once.
func vouchers(list []KeyProof) int {
	seen := map[string]bool{}
	for _, p := range list {
		if p.Ground == KeyConfirmed && p.Counts {
			seen[strings.ToLower(strings.TrimSpace(p.By))] = true
		}
	}
	return len(seen)
}

// succeed puts into t what a record remembers of its keys, and how each stands.
func (t *Team) succeed(list []Succession, former []FormerKey) {
	t.FormerKeys = former
	if len(list) == 0 {
		for i := range t.Keys { // an edit may have sent back what it was shown
			t.Keys[i].Continuity = ""
		}
		return
	}
	t.Successions = slices.Clone(list)
	for i := range t.Successions {
		t.Successions[i].Proofs = slices.Clone(t.Successions[i].Proofs)
	}
	proven := t.provenKeys()
	for i := range t.Keys {
		k := &t.Keys[i]
		switch s := t.Succession(k.Fingerprint); {
		case s == nil || proven[k.Fingerprint]:
			k.Continuity = ""
		case !s.Refused.IsZero():
			k.Continuity = ContinuityRefused
		default:
			k.Continuity = ContinuityUnproven
		}
	}
}

// provenKeys marks the proofs that hold, and returns the keys for which they are
// enough. It begins with those that nobody has to speak for, so that two keys never
// prove each other, and goes on until no more is proven.
func (t *Team) provenKeys() map[Fingerprint]bool {
	proven := map[Fingerprint]bool{}
	for more := true; more; {
		more = false
		for i := range t.Successions {
			s := &t.Successions[i]
			if s.weigh(func(f Fingerprint) bool { return t.speaks(f, proven) }) && !proven[s.Fingerprint] {
				proven[s.Fingerprint], more = true, true
			}
		}
	}
	return proven
}

// weigh marks the proofs of a key that hold, and reports whether they are enough.
func (s *Succession) weigh(speaks func(Fingerprint) bool) bool {
	enough := false
	for i := range s.Proofs {
		p := &s.Proofs[i]
		p.Counts = s.Refused.IsZero() && (p.Old == "" || speaks(p.Old)) || p.Ground == KeyConfirmed && p.At.After(s.Refused)
		enough = enough || p.Counts && p.Ground != KeyConfirmed
	}
	return enough || vouchers(s.Proofs) >= 2
}

// speaks reports whether the word of an old key still counts: it is not known to
// be compromised, and is relied on itself. One that was forgotten counted then.
func (t *Team) speaks(f Fingerprint, proven map[Fingerprint]bool) bool {
	if k := t.known(f); k != nil && k.Compromised() {
		return false
	}
	return t.Succession(f) == nil || proven[f]
}

// known returns a key of the team, be it a former one; nil where there is none.
func (t *Team) known(f Fingerprint) *TeamKey {
	if k := t.key(f); k != nil {
		return k
	}
	for i := range t.FormerKeys {
		if t.FormerKeys[i].Fingerprint == f {
			return &t.FormerKeys[i].TeamKey
		}
	}
	return nil
}

// allKeys returns the keys of a team, former ones too.
func (t *Team) allKeys() []TeamKey {
	list := slices.Clip(t.Keys)
	for _, k := range t.FormerKeys {
		list = append(list, k.TeamKey)
	}
	return list
}

// Compromised reports whether the key was revoked for a reason that makes all it
// ever signed worthless: any but that it was superseded or is no longer used (RFC
// 9580 section 5.2.3.31).
func (k *Key) Compromised() bool {
	reason, _, _ := strings.Cut(k.RevocationReason, ":")
	return k.Revoked && reason != reasonSuperseded && reason != reasonRetired
}

// speakers returns the keys whose word counts for others: those that were there
// from the start or are proven, the present ones first.
func (t *Team) speakers() []TeamKey {
	var list []TeamKey
	for _, k := range t.Keys {
		if k.Continuity == "" {
			list = append(list, k)
		}
	}
	for _, k := range t.FormerKeys {
		list = append(list, k.TeamKey)
	}
	return list
}

// redactSuccessions drops what is known of keys that were taken out, and, for
// everyone but the team and the operator, who did what about the others.
func redactSuccessions(out, t *Team, p Principal) {
	out.FormerKeys = slices.DeleteFunc(slices.Clone(t.FormerKeys), func(k FormerKey) bool { return !p.Sees(k.Visibility, t) })
	insider := p.Sees(Red, t)
	if insider && len(out.FormerKeys) == len(t.FormerKeys) {
		return
	}
	shown := func(f Fingerprint) bool { return out.known(f) != nil }
	out.Successions = nil
	for _, s := range t.Successions {
		if !insider && !shown(s.Fingerprint) {
			continue
		}
		s.Old = slices.DeleteFunc(slices.Clone(s.Old), func(f Fingerprint) bool { return !shown(f) })
		s.Proofs = each(s.Proofs, func(x *KeyProof) {
			if !insider {
				x.By, x.Note = "", ""
			}
			if !shown(x.Old) {
				x.Old = ""
			}
		})
		if !insider {
			s.By, s.RefusedBy, s.Why = "", "", ""
		}
		out.Successions = append(out.Successions, s)
	}
}
