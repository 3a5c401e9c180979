package directory

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shardMap is a hash map cut into shards, so that a changed copy costs a few
// shards and not the whole. It is immutable once [shardEdit] is done with it;
// the zero value is empty.
type shardMap[K comparable, V any] struct {
	seed   maphash.Seed
	shards []map[K]V // nil, or shardCount of them, each of which may be nil
	size   int
}

// shardCount makes shards of some 50 keys in a directory of 100,000 teams
// with two names each: copying one is a matter of microseconds.
const shardCount = 1 << 11

func (m *shardMap[K, V]) get(k K) (v V, ok bool) {
	if m.shards == nil {
		return v, false
	}
	v, ok = m.shards[maphash.Comparable(m.seed, k)%shardCount][k]
	return v, ok
}

// all yields every pair in no order.
func (m *shardMap[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, s := range m.shards {
			for k, v := range s {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// shardEdit makes the next version of a map. It copies the table of shards on
// the first change and each shard on its first change, and changes its own
// copies in place from then on.
type shardEdit[K comparable, V any] struct {
	m     shardMap[K, V]
	own   []uint64 // bit per shard: it belongs to this edit
	fresh bool     // every shard belongs to this edit
}

func editShards[K comparable, V any](m shardMap[K, V]) *shardEdit[K, V] {
	return &shardEdit[K, V]{m: m}
}

func (e *shardEdit[K, V]) get(k K) (V, bool) { return e.m.get(k) }

// shard returns the number of k's shard, after making sure that it can be
// changed.
func (e *shardEdit[K, V]) shard(k K) uint64 {
	if e.m.shards == nil {
		e.m.seed, e.m.shards, e.fresh = maphash.MakeSeed(), make([]map[K]V, shardCount), true
	} else if !e.fresh && e.own == nil {
		e.m.shards = append([]map[K]V(nil), e.m.shards...)
		e.own = make([]uint64, shardCount/64)
	}
	n := maphash.Comparable(e.m.seed, k) % shardCount
	if !e.fresh && e.own[n/64]&(1<<(n%64)) == 0 {
		e.own[n/64] |= 1 << (n % 64)
		e.m.shards[n] = maps.Clone(e.m.shards[n])
	}
	if e.m.shards[n] == nil {
		e.m.shards[n] = map[K]V{}
	}
	return n
}

func (e *shardEdit[K, V]) set(k K, v V) {
	n := e.shard(k)
	s := e.m.shards[n]
	if _, ok := s[k]; !ok {
		e.m.size++
	}
	s[k] = v
}

func (e *shardEdit[K, V]) delete(k K) {
	if _, ok := e.get(k); !ok {
		return
	}
	delete(e.m.shards[e.shard(k)], k)
	e.m.size--
}
