package lab

import (
	"crypto/sha256"
	"encoding/base32"
)

// Control is how a team proves that it controls its domain.
type Control struct {
	Token string // that it was given: 32 characters of base32
	Lost  bool   // the record was seen before, and missing two days ago
}

// controlToken is the token of a team, the same in each lab.
func controlToken(handle string) string {
	sum := sha256.Sum256([]byte("control of " + handle))
	return base32.StdEncoding.EncodeToString(sum[:20])
}

// challenge is the name of the record that proves control, below a domain.
const challenge = "_rollcall-challenge"

func controlText(token string) string { return "token=" + token + " expiry=never" }

// beginControl lets the team publish what it was given.
func (m *teamMaker) beginControl() {
	m.team.Control.Token = controlToken(m.team.Handle)
	m.text["control"] = txt(challenge, controlText(m.team.Control.Token))
}

// controlFaults are teams that prove control in another way, or not, by handle.
func controlFaults() map[string]func(*teamMaker) {
	return map[string]func(*teamMaker){
		"foundry": func(m *teamMaker) {
			m.text["control"] = challenge + " CNAME foundry.proofs.example.\n"
			m.team.zones = append(m.team.zones, Zone{Origin: "proofs.example.", Sign: SignNSEC, Text: txt("foundry", controlText(m.team.Control.Token))})
			m.alsoDoes("The record that proves control of its domain is an alias of one elsewhere.")
		},
		"mill": func(m *teamMaker) {
			m.text["control"], m.team.Control.Lost = "", true
			m.alsoDoes("The record that proved control of its domain is gone for days.")
			m.expects("domain-control", bad, "What is missing twice, a day apart, is lost.")
		},
		"dairy": func(m *teamMaker) {
			m.unsignedZone()
			m.zone.Servers = []string{"ns1.hoster.example.", "behind.hoster.example."}
			m.alsoDoes("One of its name servers does not have the record that proves control of its domain.")
			m.expects("domain-control", warning, "Servers that disagree prove nothing, and nothing is lost.")
		},
		"tramway": func(m *teamMaker) {
			m.expects("domain-control", bad, "RFC 4035 section 5: what is bogus proves nothing.")
		},
	}
}
