package mail

import (
	"context"
	"errors"
	"io"
	"time"
)

// Exit statuses of a program that an MTA pipes mails into: sysexits(3). The MTA keeps the mail for
// ExitTemporary, bounces it for ExitNoUser and ExitData, and is done for ExitOK.
const (
	ExitOK        = 0
	ExitUsage     = 64 // EX_USAGE
	ExitData      = 65 // EX_DATAERR
	ExitNoUser    = 67 // EX_NOUSER
	ExitTemporary = 75 // EX_TEMPFAIL
)

// Pipe is a mail that an MTA hands over on standard input.
type Pipe struct {
	In      io.Reader
	From    *string  // the return path, as the MTA passes it; nil: as the mail says
	To      []string // the recipients, as the MTA passes them; none: as the mail says
	Accepts func(address string) bool
	Handle  Handler
	MaxSize int64 // 0: 1 MiB
	Now     func() time.Time
}

// Receive takes the mail over, and returns the exit status and what to write to standard error. Trouble of
// our own is always temporary: no mail is lost because a database was away.
func (p Pipe) Receive(ctx context.Context) (int, error) {
	raw, err := readLimited(p.In, orSize(p.MaxSize))
	switch {
	case errors.Is(err, errTooLarge):
		return ExitData, err
	case err != nil:
		return ExitTemporary, err
	}
	env := envelopeOf(raw, p.Accepts)
	if p.From != nil {
		env.From = returnPath(*p.From)
	}
	if len(p.To) > 0 {
		env.To = nil
		for _, to := range p.To {
			if !p.Accepts(to) {
				return ExitNoUser, ErrNotOurs
			}
			env.To = append(env.To, to)
		}
	}
	if env.At = time.Now(); p.Now != nil {
		env.At = p.Now()
	}
	switch err := p.Handle(ctx, env); {
	case errors.Is(err, ErrNotOurs):
		return ExitNoUser, err
	case err != nil:
		return ExitTemporary, err
	}
	return ExitOK, nil
}
