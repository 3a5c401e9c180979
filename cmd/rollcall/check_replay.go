package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
)

// transcriptSaver writes transcripts into a folder.
type transcriptSaver struct{ dir string }

// saver makes the folder of --save; nil where nothing is kept.
func (p *checkPrinter) saver() (*transcriptSaver, error) {
	if p.flags.save == "" {
		return nil, nil
	}
	if err := os.MkdirAll(p.flags.save, 0o777); err != nil {
		return nil, usage(p.cmd, "save: %v", err)
	}
	return &transcriptSaver{p.flags.save}, nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9.@_-]+`)

// keep writes a transcript and returns the name of its file. The name tells
// what it is; the hash in it keeps two runs apart.
func (s *transcriptSaver) keep(t verify.Transcript) (string, error) {
	data, hash, err := t.Encode()
	if err != nil {
		return "", err
	}
	id := notInNames.ReplaceAllString(t.Target.Subject.ID, "_")
	name := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%s.json.gz", t.Check, id[:min(len(id), 100)], hash[:12]))
	return name, os.WriteFile(name, data, 0o666)
}

// replays runs again what was recorded. Transcripts of one subject at one
// moment make one report.
func (p *checkPrinter) replays() error {
	cfg, err := p.catalog()
	if err != nil {
		return err
	}
	checks := cfg.Checks()
	var list []*checkSubject
	networks := map[*checkRun]verify.Network{}
	for _, name := range p.flags.replay {
		t, err := p.transcript(name)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == t.Check })
		if i < 0 {
			return usage(p.cmd, "replay: %s: a transcript of the check %q, which does not exist here", name, t.Check)
		}
		s := subjectOf(&list, &t)
		r := &checkRun{check: checks[i], target: t.Target}
		s.runs = append(s.runs, r)
		networks[r] = verify.Replay(t)
	}
	return p.runAll(list, func(r *checkRun) {
		r.outcome = outcomeOf(r.check.Name, r.target.Subject.ID, runCheck(p.ctx, p.flags.timeout, r.check, networks[r], r.target))
	})
}

// subjectOf finds the subject that a transcript belongs to, or makes one.
func subjectOf(list *[]*checkSubject, t *verify.Transcript) *checkSubject {
	for _, s := range *list {
		if about := s.runs[0].target; about.Subject == t.Target.Subject && about.Now.Equal(t.Target.Now) {
			return s
		}
	}
	kind := string(t.Target.Subject.Kind)
	if t.Target.Subject.Kind == verify.SubjectContact && strings.Contains(t.Target.Subject.ID, "@") {
		kind = "email"
	}
	s := &checkSubject{id: t.Target.Subject.ID, kind: kind}
	*list = append(*list, s)
	return s
}

var transcriptHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// transcript reads what a file holds, or what the store has by a hash.
func (p *checkPrinter) transcript(name string) (verify.Transcript, error) {
	data, err := p.transcriptData(name)
	if err != nil {
		return verify.Transcript{}, err
	}
	t, err := verify.DecodeTranscript(data)
	if err != nil {
		return t, usage(p.cmd, "replay: %s: %v", name, err)
	}
	return t, nil
}

func (p *checkPrinter) transcriptData(name string) (data []byte, err error) {
	data, err = p.readSome(name, verify.MaxTranscript)
	if !errors.Is(err, fs.ErrNotExist) || !transcriptHash.MatchString(name) {
		return data, err
	}
	if p.cfg.DB == "" {
		return nil, usage(p.cmd, "replay: %s is a hash; want --db with the database that keeps its transcript, or a file", name)
	}
	err = p.withStore(func(db *store.DB) error {
		data, err = db.Transcript(p.ctx, name)
		return err
	}, store.MustExist)
	if directory.KindOf(err) == directory.NotFound {
		err = usage(p.cmd, "replay: %s: no such file, and the database keeps no such transcript", name)
	}
	return data, err
}

// readSome reads a file, or the standard input for "-": at most limit octets
// and one more, by which the reader sees that it was too large. A file that
// can't be read is wrong usage.
func (p *checkPrinter) readSome(name string, limit int64) ([]byte, error) {
	in := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return data, nil
}
