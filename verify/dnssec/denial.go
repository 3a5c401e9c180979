package dnssec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// denial is the proof of non-existence that one answer carries: its NSEC and
// NSEC3 records whose signatures verify.
type denial struct {
	zone  string
	nsec  []*dns.NSEC
	nsec3 []*dns.NSEC3
	sigs  []*dns.RRSIG
	heavy bool   // NSEC3 with more iterations than we compute
	fault string // why records were passed over
}

// cutKind is what a denial of DS records means.
type cutKind int

const (
	unproven     cutKind = iota
	unsigned             // a delegation without DS: the zone below is insecure
	noDelegation         // a name within the zone
	nothing              // no such name, and none below it
)

// denials verifies what the authority section has, each set of records once.
func (v *Validator) denials(z *zone, m *dns.Msg) (*denial, error) {
	d := &denial{zone: z.name, fault: "no proof that it does not exist"}
	done := map[dns.Question]bool{} // by owner and type
	seen := 0
	for _, rr := range m.Ns {
		h := rr.Header()
		if h.Rrtype != dns.TypeNSEC && h.Rrtype != dns.TypeNSEC3 || h.Class != dns.ClassINET || !dns.IsSubDomain(z.name, h.Name) {
			continue
		}
		if seen++; seen > maxDenials {
			return nil, ErrWork
		}
		owner := dns.CanonicalName(h.Name)
		set := dns.Question{Name: owner, Qtype: h.Rrtype}
		if done[set] {
			continue
		}
		done[set] = true
		rrs := pick(m.Ns, owner, h.Rrtype)
		sig, reason, err := v.verify(z, rrs, signatures(m.Ns, owner))
		if err != nil {
			return nil, err
		}
		if sig == nil {
			d.fault = owner + " " + dns.TypeToString[h.Rrtype] + ": " + reason
			continue
		}
		for _, rr := range rrs { // those that were verified, and no other
			d.add(rr, sig)
		}
	}
	return d, nil
}

// add takes in one verified record. A record that a wildcard gave proves nothing
// about its own owner's neighbours (RFC 4035 section 5.4).
func (d *denial) add(rr dns.RR, sig *dns.RRSIG) {
	owner := dns.CanonicalName(rr.Header().Name)
	if int(sig.Labels) < dns.CountLabel(owner) && !isWildcard(owner, int(sig.Labels)) {
		d.fault = owner + ": an NSEC record made from a wildcard"
		return
	}
	d.sigs = append(d.sigs, sig)
	switch rr := rr.(type) {
	case *dns.NSEC:
		d.nsec = append(d.nsec, rr)
	case *dns.NSEC3:
		switch {
		case rr.Iterations > maxIterations:
			d.heavy = true
		case rr.Hash == dns.SHA1 && rr.Flags&^1 == 0: // RFC 5155 section 8.2
			d.nsec3 = append(d.nsec3, rr)
		}
	}
}

const tooHeavy = "NSEC3 with more iterations than a validator must compute (RFC 9276 section 3.2)"

// noData proves that name has no records of a type.
func (d *denial) noData(name string, qtype uint16) (Status, string) {
	switch {
	case d.heavy:
		return Insecure, tooHeavy
	case d.matchNSEC(name) != nil:
		return lacks(d.matchNSEC(name).TypeBitMap, qtype, name)
	case d.emptyBelow(name):
		return Secure, ""
	case d.match3(name) != nil:
		return lacks(d.match3(name).TypeBitMap, qtype, name)
	}
	if ce, ok := d.encloser(name); ok { // RFC 4035 section 3.1.3.4: the wildcard lacks it too
		if w := d.matchNSEC(wild(ce)); w != nil {
			return lacks(w.TypeBitMap, qtype, name)
		}
	}
	ce, closer, ok := d.encloser3(name)
	if ok && closer.Flags&1 != 0 && qtype == dns.TypeDS {
		return Insecure, "opt-out" // RFC 5155 section 8.6
	}
	if w := d.match3(wild(ce)); ok && w != nil { // RFC 5155 section 8.7
		return lacks(w.TypeBitMap, qtype, name)
	}
	return Bogus, name + ": " + d.fault
}

// noName proves that name does not exist, nor a wildcard that would give it.
func (d *denial) noName(name string) (Status, string) {
	if d.heavy {
		return Insecure, tooHeavy
	}
	if ce, ok := d.encloser(name); ok && d.coverNSEC(wild(ce)) != nil {
		return Secure, ""
	}
	ce, closer, ok := d.encloser3(name)
	if ok && d.cover3(wild(ce)) != nil { // RFC 5155 section 8.4
		if closer.Flags&1 != 0 {
			return Insecure, name + " lies in a span of names without signatures (opt-out)"
		}
		return Secure, ""
	}
	return Bogus, name + ": " + d.fault
}

// noCloser proves that no name closer to owner exists than the wildcard that
// gave it, whose signature counts labels (RFC 4035 section 5.3.4, RFC 5155 section
// 8.8): the closest one that exists must be the wildcard's own, and owner must not
// be one without records.
func (d *denial) noCloser(owner string, labels int) (Status, string) {
	if d.heavy {
		return Insecure, tooHeavy
	}
	if ce, ok := d.encloser(owner); ok && ce == tail(owner, labels) {
		return Secure, ""
	}
	switch c := d.cover3(tail(owner, labels+1)); {
	case c != nil && c.Flags&1 != 0:
		return Insecure, "opt-out"
	case c != nil:
		return Secure, ""
	}
	return Bogus, owner + ": a wildcard's answer without proof that no closer name exists"
}

// noDS reads what the absence of DS records at child means.
func (d *denial) noDS(child string) (cutKind, string) {
	var types []uint16
	switch n, n3 := d.matchNSEC(child), d.match3(child); {
	case d.heavy:
		return unsigned, tooHeavy
	case n != nil:
		types = n.TypeBitMap
	case n3 != nil:
		types = n3.TypeBitMap
	default:
		return d.noDSBetween(child)
	}
	switch {
	case slices.Contains(types, dns.TypeDS):
		return unproven, "said not to exist by a record that says it does"
	case slices.Contains(types, dns.TypeSOA): // RFC 6840 section 4.1: the child's own record
		return unproven, "denied by the zone below instead of the one above"
	case slices.Contains(types, dns.TypeNS):
		return unsigned, "proven by " + d.zone
	}
	return noDelegation, ""
}

func (d *denial) noDSBetween(child string) (cutKind, string) {
	if d.emptyBelow(child) {
		return noDelegation, ""
	}
	if d.coverNSEC(child) != nil {
		return nothing, ""
	}
	switch _, closer, ok := d.encloser3(child); {
	case ok && closer.Flags&1 != 0:
		return unsigned, "opt-out" // RFC 5155 section 9.2
	case ok:
		return nothing, ""
	}
	return unproven, d.fault
}

// lacks reads a bitmap of types: the record must lie on the right side of a cut.
func lacks(types []uint16, qtype uint16, name string) (Status, string) {
	has := func(t uint16) bool { return slices.Contains(types, t) }
	switch {
	case has(qtype) || has(dns.TypeCNAME):
		return Bogus, name + ": said not to exist by a record that says it does"
	case qtype == dns.TypeDS && has(dns.TypeSOA) && name != ".", qtype != dns.TypeDS && has(dns.TypeNS) && !has(dns.TypeSOA):
		return Bogus, name + ": denied from the wrong side of a zone cut" // RFC 6840 section 4.1
	}
	return Secure, ""
}

// delegates reports whether a record's owner is a cut or an alias of a whole
// tree, about whose insides it may say nothing (RFC 6840 section 4.1).
func delegates(types []uint16) bool {
	has := func(t uint16) bool { return slices.Contains(types, t) }
	return has(dns.TypeNS) && !has(dns.TypeSOA) || has(dns.TypeDNAME)
}

func (d *denial) matchNSEC(name string) *dns.NSEC {
	for _, n := range d.nsec {
		if dns.CanonicalName(n.Hdr.Name) == name {
			return n
		}
	}
	return nil
}

// coverNSEC returns the record in whose span name lies.
func (d *denial) coverNSEC(name string) *dns.NSEC {
	for _, n := range d.nsec {
		owner, next := dns.CanonicalName(n.Hdr.Name), dns.CanonicalName(n.NextDomain)
		if dns.IsSubDomain(owner, name) && owner != name && delegates(n.TypeBitMap) {
			continue
		}
		last := next == d.zone // the span that ends the zone
		if dns.IsSubDomain(d.zone, name) && less(owner, name) && (last || less(name, next)) {
			return n
		}
	}
	return nil
}

// emptyBelow proves that name exists with no records of its own: the next name
// lies below it (RFC 4592 section 2.2.2).
func (d *denial) emptyBelow(name string) bool {
	n := d.coverNSEC(name)
	return n != nil && dns.IsSubDomain(name, n.NextDomain)
}

// encloser returns the closest name above name that exists, by the record that
// covers name.
func (d *denial) encloser(name string) (string, bool) {
	n := d.coverNSEC(name)
	if n == nil || d.emptyBelow(name) {
		return "", false
	}
	most := max(dns.CompareDomainName(name, n.Hdr.Name), dns.CompareDomainName(name, n.NextDomain))
	return tail(name, most), true
}

func (d *denial) match3(name string) *dns.NSEC3 {
	for _, n := range d.nsec3 {
		if d.owns(n) && n.Match(name) {
			return n
		}
	}
	return nil
}

// cover3 returns the record in whose span the hash of name lies. The library
// counts the owner's own hash in, whose name exists (RFC 5155 section 1.3).
func (d *denial) cover3(name string) *dns.NSEC3 {
	for _, n := range d.nsec3 {
		if d.owns(n) && n.Cover(name) && !n.Match(name) {
			return n
		}
	}
	return nil
}

// owns reports whether the record lies right below the zone's apex, as all
// NSEC3 records do.
func (d *denial) owns(n *dns.NSEC3) bool { return parentOf(dns.CanonicalName(n.Hdr.Name)) == d.zone }

// encloser3 proves the closest encloser of name (RFC 5155 section 8.3): it
// exists, and the name one label longer does not.
func (d *denial) encloser3(name string) (ce string, closer *dns.NSEC3, ok bool) {
	if len(d.nsec3) == 0 {
		return "", nil, false
	}
	for next := name; next != d.zone && next != "."; next = parentOf(next) {
		up := parentOf(next)
		m := d.match3(up)
		if m == nil {
			continue
		}
		closer = d.cover3(next)
		return up, closer, closer != nil && !delegates(m.TypeBitMap)
	}
	return "", nil, false
}

// wild returns the wildcard right below name.
func wild(name string) string {
	if name == "." {
		return "*."
	}
	return "*." + name
}

// tail returns the last n labels of name.
func tail(name string, n int) string {
	offsets := dns.Split(name)
	if n <= 0 || n > len(offsets) {
		return "."
	}
	return name[offsets[len(offsets)-n]:]
}

// less is the canonical order of names (RFC 4034 section 6.1).
func less(a, b string) bool {
	la, lb := wireLabels(a), wireLabels(b)
	for i := range min(len(la), len(lb)) {
		if c := bytes.Compare(la[i], lb[i]); c != 0 {
			return c < 0
		}
	}
	return len(la) < len(lb)
}

// wireLabels returns the labels of a name as octets, the last first.
func wireLabels(name string) (labels [][]byte) {
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(strings.ToLower(name), buf, 0, nil, false)
	if err != nil {
		return nil
	}
	for i := 0; i < n && buf[i] != 0; i += int(buf[i]) + 1 {
		labels = append(labels, buf[i+1:i+1+int(buf[i])])
	}
	slices.Reverse(labels)
	return labels
}
