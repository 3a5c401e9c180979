package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
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

// TestRecipient groups by the first rank that can be reached, and never joins
// undecided teams into one.
func TestRecipient(t *testing.T) {
	candidate := func(rank int, name, value string) api.Candidate {
		c := api.Candidate{Team: api.TeamRef{ID: name, Name: name}, Rank: rank}
		if value != "" {
			c.Contact = &api.AnswerContact{Value: value}
		}
		return c
	}
	tests := []struct {
		name   string
		status directory.Status
		list   []api.Candidate
		want   string
	}{
		{"the first rank", directory.StatusMatch, []api.Candidate{candidate(1, "A", "a@example.org"), candidate(2, "B", "b@example.org")}, "a@example.org (A)"},
		{"a rank without a contact is passed over", directory.StatusMatch, []api.Candidate{candidate(1, "A", ""), candidate(2, "B", "b@example.org")}, "b@example.org (B)"},
		{"undecided teams stay apart", directory.StatusAmbiguous, []api.Candidate{candidate(1, "A", "a@example.org"), candidate(1, "B", "b@example.org"), candidate(2, "C", "c@example.org")}, "undecided: a@example.org (A) or b@example.org (B)"},
		{"nobody", directory.StatusNone, nil, "nobody is known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := recipient(&api.Answer{Status: string(tt.status), Candidates: tt.list}); got != tt.want {
				t.Errorf("recipient = %q, want %q", got, tt.want)
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
