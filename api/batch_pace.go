package api

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// A batch may take longer than the server lets other requests take. Its body
// and its answer have deadlines that move with progress: whoever sends or
// reads less than 64 KiB within the patience is cut off.

const (
	batchPatience = 30 * time.Second
	batchStep     = 64 << 10
)

// pacedBody reads the body of a batch.
type pacedBody struct {
	r        io.Reader
	control  *http.ResponseController
	patience time.Duration
	ahead    *aheadReader // nil: it is read as it is asked for

	left  int           // of the present step, in octets
	spare time.Duration // and the time that is left to read it

	mu      sync.Mutex
	stopped bool  // nothing more will be read
	err     error // of the last Read
}

func newPacedBody(w http.ResponseWriter, r *http.Request, most int64, patience time.Duration) *pacedBody {
	if patience == 0 {
		patience = batchPatience
	}
	return &pacedBody{r: http.MaxBytesReader(w, r.Body, most), control: http.NewResponseController(w), patience: patience}
}

// Read implements io.Reader. Only the time spent here counts: while the answer
// waits for its reader, nobody reads the body.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left <= 0 {
		b.left, b.spare = batchStep, b.patience
	}
	start := time.Now() // of the connection, not of the domain
	if !b.until(start.Add(b.spare)) {
		return 0, io.ErrClosedPipe
	}
	n, err := b.r.Read(p)
	b.left -= n
	b.spare -= time.Since(start)
	if err != nil {
		// Or net/http, which goes on reading to see the client leave, would
		// take the deadline for that.
		b.until(time.Time{})
		b.finish(err)
	}
	return n, err
}

// finish notes that nothing more will be read.
func (b *pacedBody) finish(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped, b.err = true, err
}

// until sets the deadline, unless the body was given up. A writer that knows no
// deadlines has none.
func (b *pacedBody) until(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		_ = b.control.SetReadDeadline(t)
	}
	return !b.stopped
}

// stop makes a Read that waits return, and every later one.
func (b *pacedBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.stopped = true
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// end waits until nobody reads any more.
func (b *pacedBody) end() {
	if b.ahead != nil {
		b.stop()
		b.ahead.wait()
	}
}

// leave is for an answer that does not wait for the rest of the body. A little
// of it is read, or the client would see the connection break before it has
// read the answer; and no other request follows: net/http must not find the end
// of this body by itself after EnableFullDuplex.
func (b *pacedBody) leave(w http.ResponseWriter, r *http.Request) {
	b.stop()
	b.end()
	b.linger()
	if n, err := io.CopyN(io.Discard, r.Body, 256<<10); n > 0 || err != io.EOF {
		w.Header().Set("Connection", "close")
	}
	_ = b.control.SetReadDeadline(time.Time{})
}

// linger gives net/http a moment to read what the client is still sending:
// closing a connection with something unread throws away what the client has
// not read.
func (b *pacedBody) linger() { _ = b.control.SetReadDeadline(time.Now().Add(b.patience / 10)) }

// batchConn writes the answer to a batch.
type batchConn struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	media    string
	begun    bool
	failed   bool // nobody reads any more
}

// Write implements io.Writer. It is given 64 KiB at a time.
func (p *batchConn) Write(data []byte) (int, error) {
	if !p.begun {
		p.begun = true
		if p.media == string(BatchCSV) {
			p.media += "; charset=utf-8; header=present" // RFC 4180 section 3
		}
		p.w.Header()["Content-Type"] = []string{p.media}
	}
	_ = p.control.SetWriteDeadline(time.Now().Add(p.patience))
	n, err := p.w.Write(data)
	p.failed = p.failed || err != nil
	return n, err
}

// done gives the connection back as net/http lent it.
func (p *batchConn) done(r *http.Request) {
	deadline := time.Time{}
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		deadline = time.Now().Add(server.WriteTimeout)
	}
	_ = p.control.SetWriteDeadline(deadline)
}

// aheadReader reads on while nobody asks, up to 16 MiB more than was asked for.
type aheadReader struct {
	blocks  chan []byte
	err     error // why there are no more blocks; of the goroutine until it closes blocks
	block   []byte
	reading sync.WaitGroup
	over    chan struct{}
	ended   sync.Once
}

const (
	aheadBlock  = 32 << 10
	aheadBlocks = 512
)

// readAhead starts to read the body, until end.
func (b *pacedBody) readAhead() *aheadReader {
	a := &aheadReader{blocks: make(chan []byte, aheadBlocks), over: make(chan struct{})}
	a.reading.Go(func() { a.read(b) })
	b.ahead = a
	return a
}

func (a *aheadReader) read(r io.Reader) {
	defer close(a.blocks)
	for a.err == nil {
		block := make([]byte, aheadBlock)
		var n int
		if n, a.err = r.Read(block); n == 0 {
			continue
		}
		if n < aheadBlock/2 {
			block = append([]byte(nil), block[:n]...) // many small ones would hold much more than 16 MiB
		}
		select {
		case a.blocks <- block[:n]:
		case <-a.over:
			return
		}
	}
}

// Read implements io.Reader.
func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.block) == 0 {
		block, more := <-a.blocks
		if !more {
			return 0, a.err
		}
		a.block = block
	}
	n := copy(p, a.block)
	a.block = a.block[n:]
	return n, nil
}

// wait ends the reading, which must have been stopped.
func (a *aheadReader) wait() {
	a.ended.Do(func() { close(a.over) })
	a.reading.Wait()
}
