package directory

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of trouble an [Error] is. The edge maps kinds, and
// nothing else, to status codes.
type Kind string

// The kinds of domain error.
const (
	NotFound        Kind = "not_found"       // the thing named does not exist, or the viewer may not know that it does
	Invalid         Kind = "invalid"         // the input breaks a rule; Problems says which
	Conflict        Kind = "conflict"        // the input is fine by itself but clashes with what is stored
	Stale           Kind = "stale"           // the caller edited an old revision; Problems says what changed since
	Unconditional   Kind = "unconditional"   // the change does not say on which revision it is based
	Forbidden       Kind = "forbidden"       // the principal is known and may not do this
	Unauthenticated Kind = "unauthenticated" // nobody, or an unknown or expired token
	TooMany         Kind = "too_many"        // a limit of rate or size
	Unavailable     Kind = "unavailable"     // try again later: the store or the index cannot answer now
	Internal        Kind = "internal"        // our fault; the text is for the log only
)

// Code names one rule that input can break. Codes are public API: they are
// never renamed, and [Codes] lists each with its meaning.
type Code string

// Problem is one breach of one rule, told so that its reader can mend it.
type Problem struct {
	Code   Code
	Field  string // JSON pointer (RFC 6901) into the input; "" is the whole of it
	Value  string // the offending value, cut to 120 bytes
	Reason string // why it is refused, one sentence without a full stop
	Want   string // what would be right; "" when nothing useful can be said
}

// At returns a copy of p whose field is prefixed with pointer, for use by the
// parent of the value that was parsed.
func (p Problem) At(pointer string) Problem {
	p.Field = pointer + p.Field
	return p
}

// Error implements error, so that a parser can return its one problem.
func (p Problem) Error() string {
	var b strings.Builder
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Reason)
	if p.Value != "" {
		fmt.Fprintf(&b, " (got %q)", p.Value)
	}
	if p.Want != "" {
		b.WriteString("; want " + p.Want)
	}
	return b.String()
}

// problem builds the [Problem] that a value parser returns.
func problem(code Code, value, reason, want string) Problem {
	return Problem{Code: code, Value: cut(value, 120), Reason: reason, Want: want}
}

// cut shortens s to at most n bytes at a rune border and makes it valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Error is the error of every operation of [Directory]. Match its kind with
// [KindOf]; show Problems to the user; log Err.
type Error struct {
	Kind     Kind
	Op       string    // what was tried: "update team"
	Subject  string    // on what: a team's handle, an import's file
	Problems []Problem // what to mend, in input order
	Err      error     // the cause, for the log; may be nil

	// Retry is how long to wait before the same may succeed, where that is known.
	Retry time.Duration
}

// Error describes the error on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	b.WriteString(": ")
	switch {
	case len(e.Problems) == 1:
		b.WriteString(e.Problems[0].Error())
	case len(e.Problems) > 1:
		fmt.Fprintf(&b, "%d problems, the first: %s", len(e.Problems), e.Problems[0].Error())
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(strings.ReplaceAll(string(e.Kind), "_", " "))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first [Error] in err's chain, Invalid for a
// bare [Problem], and Internal for every other error. KindOf(nil) is "".
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if _, ok := errors.AsType[Problem](err); ok {
		return Invalid
	}
	return Internal
}

// ProblemsOf returns the problems that err carries, or nil.
func ProblemsOf(err error) []Problem {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Problems
	}
	if p, ok := errors.AsType[Problem](err); ok {
		return []Problem{p}
	}
	return nil
}

// asProblem turns a parser's error into a problem at pointer.
func asProblem(err error, pointer string) Problem {
	if p, ok := errors.AsType[Problem](err); ok {
		return p.At(pointer)
	}
	return Problem{Code: "value.invalid", Field: pointer, Reason: err.Error()}
}
