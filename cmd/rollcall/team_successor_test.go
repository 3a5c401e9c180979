package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

func pgpKey(t *testing.T, cfg *packet.Config) (*openpgp.Entity, []byte, directory.Key) {
	t.Helper()
	e, err := openpgp.NewEntity("Team", "", "csirt@example.org", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	k, _, err := directory.ParseKey(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return e, b.Bytes(), k
}

// TestTeamSuccessor gathers what speaks for a new key: first nothing, then two
// operators, and for another one a statement of the old key.
func TestTeamSuccessor(t *testing.T) {
	made := labTime()
	cfg := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return made.AddDate(0, -1, 0) }}
	old, _, oldKey := pgpKey(t, cfg)
	_, next, nextKey := pgpKey(t, cfg)
	dsn, db := storetest.SQLite().Open(t)
	d, err := directory.New(directory.Config{Store: db, Now: labTime})
	if err != nil {
		t.Fatal(err)
	}
	ctx, ben := context.Background(), directory.Principal{Name: "cli:ben the other", Role: directory.Operator}
	if _, err := d.Create(ctx, ben, directory.NewTeam{Handle: "alpha", Profile: directory.Profile{Names: directory.Names{Short: "Alpha"}, Keys: []directory.TeamKey{{Key: oldKey}}}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	keyFile := file("new.pgp", next)
	var signed bytes.Buffer
	w, err := clearsign.Encode(&signed, old.PrivateKey, cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("Our new key is " + string(nextKey.Fingerprint) + "\n"))
	_ = w.Close()
	statement := file("statement.asc", signed.Bytes())
	run := func(want int, args ...string) string {
		t.Helper()
		w, out, errs := testWorld(nil)
		w.now = labTime
		if status := w.report(run(t.Context(), w, append([]string{"team", "successor", "--db", dsn}, args...))); status != want {
			t.Errorf("%q: status %d, want %d: %s%s", args, status, want, out, errs)
		}
		return out.String() + errs.String()
	}
	says := func(out string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(out, part) {
				t.Errorf("want %q in:\n%s", part, out)
			}
		}
	}
	says(run(1, "alpha", keyFile), "should not take the place of "+string(oldKey.Fingerprint))
	says(run(1, "--confirm", "called them", "alpha", keyFile), "confirmed by cli:", "called them")
	says(run(1, "--confirm", "called them", "alpha", keyFile), "vouched for this key already")
	says(run(1, "alpha", keyFile), "should not take the place of") // once more is still one
	if _, err := d.VouchForKey(ctx, ben, "alpha", nextKey.Fingerprint, "met them"); err != nil {
		t.Fatal(err)
	}
	says(run(0, "alpha", keyFile), "may take the place of", "confirmed by 2 operators", "ben the other")
	says(run(0, "--statement", statement, "--json", "alpha", keyFile), `"grounds":["statement","operators"]`, `"ground":"stated"`, "Our new key is "+string(nextKey.Fingerprint))
	says(run(2, "--confirm", " ", "alpha", keyFile), "say how you asked")
	says(run(2, "alpha", statement), "KEYFILE")
	says(run(2, "alpha", filepath.Join(dir, "none")), "no such file")
	run(1, "beta", keyFile)
	if team, err := d.Team(ctx, ben, "alpha"); err != nil || team.Revision != 4 || len(team.Keys) != 1 || team.Keys[0].Fingerprint != oldKey.Fingerprint {
		t.Errorf("the team is %+v, %v; want its key as it was", team.Keys, err)
	}
}
