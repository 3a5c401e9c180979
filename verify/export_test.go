package verify

import (
	"net/netip"
	"net/url"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
)

// AbandonAfter sets how long a check may go on that does not heed its end.
func AbandonAfter(c *RunnerConfig, d time.Duration) { c.abandon = d }

// Lanes returns how many peers a limiter remembers.
func Lanes(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lanes)
}

// NewEvidence is what a runner makes of proofs.
func NewEvidence(have []directory.Evidence, claims *Claims, method string, o *Outcome, policy directory.Policy, at time.Time) []directory.Evidence {
	return newEvidence(have, claims, method, o, policy, at)
}

// Bound cuts a result to what is kept of it.
func Bound(r *Result) { r.bound() }

// HostName is what a host in a URL is asked for, or why it is refused.
func HostName(host string) (name, why string) { return hostName(host) }

// ParseReply reads a message as the answer to a question.
func ParseReply(wire []byte, m *dns.Msg) (*dns.Msg, error) { return parseReply(wire, m, true) }

// AddressesIn returns the addresses in an answer.
func AddressesIn(a *Answer) ([]netip.Addr, error) { return addressesIn(a) }

// FailureAt is what a fetch says of an error of the network at an address.
func FailureAt(err error, at netip.AddrPort) (*Failure, error) {
	c := &call{hop: &Hop{Addr: at}, url: &url.URL{Scheme: "https", Host: "a.example"}}
	return c.failure(err)
}

// Trusted reports whether an answer counts as validated.
func Trusted(reply *dns.Msg, q Question, s netip.AddrPort) bool {
	return trusted(reply, q, server{at: s, direct: q.Server.IsValid()})
}
