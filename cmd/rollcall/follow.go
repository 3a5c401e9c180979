package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api/consumer"
)

const followLong = `Follow keeps a copy of a server's directory in a folder: it takes a snapshot and
then follows the changes. The copy is DIR/teams.ndjson, one team a line as the
token may see it, first a line with the number of the last change and at the end
one with the SHA-256 of all between; it is replaced as a whole, at most once a
minute, so that others can read it at any time. What came since is in
DIR/changes.ndjson.

It can be killed at any moment and goes on where it was. After a restore of the
server, or when the token may see other things than before, it begins anew by
itself; once a day it takes a new snapshot, since proof ages without any change.

With --once it brings the copy level with the server and ends: for cron, and for
machines that are seldom connected.

Exit status: 0 done, or stopped; 1 the copy can't be written; 2 wrong usage; 3
the server can't be asked, or refuses.`

const followExample = `  rollcall follow --server https://rollcall.example.org --dir mirror
  ROLLCALL_TOKEN=rct_... rollcall follow --server https://rollcall.example.org --dir mirror --once`

// followFlags are the flags of rollcall follow.
type followFlags struct {
	server, token, dir string
	once               bool
	write              string
}

func followCommand(w world) *cobra.Command {
	f := &followFlags{}
	cmd := &cobra.Command{
		Use: "follow", Short: "Keep a copy of a server's directory up to date", Long: followLong, Example: followExample,
		Args: exactArgs(), RunE: w.action(func(c *call) error { return c.follow(f) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.server, "server", "", "`URL` of the server")
	flags.StringVar(&f.token, "token", "", "`TOKEN` for the server (ROLLCALL_TOKEN)")
	flags.StringVar(&f.dir, "dir", "", "`FOLDER` of the copy, made when missing")
	flags.BoolVar(&f.once, "once", false, "bring the copy level with the server and end")
	flags.StringVar(&f.write, "write", "1m", "`TIME` between two writings of teams.ndjson while changes come")
	return cmd
}

func (c *call) follow(f *followFlags) (err error) {
	every, err := c.checkFollow(f)
	if err != nil {
		return err
	}
	if f.token == "" {
		f.token = c.getenv("ROLLCALL_TOKEN")
	}
	m, err := consumer.Open(consumer.Config{
		Server: f.server, Token: f.token, Dir: f.dir, Agent: "rollcall/" + version(), Write: every, Now: c.now, Log: c.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(asked(err), m.Close()) }()
	if !f.once {
		return m.Run(c.ctx)
	}
	if err := m.Once(c.ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s is level with the server at change %d\n", f.dir, m.Seq())
	return err
}

func (c *call) checkFollow(f *followFlags) (every time.Duration, err error) {
	if f.dir == "" {
		return 0, usage(c.cmd, "dir: missing; want the folder of the copy")
	}
	u, err := url.Parse(f.server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return 0, usage(c.cmd, "server: %v", bad(f.server, "not the URL of a server", "an address such as https://rollcall.example.org"))
	}
	if every, err = parseSpan(f.write); err != nil {
		return 0, usage(c.cmd, "write: %v", err)
	}
	return every, nil
}

// asked makes what the server or the way to it is to blame for an error of its
// own exit status.
func asked(err error) error {
	_, refused := errors.AsType[*consumer.Refused](err)
	_, unreachable := errors.AsType[*url.Error](err)
	if refused || unreachable || errors.Is(err, consumer.ErrStalled) || errors.Is(err, consumer.ErrAnswer) {
		if !errors.Is(err, context.Canceled) {
			return notAsked("follow: %w", err)
		}
	}
	return err
}
