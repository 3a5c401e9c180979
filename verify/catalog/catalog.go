package catalog

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

//go:generate go run generate.go

// Config is what the checks are set up with. The zero Config is for the
// Internet as it is.
type Config struct {
	DNS  dnscheck.Config
	Keys pgpkey.Config
}

// Checks returns all checks that ship, set up for the Internet as it is.
func Checks() []verify.Check { return Config{}.Checks() }

// Checks returns all checks that ship, in the order in which reports show them.
// Each asks the DNS so much and no more, and has a second resolver confirm what
// speaks against a team ([verify.Corroborated]).
func (c Config) Checks() []verify.Check {
	if c.DNS.Memory == nil { // the chains of a domain and of its keys are the same
		c.DNS.Memory = cmp.Or(c.Keys.Memory, dnssec.NewMemory(0))
	}
	c.Keys.Memory = cmp.Or(c.Keys.Memory, c.DNS.Memory)
	var all []verify.Check
	for _, s := range c.sources() {
		for _, check := range s.checks {
			all = append(all, verify.Corroborated(check))
		}
	}
	return all
}

// Problems returns the table of findings and of network trouble: each code
// once, in order.
func Problems() []verify.Problem {
	var all []verify.Problem
	for _, s := range (Config{}).sources() {
		all = append(all, s.problems...)
		for _, c := range s.checks {
			all = append(all, c.Problems...)
		}
	}
	slices.SortStableFunc(all, func(a, b verify.Problem) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return slices.CompactFunc(all, func(a, b verify.Problem) bool { return a == b })
}

// table is the index of [Problems]. It is made once and never changed.
var table = sync.OnceValue(func() map[verify.Code]verify.Problem {
	m := map[verify.Code]verify.Problem{}
	for _, p := range Problems() {
		m[p.Code] = p
	}
	return m
})

// Find returns the row of a code, and whether there is one.
func Find(code verify.Code) (verify.Problem, bool) {
	p, ok := table()[code]
	return p, ok
}

// source is a package with checks.
type source struct {
	dir      string // below verify; "" is verify itself
	checks   []verify.Check
	problems []verify.Problem // all that the package can report, with or without a check
}

// sources lists the packages whose checks ship. A new one is one line here.
func (c Config) sources() []source {
	return []source{
		{dir: "", problems: slices.Concat(verify.NetworkProblems(), verify.TroubleProblems(), verify.DigestProblems(), verify.SourceProblems())},
		{dir: "securitytxt", checks: []verify.Check{securitytxt.Check()}, problems: securitytxt.Problems()},
		{dir: "dnscheck", checks: dnscheck.Checks(c.DNS), problems: dnscheck.Problems()},
		{dir: "pgpkey", checks: pgpkey.Checks(c.Keys), problems: pgpkey.Problems()},
	}
}
