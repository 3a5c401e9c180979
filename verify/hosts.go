package verify

import (
	"net/url"
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Hosts returns the hosts of a team that should have a security.txt: the domains that the team is
// responsible for, unless somebody disputes it, and the host of its website. RFC 9116 section 3.1: each
// file speaks for one host and for none above or below it.
func Hosts(t *directory.Team) []Subject {
	var out []Subject
	add := func(d directory.Domain) {
		s := Subject{Kind: SubjectDomain, ID: string(d)}
		if d.Parent() != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, r := range t.Resources {
		if r.Type == "domain" && r.Claim != "disputed" {
			add(r.Domain)
		}
	}
	if u, err := url.Parse(t.Website); err == nil && u.Host != "" {
		if d, err := directory.ParseDomain(u.Hostname()); err == nil {
			add(d)
		}
	}
	return out
}
