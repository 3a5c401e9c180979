package dnscheck

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	expirySoon = verify.Problem{Code: "domain.expires-soon", Severity: verify.Warning, Spec: "RFC 9083 section 4.5",
		Title: "The domain's registration ends soon", Advice: "Renew it: whoever registers it next receives the team's mail."}
	expiryPast = verify.Problem{Code: "domain.expired", Severity: verify.Error, Spec: "RFC 9083 section 4.5",
		Title: "The domain's registration has ended", Advice: "Renew it at once: whoever registers it next receives the team's mail."}
	expiryHold = verify.Problem{Code: "domain.on-hold", Severity: verify.Error, Spec: "RFC 8056 section 2",
		Title: "The registry has taken the domain out of service", Advice: "Ask the registrar why, and have it put back."}
)

// maxRDAP is the most that is read of an RDAP answer.
const maxRDAP = 512 << 10

// bootstrapAge is how old the bootstrap file may be: it changes rarely, and is
// the same for all domains.
const bootstrapAge = 24 * time.Hour

// expiryCheck asks the registry when the domain's registration ends. Many
// country domains have no RDAP; then nothing is known, and nothing is found.
func expiryCheck(cfg Config) verify.Check {
	c := check(cfg, "expiry", "the domain's registration", domains, []verify.Problem{expirySoon, expiryPast, expiryHold}, func(r *run) error {
		name, err := publicsuffix.EffectiveTLDPlusOne(r.t.Subject.ID)
		if err != nil {
			return nil // a public suffix is nobody's registration
		}
		base, err := r.rdapBase(name)
		if err != nil || base == "" {
			return err
		}
		body, err := r.fetchJSON(strings.TrimSuffix(base, "/")+"/domain/"+url.PathEscape(name), 0)
		if err != nil || body == nil {
			return err
		}
		return r.registration(name, body)
	})
	c.Every = 48 * time.Hour // registries ask for at least a day between questions
	return c
}

// fetchJSON fetches a document; nil means that there is none (404).
func (r *run) fetchJSON(address string, fresh time.Duration) ([]byte, error) {
	x, err := r.net.Fetch(r.ctx, verify.Request{URL: address, Accept: "application/rdap+json, application/json", Limit: maxRDAP, Fresh: fresh})
	switch {
	case err != nil:
		return nil, err
	case x.Failure != nil: // a registry's trouble is never the team's
		return nil, &verify.Trouble{Code: x.Failure.Code, Detail: address, Retry: x.Failure.Retry}
	case x.Last().Status == 404:
		return nil, nil
	case x.Last().Status != 200:
		return nil, &verify.Trouble{Code: verify.FetchStatus, Detail: fmt.Sprintf("%s: status %d", address, x.Last().Status)}
	}
	return x.Body, nil
}

// rdapBase finds the registry's server by the bootstrap file (RFC 9224 section
// 4: the entry with the most labels).
func (r *run) rdapBase(name string) (base string, err error) {
	body, err := r.fetchJSON(r.cfg.RDAP, bootstrapAge)
	if err != nil || body == nil {
		return "", err
	}
	var file struct{ Services [][][]string }
	if err := json.Unmarshal(body, &file); err != nil {
		return "", &verify.Trouble{Code: verify.FetchFormat, Detail: r.cfg.RDAP, Err: err}
	}
	most := 0
	for _, service := range file.Services {
		if len(service) < 2 || len(service[1]) == 0 {
			continue
		}
		for _, suffix := range service[0] {
			suffix = strings.ToLower(suffix)
			if n := strings.Count(suffix, ".") + 1; n > most && strings.HasSuffix(name, "."+suffix) {
				most, base = n, preferHTTPS(service[1])
			}
		}
	}
	return base, nil
}

func preferHTTPS(urls []string) string {
	i := slices.IndexFunc(urls, func(u string) bool { return strings.HasPrefix(u, "https://") })
	return urls[max(i, 0)]
}

// registration reads an RDAP domain object (RFC 9083 section 5.3).
func (r *run) registration(name string, body []byte) error {
	var domain struct {
		LDHName string
		Status  []string
		Events  []struct{ EventAction, EventDate string }
	}
	if err := json.Unmarshal(body, &domain); err != nil {
		return &verify.Trouble{Code: verify.FetchFormat, Detail: "RDAP", Err: err}
	}
	if about := strings.TrimSuffix(domain.LDHName, "."); about != "" && !strings.EqualFold(about, name) {
		return &verify.Trouble{Code: verify.FetchFormat, Detail: "RDAP: asked about " + name + ", answered about " + verify.Quote(about)}
	}
	for _, s := range domain.Status { // as RFC 8056 section 2 writes EPP's words
		switch strings.ToLower(s) {
		case "client hold", "server hold", "redemption period", "pending delete", "clienthold", "serverhold", "redemptionperiod", "pendingdelete":
			r.find(expiryHold, s)
		}
	}
	for _, e := range domain.Events {
		if e.EventAction != "expiration" {
			continue
		}
		at, err := time.Parse(time.RFC3339, e.EventDate)
		if err == nil {
			r.ends(at)
		}
	}
	return nil
}

// reminders are how long before its end a registration is warned of.
var reminders = []time.Duration{60 * 24 * time.Hour, 30 * 24 * time.Hour, 7 * 24 * time.Hour, 0}

func (r *run) ends(at time.Time) {
	r.fact("registration-ends", at.UTC().Format(time.RFC3339))
	left := at.Sub(r.t.Now)
	switch {
	case left <= 0:
		r.find(expiryPast, at.UTC().Format(time.DateOnly))
	case left <= reminders[0]:
		r.find(expirySoon, at.UTC().Format(time.DateOnly))
	}
	for _, before := range reminders {
		if moment := at.Add(-before); moment.After(r.t.Now) {
			r.out.Until = moment
			return
		}
	}
}
