package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func TestProofInWords(t *testing.T) {
	at, until := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 10, 28, 9, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		in   proof
		want string
	}{
		{"imported, never verified", proof{"listed", directory.Unverified, "import", "national-csirts", at, time.Time{}}, "listed 2026-05-01 by national-csirts, never verified"},
		{"entered by the team", proof{"listed", directory.Unverified, "entry", "team", at, time.Time{}}, "listed 2026-05-01 by the team itself, never verified"},
		{"proven", proof{"answered", directory.Verified, "phone", "cli:op", at, until}, "answered 2026-05-01 by phone, good until 2026-10-28"},
		{"run out", proof{"answered", directory.Due, "phone", "cli:op", at, until}, "answered 2026-05-01 by phone, due for a new proof since 2026-10-28"},
		{"long ago", proof{"answered", directory.Overdue, "letter", "cli:op", at, until}, "answered 2026-05-01 by letter, overdue since 2026-10-28"},
		{"failed", proof{"answered", directory.Failed, "phone", "cli:op", at, until}, "answered 2026-05-01 by phone; FAILED when it was last tried: use a fallback"},
		{"disputed", proof{"listed", directory.Disputed, "entry", "team", at, until}, "listed 2026-05-01 by the team itself; disputed, and nobody has settled it"},
		{"of an unknown day", proof{"listed", directory.Unverified, "import", "old-list", time.Time{}, time.Time{}}, "listed on an unknown day by old-list, never verified"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.words(); got != tt.want {
				t.Errorf("words = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestCandidateText marks what checks found wrong, and goes on without a word
// about what is fine.
func TestCandidateText(t *testing.T) {
	since := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	of := func(subject, verdict string) format.CheckVerdict {
		return format.CheckVerdict{Check: "securitytxt", Kind: "domain", Subject: subject, Verdict: verdict, Since: since}
	}
	a := &api.Answer{Candidates: []api.Candidate{{Rank: 1, Team: api.TeamRef{Name: "ALPHA", Handle: "alpha"}, Why: "is responsible for 192.0.2.0/24",
		Checks: &api.AnswerChecks{OK: 1, Warning: 1, Error: 1, Inconclusive: 1, Faults: []format.CheckVerdict{of("a.example", "error"), of("b.example", "warning"), of("c\x1b.example", "inconclusive")}}}}}
	var b strings.Builder
	(&lookupPrinter{}).candidate(&b, painter(false), a, 0)
	want := `  1. ALPHA (alpha)
     is responsible for 192.0.2.0/24
     security.txt of a.example: error since 2026-11-01
     security.txt of b.example: warning since 2026-11-01
     security.txt of c�.example: could not be checked since 2026-11-01
`
	if got := b.String(); got != strings.ReplaceAll(want, `\uFFFD`, "\uFFFD") {
		t.Errorf("the candidate reads\n%s", got)
	}
	b.Reset()
	(&lookupPrinter{}).candidate(&b, painter(true), a, 0)
	if got := b.String(); !strings.Contains(got, "\x1b[31msecurity.txt of a.example") || !strings.Contains(got, "\x1b[33msecurity.txt of b.example") {
		t.Errorf("an error is not red, or a warning not yellow: %q", got)
	}
}

// TestPlain keeps an answer from steering the terminal of who reads it.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"csirt@example.org":  "csirt@example.org",
		"a\x1b[2Jb":          "a\uFFFD[2Jb",
		"one\ntwo":           "one\uFFFDtwo",
		"exe\u202Egpj.ample": "exe\uFFFDgpj.ample",
		"Größe 中":            "Größe 中",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPainter(t *testing.T) {
	if got, want := painter(true)(red, "x"), "\x1b[31mx\x1b[0m"; got != want {
		t.Errorf("painted %q, want %q", got, want)
	}
	if got := painter(false)(red, "x"); got != "x" {
		t.Errorf("unpainted %q, want x", got)
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	w, out, _ := testWorld(nil)
	if w.terminal(out) || w.colour(out) {
		t.Error("a buffer is taken for a terminal")
	}
}

// TestGroupText names the recipients of a group, and never joins undecided
// teams into one.
func TestGroupText(t *testing.T) {
	to := func(name, value string) api.BatchRecipient {
		r := api.BatchRecipient{Team: api.TeamRef{ID: name, Name: name}}
		if value != "" {
			r.Contact = &api.AnswerContact{Value: value}
		}
		return r
	}
	tests := []struct {
		name   string
		status directory.Status
		list   []api.BatchRecipient
		want   string
	}{
		{"one", directory.StatusMatch, []api.BatchRecipient{to("A", "a@example.org")}, "a@example.org (A)"},
		{"one whose contact is not shown", directory.StatusMatch, []api.BatchRecipient{to("A", "")}, "no contact shown (A)"},
		{"undecided teams stay apart", directory.StatusAmbiguous, []api.BatchRecipient{to("A", "a@example.org"), to("B", "b@example.org")}, "undecided: a@example.org (A) or b@example.org (B)"},
		{"nobody", directory.StatusNone, nil, "nobody is known"},
		{"unread", directory.StatusUnavailable, nil, "could not be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := recipientsText(&api.BatchGroup{Status: string(tt.status), Recipients: tt.list}); got != tt.want {
				t.Errorf("recipients = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestProgress shows a line now and then, and takes it away.
func TestProgress(t *testing.T) {
	var b strings.Builder
	now := time.Unix(1000, 0)
	p := &progress{out: &b, in: &input{count: &counter{n: 50}, size: 100}, now: func() time.Time { return now }, started: now}
	now = now.Add(2 * time.Second)
	p.rows(255)
	if b.Len() > 0 {
		t.Errorf("a row between said %q, want nothing", b.String())
	}
	p.rows(512)
	if want := "\r512 rows, 256 rows/s, 50 %\x1b[K"; b.String() != want {
		t.Errorf("progress = %q, want %q", b.String(), want)
	}
	p.rows(768) // too soon
	p.done()
	if want := "\r512 rows, 256 rows/s, 50 %\x1b[K\r\x1b[K"; b.String() != want {
		t.Errorf("progress = %q, want %q", b.String(), want)
	}
}
