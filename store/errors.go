package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"

	"github.com/rollcall-csirt/rollcall/directory"
)

// fail turns an engine's error into a domain error. Errors that are domain
// errors already pass unchanged.
func (db *DB) fail(op, subject string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*directory.Error](err); ok {
		return err
	}
	e := &directory.Error{Kind: directory.Unavailable, Op: op, Subject: subject, Err: err}
	fault := db.fault(err)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		// No caller asks for a row that may be missing by QueryRow, so this
		// one was removed behind our back.
		e.Err = errors.New("the database is damaged: a row that is always there is missing")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case fault == FaultConflict:
		e.Kind = directory.Conflict
	case fault == FaultInput:
		e.Kind = directory.Invalid
	case fault == FaultOther:
		e.Kind = directory.Internal
	default:
		e.Err = fmt.Errorf("%s: %w", fault.words(), err)
	}
	return e
}

// fault classifies by the engine first and by what database/sql and the
// network say second.
func (db *DB) fault(err error) Fault {
	if f := db.dialect.Fault(err); f != FaultOther {
		return f
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return FaultDown
	}
	return FaultOther
}

// Unavailable is the error of an engine that can't open a database. reason is
// for the operator; err, which may be nil, for the log.
func Unavailable(subject, reason string, err error) error {
	cause := errors.New(reason)
	if err != nil {
		cause = fmt.Errorf("%s: %w", reason, err)
	}
	return &directory.Error{Kind: directory.Unavailable, Op: "open database", Subject: subject, Err: cause}
}

func notFound(op, subject string) error {
	return &directory.Error{Kind: directory.NotFound, Op: op, Subject: subject}
}

func conflict(op, subject string, p directory.Problem) error {
	return &directory.Error{Kind: directory.Conflict, Op: op, Subject: subject, Problems: []directory.Problem{p}}
}

func internal(op, subject string, err error) error {
	return &directory.Error{Kind: directory.Internal, Op: op, Subject: subject, Err: err}
}
