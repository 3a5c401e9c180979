package api

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory/format"
)

// The examples of the document: one team, and what is said about it.

const (
	exampleTeamID    = "5694da62-6314-4565-9c4d-1298538826be"
	exampleContactID = "0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"
)

func exampleDay() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC) }

func exampleEvidence() format.Evidence {
	return format.Evidence{Level: 2, LevelName: "answered", State: "verified", At: exampleDay(), Method: "phone", By: "token:rct_4f2a9c1b", ValidUntil: exampleDay().AddDate(0, 6, 0)}
}

func exampleChecks() []format.CheckVerdict {
	return []format.CheckVerdict{{Check: "securitytxt", Kind: "domain", Subject: "example.org", Verdict: "warning", Since: exampleDay().AddDate(0, 0, -20), Checked: exampleDay().AddDate(0, 0, -3)}}
}

func exampleProfile() format.Profile {
	return format.Profile{
		Names: &format.Names{Short: "EXAMPLE-CSIRT", Full: "Example Computer Security Incident Response Team"},
		Kinds: []string{"csirt"}, Host: "Example University", Country: "AT", Zone: "Europe/Vienna",
		Resources: []format.Resource{{Type: "prefix", Value: "192.0.2.0/24"}, {Type: "domain", Value: "example.org"}},
		Contacts:  []format.Contact{{Channel: "email", Value: "csirt@example.org", Uses: []string{"general", "abuse"}}},
	}
}

func exampleNewTeam() NewTeam { return NewTeam{Handle: "example-csirt", Profile: exampleProfile()} }

func exampleTeam() format.Team {
	t := format.Team{
		ID: exampleTeamID, Handle: "example-csirt", Name: "EXAMPLE-CSIRT", Revision: 7, Seq: 812,
		Created: exampleDay().AddDate(-1, 0, 0), Updated: exampleDay(), Profile: exampleProfile(),
	}
	e := exampleEvidence()
	t.Contacts[0].ID, t.Contacts[0].Revision, t.Contacts[0].Evidence = exampleContactID, 1, &e
	t.Checks = exampleChecks()
	return t
}

func exampleNewEvidence() NewEvidence {
	return NewEvidence{Contact: exampleContactID, Level: 2, Outcome: "proved", Method: "phone", At: "2026-11-21T20:00:00Z", Note: "spoke to the duty officer"}
}

func exampleAnswer() Answer {
	e := exampleEvidence()
	team := TeamRef{ID: exampleTeamID, Handle: "example-csirt", Name: "EXAMPLE-CSIRT"}
	return Answer{
		Query: "192.0.2.17", Kind: "ip", Status: "match", Seq: 812,
		Candidates: []Candidate{{
			Team: team, Contact: &AnswerContact{ID: exampleContactID, Channel: "email", Value: "csirt@example.org", Uses: []string{"general", "abuse"}},
			MatchedOn: "192.0.2.0/24", Rung: "prefix", Rank: 1, Why: "is responsible for 192.0.2.0/24", Holder: "Example University", Evidence: &e,
			Checks: &AnswerChecks{OK: 17, Warning: 1, Checked: exampleDay().AddDate(0, 0, -6), Faults: exampleChecks()},
		}},
		Trace: []Step{{Rung: "prefix", Result: "match", Subject: "192.0.2.17", Found: "192.0.2.0/24", Team: &team, Count: 1, Text: "prefix 192.0.2.0/24, which holds 192.0.2.17: EXAMPLE-CSIRT"}},
	}
}

func exampleRevisions() RevisionPage {
	return RevisionPage{Revisions: []TeamRevision{{Revision: 7, Seq: 812, At: exampleDay(), Actor: "token:rct_4f2a9c1b", Action: "edit team",
		Changes: map[string]Values{"host": {Before: "Example College", After: "Example University"}}}}}
}

func exampleAudit() AuditPage {
	return AuditPage{Entries: []AuditEntry{{Seq: 812, At: exampleDay(), Actor: "token:rct_4f2a9c1b", Action: "edit team", Subject: "team:" + exampleTeamID, Fields: []string{"host"}}}}
}

func exampleToken() Token {
	return Token{ID: "rct_4f2a9c1b", Name: "IntelMQ at example.org", Role: "consumer", State: "valid", Created: exampleDay(), By: "cli:root", Expires: exampleDay().AddDate(0, 0, 90)}
}

func schemaOf[T any](r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

const exampleFingerprint = "D1A66E1A23B182C9980F788CFBFCC82A015E7330"

// exampleArmor is not a key, and no key looks so short.
const exampleArmor = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxjMEZ…\n-----END PGP PUBLIC KEY BLOCK-----\n"

func exampleKey() KeyInfo {
	return KeyInfo{
		Key: format.Key{Fingerprint: exampleFingerprint, Version: 4, Algorithm: "Ed25519", Bits: 256, Created: exampleDay().AddDate(-1, 0, 0),
			UserIDs: []format.UserID{{Name: "Example CSIRT", Email: "csirt@example.org", Raw: "Example CSIRT <csirt@example.org>", Primary: true}}, Armor: exampleArmor},
		CanEncrypt: true, CanVerify: true, Problems: []KeyNote{},
	}
}

// problemExamples are a problem for each status that an operation can end with.
func problemExamples() map[string]*huma.Example {
	list := map[string]*huma.Example{}
	for _, k := range problemKinds() {
		row := kinds(k)
		if row.status == http.StatusMethodNotAllowed {
			continue // what has no such method is no operation
		}
		p := &Problem{Title: row.title, Status: row.status, Code: row.code, Instance: "/v1/teams/nobody", RequestID: "5f0c2a9be1d4-2f"}
		p.Detail = strings.ToLower(p.Title[:1]) + p.Title[1:]
		list["problem-"+strconv.Itoa(row.status)] = &huma.Example{Summary: row.title, Value: p.typed()}
	}
	return list
}
