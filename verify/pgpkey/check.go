package pgpkey

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// Config is what the checks are set up with. The zero Config asks nobody but the
// team's own domains: who asks a key server tells it whom they care about.
type Config struct {
	// VKS are verifying key servers, which confirm addresses by mail, as
	// "https://keys.example.org"; the first four are asked.
	VKS []string
	// HKP are other key servers, of which the first two are asked: by fingerprint
	// only, for revocations and newer copies, which prove themselves.
	HKP []string
	// Policy is what keys must be like.
	Policy Policy
	// Anchors are the trust anchors of DNSSEC; nil: those of the root.
	Anchors []dnssec.Anchor
	// Memory spares proofs signatures that have verified before; nil: one of its own.
	Memory *dnssec.Memory
}

// Checks returns the checks of keys, set up.
//
// pgpkey judges a key as the directory holds it, and asks the key servers for
// revocations and newer copies. pgpkey-contact asks every channel for the key of an
// e-mail address and compares what they say. pgpkey-securitytxt judges the keys that
// the security.txt of a host names. They prove no contact: a published key
// does not say that somebody reads the mail.
func Checks(c Config) []verify.Check {
	if c.Memory == nil {
		c.Memory = dnssec.NewMemory(0)
	}
	return []verify.Check{
		{
			Name: "pgpkey", Title: "the OpenPGP key",
			Kinds: []verify.SubjectKind{verify.SubjectKey},
			Every: 7 * aDay, // revocations are looked for every week; reminders are due by themselves
			Applies: func(t *directory.Team) []verify.Subject {
				var all []verify.Subject
				for _, k := range t.Keys {
					all = append(all, verify.Subject{Kind: verify.SubjectKey, ID: string(k.Fingerprint)})
				}
				return once(all)
			},
			Run:      c.runKey,
			Problems: Problems(),
		},
		{
			Name: "pgpkey-contact", Title: "the OpenPGP key of the address, wherever it is published",
			Kinds: []verify.SubjectKind{verify.SubjectContact},
			Every: aDay,
			Applies: func(t *directory.Team) []verify.Subject {
				var all []verify.Subject
				for _, o := range t.Contacts {
					if o.Channel == "email" {
						all = append(all, verify.Subject{Kind: verify.SubjectContact, ID: o.Value})
					}
				}
				return once(all)
			},
			Run:      c.runContact,
			Problems: Problems(),
		},
		c.encryptionCheck(),
	}
}

// once keeps the first of equal subjects.
func once(all []verify.Subject) []verify.Subject {
	seen := map[verify.Subject]bool{}
	return slices.DeleteFunc(all, func(s verify.Subject) bool {
		again := seen[s]
		seen[s] = true
		return again
	})
}

func (c Config) runKey(ctx context.Context, n verify.Network, t verify.Target) (verify.Result, error) {
	f, err := directory.ParseFingerprint(t.Subject.ID)
	if err != nil {
		return verify.Result{Findings: []verify.Finding{adopt(directory.ProblemsOf(err)[0])}}, nil
	}
	s := &search{Network: n, Target: t, cfg: c}
	return s.key(ctx, f)
}

func (c Config) runContact(ctx context.Context, n verify.Network, t verify.Target) (verify.Result, error) {
	e, err := directory.ParseEmail(t.Subject.ID)
	if err != nil {
		return verify.Result{}, nil // a contact of another kind has no key
	}
	s := &search{Network: n, Target: t, cfg: c}
	return s.contact(ctx, e)
}

// claimed returns the keys of the profile with what became of them. What is stored
// is judged anew: the policy and the clock may have moved on.
func (s *search) claimed() []found {
	var all []found
	for _, k := range s.Claims.Keys {
		r := Judge([]byte(k.Armor), s.cfg.Policy, s.Now)
		all = append(all, found{fingerprint: directory.Fingerprint(k.Fingerprint), report: &r, raw: []byte(k.Armor)})
	}
	return all
}

// carries reports whether one of the key's own user IDs has an address, in
// whatever case, be it that programs accept it or not.
func (r Report) carries(e directory.Email) bool {
	for _, u := range r.Key.UserIDs {
		if has, err := directory.ParseEmail(u.Email); err == nil && !u.Revoked && has.Key() == e.Key() {
			return true
		}
	}
	return false
}

// facts lists every place with what it said.
func (s *search) facts() []verify.Fact {
	var all []verify.Fact
	for _, p := range s.places {
		value := p.where + " " + string(p.state)
		for _, f := range p.prints() {
			value += " " + string(f)
		}
		all = append(all, verify.Fact{Name: "channel." + string(p.channel), Value: value})
	}
	return all
}

// seen reports whether the last conclusion had found a key on a channel.
func (s *search) seen(c Channel) bool {
	for _, f := range s.Previous {
		if fields := strings.Fields(f.Value); f.Name == "channel."+string(c) && len(fields) > 2 && fields[1] == string(stateFound) {
			return true
		}
	}
	return false
}

// remember lets a place of others that is out of reach keep what the last conclusion
// had found there, and a security.txt that is, what it had named. Otherwise an outage
// would make a disagreement go away.
func (s *search) remember() {
	for _, p := range slices.Clone(s.places) {
		switch {
		case p.state != stateUnreachable || p.channel == ChannelWKD || p.channel == ChannelOPENPGPKEY:
		case p.file:
			s.rememberNamed()
		default:
			s.rememberPlace(p)
		}
	}
}

// rememberPlace gives a place the keys that the last conclusion had found there.
func (s *search) rememberPlace(p *place) {
	for _, f := range s.Previous {
		fields := strings.Fields(f.Value)
		if f.Name != "channel."+string(p.channel) || len(fields) < 3 || fields[0] != p.where || fields[1] != string(stateFound) {
			continue
		}
		p.state, p.old = stateFound, true
		for _, print := range fields[2:] {
			p.keys = append(p.keys, found{fingerprint: directory.Fingerprint(print)})
		}
	}
}

// rememberNamed adds the places that a security.txt had named, records among them.
func (s *search) rememberNamed() {
	for _, f := range s.Previous {
		where, _, _ := strings.Cut(f.Value, " ")
		channel := Channel(strings.TrimPrefix(f.Name, "channel."))
		if (channel == ChannelSecurityTxt || channel == ChannelOPENPGPKEY) && !s.asked(where) {
			p := &place{channel: channel, where: where}
			if s.rememberPlace(p); p.old {
				s.places = append(s.places, p)
			}
		}
	}
}

// inconclusive returns why there is no conclusion, nil when there is one. The
// team's own channels count: where keys were found before, where the name of the
// host says that there should be some, and where all of them are out of reach. That a
// domain has no web server, or one that is down, is no reason to know nothing.
func (s *search) inconclusive() error {
	var troubles []*verify.Trouble
	own := 0
	for _, p := range s.places {
		if p.channel != ChannelWKD && p.channel != ChannelOPENPGPKEY {
			continue
		}
		own++
		if p.state != stateUnreachable {
			continue
		}
		if p.meant || s.seen(p.channel) {
			return p.trouble
		}
		troubles = append(troubles, p.trouble)
	}
	if own > 0 && len(troubles) == own {
		return troubles[0]
	}
	return nil
}

// until returns the earliest moment at which one of the reports changes.
func until(reports ...*Report) time.Time {
	var first time.Time
	for _, r := range reports {
		if r != nil {
			first = earliest(first, r.Until)
		}
	}
	return first
}
