package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

func teamKey(t testing.TB, data []byte) directory.TeamKey {
	t.Helper()
	k, _, err := directory.ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return directory.TeamKey{Key: k}
}

// revokedAfter is a key, and the same with a new user ID, a new subkey and a
// revocation.
func revokedAfter(t testing.TB) (before directory.TeamKey, after []byte) {
	t.Helper()
	e := entity(t, packet.Config{})
	before = teamKey(t, public(t, e))
	cfg := &packet.Config{Time: func() time.Time { return made.Add(time.Hour) }}
	for _, err := range []error{e.AddUserId("New", "", "new@example.org", cfg), e.AddEncryptionSubkey(cfg), e.Revoke(packet.KeyCompromised, "lost", cfg)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return before, public(t, e)
}

var verifier = directory.Principal{Name: "check.pgpkey", Role: directory.Operator}

// TestMergeRevocations has a revocation found: it reaches the stored key and
// nothing else does, there is one change and one line of audit, and no old copy
// brings the key back.
func TestMergeRevocations(t *testing.T) {
	key, revoked := revokedAfter(t)
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		set := func(p *directory.Profile) { p.Keys = []directory.TeamKey{key} }
		was, err := d.Edit(ctx, operator, "alpha", edit(set))
		if err != nil {
			t.Fatal(err)
		}
		check := func(when string, revision int64) {
			t.Helper()
			team, err := d.Team(ctx, operator, "alpha")
			if err != nil || len(team.Keys) != 1 || team.Revision != revision {
				t.Fatalf("%s: %d keys at revision %d, %v; want 1 at %d", when, len(team.Keys), team.Revision, err, revision)
			}
			got := team.Keys[0].Key
			if !got.Revoked || got.RevocationReason == "" || cmp.Diff(key.UserIDs, got.UserIDs) != "" || len(got.Subkeys) != len(key.Subkeys) {
				t.Errorf("%s: the key is %+v; want it revoked, with the user IDs and subkeys of before", when, got)
			}
		}
		for i, want := range []int{1, 0} {
			d.clock.at = d.clock.at.Add(time.Hour)
			if n, err := d.MergeRevocations(ctx, verifier, "alpha", key.Fingerprint, revoked); err != nil || n != want {
				t.Fatalf("merge %d: %d, %v; want %d", i+1, n, err, want)
			}
			check("merged", was.Revision+1)
		}
		audit, err := d.Audit(ctx, operator, directory.AuditFilter{Limit: 1})
		if err != nil || audit[0].Actor != "check.pgpkey" || audit[0].Action != "merge revocations" || cmp.Diff([]string{"keys"}, audit[0].Fields) != "" {
			t.Errorf("the last audit entry is %+v, %v", audit, err)
		}
		head := d.head()
		if _, err := d.Edit(ctx, operator, "alpha", edit(set)); err != nil {
			t.Fatal(err)
		}
		if d.head() != head {
			t.Error("an old copy changed the team")
		}
		check("an old copy was entered", was.Revision+1)
	})
}

// TestMergeRevocationsIntoLayers does the same to a key that a source has, which
// it goes on to have in its old form.
func TestMergeRevocationsIntoLayers(t *testing.T) {
	key, revoked := revokedAfter(t)
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		listed := source("alpha")
		listed.Profile.Keys = []directory.TeamKey{key}
		for _, host := range []string{"", "Host"} { // the second import changes something else
			listed.Profile.Host = host
			if _, err := d.importing(directory.ImportOptions{}, listed); err != nil {
				t.Fatal(err)
			}
			if host == "" {
				if n, err := d.MergeRevocations(ctx, verifier, "alpha", key.Fingerprint, revoked); err != nil || n != 1 {
					t.Fatalf("MergeRevocations = %d, %v; want 1", n, err)
				}
			}
			team, err := d.Team(ctx, operator, "alpha")
			if err != nil || len(team.Keys) != 1 || !team.Keys[0].Revoked || team.Keys[0].Origin.Source != "src" {
				t.Fatalf("alpha = %+v, %v; want the revoked key of src", team.Keys, err)
			}
		}
	})
}

func TestMergeRevocationsRefuses(t *testing.T) {
	key, revoked := revokedAfter(t)
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		d.create("beta")
		if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Keys = []directory.TeamKey{key} })); err != nil {
			t.Fatal(err)
		}
		head := d.head()
		for _, c := range []struct {
			name string
			by   directory.Principal
			ref  string
			data []byte
			kind directory.Kind
		}{
			{"nobody", directory.Nobody(), "alpha", revoked, directory.Unauthenticated},
			{"a consumer", directory.Principal{Name: "c", Role: directory.Consumer, Team: team.ID}, "alpha", revoked, directory.Forbidden},
			{"the editor of another team", directory.Principal{Name: "e", Role: directory.Editor, Team: team.ID}, "beta", revoked, directory.Forbidden},
			{"no such team", verifier, "gamma", revoked, directory.NotFound},
		} {
			if _, err := d.MergeRevocations(ctx, c.by, c.ref, key.Fingerprint, c.data); directory.KindOf(err) != c.kind {
				t.Errorf("%s: %v, want %v", c.name, err, c.kind)
			}
		}
		for name, data := range map[string][]byte{"another key's": dearmored(t, keyFile(t, "revocation")), "words": []byte("revoked"), "nothing": nil} {
			if n, err := d.MergeRevocations(ctx, verifier, "alpha", key.Fingerprint, data); n != 0 || err != nil {
				t.Errorf("%s: %d, %v; want nothing", name, n, err)
			}
		}
		if n, err := d.MergeRevocations(ctx, verifier, "alpha", "AA", revoked); n != 0 || err != nil {
			t.Errorf("a key that the team has not: %d, %v; want nothing", n, err)
		}
		if d.head() != head {
			t.Error("something was written")
		}
	})
}
