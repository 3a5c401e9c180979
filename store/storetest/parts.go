package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

func testLayers(t *testing.T, e Engine) {
	_, db := e.Open(t)
	a, b := Small(1), Small(2)
	a.Layers = append(a.Layers, directory.Layer{Source: "other", Key: "x", Hash: "hx", At: Moment()})
	Write(t, db, a, b)
	read := func(source string) map[string]directory.LayerRef {
		return view(t, db, func(r directory.Reader) (map[string]directory.LayerRef, error) { return r.Layers(source) })
	}
	wantEqual(t, "Layers(list)", read("list"), map[string]directory.LayerRef{
		a.Layers[0].Key: {Team: a.ID, Hash: a.Layers[0].Hash}, b.Layers[0].Key: {Team: b.ID, Hash: b.Layers[0].Hash}})
	// The layers of a team that is merged go to the other one, in one write …
	b.Revision, a.Revision = 2, 2
	b.Layers = append(b.Layers, a.Layers...)
	a.Layers, a.MergedInto = nil, b.ID
	Write(t, db, a, b)
	if got := read("other")["x"].Team; got != b.ID {
		t.Errorf("after a merge the layer is of %s, want %s", got, b.ID)
	}
	// … and come back in the wrong order.
	a.Revision, b.Revision = 3, 3
	a.Layers, b.Layers = b.Layers[1:], b.Layers[:1]
	Write(t, db, a)
	Write(t, db, b)
	if got := read("other")["x"].Team; got != a.ID {
		t.Errorf("after the way back the layer is of %s, want %s", got, a.ID)
	}
	if got := read("nobody"); got == nil || len(got) != 0 {
		t.Errorf("Layers of an unknown source = %#v, want an empty map", got)
	}
	whole(t, db)
}

func testEvidence(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(1), Small(2))
	oldest, older, newest := Evidence("e1", Moment()), Evidence("e2", Moment()), Evidence("e3", Moment().Add(time.Hour))
	newest.ValidUntil = time.Time{}
	change := directory.Change{Type: "team", ID: string(TeamID(1)), Op: directory.OpUpsert, Revision: 1, At: Moment()}
	for _, items := range [][]directory.Evidence{{newest}, {older, oldest}} {
		update(t, db, func(tx directory.Tx) error {
			seq, err := tx.NextSeq(1)
			if err != nil {
				return err
			}
			change.Seq = seq
			if err := tx.PutEvidence(TeamID(1), items); err != nil {
				return err
			}
			return tx.Append(change, directory.AuditEntry{At: Moment(), Action: "record evidence"})
		})
	}
	want := []directory.Evidence{newest, older, oldest}
	got := team(t, db, TeamID(1))
	wantEqual(t, "Evidence", got.Evidence, want)
	if got.Seq != 4 || got.Revision != 1 {
		t.Errorf("after evidence Seq, Revision = %d, %d, want 4, 1", got.Seq, got.Revision)
	}
	all := view(t, db, func(r directory.Reader) ([]directory.Record, error) { return r.Teams(directory.TeamFilter{}) })
	wantEqual(t, "Teams", all[0], got)
	if all[1].Evidence != nil {
		t.Errorf("the other team has evidence %v", all[1].Evidence)
	}
	// A merge copies what was proven, and leaves the tombstone as it was.
	update(t, db, func(tx directory.Tx) error { return tx.PutEvidence(TeamID(2), want) })
	wantEqual(t, "copied evidence", team(t, db, TeamID(2)).Evidence, want)
	err := db.Update(context.Background(), func(tx directory.Tx) error { return tx.PutEvidence(TeamID(2), want[:1]) })
	wantKind(t, "the same item again", err, directory.Conflict)
	whole(t, db)
}

func testTokens(t *testing.T, e Engine) {
	_, db := e.Open(t)
	full := directory.Token{ID: "rct_1", Name: "n", Hash: "h", Role: directory.Editor, Team: TeamID(1), Forum: "first",
		Scopes: []directory.Scope{directory.ScopeRead, directory.ScopeWrite}, Created: Moment(), By: "cli:root",
		Expires: Moment().Add(time.Hour), LastUsed: Moment(), Revoked: Moment().Add(time.Minute)}
	none := directory.Token{ID: "rct_2", Role: directory.Consumer, Created: Moment().Add(time.Second), Scopes: []directory.Scope{}}
	all := directory.Token{ID: "rct_3", Role: directory.Operator, Created: Moment().Add(-time.Second)}
	for _, k := range []directory.Token{full, none, {ID: "rct_3", Name: "replaced"}, all} {
		update(t, db, func(tx directory.Tx) error { return tx.PutToken(k) })
	}
	wantEqual(t, "Tokens", view(t, db, directory.Reader.Tokens), []directory.Token{none, full, all})
	now := Moment().Add(time.Hour)
	if err := db.TouchTokens(context.Background(), map[string]time.Time{"rct_3": now, "rct_1": Moment().Add(-time.Hour), "gone": now}); err != nil {
		t.Fatalf("TouchTokens: %v", err)
	}
	all.LastUsed = now
	wantEqual(t, "a touched token", view(t, db, func(r directory.Reader) (directory.Token, error) { return r.Token("rct_3") }), all)
	wantEqual(t, "a token touched late", view(t, db, func(r directory.Reader) (directory.Token, error) { return r.Token("rct_1") }), full)
	if got := head(t, db).Seq; got != 0 {
		t.Errorf("the sequence is at %d after a touch, want 0", got)
	}
}

// load replaces a set of reference data as the next change.
func load(t testing.TB, s directory.Store, set directory.ReferenceSet, blocks [][]byte) {
	t.Helper()
	update(t, s, func(tx directory.Tx) error {
		seq, err := tx.NextSeq(1)
		if err != nil {
			return err
		}
		if err := tx.PutReference(set, blocks); err != nil {
			return err
		}
		return tx.Append(directory.Change{Seq: seq, Type: "reference", ID: set.ID(), Op: directory.OpUpsert, At: Moment()}, directory.AuditEntry{At: Moment()})
	})
}

// readBlocks reads a set while it asks for something else too.
func readBlocks(s directory.Store, set directory.ReferenceSet, yield func([]byte) error) error {
	return s.View(context.Background(), func(r directory.Reader) error {
		return r.ReferenceBlocks(set.Kind, set.Source, func(b []byte) error {
			if _, err := r.Head(); err != nil {
				return err
			}
			return yield(b)
		})
	})
}

func testReferences(t *testing.T, e Engine) {
	_, db := e.Open(t)
	set := directory.ReferenceSet{Kind: directory.PrefixCountry, Source: "rir", AsOf: Moment().Truncate(24 * time.Hour), Loaded: Moment(), Rows: 100000, Hash: "h", Seq: 1}
	other := directory.ReferenceSet{Kind: directory.ASNCountry, Source: "rir", Loaded: Moment(), Seq: 2}
	var blocks [][]byte
	for i := range 100 {
		blocks = append(blocks, append(bytes.Repeat([]byte{byte(i), 0, 0xff}, 5000), byte(i)))
	}
	wantBlocks := func(want [][]byte) {
		t.Helper()
		var got [][]byte
		if err := readBlocks(db, set, func(b []byte) error { got = append(got, b); return nil }); err != nil {
			t.Error(err)
		}
		wantEqual(t, "ReferenceBlocks", got, want)
	}
	load(t, db, set, blocks)
	load(t, db, other, blocks[:1])
	wantEqual(t, "References", view(t, db, directory.Reader.References), []directory.ReferenceSet{other, set})
	wantBlocks(blocks)
	stop := errors.New("stop")
	if err := readBlocks(db, set, func([]byte) error { return stop }); err != stop {
		t.Errorf("ReferenceBlocks returned %v, want the error of yield", err)
	}
	set.Seq, set.Rows = 3, 7
	load(t, db, set, blocks[:3])
	wantBlocks(blocks[:3])
	load(t, db, set, nil)
	wantBlocks(nil)
	wantEqual(t, "References after a removal", view(t, db, directory.Reader.References), []directory.ReferenceSet{other})
	whole(t, db)
}
