package verify

import (
	"slices"
	"strings"
	"time"
)

// SelectorCheck is the name of the check that looks at DKIM keys. Its targets
// have the selectors that are known of the domain.
const SelectorCheck = "dkim"

// MaxSelectors is how many selectors are known of a domain at most: the latest.
const MaxSelectors = 5

// Selector is the name of a DKIM key (RFC 6376 section 3.1) that a reply has
// shown. Selectors can't be listed by the DNS.
type Selector struct {
	Domain string    `json:"domain"` // that signed, in lower case
	Name   string    `json:"name"`   // in lower case
	Seen   time.Time `json:"seen"`   // when a valid signature by it came last
}

// Owner is the name at which the key stands (RFC 6376 section 3.6.2.1).
func (s Selector) Owner() string { return s.Name + "._domainkey." + s.Domain + "." }

// SigningDomains returns the domains whose signatures speak for mail from a
// domain: its own, and its organisation's.
//
// Against RFC 9989 section 4.10: the organisation's is that of the Public Suffix
// List and not what a walk up the tree finds, so that no answer of anybody's
// name servers decides what is learnt.
func SigningDomains(domain string) []string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	return slices.Compact([]string{domain, site(domain)})
}

// Learn returns what a valid signature by selector name of the domain signer
// teaches about mail from a domain; false where it teaches nothing: the signer is
// a stranger, or there is no such name.
func Learn(domain, signer, name string, at time.Time) (Selector, bool) {
	s := Selector{Domain: strings.ToLower(signer), Name: strings.ToLower(name), Seen: at}
	if !slices.Contains(SigningDomains(domain), s.Domain) || len(s.Owner()) > 254 {
		return Selector{}, false
	}
	for _, label := range strings.Split(s.Name, ".") { // RFC 6376 section 3.1: sub-domains of RFC 5321
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return Selector{}, false
		}
	}
	return s, true
}
