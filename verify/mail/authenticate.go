package mail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"sync"

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
	SPF     string   `json:"spf,omitempty"`     // pass, fail, softfail, neutral, none, temperror, permerror; "" when the sender's address is not known
	DKIM    []Signer `json:"dkim,omitempty"`    // at most five
	DMARC   string   `json:"dmarc,omitempty"`   // pass, fail, none, temperror; without SPF, fail says of DKIM alone
	Policy  string   `json:"policy,omitempty"`  // of DMARC: none, quarantine, reject
	Trusted []string `json:"trusted,omitempty"` // what an MTA of the site found, as it wrote it (RFC 8601); at most ten
}

// Signer is a DKIM signature.
type Signer struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector,omitempty"` // of a pass: the name of the key
	Result   string `json:"result"`             // pass, fail, temperror
	Reason   string `json:"reason,omitempty"`
}

// String is the whole in one line, in the words of RFC 8601 section 2.7. SPF that nobody could
// evaluate is none, and says why.
func (a Authentication) String() string {
	spf := "spf=" + a.SPF
	if a.SPF == "" {
		spf = "spf=none (the sender's address is not known)"
	}
	out := []string{spf}
	for _, s := range a.DKIM {
		out = append(out, "dkim="+s.Result+" "+s.Domain)
	}
	if len(a.DKIM) == 0 {
		out = append(out, "dkim=none")
	}
	if a.DMARC != "" {
		out = append(out, strings.TrimSpace("dmarc="+a.DMARC+" "+a.Policy))
	}
	for _, t := range a.Trusted {
		out = append(out, "trusted: "+t)
	}
	return strings.Join(out, "; ")
}

// maxDKIM is how many signatures are verified. RFC 6376 section 6.1 allows a limit.
const maxDKIM = 5

// Authenticate looks at how a mail is authenticated. The results of trusted servers, named by their authserv-id,
// are taken over; the rest is asked of the DNS. SPF is evaluated for the peer, unless that is a server of the
// site: it has trusted results, or no public address. DNS that does not answer before ctx ends is a temperror.
func Authenticate(ctx context.Context, r Resolver, env Envelope, m *Message, trusted ...string) Authentication {
	a := Authentication{Trusted: results(m, trusted)}
	sender := env.From
	if sender == "" { // RFC 7208 section 2.4: a null return path is that of who says HELO
		sender = "postmaster@" + env.Helo
	}
	if outside(env.Peer) && len(a.Trusted) == 0 {
		res, _ := spf.CheckHostWithSender(net.IP(env.Peer.AsSlice()), env.Helo, sender, spf.WithContext(ctx), spf.WithResolver(r)) // the result has what the error says
		a.SPF = string(res)
	}
	a.DKIM = signers(ctx, r, crlf(env.Raw))
	a.dmarc(ctx, r, sender, m)
	return a
}

// outside tells whether a peer is none of the site's own machines.
func outside(peer netip.Addr) bool {
	return peer.IsValid() && peer.IsGlobalUnicast() && !peer.IsPrivate()
}

// signers verifies the signatures of a mail. The library does not tell which key a signature was
// verified by, so that the fields are read once more, as it reads them. A selector counts only where
// a key of its name was found.
func signers(ctx context.Context, r Resolver, raw []byte) (list []Signer) {
	var mu sync.Mutex // the library verifies several at once
	keys := map[string]bool{}
	found, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			texts, err := lookupTXT(ctx, r, name)
			mu.Lock()
			defer mu.Unlock()
			keys[strings.ToLower(name)] = err == nil && len(texts) > 0
			return texts, err
		},
		MaxVerifications: maxDKIM,
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return nil
	}
	named := selectors(raw)
	for i, v := range found {
		s := signer(v)
		if s.Result == "pass" && i < len(named) && keys[named[i]+"._domainkey."+s.Domain] {
			s.Selector = named[i]
		}
		list = append(list, s)
	}
	return list
}

// selectors are the tags s= of the signatures of a mail, in their order, in lower case; "" where one
// has none that can be a name (RFC 6376 section 3.5).
func selectors(raw []byte) (list []string) {
	read := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw)))
	var fields []string
	for {
		line, err := read.ReadLine()
		if err != nil || line == "" {
			break
		}
		if n := len(fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			fields[n-1] += line
		} else {
			fields = append(fields, line)
		}
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "DKIM-Signature") {
			continue
		}
		selector := ""
		for _, tag := range strings.Split(value, ";") {
			if key, value, ok := strings.Cut(tag, "="); ok && strings.TrimSpace(key) == "s" {
				selector = strings.ToLower(strings.Join(strings.Fields(value), ""))
			}
		}
		list = append(list, cut(printable(selector), 254))
	}
	return list
}

func signer(v *dkim.Verification) Signer {
	s := Signer{Domain: cut(printable(strings.ToLower(v.Domain)), 254), Result: "pass"}
	if v.Err != nil {
		s.Result, s.Reason = "fail", cut(printable(v.Err.Error()), 200)
		if dkim.IsTempFail(v.Err) {
			s.Result = "temperror"
		}
	}
	return s
}

// dmarc: RFC 9989 section 5.3: a pass of SPF or DKIM, aligned with the domain in From.
func (a *Authentication) dmarc(ctx context.Context, r Resolver, sender string, m *Message) {
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
	signed := func(result string) bool {
		return slices.ContainsFunc(a.DKIM, func(s Signer) bool { return s.Result == result && p.aligned(ctx, r, s.Domain, p.strictDKIM) })
	}
	_, from, _ := cutLast(sender, "@")
	switch sent := p.aligned(ctx, r, strings.ToLower(from), p.strictSPF); {
	case signed("pass") || sent && a.SPF == "pass":
		a.DMARC = "pass"
	case signed("temperror") || sent && a.SPF == "temperror": // it may pass yet
		a.DMARC = "temperror"
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
