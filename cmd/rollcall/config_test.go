package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// testWorld is a world without environment, files and terminal.
func testWorld(env map[string]string) (world, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return world{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs, configFile: "testdata/none.toml",
		getenv: func(name string) string { return env[name] },
		now:    func() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC) },
	}, &out, &errs
}

func TestMask(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a file is shown", "/var/lib/rollcall.db", "/var/lib/rollcall.db"},
		{"a password is hidden", "postgres://u:secret@example.org/db", "postgres://u:***@example.org/db"},
		{"a user alone is shown", "postgres://u@example.org/db", "postgres://u@example.org/db"},
		{"a password with an @ that should have been encoded", "postgres://u:se@cret@example.org/db", "postgres://u:***@example.org/db"},
		{"a password with a slash", "postgres://u:se/cret@example.org/db", "postgres://***@example.org/db"},
		{"a password as a parameter", "postgres://example.org/db?user=u&password=secret&sslmode=disable", "postgres://example.org/db?user=u&password=***&sslmode=disable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mask(tt.in); got != tt.want {
				t.Errorf("mask(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestParseSpan(t *testing.T) {
	good := map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1d12h": 36 * time.Hour, "30s": 30 * time.Second, "0d": 0, "1h30m": 90 * time.Minute}
	for in, want := range good {
		if got, err := parseSpan(in); err != nil || got != want {
			t.Errorf("parseSpan(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "90", "-1d", "-5s", "1d-5h", "1w", "999999d", "90 d"} {
		if got, err := parseSpan(in); err == nil {
			t.Errorf("parseSpan(%q) = %v, want an error", in, got)
		}
	}
}

func TestNearest(t *testing.T) {
	list := []string{"import", "export", "lookup", "db"}
	for in, want := range map[string]string{"improt": "import", "exprot": "export", "lokup": "lookup", "serve": "", "xy": ""} {
		if got := nearest(in, list); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"help is no failure", []string{"--help"}, exitOK},
		{"an unknown command", []string{"serv"}, exitUsage},
		{"an unknown flag", []string{"serve", "--prot"}, exitUsage},
		{"a database that is not there", []string{"token", "list", "--db", "testdata/none.db"}, exitNotAsked},
		{"a file that is not there", []string{"restore", "--db", "testdata/none.db", "testdata/none"}, exitFailed},
		{"a PostgreSQL server that is not there", []string{"token", "list", "--db", "postgres://127.0.0.1:1/x"}, exitNotAsked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, _, errs := testWorld(nil)
			if got := w.report(run(context.Background(), w, tt.args)); got != tt.want {
				t.Errorf("status of %q = %d, want %d\n%s", tt.args, got, tt.want, errs)
			}
			if tt.want != exitOK && !strings.HasPrefix(errs.String(), "rollcall: ") {
				t.Errorf("stderr of %q = %q, want it to begin with the program's name", tt.args, errs)
			}
		})
	}
}

// TestCommandsAreDocumented walks all commands: each has help, and examples
// whose flags exist.
func TestCommandsAreDocumented(t *testing.T) {
	w, _, _ := testWorld(nil)
	root := rootCommand(w)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s lacks a short or long help or an example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long) {
			if len([]rune(line)) > 85 {
				t.Errorf("%s: a line of help with %d characters: %q", cmd.CommandPath(), len([]rune(line)), line)
			}
		}
		for line := range strings.Lines(cmd.Example) {
			example(t, w, line)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(root)
}

// quotedWords are one word to a shell.
var quotedWords = regexp.MustCompile(`"[^"]*"`)

// example finds the command of each part of a pipe and lets it parse its flags.
func example(t *testing.T, w world, line string) {
	t.Helper()
	for part := range strings.SplitSeq(line, "|") {
		_, after, ok := strings.Cut(part, "rollcall ")
		if !ok {
			continue
		}
		command, _, _ := strings.Cut(after, " > ")
		words := strings.Fields(quotedWords.ReplaceAllString(command, "text"))
		found, rest, err := rootCommand(w).Find(words)
		if err != nil {
			t.Errorf("example %q: %v", line, err)
			continue
		}
		if err := found.ParseFlags(rest); err != nil {
			t.Errorf("example %q: %v", line, err)
			continue
		}
		if err := found.ValidateArgs(found.Flags().Args()); err != nil {
			t.Errorf("example %q: %v", line, err)
		}
		if needsMail(found) && !found.Flags().Changed("mail-dir") && !found.Flags().Changed("config") {
			t.Errorf("example %q fails as it is written: it says nowhere what mail_dir is", line)
		}
	}
}

// needsMail reports whether a command can't do without the keys of the mail identity.
func needsMail(cmd *cobra.Command) bool {
	return cmd.Flags().Lookup("mail-dir") != nil && !slices.Contains([]string{"config", "serve", "worker"}, cmd.Name())
}

// TestKeysAreComplete guards the table: defaults that its own rules accept,
// and a flag for each key on some command.
func TestKeysAreComplete(t *testing.T) {
	w, _, _ := testWorld(nil)
	root := rootCommand(w)
	for _, k := range keys() {
		if err := k.set(&config{}, k.preset); k.preset != "" && err != nil {
			t.Errorf("key %s refuses its default: %v", k.name, err)
		}
		if !strings.Contains(k.usage, k.arg) {
			t.Errorf("key %s: the usage %q does not name %s", k.name, k.usage, k.arg)
		}
		found := root.PersistentFlags().Lookup(k.flag()) != nil
		for _, c := range root.Commands() {
			found = found || c.Flags().Lookup(k.flag()) != nil
		}
		if !found {
			t.Errorf("key %s has no flag", k.name)
		}
	}
}
