package verify

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Transcript is all that one run of a check knew and saw: enough to come to the
// same findings again, offline.
type Transcript struct {
	Version   int        `json:"version"` // 1
	Check     string     `json:"check"`
	Target    Target     `json:"target"`
	Exchanges []Exchange `json:"exchanges,omitempty"`
	Answers   []Answer   `json:"answers,omitempty"`
	Visits    []Visit    `json:"visits,omitempty"`
	Origins   []Origin   `json:"origins,omitempty"`
}

// MaxTranscript is the most octets that a transcript has before compression.
const MaxTranscript = 4 << 20

// ErrTranscript is why a transcript can't be read or kept.
var ErrTranscript = errors.New("verify: transcript")

// Encode returns the transcript as it is stored, and the SHA-256 of its JSON
// text in hex, by which it is found again. One that is larger than
// [MaxTranscript] is an error.
func (t Transcript) Encode() (data []byte, hash string, err error) {
	return t.encode(newZipper().(*gzip.Writer))
}

// newZipper makes what compresses transcripts. It is much dearer than to
// compress one, so that who does so often keeps some.
func newZipper() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails on a wrong level only
	return z
}

func (t *Transcript) encode(z *gzip.Writer) (data []byte, hash string, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrTranscript, err)
	}
	if len(text) > MaxTranscript {
		return nil, "", fmt.Errorf("%w: %d octets, at most %d are kept", ErrTranscript, len(text), MaxTranscript)
	}
	var b bytes.Buffer
	z.Reset(&b)
	_, _ = z.Write(text) // a Buffer takes everything
	_ = z.Close()
	sum := sha256.Sum256(text)
	return b.Bytes(), hex.EncodeToString(sum[:]), nil
}

// TranscriptText returns the JSON text, of which the hash is, of what Encode
// wrote.
func TranscriptText(data []byte) (text []byte, err error) {
	text = data
	if len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTranscript, err)
		}
		if text, err = io.ReadAll(io.LimitReader(z, MaxTranscript+1)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTranscript, err)
		}
	}
	if len(text) > MaxTranscript {
		return nil, fmt.Errorf("%w: more than %d octets", ErrTranscript, MaxTranscript)
	}
	return text, nil
}

// DecodeTranscript reads what Encode wrote, or its JSON text.
func DecodeTranscript(data []byte) (t Transcript, err error) {
	text, err := TranscriptText(data)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return Transcript{}, fmt.Errorf("%w: %w", ErrTranscript, err)
	}
	if t.Version != 1 || t.Check == "" {
		return Transcript{}, fmt.Errorf("%w: version %d of a transcript, want 1", ErrTranscript, t.Version)
	}
	return t, nil
}
