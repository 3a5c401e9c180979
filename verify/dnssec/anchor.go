package dnssec

import (
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Anchor is one trust anchor: the DS record of a zone's key, and from when to
// when it holds.
type Anchor struct {
	DS    *dns.DS
	From  time.Time
	Until time.Time // zero: it still holds
}

// holds reports whether the anchor is in force at now.
func (a Anchor) holds(now time.Time) bool {
	return !now.Before(a.From) && (a.Until.IsZero() || now.Before(a.Until))
}

// RootAnchors returns the anchors of the root zone as IANA publishes them
// (RFC 9718): KSK-2017 (20326) and KSK-2024 (38696).
func RootAnchors() []Anchor {
	return []Anchor{
		{DS: rootDS(20326, "e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d"), From: time.Date(2017, 2, 2, 0, 0, 0, 0, time.UTC)},
		{DS: rootDS(38696, "683d2d0acb8c9b712a1948b27f741219298d0a450d612c483af444a4c0fb2b16"), From: time.Date(2024, 7, 18, 0, 0, 0, 0, time.UTC)},
	}
}

func rootDS(tag uint16, digest string) *dns.DS {
	return &dns.DS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeDS, Class: dns.ClassINET},
		KeyTag: tag, Algorithm: dns.RSASHA256, DigestType: dns.SHA256, Digest: digest}
}

// ParseAnchors reads anchors from zone-file lines of DS or DNSKEY records, as
// "example. DS 12345 13 2 …". Lines that are blank or begin with ";" or "#" are
// passed over. They hold from the beginning of time.
func ParseAnchors(text string) ([]Anchor, error) {
	var list []Anchor
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		rr, err := dns.NewRR(line)
		if err != nil {
			return nil, fmt.Errorf("trust anchor, line %d: %w", n, err)
		}
		switch rr := rr.(type) {
		case *dns.DS:
			list = append(list, Anchor{DS: rr})
		case *dns.DNSKEY:
			ds := rr.ToDS(dns.SHA256)
			if ds == nil {
				return nil, fmt.Errorf("trust anchor, line %d: a key that has no digest", n)
			}
			list = append(list, Anchor{DS: ds})
		default:
			return nil, fmt.Errorf("trust anchor, line %d: want a DS or DNSKEY record", n)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("trust anchor: no DS or DNSKEY record")
	}
	return list, nil
}
