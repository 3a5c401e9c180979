package api_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// picture is what a badge shows.
type picture struct {
	title, label string
	words        []string
	fill         string
}

// badge reads a badge, which must be one that needs nothing from elsewhere.
func (s *scene) badge(t testing.TB, q request) (picture, answer) {
	t.Helper()
	a := s.do(t, q)
	if a.status != 200 || a.header.Get("Content-Type") != "image/svg+xml" {
		t.Fatalf("%s = %d %s: %s", q.path, a.status, a.header.Get("Content-Type"), a.body)
	}
	var p picture
	d := xml.NewDecoder(bytes.NewReader(a.body))
	in := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p, a
		}
		if err != nil {
			t.Fatalf("not XML: %v: %s", err, a.body)
		}
		switch token := token.(type) {
		case xml.StartElement:
			in = token.Name.Local
			for _, attr := range token.Attr {
				switch {
				case in == "svg" && attr.Name.Local == "aria-label":
					p.label = attr.Value
				case in == "rect" && attr.Name.Local == "fill":
					p.fill = attr.Value
				case strings.HasSuffix(attr.Name.Local, "href"), strings.HasPrefix(attr.Name.Local, "on"), strings.Contains(attr.Value, "url("):
					t.Errorf("<%s %s=%q> leads elsewhere", in, attr.Name.Local, attr.Value)
				}
			}
			if !strings.Contains(" svg title rect path g text ", " "+in+" ") {
				t.Errorf("a badge has <%s>", in)
			}
		case xml.CharData:
			switch in {
			case "title":
				p.title += string(token)
			case "text":
				p.words = append(p.words, string(token))
			}
		case xml.EndElement:
			in = ""
		}
	}
}

func badgeOf(team string) request { return get("/v1/teams/" + team + "/badge.svg") }

const (
	badgeGreen, badgeYellow = "#2b7a1f", "#8a6100"
	badgeRed, badgeGrey     = "#b3261e", "#5c5c5c"
)

// TestBadge goes through the states of a contact, with and without faults that
// checks found.
func TestBadge(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		show := func(what, text, fill, title string) {
			t.Helper()
			p, _ := s.badge(t, badgeOf("alpha"))
			if len(p.words) != 2 || p.words[0] != "ALPHA-CSIRT" || p.words[1] != text || p.fill != fill {
				t.Errorf("%s: the badge says %q on %s, want %q on %s", what, p.words, p.fill, text, fill)
			}
			if p.title != title || p.label != title {
				t.Errorf("%s: title %q, label %q, want %q", what, p.title, p.label, title)
			}
		}
		prove := func(outcome directory.Outcome) {
			t.Helper()
			s.clock.Advance(time.Hour)
			_, err := s.dir.RecordEvidence(context.Background(), operator(), "alpha", directory.Evidence{Contact: s.alpha.Contacts[0].ID, Level: 2, Outcome: outcome, Method: "phone", At: s.clock.Now()})
			if err != nil {
				t.Fatal(err)
			}
		}
		const proven = "ALPHA-CSIRT: contact verified, level 2 (answered) since 2026-11-21 by phone, valid until 2027-05-20"
		show("listed", "listed 2026-11-21", badgeGrey, "ALPHA-CSIRT: contact unverified, level 0 (listed) since 2026-11-21 by entry")
		prove(directory.OutcomeProved)
		show("proven", "answered 2026-11-21", badgeGreen, proven)
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
		show("checked", "answered 2026-11-21", badgeGreen, proven+"; checks: 1 ok, 0 with warnings, 0 with errors, 0 inconclusive")
		s.concluded(t, s.alpha.ID, "spf", "domain:example.org", finding("spf.bad", verify.Warning))
		show("with a warning", "answered 2026-11-21, 1 warning", badgeYellow, proven+"; checks: 1 ok, 1 with warnings, 0 with errors, 0 inconclusive")
		s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", finding("smimea.bad", verify.Error))
		show("with a hidden error", "answered 2026-11-21, 1 warning", badgeYellow, proven+"; checks: 1 ok, 1 with warnings, 0 with errors, 0 inconclusive")
		s.concluded(t, s.alpha.ID, "dane", "domain:example.org", finding("dane.bad", verify.Error))
		s.concluded(t, s.alpha.ID, "caa", "domain:example.org", finding("caa.bad", verify.Error))
		const faults = "; checks: 1 ok, 1 with warnings, 2 with errors, 0 inconclusive"
		show("with errors", "answered 2026-11-21, 2 errors", badgeRed, proven+faults)
		s.clock.Advance(200 * 24 * time.Hour)
		show("due", "answered 2026-11-21, due, 2 errors", badgeRed, strings.Replace(proven, "verified", "due", 1)+faults)
		prove(directory.OutcomeDisputed)
		show("disputed", "answered 2026-11-21, disputed, 2 errors", badgeRed, strings.Replace(proven, "verified", "disputed", 1)+faults)
		prove(directory.OutcomeFailed)
		show("failed", "contact failed, 2 errors", badgeRed, "ALPHA-CSIRT: the contact failed when it was last tried"+faults)
	})
}

// TestBadgeOfWhatIsNoTeam: of a team that went the badge says so.
func TestBadgeOfWhatIsNoTeam(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		if p, _ := s.badge(t, badgeOf("gamma")); p.words[1] != "no contact" || p.fill != badgeGrey {
			t.Errorf("the badge of a team without contact = %+v", p)
		}
		if _, err := s.dir.Merge(context.Background(), operator(), "gamma", "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{"gamma", "beta", string(s.beta.ID)} {
			if p, _ := s.badge(t, badgeOf(ref)); p.words[0] != "BETA" || p.words[1] != "listed 2026-11-21" {
				t.Errorf("the badge of %s = %+v, want that of the team it is now", ref, p)
			}
		}
		if err := s.dir.Delete(context.Background(), operator(), "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		if p, _ := s.badge(t, badgeOf("beta")); p.words[0] != "beta" || p.words[1] != "deleted" || p.title != "beta was deleted from this directory" || p.fill != badgeGrey {
			t.Errorf("the badge of a deleted team = %+v", p)
		}
		if p := problemIn(t, s.do(t, badgeOf("nobody"))); p.Status != 404 || p.Code != "team.unknown" {
			t.Errorf("the badge of no team = %+v", p)
		}
	})
}

// TestBadgeIsTheSameForAll: a picture in somebody's page shows what everybody
// may see, and may be kept for a while.
func TestBadgeIsTheSameForAll(t *testing.T) {
	s := embedded(t)
	s.amend(t, "alpha", func(own *directory.Profile) { own.Contacts = own.Contacts[1:] })
	_, first := s.badge(t, badgeOf("alpha"))
	for _, role := range roles {
		if p, a := s.badge(t, badgeOf("alpha").by(role)); !bytes.Equal(a.body, first.body) || p.words[1] != "no contact" {
			t.Errorf("as %q the badge says %q", role, p.words)
		}
	}
	if got := first.header.Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("Cache-Control = %q", got)
	}
	if got := first.header.Get("Content-Security-Policy"); got != "default-src 'none'; sandbox" {
		t.Errorf("Content-Security-Policy = %q", got)
	}
	tag := first.header.Get("ETag")
	if !regexp.MustCompile(`^W/"[0-9a-f]{16}"$`).MatchString(tag) {
		t.Errorf("ETag = %q", tag)
	}
	a := s.do(t, badgeOf("alpha").with("If-None-Match", `"x", `+tag))
	if a.status != 304 || len(a.body) != 0 || a.header.Get("ETag") != tag || a.header.Get("Cache-Control") == "no-store" {
		t.Errorf("the same again = %d, %q, %v", a.status, a.body, a.header)
	}
	s.amend(t, "alpha", func(own *directory.Profile) { own.Names.Short = "OTHER" })
	if a := s.do(t, badgeOf("alpha").with("If-None-Match", tag)); a.status != 200 || a.header.Get("ETag") == tag {
		t.Errorf("after a change = %d with %s", a.status, a.header.Get("ETag"))
	}
}

// TestBadgeOfHostileNames: a name is text, however it is written.
func TestBadgeOfHostileNames(t *testing.T) {
	s := embedded(t)
	for name, want := range map[string]string{
		`</title><script>alert("1")</script>`: `</title><script>alert("1")</script>`,
		`a"b'c&d<e>`:                          `a"b'c&d<e>`,
		"Größe 中文 한국어":                        "Größe 中文 한국어",
		strings.Repeat("W", 100):              strings.Repeat("W", 39) + "…",
		`]]>&amp;&#x1;`:                       `]]>&amp;&#x1;`,
	} {
		s.amend(t, "alpha", func(own *directory.Profile) { own.Names.Short = name })
		if p, _ := s.badge(t, badgeOf("alpha")); p.words[0] != want || !strings.HasPrefix(p.title, name+": ") {
			t.Errorf("the badge of %q says %q, titled %q", name, p.words[0], p.title)
		}
	}
}
