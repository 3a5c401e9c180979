package directory

// directTable answers for single IPv4 addresses what a [rangeTable] knows, with
// one slot for each /24: one line of memory a lookup, two where something
// longer than a /24 is known, however many prefixes there are. It costs 32 MB
// (T uint16) or 64 MB, so it is made for large tables only.
type directTable[T uint16 | uint32] struct {
	slots []T        // /24 → index into the hits, or split plus an index into fine
	fine  [][256]T   // address within a /24 → index into the hits
	hits  []rangeHit // of the range table
}

// directFrom is the number of starts from which a direct table pays.
const directFrom = 30_000

// newDirectTable makes the table; nil where T has too few numbers for it.
func newDirectTable[T uint16 | uint32](t *rangeTable[uint32]) *directTable[T] {
	d := &directTable[T]{hits: t.hits}
	split := d.split()
	if len(t.hits) > int(split) {
		return nil
	}
	d.slots = make([]T, 1<<24)
	for i, s := range t.starts {
		end := uint64(1) << 32
		if i+1 < len(t.starts) {
			end = uint64(t.starts[i+1].key)
		}
		if !d.fill(uint64(s.key), end, T(s.hit)) {
			return nil
		}
	}
	return d
}

// split is the highest bit of T.
func (d *directTable[T]) split() T { return ^(^T(0) >> 1) }

// fill says that hit holds from one address up to another. It reports whether
// T had room for it.
func (d *directTable[T]) fill(from, to uint64, hit T) bool {
	for from < to {
		slot := from >> 8
		if from&255 == 0 && to-from >= 256 {
			d.slots[slot] = hit
			from += 256
			continue
		}
		if d.slots[slot] < d.split() {
			if len(d.fine) >= int(d.split()) {
				return false
			}
			d.fine = append(d.fine, [256]T{})
			d.slots[slot] = d.split() + T(len(d.fine)-1)
		}
		part := &d.fine[d.slots[slot]-d.split()]
		for end := min(to, (slot+1)<<8); from < end; from++ {
			part[from&255] = hit
		}
	}
	return true
}

// lookup returns what is most specific for an address.
func (d *directTable[T]) lookup(a uint32) (rangeHit, bool) {
	n := d.slots[a>>8]
	if n >= d.split() {
		n = d.fine[n-d.split()][a&255]
	}
	h := d.hits[n]
	return h, h.bits != noHit
}
