package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

type (
	badgeInput struct {
		ID          string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		IfNoneMatch string `header:"If-None-Match" doc:"ETag of a badge that is there already; when it is still true, the answer is 304" example:"W/\"3f6c0e9d5b1a47c2\""`
	}
	badgeOutput struct {
		Status      int    // 200 or 304
		ContentType string `header:"Content-Type" hidden:"true"`
		ETag        string `header:"ETag" doc:"Of the picture"`
		Cache       string `header:"Cache-Control" doc:"For how long it may be shown without asking again"`
		Policy      string `header:"Content-Security-Policy" hidden:"true"`
		Body        []byte
	}
)

func (s *Server) registerBadge() {
	sp := spec{id: "get-badge", method: http.MethodGet, path: "/v1/teams/{id}/badge.svg", tag: "verification", access: open, errors: []int{notFound},
		summary: "Show a team's badge", answer: `<svg xmlns="http://www.w3.org/2000/svg"></svg>`,
		more: "A picture for the team's page: how strongly the contact was proven that anybody is given, when, and whether checks found faults. It shows what everybody may see, whoever asks. " +
			"A team that was merged has the badge of the team that it became part of; one that was deleted says so."}
	register(s, sp, s.badge)
	op := operationAt(s.huma.OpenAPI().Paths[sp.path], sp.method)
	op.Responses["200"].Content = map[string]*huma.MediaType{svgType: {Schema: &huma.Schema{Type: huma.TypeString}, Example: sp.answer}}
	op.Responses["304"] = &huma.Response{Description: "Not Modified"}
}

const svgType = "image/svg+xml"

// badgeAge is how long a badge may be shown without asking again.
const badgeAge = 5 * time.Minute

func (s *Server) badge(ctx context.Context, in *badgeInput) (*badgeOutput, error) {
	b, err := s.badgeOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body := b.svg()
	sum := sha256.Sum256(body)
	out := &badgeOutput{
		Status: http.StatusOK, ContentType: svgType, ETag: `W/"` + hex.EncodeToString(sum[:8]) + `"`, Cache: fmt.Sprintf("public, max-age=%d", int(badgeAge.Seconds())),
		// Opened by itself, the picture is a document of this server.
		Policy: "default-src 'none'; sandbox", Body: body,
	}
	if in.IfNoneMatch != "" && matches(in.IfNoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

// badgeOf decides what the badge of a team says.
func (s *Server) badgeOf(ctx context.Context, ref string) (badge, error) {
	nobody := directory.Nobody()
	team, err := s.seen(ctx, nobody, ref)
	if p := directory.ProblemsOf(err); len(p) == 1 && p[0].Code == "team.deleted" {
		return badge{name: ref, text: "deleted", colour: grey, title: ref + " was deleted from this directory"}, nil
	}
	if err != nil {
		return badge{}, err
	}
	return s.teamBadge(&team), nil
}

// teamBadge is about the contact that a lookup of the team gives to anybody.
func (s *Server) teamBadge(t *directory.Team) badge {
	var a directory.Answer
	now := s.cfg.Now()
	s.cfg.Index().Lookup(directory.Query{Text: string(t.Handle), Kind: directory.KindTeam, Name: string(t.Handle)}, directory.Ask{Viewer: directory.Nobody(), Now: now, Exact: true}, &a)
	b := badge{name: t.Name(), text: "no contact", colour: grey, title: t.Name() + ": no contact that everybody may see"}
	if best := a.Best(); best != nil && best.Team.ID == t.ID {
		b.standing(t.Name(), &best.Standing)
	}
	b.verdicts(t.Checks)
	return b
}

// badge is what a badge says.
type badge struct {
	name, text, title string
	colour            colour
}

// colour is of the right half of a badge. White text on each has a contrast of
// at least 4.5 (WCAG 2.2 criterion 1.4.3).
type colour string

const (
	green  colour = "#2b7a1f"
	yellow colour = "#8a6100"
	red    colour = "#b3261e"
	grey   colour = "#5c5c5c"
)

// standing says what was proven about the contact.
func (b *badge) standing(name string, s *directory.Standing) {
	b.text = fmt.Sprintf("%s %s", s.Level, day(s.At))
	b.title = fmt.Sprintf("%s: contact %s, level %d (%s) since %s by %s", name, s.State, int(s.Level), s.Level, day(s.At), s.Method)
	if !s.ValidUntil.IsZero() {
		b.title += ", valid until " + day(s.ValidUntil)
	}
	switch s.State {
	case directory.Verified:
		b.colour = green
	case directory.Due, directory.Overdue, directory.Disputed:
		b.colour, b.text = yellow, b.text+", "+string(s.State)
	case directory.Failed:
		b.colour, b.text, b.title = red, "contact failed", name+": the contact failed when it was last tried"
	default:
		b.colour = grey
	}
}

// verdicts adds what checks found. It never makes a badge better.
func (b *badge) verdicts(list []directory.CheckVerdict) {
	n := map[string]int{}
	for _, v := range list {
		n[v.Verdict]++
	}
	if len(list) > 0 {
		b.title += fmt.Sprintf("; checks: %d ok, %d with warnings, %d with errors, %d inconclusive", n["ok"], n["warning"], n["error"], n["inconclusive"])
	}
	switch {
	case n["error"] > 0:
		b.colour, b.text = red, b.text+", "+plural(n["error"], "error")
	case n["warning"] > 0:
		b.text += ", " + plural(n["warning"], "warning")
		if b.colour != red {
			b.colour = yellow
		}
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func day(t time.Time) string {
	if t.IsZero() {
		return "an unknown day"
	}
	return t.UTC().Format(time.DateOnly)
}

// maxBadgeName is how many characters of a name a badge shows.
const maxBadgeName = 40

// svg draws the badge, in one file that asks for nothing else: the words are in
// whatever sans serif there is, stretched to the room that is theirs.
func (b *badge) svg() []byte {
	name := []rune(visible(b.name))
	if len(name) > maxBadgeName {
		name = append(name[:maxBadgeName-1], '…')
	}
	left, right := string(name), visible(b.text)
	l, r := widthOf(left), widthOf(right)
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="20" role="img" aria-label="%s">`, l+r, escaped(visible(b.title)))
	fmt.Fprintf(&out, `<title>%s</title>`, escaped(visible(b.title)))
	fmt.Fprintf(&out, `<rect width="%d" height="20" rx="3" fill="%s"/><path d="M3 0h%dv20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#3d3d3d"/>`, l+r, b.colour, l-3)
	fmt.Fprint(&out, `<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">`)
	for _, word := range []struct {
		text     string
		at, room int
	}{{left, l / 2, l - 12}, {right, l + r/2, r - 12}} {
		fmt.Fprintf(&out, `<text x="%d" y="14" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text>`, word.at, word.room, escaped(word.text))
	}
	fmt.Fprint(&out, "</g></svg>\n")
	return out.Bytes()
}

// visible takes out what is no text: a name may be anybody's.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// escaped makes text fit for XML, between tags and in quotes.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// widthOf is about how wide a text is in Verdana of 11 pixels, with its margins.
func widthOf(s string) int {
	tenths := 120
	for _, r := range s {
		switch {
		case strings.ContainsRune("iIjlt.,:;|!'()[] -", r):
			tenths += 42
		case strings.ContainsRune("mwMW%@…", r):
			tenths += 104
		case r > 0x2E7F:
			tenths += 115 // East Asian scripts
		case unicode.IsUpper(r):
			tenths += 78
		default:
			tenths += 68
		}
	}
	return (tenths + 9) / 10
}
