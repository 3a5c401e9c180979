package format_test

import (
	"bytes"
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
	"ti": "contacts keys resources", "first": "contacts", "cerebrate": "contacts keys resources", "csv": "contacts keys resources",
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
}
