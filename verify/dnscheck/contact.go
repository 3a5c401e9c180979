package dnscheck

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// mailto returns the addresses of a mailto: URI, decoded; false when it is none,
// or has none (RFC 6068 section 2).
func mailto(s string) (addresses []string, ok bool) {
	u, err := url.Parse(s)
	if err != nil || !strings.EqualFold(u.Scheme, "mailto") {
		return nil, false
	}
	parts := strings.Split(u.Opaque, ",")
	for i := range parts {
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return nil, false
		}
	}
	if u.Opaque == "" { // the header field "to" is equivalent
		parts = strings.Split(u.Query().Get("to"), ",")
	}
	bad := func(s string) bool { at := strings.LastIndexByte(s, '@'); return at <= 0 || at == len(s)-1 }
	return parts, !slices.ContainsFunc(parts, bad)
}

// isMailto reports whether s is a mailto: URI with an address.
func isMailto(s string) bool {
	_, ok := mailto(s)
	return ok
}

// published returns the profile's contacts of one channel that anybody may see,
// in a form in which two spellings of one are equal. What others may not see has
// no part in a comparison, so that neither a finding nor its absence tells of it.
func (r *run) published(channel string) (list []string) {
	for _, c := range r.t.Claims.Contacts {
		if c.Public && c.Channel == channel {
			list = append(list, sameForm(channel, c.Value))
		}
	}
	return list
}

func sameForm(channel, value string) string {
	switch channel {
	case "email":
		return strings.ToLower(value)
	case "phone":
		number, _, _ := strings.Cut(value, ";")
		if n, err := directory.ParsePhone(number, ""); err == nil {
			return string(n)
		}
		return number
	}
	if u, err := directory.ParseURL(value); err == nil {
		value = u
	}
	return strings.TrimSuffix(strings.TrimSuffix(value, "#"), "/")
}

// compare finds p when the profile publishes contacts of the channel, and one of
// these is none of them.
func (r *run) compare(p verify.Problem, channel string, values ...string) {
	list := r.published(channel)
	if len(list) == 0 {
		return
	}
	if channel == "url" {
		list = append(list, sameForm(channel, r.t.Claims.Website))
	}
	for _, v := range values {
		if !slices.Contains(list, sameForm(channel, v)) {
			r.find(p, v)
		}
	}
}
