package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// feed is a batch of n addresses, half of them of teams that list a prefix of
// their own, thousands of them, and half of the national teams.
func feed(addrs []netip.Addr, own []netip.Addr, n int) []string {
	rng := rand.New(rand.NewPCG(3, 3))
	list := make([]string, n)
	for i := range list {
		a := addrs[rng.IntN(len(addrs))]
		if i%2 == 0 {
			a = own[rng.IntN(len(own))]
		}
		list[i] = a.String()
	}
	return list
}

// ownAddresses are addresses of the prefixes that teams list themselves.
func ownAddresses(x *directory.Index) (list []netip.Addr) {
	for team := range x.Teams() {
		for _, r := range team.Resources {
			list = append(list, r.Prefix.Addr().Next())
		}
	}
	return list
}

// bodiesOf writes the same batch as a table and as NDJSON.
func bodiesOf(list []string) map[string][]byte {
	var table, lines bytes.Buffer
	table.WriteString("seen,ip,port\n")
	for i, q := range list {
		fmt.Fprintf(&table, "2026-11-21T20:00:%02dZ,%s,%d\n", i%60, q, 1024+i%60000)
		fmt.Fprintf(&lines, `{"ip":"%s","port":%d}`+"\n", q, 1024+i%60000)
	}
	return map[string][]byte{typeCSV: table.Bytes(), typeNDJSON: lines.Bytes()}
}

// postBatch sends a batch and reads the answer to its end.
func postBatch(tb testing.TB, url, query, media, accept string, body io.Reader) (size int64, last []byte) {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/v1/lookup"+query, body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	tail := &tailWriter{}
	if size, err = io.Copy(tail, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		tb.Fatalf("status %d, %d bytes: %v: %s", resp.StatusCode, size, err, tail.last)
	}
	return size, tail.last
}

// tailWriter keeps the last of what is written.
type tailWriter struct{ last []byte }

func (w *tailWriter) Write(p []byte) (int, error) {
	w.last = append(w.last, p[max(0, len(p)-512):]...)
	w.last = w.last[max(0, len(w.last)-512):]
	return len(p), nil
}

// BenchmarkBatch sends a million addresses over loopback HTTP, as a table and
// as NDJSON, and reads them back grouped by recipient. The baseline of the same
// round is a handler that reads the body and writes as much as the answer has.
// indicators/cpu-s is for one second of one core.
func BenchmarkBatch(b *testing.B) {
	x, addrs := largeIndex(b, benchPrefixes)
	s, err := api.New(api.Config{Directory: new(directory.Directory), Index: func() *directory.Index { return x }})
	if err != nil {
		b.Fatal(err)
	}
	var size atomic.Int64
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.CopyN(w, zeros{}, size.Load())
	}))
	b.Cleanup(plain.Close)
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	bodies := bodiesOf(feed(addrs, ownAddresses(x), api.MaxIndicators))
	for _, one := range []struct{ name, query, in, out string }{
		{"csv, grouped", "?group=recipient", typeCSV, typeNDJSON}, {"ndjson, grouped", "?group=recipient", typeNDJSON, typeNDJSON},
		{"csv, grouped as csv", "?group=recipient", typeCSV, typeCSV}, {"csv, each as csv", "", typeCSV, typeCSV}, {"csv, each with its trace", "", typeCSV, typeNDJSON},
	} {
		b.Run(one.name, func(b *testing.B) {
			var rates, plains, busy []float64
			for b.Loop() {
				start, worked := time.Now(), processorTime()
				n, _ := postBatch(b, server.URL, one.query, one.in, one.out, bytes.NewReader(bodies[one.in]))
				rates = append(rates, api.MaxIndicators/time.Since(start).Seconds())
				busy = append(busy, api.MaxIndicators/(processorTime()-worked).Seconds())
				size.Store(n)
				start = time.Now()
				postBatch(b, plain.URL, "", one.in, one.out, bytes.NewReader(bodies[one.in]))
				plains = append(plains, api.MaxIndicators/time.Since(start).Seconds())
			}
			b.ReportMetric(median(rates), "indicators/s")
			b.ReportMetric(median(busy), "indicators/cpu-s")
			b.ReportMetric(median(plains), "plain/s")
			b.ReportMetric(float64(size.Load())/api.MaxIndicators, "answer-B/indicator")
		})
	}
}

// processorTime is what this process, client and server, has used: on a busy
// machine it says more than the clock.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails for the own process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestSoakBatchMemory holds the memory of a batch against that of a tenth of it,
// and of the largest batch there is when soaking: what is read and written
// passes through, and groups hold five octets for an address.
func TestSoakBatchMemory(t *testing.T) {
	if os.Getenv("ROLLCALL_SOAK") != "" {
		flatMemory(t, 100_000, api.MaxIndicators, 24<<20)
		return
	}
	flatMemory(t, 20_000, 200_000, 8<<20)
}

// flatMemory allows a batch of many at most the given octets more than one of few.
func flatMemory(t *testing.T, few, many int, more int64) {
	s := embedded(t)
	x := s.follow.Index()
	most := func(query, accept string, n int) int64 {
		handler, err := api.New(api.Config{Directory: s.dir, Index: func() *directory.Index { return x }, Now: s.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		defer server.Close()
		return peak(func() {
			_, last := postBatch(t, server.URL, query, typeText, accept, addressLines(n))
			if !strings.Contains(string(last), strconv.Itoa(n)) {
				t.Errorf("%s of %d ends %s", query, n, last)
			}
		})
	}
	for _, one := range []struct{ name, query, accept string }{{"grouped", "?group=recipient", typeNDJSON}, {"each", "", typeCSV}} {
		small, large := most(one.query, one.accept, few), most(one.query, one.accept, many)
		t.Logf("%s: at most %d KiB for %d, %d KiB for %d", one.name, small>>10, few, large>>10, many)
		if large > small+more {
			t.Errorf("%s: %d MiB for %d, %d MiB for %d; want at most %d MiB more", one.name, large>>20, many, small>>20, few, more>>20)
		}
	}
}

// addressLines is a body of n addresses, made as it is read.
func addressLines(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		var line []byte
		for i := range n {
			line = append(netip.AddrFrom4([4]byte{192, byte(i >> 16), byte(i >> 8), byte(i)}).AppendTo(line), '\n')
			if len(line) > 32<<10 || i == n-1 {
				if _, err := w.Write(line); err != nil {
					break
				}
				line = line[:0]
			}
		}
		_ = w.Close() // never fails
	}()
	return r
}

// peak is the most heap that was in use while fn ran, beyond what was in use
// before, with the garbage collected early so that it counts little.
func peak(fn func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := int64(m.HeapAlloc), int64(0)
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapAlloc)-before)
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	fn()
	close(over)
	<-watched
	return most
}
