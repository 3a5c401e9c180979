// Package consumer keeps a copy of a Rollcall directory in a folder and
// follows the server's changes. Its centre is [Mirror].
//
// The folder holds teams.ndjson, the whole directory in the form of
// /v1/snapshot, which is replaced as a whole and can be read by anybody at any
// time; and changes.ndjson, a journal of what came since. A page of changes
// and the position behind it are one entry of the journal, on the disk before
// the next page is asked for: after a crash the copy goes on where it was.
// Equal last lines mean equal directories: they hold the SHA-256 of all lines
// between the first and the last.
//
// It interprets nothing: what a team looks like is the server's business, so
// that an older consumer follows a newer server.
package consumer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Config is what a [Mirror] needs.
type Config struct {
	Server string       // URL of the server; required
	Token  string       // "" sees what everybody may see
	Dir    string       // folder of the copy, made when missing; required
	HTTP   *http.Client // nil: one that follows no redirects, which would carry the token elsewhere
	Agent  string       // User-Agent; "" is rollcall
	// Wait is how long the server may wait for a change; 0 is 30 seconds, the
	// most is 60.
	Wait time.Duration
	// Write is how often teams.ndjson is written anew at most while changes
	// come; 0 is a minute.
	Write time.Duration
	// Refresh is the age from which a snapshot is replaced by a new one, since
	// proof ages without any change; 0 is a day.
	Refresh time.Duration
	Now     func() time.Time // nil: the system's clock
	Log     *slog.Logger     // nil: silence
}

// Mirror is a copy of a directory. Its methods are for one goroutine.
type Mirror struct {
	cfg    Config
	client *client
	store  *store
	unlock func() error
	wrote  time.Time // when teams.ndjson was written last
	took   time.Time // when this Mirror took a snapshot last
	anew   bool      // no page has been taken since
}

// Open reads the copy in cfg.Dir, if there is one, and locks the folder: a
// second Mirror on it is an error.
func Open(cfg Config) (*Mirror, error) {
	c, err := newClient(&cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("consumer: no folder")
	}
	orDefault(&cfg.Wait, 30*time.Second)
	orDefault(&cfg.Write, time.Minute)
	orDefault(&cfg.Refresh, 24*time.Hour)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	unlock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s, err := openStore(cfg.Dir, cfg.Log)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	return &Mirror{cfg: cfg, client: c, store: s, unlock: unlock, wrote: cfg.Now()}, nil
}

func orDefault(d *time.Duration, usual time.Duration) {
	if *d <= 0 {
		*d = usual
	}
}

// Close writes teams.ndjson, where changes came since, and gives the folder
// back.
func (m *Mirror) Close() error {
	return errors.Join(m.write(), m.store.close(), m.unlock())
}

// Seq returns the number of the last change that the copy holds; 0 when there
// is no copy yet.
func (m *Mirror) Seq() int64 { return m.store.head.Seq }

// Once brings the copy level with the server and writes it. The error is the
// first that happens; what was committed stays.
func (m *Mirror) Once(ctx context.Context) error {
	for level := false; !level; {
		var err error
		if level, err = m.step(ctx, 0); err != nil {
			return err
		}
	}
	return m.write()
}

// Run follows the server until ctx ends, which is no error. While the server
// can't be asked it tries again, ever more slowly; it gives up only when the
// server refuses what no second try mends, as with a token that was revoked.
func (m *Mirror) Run(ctx context.Context) error {
	for pause := time.Duration(0); ctx.Err() == nil; {
		level, err := m.step(ctx, m.patience())
		if err == nil && level && m.due() <= 0 {
			err = m.write()
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if pause > 0 {
				m.cfg.Log.Info("following again", "seq", m.Seq())
			}
			pause = 0
			continue
		case !temporary(err):
			return err
		}
		if pause == 0 {
			m.cfg.Log.Warn("can't follow", "err", err, "seq", m.Seq())
		}
		pause = min(max(2*pause, time.Second, retryAfter(err)), time.Minute)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// due is how long teams.ndjson can stay as it is.
func (m *Mirror) due() time.Duration {
	if !m.store.dirty() {
		return m.cfg.Wait
	}
	return m.wrote.Add(m.cfg.Write).Sub(m.cfg.Now())
}

// patience is how long the server may wait for a change.
func (m *Mirror) patience() time.Duration {
	return min(m.cfg.Wait, max(m.due(), time.Second), time.Minute)
}

// step takes one page of changes, or a snapshot where there is no copy, or an
// old or worthless one. It reports whether the copy is level with the server.
func (m *Mirror) step(ctx context.Context, wait time.Duration) (level bool, err error) {
	head := &m.store.head
	if head.Epoch == "" || m.old() {
		return false, m.start(ctx)
	}
	p, err := m.client.changes(ctx, head.Seq, head.Epoch, wait)
	if isEpoch(err) && !m.anew {
		m.cfg.Log.Info("the copy is worth nothing any more", "seq", head.Seq)
		return false, m.start(ctx)
	}
	m.anew = false // nodes that contradict each other are not asked for one snapshot after another
	if err != nil {
		return false, err
	}
	return p.Next >= p.Head, m.store.commit(p)
}

// old reports whether it is time for a new snapshot. The server's clock and
// ours need not agree, so that one just taken is never old.
func (m *Mirror) old() bool {
	taken := m.store.head.At
	if taken.Before(m.took) {
		taken = m.took
	}
	return m.cfg.Now().Sub(taken) > m.cfg.Refresh
}

// start begins anew from a snapshot.
func (m *Mirror) start(ctx context.Context) error {
	body, err := m.client.snapshot(ctx)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	if err := m.store.replace(body); err != nil {
		return err
	}
	m.took, m.anew = m.cfg.Now(), true
	m.wrote = m.took
	m.cfg.Log.Info("took a snapshot", "seq", m.store.head.Seq, "teams", m.store.head.Teams)
	return nil
}

// write writes teams.ndjson, where changes came since.
func (m *Mirror) write() error {
	if !m.store.dirty() {
		return nil
	}
	if err := m.store.write(); err != nil {
		return err
	}
	m.wrote = m.cfg.Now()
	m.cfg.Log.Info("wrote the copy", "seq", m.store.head.Seq, "teams", m.store.head.Teams)
	return nil
}
