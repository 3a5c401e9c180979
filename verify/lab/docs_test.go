package lab_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// TestDocs holds the page about the lab against the lab: each team is in its
// table, and each name that it gives has an answer of some kind.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/lab.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	l := start(t, lab.Config{})
	_, table, _ := strings.Cut(page, "## The thirty teams")
	table, _, _ = strings.Cut(table, "## In a test")
	for _, team := range l.Teams() {
		if !regexp.MustCompile(`\b` + team.Handle + `\b`).MatchString(table) {
			t.Errorf("%s is in no row of the table", team.Handle)
		}
	}
	for _, name := range regexp.MustCompile(`\b[a-z0-9.-]+\.example\b`).FindAllString(page, -1) {
		if m, _ := lookup(t, l, name, dns.TypeA); m.Rcode == dns.RcodeNameError {
			t.Errorf("%s does not exist", name)
		}
	}
	if n := len(lab.Hostile()); n < 75 || n > 85 {
		t.Errorf("%d hostile sites, and the page says about eighty", n)
	}
}
