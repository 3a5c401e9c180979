package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

func decision(a, b int) directory.MatchDecision {
	return directory.MatchDecision{A: TeamID(a), B: TeamID(b), Facts: []string{"mailbox cert@example.org", "name «例え»"}, Reason: "two towns",
		By: "cli:root", At: Moment(), Seq: 3}
}

func decisions(t testing.TB, s directory.Store, id directory.TeamID) []directory.MatchDecision {
	t.Helper()
	return view(t, s, func(r directory.Reader) ([]directory.MatchDecision, error) { return r.Decisions(id) })
}

func testDecisions(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(1), Small(2), Small(3))
	if got := decisions(t, db, ""); got != nil {
		t.Errorf("Decisions of an empty table = %v, want nil", got)
	}
	bare := directory.MatchDecision{A: TeamID(2), B: TeamID(3), Facts: []string{}, By: "x", At: Moment().Add(time.Second), Seq: 4}
	for _, d := range []directory.MatchDecision{bare, {A: TeamID(1), B: TeamID(2), Reason: "replaced"}, decision(1, 2)} {
		update(t, db, func(tx directory.Tx) error { return tx.PutDecision(d) })
	}
	wantEqual(t, "Decisions", decisions(t, db, ""), []directory.MatchDecision{decision(1, 2), bare})
	wantEqual(t, "Decisions(3)", decisions(t, db, TeamID(3)), []directory.MatchDecision{bare})
	wantEqual(t, "Decisions(1)", decisions(t, db, TeamID(1)), []directory.MatchDecision{decision(1, 2)})
	for range 2 { // the second time there is nothing to drop
		update(t, db, func(tx directory.Tx) error { return tx.DropDecision(TeamID(2), TeamID(3)) })
	}
	wantEqual(t, "Decisions after a drop", decisions(t, db, ""), []directory.MatchDecision{decision(1, 2)})
	for what, d := range map[string]directory.MatchDecision{"a team that does not exist": decision(1, 9), "a pair the wrong way round": decision(2, 1)} {
		err := db.Update(context.Background(), func(tx directory.Tx) error { return tx.PutDecision(d) })
		if err == nil {
			t.Errorf("%s: PutDecision = nil, want an error", what)
		}
	}
	whole(t, db)
}

func testDropEvidence(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(1), Small(2))
	var items []directory.Evidence
	var names []string
	for i := range 300 { // more than one statement takes
		items = append(items, Evidence(string(rune('a'+i%26))+string(rune('0'+i/26)), Moment()))
		names = append(names, items[i].ID)
	}
	put := func(id directory.TeamID, list []directory.Evidence) {
		update(t, db, func(tx directory.Tx) error { return tx.PutEvidence(id, list) })
	}
	put(TeamID(1), items)
	put(TeamID(2), items[:3])
	update(t, db, func(tx directory.Tx) error { return tx.DropEvidence(TeamID(1), append(names[1:], "unknown")) })
	wantEqual(t, "what is left", team(t, db, TeamID(1)).Evidence, items[:1])
	wantEqual(t, "the other team's", team(t, db, TeamID(2)).Evidence, items[:3])
	put(TeamID(1), items[1:2]) // and back, with a number that nobody has
	if got := len(team(t, db, TeamID(1)).Evidence); got != 2 {
		t.Errorf("%d items after one came back, want 2", got)
	}
	update(t, db, func(tx directory.Tx) error { return tx.DropEvidence(TeamID(1), nil) })
	whole(t, db)
}
