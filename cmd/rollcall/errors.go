package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
)

// The exit statuses. Scripts rely on them.
const (
	exitOK       = 0 // done, or a match
	exitFailed   = 1 // failed; of a lookup: none, or ambiguous
	exitUsage    = 2 // wrong usage
	exitNotAsked = 3 // the database or the server could not be asked
)

// exitError is an error with the status that the process shall end with. An
// exitError without an Err has been reported already.
type exitError struct {
	code int
	err  error
}

// Error describes the cause.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// usageError is the error of a wrong command line, with the command whose help
// says how it goes.
type usageError struct {
	err     error
	command string
}

// Error describes what is wrong, and where to read on.
func (e *usageError) Error() string {
	return fmt.Sprintf("%v\nTry '%s --help'.", e.err, e.command)
}

// Unwrap returns the cause.
func (e *usageError) Unwrap() error { return e.err }

// usage makes the error of a wrong command line.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return &exitError{exitUsage, &usageError{fmt.Errorf(format, args...), cmd.CommandPath()}}
}

// notAsked is the error of a database or server that gives no answer.
func notAsked(format string, args ...any) error {
	return &exitError{exitNotAsked, fmt.Errorf(format, args...)}
}

// asUsage makes a wrong usage of a domain error about what the flags said.
func asUsage(err error) error {
	if directory.KindOf(err) == directory.Invalid {
		return &exitError{exitUsage, err}
	}
	return err
}

// wanting adds to an error about what is not there what would be right.
func wanting(err error, want string) error {
	if directory.KindOf(err) == directory.NotFound {
		return fmt.Errorf("%w; want %s", err, want)
	}
	return err
}

// exitCode returns the status for err.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if directory.KindOf(err) == directory.Unavailable {
		return exitNotAsked
	}
	return exitFailed
}

// report tells err on stderr, unless that was done, and returns the status.
func (w world) report(err error) int {
	code := exitCode(err)
	if e, ok := errors.AsType[*exitError](err); err == nil || ok && e.err == nil {
		return code
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w.stderr, "rollcall: interrupted; nothing was written")
		return exitFailed
	}
	fmt.Fprintln(w.stderr, "rollcall: "+describe(err))
	return code
}

// describe is the error with all of its problems, one on a line.
func describe(err error) string {
	problems := directory.ProblemsOf(err)
	if len(problems) < 2 {
		return err.Error()
	}
	head, _, _ := strings.Cut(err.Error(), fmt.Sprintf(": %d problems", len(problems)))
	var b strings.Builder
	b.WriteString(head + ":")
	for _, p := range problems {
		b.WriteString("\n  " + p.Error())
	}
	return b.String()
}

// exactArgs wants one argument for each name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return usage(cmd, "unexpected argument %q; want none", args[0])
		}
		return usage(cmd, "%d arguments; want %s", len(args), strings.Join(names, " "))
	}
}

// exclusive refuses two flags that contradict each other.
func (c *call) exclusive(one, other string) error {
	if f := c.cmd.Flags(); f.Changed(one) && f.Changed(other) {
		return usage(c.cmd, "%s: --%s contradicts --%s; want one of them", other, other, one)
	}
	return nil
}
