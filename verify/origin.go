package verify

import (
	"net/netip"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Origin is what reference data says of an address: the networks that announce it.
type Origin struct {
	Addr netip.Addr      `json:"addr"`
	ASNs []directory.ASN `json:"asns"`
}

// WithOrigins returns n with what a function says of addresses, such as
// [directory.Index.Origins] of the newest index.
func WithOrigins(n Network, of func(netip.Addr) []directory.ASN) Network { return located{n, of} }

type located struct {
	Network
	of func(netip.Addr) []directory.ASN
}

// Origins says what the function does.
func (l located) Origins(a netip.Addr) []directory.ASN { return l.of(a) }

// Origins is of no live network: nobody is asked for it. See [WithOrigins].
func (l *Live) Origins(netip.Addr) []directory.ASN { return nil }

func (i *inquiry) Origins(a netip.Addr) []directory.ASN { return i.net.Origins(a) }

// Origins says what the first run was told.
func (s *secondLook) Origins(a netip.Addr) []directory.ASN { return s.first.Origins(a) }

// Origins hands the question on and keeps what was said.
func (r *Recorder) Origins(a netip.Addr) []directory.ASN {
	list := r.net.Origins(a)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(list) == 0 || r.grow(perItem, a.String()) != nil {
		return nil
	}
	r.origins = append(r.origins, Origin{a, list})
	return list
}

// Origins says what was said when the transcript was made.
func (r *replay) Origins(a netip.Addr) []directory.ASN { return r.origins[a] }
