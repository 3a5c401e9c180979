package pgpkey

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

func itoa(n int) string { return strconv.Itoa(n) }

// openpgpkey looks for an OPENPGPKEY record. own: it is at the address's own
// name, where keys that do not carry the address must not be used (RFC 7929 section 5.3).
// Whether the record itself is in order, and proven by DNSSEC, is for verify/dnscheck to say.
func (s *search) openpgpkey(ctx context.Context, name string, own bool, keep func(Report) bool) error {
	p := s.add(ChannelOPENPGPKEY, name)
	records, a, err := s.query(ctx, name, "OPENPGPKEY")
	if err != nil {
		return err
	}
	if a.Failure != nil {
		if a.Failure.Temporary {
			p.unreachable(a.Failure)
		}
		return nil
	}
	if len(recordedKeys(records)) == 0 {
		return nil
	}
	proof, trouble, err := s.prove(ctx, name)
	if err != nil || trouble != nil {
		p.state, p.trouble = stateUnreachable, trouble
		return err
	}
	s.recorded(p, proof, own, keep)
	return nil
}

// recorded takes the keys of the answer that was proven. What the resolver said
// before it may be another.
func (s *search) recorded(p *place, proof dnssec.Answer, own bool, keep func(Report) bool) {
	keys := recordedKeys(proof.RRs)
	if len(keys) == 0 {
		return
	}
	others := 0
	for _, data := range keys {
		refused, n := s.take(p, data, keep)
		others += n
		for _, f := range refused {
			if f.Code == "pgpkey.private" {
				s.say(f.On(p.where))
			}
		}
	}
	switch {
	case p.state == stateFound && proof.Status != dnssec.Secure:
		p.state = stateInsecure
	case p.state == stateFound || others == 0:
	case own:
		s.say(find("pgpkey.wrong-user-id", "keys: "+itoa(others)).On(p.where))
	default:
		p.state = stateAbsent
	}
}

// prove asks for the record again and proves it up to the trust anchor (RFC
// 7929 section 5): the word of a resolver is not enough, and is in no transcript.
func (s *search) prove(ctx context.Context, name string) (a dnssec.Answer, trouble *verify.Trouble, err error) {
	if err := dnssec.InForce(s.cfg.Anchors, s.Now); err != nil { // by them every record would look unsigned
		return a, nil, &verify.Trouble{Code: verify.CodeInternal, Detail: "verify_anchor", Ours: true, Err: err}
	}
	var ours error
	v, err := dnssec.New(dnssec.Config{Now: s.Now, Anchors: s.cfg.Anchors, Memory: s.cfg.Memory, Queries: maxProof, Exchange: func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
		a, err := s.Query(ctx, verify.Question{Name: name, Type: dns.TypeToString[qtype], NoCheck: true})
		if err != nil {
			ours = err
			return nil, err
		}
		if a.Failure != nil {
			return nil, &verify.Trouble{Code: a.Failure.Code, Detail: name + ": " + a.Failure.Detail, Retry: a.Failure.Retry}
		}
		m := new(dns.Msg)
		return m, m.Unpack(a.Wire)
	}})
	if err != nil {
		return a, nil, err
	}
	a, err = v.Query(ctx, name, dns.TypeOPENPGPKEY)
	switch {
	case ours != nil:
		return a, nil, ours
	case errors.As(err, &trouble):
		return a, trouble, nil
	case err != nil: // too much work, or no message
		return a, &verify.Trouble{Code: verify.DNSWork, Detail: name, Err: err}, nil
	case len(a.RRs) == 0 && a.Status == dnssec.Bogus: // whether something stands there, nobody can tell
		return a, &verify.Trouble{Code: verify.DNSBogus, Detail: name + ": " + a.Reason}, nil
	}
	return a, nil, nil
}

// recordedKeys returns the keys of OPENPGPKEY records (RFC 7929 section 2.1).
func recordedKeys(records []dns.RR) [][]byte {
	var all [][]byte
	for _, rr := range records {
		if k, ok := rr.(*dns.OPENPGPKEY); ok && len(all) < maxPlaces {
			data, _ := base64.StdEncoding.DecodeString(k.PublicKey) // as miekg/dns encoded it
			all = append(all, data)
		}
	}
	slices.SortFunc(all, bytes.Compare) // the DNS keeps no order
	return all
}

// securityTxt looks at the keys that a domain's security.txt names. They may be
// for other addresses than the one that is asked about.
func (s *search) securityTxt(ctx context.Context, d directory.Domain, keep func(Report) bool) error {
	_, err := s.securityTxtAt(ctx, d, keep)
	return err
}

// securityTxtAt is [search.securityTxt], and returns the text; nil where there is none.
func (s *search) securityTxtAt(ctx context.Context, d directory.Domain, keep func(Report) bool) ([]byte, error) {
	file := s.add(ChannelSecurityTxt, "https://"+string(d)+"/.well-known/security.txt")
	file.file = true
	x, err := s.fetch(ctx, file, 32<<10) // RFC 9116 section 5.4
	if err != nil || x == nil {
		return nil, err
	}
	if file.state == stateBroken { // the check of security.txt says so where it matters
		file.state = stateAbsent
		return nil, nil
	}
	for _, value := range encryptionFields(string(x.Body)) {
		if err := s.encryption(ctx, value, keep); err != nil {
			return nil, err
		}
	}
	return x.Body, nil
}

// encryptionFields returns the values of the first Encryption fields. Whether
// the file keeps to the rules is another check's matter.
func encryptionFields(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "- ") // RFC 9580 section 7.2: dash-escaped
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(strings.TrimSpace(name), "Encryption") && len(value) < 2048 && len(all) < maxPlaces {
			all = append(all, strings.Join(strings.Fields(value), "")) // fingerprints come in groups of four
		}
	}
	return all
}

// encryption looks at one place that a security.txt names (RFC 9116 section
// 2.5.4: https, or dns, or openpgp4fpr).
func (s *search) encryption(ctx context.Context, value string, keep func(Report) bool) error {
	u, err := url.Parse(value)
	if err != nil {
		return nil // RFC 9116 is the other check's matter
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
		return s.encryptionKey(ctx, value, keep)
	case "openpgp4fpr":
		p := s.add(ChannelSecurityTxt, value)
		f, err := directory.ParseFingerprint(value)
		if err != nil {
			p.state = stateBroken
			s.say(adopt(directory.ProblemsOf(err)[0]).On(value))
			return nil
		}
		p.state, p.keys = stateFound, []found{{fingerprint: f}}
	case "dns": // RFC 4501: dns:NAME?type=OPENPGPKEY, or dns://SERVER/NAME, whose server nobody should choose for us
		name := strings.TrimPrefix(u.Opaque+u.Path, "/")
		if strings.EqualFold(u.Query().Get("type"), "OPENPGPKEY") && !s.asked(name) {
			return s.openpgpkey(ctx, name, false, keep)
		}
	}
	return nil
}

// encryptionKey looks at a key file that a security.txt names.
func (s *search) encryptionKey(ctx context.Context, where string, keep func(Report) bool) error {
	p := s.add(ChannelSecurityTxt, where)
	x, err := s.fetch(ctx, p, maxClean)
	if err != nil || x == nil {
		return err
	}
	if p.state == stateBroken {
		s.say(find("pgpkey.encryption-unreachable", why(x)).On(where))
		return nil
	}
	refused, others := s.take(p, x.Body, keep)
	for _, f := range refused {
		s.say(f.On(where))
	}
	if others > 0 && len(p.keys) == 0 {
		p.state = stateAbsent // a key of another address is no disagreement about this one
	}
	return nil
}

// asked reports whether a name was looked at already.
func (s *search) asked(name string) bool {
	for _, p := range s.places {
		if strings.EqualFold(strings.TrimSuffix(p.where, "."), strings.TrimSuffix(name, ".")) {
			return true
		}
	}
	return false
}

// keyServer looks for a key on a key server.
func (s *search) keyServer(ctx context.Context, c Channel, where string, keep func(Report) bool) (data []byte, err error) {
	p := s.add(c, where)
	limit := int64(maxClean)
	if c == ChannelHKP {
		limit = maxKey
	}
	x, err := s.fetch(ctx, p, limit)
	if err != nil || x == nil {
		return nil, err
	}
	if p.state == stateBroken { // the server's defect, which is nobody's here
		p.unreachable(&verify.Failure{Code: verify.FetchServerError, Detail: why(x)})
		return nil, nil
	}
	_, _ = s.take(p, x.Body, keep) // what is refused there says nothing of the team
	if p.state == stateBroken {
		p.state = stateAbsent
	}
	return x.Body, nil
}
