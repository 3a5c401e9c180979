package pgpkey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// withProfile compares the channels with what the team has entered.
func (c *comparison) withProfile() {
	mine := c.mine()
	for _, p := range c.places {
		if p.counts() {
			c.against(p, mine)
		}
	}
	if len(mine) == 0 {
		c.unlisted()
		return
	}
	c.unpublished(mine)
	for _, k := range c.published() {
		if !c.claimed(k.fingerprint) && usable(k) {
			c.replacement(mine, k)
		}
	}
}

// against holds one place against the profile. A place that has the right key
// may have others beside it: old ones are to be found, so that their revocation is.
func (c *comparison) against(p *place, mine []found) {
	if !slices.ContainsFunc(p.prints(), c.claimed) {
		c.mismatch(p, mine)
		return
	}
	said, useful := len(c.findings), p.old
	for _, k := range p.keys {
		useful = useful || k.report == nil || k.report.Encrypts
		if i := slices.IndexFunc(mine, func(m found) bool { return m.fingerprint == k.fingerprint }); i >= 0 && k.report != nil {
			c.copies(mine[i].report, k.report, p.where)
		}
	}
	if !useful && said == len(c.findings) && slices.ContainsFunc(mine, usable) {
		c.say(find("pgpkey.channel-stale", p.where+" has no key of the profile that can be used").On(describePrints(p)))
	}
}

func usable(k found) bool { return k.report != nil && k.report.Encrypts }

// mismatch reports a place that has other keys than the profile. Where the profile
// has none for the address that is said once, by [comparison.unlisted]; but a
// fingerprint without its key must be one of the profile's in any case.
func (c *comparison) mismatch(p *place, mine []found) {
	if len(c.claims) == 0 || len(mine) == 0 && (p.old || slices.ContainsFunc(p.keys, func(k found) bool { return k.report != nil })) {
		return
	}
	// Both are in the hands of who holds the domain, and are what programs ask first.
	severity := verify.Warning
	if p.channel == ChannelWKD || p.channel == ChannelOPENPGPKEY {
		severity = verify.Error
	}
	for _, f := range p.prints() {
		c.say(find("pgpkey.channel-mismatch", p.where).On(string(f)).As(severity))
	}
}

// copies compares two copies of one key.
func (s *search) copies(here, there *Report, where string) {
	fpr := string(here.Key.Fingerprint)
	if there.Key.HasRevocations() && !here.Key.Revoked {
		if merged, n, err := here.Key.WithRevocations([]byte(there.Key.Armor)); err == nil && n > 0 {
			s.newRevocations(merged, where)
			return
		}
	}
	switch {
	case there.Encrypts && !here.Encrypts:
		s.say(find("pgpkey.profile-stale", where).On(fpr))
	case here.Encrypts && !there.Encrypts:
		s.say(find("pgpkey.channel-stale", where).On(fpr))
	case laterEnd(there.Expires, here.Expires):
		s.say(find("pgpkey.profile-stale", where+" expires "+end(there)).On(fpr).As(verify.Recommendation))
	case laterEnd(here.Expires, there.Expires):
		s.say(find("pgpkey.channel-stale", where+" expires "+end(there)).On(fpr).As(verify.Recommendation))
	}
}

// revokedElsewhere reports a revocation that the profile lacks.
func (s *search) revokedElsewhere(k directory.Key, where string) {
	text := fmt.Sprintf("%s on %s: %s", where, day(k.RevokedAt), k.RevocationReason)
	s.say(find("pgpkey.revoked-elsewhere", text).On(string(k.Fingerprint)))
	s.revocations = append(s.revocations, verify.Fact{Name: "revocation", Value: verify.Quote(text)})
}

// laterEnd reports whether end a is later than end b, where zero is never.
func laterEnd(a, b time.Time) bool {
	return !b.IsZero() && (a.IsZero() || a.After(b))
}

func end(r *Report) string {
	if r.Expires.IsZero() {
		return "never"
	}
	return day(r.Expires)
}

// unlisted names the keys for an address that the profile has none for.
func (c *comparison) unlisted() {
	for _, k := range c.published() {
		if usable(k) && !c.claimed(k.fingerprint) {
			c.say(find("pgpkey.not-in-profile", strings.TrimSpace("on "+join(c.on(k.fingerprint)))).On(string(k.fingerprint)))
		}
		c.judged(k)
	}
	c.none()
}

// unpublished recommends the channel that mail programs ask by themselves.
func (c *comparison) unpublished(mine []found) {
	for _, p := range c.places {
		if slices.ContainsFunc(mine, usable) && p.channel == ChannelWKD && p.state == stateAbsent {
			c.say(find("pgpkey.not-in-wkd", "").Right(p.where))
		}
	}
}

// replacement says what speaks for a new key.
func (c *comparison) replacement(mine []found, k found) {
	for _, old := range mine {
		p := Succeeds(Succession{
			Old: old.raw, New: k.raw, Fingerprint: k.fingerprint, Address: c.address,
			Channels: c.on(k.fingerprint), Policy: c.cfg.Policy, Now: c.Now,
		})
		if p.Proposed() {
			c.say(find("pgpkey.replacement", strings.Join(p.Reasons(), "; ")).On(string(k.fingerprint)))
			return
		}
	}
}
