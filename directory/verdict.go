package directory

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// CheckVerdict is what one check found about one thing that a team says, as
// followers were told of it last. Package verify keeps the findings behind it.
// A verdict never hides anything: what is bad is shown, and marked.
type CheckVerdict struct {
	Check   string    // its name: "securitytxt"
	Kind    Word      // of the subject, of [CheckKinds]
	Subject string    // the domain, the contact's value or the key's fingerprint
	Verdict Word      // of [CheckVerdicts]
	Since   time.Time // since when it is this one
	Checked time.Time // when it was last told that it still is; zero: the check came to no conclusion
}

// CheckKinds are what checks look at.
var CheckKinds = []Word{"domain", "contact", "key"}

// CheckVerdicts are what checks come to, the worst first. Inconclusive is nobody's
// defect: the check could not ask, or not for too long.
var CheckVerdicts = []Word{"error", "warning", "inconclusive", "ok"}

// checkSubject is a thing that checks look at.
type checkSubject struct {
	kind Word
	id   string
}

// subjectOf takes letters for what they are in addresses, which are compared
// without regard to case.
func subjectOf(kind Word, id string) checkSubject {
	if kind == "contact" {
		id = strings.ToLower(id)
	}
	return checkSubject{kind, id}
}

// onlyOf returns the verdicts about what t names. Of the rest the team says
// nothing any more, or nothing that may be seen: that it is checked would tell.
func (t *Team) onlyOf(list []CheckVerdict) []CheckVerdict {
	if len(list) == 0 {
		return nil
	}
	named := t.CheckSubjects()
	gone := func(v CheckVerdict) bool { return !named.Has(v.Kind, v.Subject) }
	if !slices.ContainsFunc(list, gone) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), gone)
}

// CheckSubjects are things that checks look at.
type CheckSubjects map[checkSubject]bool

// Has reports whether a subject of a kind is among them.
func (s CheckSubjects) Has(kind Word, subject string) bool { return s[subjectOf(kind, subject)] }

// CheckSubjects returns the things that t names and a check can look at: its
// domains, contacts and keys, and the hosts of its addresses and pages. Of a
// team that was redacted these are those of which the viewer may be told.
func (t *Team) CheckSubjects() CheckSubjects {
	named := CheckSubjects{}
	host := func(h string) {
		if h != "" {
			named[checkSubject{"domain", h}] = true
		}
	}
	for i := range t.Resources {
		if t.Resources[i].Type == "domain" {
			named[checkSubject{"domain", string(t.Resources[i].Domain)}] = true
		}
	}
	for i := range t.Contacts {
		named[subjectOf("contact", t.Contacts[i].Value)] = true
		host(t.Contacts[i].host())
	}
	for i := range t.Keys {
		named[checkSubject{"key", string(t.Keys[i].Fingerprint)}] = true
		for _, u := range t.Keys[i].UserIDs {
			named[subjectOf("contact", u.Email)] = true
			host(string(Email(strings.ToLower(u.Email)).Domain()))
		}
	}
	host(hostOf(t.Website))
	return named
}

// host returns the domain by which a contact is reached, "" where there is none.
func (c *Contact) host() string {
	switch c.Channel {
	case "email":
		return string(Email(c.Value).Domain())
	case "url":
		return hostOf(c.Value)
	}
	return ""
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return strings.ToLower(u.Hostname())
	}
	return ""
}
