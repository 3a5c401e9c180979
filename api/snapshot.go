package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

type (
	snapshotInput struct {
		IfNoneMatch string `header:"If-None-Match" doc:"ETag of a snapshot that is there already; when it is still true, the answer is 304" example:"W/\"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6-812-498811\""`
	}
	snapshotOutput struct {
		Status int
		Seq    int64  `header:"X-Snapshot-Seq" doc:"The number after which to ask for changes"`
		Epoch  string `header:"X-Snapshot-Epoch" doc:"What the number belongs to"`
		ETag   string `header:"ETag" doc:"Of the directory at this number, as the viewer sees it, and of the hour, since proof ages"`
		Cache  string `header:"Cache-Control" hidden:"true"`
		Vary   string `header:"Vary" hidden:"true"`
		Body   func(huma.Context)
	}
)

const (
	// maxSnapshots is how many snapshots are written at once.
	maxSnapshots = 8
	// snapshotChunk is how many teams are rendered together.
	snapshotChunk = 256
	// leastPace is how many bytes a second a client reads at least, over the
	// whole of a snapshot: a slow one keeps an old index in memory.
	leastPace = 64 << 10
)

const snapshotExample = `{"snapshot":{"seq":812,"epoch":"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6","at":"2026-11-21T20:00:00Z","teams":1}}
{"id":"5694da62-6314-4565-9c4d-1298538826be","handle":"example-csirt","name":"EXAMPLE-CSIRT","revision":7,"seq":812}
{"id":"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d","op":"delete","merged_into":"5694da62-6314-4565-9c4d-1298538826be"}
{"end":{"teams":1,"gone":1,"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
`

func (s *Server) registerSnapshot() {
	sp := spec{id: "snapshot", rate: rateBulk, method: http.MethodGet, path: "/v1/snapshot", tag: "sync", access: public,
		summary: "Take a snapshot of all teams",
		more: "NDJSON: first a line with the number of the last change, then all teams as the viewer may see them in the order of their ids, then those that were merged or deleted, and at last a line with their numbers " +
			"and the SHA-256 of all lines between the first and the last; without it the snapshot is cut off. It is one moment: changes after its number complete it. Compressed with gzip where Accept-Encoding says so."}
	register(s, sp, s.snapshot)
	op := operationAt(s.huma.OpenAPI().Paths[sp.path], sp.method)
	op.Responses["200"].Content = map[string]*huma.MediaType{ndjson: {Schema: &huma.Schema{Type: huma.TypeString}, Example: snapshotExample}}
	op.Responses["304"] = &huma.Response{Description: "Not Modified"}
}

const ndjson = "application/x-ndjson"

func (s *Server) snapshot(ctx context.Context, in *snapshotInput) (*snapshotOutput, error) {
	c, x, now := callFrom(ctx), s.cfg.Index(), s.cfg.Now()
	if x == nil {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "take snapshot", Err: errors.New("no index yet")}
	}
	e := epoch(x, &c.viewer)
	out := &snapshotOutput{Status: http.StatusOK, Seq: x.Seq(), Epoch: e, Cache: "private, no-cache", Vary: "Accept-Encoding, Authorization",
		// Weak, since a proof may run out within the hour.
		ETag: fmt.Sprintf(`W/"%s-%d-%d"`, e, x.Seq(), now.Unix()/3600)}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		out.Body = func(h huma.Context) { h.SetStatus(http.StatusNotModified) }
		return out, nil
	}
	leave, ok := s.snapshots.enter(&c.viewer)
	if !ok {
		return nil, busy("snapshot.busy", "too many snapshots are being taken", "the same request in a moment")
	}
	out.Body = func(h huma.Context) {
		defer leave()
		s.writeSnapshot(ctx, h, &snapshotter{s: s, viewer: c.viewer, x: x, epoch: e, now: now})
	}
	return out, nil
}

// matches is the weak comparison of RFC 9110 section 13.1.2.
func matches(given, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for one := range strings.SplitSeq(given, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == "*" || one == tag {
			return true
		}
	}
	return false
}

// writeSnapshot answers with a snapshot. A failure in the middle cuts the
// connection: half a snapshot must not look whole.
func (s *Server) writeSnapshot(ctx context.Context, h huma.Context, n *snapshotter) {
	c := callFrom(ctx)
	h.SetHeader("Content-Type", ndjson)
	zipped := takesGzip(c.r.Header.Values("Accept-Encoding"))
	if zipped {
		h.SetHeader("Content-Encoding", "gzip")
	}
	h.SetStatus(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return
	}
	var out io.Writer = &pacedWriter{w: c.w, control: http.NewResponseController(c.w), begun: time.Now()}
	var err error
	if zipped {
		var z *gzip.Writer
		if z, err = gzip.NewWriterLevel(out, gzip.BestSpeed); err == nil {
			err = errors.Join(n.write(ctx, z), z.Close())
		}
	} else {
		err = n.write(ctx, out)
	}
	if err != nil {
		s.cfg.Log.Warn("snapshot was cut off", "request", c.id, "seq", n.x.Seq(), "err", err)
		panic(http.ErrAbortHandler)
	}
}

// takesGzip reads Accept-Encoding (RFC 9110 section 12.5.3).
func takesGzip(lines []string) bool {
	for one := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, weight, _ := strings.Cut(strings.ToLower(one), ";")
		if name = strings.TrimSpace(name); name != "gzip" && name != "x-gzip" {
			continue
		}
		_, q, _ := strings.Cut(weight, "q=")
		f, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return err != nil || f > 0
	}
	return false
}

// pacedWriter gives the client a minute for each piece, and for the whole as
// long as the least pace allows; the limit of the server for answers of usual
// size would cut a snapshot.
type pacedWriter struct {
	w       io.Writer
	control *http.ResponseController
	begun   time.Time
	sent    int
}

// Write implements [io.Writer].
func (p *pacedWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		piece := b[:min(len(b), leastPace)]
		limit := p.begun.Add(patience + time.Duration(p.sent/leastPace)*time.Second)
		if soon := time.Now().Add(patience); soon.Before(limit) {
			limit = soon
		}
		_ = p.control.SetWriteDeadline(limit) // not every writer knows deadlines
		var wrote int
		wrote, err = p.w.Write(piece)
		n, p.sent, b = n+wrote, p.sent+wrote, b[len(piece):]
	}
	return n, err
}

// snapshotter writes one snapshot of an index, which nobody changes: no
// transaction is held, however slowly a client reads.
type snapshotter struct {
	s      *Server
	viewer directory.Principal
	x      *directory.Index
	epoch  string
	now    time.Time

	hash hash.Hash
}

func (n *snapshotter) write(ctx context.Context, out io.Writer) error {
	teams := n.x.Sorted()
	line := fmt.Appendf(nil, `{"snapshot":{"seq":%d,"epoch":%q,"at":%q,"teams":%d}}`+"\n", n.x.Seq(), n.epoch, n.now.UTC().Format(time.RFC3339Nano), len(teams))
	if _, err := out.Write(line); err != nil {
		return err
	}
	n.hash = sha256.New()
	body := io.MultiWriter(n.hash, out)
	if err := n.teams(ctx, body, teams); err != nil {
		return err
	}
	gone, err := n.gone(body)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `{"end":{"teams":%d,"gone":%d,"sha256":"%s"}}`+"\n", len(teams), gone, hex.EncodeToString(n.hash.Sum(nil)))
	return err
}

func (n *snapshotter) gone(out io.Writer) (count int, err error) {
	b := make([]byte, 0, 64<<10)
	for id, into := range n.x.Gone() {
		b = appendString(append(b, `{"id":`...), string(id))
		b = appendOptional(append(b, `,"op":"delete"`...), `,"merged_into":`, string(into))
		b = append(b, "}\n"...)
		count++
		if len(b) > 60<<10 {
			if _, err := out.Write(b); err != nil {
				return count, err
			}
			b = b[:0]
		}
	}
	_, err = out.Write(b)
	return count, err
}

// teams renders chunks on all processors and writes them in their order. Few
// chunks are under way at once, however large the directory is.
func (n *snapshotter) teams(ctx context.Context, out io.Writer, teams []*directory.Team) error {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	free := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	queue := make(chan chan *bytes.Buffer, runtime.GOMAXPROCS(0))
	workers.Go(func() {
		defer close(queue)
		for chunk := range slices.Chunk(teams, snapshotChunk) {
			one := make(chan *bytes.Buffer, 1)
			select {
			case queue <- one:
			case <-ctx.Done():
				return
			}
			workers.Go(func() { one <- n.render(free.Get().(*bytes.Buffer), chunk) })
		}
	})
	for one := range queue {
		b := <-one
		if _, err := out.Write(b.Bytes()); err != nil {
			return err
		}
		b.Reset()
		free.Put(b)
	}
	return ctx.Err()
}

func (n *snapshotter) render(b *bytes.Buffer, teams []*directory.Team) *bytes.Buffer {
	for _, t := range teams {
		n.s.writeShown(b, t, &n.viewer, n.now)
		b.WriteByte('\n')
	}
	return b
}
