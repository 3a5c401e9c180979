package api

import (
	"hash/maphash"
	"sync"
	"time"
)

// Rate is how much one client may ask for: so many units a minute, and up to
// Burst at once after a pause. The zero Rate is no limit.
type Rate struct {
	PerMinute int
	Burst     int // 0 is PerMinute
}

// off reports whether nothing is limited.
func (r Rate) off() bool { return r.PerMinute <= 0 }

// unit is the time in which one unit comes back.
func (r Rate) unit() time.Duration { return time.Minute / time.Duration(r.PerMinute) }

func (r Rate) burst() int {
	if r.Burst <= 0 {
		return r.PerMinute
	}
	return r.Burst
}

// window is the time in which an empty bucket fills.
func (r Rate) window() time.Duration { return r.unit() * time.Duration(r.burst()) }

// verdict is what a bucket says about one request.
type verdict struct {
	ok        bool
	remaining int           // units left
	reset     time.Duration // until the bucket is full again
	retry     time.Duration // until the request would be let through; 0 when it was
}

const bucketShards = 64

// buckets are the leaky buckets of many clients. What is kept of one is a
// single instant, the one at which its bucket will be full again (the generic
// cell rate algorithm), and a bucket that is full is as good as none.
//
// Memory is bounded whoever asks: each shard has two generations of at most
// half a shard's share. When the young one is full the old one is forgotten,
// which can only forgive a client that was idle while that many others asked.
type buckets[K comparable] struct {
	rate   Rate
	seed   maphash.Seed
	half   int // of a shard
	shards [bucketShards]bucketShard[K]
}

type bucketShard[K comparable] struct {
	mu         sync.Mutex
	young, old map[K]int64 // when the bucket is full, in nanoseconds since 1970
	_          [40]byte    // shards on cache lines of their own
}

func newBuckets[K comparable](rate Rate, most int) *buckets[K] {
	return &buckets[K]{rate: rate, seed: maphash.MakeSeed(), half: max(1, most/(2*bucketShards))}
}

// take takes cost units out of the bucket of key, or none where it has fewer.
// A cost above the size of the bucket is all of it, or it would never pass.
func (b *buckets[K]) take(key K, cost int, now time.Time) verdict {
	at, unit, window := now.UnixNano(), int64(b.rate.unit()), int64(b.rate.window())
	s := &b.shards[maphash.Comparable(b.seed, key)%bucketShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, known := s.young[key]
	if !known {
		stored = s.old[key]
	}
	full := min(max(stored, at), at+window) // a clock that was set back limits nobody for longer than a window
	next := full + int64(min(cost, b.rate.burst()))*unit
	if next-at > window {
		if !known || full != stored {
			s.put(key, full, b.half) // whoever keeps asking is not forgotten
		}
		return verdict{remaining: int((window - (full - at)) / unit), reset: time.Duration(full - at), retry: time.Duration(next - at - window)}
	}
	if cost > 0 {
		s.put(key, next, b.half)
	}
	return verdict{ok: true, remaining: int((window - (next - at)) / unit), reset: time.Duration(next - at)}
}

func (s *bucketShard[K]) put(key K, full int64, half int) {
	if _, known := s.young[key]; !known && len(s.young) >= half || s.young == nil {
		s.old, s.young = s.young, make(map[K]int64, min(half, 64))
	}
	s.young[key] = full
}

// size is how many buckets are kept, at most the number that newBuckets got.
func (b *buckets[K]) size() int {
	n := 0
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}
