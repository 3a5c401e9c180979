package dnssec

import (
	"errors"
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

// ErrAnchor is why trust anchors can't be read, or can't be used.
var ErrAnchor = errors.New("trust anchor")

// InForce reports why none of the anchors can be used at now; nil where one can,
// and for no anchors at all.
func InForce(list []Anchor, now time.Time) error {
	var why []string
	for _, a := range list {
		switch {
		case a.holds(now):
			return nil
		case now.Before(a.From):
			why = append(why, fmt.Sprintf("%d holds from %s", a.DS.KeyTag, a.From.Format(time.RFC3339)))
		default:
			why = append(why, fmt.Sprintf("%d held until %s", a.DS.KeyTag, a.Until.Format(time.RFC3339)))
		}
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%w: none is in force at %s: %s; want a newer file", ErrAnchor, now.UTC().Format(time.RFC3339), strings.Join(why, ", "))
}

// maxAnchors is how large a file of anchors may be, in octets.
const maxAnchors = 64 << 10

// ParseAnchors reads anchors in one of two forms. XML as IANA publishes it (RFC
// 9718 section 2), with its dates; or zone-file lines of DS or DNSKEY records, each
// with the dates between which it holds in a comment behind it, or without:
//
//	. DS 20326 8 2 E06D44B8… ; from 2017-02-02 until 2027-01-11T00:00:00Z
//
// Other comments, and lines that are blank or begin with ";" or "#", are passed
// over. Anchors that do not hold now are among the result: see [InForce].
func ParseAnchors(text string) ([]Anchor, error) {
	if len(text) > maxAnchors {
		return nil, fmt.Errorf("%w: more than %d octets", ErrAnchor, maxAnchors)
	}
	read := anchorLines
	if strings.HasPrefix(strings.TrimLeft(text, "\ufeff \t\r\n"), "<") {
		read = anchorXML
	}
	list, err := read(strings.TrimPrefix(text, "\ufeff"))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: no DS or DNSKEY record", ErrAnchor)
	}
	return list, err
}

// anchorLines reads records, a line each.
func anchorLines(text string) (list []Anchor, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		record, comment, _ := strings.Cut(line, ";")
		a, err := anchorRecord(record)
		if err == nil {
			err = a.dates(comment)
		}
		if err != nil {
			return nil, fmt.Errorf("%w, line %d: %w", ErrAnchor, n, err)
		}
		list = append(list, a)
	}
	return list, nil
}

func anchorRecord(record string) (Anchor, error) {
	rr, err := dns.NewRR(record)
	if err != nil {
		return Anchor{}, err
	}
	switch rr := rr.(type) {
	case *dns.DS:
		return Anchor{DS: rr}, checkDigest(rr)
	case *dns.DNSKEY:
		if ds := rr.ToDS(dns.SHA256); ds != nil {
			return Anchor{DS: ds}, nil
		}
		return Anchor{}, errors.New("a key that has no digest")
	}
	return Anchor{}, errors.New("want a DS or DNSKEY record")
}

// checkDigest finds a digest of the wrong length, with which no key would fit.
func checkDigest(ds *dns.DS) error {
	want := map[uint8]int{dns.SHA1: 40, dns.SHA256: 64, dns.SHA384: 96}[ds.DigestType]
	if want != 0 && len(ds.Digest) != want {
		return fmt.Errorf("a digest of %d hex digits; want %d for digest type %d", len(ds.Digest), want, ds.DigestType)
	}
	return nil
}

// dates reads "from DATE", "until DATE" or both out of a comment. One that begins
// with neither word is a comment.
func (a *Anchor) dates(comment string) error {
	words := strings.Fields(comment)
	if len(words) == 0 || words[0] != "from" && words[0] != "until" {
		return nil
	}
	for len(words) > 0 {
		to := map[string]*time.Time{"from": &a.From, "until": &a.Until}[words[0]]
		if to == nil || !to.IsZero() || len(words) < 2 {
			return fmt.Errorf("%q is no pair of dates; want ; from 2017-02-02 until 2027-01-11", strings.TrimSpace(comment))
		}
		at, err := anchorDate(words[1])
		if err != nil {
			return err
		}
		*to, words = at, words[2:]
	}
	return a.inOrder()
}

func (a *Anchor) inOrder() error {
	if !a.Until.IsZero() && !a.From.Before(a.Until) {
		return fmt.Errorf("it holds from %s until %s, which is never", a.From.Format(time.RFC3339), a.Until.Format(time.RFC3339))
	}
	return nil
}

// anchorDate reads a day, or a moment with its zone or, as XML allows, in UTC.
func anchorDate(s string) (time.Time, error) {
	for _, form := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(form, s); err == nil && !at.IsZero() { // which would mean for ever
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date; want 2017-02-02 or 2017-02-02T00:00:00Z", s)
}
