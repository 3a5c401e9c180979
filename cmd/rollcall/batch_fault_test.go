package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// batchCommand runs rollcall lookup --batch with a standard input that the
// test writes, and returns when it has printed something.
func batchCommand(t *testing.T, args ...string) (stdin io.WriteCloser, stdout *lockedBuffer, end func() (int, string)) {
	t.Helper()
	cmd := exec.Command("rollcall", append([]string{"lookup", "--batch"}, args...)...)
	var stderr bytes.Buffer
	stdout = &lockedBuffer{}
	cmd.Stderr, cmd.Stdout = &stderr, stdout
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return stdin, stdout, func() (int, string) {
		err := cmd.Wait()
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			return e.ExitCode(), stderr.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		return 0, stderr.String()
	}
}

func awaitOutput(t *testing.T, out *lockedBuffer) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		if out.String() != "" {
			return
		}
		<-tick.C
	}
	t.Fatal("no answer came")
}

// TestBatchServerKilled kills a server in the middle of its answer: the
// command says that the answer is not complete, with status 3.
func TestBatchServerKilled(t *testing.T) {
	s, c := start(t, storetest.SQLite().Create(t))
	stdin, stdout, end := batchCommand(t, "--server", c.url)
	lines := strings.Repeat("192.0.2.1\n", 20_000)
	if _, err := io.WriteString(stdin, lines); err != nil {
		t.Fatal(err)
	}
	awaitOutput(t, stdout)
	if err := s.kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(stdin, lines) // the server is gone
	_ = stdin.Close()
	code, said := end()
	if code != exitNotAsked || !strings.Contains(said, "broke off after") {
		t.Errorf("status %d, %q; want 3, and that the answer broke off", code, said)
	}
	if n := strings.Count(stdout.String(), "\n"); n == 0 || n >= 40_000 || !strings.HasSuffix(stdout.String(), "}\n") {
		t.Errorf("%d whole answers were printed, want some and not all", n)
	}
}

// TestBatchCutAnswers is what a proxy or an older server can do to an answer.
func TestBatchCutAnswers(t *testing.T) {
	answer := `{"query":"AT","kind":"country","status":"match","candidates":[],"trace":[],"seq":1,"line":1}` + "\n"
	for _, tt := range []struct{ name, body, want string }{
		{"no end", answer, "broke off after 1 records"},
		{"half a record", answer + answer[:40], "broke off after 1 records"},
		{"an end that is none", answer + `{"end":false,"count":1,"match":1,"none":0,"ambiguous":0,"unavailable":0,"seq":1,"error":{"code":"body.unreadable","reason":"too slow"}}` + "\n", "too slow (body.unreadable)"},
		{"nothing", "", "broke off after 0 records"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/x-ndjson")
				fmt.Fprint(w, tt.body)
			}))
			defer server.Close()
			stdin, stdout, end := batchCommand(t, "--server", server.URL)
			fmt.Fprintln(stdin, "AT")
			_ = stdin.Close()
			code, said := end()
			if code != exitNotAsked || !strings.Contains(said, tt.want) {
				t.Errorf("status %d, %q; want 3 and %q", code, said, tt.want)
			}
			if strings.Contains(stdout.String(), `"end"`) || !strings.HasPrefix(tt.body, stdout.String()) {
				t.Errorf("printed %q of %q", stdout, tt.body)
			}
		})
	}
	t.Run("of another kind", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
		defer server.Close()
		stdin, _, end := batchCommand(t, "--server", server.URL, "--text")
		fmt.Fprintln(stdin, "AT")
		_ = stdin.Close()
		if code, said := end(); code != exitNotAsked || !strings.Contains(said, "not as Rollcall does") {
			t.Errorf("status %d, %q", code, said)
		}
	})
}
