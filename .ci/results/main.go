// Command results reads the stream of go test -json on standard input and
// prints what a person wants to see of it: go test's line for each package, the
// output of what failed, every skipped test grouped by its reason, and the
// totals. It ends with status 1 when something failed, when no test ran at all
// and, with -strict, when a test was skipped for want of something that a
// complete machine has.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	strict := flag.Bool("strict", false, "fail when a test is skipped, unless for the real data, which no clone has")
	flag.Parse()
	ok, err := run(os.Stdin, os.Stdout, *strict)
	if err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// event is one line of the stream; see go doc test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string

	Elapsed float64 // seconds
}

// line is one line of output and the test that printed it, "" for the package.
type line struct{ test, text string }

// pkg is what is known of a package while its tests run.
type pkg struct {
	lines   []line
	results map[string]string // test name -> pass, fail or skip
	parents map[string]bool   // tests that have subtests
}

// summary gathers the stream.
type summary struct {
	out                     io.Writer
	pkgs                    map[string]*pkg
	passed, failed, skipped int
	skips                   map[string][]string // reason -> tests
	took                    []timing            // tests at the top level
}

// timing is how long a test took, by the clock: with others at the same time it
// is longer than alone.
type timing struct {
	test    string
	seconds float64
}

func run(in io.Reader, out io.Writer, strict bool) (bool, error) {
	s := &summary{out: out, pkgs: map[string]*pkg{}, skips: map[string][]string{}}
	lines := bufio.NewReader(in)
	for {
		text, err := lines.ReadString('\n')
		if text != "" {
			s.line(text)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, err
		}
	}
	s.cut()
	return s.close(strict), nil
}

// line takes one line of the stream; what is not an event is shown as it is.
func (s *summary) line(text string) {
	var e event
	if json.Unmarshal([]byte(text), &e) != nil {
		fmt.Fprint(s.out, text)
		return
	}
	if e.Package == "" { // build-output and build-fail name an import path instead
		fmt.Fprint(s.out, e.Output)
		return
	}
	p := s.pkgs[e.Package]
	if p == nil {
		p = &pkg{results: map[string]string{}, parents: map[string]bool{}}
		s.pkgs[e.Package] = p
	}
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			p.parents[e.Test[:i]] = true
		}
	case "output":
		p.lines = append(p.lines, line{e.Test, e.Output})
	case "pass", "fail", "skip":
		if e.Test != "" {
			p.results[e.Test] = e.Action
			if !strings.Contains(e.Test, "/") {
				s.took = append(s.took, timing{e.Package[strings.LastIndexByte(e.Package, '/')+1:] + "." + e.Test, e.Elapsed})
			}
			return
		}
		s.finish(e.Package, p, e.Action == "fail")
		delete(s.pkgs, e.Package)
	}
}

// verdict is go test's closing line for a package.
var verdict = regexp.MustCompile(`^(ok|FAIL|\?|---) *\t`)

// finish prints and counts a package that has ended.
func (s *summary) finish(name string, p *pkg, failed bool) {
	for _, l := range p.lines {
		noise := strings.HasPrefix(l.text, "=== ")
		quiet := l.test != "" && (p.results[l.test] == "pass" || p.results[l.test] == "skip")
		if verdict.MatchString(l.text) || failed && !noise && !quiet {
			fmt.Fprint(s.out, l.text)
		}
	}
	before := s.failed
	for test, result := range p.results {
		switch result {
		case "pass":
			s.passed += leaf(p, test)
		case "fail":
			s.failed += leaf(p, test)
		case "skip":
			s.skipped++
			why := reason(p.lines, test)
			s.skips[why] = append(s.skips[why], name[strings.LastIndexByte(name, '/')+1:]+"."+test)
		}
	}
	if failed && s.failed == before { // did not build, ran out of time, or failed in a parent only
		s.failed++
	}
}

// leaf counts a test with subtests as nothing: its subtests are counted.
func leaf(p *pkg, test string) int {
	if p.parents[test] {
		return 0
	}
	return 1
}

var position = regexp.MustCompile(`^[\w.-]+\.go:\d+: `)

// reason is what a skipped test said, without file and line so that equal
// reasons fall together.
func reason(lines []line, test string) string {
	var said []string
	for _, l := range lines {
		text := strings.TrimSpace(l.text)
		if l.test != test || text == "" || strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ") {
			continue
		}
		said = append(said, position.ReplaceAllString(text, ""))
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// cut fails the packages whose end never came: go test itself was stopped.
func (s *summary) cut() {
	for _, name := range slices.Sorted(maps.Keys(s.pkgs)) {
		s.finish(name, s.pkgs[name], true)
		fmt.Fprintf(s.out, "FAIL\t%s [the stream ended before the package did]\n", name)
	}
}

// excused is what the reason of a skip names when the real data is absent: it
// belongs to others and is never committed, so a clean clone lacks it.
var excused = regexp.MustCompile(`ROLLCALL_TEST_DATA|shared/data`)

// close prints skips and totals, and says whether all is well.
func (s *summary) close(strict bool) bool {
	ok := s.failed == 0
	for _, why := range slices.Sorted(maps.Keys(s.skips)) {
		tests := s.skips[why]
		slices.Sort(tests)
		verb := "SKIP"
		if strict && !excused.MatchString(why) {
			verb, ok = "SKIP (a failure here)", false
		}
		more := ""
		if n := len(tests) - 3; n > 0 {
			tests, more = tests[:3], fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(s.out, "%s: %s: %s%s\n", verb, why, strings.Join(tests, ", "), more)
	}
	s.slowest(10, 5)
	if s.passed+s.failed+s.skipped == 0 {
		fmt.Fprintln(s.out, "FAIL: no test ran")
		ok = false
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	return ok
}

// slowest prints the tests that took longest, at most n, none that took less
// than least seconds.
func (s *summary) slowest(n int, least float64) {
	slices.SortStableFunc(s.took, func(a, b timing) int { return cmp.Compare(b.seconds, a.seconds) })
	var list []string
	for _, t := range s.took[:min(n, len(s.took))] {
		if t.seconds >= least {
			list = append(list, fmt.Sprintf("%s %.0f s", t.test, t.seconds))
		}
	}
	if len(list) > 0 {
		fmt.Fprintf(s.out, "slowest: %s\n", strings.Join(list, ", "))
	}
}
