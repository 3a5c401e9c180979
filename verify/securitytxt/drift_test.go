package securitytxt_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// TestChangeLasts: each step is a run so many days after the first. A change is told
// for two weeks, so that somebody sees it, whatever the file does in the meantime, or
// until the team itself has said that it is right.
func TestChangeLasts(t *testing.T) {
	type step struct {
		day     int
		contact string // "": there is no file
		signed  bool
		public  string // contacts that the directory shows
		want    []string
	}
	const was, is, other = "mailto:old@example.org", "mailto:new@example.org", "mailto:other@example.org"
	change := func(day int, gone, added string, severity verify.Severity) string {
		return fmt.Sprintf("%s %s contact: gone %s; new %s", severity, now.AddDate(0, 0, day).Format(time.RFC3339), gone, added)
	}
	first := change(1, was, is, verify.Warning)
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"two weeks", []step{{day: 0, contact: was}, {day: 1, contact: is, want: []string{first}}, {day: 2, contact: is, want: []string{first}}, {day: 14, contact: is, want: []string{first}}, {day: 15, contact: is}}},
		{"back again", []step{{day: 0, contact: was}, {day: 1, contact: is, want: []string{first}}, {day: 3, contact: was, want: []string{first, change(3, is, was, verify.Warning)}},
			{day: 15, contact: was, want: []string{change(3, is, was, verify.Warning)}}}},
		{"to and fro is told once each way", []step{{day: 0, contact: was}, {day: 1, contact: is, want: []string{first}}, {day: 2, contact: was, want: []string{first, change(2, is, was, verify.Warning)}},
			{day: 3, contact: is, want: []string{change(2, is, was, verify.Warning), change(3, was, is, verify.Warning)}}}},
		{"over a time without a file", []step{{day: 0, contact: was}, {day: 1, contact: is, want: []string{first}}, {day: 2, want: []string{first}}, {day: 3, contact: is, want: []string{first}}, {day: 4, contact: other,
			want: []string{first, change(4, is, other, verify.Warning)}}}},
		{"until the team signs it", []step{{day: 0, contact: was}, {day: 1, contact: is, want: []string{first}}, {day: 2, contact: is, signed: true}, {day: 3, contact: is, signed: true}}},
		{"until the directory has it too", []step{{day: 0, contact: was, public: "old@example.org"}, {day: 1, contact: is, public: "old@example.org", want: []string{first}}, {day: 2, contact: is, public: "new@example.org"}}},
		{"the directory had it before", []step{{day: 0, contact: was, public: "new@example.org"}, {day: 1, contact: is, public: "new@example.org", want: []string{change(1, was, is, verify.Info)}}, {day: 2, contact: is, public: "new@example.org"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var previous []verify.Fact
			for _, s := range tt.steps {
				at := now.AddDate(0, 0, s.day)
				target := exampleTarget()
				target.Now, target.Previous = at, previous
				answer := tableAnswer{Hops: hops("/.well-known/security.txt", 404)}
				if s.contact != "" {
					answer = tableAnswer{Hops: hops("/.well-known/security.txt", 200), Body: "Contact: " + s.contact + "\nExpires: 2027-06-01T00:00:00Z\n"}
				}
				if s.signed {
					answer.Body = (&signing{By: "team", At: at}).sign(t, answer.Body)
					k := testKey(t, "team")
					target.Claims.Keys = []verify.ClaimedKey{{Fingerprint: k.fingerprint(), Armor: k.public(t)}}
				}
				if s.public != "" {
					target.Claims.Contacts = []verify.ClaimedContact{{ID: directory.ContactID("1"), Channel: "email", Value: s.public, Public: true}}
				}
				r, err := securitytxt.Check().Run(context.Background(), &tableNetwork{t: t, now: at, answers: []tableAnswer{answer}}, target)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, f := range r.Findings {
					if f.Code == "securitytxt.changed" && strings.Contains(f.Evidence, " contact: ") {
						got = append(got, string(f.Severity)+" "+f.Evidence)
					}
				}
				if !slices.Equal(got, s.want) {
					t.Errorf("day %d: %q, want %q", s.day, got, s.want)
				}
				previous = r.Facts
			}
		})
	}
}
