package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// world is what the command gets from outside.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time
	configFile     string // read when it exists and no other is named
	// lab opens a lab to checks by hand; nil for the Internet. What a lab
	// serves on high ports has no other way to be found.
	lab func(*verify.LiveConfig)
}

// osWorld is the world of a real process.
func osWorld() world {
	return world{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, now: time.Now, configFile: "/etc/rollcall/rollcall.toml",
	}
}

// terminal reports whether people read what is written to w.
func (w world) terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour reports whether out may be coloured (no-color.org).
func (w world) colour(out io.Writer) bool {
	return w.terminal(out) && w.getenv("NO_COLOR") == "" && w.getenv("TERM") != "dumb"
}

// run runs one command line. The error is for [world.report], which turns it
// into a message and an exit status.
func run(ctx context.Context, w world, args []string) error {
	root := rootCommand(w)
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// call is one run of one sub-command.
type call struct {
	world
	ctx  context.Context
	cmd  *cobra.Command
	args []string
	cfg  *config
	log  *slog.Logger
}

// action makes a cobra function of do, which gets the checked configuration.
func (w world) action(do func(*call) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := w.configure(cmd)
		if err != nil {
			return err
		}
		return do(&call{world: w, ctx: cmd.Context(), cmd: cmd, args: args, cfg: cfg, log: w.logger(cfg)})
	}
}

const rootLong = `Rollcall is a directory of incident response teams that proves that its contacts
answer. It imports directories, answers "who do I tell about this address?" and
shows with each answer what was proven about the contact, when, and how.

Every command reads its configuration from a file (--config, ROLLCALL_CONFIG, or
/etc/rollcall/rollcall.toml where that exists), from the environment (ROLLCALL_
and the key in capitals) and from flags; a flag wins over the environment, and
the environment over the file. "rollcall config" shows what holds and why.

Exit status: 0 done, or a match; 1 failed, or no single match; 2 wrong usage;
3 could not ask: the database or the server can't be reached or read.`

const rootExample = `  rollcall import --db teams.db national-csirts national-csirts.sql
  rollcall lookup --db teams.db 192.0.2.1 example.org AT
  rollcall serve --db teams.db --listen 127.0.0.1:8080`

func rootCommand(w world) *cobra.Command {
	root := &cobra.Command{
		Use: "rollcall", Short: "A directory of incident response teams that proves its contacts answer",
		Long: rootLong, Example: rootExample,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs, RunE: group,
		Version: version(),
	}
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%v", err) })
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().String("config", "", "configuration `FILE` in TOML")
	keyFlags(root.PersistentFlags(), "log_level", "log_format")
	root.AddCommand(
		serveCommand(w), workerCommand(w), verifyCommand(w), challengeCommand(w), campaignCommand(w), webhookCommand(w), mailCommand(w), receiveCommand(w), importCommand(w), exportCommand(w), lookupCommand(w), searchCommand(w), checkCommand(w), followCommand(w), teamCommand(w), evidenceCommand(w),
		tokenCommand(w), migrateCommand(w), backupCommand(w), restoreCommand(w), demoCommand(w),
		openapiCommand(w), configCommand(w), completionCommand(w), versionCommand(w),
	)
	root.SetHelpCommand(helpCommand())
	return root
}

// group is what a command does that only has sub-commands: alone it prints its
// help, and an argument is a sub-command that does not exist.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	want := "one of " + strings.Join(names, ", ")
	if near := nearest(args[0], names); near != "" {
		want = near
	}
	return usage(cmd, "there is no command %q; want %s", args[0], want)
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about any command",
		Long:    "Help prints the help of a command, as COMMAND --help does.",
		Example: "  rollcall help import\n  rollcall help token create",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return group(found, rest)
			}
			return found.Help()
		},
	}
}

// operator is who works on the machine: whoever can open the database file may
// do everything to it anyway.
func (w world) operator() directory.Principal {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return directory.Principal{Name: "cli:" + name, Role: directory.Operator}
}

// nearest returns the word of list that s was probably meant to be, or "".
func nearest(s string, list []string) string {
	best, least := "", 3 // more than two slips are another word
	for _, w := range slices.Sorted(slices.Values(list)) {
		if d := distance(s, w); d < least && d < len(w) {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
