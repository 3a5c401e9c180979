package lab

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Team is an invented team: what a directory would hold of it, and what is to
// be expected when its claims are checked.
type Team struct {
	Handle   string
	Name     string
	Country  string // ISO 3166; the countries are those of nobody
	Domain   string
	Website  string
	Contacts []Contact
	Keys     []Key
	Control  Control
	// Does says in a sentence or two what its site, its zone and its keys do.
	Does   string
	Manner Manner // what it does about mails that ask whether it answers
	Expect []Expectation

	sites  []Site
	zones  []Zone
	found  registered
	secret *pgpKey
}

// Contact is one way to reach a team.
type Contact struct {
	Channel string // "email", "url"
	Value   string
	Uses    []string
}

// Expectation is what a check is to conclude about a team. Where there is none,
// the lab has no opinion.
type Expectation struct {
	Check   string // as "securitytxt"
	Subject string // a domain, an e-mail address, a fingerprint
	Verdict string // "ok", "warning", "error", "inconclusive"
	Why     string // in a sentence
}

// Expected is what a check should conclude about a subject of the team, "" if
// the lab has no opinion.
func (t *Team) Expected(check, subject string) string {
	for _, e := range t.Expect {
		if e.Check == check && e.Subject == subject {
			return e.Verdict
		}
	}
	return ""
}

// teamPlan is one row of the list of teams.
type teamPlan struct {
	handle, name, country string
	does                  string
	verdict, why          string // of the check of security.txt
	build                 func(*teamMaker) error
}

// teamMaker builds what there is of a team. It begins with a good one.
type teamMaker struct {
	now    time.Time
	domain string
	mail   string
	team   *Team
	site   Site

	key    *pgpKey            // of the profile, and wherever no other is named
	inWKD  *pgpKey            // nil: key
	inDNS  *pgpKey            // nil: key
	expect map[string]verdict // by check, where it is not "ok"; "" is no opinion

	zone  Zone
	text  map[string]string // parts of the zone by topic
	rdap  registration
	sts   Page // the policy of MTA-STS
	stsAs Cert // the certificate it is served with
}

type verdict struct{ verdict, why string }

const (
	wellKnown = "/.well-known/security.txt"
	legacy    = "/security.txt"
)

func makeTeams(now time.Time) ([]Team, error) {
	var all []Team
	for _, p := range teamPlans() {
		t, err := p.make(now)
		if err != nil {
			return nil, fmt.Errorf("team %s: %w", p.handle, err)
		}
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Team) int { return strings.Compare(a.Handle, b.Handle) })
	return all, nil
}

func (p *teamPlan) make(now time.Time) (*Team, error) {
	m := &teamMaker{now: now, domain: p.handle + ".example", expect: map[string]verdict{}}
	m.mail = "csirt@" + m.domain
	m.team = &Team{Handle: p.handle, Name: p.name, Country: p.country, Domain: m.domain, Website: "https://" + m.domain + "/", Does: p.does,
		Contacts: []Contact{
			{Channel: "email", Value: m.mail, Uses: []string{"general", "abuse", "vulnerability"}},
			{Channel: "url", Value: "https://" + m.domain + "/report", Uses: []string{"vulnerability"}},
		}}
	if err := m.begin(); err != nil {
		return nil, err
	}
	m.expect["securitytxt"] = verdict{p.verdict, p.why}
	if p.build != nil {
		if err := p.build(m); err != nil {
			return nil, err
		}
	}
	if change := mailFaults()[p.handle]; change != nil {
		if err := change(m); err != nil {
			return nil, err
		}
	}
	if change := controlFaults()[p.handle]; change != nil {
		change(m)
	}
	return m.team, m.finish()
}

// begin makes a site, a zone and a key with which all is right.
func (m *teamMaker) begin() (err error) {
	if m.key, err = newPGPKey(m.team.Name, m.mail, m.now.Add(-400*day), m.now.Add(700*day)); err != nil {
		return err
	}
	m.site = Site{Host: m.domain, What: m.team.Does, Pages: map[string]Page{
		"/":       html(m.team.Name, "We are here."),
		"/report": html("Report", "Write to "+m.mail+"."),
		"/policy": html("Policy", "We answer within a day and harm nobody."),
	}}
	m.beginZone()
	m.beginControl()
	signed, err := m.signed(m.file())
	m.serve(signed)
	return err
}

// finish publishes what was decided.
func (m *teamMaker) finish() error {
	public, err := m.key.public()
	if err != nil {
		return err
	}
	m.team.Keys, m.team.secret = []Key{public}, m.key
	if m.team.Manner = manners()[m.team.Handle]; m.team.Manner == "" {
		m.team.Manner = Signs
	}
	m.site.Pages["/key.asc"] = Page{Type: "application/pgp-keys", Body: public.Armor}
	if err := m.publishKeys(public); err != nil {
		return err
	}
	m.publishZone()
	m.team.sites = append(m.team.sites, m.site)
	m.team.Expect = m.expectations(public.Fingerprint)
	return nil
}

// file is a security.txt with all that the standard recommends (RFC 9116).
func (m *teamMaker) file() string {
	return fmt.Sprintf(`# Contacts of %[1]s
Contact: mailto:%[2]s
Contact: https://%[3]s/report
Expires: %[4]s
Encryption: https://%[3]s/key.asc
Preferred-Languages: en
Canonical: https://%[3]s/.well-known/security.txt
Policy: https://%[3]s/policy
`, m.team.Name, m.mail, m.domain, m.in(200))
}

// in is the time some days from now as files write it (RFC 3339).
func (m *teamMaker) in(days int) string { return m.now.AddDate(0, 0, days).Format(time.RFC3339) }

// with returns a file in which the fields of a name are replaced by other
// lines; without any they are gone.
func with(file, name string, lines ...string) string {
	var out []string
	for line := range strings.Lines(file) {
		if !strings.HasPrefix(line, name+":") {
			out = append(out, line)
			continue
		}
		for _, l := range lines {
			out = append(out, l+"\n")
		}
		lines = nil
	}
	return strings.Join(out, "")
}

// signed signs a file with the team's key ten days ago.
func (m *teamMaker) signed(file string) (string, error) {
	return m.key.sign(file, m.now.Add(-10*day), crypto.SHA512)
}

// serve puts a file at both places.
func (m *teamMaker) serve(file string) {
	m.site.Pages[wellKnown] = Page{Body: file}
	m.site.Pages[legacy] = Page{Body: file}
}

// serveSigned serves a file signed by the team's key.
func (m *teamMaker) serveSigned(file string) error {
	text, err := m.signed(file)
	m.serve(text)
	return err
}

// answer puts a page at both places.
func (m *teamMaker) answer(p Page) {
	m.site.Pages[wellKnown], m.site.Pages[legacy] = p, p
}
