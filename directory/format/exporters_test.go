package format_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// these yields teams as an export gets them.
func these(teams ...directory.Team) iter.Seq2[directory.Team, error] {
	return func(yield func(directory.Team, error) bool) {
		for _, t := range teams {
			if !yield(t, nil) {
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

var (
	operator = directory.Principal{Name: "op", Role: directory.Operator}
	consumer = directory.Principal{Name: "tool", Role: directory.Consumer}
)

func TestExportersAreNamed(t *testing.T) {
	names := map[string]bool{}
	for _, e := range format.Exporters() {
		if names[e.Name] || e.Name == "" || e.About == "" || !strings.Contains(e.MediaType, "/") || !strings.HasPrefix(e.Extension, ".") {
			t.Errorf("exporter %+v: a name twice, or something is missing", e)
		}
		names[e.Name] = true
	}
	for _, name := range []string{"ti", "first", "cerebrate", "csv"} {
		if _, ok := format.FindExporter(name); !ok || !names[name] {
			t.Errorf("there is no exporter %s", name)
		}
	}
	if _, ok := format.FindExporter("nothing"); ok {
		t.Error("FindExporter finds what is not there")
	}
}

// full is a disk without space.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// An export that ends early says so, and what is there does not read as whole.
func TestExportersEndEarly(t *testing.T) {
	g := generate(t)
	var teams []directory.Team
	for n := range 300 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	broken := func(yield func(directory.Team, error) bool) {
		for _, x := range teams {
			if !yield(x, nil) {
				return
			}
		}
		yield(directory.Team{}, errDisk)
	}
	for _, e := range format.Exporters() {
		var b bytes.Buffer
		if err := e.Write(&b, format.ExportOptions{Now: day("2026-11-21")}, broken); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v, want the error of the teams", e.Name, err)
		}
		if e.MediaType == "application/json" && json.Valid(b.Bytes()) {
			t.Errorf("%s: a part of the teams reads as the whole", e.Name)
		}
		if err := e.Write(&full{100_000}, format.ExportOptions{Now: day("2026-11-21")}, teamsOf(teams...)); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want the error of the writer", e.Name, err)
		}
	}
}

func TestExportersWriteNoTeams(t *testing.T) {
	for name, want := range map[string]string{"ti": "[\n]\n", "cerebrate": "[\n]\n",
		"first": `{"status":"OK","status-code":200,"version":"1.0","access":"public","data":[` + "\n" + `],"total":0,"offset":0,"limit":0}` + "\n"} {
		if got := exported(t, name, teamsOf()); got != want {
			t.Errorf("%s without teams:\n%q, want\n%q", name, got, want)
		}
	}
	if got := exported(t, "csv", teamsOf()); !strings.HasPrefix(got, "handle,names.short,") || strings.Count(got, "\n") != 1 {
		t.Errorf("csv without teams: %q, want the header", got)
	}
}

// Nothing that a viewer may not see is in any export for that viewer.
func TestExportersWriteWhatIsSeen(t *testing.T) {
	r := directory.Record{ID: "00000000-0000-4000-8000-000000000001", Handle: "team", Revision: 1, OwnAt: day("2026-11-01"), Own: directory.Profile{
		Names: directory.Names{Short: "Team"},
		Contacts: []directory.Contact{{ID: "c1", Channel: "email", Value: "open@example.org"}, {ID: "c2", Channel: "email", Value: "secret@example.org", Person: "Secret Person", Visibility: directory.Red},
			{ID: "c3", Channel: "phone", Value: "+4315056416", Visibility: directory.Green}},
		Prose:    []directory.Section{{Number: "3.1", Language: "en", Text: "secret mission", Visibility: directory.Amber}},
		Maturity: directory.Maturity{Model: "secret model", Levels: map[string]int{"O-1": 1}},
	}, Layers: []directory.Layer{{Source: "list", Key: "secret key of the source", Raw: []directory.Raw{{Field: "contacts.other", Text: "secret of Ann", Visibility: directory.Green}}}},
		Evidence: []directory.Evidence{{ID: "e", Contact: "c1", Level: directory.Answered, Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-11-02"), Note: "secret note", By: "op"}}}
	team := r.Team()
	for _, c := range []struct {
		who    directory.Principal
		number bool
	}{{directory.Nobody(), false}, {consumer, true}} {
		for _, e := range format.Exporters() {
			out := exported(t, e.Name, teamsOf(directory.Redact(&team, c.who)))
			lower := strings.ToLower(out)
			if strings.Contains(strings.ReplaceAll(lower, "secret of ann", ""), "secret") || !c.number && (strings.Contains(lower, "secret") || strings.Contains(out, "15056416")) {
				t.Errorf("%s for %q holds what is hidden:\n%s", e.Name, c.who.Name, out)
			}
		}
	}
}

// The exporters of others know what was proven too.
func TestExportersShowEvidence(t *testing.T) {
	r := directory.Record{ID: "00000000-0000-4000-8000-000000000001", Handle: "team", Revision: 1, OwnAt: day("2026-11-01"), Own: directory.Profile{
		Names: directory.Names{Short: "Team"}, Contacts: []directory.Contact{{ID: "c1", Channel: "email", Value: "open@example.org"}}},
		Evidence: []directory.Evidence{{ID: "e", Contact: "c1", Level: directory.Answered, Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-11-02"), By: "op"}}}
	for _, name := range []string{"ti", "first", "cerebrate"} {
		const want = `"evidence":{"level":2,"level_name":"answered","state":"verified","at":"2026-11-02T00:00:00Z","method":"phone","valid_until":"2027-05-01T00:00:00Z"}`
		if out := exported(t, name, teamsOf(r.Team())); !strings.Contains(out, want) {
			t.Errorf("%s does not show %s:\n%s", name, want, out)
		}
	}
	if out := exported(t, "csv", teamsOf(r.Team())); !strings.Contains(out, "open@example.org: verified, level 2 answered (phone) 2026-11-02 until 2027-05-01") {
		t.Errorf("csv does not show the evidence:\n%s", out)
	}
}

// Ten thousand teams, on both engines, for those who see all and what is open.
func TestEnginesExportTheSame(t *testing.T) {
	const n = 10_000
	g := generate(t)
	records := make([]directory.Record, n)
	for i := range records {
		records[i] = g.record(i)
	}
	hashes := map[string]map[string]string{} // export to engine to hash
	storetest.Each(t, func(t *testing.T, _ string, db *store.DB) {
		d, err := directory.New(directory.Config{Store: db, Now: func() time.Time { return day("2026-11-21") }})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Write(t, db, records...)
		if err := db.Update(context.Background(), func(tx directory.Tx) error { return proofs(tx, records) }); err != nil {
			t.Fatal(err)
		}
		out := &bytes.Buffer{}
		if err := format.ExportRollcall(out, d.Records(context.Background(), operator)); err != nil {
			t.Fatal(err)
		}
		note := func(export, text string) {
			if hashes[export] == nil {
				hashes[export] = map[string]string{}
			}
			sum := sha256.Sum256([]byte(text))
			hashes[export][t.Name()] = hex.EncodeToString(sum[:8])
		}
		note("rollcall", out.String())
		teams, err := d.Teams(context.Background(), operator, directory.TeamFilter{})
		if err != nil || len(teams) < n*9/10 {
			t.Fatalf("%d teams, %v", len(teams), err)
		}
		for _, who := range []directory.Principal{operator, directory.Nobody()} {
			for _, e := range format.Exporters() {
				note(e.Name+" for "+who.Name, exported(t, e.Name, func(yield func(directory.Team, error) bool) {
					for i := range teams {
						if !yield(directory.Redact(&teams[i], who), nil) {
							return
						}
					}
				}))
			}
		}
	})
	for export, by := range hashes {
		for engine, hash := range by {
			for other, its := range by {
				if its != hash {
					t.Errorf("%s: %s gives %s and %s gives %s", export, engine, hash, other, its)
				}
			}
		}
	}
}

// proofs writes the evidence of every eighth record.
func proofs(tx directory.Tx, records []directory.Record) error {
	for i := 0; i < len(records); i += 8 {
		if err := tx.PutEvidence(records[i].ID, records[i].Evidence); err != nil {
			return err
		}
	}
	return nil
}

func generated(g *generator, n int) iter.Seq2[directory.Record, error] {
	return func(yield func(directory.Record, error) bool) {
		for i := range n {
			r := g.record(i)
			if i == 0 { // what the others are merged into
				r.ID, r.Deleted, r.MergedInto = "00000000-0000-4000-8000-000000000000", time.Time{}, ""
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// write writes teams in the format of that name.
func write(t testing.TB, b *bytes.Buffer, name string, teams ...directory.Team) {
	t.Helper()
	e, ok := format.FindExporter(name)
	if !ok {
		t.Fatalf("there is no exporter %q", name)
	}
	if err := e.Write(b, format.ExportOptions{Now: day("2026-11-21"), Base: "https://rollcall.example.org/"}, these(teams...)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// A way out is a format in which teams leave.
type wayOut struct {
	name  string
	write func(testing.TB, directory.Team) []byte
}

// waysOut are all exporters, and the RFC 2350 document in each form.
func waysOut() []wayOut {
	var list []wayOut
	for _, e := range format.Exporters() {
		list = append(list, wayOut{e.Name, func(t testing.TB, team directory.Team) []byte {
			var b bytes.Buffer
			write(t, &b, e.Name, team)
			return b.Bytes()
		}})
	}
	for _, form := range []format.RFC2350Form{format.RFC2350Text, format.RFC2350Markdown, format.RFC2350HTML} {
		list = append(list, wayOut{"rfc2350-" + string(form), func(t testing.TB, team directory.Team) []byte {
			var b bytes.Buffer
			if err := format.WriteRFC2350(&b, &team, format.RFC2350Options{Form: form}); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}})
	}
	return append(list, wayOut{"rfc2350-json", func(t testing.TB, team directory.Team) []byte {
		return []byte(fmt.Sprintf("%+v", format.DescribeRFC2350(&team, format.RFC2350Options{})))
	}})
}

// carried says which lists of a team each way out has a place for. Every
// exporter has a row here, and so passes the test of what it hides.
var carried = map[string]string{
	"vcard": "contacts keys", "jscontact": "contacts keys", "stix": "contacts",
	"keyring": "keys", "keyring-binary": "keys",
	"rfc2350-text": "contacts keys prose resources", "rfc2350-markdown": "contacts keys prose resources",
	"rfc2350-html": "contacts keys prose resources", "rfc2350-json": "contacts keys prose resources",
}

var allLabels = []directory.TLP{directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}

// word makes a label a part of an address.
func word(l directory.TLP) string { return strings.ReplaceAll(string(l), "+", "") }

// labelledTeam has an item of each list with each label, and their marks by
// list and label.
func labelledTeam(t testing.TB) (directory.Team, map[string]map[directory.TLP]string) {
	t.Helper()
	team := directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "labelled", Revision: 1, Created: day("2026-01-01"), Updated: day("2026-01-02"),
		Profile: directory.Profile{Names: directory.Names{Short: "Labelled"}, Country: "AT", Memberships: []directory.Membership{{Forum: "first", Status: "member"}},
			Maturity: directory.Maturity{Model: "mark-maturity", Levels: map[string]int{"O-1": 1}}}}
	marks := map[string]map[directory.TLP]string{"contacts": {}, "keys": {}, "prose": {}, "resources": {}, "notes": {}}
	sections := []string{"3.1", "3.4", "4.1", "4.2", "7"}
	for i, key := range []string{"good", "other", "rsa3072", "twoids", "signsub"} {
		l := allLabels[i]
		id := directory.ContactID(fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", i))
		for list, m := range marks {
			m[l] = "mark-" + list + "-" + word(l)
		}
		marks["notes"][l] = "mark-note-" + word(l)
		k := aKey(t, key)
		marks["keys"][l] = string(k.Fingerprint)
		team.Contacts = append(team.Contacts, directory.Contact{ID: id, Revision: 1, Channel: "email", Value: marks["contacts"][l] + "@example.org", Label: marks["contacts"][l], Visibility: l})
		team.Keys = append(team.Keys, directory.TeamKey{Key: k, Visibility: l})
		team.Prose = append(team.Prose, directory.Section{Number: sections[i], Language: "en", Text: marks["prose"][l], Visibility: l})
		team.Resources = append(team.Resources, directory.Resource{Type: "domain", Domain: directory.Domain(marks["resources"][l] + ".example.org"), Visibility: l})
		team.Evidence = append(team.Evidence, directory.Evidence{ID: "e" + word(l), Contact: id, Revision: 1, Level: 2, Outcome: directory.OutcomeProved, Method: "phone",
			At: day("2026-10-01"), Note: marks["notes"][l], RawHash: marks["notes"][l]})
	}
	return team, marks
}

// shows reports whether a mark is anywhere in an export. A key is its
// fingerprint in any spelling, or its packets in any encoding.
func shows(t testing.TB, out []byte, team *directory.Team, mark string) bool {
	t.Helper()
	flat := strings.NewReplacer("\r\n ", "", "\n", "", "\r", "", `\n`, "", " ", "").Replace(string(out))
	if strings.Contains(strings.ToLower(flat), strings.ToLower(mark)) {
		return true
	}
	for _, k := range team.Keys {
		if string(k.Fingerprint) != mark {
			continue
		}
		raw, err := hex.DecodeString(mark)
		_, body, _ := strings.Cut(k.Armor, "\n\n")
		base64 := strings.ReplaceAll(body, "\n", "")
		if err != nil || len(base64) < 100 {
			t.Fatalf("key %s: %v, %d characters of armour", mark, err, len(base64))
		}
		return bytes.Contains(out, raw) || strings.Contains(flat, base64[20:60])
	}
	return false
}

// TestNothingHiddenLeaves writes one team in every format for every kind of
// viewer, and looks for each of its values.
func TestNothingHiddenLeaves(t *testing.T) {
	team, marks := labelledTeam(t)
	member := directory.Principal{Role: directory.Consumer, Team: team.ID, Forums: []string{"first"}}
	viewers := map[string]struct {
		directory.Principal
		sees int // how many of allLabels
	}{
		"nobody": {directory.Nobody(), 1}, "consumer": {directory.Principal{Role: directory.Consumer}, 2},
		"editor of another team": {directory.Principal{Role: directory.Editor, Team: "other"}, 2}, "secretariat of another forum": {directory.Principal{Role: directory.Secretariat, Forum: "tf"}, 2},
		"member of the forum": {directory.Principal{Role: directory.Consumer, Team: "other", Forums: []string{"first"}}, 3}, "secretariat": {directory.Principal{Role: directory.Secretariat, Forum: "first"}, 4},
		"member of the team": {member, 5}, "editor": {directory.Principal{Role: directory.Editor, Team: team.ID}, 5}, "operator": {directory.Principal{Role: directory.Operator}, 5},
		"operator without the scope": {directory.Principal{Role: directory.Operator, Scopes: []directory.Scope{directory.ScopeWrite}}, 1},
	}
	for i, l := range allLabels {
		viewers["operator for "+string(l)] = struct {
			directory.Principal
			sees int
		}{directory.Principal{Role: directory.Operator, AtMost: l}, i + 1}
	}
	for _, way := range waysOut() {
		lists, ok := carried[way.name]
		if !ok {
			t.Errorf("exporter %s has no row in the table of what formats carry", way.name)
		}
		for name, v := range viewers {
			out := way.write(t, directory.Redact(&team, v.Principal))
			for list, byLabel := range marks {
				for i, l := range allLabels {
					got, may := shows(t, out, &team, byLabel[l]), i < v.sees
					if got && !may || got && list == "notes" {
						t.Errorf("%s for %s shows %s of %s", way.name, name, l, list)
					}
					if !got && may && strings.Contains(lists, list) {
						t.Errorf("%s for %s lacks %s of %s, which it may have", way.name, name, l, list)
					}
				}
			}
			if shows(t, out, &team, "mark-maturity") {
				t.Errorf("%s for %s shows the maturity", way.name, name)
			}
		}
	}
}

// What text may do to a format that carries it.
var hostile = []string{
	"\r\nBEGIN:VCARD\r\nVERSION:4.0\r\nFN:Evil\r\nEND:VCARD\r\n", "a\nEMAIL:evil@example.org", "a\r\rb\u0085c\u2028d\u2029e", `";a,b\;\\n^n^'`, "semi;colon,comma:colon",
	"<script>alert(1)</script>", "</title></main><img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "=cmd|'/C calc'!A0", "+1+1", "@SUM(1)", "-----BEGIN PGP PUBLIC KEY BLOCK-----",
	"\u202Egnp.exe", "\u2066x\u2069", "zero\x00null\x1b[31m", "bad \xff\xfe utf-8", strings.Repeat("длинное имя ", 40), "```\n## 7. Disclaimers\n", "&amp;&#60;b>", `{"type":"bundle"}`, "]}\n",
}

// hostileTeam has s in every text that takes any.
func hostileTeam(s string) directory.Team {
	return directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "hostile", Revision: 1, Created: day("2026-01-01"), Updated: day("2026-01-02"),
		Profile: directory.Profile{
			Names: directory.Names{Short: "x" + s, Full: s, Former: []string{s}, Other: []string{"o" + s, s + "p"}}, Host: s, Country: "AT", Address: s, Website: "https://example.org/" + s,
			Constituency: directory.Constituency{Text: s}, Languages: []directory.Language{"en"}, Kinds: []string{"csirt"},
			Contacts: []directory.Contact{{ID: "00000000-0000-4000-8000-000000000001", Revision: 1, Channel: "email", Value: "a@example.org", Person: s, Label: s},
				{ID: "00000000-0000-4000-8000-000000000002", Revision: 1, Channel: "url", Value: "https://example.org/" + s}},
			Keys:        []directory.TeamKey{{Key: directory.Key{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567", Armor: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + s}}},
			Prose:       []directory.Section{{Number: "3.1", Language: "en", Text: s}},
			Memberships: []directory.Membership{{Forum: "first", Type: s, Status: "member"}},
			Resources:   []directory.Resource{{Type: "domain", Domain: "example.org", Holder: s}},
		}}
}

// TestNothingHostileGetsThrough holds each format against its own rules with
// every hostile text.
func TestNothingHostileGetsThrough(t *testing.T) {
	for _, s := range hostile {
		team := hostileTeam(s)
		for _, way := range waysOut() {
			out := way.write(t, team)
			if text := string(out); way.name != "keyring-binary" && way.name != "rfc2350-json" {
				checkText(t, way.name, s, text)
			}
			if check := formatChecks[way.name]; check != nil {
				if err := check(t, out); err != nil {
					t.Errorf("%s with %q: %v\n%.2000s", way.name, s, err, out)
				}
			}
// Our own format gives the same bytes, with every script, layer, tombstone and
// proof, through the reader and the writer.
func TestRollcallRoundTripGenerated(t *testing.T) {
	g := generate(t)
	var one bytes.Buffer
	if err := format.ExportRollcall(&one, generated(g, 500)); err != nil {
		t.Fatal(err)
	}
	var records []directory.Record
	for item := range format.Rollcall(bytes.NewReader(one.Bytes())) {
		if item.Fatal != nil || item.Skipped != nil {
			t.Fatalf("row %d: %v %v", item.Row, item.Fatal, item.Skipped)
		}
		records = append(records, *item.Record)
	}
	var two bytes.Buffer
	err := format.ExportRollcall(&two, func(yield func(directory.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("the second export differs (%v):\n%s", err, cmp.Diff(one.String()[:min(one.Len(), 4000)], two.String()[:min(two.Len(), 4000)]))
	}
	for _, want := range []string{`"raw":[{"field":"contacts.fax"`, `"merged_into"`, `"deleted"`, `"evidence":[{"id"`, "例え", "𝔘", `"visibility":"green"`} {
		if !strings.Contains(one.String(), want) {
			t.Errorf("the export has no %s", want)
		}
	}
}

// checkText looks for what no text format of ours has.
func checkText(t *testing.T, name, s, text string) {
	t.Helper()
	if text != strings.ToValidUTF8(text, "?") {
		t.Errorf("%s with %q is not UTF-8", name, s)
	}
	for _, bad := range []string{"\u202E", "\u2066", "\x00", "\x1b", "\u2028"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s with %q has %q", name, s, bad)
		}
	}
}

// formatChecks hold an export of one team against the rules of its format.
var formatChecks = map[string]func(testing.TB, []byte) error{
	"vcard": func(t testing.TB, out []byte) error {
		cards, err := readVCards(string(out))
		if err == nil && len(cards) != 1 {
			err = fmt.Errorf("%d cards, want 1", len(cards))
		}
		return err
	},
	"jscontact":    func(_ testing.TB, out []byte) error { return checkJSContact(out) },
	"stix":         func(_ testing.TB, out []byte) error { return checkSTIX(out) },
	"rfc2350-html": func(_ testing.TB, out []byte) error { return checkHTML(string(out)) },
	"rfc2350-markdown": func(_ testing.TB, out []byte) error {
		return checkHeadings(string(out), "## 7. Disclaimers")
	},
	"keyring": func(_ testing.TB, out []byte) error {
		if bytes.Contains(out, []byte("BEGIN PGP")) {
			return errors.New("a block that is no key")
		}
		return nil
	},
	"keyring-binary": func(_ testing.TB, out []byte) error {
		if len(out) > 0 {
			return errors.New("packets that are no key")
		}
		return nil
	},
}

// checkHeadings counts a heading outside of code, as CommonMark section 4.5
// tells it.
func checkHeadings(text, heading string) error {
	n, fence := 0, ""
	for l := range strings.SplitSeq(text, "\n") {
		t := strings.TrimLeft(l, " ")
		run := len(t) - len(strings.TrimLeft(t, t[:min(len(t), 1)]))
		switch {
		case len(l)-len(t) > 3:
		case fence != "" && strings.HasPrefix(t, fence) && strings.TrimSpace(t[run:]) == "":
			fence = ""
		case fence == "" && (strings.HasPrefix(t, "```") && !strings.Contains(t[run:], "`") || strings.HasPrefix(t, "~~~")):
			fence = t[:run]
		case fence == "" && l == heading:
			n++
		}
	}
	if n != 1 || fence != "" {
		return fmt.Errorf("%d headings %q, want 1; fence %q is open", n, heading, fence)
	}
	return nil
}

// Every exporter says what it is, gives equal bytes for equal teams, holds all
// teams, and stops at the first error without an end.
func TestExporters(t *testing.T) {
	seen := map[string]bool{}
	team, other := fullTeam(t, 1), fullTeam(t, 2)
	for _, e := range format.Exporters() {
		if _, _, err := mime.ParseMediaType(e.MediaType); err != nil || seen[e.Name] || e.About == "" || !strings.HasPrefix(e.Extension, ".") {
			t.Errorf("exporter %+v: %v; want a name of its own, words, a media type and an extension", e, err)
		}
		seen[e.Name] = true
		var one, again, both, part bytes.Buffer
		write(t, &one, e.Name, team)
		write(t, &again, e.Name, team)
		write(t, &both, e.Name, team, other)
		if !bytes.Equal(one.Bytes(), again.Bytes()) {
			t.Errorf("%s: two exports of one team differ", e.Name)
		}
		if one.Len() == 0 || both.Len() < one.Len() || both.Len() == one.Len() && !strings.HasPrefix(e.Name, "keyring") {
			t.Errorf("%s: one team is %d bytes, two are %d", e.Name, one.Len(), both.Len())
		}
		broken := errors.New("the disk is on fire")
		err := e.Write(&part, format.ExportOptions{}, func(yield func(directory.Team, error) bool) {
			if yield(team, nil) {
				yield(directory.Team{}, broken)
			}
		})
		if !errors.Is(err, broken) || bytes.Equal(part.Bytes(), one.Bytes()) {
			t.Errorf("%s: teams that end with an error: %v, %d bytes; want that error and not the whole", e.Name, err, part.Len())
		}
		if err := e.Write(closedFile{}, format.ExportOptions{}, these(slices.Repeat([]directory.Team{team}, 400)...)); !errors.Is(err, os.ErrClosed) && !strings.HasPrefix(e.Name, "keyring") {
			t.Errorf("%s to a closed file = %v", e.Name, err)
		}
		if err := e.Write(closedFile{}, format.ExportOptions{}, these(team)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s of one team to a closed file = %v", e.Name, err)
		}
	}
}

type closedFile struct{}

func (closedFile) Write([]byte) (int, error) { return 0, os.ErrClosed }

// fullTeam is a team with a value in every field.
func fullTeam(t testing.TB, n int) directory.Team {
	p := fullProfile(t)
	team := directory.Team{ID: directory.TeamID(fmt.Sprintf("5694da62-6314-4565-9c4d-12985388260%d", n)), Handle: directory.Handle(fmt.Sprintf("example-%d", n)), Revision: 7,
		Created: day("2025-01-02"), Updated: day("2026-11-01"), Profile: p}
	team.Evidence = []directory.Evidence{{ID: "e1", Contact: p.Contacts[0].ID, Revision: 3, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-11-10"), By: "token:rct_4f2a9c1b"}}
	return team
}

// golden files show each format, for people to read what changes.
func TestExportersGolden(t *testing.T) {
	for _, name := range []string{"vcard", "jscontact", "stix", "keyring"} {
		var b bytes.Buffer
		write(t, &b, name, fullTeam(t, 1))
		e, _ := format.FindExporter(name)
		golden(t, "export/"+name+e.Extension, b.Bytes())
	}
	for _, form := range []format.RFC2350Form{format.RFC2350Text, format.RFC2350Markdown, format.RFC2350HTML} {
		var b bytes.Buffer
		team := fullTeam(t, 1)
		if err := format.WriteRFC2350(&b, &team, format.RFC2350Options{Form: form, Language: "de-AT"}); err != nil {
			t.Fatal(err)
		}
		golden(t, "export/rfc2350."+string(form), b.Bytes())
	}
}

// BenchmarkExport writes 100,000 teams in each format. live-MB is the most
// memory in use at any of ten moments of the last run, above that at its start;
// plain-json is the baseline, the same teams as encoding/json writes them.
func BenchmarkExport(b *testing.B) {
	const n = 100_000
	contacts := []directory.Contact{{ID: "00000000-0000-4000-8000-000000000001", Revision: 1, Channel: "email", Value: "csirt@example.org"},
		{ID: "00000000-0000-4000-8000-000000000002", Revision: 1, Channel: "phone", Value: "+4315056416", Uses: []string{"emergency"}, Visibility: directory.Green}}
	keys := []directory.TeamKey{{Key: aKey(b, "good")}}
	teams := func(step func(int)) format.Teams {
		return func(yield func(directory.Team, error) bool) {
			for i := range n {
				t := directory.Team{ID: directory.TeamID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), Handle: directory.Handle(fmt.Sprintf("team-%d", i)), Revision: 1, Created: day("2026-01-01"), Updated: day("2026-01-02"),
					Profile: directory.Profile{Names: directory.Names{Short: fmt.Sprintf("TEAM-%d", i), Full: "Computer Security Incident Response Team of the Example University"}, Country: "AT", Kinds: []string{"csirt"},
						Website: "https://csirt.example.org/", Contacts: contacts, Keys: keys, Constituency: directory.Constituency{Sectors: []string{"research"}, Text: "Everybody at the Example University"}}}
				t.Keys = []directory.TeamKey{{Key: keys[0].Key}}
				t.Keys[0].Fingerprint = directory.Fingerprint(fmt.Sprintf("%040X", i)) // or all keys are one
				if step(i); !yield(t, nil) {
					return
				}
			}
		}
	}
	plain := func(w io.Writer, _ format.ExportOptions, teams format.Teams) error {
		e := json.NewEncoder(w)
		for t := range teams {
			if err := e.Encode(t); err != nil {
				return err
			}
		}
		return nil
	}
	run := func(name string, write func(io.Writer, format.ExportOptions, format.Teams) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := write(io.Discard, format.ExportOptions{Now: day("2026-11-21")}, teams(func(int) {})); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "teams/s")
			b.StopTimer()
			least, most := liveHeap(), uint64(0)
			if err := write(io.Discard, format.ExportOptions{Now: day("2026-11-21")}, teams(func(i int) {
				if i%(n/10) == n/10-1 {
					most = max(most, liveHeap())
				}
			})); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(int64(most)-int64(least))/(1<<20), "live-MB")
		})
	}
	run("plain-json", plain)
	for _, e := range format.Exporters() {
		run(e.Name, e.Write)
	}
}

// liveHeap is what is in use after a collection.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
// BenchmarkExport writes teams in each format, beside our own wire shape, the
// plainest that there is.
func BenchmarkExport(b *testing.B) {
	g := generate(b)
	var teams []directory.Team
	for n := range 2000 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	rate := func(b *testing.B) {
		b.ReportMetric(float64(len(teams)*b.N)/b.Elapsed().Seconds(), "teams/s")
	}
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			for i := range teams {
				if _, err := json.Marshal(format.TeamFrom(&teams[i], directory.Policy{}, day("2026-11-21"))); err != nil {
					b.Fatal(err)
				}
			}
		}
		rate(b)
	})
	for _, e := range format.Exporters() {
		b.Run(e.Name, func(b *testing.B) {
			for b.Loop() {
				var out bytes.Buffer
				if err := e.Write(&out, format.ExportOptions{Now: day("2026-11-21")}, teamsOf(teams...)); err != nil {
					b.Fatal(err)
				}
			}
			rate(b)
		})
	}
}

// BenchmarkImport reads 2,000 teams in each shape, beside encoding/json on the
// same bytes.
func BenchmarkImport(b *testing.B) {
	g := generate(b)
	var teams []directory.Team
	for n := range 2000 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	for _, s := range append(shapes(), shape{"cerebrate", format.Cerebrate}, shape{"csv", readCSV}) {
		text := exported(b, s.name, teamsOf(teams...))
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				if in := collect(s.read(strings.NewReader(text))); len(in.records) != len(teams) {
					b.Fatal(fmt.Sprint(len(in.records), " records: ", in.fatal))
				}
			}
			b.ReportMetric(float64(len(teams)*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		if s.name == "csv" {
			continue
		}
		b.Run(s.name+"-baseline", func(b *testing.B) {
			for b.Loop() {
				var v any
				if err := json.Unmarshal([]byte(text), &v); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(teams)*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
