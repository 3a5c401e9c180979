package format_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// TestMatchesOfRealData finds the matches of two published directories, in
// which each list has every team once: what they have in common is with the
// other one, or in one list under two keys.
func TestMatchesOfRealData(t *testing.T) {
	dotgov, national := realData(t, "dotgov.csv"), realData(t, "national-csirts.sql")
	_, db := storetest.SQLite().Open(t)
	d, err := directory.New(directory.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	ctx, operator := context.Background(), directory.Principal{Name: "test", Role: directory.Operator}
	for source, list := range map[string]directory.ImportItems{"dotgov": format.Dotgov(bytes.NewReader(dotgov)), "national-csirts": format.NationalCSIRTs(bytes.NewReader(national))} {
		if _, err := d.Import(ctx, operator, directory.ImportOptions{Source: source}, list); err != nil {
			t.Fatal(err)
		}
	}
	var x *directory.Index
	err = db.View(ctx, func(r directory.Reader) (err error) {
		x, err = directory.LoadIndex(r, directory.IndexOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	teams := slices.Collect(x.Teams())
	start := time.Now()
	matches := directory.FindMatches(teams)
	took := time.Since(start)
	worth, across := 0, 0
	for _, m := range matches {
		if m.Score >= 0.3 {
			worth++
			if !m.Has(directory.ReasonSource) {
				across++
				t.Logf("%.2f %s = %s: %v", m.Score, m.A.Handle, m.B.Handle, m.Reasons)
			}
		}
	}
	t.Logf("%d teams, %d matches, %d from 0.3 on, of which %d are between the lists; %v", len(teams), len(matches), worth, across, took)
	if len(teams) < 10_000 || worth == 0 || worth > len(teams)/20 {
		t.Errorf("%d matches among %d teams, want some, and few enough to be looked at", worth, len(teams))
	}
	if took > 20*time.Second { // two on a machine that does nothing else
		t.Errorf("it took %v", took)
	}
	rules, err := directory.ParseRules("uuid,key+country,mailbox+country+near-name")
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.ApplyRules(ctx, operator, directory.RuleOptions{Rules: rules, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range report.Merges {
		t.Logf("rule %s: %s into %s: %v", m.Rule, m.From.Name, m.Into.Name, m.Reasons)
	}
}
