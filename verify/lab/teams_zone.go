package lab

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// beginZone makes a signed zone with all that helps mail to arrive safely.
func (m *teamMaker) beginZone() {
	d := m.domain
	m.zone = Zone{Origin: d + ".", Sign: SignNSEC}
	m.text = map[string]string{
		"mx":     "@ MX 10 mail\nmail A 127.80.0.25\nmail AAAA 2001:db8:80::25\n",
		"spf":    txt("@", "v=spf1 mx -all"),
		"dmarc":  txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:postmaster@"+d),
		"sts":    txt("_mta-sts", "v=STSv1; id=20261101"),
		"tlsrpt": txt("_smtp._tls", "v=TLSRPTv1; rua=mailto:postmaster@"+d),
		// RFC 7672 section 3.1.1: the digest of the server's public key. Nothing
		// listens at the server, so that any will do.
		"tlsa":     "_25._tcp.mail TLSA 3 1 1 " + digest(d+" mail") + "\n",
		"smimea":   hashed(m.mail, "_smimecert") + " SMIMEA 3 1 1 " + digest(m.mail+" certificate") + "\n",
		"caa":      "@ CAA 0 issue \"ca.example\"\n@ CAA 0 iodef \"mailto:" + m.mail + "\"\n",
		"security": txt("_security", "security_contact=mailto:"+m.mail) + txt("_security", "security_policy=https://"+d+"/policy"),
	}
	m.sts = Page{Body: "version: STSv1\r\nmode: enforce\r\nmx: mail." + d + "\r\nmax_age: 604800\r\n"}
	m.rdap = registration{Name: d, Status: []string{"active"}, Expires: m.now.AddDate(0, 0, 300)}
}

// txt is a TXT record as zone files write it.
func txt(name, value string) string { return fmt.Sprintf("%s TXT %q\n", name, value) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// hashed is the name of an address in its domain's zone (RFC 7929 section 3,
// RFC 8162 section 3): the local part's digest, cut to 28 octets.
func hashed(mail, label string) string {
	local, _, _ := strings.Cut(mail, "@")
	sum := sha256.Sum256([]byte(local))
	return hex.EncodeToString(sum[:28]) + "." + label
}

// unsignedZone takes the signatures away, and what means nothing without them.
func (m *teamMaker) unsignedZone() {
	m.zone.Sign = Unsigned
	m.text["tlsa"], m.text["smimea"] = "", ""
}

// publishZone puts the zone together, and the site of its MTA-STS policy.
func (m *teamMaker) publishZone() {
	for _, topic := range []string{"mx", "spf", "dmarc", "sts", "tlsrpt", "tlsa", "smimea", "caa", "security", "key", "control", "more"} {
		m.zone.Text += m.text[topic]
	}
	m.team.zones = append(m.team.zones, m.zone)
	if m.text["sts"] != "" {
		m.team.sites = append(m.team.sites, Site{Host: "mta-sts." + m.domain, Cert: m.stsAs,
			Pages: map[string]Page{"/.well-known/mta-sts.txt": m.sts}})
	}
	m.team.found.rdap = m.rdap
}

// keyRecord is the OPENPGPKEY record of the team's address: the bare key in
// base64 (RFC 7929 section 2.1).
func (m *teamMaker) keyRecord(k *pgpKey) (string, error) {
	raw, err := k.binary()
	return hashed(m.mail, "_openpgpkey") + " OPENPGPKEY " + pieces(base64.StdEncoding.EncodeToString([]byte(raw))) + "\n", err
}

// domainChecks are what the lab expects of checks of a domain, and addressChecks
// of an e-mail address, by the names of those in verify/catalog.
var (
	domainChecks = []string{"securitytxt", "domain", "mx", "spf", "dmarc", "mtasts", "tlsrpt", "dane", "caa", "dnssec", "nameserver",
		"expiry", "dnssecuritytxt", "wildcard", "domain-control"}
	addressChecks = []string{"openpgpkey", "smimea", "cert"}
)

// expectations lists what is expected of each check: "ok" but where a fault says otherwise.
func (m *teamMaker) expectations(fingerprint string) (all []Expectation) {
	add := func(check, name, subject string) {
		v, ok := m.expect[name]
		if !ok {
			v = verdict{okay, "Nothing is wrong."}
		}
		if v.verdict != "" {
			all = append(all, Expectation{Check: check, Subject: subject, Verdict: v.verdict, Why: v.why})
		}
	}
	for _, name := range domainChecks {
		add(name, name, m.domain)
	}
	for _, name := range addressChecks {
		add(name, name, m.mail)
	}
	add("pgpkey", "pgpkey", fingerprint)
	add("pgpkey-contact", "pgpkey-contact", m.mail)
	add("pgpkey-securitytxt", m.namedKey(), m.domain)
	return all
}

// namedKey is the check whose verdict is also that of the key that the security.txt
// names: that of the file while nobody can read it, else that of the key itself.
func (m *teamMaker) namedKey() string {
	if m.expect["securitytxt"].verdict == inconclusive {
		return "securitytxt"
	}
	return "pgpkey"
}

// expects notes a verdict about a check.
func (m *teamMaker) expects(check, v, why string) { m.expect[check] = verdict{v, why} }

// noOpinion takes back what is expected, where several answers are right.
func (m *teamMaker) noOpinion(checks ...string) {
	for _, c := range checks {
		m.expect[c] = verdict{}
	}
}

// alsoDoes adds to the sentence about the team.
func (m *teamMaker) alsoDoes(what string) { m.team.Does = strings.TrimSpace(m.team.Does + " " + what) }

// allInconclusive is for a zone that no resolver answers for.
func (m *teamMaker) allInconclusive(why string, but ...string) {
	for _, c := range slices.Concat(domainChecks, addressChecks) {
		if !slices.Contains(but, c) {
			m.expects(c, inconclusive, why)
		}
	}
	m.noOpinion("pgpkey-contact")
}
