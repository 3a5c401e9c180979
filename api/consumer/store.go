package consumer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The files of a copy. They are for the owner only: what a token sees need not
// be public.
const (
	copyName    = "teams.ndjson"
	journalName = "changes.ndjson"
)

// maxLine is the longest line that is read.
const maxLine = 64 << 20

// errCut says that something ends too early or is not what its last line says.
var errCut = errors.New("consumer: cut off or damaged")

// head is the first line of a copy.
type head struct {
	Seq   int64     `json:"seq"`
	Epoch string    `json:"epoch"`
	At    time.Time `json:"at"` // of the snapshot that the copy began with
	Teams int       `json:"teams"`
}

// end is the last line of a copy.
type end struct {
	Teams  int    `json:"teams"`
	Gone   int    `json:"gone"`
	SHA256 string `json:"sha256"`
}

// commit ends a page in the journal.
type commit struct {
	Seq    int64  `json:"seq"`
	SHA256 string `json:"sha256"` // of the page's lines
}

// base says to which copy a journal belongs.
type base struct {
	Seq   int64  `json:"seq"`
	Epoch string `json:"epoch"`
}

// anyLine tells the lines of both files apart.
type anyLine struct {
	ID       string  `json:"id"`
	Op       string  `json:"op"`
	Snapshot *head   `json:"snapshot"`
	End      *end    `json:"end"`
	Commit   *commit `json:"commit"`
	Journal  *base   `json:"journal"`
}

// place is where the line of a team stands.
type place struct {
	file   *os.File
	offset int64
	length int
	gone   bool
}

// store is a copy and its journal. In memory are only the places of lines.
type store struct {
	dir     string
	head    head
	places  map[string]place
	copy    *os.File // nil: none yet
	journal *os.File
	size    int64 // of what is committed in the journal
	fresh   int64 // size of a journal in which nothing is
}

// openStore reads what is there. A copy that is damaged is none.
func openStore(dir string, log *slog.Logger) (*store, error) {
	s := &store{dir: dir}
	f, err := os.Open(filepath.Join(dir, copyName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.readCopy(f, f, io.Discard); err != nil {
		log.Warn("the copy can't be read and is taken anew", "err", err)
		*s = store{dir: dir}
		return s, f.Close()
	}
	s.copy = f
	if s.journal, err = os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR, 0o600); err == nil {
		if s.replay() {
			return s, nil
		}
		err = s.journal.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, f.Close())
	}
	return s, s.newJournal()
}

// lines reads a file line by line and knows where each begins.
type lines struct {
	in     *bufio.Reader
	offset int64 // behind the last line
}

// next returns a line without its end, which must be there.
func (l *lines) next() (line []byte, at int64, err error) {
	at = l.offset
	for {
		part, err := l.in.ReadSlice('\n')
		l.offset += int64(len(part))
		if len(line)+len(part) > maxLine {
			return nil, at, fmt.Errorf("%w: a line of more than %d bytes", errCut, maxLine)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], at, nil
		case errors.Is(err, io.EOF):
			return nil, at, fmt.Errorf("%w: it ends in the middle", errCut)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, at, err
		}
	}
}

// readCopy reads a copy from r, which is or becomes the content of file, and
// writes it to out on the way. What it says holds only when there is no error.
func (s *store) readCopy(r io.Reader, file *os.File, out io.Writer) error {
	in := &lines{in: bufio.NewReaderSize(r, 1<<20)}
	s.places = map[string]place{}
	sum, gone := sha256.New(), 0
	for n := 0; ; n++ {
		line, at, err := in.next()
		if err != nil {
			return err
		}
		var l anyLine
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("%w: line %d: %w", errCut, n+1, err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
		switch {
		case n == 0 && l.Snapshot != nil && l.Snapshot.Epoch != "":
			s.head = *l.Snapshot
		case n > 0 && l.ID != "":
			sum.Write(append(line, '\n'))
			s.places[l.ID] = place{file, at, len(line), l.Op == "delete"}
			if l.Op == "delete" {
				gone++
			}
		case n > 0 && l.End != nil:
			return checkEnd(in, l.End, end{Teams: len(s.places) - gone, Gone: gone, SHA256: hexOf(sum)})
		default:
			return fmt.Errorf("%w: line %d has no place in a snapshot", errCut, n+1)
		}
	}
}

func checkEnd(in *lines, said *end, have end) error {
	if *said != have {
		return fmt.Errorf("%w: %d teams, %d gone, SHA-256 %s; the last line says %d, %d, %s", errCut, have.Teams, have.Gone, have.SHA256, said.Teams, said.Gone, said.SHA256)
	}
	if _, err := in.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is more behind the last line", errCut)
	}
	return nil
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// replay applies the journal. What a crash left behind its last whole page is
// cut away. false: the journal belongs to another copy.
func (s *store) replay() bool {
	in := &lines{in: bufio.NewReaderSize(s.journal, 1<<20)}
	line, _, err := in.next()
	var l anyLine
	if err != nil || json.Unmarshal(line, &l) != nil || l.Journal == nil || *l.Journal != (base{s.head.Seq, s.head.Epoch}) {
		return false
	}
	s.fresh = in.offset
	s.size = in.offset
	sum, pending := sha256.New(), map[string]place{}
	for {
		line, at, err := in.next()
		l = anyLine{}
		if err != nil || json.Unmarshal(line, &l) != nil {
			break
		}
		if l.Commit == nil {
			sum.Write(append(line, '\n'))
			pending[l.ID] = place{s.journal, at, len(line), l.Op == "delete"}
			continue
		}
		if l.Commit.SHA256 != hexOf(sum) {
			break
		}
		s.apply(l.Commit.Seq, pending)
		s.size = in.offset
		sum, pending = sha256.New(), map[string]place{}
	}
	return s.journal.Truncate(s.size) == nil
}

// apply takes in a committed page.
func (s *store) apply(seq int64, page map[string]place) {
	s.head.Seq = seq
	for id, p := range page {
		old, known := s.places[id]
		if known && !old.gone {
			s.head.Teams--
		}
		if !p.gone {
			s.head.Teams++
		}
		s.places[id] = p
	}
}

// dirty reports whether changes came since teams.ndjson was written.
func (s *store) dirty() bool { return s.journal != nil && s.size > s.fresh }

// commit puts a page and its position into the journal, as one.
func (s *store) commit(p *page) error {
	if len(p.Changes) == 0 {
		s.head.Seq = p.Next // costs nothing to learn again
		return nil
	}
	var b bytes.Buffer
	places := map[string]place{}
	for i := range p.Changes {
		line, err := p.Changes[i].line()
		if err != nil {
			return err
		}
		places[p.Changes[i].ID] = place{s.journal, s.size + int64(b.Len()), len(line), p.Changes[i].Op == "delete"}
		b.Write(line)
		b.WriteByte('\n')
	}
	sum := sha256.Sum256(b.Bytes())
	if err := writeLine(&b, map[string]commit{"commit": {p.Next, hex.EncodeToString(sum[:])}}); err != nil {
		return err
	}
	// At its place, so that a page that could not be written is written over.
	if _, err := s.journal.WriteAt(b.Bytes(), s.size); err != nil {
		return err
	}
	if err := s.journal.Sync(); err != nil {
		return err
	}
	s.size += int64(b.Len())
	s.apply(p.Next, places)
	return nil
}

// writeLine writes v as one line of JSON.
func writeLine(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// replace puts a snapshot in place of the copy, once all of it has come.
func (s *store) replace(body io.Reader) error {
	next := &store{dir: s.dir}
	return s.swap(next, func(f *os.File) error {
		out := bufio.NewWriterSize(f, 1<<20)
		if err := next.readCopy(body, f, out); err != nil {
			return err
		}
		return out.Flush()
	})
}

// write writes the copy as it is with its journal.
func (s *store) write() error {
	next := &store{dir: s.dir, head: s.head, places: make(map[string]place, len(s.places))}
	return s.swap(next, func(f *os.File) error {
		out := bufio.NewWriterSize(f, 1<<20)
		if err := s.copyTo(out, f, next.places); err != nil {
			return err
		}
		return out.Flush()
	})
}

// copyTo writes the whole copy, in the order of a snapshot.
func (s *store) copyTo(out io.Writer, file *os.File, places map[string]place) error {
	count := &counter{w: out}
	if err := writeLine(count, map[string]head{"snapshot": s.head}); err != nil {
		return err
	}
	sum, gone := sha256.New(), 0
	body := io.MultiWriter(sum, count)
	ids := slices.Sorted(maps.Keys(s.places))
	var line []byte
	for _, want := range []bool{false, true} { // those that are gone come last
		for _, id := range ids {
			p := s.places[id]
			if p.gone != want {
				continue
			}
			if p.gone {
				gone++
			}
			line = slices.Grow(line[:0], p.length+1)[:p.length]
			if _, err := p.file.ReadAt(line, p.offset); err != nil {
				return fmt.Errorf("team %s: %w", id, err)
			}
			places[id] = place{file, count.n, p.length, p.gone}
			if _, err := body.Write(append(line, '\n')); err != nil {
				return err
			}
		}
	}
	return writeLine(count, map[string]end{"end": {Teams: len(ids) - gone, Gone: gone, SHA256: hexOf(sum)}})
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

// Write implements [io.Writer].
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// swap makes next, whose copy fill writes, the content of s. At each moment
// the folder holds one whole copy: a journal that belongs to the one before is
// known by its first line.
func (s *store) swap(next *store, fill func(*os.File) error) error {
	f, err := s.put(copyName, fill)
	if err != nil {
		return err
	}
	next.copy = f
	if err := next.newJournal(); err != nil {
		return errors.Join(err, f.Close())
	}
	old := *s
	*s = *next
	return old.close()
}

// newJournal puts an empty journal for the copy in place of whatever is there.
func (s *store) newJournal() error {
	var b bytes.Buffer
	if err := writeLine(&b, map[string]base{"journal": {s.head.Seq, s.head.Epoch}}); err != nil {
		return err
	}
	f, err := s.put(journalName, func(f *os.File) error {
		_, err := f.Write(b.Bytes())
		return err
	})
	s.journal, s.size, s.fresh = f, int64(b.Len()), int64(b.Len())
	return err
}

// put writes a file that appears under its name whole or not at all, and
// leaves it open.
func (s *store) put(name string, fill func(*os.File) error) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "."+name+".new"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, name))
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncDir puts the names of a folder on the disk.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *store) close() error {
	var err error
	for _, f := range []*os.File{s.copy, s.journal} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
