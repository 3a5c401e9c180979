package dnscheck

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

const verificationDraft = "draft-ietf-dnsop-domain-verification-techniques"

var (
	controlUnknown = verify.Problem{Code: "control.not-begun", Severity: verify.Info, Spec: "",
		Title: "No proof that the team controls the domain was begun", Advice: "Begin one with rollcall team control start, or through the API."}
	controlWaiting = verify.Problem{Code: "control.not-published", Severity: verify.Recommendation, Spec: verificationDraft,
		Title:  "The record that proves control of the domain is not published yet",
		Advice: "Publish the TXT record that rollcall team control show prints, with a TTL of 300 seconds or less until it is seen. It is looked for at growing intervals; withdraw the proof to stop that."}
	controlMissing = verify.Problem{Code: "control.missing", Severity: verify.Warning, Spec: verificationDraft,
		Title:  "The record that proves control of the domain is gone",
		Advice: "Publish it again within a day: if it is still missing then, the claim to the domain is confirmed no more."}
	controlLost = verify.Problem{Code: "control.lost", Severity: verify.Error, Spec: verificationDraft,
		Title:  "The record that proved control of the domain was missing twice, a day apart: the proof is revoked",
		Advice: "Publish the record again, or withdraw the proof if that was meant."}
	controlExpired = verify.Problem{Code: "control.expired", Severity: verify.Error, Spec: verificationDraft,
		Title:  "The date in the record that proves control of the domain has passed",
		Advice: "Write a later date into the record's expiry, or never. The token may stay as it is."}
	controlSoon = verify.Problem{Code: "control.expires-soon", Severity: verify.Warning, Spec: verificationDraft,
		Title:  "The date in the record that proves control of the domain passes within 30 days",
		Advice: "Write a later date into the record's expiry, or never."}
	controlMalformed = verify.Problem{Code: "control.malformed", Severity: verify.Warning, Spec: verificationDraft,
		Title:  "The record with the token can't be read",
		Advice: "Write expiry=never, or a day such as expiry=2027-12-31, once."}
	controlInconsistent = verify.Problem{Code: "control.inconsistent", Severity: verify.Warning, Spec: "RFC 1034 section 4.2.2",
		Title:  "Those who were asked for the record disagree, so that it proves nothing and nothing is lost",
		Advice: "See that all name servers have the present zone; resolvers follow once the TTL of what they remember has passed."}
	controlBogus = verify.Problem{Code: "control.bogus", Severity: verify.Error, Spec: "RFC 4035 section 5",
		Title:  "DNSSEC of the record that proves control of the domain is broken, so that it proves nothing",
		Advice: "Sign the zone again, and see that the DS records at the parent name a key that is in use."}
	controlAliases = verify.Problem{Code: "control.too-many-aliases", Severity: verify.Warning, Spec: "RFC 1034 section 3.6.2",
		Title:  "The name of the record that proves control of the domain leads through more than 8 aliases, or in a circle",
		Advice: "Let the CNAME point at the name that has the record."}
)

// controlEvery is how often a proof is looked at that nothing is wrong with.
const controlEvery = 7 * 24 * time.Hour

// controlCheck looks for the TXT record by which a team proves that it controls
// a domain, at all authoritative servers and through resolvers.
func controlCheck(cfg Config) verify.Check {
	problems := []verify.Problem{controlUnknown, controlWaiting, controlMissing, controlLost, controlExpired, controlSoon, controlMalformed,
		controlInconsistent, controlBogus, controlAliases}
	c := check(cfg, directory.ControlCheck, "the record that proves control of the domain", controlled, problems, func(r *run) error { return r.control() })
	c.Every, c.Claimed = controlEvery, true
	return c
}

// controlled are the domains of a team for which it began a proof.
func controlled(t *directory.Team) (list []verify.Subject) {
	for _, x := range t.Resources {
		if x.Type == "domain" && t.Control(x.Domain) != nil {
			list = addDomain(list, string(x.Domain))
		}
	}
	return list
}

func (r *run) control() error {
	if r.t.Control == nil {
		r.find(controlUnknown, r.t.Subject.ID)
		return nil
	}
	name := r.cfg.Label + "." + r.domain()
	r.fact("record", name)
	proof, err := r.signedness(name)
	if err != nil || proof.Status == dnssec.Bogus {
		return err
	}
	view, err := r.everywhere(name, proof)
	switch {
	case err != nil:
		return err
	case view == nil:
		r.out.Until = r.t.Now.Add(time.Hour)
		return nil
	}
	next := r.t.Control.Saw(view.sight, view.until, string(proof.Status), r.t.Now)
	r.out.Control = &next
	r.fact("state", next.State)
	r.judge(&next, view)
	return nil
}

// signedness tells what can be proven of the record by ourselves: that it is
// there, or that it is not.
func (r *run) signedness(name string) (dnssec.Answer, error) {
	v, err := r.validator()
	if err != nil {
		return dnssec.Answer{}, err
	}
	a, err := v.Query(r.ctx, name, txtType)
	switch {
	case err != nil:
		return a, asTrouble(err)
	case len(a.Aliases) > maxControlAliases:
		a.Status = dnssec.Indeterminate
		return a, nil // they are counted again below
	case a.Status == dnssec.Bogus:
		r.find(controlBogus, a.Reason)
	}
	r.fact("dnssec", string(a.Status))
	return a, nil
}

// judge puts into findings what is known now, and says when that may change.
func (r *run) judge(c *verify.Control, v *controlView) {
	name := r.cfg.Label + "." + r.t.Subject.ID
	switch {
	case v.sight == verify.SightProved:
		r.proved(v)
	case v.sight == verify.SightExpired:
		r.find(controlExpired, v.until.Format(time.DateOnly))
	case v.malformed != "":
		r.find(controlMalformed, v.malformed)
		r.out.Until = r.retryControl(c)
	case c.State == directory.ControlConfirmed:
		r.find(controlMissing, name)
		r.out.Until = c.Missing.Add(verify.ControlPatience)
	case c.State == directory.ControlWaiting:
		r.find(controlWaiting, name)
		r.out.Until = r.retryControl(c)
	default:
		r.find(controlLost, name)
	}
}

// soonControl is how long before its date a record is warned of.
const soonControl = 30 * 24 * time.Hour

func (r *run) proved(v *controlView) {
	if v.until.IsZero() {
		return
	}
	r.fact("expires", v.until.UTC().Format(time.RFC3339))
	if warn := v.until.Add(-soonControl); warn.After(r.t.Now) {
		r.out.Until = warn
		return
	}
	r.find(controlSoon, v.until.Format(time.RFC3339))
	r.out.Until = v.until
}

// retryControl is when to look again for a record that somebody is about to
// publish: soon at first, and less and less often.
func (r *run) retryControl(c *verify.Control) time.Time {
	wait := r.t.Now.Sub(c.Started) / 4
	return r.t.Now.Add(min(max(wait, 15*time.Minute), 24*time.Hour))
}

// controlView is what the TXT records at one name say, or where an alias leads.
type controlView struct {
	sight     verify.Sight
	until     time.Time // the date of the record; zero: never
	malformed string    // a record with the token that can't be read
	alias     string
}

// String is what is compared between servers, in words for people.
func (v controlView) String() string {
	switch {
	case v.alias != "":
		return "an alias to " + v.alias
	case v.malformed != "":
		return "a record that can't be read"
	case v.sight == verify.SightAbsent:
		return "no such record"
	case v.until.IsZero():
		return "the record"
	}
	return "the record until " + v.until.Format(time.RFC3339)
}

// viewOf reads the texts at one name. One that matches is enough; of several
// the one that holds the longest counts.
func viewOf(texts []string, digest string, now time.Time) controlView {
	best := controlView{sight: verify.SightAbsent}
	for _, text := range texts {
		token, until, err := parseControl(text)
		switch {
		case token == "" || directory.TokenDigest(token) != digest:
		case err != nil:
			if best.sight == verify.SightAbsent {
				best.malformed = err.Error()
			}
		case until.IsZero():
			return controlView{sight: verify.SightProved}
		case best.sight == verify.SightAbsent || until.After(best.until):
			best = controlView{sight: verify.SightProved, until: until}
		}
	}
	if best.sight == verify.SightProved && !best.until.After(now) {
		best.sight = verify.SightExpired
	}
	return best
}

// parseControl reads the text of a record: keys and values with an equals sign
// between them and blanks around them. Unknown keys are for others. A day
// lasts to its end (UTC); no expiry is never.
func parseControl(text string) (token string, until time.Time, err error) {
	if len(text) > 1000 {
		return "", until, nil
	}
	seen := map[string]bool{}
	for _, field := range strings.Fields(text) {
		key, value, _ := strings.Cut(field, "=")
		if key = strings.ToLower(key); key != "token" && key != "expiry" {
			continue
		}
		if seen[key] {
			err = fmt.Errorf("%s twice", key)
		}
		seen[key] = true
		if key == "token" {
			token = value
			continue
		}
		var bad error
		if until, bad = parseExpiry(value); bad != nil {
			err = bad
		}
	}
	return token, until, err
}

func parseExpiry(value string) (time.Time, error) {
	if strings.EqualFold(value, "never") {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t.UTC(), nil
	}
	d, err := directory.ParseDate(value)
	if err != nil {
		return time.Time{}, fmt.Errorf("expiry %s is no day", strconv.QuoteToASCII(value))
	}
	return d.Time().AddDate(0, 0, 1), nil
}
