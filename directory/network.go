package directory

import (
	"net/netip"
	"strconv"
	"strings"
)

// ASN is an autonomous system number, 1 to 4294967294 (RFC 6793).
type ASN uint32

// ParseASN parses "64496", "AS64496" or "as64496". AS 0 (RFC 7607), 23456
// (RFC 6793 section 9), 65535 and 4294967295 (RFC 7300) are refused.
func ParseASN(s string) (ASN, error) {
	digits := strings.TrimSpace(s)
	if len(digits) > 2 && strings.EqualFold(digits[:2], "as") {
		digits = strings.TrimSpace(digits[2:])
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || digits[0] == '+' {
		return 0, problem("asn.syntax", s, "not an AS number", "a number from 1 to 4294967294, such as AS64496")
	}
	switch n {
	case 0, 23456, 65535, 4294967295:
		return 0, problem("asn.reserved", s, "this AS number is reserved and belongs to nobody (RFC 7607, 6793, 7300)", "an assigned AS number")
	}
	return ASN(n), nil
}

// String returns "AS64496".
func (a ASN) String() string { return "AS" + strconv.FormatUint(uint64(a), 10) }

// never are ranges that nobody can be responsible for on the Internet, so a
// record that names one is a mistake. The documentation ranges are not here:
// they are what examples and the demo are made of.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // RFC 791
	netip.MustParsePrefix("10.0.0.0/8"),     // RFC 1918
	netip.MustParsePrefix("100.64.0.0/10"),  // RFC 6598
	netip.MustParsePrefix("127.0.0.0/8"),    // RFC 1122
	netip.MustParsePrefix("169.254.0.0/16"), // RFC 3927
	netip.MustParsePrefix("172.16.0.0/12"),  // RFC 1918
	netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918
	netip.MustParsePrefix("224.0.0.0/3"),    // RFC 5771, 1112
	netip.MustParsePrefix("::/8"),           // RFC 4291: unspecified, loopback, mapped
	netip.MustParsePrefix("fc00::/7"),       // RFC 4193
	netip.MustParsePrefix("fe80::/9"),       // RFC 4291, 3879
	netip.MustParsePrefix("ff00::/8"),       // RFC 4291
}

// ParsePrefix parses a prefix in CIDR form for which a team is responsible. A
// bare address is a /32 or /128. Host bits must be zero; IPv4 prefixes are /8
// to /32 and IPv6 prefixes /16 to /128; private, multicast and other special
// ranges are refused.
func ParsePrefix(s string) (netip.Prefix, error) {
	p, err := ParseCIDR(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if least := minBits(p); p.Bits() < least {
		return netip.Prefix{}, problem("prefix.too-broad", s, "no team is responsible for so large a part of the Internet", "a prefix of /"+strconv.Itoa(least)+" or longer")
	}
	for _, n := range never {
		if n.Overlaps(p) {
			return netip.Prefix{}, problem("prefix.reserved", s, "the prefix lies in "+n.String()+", which is not routed on the Internet", "a public prefix")
		}
	}
	return p, nil
}

func minBits(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 8
	}
	return 16
}

// ParseCIDR parses a prefix in CIDR form, or a bare address as a /32 or /128,
// with host bits zero. It judges the form only, which is all that reference
// data needs; what a team may claim is for [ParsePrefix] to say.
func ParseCIDR(s string) (netip.Prefix, error) {
	text := strings.TrimSpace(s)
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, problem("prefix.syntax", s, "not an address or prefix", "CIDR form such as 192.0.2.0/24 or 2001:db8::/32")
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, problem("prefix.syntax", s, "not a prefix in CIDR form", "such as 192.0.2.0/24 or 2001:db8::/32")
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, problem("prefix.mapped", s, "an IPv4 prefix in IPv6 clothes (RFC 4291 section 2.5.5.2)", "the plain IPv4 prefix")
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, problem("prefix.host-bits", s, "bits are set behind the prefix length", m.String())
	}
	return p, nil
}
