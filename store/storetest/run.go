package storetest

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

// Run proves that an engine keeps what [directory.Store] and [verify.Store]
// promise.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"a record comes back as it was written", testRoundTrip},
		{"an empty list is not a missing one", testEmptyLists},
		{"long and foreign text is kept", testText},
		{"what only one engine could keep is refused", testBadText},
		{"what does not exist is not found", testNotFound},
		{"an edit of an old revision is a conflict", testConflict},
		{"a handle belongs to one team", testHandles},
		{"many records go in at once", testBatch},
		{"a filter selects and pages in the order of handles", testFilter},
		{"history tells before and after", testHistory},
		{"changes and audit entries are read in pages", testChanges},
		{"layers are found by source and key", testLayers},
		{"evidence comes newest first and moves the team", testEvidence},
		{"evidence that a merge brought goes again", testDropEvidence},
		{"decisions are kept by pair", testDecisions},
		{"tokens are kept and touched", testTokens},
		{"reference data is replaced whole", testReferences},
		{"import jobs are kept with what was uploaded", testImportJobs},

		{"a plan makes the rows what they shall be", testPlan},
		{"a verdict that goes is told of", testPlanTells},
		{"a wrong clock puts nothing off for years", testPlanClock},
		{"a row is leased to one at a time", testClaim},
		{"leases are extended and given back", testLeases},
		{"a result is written whole", testFinish},
		{"what is no news is told once a week", testFinishAgain},
		{"results are written together", testFinishMany},
		{"trouble is counted and is no event", testFinishTrouble},
		{"verdicts are read as they were announced", testVerdicts},
		{"proofs of control are read with their teams", testControls},
		{"the latest selectors of a domain are kept", testSelectors},
		{"one row is run when somebody asks", testRunCheck},
		{"several claimants run each row once", testClaimOnce},
		{"pauses hold for everybody", testPauses},
		{"what somebody asks for goes first", testRunChecks},
		{"too many bad verdicts are held back", testGuard},
		{"held verdicts are accepted", testAcceptHeld},
		{"held verdicts are discarded", testDiscardHeld},
		{"transcripts that something refers to stay", testPruneChecks},
		{"rows of forgotten checks go", testPruneUnknown},
		{"a backup holds results and no leases", testChecksBackup},

		{"webhooks and endpoints are kept", testHooks},
		{"deliveries are leased in order", testDeliveries},
		{"events are numbered and pruned", testNotices},
		{"who is to be told is told once", testTellings},
		{"questions are listed in parts", testListParts},
		{"the history of old questions is forgotten", testForget},
		{"marks of teams that are gone are forgotten", testForgetGone},
		{"history is forgotten in parts", testForgetParts},

		{"numbers taken and not used do not commit", testUnusedNumbers},
		{"a failed write can't be committed around", testSwallowedError},
		{"an error or a panic undoes everything", testRollback},
		{"eight writers leave no gap", testWriters},
		{"commits come in the order of the sequence", testOrder},
		{"a view is one picture", testView},
		{"a context that ends ends the work", testContext},
		{"two writers on one record: one wins", testRace},

		{"a backup restores into each engine", testBackup},
		{"a restore replaces everything, with force only", testRestoreForce},
		{"a damaged backup changes nothing", testDamagedBackup},
		{"a backup is one moment beside writers", testBackupBeside},
		{"a backup that can't be written says so", testBackupFails},
		{"migrations run once", testMigrate},
		{"a schema that does not fit is refused", testSchema},
		{"another process's commit wakes", testWatch},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

// view reads and fails the test when it can't.
func view[T any](t testing.TB, s directory.Store, read func(directory.Reader) (T, error)) T {
	t.Helper()
	var got T
	err := s.View(context.Background(), func(r directory.Reader) (err error) {
		got, err = read(r)
		return err
	})
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return got
}

func team(t testing.TB, s directory.Store, id directory.TeamID) directory.Record {
	t.Helper()
	return view(t, s, func(r directory.Reader) (directory.Record, error) { return r.Team(id) })
}

func head(t testing.TB, s directory.Store) directory.Head {
	t.Helper()
	return view(t, s, directory.Reader.Head)
}

func update(t testing.TB, s directory.Store, fn func(directory.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func wantKind(t testing.TB, what string, err error, want directory.Kind) {
	t.Helper()
	if got := directory.KindOf(err); got != want {
		t.Errorf("%s: error %v, kind %q, want kind %q", what, err, got, want)
	}
}

// wantEqual tells nil from empty lists.
func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(got, want, cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("%s (-got +want):\n%s", what, d)
	}
}

// whole fails the test when anything in the database refers to nothing or the
// sequence has a gap.
func whole(t testing.TB, db *store.DB) {
	t.Helper()
	if err := db.Check(context.Background()); err != nil {
		t.Errorf("Check: %v", err)
	}
}
