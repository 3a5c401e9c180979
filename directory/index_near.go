package directory

import (
	"math/bits"
	"slices"
	"strings"
)

// nearNames is all folded names of the directory, sorted into their lengths,
// each beside a signature that tells most of those that can't be near a given
// name without a look at it. It is immutable.
//
// All names are run past, 32 bytes each in a row, which takes a fraction of a
// millisecond for 100,000 teams; only where these say nothing against a name, 32
// more. An inverted index of parts of names
// would spare that and cost more where it matters: parts such as "cert" are in
// half of all names.
type nearNames struct {
	byLength [nearLengths]*nearLength // the last one takes all that are longer
}

const (
	nearLengths = 128
	nearShards  = 64
)

// nearLength is the names of one length, in shards, so that an edit copies few.
type nearLength [nearShards]nearShard

type nearShard struct {
	signs  []signature
	others []signature // of the same pairs: few names that can't be near pass both
	names  []string
}

// signature has a bit for each pair of neighbouring bytes in a name; several
// pairs share one. An edit makes or takes four pairs at most, so that it
// changes no more bits than that.
type signature [4]uint64

const signatureBits = 256

func signatureOf(name string) signature { return hashedPairs(name, 0x9E3779B1) }

// otherSignatureOf deals the pairs out to the bits in another way.
func otherSignatureOf(name string) signature { return hashedPairs(name, 0x85EBCA77) }

func hashedPairs(name string, factor uint32) (s signature) {
	for i := 1; i < len(name); i++ {
		h := (uint32(name[i-1])<<8 | uint32(name[i])) * factor >> 24
		s[h>>6] |= 1 << (h & 63)
	}
	return s
}

// lacks returns how many bits of s o does not have.
func (s *signature) lacks(o *signature) int {
	return bits.OnesCount64(s[0]&^o[0]) + bits.OnesCount64(s[1]&^o[1]) + bits.OnesCount64(s[2]&^o[2]) + bits.OnesCount64(s[3]&^o[3])
}

// differs returns in how many bits two signatures differ.
func (s *signature) differs(o *signature) int {
	return bits.OnesCount64(s[0]^o[0]) + bits.OnesCount64(s[1]^o[1]) + bits.OnesCount64(s[2]^o[2]) + bits.OnesCount64(s[3]^o[3])
}

// in reports whether o has every bit of s.
func (s *signature) in(o *signature) bool {
	return s[0]&^o[0]|s[1]&^o[1]|s[2]&^o[2]|s[3]&^o[3] == 0
}

func (s *signature) shard() int {
	return int((s[0] ^ s[1]*3 ^ s[2]*5 ^ s[3]*7) * 0x9E3779B97F4A7C15 >> 58)
}

// lengthAt is the place of the names of n bytes.
func lengthAt(n int) int { return max(0, min(n, nearLengths-1)) }

// shards yields the shards of the lengths from low to high.
func (n *nearNames) shards(low, high int, yield func(*nearShard)) {
	if n == nil {
		return
	}
	for l := lengthAt(low); l <= lengthAt(high); l++ {
		if n.byLength[l] == nil {
			continue
		}
		for i := range n.byLength[l] {
			yield(&n.byLength[l][i])
		}
	}
}

// within calls take with all names that can be made of folded by some edits.
func (n *nearNames) within(folded string, edits int, take func(string, []nearName) []nearName) []nearName {
	var found []nearName
	sign := signatureOf(folded)
	n.shards(len(folded)-edits, len(folded)+edits, func(s *nearShard) {
		for i := range s.signs {
			if sign.differs(&s.signs[i]) <= 4*edits {
				found = take(s.names[i], found)
			}
		}
	})
	return found
}

// containing adds names that hold folded whole and are longer than it by more
// than some edits: the shortest ones, and enough of them for an answer.
func (n *nearNames) containing(found []nearName, folded string, edits int) []nearName {
	sign, other := signatureOf(folded), otherSignatureOf(folded)
	for l := lengthAt(len(folded) + edits + 1); l < nearLengths && len(found) < maxNear; l++ {
		n.shards(l, l, func(s *nearShard) {
			for i := range s.signs {
				if !sign.in(&s.signs[i]) || !other.in(&s.others[i]) { // before anything of the name is read
					continue
				}
				if name := s.names[i]; len(name) > len(folded)+edits && strings.Contains(name, folded) {
					found = append(found, nearName{name, edits + 1 + len(name) - len(folded)})
				}
			}
		})
	}
	return found
}

// nearEdit makes the next version of nearNames.
type nearEdit struct {
	n       *nearNames
	own     bool                     // n belongs to this edit
	inPlace bool                     // and so do all shards: nobody else sees them
	lengths [nearLengths / 64]uint64 // bit per length: it belongs to this edit
}

func editNear(n *nearNames) nearEdit { return nearEdit{n: n} }

// shard returns the shard of a name, which may be replaced.
func (e *nearEdit) shard(name string, sign signature) *nearShard {
	if !e.own {
		fresh := new(nearNames)
		if e.n != nil {
			*fresh = *e.n
		}
		e.n, e.own = fresh, true
	}
	l := lengthAt(len(name))
	if e.lengths[l/64]&(1<<(l%64)) == 0 {
		e.lengths[l/64] |= 1 << (l % 64)
		fresh := new(nearLength)
		if e.n.byLength[l] != nil {
			*fresh = *e.n.byLength[l]
		}
		e.n.byLength[l] = fresh
	}
	return &e.n.byLength[l][sign.shard()]
}

func (e *nearEdit) add(name string) {
	sign := signatureOf(name)
	s := e.shard(name, sign)
	if !e.inPlace { // an older index reads what is there
		s.signs, s.others, s.names = slices.Clip(s.signs), slices.Clip(s.others), slices.Clip(s.names)
	}
	s.signs, s.others, s.names = append(s.signs, sign), append(s.others, otherSignatureOf(name)), append(s.names, name)
}

func (e *nearEdit) remove(name string) {
	sign := signatureOf(name)
	s := e.shard(name, sign)
	for i := range s.signs {
		if s.signs[i] == sign && s.names[i] == name {
			last := len(s.signs) - 1
			signs, others, names := slices.Clone(s.signs), slices.Clone(s.others), slices.Clone(s.names)
			signs[i], others[i], names[i] = signs[last], others[last], names[last]
			names[last] = ""
			s.signs, s.others, s.names = signs[:last:last], others[:last:last], names[:last:last]
			return
		}
	}
}
