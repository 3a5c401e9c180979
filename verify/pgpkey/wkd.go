package pgpkey

import (
	"bytes"
	"context"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// wkd looks into the Web Key Directory of an address: by the advanced method, and
// by the direct one only where the DNS has no host for the advanced
// (draft-koch-openpgp-webkey-service-17 section 3.1). A host that is there and
// does not answer rightly is what every client runs into.
func (s *search) wkd(ctx context.Context, e directory.Email) error {
	exists, failure, err := s.hasAddress(ctx, WKDHost(e.Domain()))
	if err != nil {
		return err
	}
	where := WKDDirect(e)
	if exists || failure != nil {
		where = WKDAdvanced(e)
	}
	p := s.add(ChannelWKD, where)
	if failure != nil {
		p.unreachable(failure)
		return nil
	}
	p.meant = exists
	x, err := s.fetch(ctx, p, maxKey)
	if err != nil || x == nil {
		return err
	}
	if p.state == stateBroken {
		s.wkdBroken(p, x)
		return nil
	}
	s.wkdKeys(p, x, e)
	if p.state == stateFound {
		return s.wkdPolicy(ctx, p)
	}
	return nil
}

// wkdBroken judges a directory that gives no answer. At the domain itself other
// things live as well, and nobody said that a directory was among them.
func (s *search) wkdBroken(p *place, x *verify.Exchange) {
	if !p.meant && !s.seen(p.channel) {
		p.state = stateAbsent
		return
	}
	s.say(find("pgpkey.wkd-unreachable", why(x)).On(p.where))
}

// wkdKeys judges what a directory gives out for an address.
func (s *search) wkdKeys(p *place, x *verify.Exchange, e directory.Email) {
	refused, others := s.take(p, x.Body, func(r Report) bool { return r.carries(e) })
	if !p.meant && len(refused) == 1 && noAttempt(refused[0].Code) {
		p.state = stateAbsent // a page for everything that is not there
		return
	}
	for _, f := range refused {
		s.say(f.On(p.where))
	}
	if others > 0 && len(p.keys) == 0 {
		s.say(find("pgpkey.wrong-user-id", "keys: "+itoa(others)).On(p.where))
	}
	if bytes.HasPrefix(bytes.TrimSpace(x.Body), []byte("-----BEGIN")) {
		s.say(find("pgpkey.wkd-armored", "").On(p.where))
	}
}

// noAttempt reports whether what was refused was never meant to be a key.
func noAttempt(code verify.Code) bool {
	return code == "pgpkey.html-page" || code == "pgpkey.not-openpgp" || code == "pgpkey.empty"
}

// wkdPolicy looks for the policy file, which every directory has, if only an
// empty one (draft-koch-openpgp-webkey-service-17 section 4.5).
func (s *search) wkdPolicy(ctx context.Context, p *place) error {
	policy := &place{where: WKDPolicy(p.where)}
	_, err := s.fetch(ctx, policy, 4<<10)
	if err == nil && policy.state == stateAbsent {
		s.say(find("pgpkey.wkd-policy-missing", "").On(policy.where))
	}
	return err
}

// hasAddress reports whether a host has an address in the DNS.
func (s *search) hasAddress(ctx context.Context, host string) (bool, *verify.Failure, error) {
	for _, kind := range []string{"A", "AAAA"} {
		records, a, err := s.query(ctx, host, kind)
		if err != nil || a.Failure != nil {
			return false, a.failure(), err
		}
		for _, rr := range records {
			switch rr.(type) {
			case *dns.A, *dns.AAAA:
				return true, nil, nil
			}
		}
		if a.Rcode == "NXDOMAIN" { // RFC 8020: there is nothing of any type
			return false, nil, nil
		}
	}
	return false, nil, nil
}

// answer is an answer whose failure says all.
type answer struct{ *verify.Answer }

func (a answer) failure() *verify.Failure {
	if a.Answer == nil {
		return nil
	}
	return a.Failure
}

// query asks the DNS and unpacks the answer.
func (s *search) query(ctx context.Context, name, kind string) ([]dns.RR, answer, error) {
	a, err := s.Query(ctx, verify.Question{Name: name, Type: kind})
	if err != nil || a.Failure != nil {
		return nil, answer{a}, err
	}
	var m dns.Msg
	if err := m.Unpack(a.Wire); err != nil {
		a.Failure = &verify.Failure{Code: verify.DNSGarbled, Detail: "it cannot be read", Temporary: true}
		return nil, answer{a}, nil
	}
	return m.Answer, answer{a}, nil
}
