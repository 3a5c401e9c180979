package mail

import (
	"context"
	"slices"
	"strings"
)

// dmarc is a policy record, and where it stands: RFC 9989 section 4.7.
type dmarc struct {
	from       string // the domain that it was asked for
	at         string // where the record is
	policy     string // none, quarantine, reject
	strictDKIM bool
	strictSPF  bool
}

// maxTree is how many labels of a name are walked at most: RFC 9989 section 4.10.
const maxTree = 8

// findDMARC finds the policy for a domain: its own, else that of its organisation, else that of the registry
// above (section 4.10.1). nil: there is none.
func findDMARC(ctx context.Context, r Resolver, domain string) (*dmarc, error) {
	record, err := dmarcAt(ctx, r, domain)
	if record != nil || err != nil {
		return policyOf(domain, domain, record), err
	}
	names := tree(domain)
	for _, name := range names[slices.Index(names, organisation(ctx, r, domain)):] {
		if record, err = dmarcAt(ctx, r, name); record != nil || err != nil {
			return policyOf(domain, name, record), err
		}
	}
	return nil, nil
}

// policyOf reads a record that stands at a name, for a domain.
func policyOf(domain, at string, record map[string]string) *dmarc {
	if record == nil {
		return nil
	}
	p := &dmarc{from: domain, at: at, policy: record["p"], strictDKIM: record["adkim"] == "s", strictSPF: record["aspf"] == "s"}
	if sp := record["sp"]; sp != "" && at != domain {
		p.policy = sp
	}
	if record["t"] == "y" { // section 4.7: the next lower policy
		p.policy = map[string]string{"reject": "quarantine"}[p.policy]
	}
	if p.policy != "quarantine" && p.policy != "reject" {
		p.policy = "none" // section 4.7: with no valid p, as if it were none
	}
	return p
}

// tree is the names that are asked, the domain first: RFC 9989 section 4.10. Of long names, some are left out.
func tree(domain string) []string {
	labels := strings.Split(domain, ".")
	out := []string{domain}
	if len(labels) > maxTree {
		labels = labels[len(labels)-maxTree+1:]
		out = append(out, strings.Join(labels, "."))
	}
	for labels = labels[1:]; len(labels) > 0; labels = labels[1:] {
		out = append(out, strings.Join(labels, "."))
	}
	return out
}

// dmarcAt reads the record of one name. Several are none: section 4.10.1.
func dmarcAt(ctx context.Context, r Resolver, name string) (map[string]string, error) {
	texts, err := lookupTXT(ctx, r, "_dmarc."+name)
	if err != nil && !absent(err) {
		return nil, err
	}
	var found []map[string]string
	for _, t := range texts {
		if tags := dmarcTags(t); tags != nil {
			found = append(found, tags)
		}
	}
	if len(found) != 1 {
		return nil, nil
	}
	return found[0], nil
}

func dmarcTags(text string) map[string]string {
	if len(text) > 4<<10 {
		return nil
	}
	tags := map[string]string{}
	for i, t := range strings.Split(text, ";") {
		name, value, _ := strings.Cut(t, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.TrimSpace(value))
		if i == 0 && (name != "v" || value != "dmarc1") {
			return nil
		}
		if _, twice := tags[name]; !twice {
			tags[name] = value
		}
	}
	return tags
}

// aligned tells whether a domain that was authenticated speaks for the domain in From: the same one, or, relaxed,
// one of the same organisation (section 4.10.2): the highest name of its tree that has a record.
func (p *dmarc) aligned(ctx context.Context, r Resolver, domain string, strict bool) bool {
	switch {
	case domain == "":
		return false
	case domain == p.from:
		return true
	case strict:
		return false
	}
	return organisation(ctx, r, domain) == organisation(ctx, r, p.from)
}

// organisation is the highest name of a tree that has a record: section 4.10.2. A name whose record
// says psd=y is a registry's, and the one below it counts.
func organisation(ctx context.Context, r Resolver, domain string) string {
	last := domain
	names := tree(domain)
	for i, name := range names {
		record, err := dmarcAt(ctx, r, name)
		switch {
		case err != nil || record == nil:
		case record["psd"] == "n":
			return name
		case record["psd"] == "y" && i > 0:
			return names[i-1]
		default:
			last = name
		}
	}
	return last
}
