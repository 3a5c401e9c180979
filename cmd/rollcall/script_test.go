package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestMain lets this binary be rollcall itself, rollcall by a clock that tests move, a
// small HTTP client for the scripts, and a worker whose checks only note that they ran.
func TestMain(m *testing.M) {
	// No test looks at the domains of the directories that it serves. And the race detector lets
	// every command of a script sleep for a second before it ends, if nobody tells it.
	for name, value := range map[string]string{"ROLLCALL_VERIFY": "off", "GORACE": cmp.Or(os.Getenv("GORACE"), "atexit_sleep_ms=10")} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){"rollcall": main, "later-rollcall": laterMain, "http": httpMain, "hostile": hostileMain, "noting-worker": notingWorkerMain})
}

// TestScripts runs every script of testdata/script on both engines; $DB names
// an empty database.
func TestScripts(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) { runScripts(t, e, "testdata/script") })
	}
}

// TestScriptsSQLite runs the scripts about what only a file can be: missing,
// new, locked, not a database.
func TestScriptsSQLite(t *testing.T) { runScripts(t, storetest.SQLite(), "testdata/sqlite") }

// TestScriptsRealData runs the scripts on directories that others publish.
func TestScriptsRealData(t *testing.T) {
	dir := os.Getenv("ROLLCALL_TEST_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "dotgov.csv")); err != nil {
		t.Skipf("real data: %v; ROLLCALL_TEST_DATA names the folder that holds it", err)
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) { runScripts(t, e, "testdata/real", "DATA="+dir) })
	}
}

// runScripts gives each script a database of its own.
func runScripts(t *testing.T, e storetest.Engine, dir string, vars ...string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s (%v)", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			db := e.Create(t)
			testscript.Run(t, testscript.Params{
				Files: []string{file}, RequireExplicitExec: true, RequireUniqueNames: true,
				Setup: func(env *testscript.Env) error {
					env.Values[serverKey{}] = new(*testServer)
					env.Vars = append(append(env.Vars, "DB="+db, "ROLLCALL_VERIFY=off", "GORACE="+os.Getenv("GORACE")), vars...)
					return copyFixtures(env.WorkDir)
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serveCmd, "stop": stopCmd, "status": statusCmd, "await": awaitCmd, "keep": keepCmd, "receiver": receiverCmd, "optout": optOutCmd},
			})
		})
	}
}

// copyFixtures puts the files that many scripts need into their folder.
func copyFixtures(dir string) error { return os.CopyFS(dir, os.DirFS("testdata/fixtures")) }

// serverKey is where a script keeps the server that it started last.
type serverKey struct{}

// serveCmd implements "serve [FLAG...]": it starts a server on $DB and sets $URL.
func serveCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve: use status for a server that fails")
	}
	s, err := startServer(ts.Getenv("DB"), args...)
	ts.Check(err)
	*ts.Value(serverKey{}).(**testServer) = s
	ts.Setenv("URL", s.url)
	ts.Defer(func() { _ = s.kill() })
}

// stopCmd implements "stop": the server of the last serve ends well on SIGTERM.
func stopCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: stop")
	}
	ts.Check((*ts.Value(serverKey{}).(**testServer)).stop())
}

// statusCmd implements "status N COMMAND...": the command ends with status N.
func statusCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// optOutCmd implements "optout QUESTION-FILE": the contact of a question opts out, with its case.
func optOutCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: optout QUESTION-FILE")
	}
	c := &call{ctx: context.Background(), cfg: &config{DB: ts.Getenv("DB")}, world: world{now: time.Now, stderr: io.Discard}}
	db, err := c.openStore(store.MustExist)
	ts.Check(err)
	defer db.Close() //nolint:errcheck // a test's database
	ts.Check(db.Challenges(context.Background(), func(tx challenge.Tx) error {
		c, err := tx.Challenge(challenge.ID(strings.TrimSpace(ts.ReadFile(args[0]))))
		if err != nil {
			return err
		}
		return errors.Join(tx.MarkContact(&c, challenge.FlagOptOut, time.Now()), tx.OpenCase(c.ID, challenge.Case{Kind: challenge.CaseOptOut}, time.Now()))
	}))
}

// awaitCmd implements "await TIME PATTERN COMMAND...": the command's output
// matches before the time is up.
func awaitCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: await TIME PATTERN COMMAND...")
	}
	most, err := time.ParseDuration(args[0])
	ts.Check(err)
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	start, tick := time.Now(), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(args[2], args[3:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Since(start) > most {
			ts.Fatalf("no match for %q within %v: %v\n%s", args[1], most, err, ts.ReadFile("stdout"))
		}
		<-tick.C
	}
}

// keepCmd implements "keep NAME PATTERN": what the pattern's group matches in
// the last output becomes $NAME.
func keepCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME PATTERN")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	m := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("no match for %q in\n%s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], m[1])
}

// testServer is a rollcall serve of its own process.
type testServer struct {
	url  string
	cmd  *exec.Cmd
	log  *bytes.Buffer
	over chan error
}

// startServer starts rollcall serve on a free port and waits until it listens.
func startServer(db string, args ...string) (*testServer, error) {
	s := &testServer{log: new(bytes.Buffer), over: make(chan error, 1)}
	s.cmd = exec.Command("rollcall", append([]string{"serve", "--db", db, "--listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Stderr = s.log
	s.cmd.Env = append(os.Environ(), "ROLLCALL_CONFIG=")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		return nil, errors.Join(fmt.Errorf("server said %q: %v\n%s", line, s.cmd.Wait(), s.log), err)
	}
	s.url = url
	go func() {
		s.over <- s.cmd.Wait()
		close(s.over)
	}()
	return s, nil
}

// stop stops the server gracefully.
func (s *testServer) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.over:
		if err != nil {
			return fmt.Errorf("%w\n%s", err, s.log)
		}
		return nil
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("the server did not stop"), s.kill())
	}
}

// kill ends the server as a power cut would; one that has ended is left alone.
func (s *testServer) kill() error {
	err := s.cmd.Process.Kill()
	<-s.over
	return err
}

// httpMain is the command http of the scripts: it prints status, headers that
// matter, and body.
func httpMain() {
	var headers []string
	flag.Func("H", "header", func(s string) error { headers = append(headers, s); return nil })
	body := flag.String("d", "", "file with the body")
	flag.Parse()
	var in io.Reader
	if *body != "" {
		f, err := os.Open(*body)
		if err != nil {
			fatal(err)
		}
		in = f
	}
	r, err := http.NewRequestWithContext(context.Background(), flag.Arg(0), flag.Arg(1), in)
	if err != nil {
		fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		fatal(err)
	}
	fmt.Println("HTTP", answer.StatusCode)
	for _, name := range []string{"ETag", "Content-Type", "Location"} {
		if v := answer.Header.Get(name); v != "" {
			fmt.Printf("%s: %s\n", name, v)
		}
	}
	fmt.Printf("\n%s\n", text)
}

// hostileMain is the command hostile of the scripts: it writes files that are
// not what they should be.
func hostileMain() {
	noise := make([]byte, 3000)
	rng := rand.New(rand.NewPCG(9, 116))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, data := range map[string][]byte{
		"zeros": make([]byte, 10<<20), "noise": noise,
		"escapes": []byte("Contact: mailto:a@example.org\x1b[2J\nPolicy: \u202ehttps://example.org/\n"),
		"lines":   bytes.Repeat([]byte("what is this\n"), 60),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			fatal(err)
		}
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
