package api

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// A body that was compressed may grow by mostGrowth, once it is larger than
// freeGrowth; text does by ten or twenty, a bomb by a thousand. The limit of the
// operation is on what comes out.
const (
	mostGrowth = 100
	freeGrowth = 1 << 20
)

var errBomb = errors.New("the body grows too much when it is decompressed")

// inflate makes the body of a request what it was before it was compressed.
func inflate(w http.ResponseWriter, r *http.Request) error {
	if r.Header["Content-Encoding"] == nil {
		return nil
	}
	var codings []string
	for _, c := range strings.Split(strings.Join(r.Header["Content-Encoding"], ","), ",") {
		if c = strings.ToLower(strings.TrimSpace(c)); c != "" && c != "identity" {
			codings = append(codings, c)
		}
	}
	switch {
	case len(codings) == 0:
		return nil
	case len(codings) > 1 || !slices.Contains([]string{"gzip", "x-gzip"}, codings[0]):
		w.Header().Set("Accept-Encoding", "gzip") // RFC 9110 section 15.5.16
		return inParameter("Content-Encoding", edgeError(wrongMedia, "body.encoding", strings.Join(codings, ", "), "not a coding that is understood here", "gzip, once, or none"))
	}
	r.Body = &inflater{packed: counted{ReadCloser: r.Body}}
	r.ContentLength = -1
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	return nil
}

// inflater decompresses; it begins to read with the first Read, since what was
// sent so far may wait for a 100 Continue.
type inflater struct {
	packed counted
	zip    *gzip.Reader
	out    int64
}

type counted struct {
	io.ReadCloser
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

// Read implements io.Reader.
func (i *inflater) Read(p []byte) (n int, err error) {
	if i.zip == nil {
		if i.zip, err = gzip.NewReader(&i.packed); err != nil {
			return 0, fmt.Errorf("not gzip: %w", err)
		}
	}
	n, err = i.zip.Read(p)
	i.out += int64(n)
	if i.out > freeGrowth && i.out > mostGrowth*i.packed.n {
		return 0, errBomb
	}
	return n, err
}

// Close implements io.Closer.
func (i *inflater) Close() error { return i.packed.Close() }
