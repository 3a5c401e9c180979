package directory

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// fact is something that two teams can have in common.
type fact struct {
	kind  ReasonKind
	value string
}

// subject is a team as the matcher sees it.
type subject struct {
	team  *Team
	facts []fact // sorted, each once
	role  string // "psirt", "national", "government", "military" or ""
	names []int32
}

func (s *subject) has(f fact) bool {
	_, ok := slices.BinarySearchFunc(s.facts, f, compareFacts)
	return ok
}

func compareFacts(x, y fact) int {
	return cmp.Or(strings.Compare(x.kind, y.kind), strings.Compare(x.value, y.value))
}

// shared calls yield with each fact that both lists hold.
func shared(a, b []fact, yield func(fact)) {
	for len(a) > 0 && len(b) > 0 {
		switch c := compareFacts(a[0], b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			yield(a[0])
			a, b = a[1:], b[1:]
		}
	}
}

// sharedFacts returns what two teams have in common, as a decision keeps it: a
// fact that is not among them is news.
func sharedFacts(a, b *Team) []string {
	list := []string{}
	shared(matchFacts(a), matchFacts(b), func(f fact) { list = append(list, f.kind+" "+f.value) })
	for _, x := range namesOf(a) {
		for _, y := range namesOf(b) {
			if f := foldName(x); f != "" && f == foldName(y) && !slices.Contains(list, ReasonName+" "+f) {
				list = append(list, ReasonName+" "+f)
			}
		}
	}
	slices.Sort(list)
	return list
}

// mostFacts bounds how many resources of a team are looked at: more is an
// Internet provider, whose networks say nothing about who it is.
const mostFacts = 100

// matchFacts returns what a team could share with another.
func matchFacts(t *Team) []fact {
	facts := make([]fact, 0, 8)
	add := func(kind ReasonKind, value string) { facts = append(facts, fact{kind, value}) }
	add(ReasonUUID, string(t.ID))
	for _, s := range t.Sources {
		if entered(s.Source) {
			continue
		}
		if s.ID != "" {
			add(ReasonUUID, string(s.ID))
		}
		if id, err := ParseTeamID(s.Key); err == nil && len(s.Key) == 36 {
			add(ReasonUUID, string(id))
		}
	}
	for i := range t.Keys {
		add(ReasonKey, string(t.Keys[i].Fingerprint))
	}
	domain := func(d Domain) {
		if r := d.Registrable(); r != "" && !r.IsPublicSuffix() && !commonDomain(r) {
			add(ReasonDomain, string(r))
		}
	}
	for i := range t.Contacts {
		switch c := &t.Contacts[i]; c.Channel {
		case "email":
			v := strings.ToLower(c.Value)
			add(ReasonMailbox, v)
			domain(Domain(v[strings.LastIndexByte(v, '@')+1:]))
		case "phone":
			add(ReasonPhone, c.Value)
		}
	}
	if u, err := url.Parse(t.Website); err == nil && u.Hostname() != "" {
		host := strings.ToLower(u.Hostname())
		if _, err := netip.ParseAddr(host); err != nil {
			domain(Domain(host))
		}
	}
	for i := range t.Resources[:min(len(t.Resources), mostFacts)] {
		switch r := &t.Resources[i]; r.Type {
		case "prefix", "asn":
			add(ReasonNetwork, r.Value())
		case "domain":
			domain(r.Domain)
		}
	}
	slices.SortFunc(facts, compareFacts)
	return slices.Compact(facts)
}

// mailProviders are where everybody has a mailbox, and hosts where everybody
// has a page: a domain of theirs says nothing. Those that give each customer a
// name of its own are in the public suffix list already.
var mailProviders = []string{
	"163.com", "126.com", "aol.com", "att.net", "bellsouth.net", "comcast.net", "cox.net", "daum.net", "fastmail.com", "free.fr", "googlemail.com",
	"icloud.com", "laposte.net", "libero.it", "mac.com", "mail.ru", "me.com", "msn.com", "naver.com", "orange.fr", "pm.me", "proton.me", "protonmail.com",
	"qq.com", "rediffmail.com", "rocketmail.com", "sbcglobal.net", "seznam.cz", "sina.com", "t-online.de", "tuta.io", "tutanota.com", "verizon.net",
	"wanadoo.fr", "web.de", "wp.pl", "ymail.com", "zoho.com",
	"bitly.com", "facebook.com", "github.com", "gitlab.com", "google.com", "hackerone.com", "bugcrowd.com", "instagram.com", "intigriti.com", "linkedin.com",
	"medium.com", "office.com", "sharepoint.com", "t.me", "telegram.org", "twitter.com", "wordpress.com", "x.com", "youtube.com",
	"first.org", "trusted-introducer.org", "apcert.org", "cert.org", "enisa.europa.eu",
}

// providerLabels are providers with a domain in many countries.
var providerLabels = []string{"gmail", "gmx", "hotmail", "live", "outlook", "yahoo", "yandex"}

// commonDomain reports whether people who have nothing to do with each other
// share a registrable domain.
func commonDomain(d Domain) bool {
	label, _, _ := strings.Cut(string(d), ".")
	return slices.Contains(providerLabels, label) || slices.Contains(mailProviders, string(d))
}

// roleOf returns what a team is, where that tells it from another of the same
// country or company.
func roleOf(t *Team) string {
	has := func(w Word) bool { return slices.Contains(t.Kinds, w) }
	scope := func(w Word) bool {
		return slices.ContainsFunc(t.Designations, func(d Designation) bool { return d.Scope == w })
	}
	national, government := has("national") || scope("national"), has("government") || scope("government")
	switch {
	case has("military") || scope("military"):
		return "military"
	case national && !government:
		return "national"
	case government && !national:
		return "government"
	case has("psirt") && !has("csirt") && !has("soc"):
		return "psirt"
	}
	return ""
}

// stateRole reports whether a state has one team of this role, beside those of
// the others.
func stateRole(role string) bool {
	return role == "national" || role == "government" || role == "military"
}

// namesOf returns the names of a team that are compared.
func namesOf(t *Team) []string {
	const most = 12
	list := make([]string, 0, 4)
	for _, group := range [][]string{{t.Names.Short, t.Names.Full}, t.Names.Other, t.Names.Former} {
		for _, n := range group {
			if n != "" && len(list) < most {
				list = append(list, n)
			}
		}
	}
	return list
}
