package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
)

// engineError is what an imaginary engine says.
type engineError Fault

func (e engineError) Error() string { return fmt.Sprint("engine error ", int(e)) }

func testDB() *DB {
	return &DB{dialect: Dialect{Fault: func(err error) Fault {
		e, _ := errors.AsType[engineError](err)
		return Fault(e)
	}}}
}

// TestErrors: nothing but domain errors leaves the package.
func TestErrors(t *testing.T) {
	mine := &directory.Error{Kind: directory.Stale, Op: "mine"}
	for _, c := range []struct {
		name string
		err  error
		want directory.Kind
		text string
	}{
		{"a full disk", engineError(FaultFull), directory.Unavailable, "the disk is full"},
		{"a lock", engineError(FaultBusy), directory.Unavailable, "the database is locked by another writer"},
		{"retries that ran out", engineError(FaultRetry), directory.Unavailable, "locked by another writer"},
		{"a server that is gone", engineError(FaultDown), directory.Unavailable, "can't be reached"},
		{"no tables", engineError(FaultSchema), directory.Unavailable, "rollcall migrate"},
		{"damage", engineError(FaultCorrupt), directory.Unavailable, "damaged"},
		{"no permission", engineError(FaultDenied), directory.Unavailable, "not permit"},
		{"a broken constraint", engineError(FaultConflict), directory.Conflict, ""},
		{"a value that can't be kept", engineError(FaultInput), directory.Invalid, ""},
		{"our mistake", errors.New("syntax error"), directory.Internal, ""},
		{"a missing row", sql.ErrNoRows, directory.Unavailable, "damaged"},
		{"a dead connection", driver.ErrBadConn, directory.Unavailable, "can't be reached"},
		{"the network", &net.OpError{Op: "read", Err: errors.New("reset")}, directory.Unavailable, "can't be reached"},
		{"an end of the context", context.Canceled, directory.Unavailable, "canceled"},
		{"a domain error", fmt.Errorf("wrapped: %w", mine), directory.Stale, "mine"},
	} {
		err := testDB().fail("write", "x", c.err)
		if got := directory.KindOf(err); got != c.want || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v (%s), want %s with %q", c.name, err, got, c.want, c.text)
		}
		if errors.Is(err, sql.ErrNoRows) {
			t.Errorf("%s: sql.ErrNoRows escapes", c.name)
		}
	}
	if err := testDB().fail("write", "", nil); err != nil {
		t.Errorf("fail(nil) = %v", err)
	}
}
