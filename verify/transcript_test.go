package verify_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"runtime/metrics"
	"strings"
	"testing"

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
