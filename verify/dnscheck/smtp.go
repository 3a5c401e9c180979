package dnscheck

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	smtpSilent = verify.Problem{Code: "smtp.silent", Severity: verify.Info, Spec: "RFC 5321 section 5.1",
		Title: "A mail server did not answer this time", Advice: "See whether it is up and reachable; others answered."}
	smtpRefused = verify.Problem{Code: "smtp.refused", Severity: verify.Warning, Spec: "RFC 5321 section 3.1",
		Title: "A mail server greets with a refusal", Advice: "See whether it refuses everybody or only who asked, and why; take it out of the MX records if it takes no mail (RFC 7504)."}
	smtpClear = verify.Problem{Code: "smtp.no-starttls", Severity: verify.Warning, Spec: "RFC 3207 section 4",
		Title: "A mail server takes mail in clear only", Advice: "Configure a certificate and STARTTLS: reports of incidents cross the network unencrypted."}
	smtpTLS = verify.Problem{Code: "smtp.tls-version", Severity: verify.Warning, Spec: "RFC 8996 section 1",
		Title: "A mail server speaks no TLS version above 1.1", Advice: "Switch on TLS 1.2 and 1.3."}
	smtpCertificate = verify.Problem{Code: "smtp.certificate", Severity: verify.Info, Spec: "RFC 8461 section 4.1",
		Title: "A mail server's certificate does not prove its name", Advice: "Install a certificate of a public authority that is in force and names the host of the MX record, before you enforce MTA-STS."}
	smtpDANE = verify.Problem{Code: "smtp.dane-mismatch", Severity: verify.Error, Spec: "RFC 7672 section 3.1",
		Title: "No TLSA record fits a mail server's certificate: senders with DANE deliver nothing there", Advice: "Publish a record 3 1 1 of the key in use, and keep the old record until its time to live has passed."}
)

// Limits of one run, all of which is at once: a run has a minute.
const (
	maxVisited   = 3 // mail servers, the most preferred
	maxAddressed = 2 // addresses of each: one of IPv4, one of IPv6
)

// silentFor is how long a server has to be out of reach, while others are not,
// for that to be more than worth knowing.
const silentFor = 48 * time.Hour

// smtpCheck visits the mail servers, which the others of this package do not. It
// is for installations that want it, and for whoever asks for it by name.
func smtpCheck(cfg Config) verify.Check {
	applies := mailDomains
	if !cfg.SMTP {
		applies = func(*directory.Team) []verify.Subject { return nil }
	}
	problems := []verify.Problem{smtpSilent, smtpRefused, smtpClear, smtpTLS, smtpCertificate, smtpDANE}
	c := check(cfg, "smtp", "the contact's mail servers, visited without a mail", applies, problems, func(r *run) error {
		hosts, err := r.mailHosts()
		if err != nil || len(hosts) == 0 {
			return err
		}
		list, err := r.visits(hosts)
		if err != nil {
			return err
		}
		return notAtOnce(r.judgeVisits(list))
	})
	c.Claimed = !cfg.SMTP
	return c
}

// mailHosts are the mail servers that are visited: those that senders try first.
// Where there is nothing to visit, the check mx says why.
func (r *run) mailHosts() (hosts []string, err error) {
	f, err := r.records(r.domain(), dns.TypeMX)
	if err != nil {
		return nil, err
	}
	for _, mx := range lookedAt(f.rrs) {
		host := dns.CanonicalName(mx.Mx)
		if _, bad := netip.ParseAddr(strings.Trim(host, "[].")); bad != nil && len(hosts) < maxVisited && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(f.rrs) == 0 && !f.missing { // RFC 5321 section 5.1
		hosts = append(hosts, f.owner)
	}
	return hosts, nil
}

// visits goes to the hosts, to all at once: some may take all their time.
func (r *run) visits(hosts []string) ([]*verify.Visit, error) {
	var list []verify.Greeting
	for _, host := range hosts {
		addrs, _, err := r.addresses(host)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(addrs, netip.Addr.Compare) // the DNS turns them round
		for _, is4 := range []bool{true, false} {
			i := slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Is4() == is4 && r.cfg.Public(a) })
			if i >= 0 {
				list = append(list, verify.Greeting{Host: strings.TrimSuffix(host, "."), Addr: addrs[i]})
			}
		}
	}
	out, errs := make([]*verify.Visit, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	for i, q := range list {
		all.Go(func() {
			defer func() { // a panic here would end the process, not the run
				if p := recover(); p != nil {
					errs[i] = &verify.Trouble{Code: verify.CodePanic, Detail: fmt.Sprint(p), Ours: true}
				}
			}()
			out[i], errs[i] = r.net.Greet(r.ctx, q)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, notAtOnce(err)
		}
	}
	return out, nil
}

// visitAgain is how long servers are left alone at least that were visited in vain.
const visitAgain = 15 * time.Minute

// notAtOnce keeps a run that was sent away, with visits made, from making them all
// again within seconds. It adds to the wait, so that not all come back at once.
func notAtOnce(err error) error {
	var t *verify.Trouble
	if !errors.As(err, &t) || t.Code != verify.CodeBusy {
		return err
	}
	later := *t
	later.Retry += visitAgain
	return &later
}

// judgeVisits says what the visits showed. That none came to anything is trouble:
// networks that let nobody out to port 25 are many. Some let nobody out by IPv6, or
// by IPv4, alone: a server is silent only where another answered by the same family.
func (r *run) judgeVisits(list []*verify.Visit) error {
	var silent []*verify.Visit
	answered := map[bool]bool{} // by whether it was over IPv4
	for _, v := range list {
		heard, err := r.judgeVisit(v)
		switch {
		case err != nil:
			return err
		case heard:
			answered[v.Greeting.Addr.Is4()] = true
		case v.Failure == nil || !slices.Contains(saysNothing(), v.Failure.Code):
			silent = append(silent, v)
		}
	}
	if len(answered) == 0 && len(list) > 0 {
		return silence(append(silent, list...)[0])
	}
	for _, v := range silent {
		if answered[v.Greeting.Addr.Is4()] {
			r.silent(v)
		}
	}
	return nil
}

// saysNothing are failures by which no server is silent: it was not asked, or it
// answered, and only the handshake with us failed.
func saysNothing() []verify.Code {
	return []verify.Code{verify.FetchNoRoute, verify.FetchDenied, verify.FetchTLS}
}

// silence is the trouble of a server that said nothing that counts.
func silence(v *verify.Visit) error {
	t := &verify.Trouble{Code: verify.FetchThrottled, Detail: spot(v)}
	if v.Failure != nil {
		t.Code, t.Detail = v.Failure.Code, t.Detail+": "+v.Failure.Detail
	}
	return t
}

func spot(v *verify.Visit) string { return v.Greeting.Host + " " + v.Greeting.Addr.String() }

// silent notes a server that did not answer, beside others that did. Since when
// is kept in a fact, from one conclusion to the next.
func (r *run) silent(v *verify.Visit) {
	since := r.t.Now
	for _, f := range r.t.Previous {
		where, when, _ := strings.Cut(f.Value, " since ")
		at, err := time.Parse(time.RFC3339, when)
		if f.Name == "smtp-silent" && where == spot(v) && err == nil && at.Before(since) {
			since = at
		}
	}
	r.fact("smtp-silent", spot(v)+" since "+since.UTC().Format(time.RFC3339))
	f := r.find(smtpSilent, spot(v)+": "+silence(v).Error())
	if r.t.Now.Sub(since) >= silentFor {
		f.Severity = verify.Warning
	}
}

// judgeVisit says what one visit showed; heard is false where the server was not
// there, or asked to come again.
func (r *run) judgeVisit(v *verify.Visit) (heard bool, err error) {
	hello, ehlo := v.To(""), v.To("EHLO")
	switch {
	case hello == nil || hello.Code/100 == 4:
		return false, nil
	case hello.Code != 220:
		r.refused(v, hello)
		return true, nil
	case ehlo == nil || ehlo.Code/100 == 4:
		return false, nil
	case ehlo.Code/100 == 5 && ehlo.Code != 500 && ehlo.Code != 502: // those know no EHLO (RFC 5321 section 4.2.4)
		r.refused(v, ehlo)
		return true, nil
	}
	return r.judgeTLS(v)
}

// refused notes a refusal. Not even 521 (RFC 7504 section 3) is an error: servers
// say it to addresses that they block as well.
func (r *run) refused(v *verify.Visit, said *verify.Reply) {
	r.find(smtpRefused, fmt.Sprintf("%s: %d %s", spot(v), said.Code, strings.Join(said.Lines, " ")))
}

// judgeTLS says what STARTTLS led to.
func (r *run) judgeTLS(v *verify.Visit) (heard bool, err error) {
	start := v.To("STARTTLS")
	old := v.Failure != nil && v.Failure.Code == verify.FetchTLSVersion
	if v.TLS == nil && !old && (v.Failure != nil || start != nil && start.Code/100 == 4) { // RFC 3207 section 4: not now
		return false, nil
	}
	base, records, err := r.provenTLSA(v.Greeting.Host)
	switch {
	case err != nil:
		return true, err
	case old:
		return true, r.worse(smtpTLS, v, spot(v), records)
	case v.TLS == nil:
		return true, r.worse(smtpClear, v, spot(v), records)
	}
	r.fact("smtp", spot(v)+" "+v.TLS.Version+" "+certificateOf(v))
	return true, r.judgeCertificate(v, records, base)
}

// certificateOf puts a certificate into words.
func certificateOf(v *verify.Visit) string {
	text := v.TLS.Problem
	if v.TLS.Verified {
		text = "verified"
	}
	if len(v.TLS.Chain) > 0 {
		c := v.TLS.Chain[0]
		text += ", for " + strings.Join(c.Names[:min(len(c.Names), 5)], " ") + ", until " + c.NotAfter.Format(time.DateOnly)
	}
	return text
}

// judgeCertificate compares a certificate with what senders hold it against: the
// TLSA records where there are proven ones, which are for base, and only else the
// authorities (RFC 7672 sections 2.2 and 3.2.2, RFC 8461 section 2).
func (r *run) judgeCertificate(v *verify.Visit, records []*dns.TLSA, base string) error {
	switch {
	case len(records) > 0:
		if len(v.Chain) > 0 && !fitsDANE(records, v, []string{base, v.Greeting.Host, r.t.Subject.ID}, r.t.Now) {
			r.find(smtpDANE, spot(v)+" "+certificateOf(v))
		}
		return nil
	case v.TLS.Verified:
		return nil
	}
	return r.worse(smtpCertificate, v, spot(v)+" "+certificateOf(v), nil)
}

// worse notes what keeps senders from TLS. Where the domain tells them to deliver
// no other way, nothing is delivered: that is an error (RFC 8461 section 5, RFC
// 7672 section 2.2).
func (r *run) worse(p verify.Problem, v *verify.Visit, evidence string, records []*dns.TLSA) error {
	if len(records) > 0 {
		r.find(p, evidence+", and TLSA records demand it").Severity = verify.Error
		return nil
	}
	enforced, err := r.enforces(v.Greeting.Host)
	if err != nil {
		return err
	}
	if enforced {
		r.find(p, evidence+", and the MTA-STS policy demands it").Severity = verify.Error
		return nil
	}
	r.find(p, evidence)
	return nil
}

// enforces reports whether an MTA-STS policy of the domain holds for a host. That
// it can't be read is for the check mtasts to say.
func (r *run) enforces(host string) (bool, error) {
	records, _, err := r.texts("_mta-sts."+r.domain(), "v=STSv1")
	if err != nil || len(records) != 1 || !validSTS(records[0]) {
		return false, err
	}
	x, err := r.fetchPolicy()
	switch {
	case err != nil:
		return false, err
	case x.Failure != nil && x.Failure.Temporary:
		return false, &verify.Trouble{Code: x.Failure.Code, Detail: x.Request.URL, Retry: x.Failure.Retry}
	case x.Failure != nil || x.Last().Status != 200:
		return false, nil
	}
	p, err := ParsePolicy(x.Body)
	return err == nil && p.Mode == "enforce" && p.Allows(host+"."), nil
}
