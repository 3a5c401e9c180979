package directory

import (
	"context"
	"fmt"
	"slices"
)

// HasRevocations reports whether the owner has revoked the key or a part of it.
func (k *Key) HasRevocations() bool {
	return k.Revoked || slices.ContainsFunc(k.Subkeys, func(s Subkey) bool { return s.Revoked }) ||
		slices.ContainsFunc(k.UserIDs, func(u UserID) bool { return u.Revoked })
}

// MergeRevocations adds the revocations that data holds of a team's key to each
// stored copy of it, those of imported layers among them, and returns how many
// there are that were not known. Nothing else of data is taken: a revocation proves
// itself, whoever brings it ([Key.WithRevocations]). Nothing new writes nothing.
func (d *Directory) MergeRevocations(ctx context.Context, p Principal, ref string, f Fingerprint, data []byte) (n int, err error) {
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		n = 0
		r, _, err := d.forWrite(tx, p, actRevoke, ref, AnyRevision)
		if err != nil {
			return err
		}
		had := r.Own
		if r.Own.Keys, n, err = revoke(r.Own.Keys, f, data, n); err != nil {
			return err
		}
		own := n > 0
		r.Layers = slices.Clone(r.Layers)
		for i := range r.Layers {
			keys := &r.Layers[i].Profile.Keys
			if *keys, n, err = revoke(*keys, f, data, n); err != nil {
				return err
			}
		}
		if n, err = r.revokeFormer(f, data, n); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		r.Revision++
		r.Updated = d.cfg.Now()
		if own {
			r.OwnDates, r.OwnAt = redate(&had, &r.Own, r.OwnDates, r.OwnAt), r.Updated
		}
		return d.put(tx, &r, OpUpsert, p, actRevoke, []string{"keys"})
	})
	return n, d.committed(ctx, err)
}

// revokeFormer merges data into a former key.
func (r *Record) revokeFormer(f Fingerprint, data []byte, n int) (int, error) {
	r.FormerKeys = slices.Clone(r.FormerKeys)
	for i := range r.FormerKeys {
		merged, most, err := revoke([]TeamKey{r.FormerKeys[i].TeamKey}, f, data, n)
		if err != nil {
			return n, err
		}
		r.FormerKeys[i].TeamKey, n = merged[0], most
	}
	return n, nil
}

// revoke merges data into the key with a fingerprint; n is the most that any copy
// of it had not.
func revoke(keys []TeamKey, f Fingerprint, data []byte, n int) ([]TeamKey, int, error) {
	i := slices.IndexFunc(keys, func(k TeamKey) bool { return k.Fingerprint == f })
	if i < 0 {
		return keys, n, nil
	}
	merged, more, err := keys[i].WithRevocations(data)
	if err != nil {
		return keys, n, fmt.Errorf("key %s: %w", f, err)
	}
	if more > 0 {
		keys = slices.Clone(keys)
		keys[i].Key = merged
	}
	return keys, max(n, more), nil
}

// keepRevocations gives keys that come anew, from an edit or an import, the
// revocations that are known of them: an old copy does not bring a key back.
func keepRevocations(before, keys []TeamKey) []TeamKey {
	for _, old := range before {
		if !old.HasRevocations() {
			continue
		}
		same := slices.ContainsFunc(keys, func(k TeamKey) bool { return k.Fingerprint == old.Fingerprint && k.Armor == old.Armor })
		if merged, _, err := revoke(keys, old.Fingerprint, []byte(old.Armor), 0); err == nil && !same {
			keys = merged
		}
	}
	return keys
}
