package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// mostAside is how many mails are kept aside; the oldest go first.
const mostAside = 10_000

// asideFolder keeps mail that belongs to no question, one file each. Nobody is
// answered: who sent it may not be who it says.
type asideFolder struct {
	dir  string
	most int64 // octets of all of them; 0: any number
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex
	counted bool  // the next two were found in the folder, and have grown since
	mails   int   //
	bytes   int64 //
	dropped int64 // mails that had to go
}

func (c *call) newAside() *asideFolder {
	return &asideFolder{dir: c.cfg.Challenge.aside(), most: c.cfg.Challenge.AsideMax, now: c.now, log: c.log}
}

// figures are how much is kept, and how many mails had to go.
func (a *asideFolder) figures() (bytes, dropped int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes, a.dropped
}

// keep writes a mail down, named after when it came, its hash and the reason.
func (a *asideFolder) keep(_ context.Context, env mail.Envelope, why string) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	sum := sha256.Sum256(append([]byte(env.From+"\x00"), env.Raw...))
	at := env.At
	if at.IsZero() {
		at = a.now()
	}
	name := at.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(sum[:6]) + "-" + plainWord(why) + ".eml"
	var b bytes.Buffer
	fmt.Fprintf(&b, "X-Rollcall-Aside: %s\nX-Rollcall-From: <%s>\nX-Rollcall-To: %s\n", why, oneLine(env.From), oneLine(strings.Join(env.To, ", ")))
	b.Write(env.Raw)
	f, err := os.CreateTemp(a.dir, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(a.dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return a.grown(int64(b.Len()))
}

func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '-' {
			return r
		}
		return -1
	}, s)
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// asideMail is one mail that was kept aside.
type asideMail struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	Why  string    `json:"why"`
	From string    `json:"from"`
	Size int64     `json:"size"`
}

// list returns what is kept, the oldest first.
func (a *asideFolder) list() ([]asideMail, error) {
	names, err := a.names()
	if err != nil {
		return nil, err
	}
	out := make([]asideMail, 0, len(names))
	for _, name := range names {
		m := asideMail{Name: name}
		m.At, _ = time.Parse("20060102T150405", name[:min(15, len(name))])
		data, err := os.ReadFile(filepath.Join(a.dir, name))
		if err != nil {
			continue // taken away meanwhile
		}
		m.Size = int64(len(data))
		for line := range strings.SplitSeq(string(data[:min(len(data), 2000)]), "\n") {
			if v, ok := strings.CutPrefix(line, "X-Rollcall-Aside: "); ok {
				m.Why = v
			}
			if v, ok := strings.CutPrefix(line, "X-Rollcall-From: "); ok {
				m.From = v
				break
			}
		}
		out = append(out, m)
	}
	return out, nil
}

func (a *asideFolder) names() ([]string, error) {
	entries, err := os.ReadDir(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".eml") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// grown counts one mail more, and looks into the folder when there may be too many.
func (a *asideFolder) grown(n int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mails, a.bytes = a.mails+1, a.bytes+n
	if a.counted && a.mails <= mostAside && (a.most == 0 || a.bytes <= a.most) {
		return nil
	}
	return a.trim()
}

// trim takes away the oldest of too many, and a twentieth more, so that it is not
// needed again for each mail. The newest stays, however large.
func (a *asideFolder) trim() error {
	names, err := a.names()
	if err != nil {
		return err
	}
	sizes, bytes := make([]int64, len(names)), int64(0)
	for i, name := range names {
		if info, err := os.Lstat(filepath.Join(a.dir, name)); err == nil { // else it was taken away meanwhile
			sizes[i] = info.Size()
			bytes += sizes[i]
		}
	}
	gone := 0
	if len(names) > mostAside || a.most > 0 && bytes > a.most {
		tooMuch := func() bool {
			return len(names)-gone > mostAside-mostAside/20 || a.most > 0 && bytes > a.most-a.most/20
		}
		for ; gone < len(names)-1 && tooMuch(); gone++ {
			if err := os.Remove(filepath.Join(a.dir, names[gone])); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			bytes -= sizes[gone]
		}
		a.log.Warn("mails that were kept aside had to go", "folder", a.dir, "mails", gone, "kept", len(names)-gone)
	}
	a.counted, a.mails, a.bytes, a.dropped = true, len(names)-gone, bytes, a.dropped+int64(gone)
	return nil
}
