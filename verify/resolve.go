package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Limits of one question to the DNS.
const (
	udpSize    = 1232 // EDNS, as agreed on DNS flag day 2020: never fragmented
	maxRecords = 2000 // of one answer, over TCP
	maxJunk    = 64   // datagrams that are not the answer, before it is given up
)

// errMismatch is an answer that is not to our question, or no message at all.
var errMismatch = errors.New("verify: not the answer to the question")

// Query puts one question to the DNS: to the resolvers, or to the one server
// that it names. UDP first, TCP when the answer is cut or does not come, then
// the next resolver.
func (l *Live) Query(ctx context.Context, q Question) (*Answer, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	if q.Apart != "" && len(l.order(q)) == 0 {
		return nil, &Trouble{Code: CodeVantage, Detail: q.Apart, Ours: true}
	}
	if q.Server.IsValid() { // our own resolvers ask politely themselves
		done, err := l.turn(ctx, LimitServer, q.Server.Addr().String())
		if err != nil {
			return nil, err
		}
		defer done()
	}
	a, err := l.query(ctx, q)
	if err == nil && ctx.Err() != nil {
		err = &Trouble{Code: CodeCancelled, Ours: true, Err: context.Cause(ctx)}
	}
	if err == nil && a.Failure != nil && a.Failure.Code == DNSTimeout && !q.Server.IsValid() {
		err = l.deaf(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// query is Query without the waiting for a turn, and without the looking at
// whose doing it is that no answer came.
func (l *Live) query(ctx context.Context, q Question) (*Answer, error) {
	m, err := l.message(q)
	if err != nil {
		return &Answer{Question: q, At: l.cfg.Now(), Failure: &Failure{Code: DNSQuestion, Detail: err.Error()}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Query)
	defer cancel()
	a, err := l.tries(ctx, q, m)
	if err != nil {
		return nil, err
	}
	a.At = l.cfg.Now()
	if a.Failure != nil && a.Failure.Code == DNSServFail && !q.NoCheck && !q.Server.IsValid() {
		l.tellBogus(ctx, q, a)
	}
	return a, nil
}

// message builds the question: EDNS with DO, and AD to say that we understand
// it (RFC 6840 section 5.7).
func (l *Live) message(q Question) (*dns.Msg, error) {
	qtype, ok := dns.StringToType[strings.ToUpper(q.Type)]
	if !ok || qtype == dns.TypeAXFR || qtype == dns.TypeIXFR || qtype == dns.TypeANY {
		return nil, fmt.Errorf("%q is no type of record that is asked for", q.Type)
	}
	name := dns.Fqdn(q.Name)
	if _, ok := dns.IsDomainName(name); !ok || len(name) > 254 {
		return nil, fmt.Errorf("%q is no domain name", Quote(q.Name))
	}
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.RecursionDesired = !q.Server.IsValid()
	m.CheckingDisabled = q.NoCheck
	m.AuthenticatedData = true
	m.SetEdns0(udpSize, true)
	return m, nil
}

// tries asks server after server.
func (l *Live) tries(ctx context.Context, q Question, m *dns.Msg) (*Answer, error) {
	var last *Answer
	var own error
	for _, s := range l.order(q) {
		a, err := l.one(ctx, q, m, s)
		if err != nil { // another server may still be within reach
			own = err
			continue
		}
		if a.Failure == nil {
			return a, nil
		}
		if last == nil || last.Rcode == "" { // an error that was answered says more than silence
			last = a
		}
		if ctx.Err() != nil {
			break
		}
	}
	if last == nil {
		return nil, own
	}
	return last, nil
}

// one asks one server. That a resolver of our own can't be reached says nothing
// of the name.
func (l *Live) one(ctx context.Context, q Question, m *dns.Msg, s server) (*Answer, error) {
	a := &Answer{Question: q, Server: s.String()}
	wire, reply, err := l.transfer(ctx, m, s)
	if err != nil {
		what, ours := kindAt(err, s.at)
		a.Failure = dnsFailure(what, err)
		if code := a.Failure.Code; ours || !s.direct && (code == DNSUnreachable || code == DNSNoRoute || errors.Is(err, errUntrusted)) {
			return nil, &Trouble{Code: CodeInternal, Detail: "asking " + s.String(), Ours: true, Err: err}
		}
		return a, nil
	}
	a.Rcode = dns.RcodeToString[reply.Rcode]
	if reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError {
		a.Failure = rcodeFailure(reply)
		return a, nil
	}
	if why := policy(reply); why != "" && !s.direct {
		a.Failure = &Failure{Code: DNSFiltered, Detail: why, Temporary: true}
		return a, nil
	}
	a.Wire = wire
	a.Secure = trusted(reply, q, s)
	return a, nil
}

// trusted reports whether an answer counts as validated: the resolver says so
// with AD, and nobody could change that on the way (RFC 4035 section 4.9.3).
func trusted(reply *dns.Msg, q Question, s server) bool {
	return reply.AuthenticatedData && !q.NoCheck && !s.direct && s.private()
}

func dnsFailure(what string, err error) *Failure {
	code := map[string]Code{"timeout": DNSTimeout, "refused": DNSUnreachable, "reset": DNSUnreachable, "unreachable": DNSUnreachable, "address": DNSAddress, "no-route": DNSNoRoute}[what]
	switch {
	case errors.Is(err, errTooMany):
		code = DNSTooLarge
	case code == "":
		code = DNSGarbled
	}
	return &Failure{Code: code, Detail: what, Temporary: true}
}

// rcodeFailure reads an error that was answered, with the extended code that may
// say why (RFC 8914).
func rcodeFailure(m *dns.Msg) *Failure {
	code := DNSRcode
	switch m.Rcode {
	case dns.RcodeServerFailure:
		code = DNSServFail
	case dns.RcodeRefused:
		code = DNSRefused
	}
	detail := dns.RcodeToString[m.Rcode]
	for _, e := range extended(m) {
		detail += " " + explained(e)
	}
	return &Failure{Code: code, Detail: detail, Temporary: true}
}

// tellBogus asks again without validation: if that is answered, the proof was
// what failed.
func (l *Live) tellBogus(ctx context.Context, q Question, a *Answer) {
	q.NoCheck = true
	m, err := l.message(q)
	if err != nil || ctx.Err() != nil {
		return
	}
	again, err := l.tries(ctx, q, m)
	if err == nil && again.Failure == nil {
		a.Failure.Code = DNSBogus
	}
}

// errTooMany is an answer with more records than are read.
var errTooMany = errors.New("verify: more records than are read")

// transfer exchanges one message. For a server that is not our own resolver the
// name's letters are mixed: a forger has to guess them too
// (draft-vixie-dnsext-dns0x20).
func (l *Live) transfer(ctx context.Context, m *dns.Msg, s server) ([]byte, *dns.Msg, error) {
	ask := m.Copy()
	ask.Id = dns.Id()
	if s.direct {
		ask.Question[0].Name = mixCase(ask.Question[0].Name)
	}
	wire, reply, err := l.over(ctx, "udp", ask, s)
	if err == nil && reply.Rcode == dns.RcodeFormatError { // a server from before EDNS (RFC 6891 section 7)
		ask.Extra = nil
		wire, reply, err = l.over(ctx, "udp", ask, s)
	}
	switch {
	case err == nil && !reply.Truncated, s.tls != nil && err != nil:
		return wire, reply, err
	case errors.Is(err, errMismatch):
		ask.Question[0].Name = m.Question[0].Name // a server that does not keep the letters
	}
	if what, ours := kindOf(err); ours || what == "address" || ctx.Err() != nil {
		return nil, nil, errors.Join(err, ctx.Err())
	}
	wire, reply, err = l.over(ctx, "tcp", ask, s)
	if err == nil && reply.Truncated { // RFC 7766 section 8: there is no cutting over TCP
		return nil, nil, fmt.Errorf("%w: cut over TCP", errMismatch)
	}
	return wire, reply, err
}

// mixCase gives each letter a random case.
func mixCase(name string) string {
	b := []byte(name)
	bits := rand.Uint64() //nolint:gosec // beside the id and the port
	for i, c := range b {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if letter && bits>>(i%64)&1 == 1 {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}

// over sends one message over one transport and reads the answer to it.
func (l *Live) over(ctx context.Context, network string, m *dns.Msg, s server) ([]byte, *dns.Msg, error) {
	wait := l.cfg.UDP
	if s.tls != nil {
		network = "tcp"
	}
	if network == "tcp" {
		wait = l.cfg.TCP
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := l.connect(ctx, network, s)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close() //nolint:errcheck // whatever was to be read has been
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.WriteMsg(m); err != nil {
		return nil, nil, err
	}
	return read(c, m, s.direct)
}

// parseReply reads a message and compares all that ties it to the question:
// the library compares the id only.
func parseReply(wire []byte, m *dns.Msg, exact bool) (*dns.Msg, error) {
	if len(wire) < 12 || wire[0] != byte(m.Id>>8) || wire[1] != byte(m.Id) {
		return nil, errMismatch
	}
	for i := 6; i < 12; i += 2 { // counts of records, before any is read
		if int(wire[i])<<8|int(wire[i+1]) > maxRecords {
			return nil, errTooMany
		}
	}
	reply := new(dns.Msg)
	err := reply.Unpack(wire)
	if len(reply.Question) != 1 && err == nil && reply.Rcode != dns.RcodeFormatError {
		return nil, errMismatch
	}
	if len(reply.Question) == 1 && !same(reply.Question[0], m.Question[0], exact) || !reply.Response || reply.Opcode != dns.OpcodeQuery {
		return nil, errMismatch
	}
	switch {
	case reply.Truncated: // even in the middle of a record: ask over TCP
		return reply, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errMismatch, err)
	case !whole(reply, wire):
		return nil, fmt.Errorf("%w: fewer records than its header says", errMismatch)
	}
	return reply, nil
}

// whole reports whether all records are there that the header counts (RFC 1035
// section 4.1.1). The library takes the end of a message for the end of its
// records, and what is missing must not pass for what is not there.
func whole(reply *dns.Msg, wire []byte) bool {
	for i, section := range [][]dns.RR{reply.Answer, reply.Ns, reply.Extra} {
		if count := int(wire[6+2*i])<<8 | int(wire[7+2*i]); count != len(section) {
			return false
		}
	}
	return true
}

// same compares questions; exact holds the letters of the name too.
func same(a, b dns.Question, exact bool) bool {
	names := a.Name == b.Name || !exact && strings.EqualFold(a.Name, b.Name)
	return names && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}
