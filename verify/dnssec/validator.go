package dnssec

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Status is what could be proven of an answer (RFC 4033 section 5).
type Status string

// The states.
const (
	Secure        Status = "secure"        // signed up to a trust anchor
	Insecure      Status = "insecure"      // proven not to be signed
	Bogus         Status = "bogus"         // ought to be signed, and is not, or wrongly
	Indeterminate Status = "indeterminate" // no trust anchor covers it
)

// Exchange asks one question with DO and CD set (RFC 4035 sections 3.2.1 and
// 3.2.2) and returns the whole answer. An error means that there is none; it
// is handed through.
type Exchange func(ctx context.Context, name string, qtype uint16) (*dns.Msg, error)

// ErrWork means that an answer would have cost more than the limits allow. It
// says nothing about the answer.
var ErrWork = errors.New("dnssec: more work than is allowed")

// Limits of the work for one Validator; see also RFC 9276 for iterations. They
// stand against zones made to keep validators busy (CVE-2023-50387, 50868).
const (
	maxQueries    = 60
	maxOfName     = 30 // of those, for one name
	maxCNAMEs     = 16
	maxVerifies   = 200
	maxSameTag    = 4   // keys tried for one signature
	maxSignatures = 8   // signatures tried for one set of records
	maxDenials    = 24  // NSEC and NSEC3 records looked at in one answer
	maxIterations = 150 // of NSEC3; a zone with more is treated as insecure (RFC 9276 section 3.2)
)

// Config is what a [Validator] needs.
type Config struct {
	Exchange Exchange  // required
	Anchors  []Anchor  // nil: [RootAnchors]
	Now      time.Time // required: at which signatures must be valid
	Queries  int       // the most that are asked; 0: 60, and no more than 30 for one name
	Memory   *Memory   // of signatures that have verified; nil: none
}

// Validator proves answers at one moment. It remembers the keys of the zones
// that it has seen. It is not safe for concurrent use.
type Validator struct {
	cfg      Config
	zones    map[string]*zone // by apex, and names that are no apex by themselves
	queries  int
	ofName   int // of the name that is being asked about
	verifies int
}

// New returns a Validator.
func New(cfg Config) (*Validator, error) {
	if cfg.Exchange == nil || cfg.Now.IsZero() {
		return nil, errors.New("dnssec: no exchange or no time")
	}
	if cfg.Anchors == nil {
		cfg.Anchors = RootAnchors()
	}
	if cfg.Queries == 0 {
		cfg.Queries = maxQueries
	}
	return &Validator{cfg: cfg, zones: map[string]*zone{}}, nil
}

// Answer is a proven answer.
type Answer struct {
	Status Status
	Reason string   // why it is not secure
	Rcode  int      // dns.RcodeSuccess or dns.RcodeNameError
	RRs    []dns.RR // of the type asked, at the end of all aliases; nil when there are none
	Owner  string   // of RRs, or of what does not exist
	// Aliases are the names on the way, from the one asked to before Owner.
	Aliases []string
	// Wildcard reports whether a wildcard gave one of the records.
	Wildcard bool
	// Signatures are when those on the answer itself are valid.
	Signatures []Validity
}

// Validity is from when to when a signature is valid.
type Validity struct{ From, Until time.Time }

// lower takes in that a part of the answer is worse than the rest.
func (a *Answer) lower(s Status, reason string) {
	rank := map[Status]int{"": 0, Secure: 0, Insecure: 1, Indeterminate: 2, Bogus: 3}
	if rank[s] > rank[a.Status] {
		a.Status, a.Reason = s, reason
	}
}

func (a *Answer) signed(sig *dns.RRSIG, now time.Time) {
	a.Signatures = append(a.Signatures, Validity{sigTime(sig.Inception, now), sigTime(sig.Expiration, now)})
}

// Query asks for records and proves what comes back, aliases and
// non-existence too. An error is that of the Exchange, or [ErrWork]; whatever
// is wrong with the answer is its Status.
func (v *Validator) Query(ctx context.Context, name string, qtype uint16) (Answer, error) {
	v.ofName = 0
	a := Answer{Status: Secure, Owner: dns.CanonicalName(name)}
	for range maxCNAMEs {
		if alias, err := v.hop(ctx, &a, qtype); err != nil || !alias {
			return a, err
		}
	}
	a.lower(Bogus, "more than 16 aliases")
	return a, nil
}

// QueryOwn is [Validator.Query] for what the zone of the name itself says: an alias
// is proven and not followed, and Owner is then what it leads to.
func (v *Validator) QueryOwn(ctx context.Context, name string, qtype uint16) (Answer, error) {
	v.ofName = 0
	a := Answer{Status: Secure, Owner: dns.CanonicalName(name)}
	_, err := v.hop(ctx, &a, qtype)
	return a, err
}

// hop asks about a.Owner, and reports whether an alias leads on: to the next Owner.
func (v *Validator) hop(ctx context.Context, a *Answer, qtype uint16) (alias bool, err error) {
	m, err := v.ask(ctx, a.Owner, qtype)
	if err != nil {
		return false, err
	}
	next, err := v.step(ctx, a, m, qtype)
	if err != nil || next == "" {
		return false, err
	}
	a.Aliases, a.Owner = append(a.Aliases, a.Owner), next
	return true, nil
}

// step judges one message about a.Owner and returns where an alias leads.
func (v *Validator) step(ctx context.Context, a *Answer, m *dns.Msg, qtype uint16) (next string, err error) {
	a.Rcode = m.Rcode
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		a.lower(Indeterminate, "the answer is "+dns.RcodeToString[m.Rcode])
		return "", nil
	}
	if rrs := pick(m.Answer, a.Owner, qtype); len(rrs) > 0 {
		a.RRs, a.Rcode = rrs, dns.RcodeSuccess
		return "", v.positive(ctx, a, m, rrs)
	}
	if rrs := pick(m.Answer, a.Owner, dns.TypeCNAME); len(rrs) > 0 && qtype != dns.TypeCNAME {
		if d := dnameAbove(m.Answer, a.Owner); d != nil && len(dns.CanonicalName(d.Hdr.Name)) >= len(v.anchorOf(a.Owner)) {
			return v.dname(ctx, a, m, d)
		}
		return dns.CanonicalName(rrs[0].(*dns.CNAME).Target), v.positive(ctx, a, m, rrs[:1])
	}
	return "", v.negative(ctx, a, m, qtype)
}

// positive verifies a set of records that the message has.
func (v *Validator) positive(ctx context.Context, a *Answer, m *dns.Msg, rrs []dns.RR) error {
	owner := dns.CanonicalName(rrs[0].Header().Name)
	z, err := v.signerOf(ctx, rrs[0].Header(), signatures(m.Answer, owner))
	if err != nil {
		return err
	}
	if z.status != Secure {
		a.lower(z.status, z.reason)
		return nil
	}
	sig, reason, err := v.verify(z, rrs, signatures(m.Answer, owner))
	if err != nil {
		return err
	}
	if sig == nil {
		a.lower(Bogus, fmt.Sprintf("%s %s: %s", owner, dns.TypeToString[rrs[0].Header().Rrtype], reason))
		return nil
	}
	a.signed(sig, v.cfg.Now)
	if int(sig.Labels) < dns.CountLabel(owner) && !isWildcard(owner, int(sig.Labels)) {
		// RFC 4035 section 5.3.4: a wildcard's answer needs proof that no closer name exists.
		a.Wildcard = true
		d, err := v.denials(z, m)
		if err != nil {
			return err
		}
		s, reason := d.noCloser(owner, int(sig.Labels))
		a.lower(s, reason)
	}
	return nil
}

// dname follows a signed DNAME (RFC 6672): the CNAME made of it is not signed. One
// that fails its proof leads nowhere.
func (v *Validator) dname(ctx context.Context, a *Answer, m *dns.Msg, d *dns.DNAME) (string, error) {
	if err := v.positive(ctx, a, m, []dns.RR{d}); err != nil || a.Status == Bogus {
		return "", err
	}
	offsets := dns.Split(a.Owner)
	keep := len(offsets) - dns.CountLabel(d.Hdr.Name)
	target := a.Owner[:offsets[keep]] + strings.TrimPrefix(dns.CanonicalName(d.Target), ".")
	if _, ok := dns.IsDomainName(target); !ok {
		a.lower(Bogus, "a DNAME that makes a name too long")
		return "", nil
	}
	return target, nil
}

// negative asks for proof that there is nothing.
func (v *Validator) negative(ctx context.Context, a *Answer, m *dns.Msg, qtype uint16) error {
	z, err := v.zoneOf(ctx, a.Owner, qtype)
	if err != nil {
		return err
	}
	if z.status != Secure {
		a.lower(z.status, z.reason)
		return nil
	}
	d, err := v.denials(z, m)
	if err != nil {
		return err
	}
	prove := d.noData
	if m.Rcode == dns.RcodeNameError {
		prove = func(name string, _ uint16) (Status, string) { return d.noName(name) }
	}
	s, reason := prove(a.Owner, qtype)
	if s == Secure {
		for _, sig := range d.sigs {
			a.signed(sig, v.cfg.Now)
		}
	}
	a.lower(s, reason)
	return nil
}

// ask puts one question, within the limit.
func (v *Validator) ask(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	v.queries++
	v.ofName++
	if most := min(v.cfg.Queries, maxOfName); v.queries > v.cfg.Queries || v.ofName > most {
		return nil, fmt.Errorf("%w: more than %d questions", ErrWork, most)
	}
	m, err := v.cfg.Exchange(ctx, name, qtype)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, dns.TypeToString[qtype], err)
	}
	return m, nil
}

// pick returns the records of one owner and type. A signature is on those of one
// class too (RFC 4035 section 5.3.1), and no other than IN counts here.
func pick(rrs []dns.RR, owner string, qtype uint16) (list []dns.RR) {
	for _, rr := range rrs {
		if h := rr.Header(); h.Rrtype == qtype && h.Class == dns.ClassINET && dns.CanonicalName(h.Name) == owner {
			list = append(list, rr)
		}
	}
	return dns.Dedup(list, nil)
}

// signatures returns the RRSIG records of one owner.
func signatures(rrs []dns.RR, owner string) (list []*dns.RRSIG) {
	for _, rr := range rrs {
		if sig, ok := rr.(*dns.RRSIG); ok && sig.Hdr.Class == dns.ClassINET && dns.CanonicalName(sig.Hdr.Name) == owner {
			list = append(list, sig)
		}
	}
	return list
}

// dnameAbove returns the DNAME that makes an alias of name. Against RFC 6672: one
// at the root is passed over, since it would leave no zone beside it.
func dnameAbove(rrs []dns.RR, name string) *dns.DNAME {
	for _, rr := range rrs {
		d, ok := rr.(*dns.DNAME)
		if !ok || d.Hdr.Class != dns.ClassINET {
			continue
		}
		if owner := dns.CanonicalName(d.Hdr.Name); owner != "." && owner != name && dns.IsSubDomain(owner, name) {
			return d
		}
	}
	return nil
}

// isWildcard reports whether owner itself is the wildcard that labels counts.
func isWildcard(owner string, labels int) bool {
	return len(owner) > 1 && owner[0] == '*' && owner[1] == '.' && labels == dns.CountLabel(owner)-1
}
