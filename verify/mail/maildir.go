package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Maildir is a folder into which an MTA delivers: new mails lie in new/, and are moved to
// cur/ when they were taken over.
type Maildir struct {
	Dir     string
	Accepts func(address string) bool // which addresses in Delivered-To and the like are ours
	Handle  Handler
	MaxSize int64 // 0: 1 MiB
	Now     func() time.Time
}

// maxScan is how many mails one scan takes.
const maxScan = 1000

// Scan takes over what lies in new/, the oldest first. A mail that the handler refuses for now stays; one that is not
// ours or too large is moved aside, marked as trashed. It goes on after a mail in trouble, and
// returns all errors joined. Two may scan at once: what one moved is gone for the other, and the handler may see
// a mail twice after a crash.
func (d Maildir) Scan(ctx context.Context) (taken int, err error) {
	entries, err := os.ReadDir(filepath.Join(d.Dir, "new"))
	if err != nil {
		return 0, fmt.Errorf("mail: maildir: %w", err)
	}
	var names []string
	for _, e := range entries { // names begin with the time of delivery
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	var errs []error
	for _, name := range names[:min(len(names), maxScan)] {
		if ctx.Err() != nil {
			return taken, errors.Join(append(errs, ctx.Err())...)
		}
		ok, err := d.take(ctx, name)
		if err != nil && len(errs) < 10 {
			errs = append(errs, fmt.Errorf("mail: maildir: %s: %w", name, err))
		}
		if ok {
			taken++
		}
	}
	return taken, errors.Join(errs...)
}

// take takes one mail. Flags: S for seen, T for trashed.
func (d Maildir) take(ctx context.Context, name string) (bool, error) {
	path := filepath.Join(d.Dir, "new", name)
	raw, err := readMail(path, orSize(d.MaxSize))
	switch {
	case errors.Is(err, fs.ErrNotExist): // another took it
		return false, nil
	case errors.Is(err, errTooLarge):
		return false, errors.Join(err, d.move(path, name, "T"))
	case err != nil:
		return false, err
	}
	env := envelopeOf(raw, d.Accepts)
	if env.At = time.Now(); d.Now != nil {
		env.At = d.Now()
	}
	switch err := d.Handle(ctx, env); {
	case errors.Is(err, ErrNotOurs):
		return false, d.move(path, name, "T")
	case err != nil:
		return false, err
	}
	return true, d.move(path, name, "S")
}

func (d Maildir) move(path, name, flag string) error {
	base, _, _ := strings.Cut(name, ":2,")
	err := os.Rename(path, filepath.Join(d.Dir, "cur", base+":2,"+flag))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var errTooLarge = errors.New("mail: too large")

func orSize(n int64) int64 {
	if n == 0 {
		return 1 << 20
	}
	return n
}

// readMail reads a file up to a limit, and no link to somewhere else.
func readMail(path string, most int64) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("no regular file")
	case info.Size() > most:
		return nil, errTooLarge
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return readLimited(f, most)
}

func readLimited(r io.Reader, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > most {
		return nil, errTooLarge
	}
	return raw, nil
}

// envelopeOf finds the envelope in what an MTA wrote on delivery: Return-Path (RFC 5321 section 4.4),
// and the recipient in one of three fields. Only recipients that are ours count; without one, To is looked at.
// Where nobody wrote down the sender, as on a pipe without that flag, it is who the mail is from: a null sender, by
// which programs are known, is one that is there and empty.
func envelopeOf(raw []byte, accepts func(string) bool) Envelope {
	env := Envelope{Raw: raw}
	r := reader{limits: Limits{}.orDefault()}
	h, _, err := r.fields(raw)
	if err != nil {
		return env // Read will say why
	}
	env.From = returnPath(h.Get("Return-Path"))
	if from := addresses(h.Get("From")); len(h.All("Return-Path")) == 0 && len(from) == 1 {
		env.From = from[0]
	}
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"} {
		for _, v := range h.All(name) {
			for _, a := range append(addresses(v), strings.TrimSpace(v)) {
				if accepts(a) && !slices.Contains(env.To, a) && len(env.To) < maxHandles {
					env.To = append(env.To, a)
				}
			}
		}
	}
	return env
}

// returnPath reads a return path as mail servers write it down: for the null path of bounces, Postfix's pipe(8)
// without null_sender= and Sendmail have MAILER-DAEMON, without a domain.
func returnPath(text string) string {
	text = strings.Trim(text, "<> ")
	if strings.EqualFold(text, "MAILER-DAEMON") {
		return ""
	}
	return text
}
