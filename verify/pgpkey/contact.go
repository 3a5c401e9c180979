package pgpkey

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// contact asks every channel for the key of an address, and compares.
func (s *search) contact(ctx context.Context, e directory.Email) (verify.Result, error) {
	keep := func(r Report) bool { return r.carries(e) }
	if err := s.ask(ctx, e, keep); err != nil {
		return verify.Result{}, err
	}
	if err := s.inconclusive(); err != nil {
		return verify.Result{}, err
	}
	c := &comparison{search: s, address: e, claims: s.claimed()}
	if err := c.askHKP(ctx); err != nil {
		return verify.Result{}, err
	}
	s.remember()
	if s.Claims.Team != "" || len(s.Claims.Keys) > 0 { // known keys may be given by hand too
		c.withProfile()
	}
	if s.Claims.Team == "" {
		c.byHand()
	}
	return verify.Result{Findings: s.findings, Facts: append(s.facts(), c.table()...), Until: until(c.reports()...), Revocations: s.revoked, Sightings: c.sightings()}, nil
}

// ask asks the channels in turn.
func (s *search) ask(ctx context.Context, e directory.Email, keep func(Report) bool) error {
	if err := s.wkd(ctx, e); err != nil {
		return err
	}
	if err := s.openpgpkey(ctx, OPENPGPKEYName(e), true, keep); err != nil {
		return err
	}
	if err := s.securityTxt(ctx, e.Domain(), keep); err != nil {
		return err
	}
	for _, base := range s.cfg.VKS[:min(len(s.cfg.VKS), maxVKS)] {
		if _, err := s.keyServer(ctx, ChannelVKS, VKSByEmail(base, e), keep); err != nil {
			return err
		}
	}
	return nil
}

// askHKP asks the other key servers for the keys that were found, by fingerprint:
// whether they have them, which is all that their word is worth. Of those that
// only the profile has nobody is asked here: what is found would tell of them.
func (c *comparison) askHKP(ctx context.Context) error {
	keys := c.published()
	for _, k := range keys[:min(len(keys), maxPlaces)] {
		for _, base := range c.cfg.HKP[:min(len(c.cfg.HKP), maxHKP)] {
			if err := c.indexed(ctx, HKPIndex(base, k.fingerprint), k.fingerprint); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexed reads what a key server says it has: "pub:FINGERPRINT:…" (the
// machine-readable index of draft-ietf-openpgp-hkp-01).
func (c *comparison) indexed(ctx context.Context, where string, f directory.Fingerprint) error {
	p := c.add(ChannelHKP, where)
	x, err := c.fetch(ctx, p, maxIndex)
	switch {
	case err != nil || x == nil:
		return err
	case p.state == stateBroken: // the server's defect, which is nobody's here
		p.unreachable(&verify.Failure{Code: verify.FetchServerError, Detail: why(x)})
		return nil
	}
	for line := range strings.Lines(string(x.Body)) {
		print, ok := strings.CutPrefix(line, "pub:")
		print, _, _ = strings.Cut(print, ":")
		if ok && strings.EqualFold(print, string(f)) {
			p.state, p.keys = stateFound, []found{{fingerprint: f}}
			break
		}
	}
	return nil
}

// onHKP reports whether another key server has a key.
func (c *comparison) onHKP(f directory.Fingerprint) bool {
	return slices.ContainsFunc(c.places, func(p *place) bool {
		return p.channel == ChannelHKP && p.state == stateFound && slices.Contains(p.prints(), f)
	})
}

// comparison holds the channels of one address against each other and against
// the profile. It says nothing of keys that only the profile has: they may be hidden.
type comparison struct {
	*search
	address directory.Email
	claims  []found
}

// mine are the keys of the profile that carry the address.
func (c *comparison) mine() []found {
	var mine []found
	for _, k := range c.claims {
		if k.report.carries(c.address) {
			mine = append(mine, k)
		}
	}
	return mine
}

func (c *comparison) claimed(f directory.Fingerprint) bool {
	return slices.ContainsFunc(c.claims, func(k found) bool { return k.fingerprint == f })
}

// published returns one found key of each fingerprint, with its report if a
// channel that counts had one.
func (c *comparison) published() []found {
	var all []found
	for _, p := range c.places {
		if !p.counts() {
			continue
		}
		for _, k := range p.keys {
			i := slices.IndexFunc(all, func(o found) bool { return o.fingerprint == k.fingerprint })
			switch {
			case i < 0:
				all = append(all, k)
			case all[i].report == nil:
				all[i] = k
			}
		}
	}
	return all
}

// reports are those whose time may change the result.
func (c *comparison) reports() []*Report {
	var all []*Report
	for _, k := range append(c.published(), c.mine()...) {
		all = append(all, k.report)
	}
	return all
}

// on lists the channels that have a key, each once. Both methods of the Web Key
// Directory are one, as are all fields of one security.txt.
func (c *comparison) on(f directory.Fingerprint) []Channel {
	var all []Channel
	for _, p := range c.places {
		if p.counts() && slices.Contains(p.prints(), f) && !slices.Contains(all, p.channel) {
			all = append(all, p.channel)
		}
	}
	return all
}

// sightings are where the keys are that nothing speaks for yet, as it was seen now.
func (c *comparison) sightings() []directory.KeySighting {
	var all []directory.KeySighting
	for i := range c.Claims.Keys {
		claim := &c.Claims.Keys[i]
		if claim.Continuity != directory.ContinuityUnproven {
			continue
		}
		x := directory.KeySighting{Fingerprint: directory.Fingerprint(claim.Fingerprint), Address: c.address}
		for _, p := range c.places {
			if !p.counts() || p.old || !slices.Contains(p.prints(), x.Fingerprint) {
				continue
			}
			if channel := directory.Word(p.channel); !slices.Contains(x.Channels, channel) {
				x.Channels = append(x.Channels, channel)
			}
			for _, k := range p.keys {
				if k.fingerprint == x.Fingerprint && x.Copy == nil {
					x.Copy = k.raw
				}
			}
		}
		if len(x.Channels) > 0 {
			all = append(all, x)
		}
	}
	return all
}

// table is fingerprint by channel, of all that is published.
func (c *comparison) table() []verify.Fact {
	var facts []verify.Fact
	for _, k := range c.published() {
		on := c.on(k.fingerprint)
		if c.onHKP(k.fingerprint) {
			on = append(on, ChannelHKP)
		}
		if c.claimed(k.fingerprint) {
			on = append(on, ChannelProfile)
		}
		facts = append(facts, verify.Fact{Name: "key", Value: string(k.fingerprint) + " " + join(on)})
		if k.report != nil {
			facts = append(facts, verify.Fact{Name: "key-created", Value: string(k.fingerprint) + " " + day(k.report.Key.Created)})
		}
	}
	return facts
}

func join(channels []Channel) string {
	var all []string
	for _, c := range channels {
		all = append(all, string(c))
	}
	return strings.Join(all, ",")
}

// byHand compares the channels with each other and judges what they have. In a
// team's profile its own keys are judged by the other check.
func (c *comparison) byHand() {
	if len(c.Claims.Keys) == 0 {
		c.none()
	}
	if len(c.Claims.Keys) == 0 || len(c.mine()) > 0 {
		for _, k := range c.published() {
			c.judged(k)
		}
	}
	c.disagreement()
}

// none says so where nothing at all was found.
func (c *comparison) none() {
	for _, p := range c.places {
		if p.state != stateAbsent && p.state != stateUnreachable {
			return
		}
	}
	c.say(find("pgpkey.no-key", "asked: "+strings.Join(c.answered(), ", ")))
}

// answered lists the places that gave a conclusion.
func (c *comparison) answered() []string {
	var all []string
	for _, p := range c.places {
		if p.state != stateUnreachable {
			all = append(all, p.where)
		}
	}
	return all
}

// judged reports what is to be said of a key, also as one for the address.
func (c *comparison) judged(k found) {
	if k.report == nil {
		return
	}
	c.search.judged(k)
	if k.report.Has(c.address) == MatchFold {
		c.say(find("pgpkey.address-case", "").On(string(k.fingerprint)))
	}
}

// judged reports what is to be said of a key by itself.
func (s *search) judged(k found) {
	if k.report == nil {
		return
	}
	for _, f := range k.report.Findings {
		if f.Subject == "" {
			f = f.On(string(k.fingerprint))
		}
		s.say(f)
	}
}

// disagreement finds two places without a key in common.
func (c *comparison) disagreement() {
	var first *place
	for _, p := range c.places {
		if !p.counts() {
			continue
		}
		if first == nil {
			first = p
			continue
		}
		if !slices.ContainsFunc(p.prints(), func(f directory.Fingerprint) bool { return slices.Contains(first.prints(), f) }) {
			c.say(find("pgpkey.channels-disagree", describePlace(first)+"; "+describePlace(p)))
			return
		}
	}
}

func describePlace(p *place) string { return p.where + " " + describePrints(p) }

func describePrints(p *place) string {
	var all []string
	for _, f := range p.prints() {
		all = append(all, string(f))
	}
	return strings.Join(all, " ")
}
