package dnscheck

import (
	"errors"
	"fmt"
	"strings"
)

// tag is one "name=value" of a record.
type tag struct{ name, value string }

// errTags is why a record of tags can't be read.
var errTags = errors.New("dnscheck: not a list of name=value")

// parseTags reads "name=value; name=value", as DMARC, DKIM, MTA-STS and TLS-RPT
// records are written (RFC 6376 section 3.2); named says what a name may look like.
// Names come in lower case. A name that stands twice is an error.
func parseTags(s string, named func(string) bool) (list []tag, err error) {
	seen := map[string]bool{}
	parts := strings.Split(s, ";")
	for i, part := range parts {
		part = strings.Trim(part, " \t\r\n")
		if part == "" && i == len(parts)-1 { // one semicolon may end the list
			break
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.ToLower(strings.TrimRight(name, " \t"))
		if !ok || !named(name) {
			return list, fmt.Errorf("%w: %q", errTags, part)
		}
		if seen[name] {
			return list, fmt.Errorf("%w: %s stands twice", errTags, name)
		}
		seen[name] = true
		list = append(list, tag{name, strings.TrimLeft(value, " \t")})
	}
	return list, nil
}

// isTagName is the tag-name of RFC 6376 section 3.2.
func isTagName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// isExtensionName is the name of an extension in TLS-RPT and MTA-STS records, which
// the names that these define fit too (RFC 8460 section 3, RFC 8461 section 3.1).
func isExtensionName(s string) bool {
	for i, c := range []byte(s) {
		first := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !first && (i == 0 || c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
