package dnscheck

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"code.dny.dev/ssrf"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// Config is what the checks are set up with. The zero value is for the
// Internet as it is.
type Config struct {
	// Public says which addresses anybody can reach; nil: all that no
	// special-purpose registry lists (RFC 6890).
	Public func(netip.Addr) bool
	// Open are networks that count as public all the same, such as a lab's.
	Open []netip.Prefix
	// Closed are networks that do not count as open after all. What is public by
	// the registries stays so: that we don't ask there is no fault of those who do.
	Closed []netip.Prefix
	// Anchors are the trust anchors of DNSSEC; nil: the root's.
	Anchors []dnssec.Anchor
	// Memory spares proofs signatures that have verified before; nil: one of its own.
	Memory *dnssec.Memory
	// RDAP is the URL of the bootstrap file of RFC 9224; "" is IANA's.
	RDAP string
	// SMTP says that the mail servers of teams' domains are visited. Without it
	// they are only for whoever asks for the check by name.
	SMTP bool
	// Label is the label under which a team proves control of a domain; "" is
	// [directory.ControlLabel].
	Label string
}

func (c Config) complete() Config {
	if c.Public == nil {
		c.Public = public
	}
	if len(c.Open) > 0 {
		c.Public = opened(c.Public, c.Open, c.Closed)
	}
	if c.Memory == nil {
		c.Memory = dnssec.NewMemory(0)
	}
	if c.RDAP == "" {
		c.RDAP = "https://data.iana.org/rdap/dns.json"
	}
	if c.Label == "" {
		c.Label = directory.ControlLabel
	}
	return c
}

func opened(public func(netip.Addr) bool, open, closed []netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		has := func(n netip.Prefix) bool { return n.Contains(a) }
		return public(a) || slices.ContainsFunc(open, has) && !slices.ContainsFunc(closed, has)
	}
}

func public(a netip.Addr) bool {
	network := "tcp4"
	if a.Is6() {
		network = "tcp6"
	}
	return ssrf.New(ssrf.WithAnyPort()).Safe(network, netip.AddrPortFrom(a, 25).String(), nil) == nil
}

// Checks returns all checks of this package.
func Checks(cfg Config) []verify.Check {
	cfg = cfg.complete()
	return []verify.Check{
		domainCheck(cfg), mxCheck(cfg), spfCheck(cfg), dkimCheck(cfg), dmarcCheck(cfg), mtaSTSCheck(cfg), tlsRPTCheck(cfg), daneCheck(cfg), smtpCheck(cfg),
		openPGPKeyCheck(cfg), smimeaCheck(cfg), certCheck(cfg), caaCheck(cfg), dnssecCheck(cfg), nameserverCheck(cfg),
		expiryCheck(cfg), securityRecordCheck(cfg), wildcardCheck(cfg), controlCheck(cfg),
	}
}

// Problems returns the table of everything that the checks can find.
func Problems() (all []verify.Problem) {
	for _, c := range Checks(Config{}) {
		all = append(all, c.Problems...)
	}
	return all
}

// run is one run of one check.
type run struct {
	ctx context.Context
	net verify.Network
	cfg Config
	t   verify.Target
	out verify.Result

	proofs *dnssec.Validator // of this run: see validator
	mx     *dnssec.Answer    // the domain's MX records, once they were proven
	sts    *verify.Exchange  // the domain's MTA-STS policy, once it was fetched
}

// check makes a Check of a function over one domain.
func check(cfg Config, name, title string, applies func(*directory.Team) []verify.Subject, problems []verify.Problem, f func(*run) error) verify.Check {
	return verify.Check{
		Name: name, Title: title, Kinds: []verify.SubjectKind{verify.SubjectDomain}, Every: 24 * time.Hour, Applies: applies, Problems: problems,
		Run: func(ctx context.Context, n verify.Network, t verify.Target) (verify.Result, error) {
			r := &run{ctx: ctx, net: n, cfg: cfg, t: t}
			err := f(r)
			return r.out, err
		},
	}
}

// find notes a finding.
func (r *run) find(p verify.Problem, evidence string) *verify.Finding {
	r.out.Findings = append(r.out.Findings, p.Find(evidence))
	return &r.out.Findings[len(r.out.Findings)-1]
}

func (r *run) fact(name, value string) {
	r.out.Facts = append(r.out.Facts, verify.Fact{Name: name, Value: verify.Quote(value)})
}

// domain is the subject as an absolute name.
func (r *run) domain() string { return dns.CanonicalName(r.t.Subject.ID) }

// reply is one answer of the DNS that concluded: NOERROR or NXDOMAIN.
type reply struct {
	*dns.Msg
	secure bool
}

// missing reports whether the name does not exist at all.
func (m reply) missing() bool { return m.Rcode == dns.RcodeNameError }

// ask puts one question. Whatever is no conclusion, SERVFAIL and REFUSED among
// it, is trouble and never a finding.
func (r *run) ask(name string, qtype uint16) (reply, error) {
	return r.put(verify.Question{Name: dns.CanonicalName(name), Type: dns.TypeToString[qtype]})
}

func (r *run) put(q verify.Question) (reply, error) {
	a, err := r.net.Query(r.ctx, q)
	if err != nil {
		return reply{}, err
	}
	if a.Failure != nil {
		return reply{}, &verify.Trouble{Code: a.Failure.Code, Detail: q.Name + " " + q.Type + ": " + a.Failure.Detail, Retry: a.Failure.Retry}
	}
	m := new(dns.Msg)
	if err := m.Unpack(a.Wire); err != nil {
		return reply{}, &verify.Trouble{Code: verify.DNSGarbled, Detail: q.Name + " " + q.Type, Err: err}
	}
	return reply{m, a.Secure}, nil
}

// maxAliases is how far CNAME records are followed.
const maxAliases = 16

// found is what a name has of one type, at the end of its aliases.
type found struct {
	rrs     []dns.RR
	aliases []string // the names on the way
	owner   string
	missing bool // the last name does not exist
	secure  bool // every answer on the way was
	bogus   bool // the resolver holds it for forged
}

// records asks for records and follows aliases, in the answer and beyond it.
func (r *run) records(name string, qtype uint16) (found, error) {
	return r.chase(name, verify.Question{Type: dns.TypeToString[qtype]})
}

// unproven is records for what is then proven here: a resolver that validates
// keeps to itself what fails its proof, and is asked again without it.
func (r *run) unproven(name string, qtype uint16) (found, error) {
	f, err := r.records(name, qtype)
	var t *verify.Trouble
	if errors.As(err, &t) && t.Code == verify.DNSBogus {
		f, err = r.chase(name, verify.Question{Type: dns.TypeToString[qtype], NoCheck: true})
		f.bogus = true
	}
	return f, err
}

// chase puts a question about a name, and about each that an alias leads to.
func (r *run) chase(name string, q verify.Question) (found, error) {
	f := found{owner: dns.CanonicalName(name), secure: true}
	qtype := dns.StringToType[q.Type]
	for len(f.aliases) <= maxAliases {
		q.Name = f.owner
		m, err := r.put(q)
		if err != nil {
			return f, err
		}
		f.secure = f.secure && m.secure
		if done := f.read(m, qtype); done {
			return f, nil
		}
	}
	return f, &verify.Trouble{Code: verify.DNSAliases, Detail: name + ": more than 16 aliases"}
}

// read takes in one answer; false means that an alias leads out of it.
func (f *found) read(m reply, qtype uint16) bool {
	for hops := 0; hops <= maxAliases; hops++ {
		alias := ""
		for _, rr := range m.Answer {
			if dns.CanonicalName(rr.Header().Name) != f.owner {
				continue
			}
			if rr.Header().Rrtype == qtype {
				f.rrs = append(f.rrs, rr)
			} else if c, ok := rr.(*dns.CNAME); ok {
				alias = dns.CanonicalName(c.Target)
			}
		}
		if len(f.rrs) > 0 || alias == "" {
			f.missing = m.missing()
			return len(f.rrs) > 0 || hops == 0 || m.missing() || len(m.Ns) > 0
		}
		f.aliases, f.owner = append(f.aliases, f.owner), alias
	}
	return false
}

// texts returns the TXT records of a name that begin with a version, such as
// "v=spf1": each record's strings joined (RFC 7208 section 3.3).
func (r *run) texts(name, version string) ([]string, found, error) {
	f, err := r.records(name, dns.TypeTXT)
	var list []string
	for _, rr := range f.rrs {
		s := strings.Join(rr.(*dns.TXT).Txt, "")
		if len(s) >= len(version) && strings.EqualFold(s[:len(version)], version) {
			list = append(list, s)
		}
	}
	return list, f, err
}

// addresses returns the A and AAAA records of a host.
func (r *run) addresses(host string) (list []netip.Addr, aliases []string, err error) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		f, err := r.records(host, qtype)
		if err != nil {
			return nil, nil, err
		}
		aliases = f.aliases
		list = append(list, addressesOf(f.rrs, f.owner)...)
	}
	return list, aliases, nil
}

// addressesOf are those of the A and AAAA records at a name.
func addressesOf(rrs []dns.RR, name string) (list []netip.Addr) {
	for _, rr := range rrs {
		if dns.CanonicalName(rr.Header().Name) != name {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			if a, ok := netip.AddrFromSlice(rr.A.To4()); ok {
				list = append(list, a)
			}
		case *dns.AAAA:
			if a, ok := netip.AddrFromSlice(rr.AAAA); ok {
				list = append(list, a)
			}
		}
	}
	return list
}

// validator proves answers by itself, with the same network: one a run, which
// knows the keys of the zones that it has seen. Anchors that have run out are
// trouble of ours: by them every zone would look unsigned.
func (r *run) validator() (_ *dnssec.Validator, err error) {
	if r.proofs == nil {
		if err := dnssec.InForce(r.cfg.Anchors, r.t.Now); err != nil {
			return nil, &verify.Trouble{Code: verify.CodeInternal, Detail: "verify_anchor", Ours: true, Err: err}
		}
		r.proofs, err = dnssec.New(dnssec.Config{Now: r.t.Now, Anchors: r.cfg.Anchors, Memory: r.cfg.Memory, Exchange: func(_ context.Context, name string, qtype uint16) (*dns.Msg, error) {
			m, err := r.put(verify.Question{Name: name, Type: dns.TypeToString[qtype], NoCheck: true})
			return m.Msg, err
		}})
	}
	return r.proofs, err
}

// probe is a label that nobody has, the same for a domain on one day so that a
// replay asks for it again.
func (r *run) probe() string {
	sum := sha256.Sum256([]byte(r.domain() + r.t.Now.UTC().Format(time.DateOnly)))
	return "rollcall-" + hex.EncodeToString(sum[:8])
}

// mailDomains are the domains of a team's e-mail contacts.
func mailDomains(t *directory.Team) (list []verify.Subject) {
	for _, c := range t.Contacts {
		if c.Channel == "email" {
			list = addDomain(list, c.Value[strings.LastIndexByte(c.Value, '@')+1:])
		}
	}
	return list
}

// domains are those of a team's e-mail contacts and of its website.
func domains(t *directory.Team) []verify.Subject {
	list := mailDomains(t)
	if host := hostOf(t.Website); host != "" {
		list = addDomain(list, host)
	}
	return list
}

func hostOf(website string) string {
	_, rest, ok := strings.Cut(website, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

func addDomain(list []verify.Subject, name string) []verify.Subject {
	d, err := directory.ParseDomain(name)
	if err != nil {
		return list
	}
	s := verify.Subject{Kind: verify.SubjectDomain, ID: string(d)}
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// contacts are a team's e-mail addresses.
func contacts(t *directory.Team) (list []verify.Subject) {
	for _, c := range t.Contacts {
		s := verify.Subject{Kind: verify.SubjectContact, ID: c.Value}
		if c.Channel == "email" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
