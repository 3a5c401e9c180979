package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// TestReferenceLife loads, replaces and removes reference data; lookups follow
// each step.
func TestReferenceLife(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		country := func() string {
			var a api.Answer
			s.do(t, get("/v1/lookup?q=203.0.113.9")).into(t, 200, &a)
			for _, step := range a.Trace {
				if step.Result == "mapped" {
					return step.Found
				}
			}
			return ""
		}
		var report api.ReferenceReport
		s.do(t, upload("prefix-country/ripencc?as_of=2026-11-20", "prefix,country\n203.0.113.0/24,AT\n198.51.100.0/24,DE\nx,AT\n")).into(t, 200, &report)
		if report.Rows != 3 || report.Created != 2 || report.Skipped != 1 || len(report.Problems) != 1 || report.Problems[0].Row != 4 || report.Seq == 0 {
			t.Errorf("report = %+v, want two of three rows, and line 4 named", report)
		}
		if got := country(); got != "AT" {
			t.Errorf("country right after the upload = %q, want AT", got)
		}
		var set api.ReferenceSet
		s.do(t, get("/v1/reference/prefix-country/ripencc")).into(t, 200, &set)
		var list api.ReferenceList
		s.do(t, get("/v1/reference")).into(t, 200, &list)
		if set.Rows != 2 || set.AsOf.Format("2006-01-02") != "2026-11-20" || set.Seq != report.Seq || !slices.Equal(list.Sets, []api.ReferenceSet{set}) {
			t.Errorf("set = %+v and list = %+v, want two entries of the day, once", set, list)
		}
		var would api.ReferenceReport
		s.do(t, upload("prefix-country/ripencc?dry_run=true", "prefix,country\n203.0.113.0/24,NL\n")).into(t, 200, &would)
		if !would.DryRun || would.Updated != 1 || would.Removed != 1 || would.Seq != 0 || country() != "AT" {
			t.Errorf("dry run = %+v with %s, want what would change, and AT still", would, country())
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write([]byte("prefix,country\n203.0.113.0/24,NL\n"))
		_ = z.Close()
		s.do(t, upload("prefix-country/ripencc", packed.String()).with("Content-Type", "application/gzip")).into(t, 200, &report)
		if got := country(); got != "NL" {
			t.Errorf("country after another upload = %q, want NL", got)
		}
		if a := s.do(t, request{method: "DELETE", path: "/v1/reference/prefix-country/ripencc", as: "operator"}); a.status != 204 {
			t.Errorf("removal = %d %s", a.status, a.body)
		}
		if got := country(); got != "" {
			t.Errorf("country after the removal = %q, want none", got)
		}
		var page api.AuditPage
		s.do(t, get("/v1/audit?subject=reference:prefix-country/ripencc").by("operator")).into(t, 200, &page)
		if len(page.Entries) != 3 || page.Entries[0].Action != "remove reference data" {
			t.Errorf("audit = %+v, want two uploads and the removal", page.Entries)
		}
	})
}

// TestReferenceOfARegistry takes of one registry's file the entries of the kind
// in the path.
func TestReferenceOfARegistry(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		file := "2|ripencc|20261120|2|19830705|20261119|+0200\nripencc|*|ipv4|*|1|summary\nripencc|*|asn|*|1|summary\n" +
			"ripencc|AT|ipv4|203.0.113.0|256|20100101|allocated|x\nripencc|DE|asn|64496|1|20100101|allocated|y\n"
		for _, tt := range []struct{ set, want string }{{"prefix-country/ripencc?format=rir-delegated", "prefix-country 1"}, {"asn-country/ripencc", "asn-country 1"}} {
			var report api.ReferenceReport
			s.do(t, upload(tt.set, file).with("Content-Type", "text/plain")).into(t, 200, &report)
			if report.Created != 1 {
				t.Errorf("%s = %+v, want one entry", tt.set, report)
			}
		}
		var list api.ReferenceList
		s.do(t, get("/v1/reference")).into(t, 200, &list)
		var got []string
		for _, set := range list.Sets {
			got = append(got, fmt.Sprintf("%s %d", set.Kind, set.Rows))
		}
		if want := []string{"asn-country 1", "prefix-country 1"}; !slices.Equal(got, want) {
			t.Errorf("sets = %v, want %v", got, want)
		}
	})
}

func TestReferenceGuard(t *testing.T) {
	s := embedded(t)
	var rows strings.Builder
	for i := range 20 {
		fmt.Fprintf(&rows, "203.0.113.%d/32,AT\n", i)
	}
	s.do(t, upload("prefix-country/many", "prefix,country\n"+rows.String()))
	other := "prefix,country\n198.51.100.0/24,DE\n"
	if p := problemIn(t, s.do(t, upload("prefix-country/many", other))); p.Status != 409 || p.Code != "import.mass-change" {
		t.Errorf("a file without most of what was loaded = %d %s, want 409 import.mass-change", p.Status, p.Code)
	}
	if a := s.do(t, upload("prefix-country/many?force=true", other)); a.status != 200 {
		t.Errorf("the same with force = %d %s", a.status, a.body)
	}
}

// TestVocabulariesAreThose of the domain, and what the document allows.
func TestVocabularies(t *testing.T) {
	s := embedded(t)
	var list api.VocabularyList
	s.do(t, get("/v1/vocabularies")).into(t, 200, &list)
	words := map[string][]string{}
	for _, v := range list.Vocabularies {
		if words[v.Name] != nil || v.Title == "" || len(v.Words) == 0 {
			t.Errorf("vocabulary %+v, want a title and words, once", v)
		}
		for _, w := range v.Words {
			words[v.Name] = append(words[v.Name], w.Word)
		}
	}
	schemas := document().Components.Schemas.Map()
	for _, tt := range []struct {
		name, schema, member string
		want                 []directory.Word
	}{
		{"kinds", "Team", "kinds", directory.Kinds}, {"statuses", "Team", "status", directory.Statuses},
		{"constituency-types", "ConstituencyType", "type", directory.ConstituencyTypes}, {"constituency-scopes", "ConstituencyType", "scope", directory.ConstituencyScopes},
		{"sectors", "Constituency", "sectors", directory.Sectors}, {"channels", "Contact", "channel", directory.Channels}, {"uses", "Contact", "uses", directory.Uses},
		{"incident-classes", "Contact", "classes", directory.IncidentClasses}, {"visibilities", "Contact", "visibility", nil},
		{"resource-types", "Resource", "type", directory.ResourceTypes}, {"claims", "Resource", "claim", directory.Claims},
		{"membership-statuses", "Membership", "status", directory.MembershipStatuses}, {"designation-scopes", "Designation", "scope", directory.DesignationScopes},
		{"services", "Team", "services", directory.Services}, {"levels", "Evidence", "level_name", nil}, {"states", "Evidence", "state", nil},
		{"scopes", "NewToken", "scopes", nil}, {"roles", "NewToken", "role", nil},
	} {
		schema := schemas[tt.schema].Properties[tt.member]
		if schema.Items != nil {
			schema = schema.Items
		}
		var documented []string
		for _, w := range schema.Enum {
			documented = append(documented, fmt.Sprint(w))
		}
		if tt.want != nil && !slices.Equal(words[tt.name], tt.want) {
			t.Errorf("words of %s = %v, want the domain's %v", tt.name, words[tt.name], tt.want)
		}
		slices.Sort(documented)
		if got := slices.Sorted(slices.Values(words[tt.name])); !slices.Equal(got, documented) {
			t.Errorf("words of %s = %v, the document has %v", tt.name, got, documented)
		}
	}
}

func TestAuditFilters(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.clock.Advance(3600e9)
		s.do(t, patch(`{"host":"One"}`).by("editor"))
		s.clock.Advance(3600e9)
		s.do(t, patch(`{"host":"Two"}`).by("operator"))
		editor := "token:" + s.tokens["editor"][:12]
		for _, tt := range []struct {
			query string
			want  int
		}{
			{"actor=" + editor, 1}, {"actor=" + editor + "&action=edit%20team", 1}, {"actor=" + editor + "&action=import", 0},
			{"subject=team:" + string(s.alpha.ID), 3}, {"subject=team:" + string(s.alpha.ID) + "&since=2026-11-21T21:00:00Z", 2},
			{"since=2026-11-21T21:00:00Z&until=2026-11-21T22:00:00Z", 1}, {"since=2026-11-21T22:00:00%2B00:00", 1}, {"until=2026-11-21T20:00:00Z", 0},
		} {
			var page api.AuditPage
			s.do(t, get("/v1/audit?limit=100&"+tt.query).by("operator")).into(t, 200, &page)
			if len(page.Entries) != tt.want {
				t.Errorf("%s: %d entries, want %d", tt.query, len(page.Entries), tt.want)
			}
		}
	})
}

func TestOneToken(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, role := range roles[1:] {
			var own, same api.Token
			s.do(t, get("/v1/me/token").by(role)).into(t, 200, &own)
			s.do(t, get("/v1/tokens/"+own.ID).by("operator")).into(t, 200, &same)
			if own.Name != role || own.ID != s.tokens[role][:12] || own.ID != same.ID || own.LastUsed.IsZero() {
				t.Errorf("token of %s = %+v, and as the operator sees it %+v", role, own, same)
			}
		}
	})
}
