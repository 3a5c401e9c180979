package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rollcall-csirt/rollcall/directory"
)

// write is a request of nobody that changes a part of team alpha, at any revision.
func write(method, part, body string) request {
	return request{method: method, path: "/v1/teams/alpha/" + part, body: body, header: anyRevision()}
}

func anyRevision() map[string]string { return map[string]string{"If-Match": "*"} }

// upload is a request of the operator with a file of reference data.
func upload(set, body string) request {
	return request{method: "PUT", path: "/v1/reference/" + set, as: "operator", body: body, header: map[string]string{"Content-Type": "text/csv"}}
}

// next is a number that was not there before.
func (s *scene) next() int { s.n++; return s.n }

// edit lets the operator change what team alpha entered.
func (s *scene) edit(ref string, change func(now *directory.Team, own *directory.Profile)) directory.Team {
	s.t.Helper()
	team, err := s.dir.Edit(context.Background(), operator(), ref, directory.Edit{Revision: directory.AnyRevision, Apply: func(now *directory.Team, own *directory.Profile) error {
		change(now, own)
		return nil
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return team
}

// newContact gives team alpha one more contact and returns its id.
func (s *scene) newContact() string {
	team := s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
		own.Contacts = append(slices.Clone(own.Contacts), contact(fmt.Sprintf("new%d@example.org", s.next()), directory.Clear))
	})
	return string(team.Contacts[len(team.Contacts)-1].ID)
}

// newResource gives team alpha one more domain and returns it.
func (s *scene) newResource() string {
	domain := fmt.Sprintf("new%d.example.net", s.next())
	s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
		own.Resources = append(slices.Clone(own.Resources), directory.Resource{Type: "domain", Domain: directory.Domain(domain)})
	})
	return domain
}

// spareKey gives team alpha one more key and returns its fingerprint.
func (s *scene) spareKey() string {
	text := armored(s.t, s.next())
	key, _, err := directory.ParseKey([]byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	s.edit("alpha", func(_ *directory.Team, own *directory.Profile) {
		own.Keys = append(slices.Clone(own.Keys), directory.TeamKey{Key: key})
	})
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	s.keys[string(key.Fingerprint)] = text
	return string(key.Fingerprint)
}

// newKey is the fingerprint of a key of team alpha that anybody sees.
func (s *scene) newKey() string {
	for fingerprint := range s.keys {
		for _, k := range mustTeam(s.t, s).Keys {
			if string(k.Fingerprint) == fingerprint && k.Visibility != directory.Green {
				return fingerprint
			}
		}
	}
	return s.spareKey()
}

// follower is the path of a key of team alpha that came after another, and that
// nobody has spoken of.
func (s *scene) follower() string {
	for {
		team := mustTeam(s.t, s)
		for _, k := range team.Keys {
			if x := team.Succession(k.Fingerprint); x != nil && len(x.Proofs) == 0 && x.Refused.IsZero() {
				return "/v1/teams/alpha/keys/" + string(k.Fingerprint)
			}
		}
		s.spareKey()
	}
}

// member makes a team of the forum first and returns its handle.
func (s *scene) member() string {
	handle := fmt.Sprintf("member-%d", s.next())
	s.create(directory.Handle(handle), directory.Profile{Names: directory.Names{Short: handle}, Memberships: []directory.Membership{{Forum: "first", Status: "member"}}})
	return handle
}

// nation makes a team that a country designated and returns its handle.
func (s *scene) nation() string {
	handle := fmt.Sprintf("nation-%d", s.next())
	s.create(directory.Handle(handle), directory.Profile{Names: directory.Names{Short: handle}, Designations: []directory.Designation{{Country: "AT", Scope: "national"}}})
	return handle
}

// designation gives team alpha one, unless it has it, and returns its name.
func (s *scene) designation() string {
	s.edit("alpha", func(now *directory.Team, own *directory.Profile) {
		if !slices.ContainsFunc(now.Designations, func(d directory.Designation) bool { return d.Country == "CH" }) {
			own.Designations = append(slices.Clone(own.Designations), directory.Designation{Country: "CH", Scope: "national"})
		}
	})
	return "CH-national"
}

// reference loads a set of reference data and returns its source.
func (s *scene) reference() string {
	source := fmt.Sprintf("source-%d", s.next())
	if a := s.do(s.t, upload("prefix-country/"+source, "prefix,country\n203.0.113.0/24,DE\n")); a.status != 200 {
		s.t.Fatalf("upload = %d %s", a.status, a.body)
	}
	return source
}

// armored makes a key of a team. Equal numbers give different keys.
func armored(t testing.TB, n int) string {
	t.Helper()
	at := func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	e, err := openpgp.NewEntity(fmt.Sprintf("Example %d", n), "", fmt.Sprintf("csirt%d@example.org", n), &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, "PGP PUBLIC KEY BLOCK", nil)
	if err == nil {
		err = e.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// privateKey is the key that nobody may send.
func privateKey(t testing.TB) string {
	t.Helper()
	e, err := openpgp.NewEntity("Example", "", "csirt@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, "PGP PRIVATE KEY BLOCK", nil)
	if err == nil {
		err = e.SerializePrivate(w, nil)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// quoted is a text as JSON.
func quoted(s string) string {
	text, _ := json.Marshal(s) // a string always can
	return strings.TrimSpace(string(text))
}
