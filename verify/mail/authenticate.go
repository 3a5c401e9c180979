package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/authres"
	"github.com/emersion/go-msgauth/dkim"
)

// Resolver is the DNS as this package asks it. *net.Resolver is one. A name that does not exist, or has no such
// record, MUST give a [*net.DNSError] with IsNotFound; anything else is taken for trouble that may pass.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// Authentication is what speaks for where a mail came from. It is kept as evidence
// beside a proof, and is none.
type Authentication struct {
	SPF     string   // pass, fail, softfail, neutral, none, temperror, permerror; "" when no peer is known
	DKIM    []Signer // at most five
	DMARC   string   // pass, fail, none, temperror
	Policy  string   // of DMARC: none, quarantine, reject
	Trusted []string // what an MTA of the site found, as it wrote it (RFC 8601)
}

// Signer is a DKIM signature.
type Signer struct{ Domain, Result, Reason string }

// maxDKIM is how many signatures are verified. RFC 6376 section 6.1 allows a limit.
const maxDKIM = 5

// Authenticate looks at how a mail is authenticated. The results of trusted servers, named by their authserv-id,
// are taken over; the rest is asked of the DNS. SPF is evaluated for the peer, which is
// the sender only where no MTA stands in front: peers in front are told apart by their results.
func Authenticate(ctx context.Context, r Resolver, env Envelope, m *Message, trusted ...string) Authentication {
	a := Authentication{Trusted: results(m, trusted)}
	if env.Peer.IsValid() && !env.Peer.IsLoopback() && env.From != "" {
		res, _ := spf.CheckHostWithSender(net.IP(env.Peer.AsSlice()), env.Helo, env.From, spf.WithContext(ctx), spf.WithResolver(r)) // the result has what the error says
		a.SPF = string(res)
	}
	found, err := dkim.VerifyWithOptions(bytes.NewReader(crlf(env.Raw)), &dkim.VerifyOptions{
		LookupTXT:        func(name string) ([]string, error) { return lookupTXT(ctx, r, name) },
		MaxVerifications: maxDKIM,
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		found = nil
	}
	for _, v := range found {
		a.DKIM = append(a.DKIM, signer(v))
	}
	a.dmarc(ctx, r, env, m)
	return a
}

func signer(v *dkim.Verification) Signer {
	s := Signer{Domain: strings.ToLower(v.Domain), Result: "pass"}
	if v.Err != nil {
		s.Result, s.Reason = "fail", cut(printable(v.Err.Error()), 200)
		if dkim.IsTempFail(v.Err) {
			s.Result = "temperror"
		}
	}
	return s
}

// dmarc: RFC 9989 section 5.3: a pass of SPF or DKIM, aligned with the domain in From.
func (a *Authentication) dmarc(ctx context.Context, r Resolver, env Envelope, m *Message) {
	_, domain, ok := cutLast(m.Sender(), "@")
	if !ok {
		return
	}
	p, err := findDMARC(ctx, r, strings.ToLower(domain))
	switch {
	case err != nil:
		a.DMARC = "temperror"
		return
	case p == nil:
		a.DMARC = "none"
		return
	}
	a.DMARC, a.Policy = "fail", p.policy
	aligned := slices.ContainsFunc(a.DKIM, func(s Signer) bool { return s.Result == "pass" && p.aligned(ctx, r, s.Domain, p.strictDKIM) })
	_, from, _ := cutLast(env.From, "@")
	if aligned || a.SPF == "pass" && p.aligned(ctx, r, strings.ToLower(from), p.strictSPF) {
		a.DMARC = "pass"
	}
}

// results reads the Authentication-Results of servers that are trusted. RFC 8601 section 5: the
// site's MTA has to remove those that came with its name from outside.
func results(m *Message, trusted []string) (out []string) {
	for _, v := range m.Header.All("Authentication-Results") {
		id, found, err := authres.Parse(v)
		if err != nil || !slices.ContainsFunc(trusted, func(t string) bool { return strings.EqualFold(t, id) }) {
			continue
		}
		for _, f := range found {
			if s := result(f); s != "" && len(out) < 10 {
				out = append(out, s)
			}
		}
	}
	return out
}

func result(f authres.Result) string {
	switch f := f.(type) {
	case *authres.SPFResult:
		return fmt.Sprintf("spf=%s %s", f.Value, printable(cut(f.From, 254)))
	case *authres.DKIMResult:
		return fmt.Sprintf("dkim=%s %s", f.Value, printable(cut(f.Domain, 254)))
	case *authres.DMARCResult:
		return fmt.Sprintf("dmarc=%s %s", f.Value, printable(cut(f.From, 254)))
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// lookupTXT tells a record that is not there from one that could not be asked for.
func lookupTXT(ctx context.Context, r Resolver, name string) ([]string, error) {
	return r.LookupTXT(ctx, strings.TrimSuffix(name, "."))
}

// absent tells whether an error says that there is no such record.
func absent(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}
