package mail

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// blocklist asks a list of the DNS about our addresses. One that does not work, or does not answer us, says nothing
// about them: a list that has been given up must not keep anybody from sending.
func (t *selftest) blocklist(list directory.Domain, addrs []netip.Addr) {
	const test = "blocklist"
	// RFC 5782 section 5: 127.0.0.2 is on every list, and 127.0.0.1 on none.
	always, err := t.listed(list, netip.MustParseAddr("127.0.0.2"))
	never, err2 := t.listed(list, netip.MustParseAddr("127.0.0.1"))
	if err != nil || err2 != nil || !always || never {
		t.advise(test, string(list)+" does not answer as a list does, or not us", "a list that answers, or a resolver of your own: some lists refuse public ones")
		return
	}
	for _, a := range addrs {
		switch on, err := t.listed(list, a); {
		case err != nil:
			t.advise(test, fmt.Sprintf("%s does not say whether %s is on it", list, a), "an answer; try again")
		case on:
			t.fail(test, fmt.Sprintf("%s is on %s: receivers refuse what it sends", a, list), "ask the list why, mend that, and have the address taken off")
		default:
			t.pass(test, fmt.Sprintf("%s is not on %s", a, list))
		}
	}
}

// errorsOfLists are answers that stand for a refusal to answer, as lists use them.
var errorsOfLists = netip.MustParsePrefix("127.255.255.0/24")

// listed reports whether an address is on a list. RFC 5782 section 2.3: what is has an address in 127.0.0.0/8.
func (t *selftest) listed(list directory.Domain, a netip.Addr) (bool, error) {
	ips, err := t.dns.LookupIPAddr(t.ctx, listName(a)+"."+string(list))
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, ip := range ips {
		got, _ := netip.AddrFromSlice(ip.IP)
		if got = got.Unmap(); errorsOfLists.Contains(got) || !got.IsLoopback() {
			return false, fmt.Errorf("mail: %s answers %s", list, got)
		}
	}
	return len(ips) > 0, nil
}

// listName is an address as lists have it: RFC 5782 sections 2.1 and 2.4.
func listName(a netip.Addr) string {
	var parts []string
	if a = a.Unmap(); a.Is4() {
		parts = strings.Split(a.String(), ".")
	} else {
		b := a.As16()
		parts = strings.Split(hex.EncodeToString(b[:]), "")
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}
