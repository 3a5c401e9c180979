package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// snapshotTeams is the size of the directory of which a snapshot is taken.
const snapshotTeams = 1_000_000

// crowdServer serves an index of n small teams with random ids.
func crowdServer(b *testing.B, n int) *httptest.Server {
	b.Helper()
	rng := rand.NewChaCha8([32]byte{1})
	x := directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: int64(n), Epoch: "bench"}, func(yield func(directory.Record) bool) {
		for i := range n {
			r := storetest.Small(i)
			id, err := uuid.NewRandomFromReader(rng)
			if err != nil {
				b.Error(err)
				return
			}
			if r.ID = directory.TeamID(id.String()); !yield(r) {
				return
			}
		}
	})
	_, db := storetest.SQLite().Open(b)
	dir, err := directory.New(directory.Config{Store: db})
	if err != nil {
		b.Fatal(err)
	}
	s, err := api.New(api.Config{Directory: dir, Index: func() *directory.Index { return x }})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	return server
}

// heap is the memory that is in use now, without stopping the world.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// download reads a body to its end and returns its size, the time, and the
// most memory that was in use meanwhile.
func download(b *testing.B, url, encoding string) (size int64, took time.Duration, most uint64) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", encoding)
	begun := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	in := bufio.NewReaderSize(answer.Body, 1<<20)
	for {
		n, err := in.Discard(8 << 20)
		size += int64(n)
		most = max(most, heap())
		if err == io.EOF {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return size, time.Since(begun), most
}

// BenchmarkSnapshot takes snapshots of a million teams over loopback, plain and
// compressed, and compares them with a handler that writes as many bytes that
// it has already. mem-MB is what the heap held at most beside the index.
func BenchmarkSnapshot(b *testing.B) {
	server := crowdServer(b, snapshotTeams)
	runtime.GC()
	before := heap()
	var size int64
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			for b.Loop() {
				n, took, most := download(b, server.URL+"/v1/snapshot", encoding)
				if encoding == "identity" {
					size = n
				}
				b.ReportMetric(took.Seconds(), "s")
				b.ReportMetric(float64(n)/1e6, "MB")
				b.ReportMetric(float64(int64(most)-int64(before))/1e6, "mem-MB")
				b.ReportMetric(float64(before)/1e6, "index-MB")
			}
		})
	}
	plain := httptest.NewServer(repeated(size))
	b.Cleanup(plain.Close)
	b.Run("fixed", func(b *testing.B) {
		for b.Loop() {
			_, took, _ := download(b, plain.URL, "identity")
			b.ReportMetric(took.Seconds(), "s")
		}
	})
}

func repeated(size int64) http.Handler {
	chunk := bytes.Repeat([]byte("x"), 256<<10)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for left := size; left > 0; left -= int64(len(chunk)) {
			_, _ = w.Write(chunk[:min(left, int64(len(chunk)))])
		}
	})
}

// BenchmarkWaiters has a thousand consumers wait for one change and measures
// from the write until each has it, beside the same write when nobody waits.
func BenchmarkWaiters(b *testing.B) {
	const waiters = 1000
	for _, n := range []int{0, waiters} {
		b.Run(fmt.Sprintf("waiters=%d", n), func(b *testing.B) {
			s := embedded(b)
			for b.Loop() {
				b.StopTimer()
				var wg sync.WaitGroup
				after := s.follow.Index().Seq()
				for range n {
					wg.Go(func() { wait(b, s.server.URL, after) })
				}
				s.awaitWaiters(b, n)
				waiting := heap()
				b.StartTimer()
				s.touch(b)
				wg.Wait()
				b.ReportMetric(float64(waiting)/1e6, "heap-MB")
			}
		})
	}
}

// wait waits for one change without a look at what it says.
func wait(b *testing.B, url string, after int64) {
	answer, err := http.Get(fmt.Sprintf("%s/v1/changes?after=%d&wait=60", url, after))
	if err != nil {
		b.Error(err)
		return
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err != nil || n < 1000 {
		b.Errorf("an answer of %d bytes: %v", n, err)
	}
}
