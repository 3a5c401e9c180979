package securitytxt

import (
	"path"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
)

// value judges the value of a field by what the field is for.
func (p *parser) value(f *Field, registered bool) {
	switch {
	case f.Value == "" && registered:
		if !p.reported("encryption-key-inline") {
			p.tell("value-empty", string(f.Name)+":")
		}
		return
	case f.Value == "":
		p.tell("extension-empty", string(f.Name)+":")
		return
	case !registered:
		p.extension(f)
		return
	}
	switch f.Name {
	case Contact:
		p.contact(f)
	case Expires:
		p.expires(f)
	case Encryption:
		p.encryption(f)
	case PreferredLanguages:
		p.languages(f)
	case CSAF:
		p.csaf(f)
	case BugBounty:
		p.bugBounty(f)
	default: // Acknowledgments, Canonical, Hiring, Policy: RFC 9116 sections 2.5.1, 2.5.2, 2.5.6, 2.5.7
		p.reference(f)
	}
}

// reported reports whether the line that is being read has a finding.
func (p *parser) reported(name string) bool {
	if len(p.findings) == 0 {
		return false
	}
	last := p.findings[len(p.findings)-1]
	return last.Line == p.line && last.Code == verify.Code(area+name)
}

// extension looks at a field that is not registered. RFC 9116 section 2.4: it is
// no error, and readers MUST ignore it.
func (p *parser) extension(f *Field) {
	switch {
	case strings.EqualFold(string(f.Name), "Product-Security"), strings.EqualFold(string(f.Name), "Product-Security-Policy"):
		p.tell("field-draft", string(f.Name))
	default:
		if meant := closest(string(f.Name)); meant != "" {
			p.tellRight("field-typo", string(f.Name), string(meant))
			return
		}
		p.tell("field-unknown", string(f.Name))
	}
}

// closest returns the registered name that differs from a name in one or two
// letters, "" when there is none.
func closest(name string) Name {
	best, least := Name(""), 3
	for _, n := range Names() {
		limit := min(2, len(n)/3)
		if d := distance(strings.ToLower(name), strings.ToLower(string(n)), limit); d <= limit && d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out or changed to make
// b of a (Levenshtein); more than limit is any number above it.
func distance(a, b string, limit int) int {
	if len(a) > len(b)+limit || len(b) > len(a)+limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := corner
			if a[i-1] != b[j-1] {
				change++
			}
			corner = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// csaf judges the URL of a CSAF provider. CSAF 2.0 section 7.1.8: the field names
// the provider-metadata.json, by https.
func (p *parser) csaf(f *Field) {
	u, ok := p.reference(f)
	if ok && path.Base(u.path()) != "provider-metadata.json" {
		p.tell("csaf-file", f.Value)
	}
}

func (p *parser) bugBounty(f *Field) {
	switch {
	case f.Value == "True", f.Value == "False":
	case strings.EqualFold(f.Value, "true"), strings.EqualFold(f.Value, "yes"):
		p.tellRight("bug-bounty-value", f.Value, "True")
	case strings.EqualFold(f.Value, "false"), strings.EqualFold(f.Value, "no"):
		p.tellRight("bug-bounty-value", f.Value, "False")
	default:
		p.tell("bug-bounty-value", f.Value)
	}
}
