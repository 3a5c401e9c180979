package challenge_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// campaignOf runs a small campaign of teams in two countries: of every five, two
// answer by code, one by key, one bounces, one stays silent.
func campaignOf(t *testing.T, forum string) challenge.Report {
	t.Helper()
	p := preset(t, challenge.PresetReactionTest)
	teams := map[directory.TeamID]*directory.Team{}
	var all []challenge.Challenge
	for i := range 25 {
		team := &directory.Team{ID: directory.TeamID(fmt.Sprint("team-", i)), Profile: directory.Profile{Country: "AT",
			Memberships: []directory.Membership{{Forum: forum, Status: "member"}}}}
		if i%3 == 0 {
			team.Country = "CH"
		}
		if i == 7 {
			team.Country, team.Constituency.Sectors = "LI", []string{"space"}
		}
		teams[team.ID] = team
		c := scheduledAt(challenge.KindCode)
		c.ID, c.Team = challenge.ID(fmt.Sprint("c", i)), team.ID
		proof := at(challenge.EventProof, 30+float64(i))
		proof.By, proof.Key = challenge.ProofSigned, fingerprint
		life := map[int][]challenge.Event{
			0: {at(challenge.EventCodeRight, 1+float64(i)/2)}, 1: {at(challenge.EventCodeRight, 2+float64(i))},
			2: {at(challenge.EventAutoReply, 0.1), proof}, 3: {at(challenge.EventBounced, 1)}, 4: {at(challenge.EventReminder, 24), at(challenge.EventDeadline, 240)},
		}[i%5]
		if i == 0 {
			life[0].Quick = true
		}
		c, _ = run(c, p, append([]challenge.Event{at(challenge.EventDue, 0), at(challenge.EventAccepted, 0)}, life...)...)
		all = append(all, c)
	}
	campaign := challenge.Campaign{ID: "spring", Name: "Spring 2026", Policy: p.Name, From: monday, To: monday.AddDate(0, 0, 14)}
	return challenge.NewReport(campaign, all, func(id directory.TeamID) (*directory.Team, bool) { t, ok := teams[id]; return t, ok }, monday.AddDate(0, 0, 12))
}

func TestReport(t *testing.T) {
	report := campaignOf(t, "first")
	var page, table bytes.Buffer
	if err := errors.Join(report.WriteHTML(&page), report.WriteCSV(&table)); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", append(text, '\n'))
	golden(t, "report.csv", table.Bytes())
	golden(t, "report.html", page.Bytes())
	all := report.Groups[0]
	if all.By != challenge.ByAll || all.Teams != 25 || all.Answered != 15 || all.Human.Count != 15 || all.Proof.Count != 5 || all.Levels != [5]int{0: 10, 2: 10, 3: 5} || all.Quick != 1 || report.Progress.Quick != 1 {
		t.Errorf("all together = %+v, want 25 teams, 15 answers, 5 of them by key", all)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != len(report.Groups)+1 {
		t.Errorf("the CSV has %d rows, %v, want %d", len(rows), err, len(report.Groups)+1)
	}
}

// TestReportEscapes puts what should not be in a page into every text of it.
func TestReportEscapes(t *testing.T) {
	const hostile = `=</title><script>alert(1)</script><img src=x onerror=y>"'`
	report := campaignOf(t, hostile)
	report.Title, report.Policy = hostile, hostile
	var page, table bytes.Buffer
	if err := errors.Join(report.WriteHTML(&page), report.WriteCSV(&table)); err != nil {
		t.Fatal(err)
	}
	pageRules(t, page.String())
	if !strings.Contains(page.String(), "&lt;script&gt;") {
		t.Error("the hostile text is not in the page at all, so nothing was shown")
	}
	if strings.Contains(table.String(), ",=") || !strings.Contains(table.String(), "'=") {
		t.Error("a name is a formula in the CSV")
	}
}

func TestReportPage(t *testing.T) {
	for name, report := range map[string]challenge.Report{
		"a campaign": campaignOf(t, "first"),
		"nobody":     challenge.NewReport(challenge.Campaign{Name: "empty"}, nil, nil, monday),
	} {
		var page bytes.Buffer
		if err := report.WriteHTML(&page); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pageRules(t, page.String())
	}
}

var remote = regexp.MustCompile(`(?i)(https?:)?//|@import|url\(`)

// pageRules holds a page against what every page of ours keeps to: no scripts,
// nothing from elsewhere, named pictures, labelled tables, unique ids.
func pageRules(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	var refs []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" || n.Data == "iframe" || n.Data == "img" {
			t.Errorf("the page has a %s", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"):
				t.Errorf("%s has %s", n.Data, a.Key)
			case a.Key == "id":
				ids[a.Val]++
			case a.Key == "aria-labelledby":
				refs = append(refs, strings.Fields(a.Val)...)
			case a.Key == "d" && strings.ContainsAny(a.Val, "NI"):
				t.Errorf("a path with a number that is none: %s", a.Val)
			}
		}
		if n.Data == "svg" && !hasAttr(n, "aria-hidden", "true") && !(hasAttr(n, "role", "img") && hasChild(n, "title") && hasChild(n, "desc")) {
			t.Error("a picture without role, title and desc")
		}
		if n.Data == "th" && !hasAttr(n, "scope", "") {
			t.Error("a heading of a table without a scope")
		}
	}
	for _, ref := range refs {
		if ids[ref] != 1 {
			t.Errorf("a label %q that %d elements have", ref, ids[ref])
		}
	}
	if m := remote.FindString(page); m != "" {
		t.Errorf("the page refers to something elsewhere: %q", m)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for err = nil; err == nil; {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("a picture that is no XML: %v", err)
		}
	}
}

func hasAttr(n *html.Node, key, value string) bool {
	for _, a := range n.Attr {
		if a.Key == key && (value == "" || a.Val == value) {
			return true
		}
	}
	return false
}

func hasChild(n *html.Node, name string) bool {
	for c := range n.ChildNodes() {
		if c.Data == name {
			return true
		}
	}
	return false
}
