package lab

import "strings"

// mailFaults are what is wrong with the zones and keys of teams, by handle,
// beside what is wrong with their files. Each team has one such fault at most.
func mailFaults() map[string]func(*teamMaker) error {
	all := map[string]func(*teamMaker) error{}
	for handle, f := range zoneFaults() {
		all[handle] = func(m *teamMaker) error { f(m); return nil }
	}
	for handle, f := range keyFaults() {
		all[handle] = f
	}
	return all
}

// zoneFault is a fault in one part of a zone, with the check that finds it.
func zoneFault(topic, text, check, verdict, does, why string) func(*teamMaker) {
	return func(m *teamMaker) {
		m.text[topic] = strings.ReplaceAll(text, "DOMAIN", m.domain)
		m.alsoDoes(does)
		m.expects(check, verdict, why)
	}
}

func zoneFaults() map[string]func(*teamMaker) {
	return map[string]func(*teamMaker){
		"beacon":  func(m *teamMaker) { m.unsignedZone(); m.alsoDoes("Its zone is not signed.") },
		"foundry": func(m *teamMaker) { m.zone.Sign = SignNSEC3; m.alsoDoes("Its zone is signed with NSEC3.") },
		"heron": func(m *teamMaker) {
			m.text["mx"], m.text["spf"] = "@ MX 0 .\n", txt("@", "v=spf1 -all")
			m.text["tlsa"], m.text["sts"], m.text["tlsrpt"] = "", "", ""
			m.alsoDoes("Its domain says that it takes no mail.")
			m.expects("mx", bad, "RFC 7505 section 3: a null MX, and a contact by mail.")
		},
		"inlet": func(m *teamMaker) {
			m.text["mx"] += "@ MX 20 alias\nalias CNAME mail\n"
			m.sts.Body += "mx: alias." + m.domain + "\r\n"
			m.alsoDoes("One of its mail servers is an alias.")
			m.expects("mx", warning, "RFC 2181 section 10.3: an MX leads to a name with addresses, not to an alias.")
		},
		"kiln": zoneFault("spf", txt("@", "v=spf1 mx +all"), "spf", warning,
			"Its SPF record lets anybody send.", "RFC 7208 section 5.1: +all passes everybody."),
		"lantern": zoneFault("dmarc", txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:postmaster@DOMAIN")+txt("_dmarc", "v=DMARC1; p=none"), "dmarc", bad,
			"It has two DMARC records.", "RFC 9989 section 4.10: of two records none counts."),
		"mill": func(m *teamMaker) {
			m.sts.Body = strings.Replace(m.sts.Body, "mx: mail.", "mx: old-mail.", 1)
			m.alsoDoes("Its MTA-STS policy names another mail server than its MX records.")
			m.expects("mtasts", bad, "RFC 8461 section 4.1: senders deliver nothing to a server that the policy does not name.")
		},
		"nursery": func(m *teamMaker) {
			m.stsAs = CertWrongName
			m.alsoDoes("Its MTA-STS policy is served with another host's certificate.")
			m.expects("mtasts", bad, "RFC 8461 section 3.3: such a policy is not to be used.")
		},
		"oven": zoneFault("tlsa", "_25._tcp.mail TLSA 0 0 1 "+digest("oven")+"\n", "dane", bad,
			"Its only TLSA record is of a usage that mail does not know.", "RFC 7672 section 3.1.3: usages 0 and 1 can't be used."),
		"parcel": zoneFault("caa", "@ CAA 0 issue \"ca.example\"\n@ CAA 0 iodef \"mailto:someone-else@DOMAIN\"\n", "caa", warning,
			"Its CAA record names another mailbox for incidents.", "The directory and the CAA record disagree about where to write to."),
		"sawmill": func(m *teamMaker) {
			m.rdap.Expires = m.now.AddDate(0, 0, 20)
			m.alsoDoes("Its domain's registration ends in twenty days.")
			m.expects("expiry", warning, "Whoever registers it next gets the team's mail.")
		},
		"tannery": func(m *teamMaker) {
			m.rdap.Status = []string{"client hold"}
			m.alsoDoes("Its registrar has put its domain on hold.")
			m.expects("expiry", bad, "A domain on hold goes out of the DNS.")
		},
		"viaduct": func(m *teamMaker) {
			m.zone.Servers = []string{"ns1.hoster.example."}
			m.alsoDoes("It has one name server.")
			m.expects("nameserver", warning, "RFC 2182 section 5: at least two.")
		},
		"weir": func(m *teamMaker) {
			m.zone.Servers, m.zone.Parent = []string{"ns1.hoster.example."}, nil
			m.zone.Lame = []string{"lame.hoster.example."}
			m.alsoDoes("One of its two name servers refuses all questions.")
			m.expects("nameserver", warning, "A server that is delegated to and does not know the zone.")
		},
		"yarrow": func(m *teamMaker) {
			m.zone.Servers = []string{"ns1.hoster.example.", "ns3.hoster.example."}
			m.zone.Parent = []string{"ns1.hoster.example.", "ns2.hoster.example."}
			m.alsoDoes("Its parent zone names other servers than its zone.")
			m.expects("nameserver", warning, "RFC 1034 section 4.2.2: both lists are to be the same.")
		},
		"saltworks": zoneFault("more", "* TXT \"hello\"\n* A 127.80.0.99\n", "wildcard", warning,
			"Every name below its domain exists.", "RFC 4592: a record at an underscore name proves nothing there."),
		"courier": func(m *teamMaker) {
			m.zone.Sign = SignSoon
			m.alsoDoes("The signatures of its zone end in two days.")
			m.expects("dnssec", warning, "Nobody has signed the zone again.")
		},
		"pier": zoneFault("security", txt("_security", "security_contact=mailto:nobody@DOMAIN"), "dnssecuritytxt", warning,
			"Its _security record names another mailbox.", "The directory and the record disagree about where to write to."),
		"cooper": zoneFault("tlsrpt", txt("_smtp._tls", "v=TLSRPTv1; rua=postmaster@DOMAIN"), "tlsrpt", bad,
			"Its TLS-RPT record has an address without mailto.", "RFC 8460 section 3: rua is a URI."),
		"tramway": func(m *teamMaker) {
			m.zone.Sign = SignExpired
			m.allInconclusive("Resolvers that validate see nothing of the domain.", "dnssec", "expiry")
			for _, c := range []string{"dnssec", "dane", "openpgpkey", "smimea"} { // which prove what they find by themselves
				m.expects(c, bad, "RFC 4035 section 5.3.1: the signatures ended yesterday.")
			}
		},
	}
}
