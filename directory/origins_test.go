package directory_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TestOrigins: of an address the most specific entry counts, and without reference data nothing is said.
func TestOrigins(t *testing.T) {
	row := func(prefix string, origins ...directory.ASN) directory.ReferenceRow {
		return directory.ReferenceRow{Prefix: netip.MustParsePrefix(prefix), Origins: origins}
	}
	empty := &directory.Index{}
	full := empty.Apply(1, nil, tableFrom(t, directory.PrefixASN, []directory.ReferenceRow{row("192.0.2.0/24", 64496), row("192.0.2.128/25", 64497, 64498), row("2001:db8::/32", 64499)}))
	for addr, want := range map[string][]directory.ASN{
		"192.0.2.1": {64496}, "192.0.2.129": {64497, 64498}, "2001:db8::1": {64499}, "::ffff:192.0.2.1": {64496}, "198.51.100.1": nil, "2001:db9::1": nil, "fe80::1%eth0": nil,
	} {
		a := netip.MustParseAddr(addr)
		if got := full.Origins(a); !slices.Equal(got, want) {
			t.Errorf("Origins(%s) = %v, want %v", addr, got, want)
		}
		if got := empty.Origins(a); got != nil {
			t.Errorf("Origins(%s) without reference data = %v", addr, got)
		}
	}
	if got := full.Origins(netip.Addr{}); got != nil {
		t.Errorf("Origins of no address = %v", got)
	}
}
