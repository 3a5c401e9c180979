package dnscheck

import (
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Policy is an MTA-STS policy (RFC 8461 section 3.2).
type Policy struct {
	Mode   string   // enforce, testing or none
	MaxAge int64    // seconds, at most 31,557,600
	MX     []string // patterns: host names, or "*." and one
}

// ErrPolicy is why a file is no MTA-STS policy.
var ErrPolicy = errors.New("dnscheck: no MTA-STS policy")

const (
	maxPolicyAge  = 31557600 // RFC 8461 section 3.2
	maxPolicySize = 64 << 10 // RFC 8461 section 3.3
)

// ParsePolicy reads a policy file: key: value lines that end with LF or CRLF.
// Of a key that stands twice the first counts, mx aside; unknown keys are
// passed over (RFC 8461 section 3.2).
func ParsePolicy(body []byte) (p Policy, err error) {
	if !utf8.Valid(body) || len(body) > maxPolicySize {
		return p, fmt.Errorf("%w: not UTF-8 text of at most 64 KiB", ErrPolicy)
	}
	seen := map[string]string{}
	for line := range strings.Lines(string(body)) {
		line = strings.TrimRight(line, "\r\n")
		key, value, ok := strings.Cut(line, ":")
		if value = strings.Trim(value, " \t"); !ok {
			if strings.TrimSpace(line) == "" {
				continue
			}
			return p, fmt.Errorf("%w: a line without a colon: %q", ErrPolicy, line)
		}
		if key == "mx" {
			p.MX = append(p.MX, strings.ToLower(value))
		} else if _, twice := seen[key]; !twice {
			seen[key] = value
		}
	}
	return p, p.settle(seen)
}

func (p *Policy) settle(seen map[string]string) (err error) {
	p.Mode = seen["mode"]
	switch {
	case seen["version"] != "STSv1":
		return fmt.Errorf("%w: version is %q and not STSv1", ErrPolicy, seen["version"])
	case p.Mode != "enforce" && p.Mode != "testing" && p.Mode != "none":
		return fmt.Errorf("%w: mode is %q and not enforce, testing or none", ErrPolicy, p.Mode)
	}
	p.MaxAge, err = strconv.ParseInt(seen["max_age"], 10, 64)
	switch {
	case err != nil || p.MaxAge < 0 || p.MaxAge > maxPolicyAge || len(seen["max_age"]) > 10:
		return fmt.Errorf("%w: max_age is %q and not a number of seconds up to 31557600", ErrPolicy, seen["max_age"])
	case len(p.MX) == 0 && p.Mode != "none":
		return fmt.Errorf("%w: no mx", ErrPolicy)
	}
	for _, pattern := range p.MX {
		if host, _ := strings.CutPrefix(pattern, "*."); !isHost(host) {
			return fmt.Errorf("%w: mx is %q and no host name", ErrPolicy, pattern)
		}
	}
	return nil
}

func isHost(s string) bool {
	_, ok := dns.IsDomainName(s)
	return ok && s != "" && s != "." && !strings.ContainsAny(s, `*\ "/@:`)
}

// Allows reports whether a mail server's name matches the policy. A wildcard
// stands for exactly one label, the leftmost (RFC 8461 section 4.1).
func (p Policy) Allows(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, pattern := range p.MX {
		pattern = strings.TrimSuffix(pattern, ".")
		if rest, wild := strings.CutPrefix(pattern, "*."); wild {
			_, above, ok := strings.Cut(host, ".")
			if ok && above == rest {
				return true
			}
		} else if host == pattern {
			return true
		}
	}
	return false
}

var (
	stsSeveral = verify.Problem{Code: "mtasts.several", Severity: verify.Error, Spec: "RFC 8461 section 3.1",
		Title: "There is more than one MTA-STS record, so senders see none", Advice: "Keep one TXT record at _mta-sts."}
	stsInvalid = verify.Problem{Code: "mtasts.invalid", Severity: verify.Error, Spec: "RFC 8461 section 3.1",
		Title: "The MTA-STS record can't be read", Advice: "Write v=STSv1; id= and up to 32 letters and digits that change with each new policy."}
	stsFetch = verify.Problem{Code: "mtasts.policy-unreachable", Severity: verify.Error, Spec: "RFC 8461 section 3.3",
		Title: "There is an MTA-STS record, and its policy can't be fetched", Advice: "Serve the policy at https://mta-sts.DOMAIN/.well-known/mta-sts.txt with a valid certificate, status 200 and no redirect."}
	stsMedia = verify.Problem{Code: "mtasts.media-type", Severity: verify.Warning, Spec: "RFC 8461 section 3.2",
		Title: "The MTA-STS policy is not served as text/plain", Advice: "Serve it with Content-Type: text/plain."}
	stsPolicy = verify.Problem{Code: "mtasts.policy-invalid", Severity: verify.Error, Spec: "RFC 8461 section 3.2",
		Title: "The MTA-STS policy can't be read", Advice: "Write version: STSv1, mode:, max_age: and an mx: line for each mail server."}
	stsMX = verify.Problem{Code: "mtasts.mx-not-listed", Severity: verify.Error, Spec: "RFC 8461 section 4.1",
		Title: "The MTA-STS policy does not list one of the mail servers: senders that enforce it deliver nothing there", Advice: "Add an mx: line for the server, or correct the MX record."}
	stsTesting = verify.Problem{Code: "mtasts.not-enforced", Severity: verify.Info, Spec: "RFC 8461 section 5",
		Title: "The MTA-STS policy is not enforced", Advice: "When reports show no trouble, say mode: enforce."}
	stsShort = verify.Problem{Code: "mtasts.short-age", Severity: verify.Recommendation, Spec: "RFC 8461 section 3.2",
		Title: "The MTA-STS policy is forgotten within a day", Advice: "Say max_age of weeks: a policy that is quickly forgotten protects little."}
)

// mtaSTSCheck fetches the policy that senders keep to, if there is one.
func mtaSTSCheck(cfg Config) verify.Check {
	problems := []verify.Problem{stsSeveral, stsInvalid, stsFetch, stsMedia, stsPolicy, stsMX, stsTesting, stsShort}
	return check(cfg, "mtasts", "MTA-STS of the contact's domain", mailDomains, problems, func(r *run) error {
		records, _, err := r.texts("_mta-sts."+r.domain(), "v=STSv1")
		switch {
		case err != nil || len(records) == 0:
			return err
		case len(records) > 1:
			r.find(stsSeveral, strings.Join(records, "\n"))
			return nil
		case !validSTS(records[0]):
			r.find(stsInvalid, records[0])
			return nil
		}
		return r.policy()
	})
}

// validSTS reads the record (RFC 8461 section 3.1).
func validSTS(s string) bool {
	tags, err := parseTags(s, isExtensionName)
	if err != nil || len(tags) == 0 || tags[0] != (tag{"v", "STSv1"}) {
		return false
	}
	for _, t := range tags {
		id := strings.TrimRight(t.value, " \t")
		if t.name == "id" {
			return id != "" && len(id) <= 32 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
		}
	}
	return false
}

// fetchPolicy fetches the policy file, once a run. Redirects are not followed
// (RFC 8461 section 3.3).
func (r *run) fetchPolicy() (_ *verify.Exchange, err error) {
	if r.sts == nil {
		url := "https://mta-sts." + r.t.Subject.ID + "/.well-known/mta-sts.txt"
		r.sts, err = r.net.Fetch(r.ctx, verify.Request{URL: url, Accept: "text/plain", Limit: maxPolicySize, Redirects: -1})
	}
	return r.sts, err
}

// policy fetches and judges the policy file.
func (r *run) policy() error {
	x, err := r.fetchPolicy()
	if err != nil {
		return err
	}
	url := x.Request.URL
	switch {
	case x.Failure != nil && x.Failure.Temporary:
		return &verify.Trouble{Code: x.Failure.Code, Detail: url, Retry: x.Failure.Retry}
	case x.Failure != nil:
		r.find(stsFetch, string(x.Failure.Code)+" "+x.Failure.Detail).Subject = url
		return nil
	case x.Last().Status != 200:
		r.find(stsFetch, fmt.Sprintf("status %d", x.Last().Status)).Subject = url
		return nil
	}
	if media, _, err := mime.ParseMediaType(first(x.Last().Header["Content-Type"])); err != nil || media != "text/plain" {
		r.find(stsMedia, first(x.Last().Header["Content-Type"])).Subject = url
	}
	p, err := ParsePolicy(x.Body)
	if err != nil {
		r.find(stsPolicy, err.Error()).Subject = url
		return nil
	}
	r.fact("mtasts-mode", p.Mode)
	return r.listed(p)
}

// listed holds the policy against the mail servers that there are.
func (r *run) listed(p Policy) error {
	if p.Mode != "enforce" {
		r.find(stsTesting, "mode: "+p.Mode)
	}
	if p.MaxAge < 86400 && p.Mode != "none" {
		r.find(stsShort, fmt.Sprintf("max_age: %d", p.MaxAge))
	}
	f, err := r.records(r.domain(), dns.TypeMX)
	if err != nil || p.Mode == "none" {
		return err
	}
	for _, mx := range exchangers(f.rrs) {
		if mx.Mx == "." || p.Allows(mx.Mx) {
			continue
		}
		if f := r.find(stsMX, mx.Mx); p.Mode == "testing" { // RFC 8461 section 5: senders report, and deliver
			f.Severity = verify.Warning
		}
	}
	return nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
