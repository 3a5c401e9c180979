package api

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	// zipFrom is the size from which an answer is worth compressing: what fits
	// into one packet arrives no sooner for being smaller.
	zipFrom = 1 << 10
	// zipLookupFrom is that of single lookups, whose answers are short and
	// which are asked for by the thousand; many clients say Accept-Encoding
	// without having thought about it.
	zipLookupFrom = 4 << 10
)

// zippers are what compresses answers, used again and again: one has more than
// a megabyte of tables.
type zippers struct{ pool sync.Pool }

func (z *zippers) get(w http.ResponseWriter) *gzip.Writer {
	if g, ok := z.pool.Get().(*gzip.Writer); ok {
		g.Reset(w)
		return g
	}
	g, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // never fails: the level exists
	return g
}

// zipped serves a request whose answer may be compressed. When serve panics
// the stream is left without its end: half an answer must not look whole.
func (s *Server) zipped(w http.ResponseWriter, r *http.Request, from int, serve func(http.ResponseWriter, *http.Request)) {
	z := &zipWriter{ResponseWriter: w, zippers: &s.zippers, from: from}
	serve(z, r)
	z.finish()
}

// wantsGzip reports whether an Accept-Encoding (RFC 9110 section 12.5.3) takes
// gzip. Where identity is preferred, that is what is sent.
func wantsGzip(values []string) bool {
	zip, plain, any := -1.0, -1.0, -1.0
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		name, q := quality(part)
		switch strings.ToLower(name) {
		case "gzip", "x-gzip":
			zip = max(zip, q)
		case "identity":
			plain = q
		case "*":
			any = q
		}
	}
	if zip < 0 {
		zip = any
	}
	return zip > 0 && zip >= plain
}

// quality splits "gzip;q=0.5". A weight that is none counts as 0, so that what
// is not understood is not used.
func quality(part string) (name string, q float64) {
	name, parameters, _ := strings.Cut(part, ";")
	q = 1
	for _, p := range strings.Split(parameters, ";") {
		if key, value, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || f < 0 || f > 1 {
				f = 0
			}
			q = f
		}
	}
	return strings.TrimSpace(name), q
}

// zipWriter compresses an answer once it is known to be worth it. Deadlines
// and full duplex pass through Unwrap.
type zipWriter struct {
	http.ResponseWriter
	zippers *zippers
	from    int
	status  int
	waiting []byte // what was written before it was decided
	zip     *gzip.Writer
	plain   bool
}

// Unwrap is for [http.ResponseController].
func (z *zipWriter) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// WriteHeader notes the status; it is sent when it is decided how.
func (z *zipWriter) WriteHeader(status int) {
	switch {
	case status < 200:
		z.ResponseWriter.WriteHeader(status)
	case z.status != 0:
	case status == http.StatusNoContent, status == http.StatusNotModified:
		z.status = status
		z.begin(false)
	default:
		z.status = status
	}
}

// Write implements io.Writer.
func (z *zipWriter) Write(p []byte) (int, error) {
	switch {
	case z.zip != nil:
		return z.zip.Write(p)
	case z.plain:
		return z.ResponseWriter.Write(p)
	case !z.worth():
		z.begin(false)
		return z.ResponseWriter.Write(p)
	}
	z.waiting = append(z.waiting, p...)
	if len(z.waiting) < z.from {
		return len(p), nil
	}
	return len(p), z.begin(true)
}

// worth looks at what the handler said about its answer.
func (z *zipWriter) worth() bool {
	h := z.Header()
	if h.Get("Content-Encoding") != "" || h.Get("Content-Range") != "" {
		return false
	}
	if n, err := strconv.Atoi(h.Get("Content-Length")); err == nil && n < z.from {
		return false
	}
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "json") || strings.HasSuffix(media, "yaml") || strings.HasSuffix(media, "xml")
}

// begin sends the header and what was held back.
func (z *zipWriter) begin(zip bool) error {
	var to interface{ Write([]byte) (int, error) } = z.ResponseWriter
	z.plain = !zip
	if zip {
		h := z.Header()
		h.Del("Content-Length")
		h.Set("Content-Encoding", "gzip")
		z.zip = z.zippers.get(z.ResponseWriter)
		to = z.zip
	}
	if z.status != 0 {
		z.ResponseWriter.WriteHeader(z.status)
	}
	if len(z.waiting) == 0 {
		return nil
	}
	_, err := to.Write(z.waiting)
	z.waiting = nil
	return err
}

// FlushError sends what was written so far, for [http.ResponseController].
func (z *zipWriter) FlushError() error {
	if z.zip == nil && !z.plain {
		if err := z.begin(z.worth()); err != nil {
			return err
		}
	}
	if z.zip != nil {
		if err := z.zip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(z.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (z *zipWriter) Flush() { _ = z.FlushError() } // the client has gone

// finish ends the answer.
func (z *zipWriter) finish() {
	switch {
	case z.zip != nil:
		_ = z.zip.Close() // the client has gone
		z.zippers.pool.Put(z.zip)
	case !z.plain && (z.status != 0 || len(z.waiting) > 0):
		_ = z.begin(false)
	}
}
