package directory_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TestVouchForKey has two operators confirm a key, one of them twice.
func TestVouchForKey(t *testing.T) {
	f := directory.Fingerprint(strings.Repeat("AB", 20))
	ann, ben := directory.Principal{Name: "cli:ann", Role: directory.Operator}, directory.Principal{Name: "cli:ben", Role: directory.Operator}
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		start, was := d.clock.at, d.head()
		word := directory.KeyWord{Fingerprint: f, Ground: directory.KeyConfirmed, Note: "called the number of 2019"}
		for _, p := range []directory.Principal{ann, ann, ben} {
			d.clock.at = d.clock.at.Add(time.Hour)
			if err := d.VouchForKey(ctx, p, "alpha", word); err != nil {
				t.Fatal(err)
			}
		}
		got, err := d.KeyWords(ctx, ann, "alpha", f)
		want := []directory.KeyWord{
			{Fingerprint: f, Ground: directory.KeyConfirmed, By: "cli:ben", At: start.Add(3 * time.Hour), Note: word.Note},
			{Fingerprint: f, Ground: directory.KeyConfirmed, By: "cli:ann", At: start.Add(time.Hour), Note: word.Note},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("KeyWords: %v (-want +got):\n%s", err, diff)
		}
		if n := d.head() - was; n != 2 {
			t.Errorf("%d changes, want 2", n)
		}
		if other, err := d.KeyWords(ctx, ann, "alpha", directory.Fingerprint(strings.Repeat("CD", 20))); err != nil || len(other) != 0 {
			t.Errorf("of another key: %+v, %v", other, err)
		}
		now, err := d.Team(ctx, ann, "alpha")
		if err != nil || now.Revision != team.Revision {
			t.Errorf("the team is at revision %d, %v; want %d", now.Revision, err, team.Revision)
		}
		editor := directory.Principal{Name: "e", Role: directory.Editor, Team: team.ID}
		if err := d.VouchForKey(ctx, editor, "alpha", word); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("the team's own editor vouches: %v", err)
		}
		if _, err := d.KeyWords(ctx, editor, "alpha", f); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("the team's own editor reads: %v", err)
		}
		word.Fingerprint = "ABCD"
		wantCode(t, d.VouchForKey(ctx, ann, "alpha", word), directory.Invalid, "key.fingerprint-malformed", "/fingerprint")
	})
}
