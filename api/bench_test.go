package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// benchPrefixes is the size of the directory that is measured.
const benchPrefixes = 400_000

// largeIndex is an index of n prefixes of eight countries, each with a national
// team, and one team in a hundred prefixes that is responsible for it. Equal n
// give equal indexes.
func largeIndex(b *testing.B, n int) (*directory.Index, []netip.Addr) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	countries := []directory.Country{"AT", "DE", "NL", "US", "JP", "BR", "FR", "ZA"}
	seen, rows := map[netip.Prefix]bool{}, []directory.ReferenceRow{}
	for len(rows) < n {
		v := rng.Uint32()
		a := netip.AddrFrom4([4]byte{byte(1 + rng.IntN(223)), byte(v >> 16), byte(v >> 8), byte(v)})
		if p := netip.PrefixFrom(a, 16+rng.IntN(9)).Masked(); !seen[p] {
			seen[p] = true
			rows = append(rows, directory.ReferenceRow{Prefix: p, Country: countries[rng.IntN(len(countries))]})
		}
	}
	slices.SortFunc(rows, func(x, y directory.ReferenceRow) int { return x.Prefix.Compare(y.Prefix) })
	addrs := make([]netip.Addr, n) // in an order of chance
	for i, at := range rng.Perm(n) {
		addrs[i] = rows[at].Prefix.Addr()
	}
	set := directory.ReferenceSet{Kind: directory.PrefixCountry, Source: "rir", AsOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Rows: n}
	blocks := directory.EncodeReference(rows)
	table, err := directory.NewReferenceTable(set.Kind, []directory.ReferenceSet{set}, func(_ directory.ReferenceSet, yield func([]byte) error) error {
		for _, block := range blocks {
			if err := yield(block); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 1, Epoch: "bench"}, crowd(rows, countries), table), addrs
}

func crowd(rows []directory.ReferenceRow, countries []directory.Country) func(func(directory.Record) bool) {
	return func(yield func(directory.Record) bool) {
		for i := range len(rows) / 100 {
			r := directory.Record{
				ID: directory.TeamID(fmt.Sprintf("5694da62-6314-4565-9c4d-%012d", i)), Handle: directory.Handle(fmt.Sprintf("team-%d", i)), Revision: 1,
				Own: directory.Profile{
					Names:     directory.Names{Short: fmt.Sprintf("TEAM-%d", i)},
					Resources: []directory.Resource{{Type: "prefix", Prefix: rows[i*100].Prefix}},
					Contacts: []directory.Contact{{ID: directory.ContactID(fmt.Sprintf("0b2f3a5e-8a0e-5c39-9d43-%012d", i)), Revision: 1, Channel: "email",
						Value: fmt.Sprintf("csirt@team-%d.example.org", i), Uses: []string{"general", "abuse"}}},
				},
			}
			if i < len(countries) {
				r.Own.Designations = []directory.Designation{{Country: countries[i], Scope: "national"}}
			}
			if !yield(r) {
				return
			}
		}
	}
}

// largeServer serves a large index, and says what to ask it.
func largeServer(b *testing.B) (http.Handler, [][]byte) {
	b.Helper()
	x, addrs := largeIndex(b, benchPrefixes)
	_, db := storetest.SQLite().Open(b)
	dir, err := directory.New(directory.Config{Store: db})
	if err != nil {
		b.Fatal(err)
	}
	s, err := api.New(api.Config{Directory: dir, Index: func() *directory.Index { return x }})
	if err != nil {
		b.Fatal(err)
	}
	requests := make([][]byte, len(addrs))
	for i, a := range addrs {
		requests[i] = fmt.Appendf(nil, "GET /v1/lookup?q=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", a)
	}
	return s, requests
}

// fixed is the handler to compare with: it writes a body of the given size.
func fixed(size int) http.Handler {
	body := bytes.Repeat([]byte("x"), size)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json") // or net/http would look at the body for it
		_, _ = w.Write(body)
	})
}

// client speaks as little HTTP as it takes, so that it costs as little as it can.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(b *testing.B, server *httptest.Server) *client {
	b.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &client{conn, bufio.NewReaderSize(conn, 16<<10)}
}

// ask sends one request and returns the size of the body, which must have a
// length: neither server sends a body of this size in chunks.
func (c *client) ask(request []byte) (int, error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	size := -1
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return 0, fmt.Errorf("answer %q", line)
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if size, err = strconv.Atoi(string(bytes.TrimSpace(line[16:]))); err != nil {
				return 0, err
			}
		case len(line) == 2:
			n, err := c.r.Discard(size)
			return n, err
		}
	}
}

// connections is how many clients ask at once.
const connections = 16

// rate asks n times over all clients and returns the requests per second.
func rate(b *testing.B, clients []*client, requests [][]byte, n int) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for _, c := range clients {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := c.ask(requests[int(i)%len(requests)]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkServe asks the server and the fixed handler in turn over loopback
// and reports the median of the ratios of their requests per second: for 4,096
// addresses that are asked again and again, as feeds do, and for addresses that
// are each asked once, which no cache helps.
func BenchmarkServe(b *testing.B) {
	handler, requests := largeServer(b)
	lookup := httptest.NewServer(handler)
	b.Cleanup(lookup.Close)
	plain := httptest.NewServer(fixed(medianSize(b, dial(b, lookup), requests[:4096])))
	b.Cleanup(plain.Close)
	ours, theirs := make([]*client, connections), make([]*client, connections)
	for i := range connections {
		ours[i], theirs[i] = dial(b, lookup), dial(b, plain)
	}
	const round = 20_000
	compare := func(b *testing.B, part func(round int) [][]byte) {
		var ratios, rates, fixedRates []float64
		for i := 0; b.Loop(); i++ {
			f := rate(b, theirs, part(i), round)
			l := rate(b, ours, part(i), round)
			ratios, rates, fixedRates = append(ratios, l/f), append(rates, l), append(fixedRates, f)
		}
		b.ReportMetric(median(ratios), "ratio")
		b.ReportMetric(median(rates), "lookups/s")
		b.ReportMetric(median(fixedRates), "fixed/s")
	}
	b.Run("in turn", func(b *testing.B) { compare(b, func(int) [][]byte { return requests[:4096] }) })
	b.Run("once", func(b *testing.B) {
		compare(b, func(i int) [][]byte { return requests[i%(len(requests)/round)*round:][:round] })
	})
}

func medianSize(b *testing.B, c *client, requests [][]byte) int {
	b.Helper()
	sizes := make([]int, 0, len(requests))
	for _, r := range requests {
		n, err := c.ask(r)
		if err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	b.Logf("answers of %d to %d bytes, median %d", sizes[0], sizes[len(sizes)-1], sizes[len(sizes)/2])
	return sizes[len(sizes)/2]
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// BenchmarkServeLatency asks 1,500 times a second whether or not the server
// keeps up, and counts the time from when each request was due: a server that
// stalls makes all that were due meanwhile late.
func BenchmarkServeLatency(b *testing.B) {
	handler, requests := largeServer(b)
	lookup := httptest.NewServer(handler)
	b.Cleanup(lookup.Close)
	const perSecond, seconds = 1500, 5
	for b.Loop() {
		took := openLoop(b, lookup, requests, perSecond, perSecond*seconds)
		slices.Sort(took)
		for _, p := range []struct {
			name string
			at   int
		}{{"p50-ms", len(took) / 2}, {"p99-ms", len(took) * 99 / 100}, {"max-ms", len(took) - 1}} {
			b.ReportMetric(float64(took[p.at])/float64(time.Millisecond), p.name)
		}
	}
}

func openLoop(b *testing.B, server *httptest.Server, requests [][]byte, perSecond, n int) []time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range connections {
		c := dial(b, server)
		wg.Go(func() {
			timer := time.NewTimer(0)
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				due := start.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
				timer.Reset(time.Until(due))
				<-timer.C
				if _, err := c.ask(requests[i%len(requests)]); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(due)
			}
		})
	}
	wg.Wait()
	return took
}

// BenchmarkHandler is a lookup from request to body without the network.
func BenchmarkHandler(b *testing.B) {
	handler, _ := largeServer(b)
	r := httptest.NewRequest(http.MethodGet, "/v1/lookup?q=8.8.8.8", nil)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (d *discard) WriteHeader(int)             {}
