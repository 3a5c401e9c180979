package lab

import (
	"crypto"
	"strings"
)

// The verdicts that are expected.
const (
	okay         = "ok"
	warning      = "warning"
	bad          = "error"
	inconclusive = "inconclusive"
)

// teamPlans are the thirty teams, from the best to those that can't be reached.
func teamPlans() []teamPlan {
	return slicesOf(goodTeams(), contentTeams(), signatureTeams(), deliveryTeams(), unreachableTeams())
}

func slicesOf(lists ...[]teamPlan) (all []teamPlan) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func goodTeams() []teamPlan {
	return []teamPlan{
		{"anchor", "Anchor CSIRT", "AQ", "It serves a signed security.txt with all that the standard recommends.",
			okay, "Nothing is wrong.", nil},
		{"beacon", "Beacon CERT", "BV", "Its security.txt is not signed.",
			okay, "RFC 9116 section 2.3 recommends a signature and demands none.",
			func(m *teamMaker) error { m.serve(m.file()); return nil }},
		{"canal", "Canal Authority SOC", "HM", "Its security.txt is good for two years.",
			okay, "RFC 9116 section 2.5.5 recommends less than a year and demands nothing.",
			func(m *teamMaker) error { return m.serveSigned(with(m.file(), "Expires", "Expires: "+m.in(730))) }},
		{"dairy", "Dairy Union PSIRT", "GS", "Its security.txt has a field that nobody knows, and comments in Greek.",
			okay, "RFC 9116 section 2.4: fields that are not known are to be ignored.",
			func(m *teamMaker) error { return m.serveSigned(m.file() + "# ἀσφάλεια\nMoon-Phase: waning\n") }},
		{"foundry", "Foundry PSIRT", "TF", "It serves IPv4 only.",
			okay, "Nothing is wrong with what there is.",
			func(m *teamMaker) error { m.site.NoIPv6 = true; return nil }},
		{"granary", "Granary CERT", "AQ", "Its security.txt is good for another twenty days.",
			warning, "It ends within a month.",
			func(m *teamMaker) error { return m.serveSigned(with(m.file(), "Expires", "Expires: "+m.in(20))) }},
	}
}

func contentTeams() []teamPlan {
	edit := func(change func(m *teamMaker, file string) string) func(*teamMaker) error {
		return func(m *teamMaker) error { m.serve(change(m, m.file())); return nil }
	}
	return []teamPlan{
		{"heron", "Heron CSIRT", "BV", "Its security.txt ended forty days ago.",
			bad, "RFC 9116 section 2.5.5: what expired must not be used.",
			edit(func(m *teamMaker, f string) string { return with(f, "Expires", "Expires: "+m.in(-40)) })},
		{"inlet", "Inlet SOC", "HM", "Its security.txt has no Expires.",
			bad, "RFC 9116 section 2.5.5: Expires must be there.",
			edit(func(_ *teamMaker, f string) string { return with(f, "Expires") })},
		{"jetty", "Jetty CERT", "GS", "Its security.txt has two Expires.",
			bad, "RFC 9116 section 2.5.5: Expires must not be there more than once.",
			edit(func(m *teamMaker, f string) string {
				return with(f, "Expires", "Expires: "+m.in(200), "Expires: "+m.in(300))
			})},
		{"kiln", "Kiln PSIRT", "TF", "Its security.txt has an address without mailto.",
			bad, "RFC 9116 section 2.5.3: a contact is a URI.",
			edit(func(m *teamMaker, f string) string { return with(f, "Contact", "Contact: "+m.mail) })},
		{"lantern", "Lantern CSIRT", "AQ", "Its security.txt has the key itself in Encryption.",
			bad, "RFC 9116 section 2.5.4: the value must not be a key.",
			edit(func(_ *teamMaker, f string) string {
				return with(f, "Encryption", "Encryption: -----BEGIN PGP PUBLIC KEY BLOCK-----")
			})},
		{"mill", "Mill Street SOC", "BV", "Its security.txt names the file of another host as canonical.",
			bad, "RFC 9116 section 2.5.2: a file that its Canonical does not name is not to be trusted.",
			edit(func(_ *teamMaker, f string) string {
				return with(f, "Canonical", "Canonical: https://elsewhere.example/.well-known/security.txt")
			})},
		{"nursery", "Nursery CERT", "HM", "Its security.txt names a mailbox that its profile does not have.",
			warning, "The directory and the file disagree about where to write to.",
			edit(func(m *teamMaker, f string) string {
				return with(f, "Contact", "Contact: mailto:old-desk@"+m.domain, "Contact: https://"+m.domain+"/report")
			})},
		{"oven", "Oven PSIRT", "GS", "Its security.txt has 300,000 octets.",
			bad, "It is larger than anybody has to read (RFC 9116 section 5.4).",
			edit(func(_ *teamMaker, f string) string { return f + strings.Repeat("# and so on\n", 25_000) })},
	}
}

func signatureTeams() []teamPlan {
	return []teamPlan{
		{"parcel", "Parcel CSIRT", "TF", "Its security.txt was changed after it was signed.",
			bad, "RFC 9116 section 2.3: the signature does not hold.",
			func(m *teamMaker) error {
				text, err := m.signed(m.file())
				m.serve(strings.Replace(text, m.mail, "evil@"+m.domain, 1))
				return err
			}},
		{"quay", "Quay CERT", "AQ", "Its security.txt is signed by a key that the directory does not hold.",
			okay, "Whose signature it is can't be told; that is worth knowing and nothing worse.",
			signedBy(func(m *teamMaker) (*pgpKey, error) {
				return newPGPKey("Somebody", "else@"+m.domain, m.now.Add(-300*day), m.now.Add(300*day))
			}, false)},
		{"rookery", "Rookery SOC", "BV", "Its security.txt is signed by a key of its own that has expired.",
			bad, "The key expired a month ago.",
			signedBy(func(m *teamMaker) (*pgpKey, error) {
				return newPGPKey(m.team.Name, m.mail, m.now.Add(-400*day), m.now.Add(-30*day))
			}, true)},
		{"sawmill", "Sawmill PSIRT", "HM", "Its signed security.txt has lines before the signed part.",
			bad, "What stands before a signed message is not signed.",
			func(m *teamMaker) error {
				text, err := m.signed(m.file())
				m.serve("Contact: mailto:evil@" + m.domain + "\n" + text)
				return err
			}},
	}
}

// signedBy serves a file signed by another key, which the directory is told of or not.
func signedBy(make func(*teamMaker) (*pgpKey, error), known bool) func(*teamMaker) error {
	return func(m *teamMaker) error {
		k, err := make(m)
		if err != nil {
			return err
		}
		text, err := k.sign(m.file(), m.now.Add(-50*day), crypto.SHA512)
		m.serve(text)
		if known {
			m.key = k
		}
		return err
	}
}

func deliveryTeams() []teamPlan {
	page := func(p Page) func(*teamMaker) error {
		return func(m *teamMaker) error { m.answer(p); return nil }
	}
	return []teamPlan{
		{"tannery", "Tannery CSIRT", "GS", "It has no security.txt.",
			bad, "There is none at either place.", page(Page{Status: 404, Body: "no\n"})},
		{"viaduct", "Viaduct CERT", "TF", "Its security.txt lies at the old place only.",
			bad, "RFC 9116 section 3: it must be under /.well-known/.",
			func(m *teamMaker) error { delete(m.site.Pages, wellKnown); return nil }},
		{"weir", "Weir SOC", "AQ", "Its two places have different files.",
			warning, "RFC 9116 section 3: the one under /.well-known/ counts, and readers of the other are misled.",
			func(m *teamMaker) error {
				m.site.Pages[legacy] = Page{Body: with(m.file(), "Contact", "Contact: mailto:old@"+m.domain)}
				return nil
			}},
		{"yarrow", "Yarrow PSIRT", "BV", "It serves its security.txt as application/octet-stream.",
			bad, "RFC 9116 section 3: it must be text/plain.",
			func(m *teamMaker) error {
				m.answer(Page{Type: "application/octet-stream", Body: m.site.Pages[wellKnown].Body})
				return nil
			}},
		{"saltworks", "Saltworks CERT", "HM", "It answers every path with a page for people.",
			bad, "A page is no security.txt.", page(html("Welcome", "We value your security."))},
		{"courier", "Courier CSIRT", "GS", "Its certificate expired yesterday.",
			bad, "RFC 9116 section 5.7: it can't be told whose file it is.",
			func(m *teamMaker) error { m.site.Cert = CertExpired; return nil }},
		{"pier", "Pier SOC", "TF", "It redirects to the site of another domain.",
			warning, "Another domain decides what it publishes.",
			func(m *teamMaker) error {
				const other = "https://hosting.example/pier/security.txt"
				m.team.sites = append(m.team.sites, Site{Host: "hosting.example", Pages: map[string]Page{
					"/pier/security.txt": {Body: with(m.file(), "Canonical", "Canonical: "+other)}}})
				m.answer(redirect(other))
				return nil
			}},
		{"cooper", "Cooperage CERT", "AQ", "It redirects to an address inside its own network.",
			bad, "Nobody outside reaches that, and nobody should try.", page(redirect("https://10.20.30.40/security.txt"))},
	}
}

func unreachableTeams() []teamPlan {
	return []teamPlan{
		{"reservoir", "Reservoir CSIRT", "BV", "It answers 503 and asks for an hour.",
			inconclusive, "It is overloaded, which is nobody's defect.",
			func(m *teamMaker) error {
				m.answer(Page{Status: 503, Body: "later\n", Header: map[string]string{"Retry-After": "3600"}})
				return nil
			}},
		{"lagoon", "Lagoon SOC", "HM", "Nothing listens at its address.",
			inconclusive, "The connection is refused, today.",
			func(m *teamMaker) error { m.site.Refuse = true; return nil }},
		{"tramway", "Tramway CERT", "GS", "The signatures of its zone ended yesterday.",
			inconclusive, "SERVFAIL says nothing about the team's site.", nil},
		{"smithy", "Smithy PSIRT", "TF", "It takes connections and says nothing.",
			inconclusive, "No answer came in time.",
			func(m *teamMaker) error { m.site.Conn = silent; return nil }},
	}
}
