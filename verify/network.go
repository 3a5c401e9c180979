package verify

import (
	"context"
	"net/netip"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Network is all that checks can ask of the world. The live one asks it under
// limits, a recorder keeps what was answered, a replay answers from what was kept.
//
// An error means that the question was not put, for a reason of our own: it is
// or wraps a *[Trouble] with Ours set. Whatever the peer did or failed to do
// is part of the answer.
type Network interface {
	Fetch(context.Context, Request) (*Exchange, error)
	Query(context.Context, Question) (*Answer, error)
	Greet(context.Context, Greeting) (*Visit, error)
	// Origins tells which networks announce an address, by reference data and
	// without asking anybody; nil where that is not known.
	Origins(netip.Addr) []directory.ASN
}

// Request is one thing to fetch over HTTPS.
type Request struct {
	URL    string `json:"url"`
	Accept string `json:"accept,omitempty"`
	// Limit is the most octets of body that are read, after decoding; more is
	// a failure fetch.too-large. 0 is 32 KiB.
	Limit int64 `json:"limit,omitempty"`
	// Family is "ip4", "ip6" or "" for either.
	Family string `json:"family,omitempty"`
	// Redirects is the most that are followed; 0 is 5, below 0 none.
	Redirects int `json:"redirects,omitempty"`
	// Plain allows http URLs, on port 80, where a check is about them.
	Plain bool `json:"plain,omitempty"`
	// Fresh is how old an answer may be that a [Live] gives again without asking,
	// where what is fetched is about nobody's team; [Exchange.At] tells. It is no
	// part of the request that is recorded.
	Fresh time.Duration `json:"-"`
}

// Exchange is what became of a [Request]: each hop, and then either a response
// in full or a [Failure].
type Exchange struct {
	Request Request   `json:"request"`
	At      time.Time `json:"at"`
	Hops    []Hop     `json:"hops,omitempty"`
	Body    []byte    `json:"body,omitempty"`    // of the last hop, decoded
	Failure *Failure  `json:"failure,omitempty"` // nil: the last hop answered in full
}

// Last returns the last hop, the zero Hop when there is none.
func (x *Exchange) Last() Hop {
	if len(x.Hops) == 0 {
		return Hop{}
	}
	return x.Hops[len(x.Hops)-1]
}

// Hop is one request on the way, and its answer.
type Hop struct {
	URL       string              `json:"url"`
	Addr      netip.AddrPort      `json:"addr,omitzero"` // that was dialled
	Status    int                 `json:"status,omitempty"`
	Proto     string              `json:"proto,omitempty"`  // "HTTP/1.1"
	Header    map[string][]string `json:"header,omitempty"` // canonical names
	TLS       *TLS                `json:"tls,omitempty"`
	CrossSite bool                `json:"cross_site,omitempty"` // its registrable domain is not that of the hop before
	// NotModified: the server confirmed an earlier success by its ETag (RFC 9110
	// section 15.4.5), of which status, content type and body are.
	NotModified bool `json:"not_modified,omitempty"`
}

// TLS is what a handshake showed.
type TLS struct {
	Version  string        `json:"version"` // "TLS 1.3"
	Verified bool          `json:"verified"`
	Problem  string        `json:"problem,omitempty"` // why not: "expired", "wrong-name", "unknown-authority", "self-signed", "not-yet-valid", "other"
	Chain    []Certificate `json:"chain,omitempty"`   // as sent, leaf first, at most 8
}

// Certificate is what evidence keeps of a certificate.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"` // at most 50
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
}

// Failure is why a question has no full answer. Its code says whose doing it
// is, and Temporary whether it may be different in an hour.
type Failure struct {
	Code      Code   `json:"code"`             // fetch.* or dns.*
	Detail    string `json:"detail,omitempty"` // for people; of a refused address it does not say what lies there
	Temporary bool   `json:"temporary,omitempty"`
	// Retry is what the peer asks for by Retry-After, at most a day.
	Retry time.Duration `json:"retry,omitempty"`
}

// Question is one DNS question.
type Question struct {
	Name string `json:"name"` // absolute, in A-labels, with or without the final dot
	Type string `json:"type"` // "A", "TXT", "OPENPGPKEY" …
	// Server asks one server, by address and port, without recursion; zero:
	// the configured resolvers.
	Server netip.AddrPort `json:"server,omitzero"`
	// NoCheck sets CD: the resolver shall not validate (RFC 4035 section 3.2.2).
	NoCheck bool `json:"no_check,omitempty"`
	// Apart asks another resolver than the one that an [Answer] names as its
	// server. Where there is no other, that is trouble with [CodeVantage].
	Apart string `json:"apart,omitempty"`
}

// Answer is what became of a [Question].
type Answer struct {
	Question Question  `json:"question"`
	At       time.Time `json:"at"`
	Server   string    `json:"server,omitempty"`  // that answered
	Rcode    string    `json:"rcode,omitempty"`   // "NOERROR", "NXDOMAIN" …
	Secure   bool      `json:"secure,omitempty"`  // AD from a resolver over loopback or TLS, or our own validation
	Wire     []byte    `json:"wire,omitempty"`    // the message as it came (RFC 1035 section 4)
	Failure  *Failure  `json:"failure,omitempty"` // nil: NOERROR or NXDOMAIN was answered
}
