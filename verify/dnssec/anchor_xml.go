package dnssec

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// trustAnchor is the file of RFC 9718 section 2.
type trustAnchor struct {
	XMLName xml.Name `xml:"TrustAnchor"`
	Zone    string
	Digests []keyDigest `xml:"KeyDigest"`
}

type keyDigest struct {
	ID         string `xml:"id,attr"`
	From       string `xml:"validFrom,attr"`
	Until      string `xml:"validUntil,attr"`
	KeyTag     uint16
	Algorithm  uint8
	DigestType uint8
	Digest     string
}

// anchorXML reads the form in which IANA publishes the root's anchors.
func anchorXML(text string) (list []Anchor, err error) {
	var file trustAnchor
	if err := xml.Unmarshal([]byte(text), &file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnchor, err)
	}
	zone := strings.TrimSpace(file.Zone)
	if _, ok := dns.IsDomainName(zone); !ok || zone == "" {
		return nil, fmt.Errorf("%w: the element Zone has %q; want the name of a zone", ErrAnchor, zone)
	}
	for _, k := range file.Digests {
		a, err := k.anchor(zone)
		if err != nil {
			return nil, fmt.Errorf("%w, KeyDigest %q: %w", ErrAnchor, k.ID, err)
		}
		list = append(list, a)
	}
	return list, nil
}

func (k keyDigest) anchor(zone string) (a Anchor, err error) {
	a.DS = &dns.DS{Hdr: dns.RR_Header{Name: dns.CanonicalName(zone), Rrtype: dns.TypeDS, Class: dns.ClassINET},
		KeyTag: k.KeyTag, Algorithm: k.Algorithm, DigestType: k.DigestType, Digest: strings.ToLower(strings.Join(strings.Fields(k.Digest), ""))}
	if a.DS.Digest == "" || strings.Trim(a.DS.Digest, "0123456789abcdef") != "" {
		return a, fmt.Errorf("the digest %q is no hex digits", k.Digest)
	}
	if err := checkDigest(a.DS); err != nil {
		return a, err
	}
	if a.From, err = anchorDate(k.From); err != nil { // RFC 9718 section 2.1: validFrom is mandatory
		return a, fmt.Errorf("validFrom: %w", err)
	}
	if k.Until != "" {
		if a.Until, err = anchorDate(k.Until); err != nil {
			return a, fmt.Errorf("validUntil: %w", err)
		}
	}
	return a, a.inOrder()
}
