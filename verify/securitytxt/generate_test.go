package securitytxt_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// team is a team with everything that a file can take, and things that it must not.
func team(t *testing.T) *directory.Team {
	t.Helper()
	good, _, err := directory.ParseKey([]byte(testKey(t, "team").public(t)))
	if err != nil {
		t.Fatal(err)
	}
	expired, _, err := directory.ParseKey([]byte(testKey(t, "expired").public(t)))
	if err != nil {
		t.Fatal(err)
	}
	return &directory.Team{Handle: "example", Profile: directory.Profile{
		Website: "https://www.example.org/csirt", Languages: []directory.Language{"en", "de-AT"},
		Contacts: []directory.Contact{
			{Channel: "email", Value: "team@example.org"},
			{Channel: "email", Value: "secret@example.org", Visibility: directory.Amber},
			{Channel: "phone", Value: "+4315056416", Uses: []directory.Word{"emergency"}},
			{Channel: "email", Value: "abuse@example.org", Uses: []directory.Word{"abuse"}},
			{Channel: "url", Value: "https://example.org/report", Uses: []directory.Word{"vulnerability"}, Order: 2},
			{Channel: "email", Value: "vuln?x&y@example.org", Uses: []directory.Word{"vulnerability"}, Order: 1},
			{Channel: "chat", Value: "matrix:r/csirt:example.org"},
			{Channel: "url", Value: "http://example.org/old"},
		},
		Keys: []directory.TeamKey{{Key: good}, {Key: expired}, {Key: good, Visibility: directory.Red}},
	}}
}

func TestGenerate(t *testing.T) {
	f, err := securitytxt.Generate(team(t), securitytxt.Plan{Now: now, Policy: "https://example.org/policy", Hosts: []directory.Domain{"example.org", "csirt.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `Contact: mailto:vuln%3Fx%26y@example.org
Contact: https://example.org/report
Contact: mailto:team@example.org
Contact: tel:+4315056416
Expires: 2027-05-27T12:00:00Z
Encryption: openpgp4fpr:` + testKey(t, "team").fingerprint() + `
Preferred-Languages: en, de-AT
Canonical: https://example.org/.well-known/security.txt
Canonical: https://csirt.example.org/.well-known/security.txt
Policy: https://example.org/policy
`
	if d := cmp.Diff(f.String(), want); d != "" {
		t.Errorf("Generate (-got +want):\n%s", d)
	}
	read, findings := securitytxt.Parse([]byte(f.String()))
	findings = append(findings, read.Validate(now, "https://csirt.example.org/.well-known/security.txt")...)
	if len(findings) != 1 || findings[0].Code != "securitytxt.unsigned" {
		t.Errorf("a generated file has findings: %+v", findings)
	}
}

func TestGenerateSmall(t *testing.T) {
	tm := &directory.Team{Profile: directory.Profile{Website: "https://www.example.org/csirt", Contacts: []directory.Contact{{Channel: "phone", Value: "+4315056416"}}}}
	f, err := securitytxt.Generate(tm, securitytxt.Plan{Now: now, Lasts: 365 * 24 * time.Hour})
	want := "Contact: tel:+4315056416\nExpires: 2027-11-28T12:00:00Z\nCanonical: https://www.example.org/.well-known/security.txt\n"
	if err != nil || f.String() != want {
		t.Errorf("Generate = %q, %v; want %q", f.String(), err, want)
	}
}

func TestGenerateRefuses(t *testing.T) {
	hidden := &directory.Team{Profile: directory.Profile{Contacts: []directory.Contact{{Channel: "email", Value: "a@example.org", Visibility: directory.Green}}}}
	for _, tt := range []struct {
		name string
		team *directory.Team
		plan securitytxt.Plan
		want error
	}{
		{"no contact", &directory.Team{}, securitytxt.Plan{}, securitytxt.ErrNoContact},
		{"hidden contacts only", hidden, securitytxt.Plan{}, securitytxt.ErrNoContact},
		{"a page over http", team(t), securitytxt.Plan{Now: now, Policy: "http://example.org/"}, securitytxt.ErrPlan},
		{"a second line", team(t), securitytxt.Plan{Now: now, Hiring: "https://example.org/\nContact: mailto:evil@example.org"}, securitytxt.ErrPlan},
		{"more than a year", team(t), securitytxt.Plan{Now: now, Lasts: 366 * 24 * time.Hour}, securitytxt.ErrPlan},
		{"no time", team(t), securitytxt.Plan{Now: now, Lasts: -1}, securitytxt.ErrPlan},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if f, err := securitytxt.Generate(tt.team, tt.plan); !errors.Is(err, tt.want) {
				t.Errorf("Generate = %q, %v; want %v", f.String(), err, tt.want)
			}
		})
	}
}

// TestGenerateTellsNothingHidden looks for whatever is not for everybody.
func TestGenerateTellsNothingHidden(t *testing.T) {
	tm := team(t)
	for i := range tm.Contacts[1:] {
		tm.Contacts[i+1].Visibility = directory.AmberStrict
	}
	f, err := securitytxt.Generate(tm, securitytxt.Plan{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tm.Contacts[1:] {
		if strings.Contains(f.String(), c.Value) {
			t.Errorf("the file tells %s, which is %s", c.Value, c.Visibility)
		}
	}
}
