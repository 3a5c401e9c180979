package api

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Feeds ask about the same address again and again, one request an event. What
// anybody may be told about a plain query is kept, rendered, for as long as it
// is true to the byte: until the index is another one, and until the moment at
// which the age of a proof or the date of a designation would change a word.
// Nothing is ever answered from it that the index would not answer now.

// cacheShards and shardSize bound the memory: 16,384 answers of one or two KB.
const (
	cacheShards = 64
	shardSize   = 256
)

// answerCache holds the answers of one index. When the index is replaced, so
// is the cache.
type answerCache struct {
	index  *directory.Index
	seed   maphash.Seed
	seen   [1 << 14]atomic.Uint32 // hashes of queries asked before; see admit
	shards [cacheShards]cacheShard
	forms  forms // for addresses in nobody's own address space
}

type cacheShard struct {
	mu sync.RWMutex
	m  map[string]*cachedAnswer
}

// cachedAnswer is one answer. It is not changed once it is in the cache.
type cachedAnswer struct {
	body    []byte
	from    time.Time          // when it was made; a clock may be set back
	until   time.Time          // the answer is true before this moment
	counter prometheus.Counter // that counts lookups of its kind and status
}

// cacheOf returns the cache for x, a new one when x is new.
func (s *Server) cacheOf(x *directory.Index) *answerCache {
	for {
		c := s.cache.Load()
		if c != nil && c.index == x {
			return c
		}
		fresh := &answerCache{index: x, seed: maphash.MakeSeed()}
		if s.cache.CompareAndSwap(c, fresh) {
			return fresh
		}
	}
}

// get returns the answer to query if it is still true at now, else nil.
func (c *answerCache) get(query string, now time.Time) *cachedAnswer {
	sh := &c.shards[maphash.String(c.seed, query)%cacheShards]
	sh.mu.RLock()
	a := sh.m[query]
	sh.mu.RUnlock()
	if a == nil || now.Before(a.from) || !now.Before(a.until) {
		return nil
	}
	return a
}

// admit reports whether query was asked before, so that its answer is worth
// keeping: most of a stream of addresses that are all different is not.
func (c *answerCache) admit(query string) bool {
	h := maphash.String(c.seed, query)
	mark := uint32(h>>32) | 1
	return c.seen[h>>8%uint64(len(c.seen))].Swap(mark) == mark
}

// put keeps an answer.
func (c *answerCache) put(query string, a cachedAnswer) {
	sh := &c.shards[maphash.String(c.seed, query)%cacheShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.m == nil {
		sh.m = make(map[string]*cachedAnswer, shardSize)
	}
	if len(sh.m) >= shardSize {
		for old := range sh.m { // any one: which is as good as another under this load
			delete(sh.m, old)
			break
		}
	}
	sh.m[query] = &a
}

// trueUntil returns the first moment after now at which the same index could
// answer the same query otherwise: designations begin and end with a day
// (UTC), and a proof runs out, first into its grace and then out of it.
func trueUntil(a *directory.Answer, policy directory.Policy, now time.Time) time.Time {
	until := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	earlier := func(t time.Time) {
		if !t.After(now) {
			t = t.Add(1) // a proof that ends now still holds now, and no longer
		}
		if t.After(now) && t.Before(until) {
			until = t
		}
	}
	for i := range a.Candidates {
		// Any proof of any contact of the team may decide which one is chosen.
		for _, e := range a.Candidates[i].Team.Evidence {
			end := policy.End(e)
			earlier(e.At)
			earlier(end)
			earlier(policy.Overdue(end))
		}
	}
	return until
}
