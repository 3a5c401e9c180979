package pgpkey

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// encryptionCheck judges the keys that the security.txt of a host names, wherever
// they are: whoever reports a flaw encrypts to them without asking the directory.
func (c Config) encryptionCheck() verify.Check {
	return verify.Check{
		Name: "pgpkey-securitytxt", Title: "the OpenPGP keys that security.txt names",
		Kinds:    []verify.SubjectKind{verify.SubjectDomain},
		Every:    aDay,
		Applies:  verify.Hosts,
		Run:      c.runEncryption,
		Problems: Problems(),
	}
}

func (c Config) runEncryption(ctx context.Context, n verify.Network, t verify.Target) (verify.Result, error) {
	s := &search{Network: n, Target: t, cfg: c}
	return s.text(ctx, directory.Domain(t.Subject.ID))
}

// text looks at what the security.txt of a host names. It asks nothing of the
// profile, whose keys may be hidden. What can't be reached now is waited for.
func (s *search) text(ctx context.Context, d directory.Domain) (verify.Result, error) {
	body, err := s.securityTxtAt(ctx, d, func(Report) bool { return true })
	if err != nil {
		return verify.Result{}, err
	}
	for _, p := range slices.Clone(s.places) {
		if p.state == stateUnreachable {
			return verify.Result{}, p.trouble
		}
		if err := s.named(ctx, p, body); err != nil {
			return verify.Result{}, err
		}
	}
	var reports []*Report
	for _, k := range s.distinct() {
		s.judged(k)
		reports = append(reports, k.report)
	}
	return verify.Result{Findings: s.findings, Facts: s.facts(), Until: until(reports...)}, nil
}

// named says of one place what [search.encryption] leaves to others: that a
// record is not there, and where a key is of which there is the fingerprint only
// (RFC 9116 section 2.5.4).
func (s *search) named(ctx context.Context, p *place, text []byte) error {
	switch {
	case p.channel == ChannelOPENPGPKEY && (p.state == stateAbsent || p.state == stateBroken):
		s.say(find("pgpkey.encryption-unreachable", "no OPENPGPKEY record with a key").On(p.where))
	case p.channel == ChannelSecurityTxt && p.state == stateAbsent && p != s.places[0]:
		s.say(find("pgpkey.encryption-unreachable", "there is nothing").On(p.where))
	case p.channel == ChannelSecurityTxt && len(p.keys) == 1 && p.keys[0].report == nil:
		return s.byFingerprint(ctx, p, text)
	}
	return nil
}

// byFingerprint looks for a key where programs would: in the Web Key Directories
// of the addresses in the file, then on the key servers.
func (s *search) byFingerprint(ctx context.Context, p *place, text []byte) error {
	f := p.keys[0].fingerprint
	for _, k := range s.distinct() {
		if k.report != nil && k.fingerprint == f {
			return nil
		}
	}
	// What is wrong with those places is for others to say.
	aside := &search{Network: s.Network, Target: s.Target, cfg: s.cfg}
	defer func() {
		s.places = append(s.places, aside.places...)
		s.octets += aside.octets
	}()
	for _, ask := range aside.lookups(f, text) {
		if s.octets+aside.octets > maxFetch {
			return nil // not all were asked, so that nothing can be said
		}
		if err := ask(ctx); err != nil || aside.has(f) {
			return err
		}
	}
	if len(aside.places) > 0 && !slices.ContainsFunc(aside.places, func(p *place) bool { return p.state == stateUnreachable }) {
		s.say(find("pgpkey.encryption-not-found", "asked: "+join(aside.channels())).On(p.where))
	}
	return nil
}

// lookups are the questions that may lead to the key of a fingerprint, in turn.
func (s *search) lookups(f directory.Fingerprint, text []byte) (all []func(context.Context) error) {
	server := func(c Channel, where string) {
		all = append(all, func(ctx context.Context) error {
			_, err := s.keyServer(ctx, c, where, func(r Report) bool { return r.Key.Fingerprint == f })
			return err
		})
	}
	for _, e := range addressesIn(string(text)) {
		all = append(all, func(ctx context.Context) error { return s.wkd(ctx, e) })
	}
	for _, base := range s.cfg.VKS[:min(len(s.cfg.VKS), maxVKS)] {
		server(ChannelVKS, VKSByFingerprint(base, f))
	}
	for _, base := range s.cfg.HKP[:min(len(s.cfg.HKP), maxHKP)] {
		server(ChannelHKP, HKPGet(base, f))
	}
	return all
}

// channels lists the channels that were asked, each once.
func (s *search) channels() (all []Channel) {
	for _, p := range s.places {
		if !slices.Contains(all, p.channel) {
			all = append(all, p.channel)
		}
	}
	return all
}

// has reports whether a key was found that can be judged. Of key servers, one
// without any user ID can't be: they show those only that the owner confirmed to them.
func (s *search) has(f directory.Fingerprint) bool {
	for _, p := range s.places {
		for i, k := range p.keys {
			if k.fingerprint != f {
				continue
			}
			if p.channel == ChannelVKS && k.report != nil && len(k.report.Key.UserIDs) == 0 {
				p.keys[i].report = nil
			}
			return true
		}
	}
	return false
}

// distinct returns one key of each fingerprint, with its report if a place had it.
func (s *search) distinct() (all []found) {
	for _, p := range s.places {
		for _, k := range p.keys {
			i := slices.IndexFunc(all, func(o found) bool { return o.fingerprint == k.fingerprint })
			switch {
			case p.channel == ChannelWKD && !slices.ContainsFunc(s.places, func(o *place) bool {
				return o.channel != ChannelWKD && slices.Contains(o.prints(), k.fingerprint)
			}): // another key of an address, which the file does not name
			case i < 0:
				all = append(all, k)
			case all[i].report == nil:
				all[i] = k
			}
		}
	}
	return all
}

// addressesIn returns the first two addresses that a security.txt names.
func addressesIn(text string) (all []directory.Email) {
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "- ") // RFC 9580 section 7.2: dash-escaped
		name, value, _ := strings.Cut(line, ":")
		u, err := url.Parse(strings.TrimSpace(value))
		if err != nil || !strings.EqualFold(name, "Contact") || !strings.EqualFold(u.Scheme, "mailto") {
			continue
		}
		to, err := url.PathUnescape(u.Opaque)
		if err != nil {
			continue
		}
		if e, err := directory.ParseEmail(to); err == nil && len(all) < 2 && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}
