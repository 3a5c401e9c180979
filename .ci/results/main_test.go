package main

import (
	"strings"
	"testing"
)

// stream builds what go test -json prints: "action package test output" a line.
func stream(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		f := strings.SplitN(l, " ", 4)
		b.WriteString(`{"Action":"` + f[0] + `","Package":"` + f[1] + `","Test":"` + f[2] + `","Output":"` + f[3] + `"}` + "\n")
	}
	return b.String()
}

func TestRun(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		strict bool
		ok     bool
		want   []string
		not    []string
	}{
		{
			name: "a pass prints the package line and no output of the test",
			in:   stream(`run a TestX `, `output a TestX chatter\n`, `pass a TestX `, `output a  ok  \ta\t0.1s\n`, `pass a  `),
			ok:   true,
			want: []string{"ok  \ta\t0.1s", "1 passed, 0 failed, 0 skipped"},
			not:  []string{"chatter"},
		},
		{
			name: "a failure prints the output of the failed test and of no other",
			in: stream(`run a TestX `, `output a TestX got 1, want 2\n`, `fail a TestX `, `run a TestY `, `output a TestY chatter\n`, `pass a TestY `,
				`output a  FAIL\ta\t0.1s\n`, `fail a  `),
			want: []string{"got 1, want 2", "FAIL\ta", "1 passed, 1 failed, 0 skipped"},
			not:  []string{"chatter"},
		},
		{
			name: "a test with subtests is not counted beside them",
			in:   stream(`run a TestX `, `run a TestX/s `, `pass a TestX/s `, `pass a TestX `, `pass a  `),
			ok:   true,
			want: []string{"1 passed, 0 failed, 0 skipped"},
		},
		{
			name: "a parent that fails by itself counts once",
			in:   stream(`run a TestX `, `run a TestX/s `, `pass a TestX/s `, `fail a TestX `, `fail a  `),
			want: []string{"1 passed, 1 failed, 0 skipped"},
		},
		{
			name: "a skip is shown with its reason, without the position",
			in:   stream(`run a TestX `, `output a TestX     x_test.go:7: no PostgreSQL\n`, `skip a TestX `, `pass a  `),
			ok:   true,
			want: []string{"SKIP: no PostgreSQL: a.TestX", "0 passed, 0 failed, 1 skipped"},
		},
		{
			name:   "strict makes a skip a failure",
			in:     stream(`run a TestX `, `output a TestX     x_test.go:7: no PostgreSQL\n`, `skip a TestX `, `pass a  `),
			strict: true,
			want:   []string{"SKIP (a failure here): no PostgreSQL: a.TestX"},
		},
		{
			name:   "strict makes a skip without a reason a failure",
			in:     stream(`run a TestX `, `skip a TestX `, `pass a  `),
			strict: true,
			want:   []string{"SKIP (a failure here): no reason given"},
		},
		{
			name:   "strict excuses the absent real data",
			in:     stream(`run a TestX `, `output a TestX     x_test.go:7: real data absent (ROLLCALL_TEST_DATA)\n`, `skip a TestX `, `pass a  `),
			strict: true,
			ok:     true,
			want:   []string{"SKIP: real data absent"},
			not:    []string{"a failure here"},
		},
		{
			name: "a package that does not build is one failure, with the compiler's words",
			in:   `{"ImportPath":"a","Action":"build-output","Output":"a.go:1:1: undefined: b\n"}` + "\n" + stream(`output a  FAIL\ta [build failed]\n`, `fail a  `),
			want: []string{"undefined: b", "FAIL\ta [build failed]", "0 passed, 1 failed, 0 skipped"},
		},
		{
			name: "a stream that breaks off is a failure",
			in:   stream(`run a TestX `, `pass a TestX `, `run a TestY `, `output a TestY half\n`),
			want: []string{"half", "stream ended", "1 passed, 1 failed, 0 skipped"},
		},
		{
			name: "no test at all is a failure",
			in:   "",
			want: []string{"FAIL: no test ran", "0 passed, 0 failed, 0 skipped"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := run(strings.NewReader(tt.in), &out, tt.strict)
			if err != nil || ok != tt.ok {
				t.Errorf("run = %v, %v, want %v, nil", ok, err, tt.ok)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("output lacks %q:\n%s", want, out.String())
				}
			}
			for _, not := range tt.not {
				if strings.Contains(out.String(), not) {
					t.Errorf("output has %q:\n%s", not, out.String())
				}
			}
		})
	}
}

func TestSlowest(t *testing.T) {
	var out strings.Builder
	in := `{"Action":"pass","Package":"x/a","Test":"TestQuick","Elapsed":0.2}
{"Action":"pass","Package":"x/a","Test":"TestSlow","Elapsed":7.4}
{"Action":"pass","Package":"x/a","Test":"TestSlow/part","Elapsed":7.3}
{"Action":"pass","Package":"x/b","Test":"TestSlower","Elapsed":61}
{"Action":"pass","Package":"x/a","Elapsed":70}
{"Action":"pass","Package":"x/b","Elapsed":61}
`
	if ok, err := run(strings.NewReader(in), &out, false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if want := "slowest: b.TestSlower 61 s, a.TestSlow 7 s\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in:\n%s", want, out.String())
	}
}
