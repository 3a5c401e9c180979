package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// roles are all who may ask: "" is nobody, "member" a consumer of team alpha,
// "other" an editor of another team, "stranger" the secretariat of another
// forum, and "reader" an operator's token that may only read.
var roles = []string{"", "consumer", "member", "editor", "other", "secretariat", "stranger", "operator", "reader"}

// rights says for each operation what each role gets, in the order of roles.
// Every operation has a row; TestGuard compares the two lists.
var rights = map[string]struct {
	ask  func(*scene) request
	want [9]int
}{
	"lookup": {func(*scene) request { return get("/v1/lookup?q=192.0.2.1") }, all(200)},
	"lookup-batch": {func(*scene) request {
		return request{method: "POST", path: "/v1/lookup", body: `{"queries":["192.0.2.1"]}`}
	}, all(200)},
	"list-teams":           {func(*scene) request { return get("/v1/teams") }, all(200)},
	"get-team":             {func(*scene) request { return get("/v1/teams/alpha") }, all(200)},
	"changes":              {func(*scene) request { return get("/v1/changes?after=0") }, all(200)},
	"snapshot":             {func(*scene) request { return get("/v1/snapshot") }, all(200)},
	"me":                   {func(*scene) request { return get("/v1/me") }, all(200)},
	"healthz":              {func(*scene) request { return get("/healthz") }, all(200)},
	"readyz":               {func(*scene) request { return get("/readyz") }, all(200)},
	"problem":              {func(*scene) request { return get("/problems/if-match.syntax") }, all(200)},
	"metrics":              {func(*scene) request { return get("/metrics") }, all(200)},
	"export-teams":         {func(*scene) request { return get("/v1/export/jscontact") }, all(200)},
	"export-team":          {func(*scene) request { return get("/v1/teams/alpha/export/stix") }, all(200)},
	"get-team-description": {func(*scene) request { return get("/v1/teams/alpha/rfc2350") }, all(200)},
	"get-security-txt":     {func(*scene) request { return get("/v1/teams/alpha/security.txt") }, all(200)},
	"search":               {func(*scene) request { return get("/v1/search?q=alpha") }, all(200)},

	"get-verification":     {func(*scene) request { return get("/v1/teams/alpha/verification") }, all(200)},
	"verification-history": {func(s *scene) request { s.reached(); return get("/v1/teams/alpha/verification/history") }, all(200)},
	"verification-events":  {func(s *scene) request { s.reached(); return get("/v1/verification/events") }, all(200)},
	"compare-sources":      {func(*scene) request { return get("/v1/teams/alpha/verification/sources") }, all(200)},
	"list-disagreements":   {func(*scene) request { return get("/v1/verification/sources") }, all(200)},
	"get-transcript": {func(s *scene) request { return get("/v1/teams/alpha/verification/evidence/" + s.transcript()) },
		[9]int{401, 403, 403, 200, 403, 403, 403, 200, 200}},
	"run-verification": {func(*scene) request { return request{method: "POST", path: "/v1/teams/alpha/verification/run"} },
		[9]int{401, 403, 403, 202, 403, 403, 403, 202, 403}},
	"pause-verification": {func(*scene) request {
		return request{method: "POST", path: "/v1/verification/pause", body: `{"check":"mx"}`}
	}, onlyOperator(200, 403)},
	"resume-verification": {func(s *scene) request {
		if err := s.dir.PauseChecks(context.Background(), operator(), "spf", false, ""); err != nil {
			s.t.Fatal(err)
		}
		return request{method: "POST", path: "/v1/verification/resume", body: `{"check":"spf"}`}
	}, onlyOperator(200, 403)},
	"list-control": {func(s *scene) request { s.proof(); return get("/v1/teams/alpha/control") }, all(200)},
	"get-control":  {func(s *scene) request { return get(s.proof()) }, all(200)},
	"start-control": {func(s *scene) request { return request{method: "PUT", path: s.proof(), body: `{}`} },
		[9]int{401, 403, 403, 200, 403, 403, 403, 200, 403}},
	"renew-control": {func(s *scene) request { return request{method: "POST", path: s.proof() + "/renew"} },
		[9]int{401, 403, 403, 200, 403, 403, 403, 200, 403}},
	"check-control": {func(s *scene) request { return request{method: "POST", path: s.proof() + "/run"} },
		[9]int{401, 403, 403, 202, 403, 403, 403, 202, 403}},
	"withdraw-control": {func(s *scene) request { return request{method: "DELETE", path: s.proof()} },
		[9]int{401, 403, 403, 204, 403, 403, 403, 204, 403}},
	"list-key-continuity": {func(s *scene) request { s.follower(); return get("/v1/teams/alpha/continuity") }, all(200)},
	"state-key": {func(s *scene) request {
		return request{method: "POST", path: s.follower() + "/statement", body: `{"statement":"hello"}`}
	}, [9]int{401, 403, 403, 422, 403, 403, 403, 422, 403}}, // who may is told that it is none
	"vouch-for-key": {func(s *scene) request {
		return request{method: "POST", path: s.follower() + "/vouch", body: `{"note":"called them"}`}
	}, onlyOperator(200, 403)},
	"refuse-key": {func(s *scene) request {
		return request{method: "POST", path: s.follower() + "/refuse", body: `{"note":"not ours"}`}
	}, [9]int{401, 403, 403, 200, 403, 403, 403, 200, 403}},
	"list-policies":   {func(*scene) request { return get("/v1/policies") }, all(200)},
	"list-challenges": {func(s *scene) request { s.question(); return get("/v1/challenges?team=alpha") }, mayRead(200)},
	"get-challenge":   {func(s *scene) request { return get(s.question()) }, mayRead(200)},
	"team-challenges": {func(*scene) request { return get("/v1/teams/alpha/challenges") }, mayRead(200)},
	"team-response-times": {func(s *scene) request {
		if err := s.desk(s.t).Consent(context.Background(), operator(), &s.alpha, false); err != nil {
			s.t.Fatal(err)
		}
		return get("/v1/teams/alpha/response-times")
	}, mayRead(200)},
	"ask-contact": {func(s *scene) request {
		return request{method: "POST", path: "/v1/challenges", body: `{"team":"alpha","contact":"` + s.unasked() + `"}`}
	}, editors(201)},
	"challenge-events": {func(s *scene) request { s.question(); return get("/v1/challenges/events?team=alpha") }, mayRead(200)},
	"list-webhooks":    {func(s *scene) request { s.hook(); return get("/v1/webhooks?team=alpha") }, ownHooks(200, 200)},
	"create-webhook": {func(s *scene) request {
		s.fewHooks()
		return request{method: "POST", path: "/v1/webhooks", body: `{"team":"alpha","url":"https://hooks.example.org/x"}`}
	}, ownHooks(201, 403)},
	"get-webhook": {func(s *scene) request { return get(s.hook()) }, ownHooks(200, 200)},
	"change-webhook": {func(s *scene) request {
		return request{method: "PUT", path: s.hook(), body: `{"url":"https://hooks.example.org/y"}`}
	}, ownHooks(200, 403)},
	"webhook-deliveries": {func(s *scene) request { return get(s.hook() + "/deliveries") }, ownHooks(200, 200)},
	"ping-webhook":       {func(s *scene) request { return request{method: "POST", path: s.hook() + "/ping"} }, ownHooks(202, 403)},
	"rotate-webhook":     {func(s *scene) request { return request{method: "POST", path: s.hook() + "/secret"} }, ownHooks(200, 403)},
	"delete-webhook":     {func(s *scene) request { return request{method: "DELETE", path: s.hook()} }, ownHooks(204, 403)},
	"get-endpoint":       {func(s *scene) request { return get(s.automation(true)) }, ownHooks(200, 200)},
	"set-endpoint": {func(s *scene) request {
		return request{method: "PUT", path: s.automation(false), body: `{"scheme":"hmac","key":"` + automationKey + `"}`}
	}, ownHooks(200, 403)},
	"delete-endpoint": {func(s *scene) request { return request{method: "DELETE", path: s.automation(true)} }, ownHooks(204, 403)},
	"answer-question": {func(s *scene) request { return s.automationAnswer() }, all(200)},
	"give-consent": {func(*scene) request { return request{method: "PUT", path: "/v1/teams/alpha/response-times/consent"} },
		[9]int{401, 403, 403, 200, 403, 403, 403, 200, 403}},
	"withdraw-consent": {func(*scene) request { return request{method: "DELETE", path: "/v1/teams/alpha/response-times/consent"} },
		[9]int{401, 403, 403, 200, 403, 403, 403, 200, 403}},
	"stop-challenge":   {func(s *scene) request { return request{method: "POST", path: s.question() + "/stop", body: `{}`} }, onlyOperator(200, 403)},
	"pause-challenge":  {func(s *scene) request { return request{method: "POST", path: s.question() + "/pause", body: `{}`} }, onlyOperator(200, 403)},
	"resume-challenge": {func(s *scene) request { return request{method: "POST", path: s.question() + "/resume", body: `{}`} }, onlyOperator(200, 403)},
	"log-call": {func(s *scene) request {
		return request{method: "POST", path: s.asked() + "/calls", body: `{"number":"+4315056416","reached":false}`}
	}, onlyOperator(200, 403)},
	"judge-call": {func(s *scene) request {
		return request{method: "POST", path: s.called() + "/calls/judge", body: `{"approve":false}`}
	}, onlyOperator(200, 403)},
	"list-cases": {func(*scene) request { return get("/v1/cases") }, onlyOperator(200, 200)},
	"close-case": {func(s *scene) request {
		return request{method: "POST", path: s.optedOut() + "/cases/opt-out/close", body: `{"note":"spoke with them"}`}
	}, onlyOperator(204, 403)},
	"take-in-result": {func(s *scene) request {
		return request{method: "POST", path: "/v1/desk/results", body: `{"team":"alpha","contact":"` + s.unasked() + `","level":2,"source":"Other","at":"2026-11-01T00:00:00Z"}`}
	}, onlyOperator(201, 403)},
	"stop-challenges": {func(*scene) request { return request{method: "POST", path: "/v1/desk/stop", body: `{}`} }, onlyOperator(200, 403)},
	"resume-challenges": {func(s *scene) request {
		if err := s.dir.PauseChecks(context.Background(), operator(), directory.PauseOfChallenges, true, ""); err != nil {
			s.t.Fatal(err)
		}
		return request{method: "POST", path: "/v1/desk/resume"}
	}, onlyOperator(200, 403)},
	"list-campaigns": {func(*scene) request { return get("/v1/campaigns") }, [9]int{401, 403, 403, 403, 403, 200, 200, 200, 200}},
	"plan-campaign": {func(*scene) request {
		return request{method: "POST", path: "/v1/campaigns", body: `{"name":"A","scope":{"forum":"first"},"from":"2026-11-23T00:00:00Z","to":"2026-11-28T00:00:00Z"}`}
	}, [9]int{401, 403, 403, 403, 403, 201, 403, 201, 403}},
	"get-campaign":        {func(s *scene) request { return get(s.campaign()) }, ofFirst(200, 200)},
	"get-campaign-report": {func(s *scene) request { return get(s.campaign() + "/report") }, ofFirst(200, 200)},
	"move-campaign": {func(s *scene) request {
		return request{method: "POST", path: s.campaign() + "/move", body: `{"move":"abort"}`}
	},
		ofFirst(200, 403)},
	"get-response-times": {func(*scene) request { return get("/v1/response-times?forum=first") }, ofFirst(200, 200)},
	"get-digest":         {func(*scene) request { return get("/v1/teams/alpha/digest") }, all(200)},
	"get-badge":          {func(*scene) request { return get("/v1/teams/alpha/badge.svg") }, all(200)},
	"list-checks":        {func(*scene) request { return get("/v1/checks") }, all(200)},
	"list-problems":      {func(*scene) request { return get("/v1/problems?prefix=mx.") }, all(200)},
	"get-problem":        {func(*scene) request { return get("/v1/problems/mx.implicit") }, all(200)},

	// A secretariat that names no forum of its own creates nothing.
	"create-team": {func(*scene) request {
		return request{method: "POST", path: "/v1/teams", body: `{"handle":"new","names":{"short":"NEW"}}`}
	}, [9]int{401, 403, 403, 403, 403, 403, 403, 201, 403}},
	"patch-team":   {func(*scene) request { return patch(`{"host":"Elsewhere"}`) }, [9]int{401, 403, 403, 200, 403, 200, 403, 200, 403}},
	"team-history": {func(*scene) request { return get("/v1/teams/alpha/history") }, [9]int{401, 403, 403, 200, 403, 200, 403, 200, 200}},
	"record-evidence": {func(s *scene) request {
		return request{method: "POST", path: "/v1/teams/alpha/evidence", body: fmt.Sprintf(`{"contact":%q,"level":2,"outcome":"proved","method":"phone"}`, s.alpha.Contacts[0].ID)}
	}, [9]int{401, 403, 403, 403, 403, 403, 403, 200, 403}},
	"list-tokens": {func(*scene) request { return get("/v1/tokens") }, onlyOperator(200, 403)},
	"create-token": {func(*scene) request {
		return request{method: "POST", path: "/v1/tokens", body: `{"name":"x","role":"consumer"}`}
	}, onlyOperator(201, 403)},
	"revoke-token": {func(s *scene) request {
		return request{method: "DELETE", path: "/v1/tokens/" + s.tokens["expiring"][:12]}
	}, onlyOperator(200, 403)},
	"get-token": {func(s *scene) request { return get("/v1/tokens/" + s.tokens["expiring"][:12]) }, onlyOperator(200, 403)},
	"my-token":  {func(*scene) request { return get("/v1/me/token") }, [9]int{401, 200, 200, 200, 200, 200, 200, 200, 200}},

	"list-contacts":     {func(*scene) request { return get("/v1/teams/alpha/contacts") }, all(200)},
	"get-contact":       {func(s *scene) request { return get("/v1/teams/alpha/contacts/" + string(s.alpha.Contacts[0].ID)) }, all(200)},
	"list-keys":         {func(*scene) request { return get("/v1/teams/alpha/keys") }, all(200)},
	"get-key":           {func(s *scene) request { return get("/v1/teams/alpha/keys/" + s.newKey()) }, all(200)},
	"list-resources":    {func(*scene) request { return get("/v1/teams/alpha/resources") }, all(200)},
	"get-resource":      {func(*scene) request { return get("/v1/teams/alpha/resources/example.org") }, all(200)},
	"list-memberships":  {func(*scene) request { return get("/v1/teams/alpha/memberships") }, all(200)},
	"get-membership":    {func(*scene) request { return get("/v1/teams/alpha/memberships/first") }, all(200)},
	"list-designations": {func(*scene) request { return get("/v1/teams/alpha/designations") }, all(200)},
	"get-designation":   {func(s *scene) request { return get("/v1/teams/" + s.nation() + "/designations/AT-national") }, all(200)},
	"add-contact": {func(s *scene) request {
		return write("POST", "contacts", fmt.Sprintf(`{"channel":"email","value":"add%d@example.org"}`, s.next()))
	}, editors(201)},
	"put-contact": {func(s *scene) request {
		return write("PUT", "contacts/"+string(s.alpha.Contacts[0].ID), fmt.Sprintf(`{"channel":"email","value":"clear@example.org","label":"put %d"}`, s.next()))
	}, editors(200)},
	"patch-contact": {func(s *scene) request {
		return write("PATCH", "contacts/"+string(s.alpha.Contacts[0].ID), fmt.Sprintf(`{"label":"patch %d"}`, s.next()))
	}, editors(200)},
	"delete-contact": {func(s *scene) request { return write("DELETE", "contacts/"+s.newContact(), "") }, editors(204)},
	"add-key": {func(s *scene) request {
		return write("POST", "keys", armored(s.t, s.next())).with("Content-Type", "application/pgp-keys")
	}, editors(201)},
	"put-key": {func(s *scene) request {
		key := s.newKey()
		return write("PUT", "keys/"+key, fmt.Sprintf(`{"armor":%s}`, quoted(s.keys[key])))
	}, editors(200)},
	"patch-key": {func(s *scene) request {
		return write("PATCH", "keys/"+s.newKey(), fmt.Sprintf(`{"visibility":%q}`, []string{"clear", "green"}[s.next()%2]))
	}, editors(200)},
	"delete-key": {func(s *scene) request { return write("DELETE", "keys/"+s.spareKey(), "") }, editors(204)},
	"add-resource": {func(s *scene) request {
		return write("POST", "resources", fmt.Sprintf(`{"type":"domain","value":"add%d.example.net"}`, s.next()))
	}, editors(201)},
	"put-resource": {func(s *scene) request {
		return write("PUT", "resources/example.org", fmt.Sprintf(`{"type":"domain","value":"example.org","holder":"put %d"}`, s.next()))
	}, editors(200)},
	"patch-resource": {func(s *scene) request {
		return write("PATCH", "resources/192.0.2.0%2F24", fmt.Sprintf(`{"holder":"patch %d"}`, s.next()))
	}, editors(200)},
	"delete-resource": {func(s *scene) request { return write("DELETE", "resources/"+s.newResource(), "") }, editors(204)},
	// What a forum or a government decides is no editor's: 422 auth.field.
	"add-membership": {func(s *scene) request {
		return write("POST", "memberships", fmt.Sprintf(`{"forum":"forum-%d","status":"member"}`, s.next()))
	}, [9]int{401, 403, 403, 422, 403, 422, 403, 201, 403}},
	"put-membership": {func(s *scene) request {
		return write("PUT", "memberships/first", fmt.Sprintf(`{"forum":"first","status":"member","type":"Put %d"}`, s.next()))
	}, [9]int{401, 403, 403, 422, 403, 200, 403, 200, 403}},
	"patch-membership": {func(s *scene) request {
		return write("PATCH", "memberships/first", fmt.Sprintf(`{"type":"Patch %d"}`, s.next()))
	}, [9]int{401, 403, 403, 422, 403, 200, 403, 200, 403}},
	"delete-membership": {func(s *scene) request {
		return request{method: "DELETE", path: "/v1/teams/" + s.member() + "/memberships/first", header: anyRevision()}
	}, [9]int{401, 403, 403, 403, 403, 204, 403, 204, 403}},
	"add-designation": {func(s *scene) request {
		return write("POST", "designations", fmt.Sprintf(`{"country":"A%c","scope":"other"}`, "DEFGILMOQRSTUWXZ"[s.next()%16]))
	}, [9]int{401, 403, 403, 422, 403, 422, 403, 201, 403}},
	"put-designation": {func(s *scene) request {
		return write("PUT", "designations/"+s.designation(), fmt.Sprintf(`{"country":"CH","scope":"national","by":"Put %d"}`, s.next()))
	}, [9]int{401, 403, 403, 422, 403, 422, 403, 200, 403}},
	"patch-designation": {func(s *scene) request {
		return write("PATCH", "designations/"+s.designation(), fmt.Sprintf(`{"by":"Patch %d"}`, s.next()))
	}, [9]int{401, 403, 403, 422, 403, 422, 403, 200, 403}},
	"delete-designation": {func(s *scene) request {
		return request{method: "DELETE", path: "/v1/teams/" + s.nation() + "/designations/AT-national", header: anyRevision()}
	}, onlyOperator(204, 403)},
	"put-team": {func(s *scene) request {
		return request{method: "PUT", path: "/v1/teams/" + s.member(), body: `{"names":{"short":"PUT"},"memberships":[{"forum":"first","status":"member"}]}`, header: anyRevision()}
	}, [9]int{401, 403, 403, 403, 403, 200, 403, 200, 403}},
	"team-diff": {func(*scene) request { return get("/v1/teams/alpha/diff") }, [9]int{401, 403, 403, 200, 403, 200, 403, 200, 200}},

	"list-vocabularies": {func(*scene) request { return get("/v1/vocabularies") }, all(200)},
	"list-reference":    {func(*scene) request { return get("/v1/reference") }, all(200)},
	"get-reference":     {func(s *scene) request { return get("/v1/reference/prefix-country/" + s.reference()) }, all(200)},
	"put-reference": {func(*scene) request {
		return upload("prefix-country/upload", "prefix,country\n198.51.100.0/24,AT\n").by("")
	}, onlyOperator(200, 403)},
	"delete-reference": {func(s *scene) request {
		return request{method: "DELETE", path: "/v1/reference/prefix-country/" + s.reference()}
	}, onlyOperator(204, 403)},
	"audit":         {func(*scene) request { return get("/v1/audit") }, onlyOperator(200, 403)},
	"create-import": {func(*scene) request { return importFile("prefix-country", "192.0.2.0/24,AT\n") }, onlyOperator(202, 403)},
	"list-imports":  {func(*scene) request { return get("/v1/imports") }, onlyOperator(200, 403)},
	"get-import":    {func(s *scene) request { return get("/v1/imports/" + s.queuedImport()) }, onlyOperator(200, 403)},
	"cancel-import": {func(s *scene) request {
		return request{method: "POST", path: "/v1/imports/" + s.queuedImport() + "/cancel"}
	}, onlyOperator(200, 403)},
	"delete-import": {func(s *scene) request { return request{method: "DELETE", path: "/v1/imports/" + s.queuedImport()} }, onlyOperator(200, 403)},
	"merge-team": {func(*scene) request {
		return request{method: "POST", path: "/v1/teams/gamma/merge", body: `{"into":"alpha"}`, header: map[string]string{"If-Match": "*"}}
	}, onlyOperator(200, 403)},
	"unmerge-team": {func(s *scene) request {
		s.merged("goes", "stays")
		return request{method: "POST", path: "/v1/teams/goes/unmerge", header: map[string]string{"If-Match": "*"}}
	}, onlyOperator(200, 403)},
	"decide-match": {func(s *scene) request {
		s.pair("one", "two")
		return request{method: "POST", path: "/v1/matches/decide", body: `{"verdict":"open","keep":{"team":"one","revision":1},"other":{"team":"two","revision":1}}`}
	}, onlyOperator(200, 403)},
	// A secretariat sees matches of members of its forum.
	"list-matches": {func(*scene) request { return get("/v1/matches") }, [9]int{401, 403, 403, 403, 403, 200, 200, 200, 200}},
	"delete-team": {func(*scene) request {
		return request{method: "DELETE", path: "/v1/teams/beta", header: map[string]string{"If-Match": "*"}}
	}, onlyOperator(204, 403)},
}

func all(status int) [9]int {
	var list [9]int
	for i := range list {
		list[i] = status
	}
	return list
}

// editors may do this: those of the team, the secretariat of its forum, and
// operators.
func editors(status int) [9]int { return [9]int{401, 403, 403, status, 403, status, 403, status, 403} }

// mayRead is for what is private to a team, to its forums and to operators.
func mayRead(status int) [9]int {
	return [9]int{401, 403, 403, status, 403, status, 403, status, status}
}

// ownHooks is for what a team's editors and operators do about its webhooks.
func ownHooks(status, reader int) [9]int {
	return [9]int{401, 403, 403, status, 403, 403, 403, status, reader}
}

// ofFirst is for what operators and the secretariat of the forum first may do.
func ofFirst(status, reader int) [9]int {
	return [9]int{401, 403, 403, 403, 403, status, 403, status, reader}
}

func onlyOperator(status, reader int) [9]int {
	list := all(403)
	list[0], list[7], list[8] = 401, status, reader
	return list
}

// TestAccess asks every operation in every role; the operator comes last,
// since what it may do takes teams away.
func TestAccess(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, operator := range []bool{false, true} {
			for id, row := range rights {
				for i, role := range roles {
					if (role == "operator") == operator {
						s.access(t, id, row.ask(s).by(role), row.want[i])
					}
				}
			}
		}
	})
}

func (s *scene) access(t *testing.T, id string, q request, want int) {
	a := s.do(t, q)
	if a.status != want {
		t.Errorf("%s as %q = %d, want %d: %s", id, q.as, a.status, want, a.body)
	}
	if a.status >= 400 {
		problemIn(t, a)
	}
}

// seen are the contacts of team alpha that each role sees, by label.
var seen = map[string][]string{
	"": {"clear"}, "consumer": {"clear", "green"}, "stranger": {"clear", "green"}, "other": {"clear", "green"},
	"secretariat": {"clear", "green", "amber", "strict"},
	"member":      {"clear", "green", "amber", "strict", "red"},
	"editor":      {"clear", "green", "amber", "strict", "red"}, "operator": {"clear", "green", "amber", "strict", "red"}, "reader": {"clear", "green", "amber", "strict", "red"},
}

func TestRedaction(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, role := range roles {
			var want []string
			for _, label := range seen[role] {
				want = append(want, label+"@example.org")
			}
			var team format.Team
			s.do(t, get("/v1/teams/alpha").by(role)).into(t, 200, &team)
			var page api.TeamPage
			s.do(t, get("/v1/teams?limit=1").by(role)).into(t, 200, &page)
			for _, got := range []format.Team{team, page.Teams[0]} {
				var values []string
				for _, c := range got.Contacts {
					values = append(values, c.Value)
				}
				if diff := cmp.Diff(values, want); diff != "" {
					t.Errorf("contacts as %q (-got +want):\n%s", role, diff)
				}
				if withheld := len(want) < 5; withheld != slices.Contains(got.Withheld, "contacts") {
					t.Errorf("withheld as %q = %v, want contacts named: %v", role, got.Withheld, withheld)
				}
			}
			s.redactedLookups(t, role, want)
			s.redactedHistory(t, role, len(want))
		}
	})
}

// redactedLookups asks for each mailbox: a hidden one has never been found.
func (s *scene) redactedLookups(t *testing.T, role string, want []string) {
	for _, label := range []string{"clear", "green", "amber", "strict", "red"} {
		address := label + "@example.org"
		var a api.Answer
		s.do(t, get("/v1/lookup?q="+address).by(role)).into(t, 200, &a)
		found := slices.ContainsFunc(a.Candidates, func(c api.Candidate) bool { return c.Contact != nil && c.Contact.Value == address })
		if found != slices.Contains(want, address) {
			t.Errorf("lookup of %s as %q found it: %v, want %v", address, role, found, !found)
		}
	}
}

func (s *scene) redactedHistory(t *testing.T, role string, contacts int) {
	a := s.do(t, get("/v1/teams/alpha/history").by(role))
	if a.status != 200 {
		return
	}
	var page api.RevisionPage
	a.into(t, 200, &page)
	first := page.Revisions[len(page.Revisions)-1]
	if list, _ := first.Changes["contacts"].After.([]any); len(list) != contacts {
		t.Errorf("history as %q shows %d contacts, want %d", role, len(list), contacts)
	}
}

func TestTokensEnd(t *testing.T) {
	s := embedded(t)
	if a := s.do(t, get("/v1/audit").by("expiring")); a.status != 200 {
		t.Fatalf("audit = %d, want 200", a.status)
	}
	s.clock.Advance(2 * 3600e9)
	for _, path := range []string{"/v1/audit", "/v1/teams", "/v1/lookup?q=192.0.2.1"} {
		a := s.do(t, get(path).by("expiring"))
		if p := problemIn(t, a); p.Status != http.StatusUnauthorized || p.Code != "auth.token-expired" {
			t.Errorf("%s with an expired token = %d %s, want 401 auth.token-expired", path, p.Status, p.Code)
		}
	}
	if a := s.do(t, get("/healthz").by("expiring")); a.status != 200 {
		t.Errorf("healthz with an expired token = %d, want 200: it looks at no token", a.status)
	}
}

func TestTokenLife(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var made api.CreatedToken
		a := s.do(t, send("POST", "/v1/tokens", `{"name":"feed","role":"consumer","team":"alpha","scopes":["read"],"expires":"90d"}`))
		a.into(t, 201, &made)
		if want := "/v1/tokens/" + made.Token.ID; a.header.Get("Location") != want {
			t.Errorf("Location = %q, want %q", a.header.Get("Location"), want)
		}
		if days := made.Token.Expires.Sub(s.clock.Now()).Hours() / 24; days != 90 {
			t.Errorf("expires in %v days, want 90", days)
		}
		s.tokens["made"] = made.Secret
		var me api.Me
		s.do(t, get("/v1/me").by("made")).into(t, 200, &me)
		want := api.Me{Name: "token:" + made.Token.ID, Role: "consumer", Team: &api.TeamRef{ID: string(s.alpha.ID), Handle: "alpha", Name: "ALPHA-CSIRT"}, Forums: []string{"first"}, Scopes: []string{"read"}}
		if diff := cmp.Diff(me, want); diff != "" {
			t.Errorf("me (-got +want):\n%s", diff)
		}
		for range 2 { // the second time is no error
			var token api.Token
			s.do(t, request{method: "DELETE", path: "/v1/tokens/" + made.Token.ID, as: "operator"}).into(t, 200, &token)
			if token.State != "revoked" || token.LastUsed.IsZero() {
				t.Errorf("revoked token = %+v, want state revoked and a last use", token)
			}
		}
		if a := s.do(t, get("/v1/me").by("made")); a.status != 401 {
			t.Errorf("me with a revoked token = %d, want 401", a.status)
		}
		var list api.TokenList
		s.do(t, get("/v1/tokens").by("operator")).into(t, 200, &list)
		if !slices.ContainsFunc(list.Tokens, func(k api.Token) bool { return k.ID == made.Token.ID && k.State == "revoked" }) {
			t.Errorf("tokens = %+v, want the revoked one among them", list)
		}
		var none api.Me
		s.do(t, get("/v1/me")).into(t, 200, &none)
		if diff := cmp.Diff(none, api.Me{Name: "anonymous", Role: string(directory.Anonymous), Scopes: []string{"read"}}); diff != "" {
			t.Errorf("me as nobody (-got +want):\n%s", diff)
		}
	})
}
