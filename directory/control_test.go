package directory_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// withDomains makes a team with resources.
func (d door) withDomains(handle string, list ...directory.Resource) directory.Team {
	d.t.Helper()
	d.create(handle)
	team, err := d.Edit(context.Background(), operator, handle, edit(func(p *directory.Profile) { p.Resources = list }))
	if err != nil {
		d.t.Fatal(err)
	}
	return team
}

func domainResource(name string, claim directory.Word) directory.Resource {
	return directory.Resource{Type: "domain", Domain: directory.Domain(name), Claim: claim}
}

// see writes what a check saw of a proof, as the verifier does.
func (d door) see(team directory.Team, domain directory.Domain, state directory.Word) {
	d.t.Helper()
	err := d.store.Update(context.Background(), func(tx directory.Tx) error {
		r, err := tx.Team(team.ID)
		if err != nil {
			return err
		}
		t := r.Team()
		c := *t.Control(domain)
		token, err := tx.ControlToken(team.ID, domain)
		if err != nil {
			return err
		}
		c.State, c.Since, c.Seen = state, d.clock.at, d.clock.at
		return tx.PutControl(team.ID, c, token)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// claim is the state of the claim to a domain, as it is shown.
func (d door) claim(handle string, domain directory.Domain) directory.Word {
	d.t.Helper()
	team, err := d.Team(context.Background(), operator, handle)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range team.Resources {
		if r.Domain == domain {
			return r.Claim
		}
	}
	return "none"
}

func TestControl(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.withDomains("alpha", domainResource("example.org", "listed"), domainResource("example.net", ""))
		editor := directory.Principal{Name: "ed", Role: directory.Editor, Team: team.ID}
		c, token, err := d.StartControl(ctx, editor, "alpha", directory.NewControl{Domain: "example.org"})
		if err != nil || c.State != directory.ControlWaiting || !c.Started.Equal(d.clock.at) || c.Digest != directory.TokenDigest(strings.ToLower(token)) {
			t.Fatalf("StartControl = %+v, %v", c, err)
		}
		if !regexp.MustCompile(`^[A-Z2-7]{32}$`).MatchString(token) {
			t.Errorf("token %q, want 32 characters of base32", token)
		}
		if got, want := directory.ControlRecord(token, ""), "token="+token+" expiry=never"; got != want {
			t.Errorf("ControlRecord = %q, want %q", got, want)
		}
		if got := d.claim("alpha", "example.org"); got != "listed" {
			t.Errorf("the claim is %q before anything was seen, want listed", got)
		}

		head := d.head()
		again, same, err := d.StartControl(ctx, operator, "alpha", directory.NewControl{Domain: "example.org"})
		if err != nil || same != token || again != c || d.head() != head {
			t.Errorf("the same again = %+v, %v; want it as it was, and no change", again, err)
		}
		dated, same, err := d.StartControl(ctx, operator, "alpha", directory.NewControl{Domain: "example.org", Expiry: "2030-01-01"})
		if err != nil || same != token || dated.Expiry != "2030-01-01" {
			t.Errorf("with an expiry = %+v, %v; want the same token", dated, err)
		}
		if got, want := directory.ControlRecord(token, dated.Expiry), "token="+token+" expiry=2030-01-01"; got != want {
			t.Errorf("ControlRecord = %q, want %q", got, want)
		}
		_, other, err := d.StartControl(ctx, operator, "alpha", directory.NewControl{Domain: "example.net"})
		if err != nil || other == token {
			t.Errorf("the token of another domain is %q, %v; want another one", other, err)
		}

		d.see(team, "example.org", directory.ControlConfirmed)
		if a, b := d.claim("alpha", "example.org"), d.claim("alpha", "example.net"); a != "confirmed" || b != "" {
			t.Errorf("the claims are %q and %q, want confirmed and none", a, b)
		}
		c, token2, err := d.RenewControl(ctx, editor, "alpha", "example.org")
		if err != nil || token2 == token || c.State != directory.ControlWaiting || c.Expiry != "2030-01-01" || d.claim("alpha", "example.org") != "listed" {
			t.Errorf("RenewControl = %+v, %v; want another token, waiting, with the same expiry, and the claim as it was entered", c, err)
		}
		if got, shown, err := d.ControlToken(ctx, editor, "alpha", "example.org"); err != nil || shown != token2 || got != c {
			t.Errorf("ControlToken = %+v, %q, %v; want %+v, %q", got, shown, err, c, token2)
		}
		d.see(team, "example.org", directory.ControlConfirmed)
		if err := d.WithdrawControl(ctx, editor, "alpha", "example.org"); err != nil || d.claim("alpha", "example.org") != "listed" {
			t.Errorf("after WithdrawControl, %v, the claim is %q, want as it was entered", err, d.claim("alpha", "example.org"))
		}
		if _, err := d.CheckControl(ctx, editor, "alpha", "example.net"); err != nil {
			t.Errorf("CheckControl of what is not planned: %v", err)
		}
	})
}

func TestControlRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.withDomains("alpha", domainResource("example.org", ""), domainResource("example.net", ""))
		d.create("beta")
		editor := directory.Principal{Name: "ed", Role: directory.Editor, Team: team.ID}
		start := func(p directory.Principal, n directory.NewControl) error {
			_, _, err := d.StartControl(ctx, p, "alpha", n)
			return err
		}
		wantCode(t, start(editor, directory.NewControl{Domain: "sub.example.org"}), directory.NotFound, "control.no-resource", "")
		wantCode(t, start(editor, directory.NewControl{Domain: "example.org", Expiry: "2026-01-01"}), directory.Invalid, "control.expiry", "/expiry")
		wantCode(t, start(editor, directory.NewControl{Domain: "example.org", Token: strings.Repeat("A", 32)}), directory.Forbidden, "control.token", "")
		wantCode(t, start(operator, directory.NewControl{Domain: "example.org", Token: "A"}), directory.Invalid, "control.token", "")
		if err := start(operator, directory.NewControl{Domain: "example.org", Token: strings.Repeat("a", 32)}); err != nil {
			t.Errorf("an operator's own token: %v", err)
		}
		if _, token, err := d.ControlToken(ctx, operator, "alpha", "example.org"); err != nil || token != strings.Repeat("A", 32) {
			t.Errorf("ControlToken = %q, %v; want it in capitals", token, err)
		}
		_, _, err := d.RenewControl(ctx, editor, "alpha", "example.net")
		wantCode(t, err, directory.NotFound, "control.unknown", "")
		wantCode(t, d.WithdrawControl(ctx, editor, "alpha", "example.net"), directory.NotFound, "control.unknown", "")
		_, err = d.CheckControl(ctx, editor, "alpha", "example.net")
		wantCode(t, err, directory.NotFound, "control.unknown", "")
		_, _, err = d.ControlToken(ctx, editor, "alpha", "example.net")
		wantCode(t, err, directory.NotFound, "control.unknown", "")

		for _, p := range []directory.Principal{
			{Name: "other", Role: directory.Editor, Team: "x"}, {Name: "sec", Role: directory.Secretariat, Forum: "forum"}, {Name: "c", Role: directory.Consumer, Team: team.ID},
		} {
			wantCode(t, start(p, directory.NewControl{Domain: "example.org"}), directory.Forbidden, "auth.role", "")
			_, _, err := d.RenewControl(ctx, p, "alpha", "example.org")
			wantCode(t, err, directory.Forbidden, "auth.role", "")
			wantCode(t, d.WithdrawControl(ctx, p, "alpha", "example.org"), directory.Forbidden, "auth.role", "")
			_, err = d.CheckControl(ctx, p, "alpha", "example.org")
			wantCode(t, err, directory.Forbidden, "auth.role", "")
			_, _, err = d.ControlToken(ctx, p, "alpha", "example.org")
			wantCode(t, err, directory.Forbidden, "auth.role", "")
		}
		reader := editor
		reader.Scopes = []directory.Scope{directory.ScopeRead}
		wantCode(t, start(reader, directory.NewControl{Domain: "example.org"}), directory.Forbidden, "auth.scope", "")
		if _, _, err := d.ControlToken(ctx, reader, "alpha", "example.org"); err != nil {
			t.Errorf("an editor's token that reads: %v", err)
		}
	})
}

// TestControlAndEdits: what a proof confirms is never entered by an edit that
// sends it back, and a dispute outweighs it.
func TestControlAndEdits(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.withDomains("alpha", domainResource("example.org", "listed"), domainResource("example.net", "confirmed"))
		editor := directory.Principal{Name: "ed", Role: directory.Editor, Team: team.ID}
		for _, domain := range []directory.Domain{"example.org", "example.net"} {
			if _, _, err := d.StartControl(ctx, editor, "alpha", directory.NewControl{Domain: domain}); err != nil {
				t.Fatal(err)
			}
			d.see(team, domain, directory.ControlConfirmed)
		}
		for _, p := range []directory.Principal{editor, operator} {
			_, err := d.Edit(ctx, p, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(now *directory.Team, own *directory.Profile) error {
				own.Resources = nil
				for _, r := range now.Resources {
					own.Resources = append(own.Resources, directory.Resource{Type: r.Type, Domain: r.Domain, Claim: r.Claim, Holder: p.Name})
				}
				return nil
			}})
			if err != nil {
				t.Fatalf("%s sends back what is shown: %v", p.Name, err)
			}
		}
		_, err := d.Edit(ctx, editor, "alpha", edit(func(p *directory.Profile) {
			p.Resources = append(p.Resources, domainResource("example.com", "confirmed"))
		}))
		wantCode(t, err, directory.Invalid, "auth.field", "/resources/2/claim")
		// Taken out and put in again, it is still proven.
		for _, list := range [][]directory.Resource{{domainResource("example.net", "confirmed")}, {domainResource("example.org", "confirmed"), domainResource("example.net", "confirmed")}} {
			if _, err := d.Edit(ctx, editor, "alpha", edit(func(p *directory.Profile) { p.Resources = list })); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.claim("alpha", "example.org"); got != "confirmed" {
			t.Errorf("the claim is %q after the domain went and came, want confirmed", got)
		}
		d.see(team, "example.org", directory.ControlLost)
		d.see(team, "example.net", directory.ControlLapsed)
		if a, b := d.claim("alpha", "example.org"), d.claim("alpha", "example.net"); a != "" || b != "confirmed" {
			t.Errorf("without proof the claims are %q and %q, want none and what the operator entered", a, b)
		}
		d.see(team, "example.org", directory.ControlConfirmed)
		if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Resources[0].Claim = "disputed" })); err != nil {
			t.Fatal(err)
		}
		if got := d.claim("alpha", "example.org"); got != "disputed" {
			t.Errorf("the claim is %q, want disputed although it is proven", got)
		}
	})
}

// TestControlIsSeen: nobody sees a digest, nor a proof for a domain that is
// hidden from them; a lookup shows what is proven.
func TestControlIsSeen(t *testing.T) {
	list := []directory.Control{{Domain: "example.net", Digest: "d", State: directory.ControlConfirmed}, {Domain: "example.org", Digest: "e", State: directory.ControlWaiting}}
	r := directory.Record{ID: "1", Handle: "alpha", Controls: list}
	r.Own.Names.Short = "Alpha"
	r.Own.Resources = []directory.Resource{domainResource("example.net", ""), {Type: "domain", Domain: "example.org", Visibility: directory.Red}}
	team := r.Team()
	if len(team.Controls) != 2 || team.Controls[0].Digest != "d" || team.Resources[0].Claim != "confirmed" || r.Own.Resources[0].Claim != "" {
		t.Fatalf("Team = %+v with %+v", team.Resources, team.Controls)
	}
	for _, p := range []struct {
		directory.Principal
		want int
	}{{directory.Nobody(), 1}, {operator, 2}} {
		got := directory.Redact(&team, p.Principal)
		if len(got.Controls) != p.want {
			t.Errorf("%s sees %d proofs, want %d", p.Name, len(got.Controls), p.want)
		}
		for _, c := range got.Controls {
			if c.Digest != "" {
				t.Errorf("%s sees the digest of %s", p.Name, c.Domain)
			}
		}
	}
	if team.Controls[0].Digest != "d" {
		t.Error("Redact wrote into the team")
	}
}

func TestControlEnd(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		c    directory.Control
		want time.Time
	}{
		{"waiting", directory.Control{State: directory.ControlWaiting}, time.Time{}},
		{"lost", directory.Control{State: directory.ControlLost, Seen: at, Until: at}, time.Time{}},
		{"without a date", directory.Control{State: directory.ControlConfirmed, Seen: at}, at.Add(directory.ControlLasts)},
		{"with a near one", directory.Control{State: directory.ControlConfirmed, Seen: at, Until: at.AddDate(0, 1, 0)}, at.AddDate(0, 1, 0)},
		{"with one far away", directory.Control{State: directory.ControlConfirmed, Seen: at, Until: at.AddDate(1, 0, 0)}, at.Add(directory.ControlLasts)},
	} {
		if got := c.c.End(); !got.Equal(c.want) {
			t.Errorf("%s: End = %v, want %v", c.name, got, c.want)
		}
	}
}
