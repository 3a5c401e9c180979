package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// dotgovRows is how many rows the real file has.
const dotgovRows = 16_539

// BenchmarkImportDotgov imports as many rows as the real file has into a new
// SQLite file, through the command. It is to take less than 5 s.
func BenchmarkImportDotgov(b *testing.B) {
	file := writeDotgov(b, dotgovRows, 0)
	n := 0
	for b.Loop() {
		n++
		w := osWorld()
		w.stdout, w.stderr, w.configFile = new(bytes.Buffer), new(bytes.Buffer), "/nonexistent"
		if err := run(context.Background(), w, []string{"import", "--db", filepath.Join(b.TempDir(), fmt.Sprint(n, ".db")), "dotgov", file}); err != nil {
			b.Fatal(err)
		}
	}
	took := b.Elapsed().Seconds() / float64(n)
	b.ReportMetric(dotgovRows/took, "rows/s")
	b.ReportMetric(took, "s/import")
}

// writePrefixes makes n rows of prefix and country that do not overlap: three
// of four are IPv4, as in the registries' data.
func writePrefixes(b *testing.B, n int) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "countries.csv")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(f)
	fmt.Fprintln(out, "prefix,country")
	countries := []string{"AT", "NL", "US", "JP", "BR"}
	for i := range n {
		if i%4 == 3 {
			fmt.Fprintf(out, "2a%02x:%x:%x::/48,%s\n", i>>16&0xff, i&0xffff, i>>16&0xff, countries[i%5])
			continue
		}
		fmt.Fprintf(out, "%d.%d.%d.0/24,%s\n", 20+i>>16, i>>8&0xff, i&0xff, countries[i%5])
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return name
}

// BenchmarkColdStart starts the real process on 400,000 prefixes until it
// answers. It is to take less than 2 s and to need less than 300 MB.
func BenchmarkColdStart(b *testing.B) {
	db := filepath.Join(b.TempDir(), "rollcall.db")
	command(b, "import", "--db", db, "prefix-country", writePrefixes(b, 400_000))
	var most float64
	n := 0
	for b.Loop() {
		n++
		s, err := startServer(db)
		if err != nil {
			b.Fatal(err)
		}
		answer, err := http.Get(s.url + "/readyz")
		if err != nil || answer.StatusCode != http.StatusOK {
			b.Fatalf("readyz: %v", err)
		}
		_ = answer.Body.Close()
		most = max(most, memory(b, s.cmd.Process.Pid))
		if err := s.kill(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(n), "s/start")
	b.ReportMetric(most, "MB-RSS")
}

// memory is the most memory that a process has had, in MB.
func memory(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("the memory of a process can't be read here: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kb float64
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}

// BenchmarkEditVisible edits a team over HTTP and asks until the answer shows
// it: by the same server (less than 100 ms), and by a second process on the
// same database (less than 1 s).
func BenchmarkEditVisible(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		for _, other := range []bool{false, true} {
			name := e.Name + "/same-process"
			if other {
				name = e.Name + "/second-process"
			}
			b.Run(name, func(b *testing.B) { editVisible(b, e.Create(b), other) })
		}
	}
}

func editVisible(b *testing.B, db string, other bool) {
	token := command(b, "token", "create", "--db", db, "--role", "operator")
	s, err := startServer(db)
	if err != nil {
		b.Fatal(err)
	}
	defer s.kill() //nolint:errcheck // the figures are taken
	writer, reader := client{s.url, token}, client{s.url, token}
	if other {
		second, err := startServer(db)
		if err != nil {
			b.Fatal(err)
		}
		defer second.kill() //nolint:errcheck // the figures are taken
		reader.url = second.url
	}
	_, revision := writer.create("edited")
	var most time.Duration
	n := 0
	for b.Loop() {
		n++
		domain := fmt.Sprintf("edit-%d.example.org", n)
		body := fmt.Sprintf(`{"resources":[{"type":"domain","value":%q}],"contacts":[{"channel":"email","value":"csirt@example.org"}]}`, domain)
		begun := time.Now()
		status, next, text := writer.do(http.MethodPatch, "/v1/teams/edited", body, map[string]string{
			"Content-Type": "application/merge-patch+json", "If-Match": fmt.Sprintf(`"%d"`, revision)})
		if status != http.StatusOK {
			b.Fatalf("edit = %d %s", status, text)
		}
		revision = next
		for !visible(reader, domain) {
			if time.Since(begun) > 10*time.Second {
				b.Fatal("the edit is not visible after 10 s")
			}
		}
		most = max(most, time.Since(begun))
	}
	b.ReportMetric(float64(most.Microseconds())/1000, "ms-worst")
}

func visible(c client, domain string) bool {
	status, _, text := c.do(http.MethodGet, "/v1/lookup?q="+domain, "", nil)
	return status == http.StatusOK && bytes.Contains(text, []byte(`"status":"match"`))
}
