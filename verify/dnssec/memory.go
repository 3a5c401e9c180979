package dnssec

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// DefaultMemory is how many signatures a [Memory] holds unless it is told
// otherwise: the chains of some thousand zones, in about four megabytes.
const DefaultMemory = 1 << 15

// Memory remembers signatures that have verified, for validators that share it:
// the keys of the root and of top-level domains are proven for every name again.
// It knows that a key made a signature on records, which stays true for ever;
// whether the signature is in force and the key is trusted is not remembered, but
// asked each time. Nor are failures, so that nothing in it can turn an answer bad.
// It is safe for concurrent use.
type Memory struct {
	half int

	mu         sync.Mutex
	young, old map[proof]struct{} // what is found in old moves to young
}

// proof is the digest of a set of records, a signature and a key.
type proof [sha256.Size]byte

// NewMemory returns a memory that holds at most size signatures; 0: [DefaultMemory].
func NewMemory(size int) *Memory {
	if size <= 0 {
		size = DefaultMemory
	}
	return &Memory{half: max(1, size/2)}
}

// verify is s.Verify(k, rrs) == nil, from memory where it is there.
func (m *Memory) verify(s *dns.RRSIG, k *dns.DNSKEY, rrs []dns.RR) bool {
	if m == nil {
		return s.Verify(k, rrs) == nil
	}
	p, ok := proofOf(s, k, rrs)
	if ok && m.knows(p) {
		return true
	}
	good := s.Verify(k, rrs) == nil
	if good && ok {
		m.keep(p)
	}
	return good
}

func (m *Memory) knows(p proof) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.young[p]; ok {
		return true
	}
	_, ok := m.old[p]
	if ok {
		m.add(p)
	}
	return ok
}

func (m *Memory) keep(p proof) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(p)
}

// add forgets what was not asked for since the younger half was begun, when
// that is full.
func (m *Memory) add(p proof) {
	if len(m.young) >= m.half {
		m.young, m.old = nil, m.young
	}
	if m.young == nil {
		m.young = map[proof]struct{}{}
	}
	m.young[p] = struct{}{}
}

// proofOf digests all that [dns.RRSIG.Verify] looks at. TTLs count down in the
// caches of resolvers and are not signed (RFC 4034 section 3.1.8.1), and records come
// in any order. What can't be put into wire form is not remembered.
func proofOf(s *dns.RRSIG, k *dns.DNSKEY, rrs []dns.RR) (p proof, ok bool) {
	var parts [][]byte
	for _, rr := range rrs {
		wire := wireOf(rr)
		if wire == nil {
			return p, false
		}
		parts = append(parts, wire)
	}
	slices.SortFunc(parts, slices.Compare)
	sig, key := wireOf(s), wireOf(k)
	if sig == nil || key == nil {
		return p, false
	}
	h := sha256.New()
	for _, part := range append(parts, sig, key) { // each with its length, so that none can pass for two
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) //nolint:gosec // at most 64 KiB
		_, _ = h.Write(part)
	}
	h.Sum(p[:0])
	return p, true
}

// wireOf is a record in wire form with a TTL of 0; nil if it has none.
func wireOf(rr dns.RR) []byte {
	wire := make([]byte, dns.Len(rr)+16)
	n, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return nil
	}
	fixed := 0
	for wire[fixed] != 0 { // to the end of the owner's name
		fixed += int(wire[fixed]) + 1
	}
	clear(wire[fixed+5 : fixed+9]) // type and class come before the TTL (RFC 1035 section 4.1.3)
	return wire[:n]
}
