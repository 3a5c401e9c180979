package main

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
)

// TestWorkerOrigins: checks of a worker are told which network announces an address, by the reference
// data that was imported, and the transcript has it.
func TestWorkerOrigins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string, db *store.DB) {
		storetest.Write(t, db, storetest.Small(0))
		err := db.Update(t.Context(), func(tx directory.Tx) error {
			seq, err := tx.NextSeq(1)
			if err != nil {
				return err
			}
			set := directory.ReferenceSet{Kind: directory.PrefixASN, Source: "bgp", Loaded: storetest.Moment(), Rows: 1, Hash: "h", Seq: seq}
			rows := []directory.ReferenceRow{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Origins: []directory.ASN{64496}}}
			if err := tx.PutReference(set, directory.EncodeReference(rows)); err != nil {
				return err
			}
			return tx.Append(directory.Change{Seq: seq, Type: "reference", ID: set.ID(), Op: directory.OpUpsert, At: storetest.Moment()}, directory.AuditEntry{At: storetest.Moment()})
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		told := make(chan []directory.ASN, 100) // of each run
		check := verify.Check{Name: "x", Every: time.Hour, Applies: func(team *directory.Team) []verify.Subject {
			return []verify.Subject{{Kind: verify.SubjectContact, ID: team.Contacts[0].Value}}
		}, Run: func(_ context.Context, n verify.Network, target verify.Target) (verify.Result, error) {
			known, strange := netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("198.51.100.53")
			told <- append(n.Origins(known), n.Origins(strange)...)
			return verify.Result{}, nil
		}}
		c := &call{world: world{now: time.Now, stdout: &lockedBuffer{}}, ctx: ctx, log: slog.New(slog.DiscardHandler),
			cfg: &config{DB: dsn, ShutdownTimeout: time.Second, Verify: verifyConfig{Concurrency: 1}}}
		done := make(chan error, 1)
		go func() {
			done <- c.runWorker(verify.RunnerConfig{Network: noNetwork{}, Checks: []verify.Check{check}, Poll: 10 * time.Millisecond})
		}()
		var got []directory.ASN
		select {
		case got = <-told:
		case <-ctx.Done():
			t.Fatal("the check was not run")
		}
		if !slices.Equal(got, []directory.ASN{64496}) {
			t.Errorf("a check is told %v, want AS64496 for the one address and nothing for the other", got)
		}
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for raw := ""; raw == ""; <-tick.C {
			list, err := db.Verifications(ctx, storetest.TeamID(0))
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 || list[0].Raw == "" {
				continue
			}
			raw = list[0].Raw
			data, err := db.Transcript(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := verify.DecodeTranscript(data)
			if err != nil || len(kept.Origins) != 1 || !slices.Equal(verify.Replay(kept).Origins(netip.MustParseAddr("192.0.2.53")), got) {
				t.Errorf("the transcript has %+v, %v", kept.Origins, err)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
