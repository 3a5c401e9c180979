package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// sees is a check of proofs of control that sees what it is told to.
func sees(look func() (verify.Sight, error)) verify.Check {
	return verify.Check{Name: directory.ControlCheck, Every: 7 * 24 * time.Hour,
		Applies: func(t *directory.Team) (list []verify.Subject) {
			for _, c := range t.Controls {
				list = append(list, verify.Subject{Kind: verify.SubjectDomain, ID: string(c.Domain)})
			}
			return list
		},
		Run: func(_ context.Context, _ verify.Network, t verify.Target) (r verify.Result, err error) {
			s, err := look()
			if err != nil || s == "" {
				return r, err
			}
			next := t.Control.Saw(s, time.Time{}, "secure", t.Now)
			r.Control = &next
			r.Facts = []verify.Fact{{Name: "state", Value: next.State}}
			return r, nil
		}}
}

// TestControlLife follows a proof from its beginning to its loss, with an index
// that shows each step, and the transcript that shows why.
func TestControlLife(t *testing.T) {
	ctx := context.Background()
	s := newScene(t)
	team := s.team("alpha", "example.org")
	var look func() (verify.Sight, error)
	view := &switched{}
	check := sees(nil)
	check.Run = func(ctx context.Context, n verify.Network, target verify.Target) (verify.Result, error) {
		return view.do(ctx, n, target)
	}
	to := func(f func() (verify.Sight, error)) {
		look = f
		view.to(sees(look).Run)
	}
	saw := func(what verify.Sight) func() (verify.Sight, error) {
		return func() (verify.Sight, error) { return what, nil }
	}
	to(saw(verify.SightAbsent))
	s.run(s.config(check))
	if _, _, err := s.StartControl(ctx, operator, "alpha", directory.NewControl{Domain: "example.org"}); err != nil {
		t.Fatal(err)
	}
	state := func() directory.Control {
		now, _ := s.follower.Index().Team(team.ID)
		if c := now.Control("example.org"); c != nil {
			return *c
		}
		return directory.Control{}
	}
	claim := func() directory.Word {
		now, _ := s.follower.Index().Team(team.ID)
		return now.Resources[0].Claim
	}
	step := func(what string, after time.Duration, f func() (verify.Sight, error), right func(directory.Control) bool, want directory.Word) {
		t.Helper()
		to(f)
		s.clock.move(after)
		if _, err := s.CheckControl(ctx, operator, "alpha", "example.org"); err != nil {
			t.Fatal(err)
		}
		at := s.clock.now()
		s.await(what, team.ID, directory.ControlCheck, "example.org", func(v verify.Verification) bool { return v.Tried.Equal(at) })
		s.until(what, func() bool { return right(state()) })
		if got := claim(); got != want {
			t.Errorf("%s: the claim is %q, want %q", what, got, want)
		}
	}
	is := func(want directory.Word) func(directory.Control) bool {
		return func(c directory.Control) bool { return c.State == want }
	}
	peer := func() (verify.Sight, error) { return "", &verify.Trouble{Code: verify.DNSTimeout} }
	own := func() (verify.Sight, error) { return "", &verify.Trouble{Code: verify.CodeInternal, Ours: true} }
	const day = 24 * time.Hour

	s.await("not published", team.ID, directory.ControlCheck, "example.org", verdict(verify.VerdictOK))
	step("published", time.Hour, saw(verify.SightProved), is(directory.ControlConfirmed), "confirmed")
	first := state()
	if first.RawHash == "" || first.DNSSEC != "secure" || !first.Seen.Equal(s.clock.now()) {
		t.Errorf("the proof is %+v, want when, how and the transcript", first)
	}
	data, err := s.db.Transcript(ctx, first.RawHash)
	if err != nil {
		t.Fatalf("the transcript of the proof: %v", err)
	}
	kept, err := verify.DecodeTranscript(data)
	if err != nil || kept.Target.Control == nil || kept.Target.Control.State != directory.ControlWaiting || kept.Target.Control.Digest != first.Digest {
		t.Errorf("the transcript holds %+v, %v; want the proof as it was", kept.Target.Control, err)
	}
	step("seen again within a day, which is no news", time.Hour, saw(verify.SightProved), func(c directory.Control) bool { return c == first }, "confirmed")
	step("seen again a week later", 7*day, saw(verify.SightProved), func(c directory.Control) bool { return c.Seen.Equal(s.clock.now()) && c.Since.Equal(first.Since) }, "confirmed")
	step("gone once", 7*day, saw(verify.SightAbsent), func(c directory.Control) bool { return c.Missing.Equal(s.clock.now()) }, "confirmed")
	step("out of reach for days", 5*day, peer, is(directory.ControlConfirmed), "confirmed")
	step("nothing that counts", day, saw(""), is(directory.ControlConfirmed), "confirmed")
	step("gone twice", time.Hour, saw(verify.SightAbsent), is(directory.ControlLost), "")
	step("there again", day, saw(verify.SightProved), func(c directory.Control) bool { return c.State == directory.ControlConfirmed && c.Missing.IsZero() }, "confirmed")
	step("our own trouble, for months", 100*day, own, is(directory.ControlConfirmed), "confirmed")
	step("out of reach for as long", time.Hour, peer, is(directory.ControlLapsed), "")
	step("and back", day, saw(verify.SightProved), is(directory.ControlConfirmed), "confirmed")
	if _, _, err := s.RenewControl(ctx, operator, "alpha", "example.org"); err != nil {
		t.Fatal(err)
	}
	s.until("a new token counts anew", func() bool { return state().State == directory.ControlConfirmed && state().Digest != first.Digest })
	if err := s.WithdrawControl(ctx, operator, "alpha", "example.org"); err != nil {
		t.Fatal(err)
	}
	s.until("withdrawn", func() bool {
		_, known := s.known(team.ID, directory.ControlCheck, "example.org")
		return !known && claim() == ""
	})
}

// TestControlSaw holds the rules of loss one by one.
func TestControlSaw(t *testing.T) {
	states := directory.ControlStates
	for _, state := range states {
		for _, s := range []verify.Sight{verify.SightProved, verify.SightAbsent, verify.SightExpired} {
			for _, missing := range []time.Duration{0, time.Hour, verify.ControlPatience, -time.Hour} {
				c := verify.Control{State: state, Since: now.AddDate(0, 0, -30), Seen: now.AddDate(0, 0, -7)}
				if missing != 0 {
					c.Missing = now.Add(-missing)
				}
				want := c
				become := func(state string) { want.State, want.Since = state, now }
				switch {
				case s == verify.SightProved:
					if state != directory.ControlConfirmed {
						become(directory.ControlConfirmed)
					}
					want.Seen, want.DNSSEC, want.Missing = now, "insecure", time.Time{}
				case s == verify.SightExpired:
					want.Missing = time.Time{}
					if state == directory.ControlConfirmed {
						become(directory.ControlLapsed)
					}
				case state != directory.ControlConfirmed:
				case missing >= verify.ControlPatience:
					become(directory.ControlLost)
				case missing <= 0:
					want.Missing = now
				}
				if got := c.Saw(s, time.Time{}, "insecure", now); got != want {
					t.Errorf("%s, missing for %v, sees %s = %+v, want %+v", state, missing, s, got, want)
				}
			}
		}
	}
}
