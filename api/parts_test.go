package api_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// labelled gives team alpha a key and a resource of each label, beside the
// contacts that it has, and returns the labels in their order.
func (s *scene) labelled() []string {
	labels := []directory.TLP{directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}
	names := []string{"clear", "green", "amber", "strict", "red"}
	s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
		own.Resources = nil
		for i, label := range labels {
			key, _, err := directory.ParseKey([]byte(armored(s.t, s.next())))
			if err != nil {
				s.t.Fatal(err)
			}
			own.Keys = append(own.Keys, directory.TeamKey{Key: key, Visibility: label})
			own.Resources = append(own.Resources, directory.Resource{Type: "domain", Domain: directory.Domain(names[i] + ".example.org"), Visibility: label})
		}
	})
	return names
}

// TestPartsAreRedacted reads each list and each item of it in every role: what
// a role does not see is neither in the list nor at its address.
func TestPartsAreRedacted(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		names := s.labelled()
		team := *mustTeam(t, s)
		for _, role := range roles {
			var contacts api.ContactList
			s.do(t, get("/v1/teams/alpha/contacts").by(role)).into(t, 200, &contacts)
			var keys api.KeyList
			s.do(t, get("/v1/teams/alpha/keys").by(role)).into(t, 200, &keys)
			var resources api.ResourceList
			s.do(t, get("/v1/teams/alpha/resources").by(role)).into(t, 200, &resources)
			ring := string(s.do(t, get("/v1/teams/alpha/keys").by(role).with("Accept", "application/pgp-keys")).body)
			for i, label := range names {
				sees := slices.Contains(seen[role], label)
				got := []bool{
					slices.ContainsFunc(contacts.Contacts, func(c format.Contact) bool { return c.Value == label+"@example.org" }),
					slices.ContainsFunc(keys.Keys, func(k api.KeyInfo) bool { return k.Fingerprint == string(team.Keys[i].Fingerprint) }),
					slices.ContainsFunc(resources.Resources, func(r format.Resource) bool { return r.Value == label+".example.org" }),
					strings.Contains(ring, team.Keys[i].Armor),
				}
				for _, path := range []string{"contacts/" + string(team.Contacts[i].ID), "keys/" + string(team.Keys[i].Fingerprint), "keys/" + string(team.Keys[i].Fingerprint) + ".asc", "resources/" + label + ".example.org"} {
					a := s.do(t, get("/v1/teams/alpha/"+path).by(role))
					if a.status != 200 && a.status != 404 {
						t.Errorf("%s as %q = %d", path, role, a.status)
					}
					got = append(got, a.status == 200)
				}
				if want := slices.Repeat([]bool{sees}, len(got)); !slices.Equal(got, want) {
					t.Errorf("%s as %q: seen in lists and alone %v, want %v", label, role, got, want)
				}
			}
			if withheld := len(seen[role]) < 5; contacts.Withheld != withheld || keys.Withheld != withheld || resources.Withheld != withheld {
				t.Errorf("withheld as %q = %v %v %v, want %v", role, contacts.Withheld, keys.Withheld, resources.Withheld, withheld)
			}
		}
	})
}

// TestHiddenPartsStay lets the secretariat, which does not see what is RED,
// edit each list: hidden items stay, and stay in their places, and can't be
// changed or taken out by their address.
func TestHiddenPartsStay(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.labelled()
		s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
			own.Contacts, own.Keys, own.Resources = slices.Clone(own.Contacts), slices.Clone(own.Keys), slices.Clone(own.Resources)
			slices.Reverse(own.Contacts) // RED first
			slices.Reverse(own.Keys)
			slices.Reverse(own.Resources)
		})
		team := *mustTeam(t, s)
		order := func(team *directory.Team) (all []string) {
			for _, c := range team.Contacts {
				all = append(all, c.Value)
			}
			for _, k := range team.Keys {
				all = append(all, string(k.Fingerprint))
			}
			for _, r := range team.Resources {
				all = append(all, r.Value())
			}
			return all
		}
		before := order(&team)
		for _, q := range []request{
			write("PATCH", "contacts/"+string(team.Contacts[4].ID), `{"label":"x"}`),
			write("PATCH", "keys/"+string(team.Keys[3].Fingerprint), `{"visibility":"clear"}`),
			write("PATCH", "resources/clear.example.org", `{"holder":"x"}`),
			write("PUT", "contacts/"+string(team.Contacts[3].ID), `{"channel":"email","value":"green@example.org","label":"y"}`),
		} {
			if a := s.do(t, q.by("secretariat")); a.status != 200 {
				t.Fatalf("%s %s = %d %s", q.method, q.path, a.status, a.body)
			}
		}
		if diff := cmp.Diff(order(mustTeam(t, s)), before); diff != "" {
			t.Errorf("items after edits by the secretariat (-got +want):\n%s", diff)
		}
		for _, part := range []string{"contacts/" + string(team.Contacts[0].ID), "keys/" + string(team.Keys[0].Fingerprint), "resources/red.example.org"} {
			for _, method := range []string{"PATCH", "PUT", "DELETE"} {
				q := write(method, part, `{"visibility":"clear"}`).by("secretariat")
				if method == "PUT" {
					q.body = map[string]string{"c": `{"channel":"email","value":"x@example.org"}`, "k": `{"fingerprint":"` + strings.Repeat("A", 40) + `"}`, "r": `{"type":"domain","value":"x.example.org"}`}[part[:1]]
				}
				if a := s.do(t, q); a.status != 404 {
					t.Errorf("%s %s, which is hidden, = %d, want 404: %s", method, part, a.status, a.body)
				}
			}
		}
		s.do(t, write("DELETE", "contacts/"+string(team.Contacts[4].ID), "").by("secretariat"))
		if got := order(mustTeam(t, s)); !slices.Equal(got, slices.Delete(slices.Clone(before), 4, 5)) {
			t.Errorf("items after a deletion = %v, want all others of %v", got, before)
		}
	})
}

// life takes an item of a list through all that can be done to it.
type life struct {
	list, body, put, patch string
	path                   string // of the item, "" where the directory names it
	member, after          string // that patch changes, and to what
}

func TestPartsLife(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, l := range []life{
			{"contacts", `{"channel":"phone","value":"+43 1 5056416","uses":["emergency"]}`, `{"channel":"phone","value":"+4315056417"}`, `{"label":"duty"}`, "", "label", "duty"},
			{"resources", `{"type":"prefix","value":"2001:db8::/32"}`, `{"type":"prefix","value":"2001:db8::/32","holder":"X"}`, `{"holder":"Y"}`, "2001:DB8:0::%2F32", "holder", "Y"},
			{"memberships", `{"forum":"tf-csirt","status":"listed"}`, `{"forum":"tf-csirt","status":"accredited"}`, `{"type":"Full"}`, "tf-csirt", "type", "Full"},
			{"designations", `{"country":"CH","scope":"national"}`, `{"country":"CH","scope":"national","since":"2020-01-01"}`, `{"by":"Bund"}`, "CH-national", "by", "Bund"},
		} {
			s.life(t, l)
		}
	})
}

func (s *scene) life(t *testing.T, l life) {
	revision := func() int64 { return mustTeam(t, s).Revision }
	tag := func() map[string]string { return map[string]string{"If-Match": etagOf(revision())} }
	a := s.do(t, request{method: "POST", path: "/v1/teams/alpha/" + l.list, as: "operator", body: l.body, header: tag()})
	if a.status != 201 || a.header.Get("ETag") != etagOf(revision()) {
		t.Fatalf("POST %s = %d with ETag %s at revision %d: %s", l.list, a.status, a.header.Get("ETag"), revision(), a.body)
	}
	path := a.header.Get("Location")
	shown := s.do(t, get(path).by("operator"))
	if string(shown.body) != string(a.body) || shown.header.Get("ETag") != etagOf(revision()) {
		t.Errorf("GET %s = %s, want %s", path, shown.body, a.body)
	}
	if l.path != "" {
		if other := s.do(t, get("/v1/teams/alpha/"+l.list+"/"+l.path).by("operator")); string(other.body) != string(a.body) {
			t.Errorf("%s = %s, want %s", l.path, other.body, a.body)
		}
	}
	if a = s.do(t, request{method: "PUT", path: path, as: "operator", body: l.put, header: tag()}); a.status != 200 {
		t.Fatalf("PUT %s = %d %s", path, a.status, a.body)
	}
	if a = s.do(t, request{method: "PATCH", path: path, as: "operator", body: l.patch, header: tag()}); a.status != 200 {
		t.Fatalf("PATCH %s = %d %s", path, a.status, a.body)
	}
	var item map[string]any
	if err := json.Unmarshal(a.body, &item); err != nil || item[l.member] != l.after {
		t.Errorf("PATCH %s = %s, want %s to be %s", path, a.body, l.member, l.after)
	}
	before := revision()
	// Sent back as it was shown, nothing is written; null takes a member out.
	if a = s.do(t, request{method: "PUT", path: path, as: "operator", body: string(a.body), header: tag()}); a.status != 200 || revision() != before {
		t.Errorf("PUT of what was shown = %d at revision %d, want 200 at %d: %s", a.status, revision(), before, a.body)
	}
	a = s.do(t, request{method: "PATCH", path: path, as: "operator", body: fmt.Sprintf(`{%q:null}`, l.member), header: tag()})
	if item = nil; json.Unmarshal(a.body, &item) != nil || item[l.member] != nil || a.status != 200 {
		t.Errorf("PATCH %s to null = %d %s, want it gone", l.member, a.status, a.body)
	}
	if a = s.do(t, request{method: "DELETE", path: path, as: "operator", header: tag()}); a.status != 204 || a.header.Get("ETag") != etagOf(revision()) {
		t.Errorf("DELETE %s = %d with ETag %s: %s", path, a.status, a.header.Get("ETag"), a.body)
	}
	if a = s.do(t, get(path).by("operator")); a.status != 404 {
		t.Errorf("GET of what was taken out = %d", a.status)
	}
}

func etagOf(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// TestStaleParts changes the team behind the back of each writer: every write
// on the old revision is 412, says what changed and by whom, and writes nothing.
func TestStaleParts(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		key := s.newKey()
		s.designation()
		old := etagOf(mustTeam(t, s).Revision)
		s.do(t, send("PATCH", "/v1/teams/alpha", `{"host":"Elsewhere"}`).with("If-Match", old).by("editor"))
		now := mustTeam(t, s)
		id := string(now.Contacts[0].ID)
		for _, q := range []request{
			write("POST", "contacts", `{"channel":"email","value":"s@example.org"}`), write("PUT", "contacts/"+id, `{"channel":"email","value":"s@example.org"}`),
			write("PATCH", "contacts/"+id, `{"label":"s"}`), write("DELETE", "contacts/"+id, ""),
			write("POST", "keys", `{"fingerprint":"`+strings.Repeat("A", 40)+`"}`), write("PUT", "keys/"+key, `{"fingerprint":"`+key+`"}`),
			write("PATCH", "keys/"+key, `{"visibility":"red"}`), write("DELETE", "keys/"+key, ""),
			write("POST", "resources", `{"type":"domain","value":"s.example.net"}`), write("PUT", "resources/example.org", `{"type":"domain","value":"s.example.net"}`),
			write("PATCH", "resources/example.org", `{"holder":"s"}`), write("DELETE", "resources/example.org", ""),
			write("POST", "memberships", `{"forum":"s-forum","status":"member"}`), write("PUT", "memberships/first", `{"forum":"first","status":"ended"}`),
			write("PATCH", "memberships/first", `{"type":"s"}`), write("DELETE", "memberships/first", ""),
			write("POST", "designations", `{"country":"AT","scope":"other"}`), write("PUT", "designations/CH-national", `{"country":"CH","scope":"other"}`),
			write("PATCH", "designations/CH-national", `{"by":"s"}`), write("DELETE", "designations/CH-national", ""),
			{method: "PUT", path: "/v1/teams/alpha", body: `{"names":{"short":"S"}}`},
		} {
			p := problemIn(t, s.do(t, q.by("operator").with("If-Match", old)))
			if p.Status != 412 || p.Code != "revision.stale" || !strings.Contains(p.Errors[0].Reason+where(p), "host") || !strings.Contains(p.Errors[0].Reason, "token:rct_") {
				t.Errorf("%s %s on an old revision = %d %s %q, want 412 that says that host changed, and by whom", q.method, q.path, p.Status, p.Code, p.Errors[0].Reason)
			}
		}
		if mustTeam(t, s) != now {
			t.Error("a stale write wrote something")
		}
	})
}

func TestKeysUpload(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		text := armored(t, 1)
		flat := strings.ReplaceAll(strings.ReplaceAll(text, "\n\n", "\n \n"), "\n", " ") // as a form makes of it
		a := s.do(t, write("POST", "keys", flat).by("editor").with("Content-Type", "application/pgp-keys"))
		var key api.KeyInfo
		a.into(t, 201, &key)
		if !key.CanEncrypt || !key.CanVerify || !strings.Contains(key.Algorithm, "Ed25519") || len(key.UserIDs) != 1 {
			t.Errorf("key = %+v, want one that can encrypt and verify", key)
		}
		if !slices.ContainsFunc(key.Report, func(n api.KeyNote) bool { return n.Code == "key.armor-repaired" }) || len(key.Repairs) == 0 {
			t.Errorf("report = %+v, want it to tell of the repair", key.Report)
		}
		for _, q := range []request{get(a.header.Get("Location") + ".asc"), get(strings.ToLower(a.header.Get("Location"))).with("Accept", "application/pgp-keys;q=0.9, */*")} {
			q.path = strings.Replace(q.path, "/v1/teams/"+string(s.alpha.ID), "/v1/teams/alpha", 1)
			got := s.do(t, q)
			again, _, err := directory.ParseKey(got.body)
			if got.status != 200 || got.header.Get("Content-Type") != "application/pgp-keys" || err != nil || string(again.Fingerprint) != key.Fingerprint {
				t.Errorf("%s = %d %s, %v: %s", q.path, got.status, got.header.Get("Content-Type"), err, got.body)
			}
		}
		if p := problemIn(t, s.do(t, write("POST", "keys", text).by("editor").with("Content-Type", "application/pgp-keys"))); p.Status != 409 || p.Code != "item.exists" {
			t.Errorf("the same key again = %d %s, want 409 item.exists", p.Status, p.Code)
		}
		secret := privateKey(t)
		p := problemIn(t, s.do(t, write("POST", "keys", secret).by("editor").with("Content-Type", "application/pgp-keys")))
		if p.Status != 422 || p.Code != "key.private" || strings.Contains(fmt.Sprint(p.Errors), "lQ") {
			t.Errorf("a private key = %d %s %v, want 422 key.private that shows nothing of it", p.Status, p.Code, p.Errors)
		}
		other := armored(t, 2)
		p = problemIn(t, s.do(t, write("PUT", "keys/"+key.Fingerprint, other).by("editor").with("Content-Type", "application/pgp-keys")))
		if p.Status != 422 || p.Code != "key.fingerprint-mismatch" {
			t.Errorf("another key in the place of one = %d %s, want 422 key.fingerprint-mismatch", p.Status, p.Code)
		}
		s.do(t, write("PATCH", "keys/"+key.Fingerprint, `{"visibility":"green"}`).by("editor")).into(t, 200, &key)
		if key.Visibility != "green" || len(key.Repairs) == 0 {
			t.Errorf("key after a patch = %+v, want it green and its repairs remembered", key)
		}
		s.do(t, write("POST", "keys", `{"fingerprint":"`+strings.Repeat("B", 40)+`"}`).by("editor")).into(t, 201, &key)
		if p := problemIn(t, s.do(t, get("/v1/teams/alpha/keys/"+strings.Repeat("b", 40)+".asc"))); p.Status != 404 || p.Code != "key.no-armor" || key.Why == "" {
			t.Errorf("armour of a fingerprint = %d %s, want 404 key.no-armor", p.Status, p.Code)
		}
	})
}

// TestImportedParts edits what came from a source: lists of the team become its
// own, and what a forum's list says goes on counting beside what was entered.
func TestImportedParts(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		record := directory.SourceRecord{Row: 1, Rows: 1, Key: "k", Handle: "imported", Profile: directory.Profile{
			Names:       directory.Names{Short: "IMPORTED"},
			Contacts:    []directory.Contact{contact("one@example.org", ""), contact("two@example.org", "")},
			Memberships: []directory.Membership{{Forum: "first", Status: "member"}},
		}}
		_, err := s.dir.Import(t.Context(), operator(), directory.ImportOptions{Source: "ti"}, func(yield func(directory.ImportItem) bool) { yield(directory.ImportItem{Record: &record}) })
		if err != nil {
			t.Fatal(err)
		}
		base := "/v1/teams/imported/"
		del := func(part string) answer {
			return s.do(t, request{method: "DELETE", path: base + part, as: "operator", header: anyRevision()})
		}
		if p := problemIn(t, del("memberships/first")); p.Status != 409 || p.Code != "item.imported" {
			t.Errorf("deletion of what a source says = %d %s, want 409 item.imported", p.Status, p.Code)
		}
		s.do(t, send("PATCH", base+"memberships/first", `{"status":"ended","until":"2026-01-01"}`).with("If-Match", "*").by("secretariat"))
		var forums api.MembershipList
		s.do(t, get(base+"memberships")).into(t, 200, &forums)
		if len(forums.Memberships) != 1 || forums.Memberships[0].Status != "ended" || forums.Memberships[0].Origin.Source != directory.SourceTeam {
			t.Errorf("memberships = %+v, want the entered end above the source", forums.Memberships)
		}
		if a := del("memberships/first"); a.status != 204 {
			t.Errorf("deletion of what was entered = %d %s", a.status, a.body)
		}
		s.do(t, get(base+"memberships")).into(t, 200, &forums)
		if len(forums.Memberships) != 1 || forums.Memberships[0].Status != "member" {
			t.Errorf("memberships = %+v, want the source's again", forums.Memberships)
		}
		s.do(t, send("POST", base+"contacts", `{"channel":"email","value":"three@example.org"}`).with("If-Match", "*"))
		var list api.ContactList
		s.do(t, get(base+"contacts")).into(t, 200, &list)
		if a := del("contacts/" + list.Contacts[0].ID); a.status != 204 {
			t.Errorf("deletion of an imported contact = %d %s", a.status, a.body)
		}
		s.do(t, get(base+"contacts")).into(t, 200, &list)
		if len(list.Contacts) != 2 || list.Contacts[0].Value != "two@example.org" || list.Contacts[1].Value != "three@example.org" {
			t.Errorf("contacts = %+v, want two and three", list.Contacts)
		}
	})
}

// TestWritersOfParts lets two editors change two items at once, on one
// revision: one is told 412, and after reading again both changes are there.
func TestWritersOfParts(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for round := range 5 {
			tag := s.do(t, get("/v1/teams/alpha/contacts")).header.Get("ETag")
			paths := []string{"contacts/" + string(s.alpha.Contacts[0].ID), "contacts/" + string(s.alpha.Contacts[1].ID)}
			done := make(chan answer, 2)
			for i, role := range []string{"editor", "secretariat"} {
				go func() {
					done <- s.do(t, write("PATCH", paths[i], fmt.Sprintf(`{"label":"round %d"}`, round)).by(role).with("If-Match", tag))
				}()
			}
			codes := []int{(<-done).status, (<-done).status}
			if slices.Sort(codes); !slices.Equal(codes, []int{200, 412}) {
				t.Fatalf("round %d: %v, want 200 and 412", round, codes)
			}
		}
	})
}

// TestPutTeam sends teams back whole.
func TestPutTeam(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, role := range []string{"editor", "operator"} {
			before := s.do(t, get("/v1/teams/alpha").by(role))
			a := s.do(t, request{method: "PUT", path: "/v1/teams/alpha", as: role, body: string(before.body), header: map[string]string{"If-Match": before.header.Get("ETag")}})
			if string(a.body) != string(before.body) {
				t.Errorf("a team sent back as %s = %d %s, want nothing changed: %s", role, a.status, a.body, before.body)
			}
		}
		p := problemIn(t, s.do(t, request{method: "PUT", path: "/v1/teams/alpha", as: "secretariat", body: `{"names":{"short":"ALPHA"},"memberships":[{"forum":"first","status":"member"}]}`, header: anyRevision()}))
		if p.Status != 422 || p.Code != "auth.hidden" || where(p) != "/contacts" {
			t.Errorf("a put without the contacts, some of which are hidden, = %d %s at %s, want 422 auth.hidden at /contacts", p.Status, p.Code, where(p))
		}
		var team format.Team
		s.do(t, request{method: "PUT", path: "/v1/teams/alpha", as: "operator", body: `{"handle":"alpha2","names":{"short":"ALPHA"},"contacts":[]}`, header: anyRevision()}).into(t, 200, &team)
		if team.Handle != "alpha2" || team.Host != "" || len(team.Contacts) != 0 || team.Resources != nil || team.ID != string(s.alpha.ID) {
			t.Errorf("replaced by %+v, want nothing of before but the id", team)
		}
		const id = "5694da62-6314-4565-9c4d-1298538826be"
		create := request{method: "PUT", path: "/v1/teams/" + id, as: "operator", body: `{"handle":"chosen","names":{"short":"CHOSEN"}}`, header: map[string]string{"If-None-Match": "*"}}
		a := s.do(t, create)
		if a.into(t, 201, &team); team.ID != id || a.header.Get("ETag") != `"1"` || a.header.Get("Content-Location") != "/v1/teams/"+id {
			t.Errorf("created %+v with %v", team, a.header)
		}
		create.body = `{"handle":"chosen2","names":{"short":"CHOSEN"}}`
		if p := problemIn(t, s.do(t, create)); p.Status != http.StatusPreconditionFailed || p.Code != "team.exists" || where(p) != "If-None-Match" {
			t.Errorf("created again = %d %s at %s, want 412 team.exists", p.Status, p.Code, where(p))
		}
	})
}

func TestDiff(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		id := string(s.alpha.Contacts[0].ID)
		s.do(t, write("PATCH", "contacts/"+id, `{"label":"duty","uses":["abuse"]}`).by("editor"))
		s.do(t, write("DELETE", "resources/192.0.2.0%2F24", "").by("editor"))
		s.do(t, write("POST", "memberships", `{"forum":"tf-csirt","status":"listed"}`).by("operator"))
		s.do(t, request{method: "DELETE", path: "/v1/teams/alpha/contacts/" + string(s.alpha.Contacts[4].ID), as: "operator", header: anyRevision()})
		ask := func(role, query string) []api.Difference {
			var d api.TeamDiff
			s.do(t, get("/v1/teams/alpha/diff"+query).by(role)).into(t, 200, &d)
			return d.Changes
		}
		red := map[string]any{"id": string(s.alpha.Contacts[4].ID), "channel": "email", "value": "red@example.org", "visibility": "red"}
		want := []api.Difference{
			{Pointer: "/contacts/0/label", After: "duty"},
			{Pointer: "/contacts/0/uses", After: []any{"abuse"}},
			{Pointer: "/contacts/4", Before: red},
			{Pointer: "/memberships/1", After: map[string]any{"forum": "tf-csirt", "status": "listed"}},
			{Pointer: "/resources/0", Before: map[string]any{"type": "prefix", "value": "192.0.2.0/24"}},
		}
		for role, want := range map[string][]api.Difference{"editor": want, "operator": want, "reader": want, "secretariat": slices.Delete(slices.Clone(want), 2, 3)} {
			if diff := cmp.Diff(ask(role, "?from=1&to=5"), want); diff != "" {
				t.Errorf("differences as %s (-got +want):\n%s", role, diff)
			}
		}
		if got := ask("secretariat", ""); len(got) != 0 {
			t.Errorf("the last change, of what is hidden, as secretariat = %+v, want nothing", got)
		}
		if got := ask("operator", "?from=3&to=3"); len(got) != 0 {
			t.Errorf("a revision and itself differ: %+v", got)
		}
		if got := ask("operator", "?to=1"); len(got) == 0 || got[0].Before != nil {
			t.Errorf("the first revision = %+v, want all of it as new", got)
		}
		s.do(t, request{method: "DELETE", path: "/v1/teams/alpha", as: "operator", header: anyRevision()})
		if got := ask("operator", ""); len(got) != 1 || got[0].Pointer != "/deleted" {
			t.Errorf("the end of a team = %+v, want its day", got)
		}
	})
}

// TestDiffSuffices makes random edits and rebuilds the newer revision from the
// older one and what the comparison says.
func TestDiffSuffices(t *testing.T) {
	s := embedded(t)
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 60 {
		var body strings.Builder
		fmt.Fprintf(&body, `{"names":{"short":"R%d"},"kinds":%s,"contacts":[`, rng.IntN(3), []string{`["csirt"]`, `["soc","csirt"]`, `[]`}[rng.IntN(3)])
		for i, n := range rng.Perm(6)[:rng.IntN(6)] {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"channel":"email","value":"c%d@example.org","order":%d}`, n, rng.IntN(3))
		}
		fmt.Fprintf(&body, `],"designations":[{"country":"AT","scope":%q}],"constituency":{"types":[{"type":"isp","scope":%q}],"text":"t%d"}}`,
			[]string{"national", "other"}[rng.IntN(2)], []string{"both", "internal"}[rng.IntN(2)], rng.IntN(3))
		if a := s.do(t, request{method: "PUT", path: "/v1/teams/beta", as: "operator", body: body.String(), header: anyRevision()}); a.status != 200 {
			t.Fatalf("round %d: %d %s", round, a.status, a.body)
		}
	}
	var page api.RevisionPage
	s.do(t, get("/v1/teams/beta/history?limit=100").by("operator")).into(t, 200, &page)
	for range 100 {
		x, y := 1+rng.Int64N(page.Revisions[0].Revision), 1+rng.Int64N(page.Revisions[0].Revision)
		from, to := min(x, y), max(x, y)
		var d api.TeamDiff
		s.do(t, get(fmt.Sprintf("/v1/teams/beta/diff?from=%d&to=%d", from, to)).by("operator")).into(t, 200, &d)
		got := replay(t, s.whole(t, from), d.Changes)
		if diff := cmp.Diff(got, s.whole(t, to)); diff != "" {
			t.Fatalf("revision %d and %+v make (-got +want):\n%s", from, d.Changes, diff)
		}
	}
}
