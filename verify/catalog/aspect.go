package catalog

import "github.com/rollcall-csirt/rollcall/verify"

// Aspect is a group in which results are shown.
type Aspect string

// The aspects.
const (
	SecurityTxt Aspect = "securitytxt"
	DNS         Aspect = "dns"  // the DNS, mail and registration of a domain
	Keys        Aspect = "keys" // keys, and where they are published
)

// Aspects lists the aspects in the order in which to show them.
func Aspects() []Aspect { return []Aspect{SecurityTxt, DNS, Keys} }

// AspectOf returns the aspect of each check that ships, by name.
func AspectOf() map[string]Aspect {
	byDir := map[string]Aspect{"securitytxt": SecurityTxt, "dnscheck": DNS, "pgpkey": Keys}
	list := map[string]Aspect{}
	for _, s := range (Config{}).sources() {
		for _, c := range s.checks {
			list[c.Name] = byDir[s.dir]
		}
	}
	return list
}

// AspectLike is the aspect of a check that does not ship any more, by what it
// looked at.
func AspectLike(kind verify.SubjectKind) Aspect {
	if kind == verify.SubjectDomain {
		return DNS
	}
	return Keys
}
