// Command rollcall is the whole product in one binary: the server, the
// importers and exporters, lookups from the command line, tokens, backups and
// a demonstration. It wires the packages below it and decides nothing that
// they decide.
//
// main handles signals and the exit status; [run] does the rest on a [world],
// so that tests can call it. Configuration comes from a file, the environment
// and flags, and is checked before anything starts.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once, for who can't wait for a graceful stop.
	context.AfterFunc(ctx, stop)
	w := osWorld()
	code := w.report(run(ctx, w, os.Args[1:]))
	stop()
	os.Exit(code)
}
