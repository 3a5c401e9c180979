package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/netip"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

func TestTranscriptBad(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), verify.MaxTranscript+1))
	_ = z.Close()
	for name, data := range map[string][]byte{
		"nothing": nil, "no JSON": []byte("hello"), "another version": []byte(`{"version":2,"check":"x"}`), "no check": []byte(`{"version":1}`),
		"broken gzip": {0x1f, 0x8b, 8, 0}, "a bomb": bomb.Bytes(), "a list": []byte(`[]`), "a bad time": []byte(`{"version":1,"check":"x","target":{"now":"yesterday"}}`),
	} {
		if got, err := verify.DecodeTranscript(data); !errors.Is(err, verify.ErrTranscript) {
			t.Errorf("%s: DecodeTranscript = %+v, %v; want %v", name, got, err, verify.ErrTranscript)
		}
	}
	large := verify.Transcript{Version: 1, Check: "x", Exchanges: []verify.Exchange{{Body: bytes.Repeat([]byte("x"), verify.MaxTranscript)}}}
	if _, _, err := large.Encode(); !errors.Is(err, verify.ErrTranscript) || !strings.Contains(err.Error(), "at most") {
		t.Errorf("Encode of a large one: %v", err)
	}
}

// TestTranscriptBomb holds that what unpacks to 512 MiB is not unpacked.
func TestTranscriptBomb(t *testing.T) {
	bomb := bytes.Repeat(gzipped(bytes.Repeat([]byte(" "), 1<<20)), 512)
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	if _, err := verify.DecodeTranscript(bomb); !errors.Is(err, verify.ErrTranscript) {
		t.Errorf("DecodeTranscript = %v, want %v", err, verify.ErrTranscript)
	}
	metrics.Read(s)
	if got := s[0].Value.Uint64() - before; got > 64<<20 {
		t.Errorf("DecodeTranscript took %d MiB", got>>20)
	}
}

func FuzzDecodeTranscript(f *testing.F) {
	data, _, _ := verify.Transcript{Version: 1, Check: "x", Answers: []verify.Answer{{Wire: []byte{1}}}}.Encode()
	f.Add(data)
	f.Add([]byte(`{"version":1,"check":"x","exchanges":[{"hops":[{"addr":"192.0.2.1:443"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := verify.DecodeTranscript(data)
		if err != nil {
			return
		}
		again, hash, err := got.Encode()
		if err != nil {
			return // it may be larger with all that JSON escapes
		}
		back, err := verify.DecodeTranscript(again)
		if err != nil {
			t.Fatal(err)
		}
		if _, other, _ := back.Encode(); other != hash {
			t.Errorf("hash %s, then %s", hash, other)
		}
	})
}

// torrent answers each question with a megabyte.
type torrent struct{}

func (torrent) Fetch(_ context.Context, q verify.Request) (*verify.Exchange, error) {
	return &verify.Exchange{Request: q, Hops: []verify.Hop{{URL: q.URL, Status: 200}}, Body: make([]byte, 1<<20)}, nil
}

func (torrent) Query(_ context.Context, q verify.Question) (*verify.Answer, error) {
	return &verify.Answer{Question: q, Rcode: "NOERROR", Wire: make([]byte, 1<<20)}, nil
}

func (torrent) Greet(_ context.Context, q verify.Greeting) (*verify.Visit, error) {
	return &verify.Visit{Greeting: q, Chain: [][]byte{make([]byte, 1<<20)}}, nil
}

func (torrent) Origins(netip.Addr) []directory.ASN { return nil }

// TestRecorderIsBounded: what can't be kept is trouble, which is not ours: nothing is
// concluded from it, and what was kept before can be encoded.
func TestRecorderIsBounded(t *testing.T) {
	for name, ask := range map[string]func(*verify.Recorder) error{
		"pages": func(r *verify.Recorder) error {
			_, err := r.Fetch(t.Context(), verify.Request{URL: "https://a.example/"})
			return err
		},
		"visits": func(r *verify.Recorder) error {
			_, err := r.Greet(t.Context(), verify.Greeting{Host: "mail.a.example"})
			return err
		},
		"answers": func(r *verify.Recorder) error {
			_, err := r.Query(t.Context(), verify.Question{Name: "a.example.", Type: "TXT"})
			return err
		},
	} {
		r := verify.Record(torrent{})
		kept := 0
		var err error
		for err == nil && kept < 10 {
			if err = ask(r); err == nil {
				kept++
			}
		}
		var trouble *verify.Trouble
		if kept != 2 || !errors.As(err, &trouble) || trouble.Code != verify.CodeTooLarge || trouble.Ours {
			t.Errorf("%s: %d kept, then %v; want 2 of 1 MiB, then check.too-large", name, kept, err)
		}
		if _, _, err := r.Transcript("x", verify.Target{}).Encode(); err != nil {
			t.Errorf("%s: what was kept can't be encoded: %v", name, err)
		}
		if err := ask(r); err == nil {
			t.Errorf("%s: something more was taken after the hole", name)
		}
	}
}
