package verify_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// TestRevocationsLast has a key server know a revocation that the directory does
// not have: the weekly check finds it, the stored key has it from then on, and the
// next look judges the key as revoked.
func TestRevocationsLast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string, db *store.DB) {
		s := onStore(t, dsn, db)
		l, err := lab.Start(lab.Config{Now: s.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{l.Resolver()}, Allow: l.Allow(), Roots: l.Roots(), Map: l.DialMap, Now: l.Now})
		if err != nil {
			t.Fatal(err)
		}
		teams := l.Teams()
		made := teams[slices.IndexFunc(teams, func(t lab.Team) bool { return t.Handle == "reservoir" })]
		id := s.labTeam(&made)
		was, err := s.Team(context.Background(), operator, "reservoir")
		if err != nil || was.Keys[0].Revoked {
			t.Fatalf("reservoir = %+v, %v; want a key that nobody has revoked yet", was.Keys, err)
		}
		checks := slices.DeleteFunc(labChecks(t, l.TrustAnchor(), l.Allow()), func(c verify.Check) bool { return c.Name != "pgpkey" })
		cfg := s.config(checks...)
		cfg.Network = live
		s.run(cfg)
		v := s.await("the key is judged as revoked", id, "pgpkey", string(was.Keys[0].Fingerprint), func(v verify.Verification) bool {
			return slices.ContainsFunc(v.Findings, func(f verify.Finding) bool { return f.Code == "pgpkey.revoked" || f.Code == "pgpkey.retired" })
		})
		if slices.ContainsFunc(v.Findings, func(f verify.Finding) bool { return f.Code == "pgpkey.revoked-elsewhere" }) {
			t.Errorf("the directory's own copy is still without the revocation: %+v", v.Findings)
		}
		is, err := s.Team(context.Background(), operator, "reservoir")
		if err != nil || !is.Keys[0].Revoked || len(is.Keys[0].UserIDs) != len(was.Keys[0].UserIDs) || len(is.Keys[0].Subkeys) != len(was.Keys[0].Subkeys) || is.Revision != was.Revision+1 {
			t.Errorf("reservoir = %+v at revision %d, %v; want its key revoked, and nothing else, at %d", is.Keys, is.Revision, err, was.Revision+1)
		}
		audit, err := s.Audit(context.Background(), operator, directory.AuditFilter{Limit: 10})
		if err != nil || !slices.ContainsFunc(audit, func(e directory.AuditEntry) bool {
			return e.Actor == "check.pgpkey" && e.Action == "merge revocations"
		}) {
			t.Errorf("the audit trail is %+v, %v", audit, err)
		}
	})
}
