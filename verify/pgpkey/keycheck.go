package pgpkey

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// CodeNoKeyServer is trouble of a check by hand: a fingerprint alone can be
// looked for on key servers only, and none is configured.
const CodeNoKeyServer verify.Code = "check.no-key-server"

// key judges one key, and looks on the key servers for what it lacks.
func (s *search) key(ctx context.Context, f directory.Fingerprint) (verify.Result, error) {
	here := s.local(f)
	if err := s.servers(ctx, f, here); err != nil {
		return verify.Result{}, err
	}
	r := here
	for _, p := range s.places {
		for _, k := range p.keys {
			r = cmp.Or(r, k.report)
		}
	}
	if r == nil {
		return s.nothing()
	}
	s.contactAddress(r)
	s.succession(f)
	findings := append(slices.Clone(r.Findings), s.findings...)
	return verify.Result{Findings: findings, Facts: slices.Concat(r.Facts(), s.facts(), s.revocations), Until: earliest(until(r), s.waits(f)), Revocations: s.revoked}, nil
}

// local is the report of the profile's copy, nil when there is none.
func (s *search) local(f directory.Fingerprint) *Report {
	for _, k := range s.claimed() {
		if k.fingerprint != f {
			continue
		}
		if k.report.Key.Fingerprint != f && !k.report.Refused() {
			s.say(find("pgpkey.fingerprint-mismatch", string(k.report.Key.Fingerprint)))
		}
		return k.report
	}
	return nil
}

// servers asks the key servers by fingerprint.
func (s *search) servers(ctx context.Context, f directory.Fingerprint, here *Report) error {
	for _, base := range s.cfg.VKS[:min(len(s.cfg.VKS), maxVKS)] {
		if err := s.server(ctx, ChannelVKS, VKSByFingerprint(base, f), f, here); err != nil {
			return err
		}
	}
	for _, base := range s.cfg.HKP[:min(len(s.cfg.HKP), maxHKP)] {
		if err := s.server(ctx, ChannelHKP, HKPGet(base, f), f, here); err != nil {
			return err
		}
	}
	return nil
}

// server asks one key server. Its word is worth nothing: what the key itself has
// signed is, and of another key nothing is taken.
func (s *search) server(ctx context.Context, c Channel, where string, f directory.Fingerprint, here *Report) error {
	wrong := false
	data, err := s.keyServer(ctx, c, where, func(r Report) bool {
		wrong = wrong || r.Key.Fingerprint != f
		return r.Key.Fingerprint == f
	})
	if err != nil {
		return err
	}
	if wrong {
		s.say(find("pgpkey.keyserver-wrong-key", where))
	}
	p := s.places[len(s.places)-1]
	if p.state == stateUnreachable {
		s.rememberRevocation(where)
	}
	if here == nil || here.Refused() || here.Key.Revoked {
		return nil
	}
	if merged, n, err := here.Key.WithRevocations(data); err == nil && n > 0 {
		s.newRevocations(merged, where)
		return nil
	}
	for _, k := range p.keys {
		s.copies(here, k.report, where)
	}
	return nil
}

// newRevocations reports what the profile's copy lacks. Other signatures that
// the server may have do not matter beside it.
func (s *search) newRevocations(merged directory.Key, where string) {
	s.revoked = append(s.revoked, verify.Revocation{Fingerprint: merged.Fingerprint, Copy: []byte(merged.Armor)})
	if merged.Revoked {
		s.revokedElsewhere(merged, where)
		return
	}
	s.say(find("pgpkey.profile-stale", where+" has revocations of subkeys or user IDs").On(string(merged.Fingerprint)))
}

// rememberRevocation repeats what the last conclusion found on a server that is
// out of reach now: a revocation does not go away.
func (s *search) rememberRevocation(where string) {
	for _, f := range s.Previous {
		if f.Name == "revocation" && strings.HasPrefix(f.Value, where+" ") {
			s.say(find("pgpkey.revoked-elsewhere", f.Value).On(s.Subject.ID))
			s.revocations = append(s.revocations, f)
		}
	}
}

// succession says of a key that came beside or in place of another that nothing
// speaks for it.
func (s *search) succession(f directory.Fingerprint) {
	k := s.claim(f)
	switch {
	case k == nil || k.Continuity == "":
	case k.Continuity == directory.ContinuityRefused:
		s.say(find("pgpkey.successor-refused", "since "+day(k.Since)))
	case k.Trusted(s.Now):
		s.say(find("pgpkey.successor-unproven", "since "+day(k.Since)+"; it is relied on all the same"))
	default:
		s.say(find("pgpkey.successor-unproven", "since "+day(k.Since)+"; nobody relies on it before "+day(k.Since.Add(directory.KeyWait))))
	}
}

func (s *search) claim(f directory.Fingerprint) *verify.ClaimedKey {
	if i := slices.IndexFunc(s.Claims.Keys, func(k verify.ClaimedKey) bool { return k.Fingerprint == string(f) }); i >= 0 {
		return &s.Claims.Keys[i]
	}
	return nil
}

// waits is when the waiting of a key ends; zero where it does not wait.
func (s *search) waits(f directory.Fingerprint) time.Time {
	if k := s.claim(f); k != nil && k.Continuity == directory.ContinuityUnproven && !k.Trusted(s.Now) {
		return k.Since.Add(directory.KeyWait)
	}
	return time.Time{}
}

// nothing is the result for a fingerprint whose key is nowhere.
func (s *search) nothing() (verify.Result, error) {
	var asked []string
	for _, p := range s.places {
		if p.state == stateUnreachable {
			return verify.Result{}, p.trouble
		}
		asked = append(asked, p.where)
	}
	if len(asked) == 0 {
		return verify.Result{}, &verify.Trouble{Code: CodeNoKeyServer, Detail: "no key server is configured", Ours: true}
	}
	return verify.Result{Findings: []verify.Finding{find("pgpkey.no-key", "asked: "+strings.Join(asked, ", "))}, Facts: s.facts()}, nil
}

// contactAddress looks for an address of the team among the key's user IDs.
func (s *search) contactAddress(r *Report) {
	best, addresses := MatchNone, 0
	for _, o := range s.Claims.Contacts {
		e, err := directory.ParseEmail(o.Value)
		if o.Channel != "email" || err != nil {
			continue
		}
		addresses++
		best = max(best, r.Has(e))
	}
	switch {
	case addresses == 0 || r.Key.Revoked || len(r.UserIDs) == 0:
	case best == MatchNone:
		s.say(find("pgpkey.no-contact-address", ""))
	case best == MatchFold:
		s.say(find("pgpkey.address-case", ""))
	}
}
