package directory

import (
	"net/netip"
	"slices"
	"strings"
)

// Lookup answers q in a, whose memory is used again; for an address it
// allocates nothing once a has grown.
//
// All rungs of the ladder that the query's kind has are tried, from the most
// specific down, so that the answer holds the first team that can be asked and
// every fallback behind it. Each rung that names a contact not named before
// takes the next rank. A rung that finds several teams lists all of them in
// one rank: nothing is chosen for the asker, unless a government numbered its
// teams, or a claim to a resource is confirmed and another is not.
//
// What the viewer may not see is left out in two ways. A resource, key or
// mailbox that is hidden has never been found: that a team has it is the
// secret. A hidden contact of a team that is found leaves the team in its
// rank, without contact and marked as withheld, so that people know whom to
// ask. Status speaks of the first rank in which a contact can be seen, and
// only when there is none of the first rank at all.
func (x *Index) Lookup(q Query, ask Ask, a *Answer) {
	a.Query, a.Status, a.Err, a.Incomplete, a.Seq = q, StatusUnavailable, nil, false, 0
	a.Candidates, a.Trace = a.Candidates[:0], a.Trace[:0]
	if x == nil {
		a.Err = &Error{Kind: Unavailable, Op: "look up"}
		return
	}
	a.Seq = x.seq
	c := climb{x: x, ask: &ask, a: a, use: useNumber(ask.Use), today: dayNumber(ask.Now)}
	switch q.Kind {
	case KindIP:
		c.address(netip.PrefixFrom(q.Addr, q.Addr.BitLen()))
	case KindCIDR:
		c.address(q.Prefix)
	case KindASN:
		c.network(q.ASN)
	case KindDomain, KindURL, KindEmail:
		c.name(&q)
	case KindCountry:
		c.nation(q.Country)
		c.lastResort()
	case KindFingerprint:
		c.key(q.Fingerprint)
	case KindTeam:
		c.team(q.Name)
	default:
		a.Err = &Error{Kind: Invalid, Op: "look up", Subject: string(q.Kind)}
		return
	}
	a.Status = a.judge()
}

// judge derives the status from the candidates.
func (a *Answer) judge() Status {
	if len(a.Candidates) == 0 {
		return StatusNone
	}
	first := &a.Candidates[0]
	for i := range a.Candidates {
		if a.Candidates[i].Contact != nil {
			first = &a.Candidates[i]
			break
		}
	}
	if first.Near {
		return StatusAmbiguous
	}
	for i := range a.Candidates {
		if c := &a.Candidates[i]; c.Rank == first.Rank && c.Team != first.Team {
			return StatusAmbiguous
		}
	}
	return StatusMatch
}

// climb is one lookup under way. It lives on the stack of Lookup.
type climb struct {
	x     *Index
	ask   *Ask
	a     *Answer
	use   int
	today int32
	rank  int // the last one given
}

func (c *climb) trace(s Step) { c.a.Trace = append(c.a.Trace, s) }

// address climbs from an address or prefix, which is one of full length.
func (c *climb) address(p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	subject := Subject{Prefix: p}
	c.prefixes(subject)
	hit, networks := c.origins(subject)
	country := c.countryOf(subject, c.x.country)
	for i := 0; country == "" && i < networks; i++ {
		country = c.countryOfASN(c.origin(hit, i))
	}
	c.nation(country)
	c.lastResort()
}

// prefixes tries the teams' own prefixes that cover the subject, the most
// specific first.
func (c *climb) prefixes(s Subject) {
	found := false
	for q := s.Prefix; ; {
		p, list, ok := c.x.prefixes.LookupPrefixLPM(q)
		if !ok {
			break
		}
		found = c.holders(RungPrefix, s, Subject{Prefix: p}, list) || found
		if p.Bits() == 0 {
			break
		}
		q = netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked()
	}
	if !found {
		c.trace(Step{Rung: RungPrefix, Result: StepNone, Subject: s})
	}
}

// origins finds the networks that originate the subject's address space, and
// how many they are, and asks for each of them.
func (c *climb) origins(s Subject) (rangeHit, int) {
	t := c.x.origin
	if !t.loaded() {
		c.notLoaded(RungASN, s)
		return rangeHit{}, 0
	}
	h, p, ok := t.prefix(s.Prefix)
	if !ok {
		c.trace(Step{Rung: RungASN, Result: StepNone, Subject: s, Set: t.source()})
		return h, 0
	}
	n := 1
	if h.list {
		n = len(t.lists[h.value])
	}
	for i := range n {
		asn := c.origin(h, i)
		c.trace(Step{Rung: RungASN, Result: StepMapped, Subject: s, Found: Subject{Prefix: p, ASN: asn}, Set: &t.sets[h.set]})
		c.ownASN(asn)
	}
	return h, n
}

func (c *climb) origin(h rangeHit, i int) ASN {
	if h.list {
		return c.x.origin.lists[h.value][i]
	}
	return ASN(h.value)
}

func (c *climb) ownASN(n ASN) {
	s := Subject{ASN: n}
	list, _ := c.x.asns.get(n)
	if !c.holders(RungASN, s, s, list) {
		c.trace(Step{Rung: RungASN, Result: StepNone, Subject: s})
	}
}

// network climbs from an AS number.
func (c *climb) network(n ASN) {
	c.ownASN(n)
	c.nation(c.countryOfASN(n))
	c.lastResort()
}

func (c *climb) countryOf(s Subject, t *ReferenceTable) Country {
	if !t.loaded() {
		c.notLoaded(RungCountry, s)
		return ""
	}
	h, p, ok := t.prefix(s.Prefix)
	if !ok {
		c.trace(Step{Rung: RungCountry, Result: StepNone, Subject: s, Set: t.source()})
		return ""
	}
	country := countryAt(h.value)
	c.trace(Step{Rung: RungCountry, Result: StepMapped, Subject: s, Found: Subject{Prefix: p, Country: country}, Set: &t.sets[h.set]})
	return country
}

func (c *climb) countryOfASN(n ASN) Country {
	t, s := c.x.asnCountry, Subject{ASN: n}
	if !t.loaded() {
		c.notLoaded(RungCountry, s)
		return ""
	}
	h, ok := t.number(n)
	if !ok {
		c.trace(Step{Rung: RungCountry, Result: StepNone, Subject: s, Set: t.source()})
		return ""
	}
	country := countryAt(h.value)
	c.trace(Step{Rung: RungCountry, Result: StepMapped, Subject: s, Found: Subject{Country: country}, Set: &t.sets[h.set]})
	return country
}

func (c *climb) notLoaded(r Rung, s Subject) {
	c.a.Incomplete = true
	c.trace(Step{Rung: r, Result: StepNotLoaded, Subject: s})
}

// name climbs from a domain, a URL or a mail address.
func (c *climb) name(q *Query) {
	if q.Addr.IsValid() { // a URL whose host is an address
		c.address(netip.PrefixFrom(q.Addr, q.Addr.BitLen()))
		return
	}
	if q.Kind == KindEmail {
		c.mailbox(q.Email)
	}
	holder := c.domains(q.Domain)
	if q.Kind == KindDomain {
		c.namedLike(q.Domain)
	}
	c.nation(c.countryOfDomain(q.Domain, holder))
	c.lastResort()
}

// mailbox tries the address as a contact of a team.
func (c *climb) mailbox(e Email) {
	key := e.Key()
	s := Subject{Text: string(e)}
	list, _ := c.x.mailboxes.get(key)
	if !c.holders(RungMailbox, s, Subject{Text: key}, list) {
		c.trace(Step{Rung: RungMailbox, Result: StepNone, Subject: s})
	}
}

// domains walks from the name itself up, label by label. Only names that a
// team lists match, so a public suffix answers where a team really lists it.
// It returns the country of the most specific holder; of several holders only
// the one they share.
func (c *climb) domains(d Domain) Country {
	s, found, country := Subject{Text: string(d)}, false, Country("")
	for name := d; name != ""; name = name.Parent() {
		list, ok := c.x.domains.get(name)
		if !ok || !c.holders(RungDomain, s, Subject{Text: string(name)}, list) {
			continue
		}
		if !found {
			country = c.sharedCountry(list)
		}
		found = true
	}
	if !found {
		c.trace(Step{Rung: RungDomain, Result: StepNone, Subject: s})
	}
	return country
}

func (c *climb) sharedCountry(list []holder) Country {
	var country Country
	for i := range list {
		switch h := &list[i]; {
		case !c.admits(RungDomain, list, i):
		case country != "" && country != h.team.Country:
			return ""
		default:
			country = h.team.Country
		}
	}
	return country
}

// countryOfDomain is the country of the team that holds the name, since it is
// known who that is; else the one whose top-level domain the name is in.
func (c *climb) countryOfDomain(d Domain, holder Country) Country {
	s := Subject{Text: string(d)}
	country := holder
	if country == "" {
		country, _ = countryOfTLD(d.TLD())
	}
	if country == "" {
		c.trace(Step{Rung: RungCountry, Result: StepNone, Subject: s})
		return ""
	}
	c.trace(Step{Rung: RungCountry, Result: StepMapped, Subject: s, Found: Subject{Country: country}})
	return country
}

// nation tries the teams responsible for all of a country, then those that its
// government designated.
func (c *climb) nation(country Country) {
	if country == "" {
		return
	}
	s := Subject{Country: country}
	if !c.holders(RungCountry, s, s, c.x.countries.get(country)) {
		c.trace(Step{Rung: RungCountry, Result: StepNone, Subject: s})
	}
	if !c.holders(RungNational, s, s, c.x.nations.get(country)) {
		c.trace(Step{Rung: RungNational, Result: StepNone, Subject: s})
	}
}

func (c *climb) lastResort() {
	if e := c.x.last; e != nil {
		list := [1]holder{{entry: e}}
		c.holders(RungLastResort, Subject{}, Subject{}, list[:])
	}
}

// key tries an OpenPGP fingerprint. Who has a key is not a matter of where it
// was seen, so there is no fallback.
func (c *climb) key(f Fingerprint) {
	s := Subject{Text: string(f)}
	list, _ := c.x.fingerprints.get(f)
	if !c.holders(RungFingerprint, s, s, list) {
		c.trace(Step{Rung: RungFingerprint, Result: StepNone, Subject: s})
	}
}

// team tries a handle, an id, the names, and last what looks like the name.
func (c *climb) team(name string) {
	if c.handle(strings.ToLower(name)) || c.named(name) {
		return
	}
	s := Subject{Text: name}
	var near []nearName
	if !c.ask.Exact {
		near = c.x.lookalikes(foldName(name))
	}
	if len(near) == 0 {
		c.trace(Step{Rung: RungTeam, Result: StepNone, Subject: s, Exact: c.ask.Exact})
		return
	}
	c.trace(Step{Rung: RungTeam, Result: StepNear, Subject: s, Count: len(near)})
	c.rank++
	for _, n := range near {
		holders, _ := c.x.names.get(n.name)
		for _, h := range holders {
			if len(c.a.Candidates) < maxNear {
				c.nearCandidate(h, n.name)
			}
		}
	}
}

// handle tries an exact handle or id; that of a merged team leads to the team
// it became part of.
func (c *climb) handle(name string) bool {
	id, ok := c.x.handles.get(Handle(name))
	if !ok {
		id = TeamID(name)
	}
	e := c.x.resolve(id)
	if e == nil {
		return false
	}
	s := Subject{Text: name}
	if e.team.ID != id {
		c.trace(Step{Rung: RungTeam, Result: StepMapped, Subject: s, Found: Subject{Text: string(e.team.Handle)}, Team: e.team})
	}
	list := [1]holder{{entry: e}}
	return c.holders(RungTeam, s, Subject{Text: string(e.team.Handle)}, list[:])
}

// namedLike tries the teams that are called like the domain, as CERT.at is, if
// they also list a mailbox in it: a name alone is anybody's to choose.
func (c *climb) namedLike(d Domain) {
	all, _ := c.x.names.get(foldName(string(d)))
	var list []holder
	for _, h := range all {
		if slices.ContainsFunc(h.team.Contacts, func(x Contact) bool {
			return x.Channel == "email" && Email(x.Value).Domain().Registrable() == d.Registrable()
		}) {
			list = append(list, h)
		}
	}
	if len(list) > 0 {
		s := Subject{Text: string(d)}
		c.holders(RungTeam, s, s, list)
	}
}

// named tries the names that teams have or had, in any spelling.
func (c *climb) named(name string) bool {
	list, ok := c.x.names.get(foldName(name))
	s := Subject{Text: name}
	return ok && c.holders(RungTeam, s, s, list)
}
