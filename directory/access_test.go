package directory_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TestWhoMayDoWhat runs every operation as every role, on its own team and on
// another's: the cell says whether it is allowed.
func TestWhoMayDoWhat(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		own, other := d.create("own"), d.create("other")
		if _, err := d.Edit(ctx, operator, "other", edit(func(p *directory.Profile) { p.Memberships = nil })); err != nil {
			t.Fatal(err)
		}
		principals := []directory.Principal{
			directory.Nobody(),
			{Name: "consumer", Role: directory.Consumer, Team: own.ID},
			{Name: "editor", Role: directory.Editor, Team: own.ID},
			{Name: "secretariat", Role: directory.Secretariat, Forum: "forum"},
			{Name: "reader", Role: directory.Operator, Scopes: []directory.Scope{directory.ScopeRead}},
			operator,
		}
		_, token, err := d.CreateToken(ctx, operator, directory.TokenSpec{Name: "x", Role: directory.Consumer})
		if err != nil {
			t.Fatal(err)
		}
		host := 0
		edits := func(ref string) func(directory.Principal) error {
			return func(p directory.Principal) error {
				host++
				_, err := d.Edit(ctx, p, ref, edit(func(o *directory.Profile) { o.Host = strings.Repeat("h", host) }))
				return err
			}
		}
		history := func(ref string) func(directory.Principal) error {
			return func(p directory.Principal) error { _, err := d.History(ctx, p, ref, 0, 1); return err }
		}
		// a cell for each principal above: y allowed, n forbidden, u unauthenticated
		for _, c := range []struct {
			name, want string
			do         func(directory.Principal) error
		}{
			{"see a team", "yyyyyy", func(p directory.Principal) error { _, err := d.Team(ctx, p, "other"); return err }},
			{"list teams", "yyyyyy", func(p directory.Principal) error { _, err := d.Teams(ctx, p, directory.TeamFilter{}); return err }},
			{"edit own team", "unyyny", edits("own")},
			{"edit another's", "unnnny", edits("other")},
			{"own history", "unyyyy", history("own")},
			{"another's history", "unnnyy", history("other")},
			{"create a member of the forum", "unnyny", func(p directory.Principal) error {
				host++
				_, err := d.Create(ctx, p, directory.NewTeam{Handle: directory.Handle("new" + strings.Repeat("x", host)), Profile: directory.Profile{
					Names: directory.Names{Short: "New"}, Memberships: []directory.Membership{{Forum: "forum", Status: "member"}}}})
				return err
			}},
			{"delete", "unnnny", func(p directory.Principal) error {
				host++
				h := "gone" + strings.Repeat("x", host)
				d.create(h)
				return d.Delete(ctx, p, h, directory.AnyRevision)
			}},
			{"merge", "unnnny", func(p directory.Principal) error {
				host++
				h := "from" + strings.Repeat("x", host)
				d.create(h)
				_, err := d.Merge(ctx, p, h, "own", directory.AnyRevision)
				return err
			}},
			{"list matches", "unnyyy", func(p directory.Principal) error {
				_, err := d.Matches(ctx, p, d.index(), directory.MatchQuery{})
				return err
			}},
			{"decide", "unnnny", func(p directory.Principal) error {
				_, err := d.Decide(ctx, p, directory.MatchVerdict{Verdict: directory.VerdictOpen,
					Keep: directory.MatchSide{Team: "own", Revision: directory.AnyRevision}, Other: directory.MatchSide{Team: "other", Revision: directory.AnyRevision}})
				return err
			}},
			{"unmerge", "unnnny", func(p directory.Principal) error {
				host++
				h := "back" + strings.Repeat("x", host)
				d.create(h)
				d.mustMerge(h, "own")
				_, err := d.Unmerge(ctx, p, h, directory.AnyRevision)
				return err
			}},
			{"pause checks", "unnnny", func(p directory.Principal) error { return d.PauseChecks(ctx, p, "", false, "") }},
			{"resume checks", "unnnny", func(p directory.Principal) error {
				_, err := d.ResumeChecks(ctx, p, "", directory.HeldNone)
				return err
			}},
			{"run the checks of the own team", "unynny", func(p directory.Principal) error { _, err := d.RunChecks(ctx, p, "own"); return err }},
			{"run the checks of another's", "unnnny", func(p directory.Principal) error { _, err := d.RunChecks(ctx, p, "other"); return err }},
			{"read transcripts of the own team", "unynyy", func(p directory.Principal) error { return d.MayReadTranscripts(p, &own) }},
			{"read transcripts of another's", "unnnyy", func(p directory.Principal) error { return d.MayReadTranscripts(p, &other) }},
			{"watch checks", "unnnyy", func(p directory.Principal) error { return d.MayWatchChecks(p) }},
			{"ask the own team", "unyyny", func(p directory.Principal) error { return directory.MayAsk(p, &own) }},
			{"ask another's", "unnyny", func(p directory.Principal) error { return directory.MayAsk(p, &other) }},
			{"read challenges of the own team", "unyyyy", func(p directory.Principal) error { return directory.MayReadChallenges(p, &own) }},
			{"read challenges of another's", "unnyyy", func(p directory.Principal) error { return directory.MayReadChallenges(p, &other) }},
			{"read all challenges", "unnnyy", func(p directory.Principal) error { return directory.MayReadChallenges(p, nil) }},
			{"run a campaign of everybody", "unnnny", func(p directory.Principal) error { return directory.MayRunCampaign(p, "") }},
			{"run a campaign of a forum", "unnnny", func(p directory.Principal) error { return directory.MayRunCampaign(p, "other forum") }},
			{"read campaigns of everybody", "unnnyy", func(p directory.Principal) error { return directory.MayReadCampaign(p, "") }},
			{"consent for the own team", "unynny", func(p directory.Principal) error { return directory.MayConsent(p, &own) }},
			{"consent for another", "unnnny", func(p directory.Principal) error { return directory.MayConsent(p, &other) }},
			{"read cases", "unnnyy", func(p directory.Principal) error { return directory.MayReadCases(p) }},
			{"work at the desk", "unnnny", func(p directory.Principal) error { return directory.MayWorkDesk(p) }},
			{"apply rules", "unnnny", func(p directory.Principal) error {
				_, err := d.ApplyRules(ctx, p, directory.RuleOptions{})
				return err
			}},
			{"record evidence", "unnnny", func(p directory.Principal) error {
				_, err := d.RecordEvidence(ctx, p, "own", directory.Evidence{Contact: own.Contacts[0].ID, Level: 2,
					Outcome: directory.OutcomeProved, Method: "phone", At: daysAgo(1)})
				return err
			}},
			{"audit", "unnnny", func(p directory.Principal) error {
				_, err := d.Audit(ctx, p, directory.AuditFilter{Limit: 1})
				return err
			}},
			{"tokens", "unnnny", func(p directory.Principal) error { _, err := d.Tokens(ctx, p); return err }},
			{"import", "unnnny", func(p directory.Principal) error {
				_, err := d.Import(ctx, p, directory.ImportOptions{Source: "src"}, items())
				return err
			}},
			{"import reference data", "unnnny", func(p directory.Principal) error {
				_, err := d.ImportReference(ctx, p, directory.ImportOptions{Source: "src"}, func(func(directory.ReferenceItem) bool) {})
				return err
			}},
			{"remove reference data", "unnnny", func(p directory.Principal) error {
				host++
				source := "src" + strings.Repeat("x", host)
				row := directory.ReferenceRow{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Country: "AT"}
				if _, err := d.ImportReference(ctx, operator, directory.ImportOptions{Source: source}, references(directory.PrefixCountry, row)); err != nil {
					return err
				}
				return d.RemoveReference(ctx, p, directory.PrefixCountry, source)
			}},
			{"see a token", "unnnny", func(p directory.Principal) error { _, err := d.Token(ctx, p, token.ID); return err }},
			{"see the own token", "uyyyyy", func(p directory.Principal) error {
				p.Name = "token:" + token.ID
				_, err := d.OwnToken(ctx, p)
				return err
			}},
			{"import records", "unnnny", func(p directory.Principal) error {
				_, err := d.ImportRecords(ctx, p, directory.ImportOptions{Source: "src"}, func(func(directory.RecordItem) bool) {})
				return err
			}},
			{"export", "unnnny", func(p directory.Principal) error {
				for _, err := range d.Records(ctx, p) {
					return err
				}
				return nil
			}},
		} {
			for i, p := range principals {
				err := c.do(p)
				got := map[directory.Kind]string{"": "y", directory.Forbidden: "n", directory.Unauthenticated: "u"}[directory.KindOf(err)]
				if want := string(c.want[i]); got != want {
					t.Errorf("%s as %s: %q (%v), want %q", c.name, p.Name, got, err, want)
				}
			}
		}
		_ = other
	})
}

// TestFieldsOfOthers holds what an editor and a secretariat may not decide.
func TestFieldsOfOthers(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		editor := directory.Principal{Name: "editor", Role: directory.Editor, Team: team.ID}
		secretariat := directory.Principal{Name: "sec", Role: directory.Secretariat, Forum: "forum"}
		confirmed := domain("example.org")
		confirmed.Claim = "confirmed"
		join := func(forum string) func(*directory.Profile) {
			return func(p *directory.Profile) {
				p.Memberships = append(p.Memberships[:1:1], directory.Membership{Forum: forum, Status: "member"})
			}
		}
		accredit := func(p *directory.Profile) { p.Memberships[0].Status = "accredited" }
		designate := func(p *directory.Profile) {
			p.Designations = []directory.Designation{{Country: "AT", Scope: "national"}}
		}
		confirm := func(p *directory.Profile) { p.Resources = []directory.Resource{confirmed} }
		for _, c := range []struct {
			name  string
			who   directory.Principal
			edit  func(*directory.Profile)
			field string // "" is allowed
		}{
			{"an editor designates", editor, designate, "/designations"},
			{"a secretariat designates", secretariat, designate, "/designations"},
			{"an editor joins a forum", editor, join("first"), "/memberships"},
			{"an editor accredits", editor, accredit, "/memberships"},
			{"a secretariat joins a team to another forum", secretariat, join("first"), "/memberships"},
			{"a secretariat accredits its member", secretariat, accredit, ""},
			{"an editor confirms a claim", editor, confirm, "/resources/0/claim"},
			{"an operator confirms it", operator, confirm, ""},
			{"an editor keeps what was confirmed", editor, func(p *directory.Profile) { p.Host = "Host" }, ""},
		} {
			_, err := d.Edit(ctx, c.who, "alpha", edit(c.edit))
			if c.field == "" && err != nil {
				t.Errorf("%s: %v, want it allowed", c.name, err)
			}
			if c.field != "" {
				t.Run(c.name, func(t *testing.T) { wantCode(t, err, directory.Invalid, "auth.field", c.field) })
			}
		}
		_, err := d.Create(ctx, secretariat, directory.NewTeam{Handle: "beta", Profile: directory.Profile{Names: directory.Names{Short: "B"}}})
		wantCode(t, err, directory.Forbidden, "auth.field", "")
	})
}

func TestTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		secret, token, err := d.CreateToken(ctx, operator, directory.TokenSpec{Name: "ci", Role: directory.Editor, Team: "alpha", Expires: 48 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret, token.ID+"_") || strings.Contains(token.Hash, secret) || len(secret) != len(token.ID)+1+32 {
			t.Errorf("secret %q of token %q: want id, underscore and 32 characters", secret, token.ID)
		}
		p, err := d.Authenticate(ctx, secret)
		if err != nil || p.Role != directory.Editor || p.Team != team.ID || len(p.Forums) != 1 {
			t.Fatalf("Authenticate = %+v, %v; want alpha's editor with its forum", p, err)
		}
		d.Wait()
		list, err := d.Tokens(ctx, operator)
		if err != nil || len(list) != 1 || !list[0].LastUsed.Equal(now) {
			t.Errorf("Tokens = %+v, %v; want one, last used at %s", list, err, now)
		}
		for name, bad := range map[string]string{
			"nothing": "", "another product's": "ghp_abcdefgh_ijkl", "no secret": token.ID, "an empty secret": token.ID + "_",
			"a wrong secret": token.ID + "_" + strings.Repeat("a", 32), "an unknown id": "rct_aaaaaaaa_" + strings.Repeat("a", 32), "one more letter": secret + "a",
		} {
			_, err := d.Authenticate(ctx, bad)
			t.Run(name, func(t *testing.T) { wantCode(t, err, directory.Unauthenticated, "auth.token", "") })
		}
		d.clock.at = now.Add(48 * time.Hour)
		_, err = d.Authenticate(ctx, secret)
		wantCode(t, err, directory.Unauthenticated, "auth.token-expired", "")
		d.clock.at = now
		for range 2 { // twice is no error
			if _, err := d.RevokeToken(ctx, operator, token.ID); err != nil {
				t.Fatal(err)
			}
		}
		_, err = d.Authenticate(ctx, secret)
		wantCode(t, err, directory.Unauthenticated, "auth.token-revoked", "")
		_, err = d.RevokeToken(ctx, operator, "rct_unknown")
		if directory.KindOf(err) != directory.NotFound {
			t.Errorf("revoking an unknown token: %v, want not found", err)
		}
	})
}

func TestBadTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		for _, c := range []struct {
			name  string
			spec  directory.TokenSpec
			kind  directory.Kind
			code  directory.Code
			field string
		}{
			{"no role", directory.TokenSpec{}, directory.Invalid, "token.role", "/role"},
			{"anonymous", directory.TokenSpec{Role: directory.Anonymous}, directory.Invalid, "token.role", "/role"},
			{"an editor without a team", directory.TokenSpec{Role: directory.Editor}, directory.Invalid, "token.team", "/team"},
			{"an operator with a team", directory.TokenSpec{Role: directory.Operator, Team: "alpha"}, directory.Invalid, "token.team", "/team"},
			{"a secretariat without a forum", directory.TokenSpec{Role: directory.Secretariat}, directory.Invalid, "token.forum", "/forum"},
			{"a consumer with a forum", directory.TokenSpec{Role: directory.Consumer, Forum: "first"}, directory.Invalid, "token.forum", "/forum"},
			{"an unknown scope", directory.TokenSpec{Role: directory.Consumer, Scopes: []directory.Scope{"all"}}, directory.Invalid, "token.scope", "/scopes"},
			{"expired at birth", directory.TokenSpec{Role: directory.Consumer, Expires: -time.Hour}, directory.Invalid, "token.expires", "/expires"},
			{"a name of 101", directory.TokenSpec{Role: directory.Consumer, Name: strings.Repeat("a", 101)}, directory.Invalid, "text.too-long", "/name"},
			{"a team that is not there", directory.TokenSpec{Role: directory.Editor, Team: "nobody"}, directory.NotFound, "team.unknown", ""},
		} {
			_, _, err := d.CreateToken(context.Background(), operator, c.spec)
			t.Run(c.name, func(t *testing.T) { wantCode(t, err, c.kind, c.code, c.field) })
		}
		if list, err := d.Tokens(context.Background(), operator); err != nil || len(list) != 0 {
			t.Errorf("after refusals there are %d tokens, %v; want none", len(list), err)
		}
	})
}

// TestRefusalsSayWhy holds the codes with which the door turns people away.
func TestRefusalsSayWhy(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		_, err := d.Tokens(ctx, directory.Principal{})
		wantCode(t, err, directory.Unauthenticated, "auth.required", "")
		_, err = d.Tokens(ctx, directory.Principal{Role: directory.Consumer})
		wantCode(t, err, directory.Forbidden, "auth.role", "")
		_, err = d.Tokens(ctx, directory.Principal{Role: directory.Operator, Scopes: []directory.Scope{directory.ScopeRead}})
		wantCode(t, err, directory.Forbidden, "auth.scope", "")
	})
}
