package pgpkey

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Channel is a way on which a key reaches those who want to write to a team.
type Channel string

// The channels. What an OPENPGPKEY record says counts only where DNSSEC proves it;
// what an HKP server says never counts: anybody can put anything there.
const (
	ChannelProfile     Channel = "profile"     // what the team has entered here
	ChannelWKD         Channel = "wkd"         // Web Key Directory, by either method
	ChannelOPENPGPKEY  Channel = "openpgpkey"  // RFC 7929
	ChannelSecurityTxt Channel = "securitytxt" // Encryption, RFC 9116 section 2.5.4
	ChannelVKS         Channel = "vks"         // a verifying key server
	ChannelHKP         Channel = "hkp"         // any other key server
)

// Limits of one channel. All together stay below [verify.MaxTranscript].
const (
	maxKey    = 512 << 10 // octets of an answer that may be full of others' signatures, as directory.ParseKey has it
	maxClean  = 256 << 10 // octets of one that should have none
	maxIndex  = 16 << 10  // octets of what a key server says it has
	maxFetch  = 2 << 20   // octets of one run, after which nothing more is looked for by fingerprint
	maxKeys   = 16        // keys of one answer
	maxPlaces = 4         // Encryption fields of a security.txt, records of a name
	maxVKS    = 4         // verifying key servers that are asked
	maxHKP    = 2         // other key servers that are asked
	maxProof  = 30        // questions that prove one record
)

// accept is what is asked for where a key should be.
const accept = "application/octet-stream, application/pgp-keys, */*;q=0.5"

// state is what a place had to say.
type state string

const (
	stateFound       state = "found"
	stateAbsent      state = "absent"      // nothing is published there
	stateBroken      state = "broken"      // something is, and it is no key of the address
	stateInsecure    state = "insecure"    // found, and anybody may have put it there
	stateUnreachable state = "unreachable" // no conclusion
)

// place is one place where a key may be published, and what was there.
type place struct {
	channel Channel
	where   string // URL or DNS name
	state   state
	keys    []found
	trouble *verify.Trouble // of stateUnreachable
	meant   bool            // its very name says that keys are to be found there
	old     bool            // what the last conclusion found, now out of reach
	file    bool            // a security.txt, which names places
}

// found is a key of a place. Of a key that is only named there is no report.
type found struct {
	fingerprint directory.Fingerprint
	report      *Report
	raw         []byte // all of the answer that it was found in
}

// prints lists the fingerprints of a place.
func (p *place) prints() []directory.Fingerprint {
	var all []directory.Fingerprint
	for _, k := range p.keys {
		if !slices.Contains(all, k.fingerprint) {
			all = append(all, k.fingerprint)
		}
	}
	return all
}

// counts reports whether what is found there says something about the team.
func (p *place) counts() bool { return p.state == stateFound && p.channel != ChannelHKP }

// search asks places one by one and keeps what they say.
type search struct {
	verify.Network
	verify.Target
	cfg      Config
	findings []verify.Finding
	places   []*place
	// revocations are facts that must outlive an outage of the server they are from.
	revocations []verify.Fact
	revoked     []verify.Revocation
	octets      int // that were fetched
}

func (s *search) say(f verify.Finding) { s.findings = append(s.findings, f) }

// add adds a place to those that were looked at.
func (s *search) add(c Channel, where string) *place {
	p := &place{channel: c, where: where, state: stateAbsent}
	s.places = append(s.places, p)
	return p
}

// fetch fetches from a place. It returns nil when there is nothing to read: the
// place's state says why then. An error is trouble of our own.
func (s *search) fetch(ctx context.Context, p *place, limit int64) (*verify.Exchange, error) {
	x, err := s.Fetch(ctx, verify.Request{URL: p.where, Accept: accept, Limit: limit})
	if err != nil {
		return nil, err
	}
	s.octets += len(x.Body)
	switch status := x.Last().Status; {
	case x.Failure != nil && x.Failure.Temporary:
		p.unreachable(x.Failure)
	case x.Failure != nil:
		p.state = stateBroken
		return x, nil
	case status == 200:
		return x, nil
	case status == 404, status == 410, status == 204: // RFC 9110: there is none, for now or for good
		p.state = stateAbsent
	default:
		p.state = stateBroken
		return x, nil
	}
	return nil, nil
}

func (p *place) unreachable(f *verify.Failure) {
	p.state = stateUnreachable
	p.trouble = &verify.Trouble{Code: f.Code, Detail: p.where + ": " + f.Detail, Retry: f.Retry}
}

// why words what keeps a place from being read.
func why(x *verify.Exchange) string {
	if f := x.Failure; f != nil {
		return strings.TrimSpace(string(f.Code) + " " + f.Detail)
	}
	return "status " + itoa(x.Last().Status)
}

// take judges the keys of an answer and keeps those that keep says. It returns
// what was refused, and how many keys were not kept.
func (s *search) take(p *place, data []byte, keep func(Report) bool) (refused []verify.Finding, others int) {
	n := 0
	for r := range JudgeKeyring(data, s.cfg.Policy, s.Now) {
		if n++; n > maxKeys {
			break
		}
		switch {
		case r.Refused():
			refused = append(refused, r.Findings...)
		case keep(r):
			p.keys = append(p.keys, found{fingerprint: r.Key.Fingerprint, report: &r, raw: data})
		default:
			others++
		}
	}
	p.state = stateBroken
	if len(p.keys) > 0 {
		p.state = stateFound
	}
	return refused, others
}
