// Package dnscheck holds the domains of a team's contacts against the DNS: that
// they exist, that mail to them can arrive and be trusted, that what they
// publish is signed. [Checks] lists the checks; the parsers beside them are
// usable on their own: [ParseDMARC], [ParsePolicy], [ParseTLSRPT].
//
// It follows RFC 1034, 2181, 5321, 7505 (MX), 7208 (SPF), 6376
// and 8301 (DKIM keys), 9989 (DMARC), 8461
// (MTA-STS), 8460 (TLS-RPT), 7672 (DANE), 7929 and 8162 (keys in the DNS), 8659
// and 9495 (CAA), 4033 to 4035 (DNSSEC), 9082, 9083 and 9224 (RDAP).
//
// It connects to mail servers only where that is wanted ([Config.SMTP]), and
// never asks one about an address: that looks like harvesting, and a challenge
// proves more.
package dnscheck
