package format_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// indicatorsOf reads a text to its end: each indicator as "line kind text", a
// problem as "line !code", and last what ended it, if that was not its end.
func indicatorsOf(o format.IndicatorOptions, r io.Reader) []string {
	var out []string
	x, err := format.NewIndicatorReader(r, o)
	for err == nil {
		var c *format.IndicatorChunk
		if c, err = x.Next(); err != nil {
			break
		}
		for in, broken := range c.All() {
			if err = broken; err != nil {
				break
			}
			if in.Problem != nil {
				out = append(out, fmt.Sprintf("%d !%s", in.Line, in.Problem.Code))
				continue
			}
			out = append(out, fmt.Sprintf("%d %s %s", in.Line, in.Query.Kind, in.Text))
		}
	}
	if p, ok := errors.AsType[directory.Problem](err); ok {
		return append(out, fmt.Sprintf("end %s %s", p.Code, p.Field))
	}
	if err != io.EOF {
		return append(out, err.Error())
	}
	return out
}

func TestIndicators(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	tests := []struct {
		name, form, column, text string
		want                     []string
	}{
		{"text: one a line, blank ones aside", "text", "", "192.0.2.1\r\n\n  example.org  \nAS64496", []string{"1 ip 192.0.2.1", "3 domain example.org", "4 asn AS64496"}},
		{"text: a bad line is told in its place", "text", "", "192.0.2.256\nexample.org\n\xff\n", []string{"1 !query.address", "2 domain example.org", "3 !query.encoding"}},
		{"text: a byte order mark", "text", "", "\uFEFF192.0.2.1", []string{"1 ip 192.0.2.1"}},
		{"text: a line that is too long", "text", "", "AT\n" + long + long + "\nDE\n", []string{"1 country AT", "2 !indicator.too-long", "3 country DE"}},
		{"text: a line that is too long for a query", "text", "", strings.Repeat("x", 2049) + "\nDE", []string{"1 !query.too-long", "2 country DE"}},
		{"text: a web page", "text", "", "<!DOCTYPE html>\n<title>", []string{"end import.html "}},
		{"text: nothing", "text", "", "", nil},

		{"ndjson: strings", "ndjson", "", "\"192.0.2.1\"\n\n \"b\\u00fccher.example\" \n\"AT\"", []string{"1 ip 192.0.2.1", "3 domain bücher.example", "4 country AT"}},
		{"ndjson: objects, by usual names", "ndjson", "", `{"ip":"192.0.2.1","n":1}` + "\n" + `{"n": {"a":[1]}, "source.fqdn": "example.org"}` + "\n" + `{"asn":64496}`,
			[]string{"1 ip 192.0.2.1", "2 domain example.org", "3 asn 64496"}},
		{"ndjson: the first of the names wins in any order", "ndjson", "", `{"url":"https://example.org/","ip":"192.0.2.1"}` + "\n" + `{"url":"https://example.org/","ip":"192.0.2.1","x":null}`, []string{"1 ip 192.0.2.1", "2 ip 192.0.2.1"}},
		{"ndjson: an empty value is passed over", "ndjson", "", `{"query":"","ip":"192.0.2.1"}` + "\n" + `{"query":"","ip":"192.0.2.1","x":[]}`, []string{"1 ip 192.0.2.1", "2 ip 192.0.2.1"}},
		{"ndjson: a member by name", "ndjson", "peer", `{"ip":"192.0.2.1","peer":"192.0.2.2"}`, []string{"1 ip 192.0.2.2"}},
		{"ndjson: what is wrong with a line", "ndjson", "", `{"n":1}` + "\n[1]\n{\n" + `{"ip":"1","ip":"2"}` + "\n" + `{"ip":["x"]}` + "\n{\"ip\":\"\xff\"}\n7\n\"192.0.2.0/33\"\n{}\n{\"ip\":\"192.0.2.1\"} x",
			[]string{"1 !indicator.missing", "2 !field.type", "3 !json.syntax", "4 !json.duplicate-key", "5 !field.type", "6 !json.encoding", "7 !field.type", "8 !query.prefix", "9 !indicator.missing", "10 !json.syntax"}},

		{"csv: a usual column", "csv", "", "n,IP\n1,192.0.2.1\n\n2,192.0.2.2\n", []string{"2 ip 192.0.2.1", "4 ip 192.0.2.2"}},
		{"csv: a column by name", "csv", "peer", "ip,Peer\n192.0.2.1,192.0.2.2", []string{"2 ip 192.0.2.2"}},
		{"csv: semicolons", "csv", "", "n;domain\n1;example.org\n", []string{"2 domain example.org"}},
		{"csv: tabs", "csv", "", "n\tdomain\n1\texample.org\n", []string{"2 domain example.org"}},
		{"csv: quotes, over lines", "csv", "", "note,ip\n\"a, \"\"b\"\"\nc\",192.0.2.1\r\nx,\"192.0.2.2\"\n", []string{"2 ip 192.0.2.1", "4 ip 192.0.2.2"}},
		{"csv: what is wrong with a row", "csv", "", "n,ip\n1\n1,\n1,192.0.2.1,3\na\"b,192.0.2.1\n1,192.0.2.999\n\"never closed,192.0.2.1\n5,192.0.2.5\n",
			[]string{"2 !row.fields", "3 !indicator.missing", "4 !row.fields", "5 !row.quote", "6 !query.address", "7 !row.quote", "8 ip 192.0.2.5"}},
		{"csv: a quote that is not closed within 1 MiB costs one line", "csv", "", "n,ip\n\"x,192.0.2.1\n" + strings.Repeat("1,192.0.2.2\n", 1<<17),
			append([]string{"2 !row.quote"}, numbered(3, 1<<17, "ip 192.0.2.2")...)},
		{"csv: no such column", "csv", "peer", "ip\n192.0.2.1", []string{"end indicator.column "}},
		{"csv: no usual column", "csv", "", "192.0.2.1\n192.0.2.2", []string{"end indicator.column "}},
		{"csv: a column twice", "csv", "", "ip,ip\n1,2", []string{"end indicator.column "}},
		{"csv: a header only", "csv", "", "ip", nil},

		{"json: queries", "json", "", ` {"use":"abuse", "queries" : [ "192.0.2.1" ,"b\u00fccher.example", "a,\"b]" ] } `, []string{"1 ip 192.0.2.1", "2 domain bücher.example", "3 team a,\"b]"}},
		{"json: an empty list", "json", "", `{"queries":[]}`, nil},
		{"json: what is wrong with a query", "json", "", `{"queries":["192.0.2.256",7,["a,b"],"AT"]}`, []string{"1 !query.address", "2 !field.type", "3 !field.type", "4 country AT"}},
		{"json: a comma too many", "json", "", `{"queries":["AT",]}`, []string{"1 country AT", "end json.syntax /queries/1"}},
		{"json: a value that is none", "json", "", `{"queries":["AT",tru,"DE"]}`, []string{"1 country AT", "end json.syntax /queries/1"}},
		{"json: cut short", "json", "", `{"queries":["AT","DE`, []string{"1 country AT", "end json.syntax "}},
		{"json: cut short behind the list", "json", "", `{"queries":["AT"]`, []string{"end json.syntax "}},
		{"json: something behind the list", "json", "", `{"queries":["AT"],"use":"abuse"}`, []string{"end indicator.order "}},
		{"json: text behind the object", "json", "", `{"queries":["AT"]} x`, []string{"end json.syntax "}},
		{"json: an unknown member", "json", "", `{"limit":1,"queries":["AT"]}`, []string{"end field.unknown /limit"}},
		{"json: a member twice", "json", "", `{"use":"abuse","use":"x","queries":[]}`, []string{"end json.duplicate-key /use"}},
		{"json: a list", "json", "", `["AT"]`, []string{"end field.type "}},
		{"json: no queries", "json", "", `{"use":"abuse"}`, []string{"end field.missing /queries"}},
		{"json: queries of another type", "json", "", `{"queries":"AT"}`, []string{"end field.type /queries"}},
		{"json: not JSON", "json", "", `queries`, []string{"end json.syntax "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := format.IndicatorOptions{Form: format.IndicatorForm(tt.form), Column: tt.column}
			for _, chunk := range []int{1, 7, 1 << 10, 1 << 17} {
				if chunk < 1<<10 && len(tt.text) > 1<<16 {
					continue
				}
				o.Chunk = chunk
				if diff := cmp.Diff(indicatorsOf(o, strings.NewReader(tt.text)), tt.want); diff != "" {
					t.Errorf("in chunks of %d (-got +want):\n%s", chunk, diff)
				}
			}
			o.Chunk = 64
			if len(tt.text) < 1<<16 {
				if diff := cmp.Diff(indicatorsOf(o, iotest.OneByteReader(strings.NewReader(tt.text))), tt.want); diff != "" {
					t.Errorf("read byte by byte (-got +want):\n%s", diff)
				}
			}
		})
	}
}

func numbered(first, n int, text string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%d %s", first+i, text)
	}
	return list
}

// TestIndicatorsInText finds in free text what stands for itself, and nothing
// else.
func TestIndicatorsInText(t *testing.T) {
	tests := []struct {
		name, line string
		want       []string
	}{
		{"an access log", `192.0.2.17 - - [21/Nov/2026:20:00:00 +0000] "GET /robots.txt HTTP/1.1" 200 512 "https://www.example.org/a?b=c,d" "Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36"`, []string{"ip 192.0.2.17", "url https://www.example.org/a?b=c,d"}},
		{"sshd", "Nov 21 20:00:01 gate sshd[1234]: Failed password for root from 198.51.100.7 port 4711 ssh2", []string{"ip 198.51.100.7"}},
		{"a firewall", "SRC=192.0.2.1 DST=198.51.100.2 LEN=60 MAC=00:11:22:33:44:55:66", []string{"ip 192.0.2.1", "ip 198.51.100.2"}},
		{"addresses with ports", "192.0.2.1:443 -> [2001:db8::1]:53, 192.0.2.2.", []string{"ip 192.0.2.1", "ip 2001:db8::1", "ip 192.0.2.2"}},
		{"prefixes", "block 192.0.2.0/24,2001:db8::/32;198.51.100.0/25", []string{"cidr 192.0.2.0/24", "cidr 2001:db8::/32", "cidr 198.51.100.0/25"}},
		{"a range", "192.0.2.1-192.0.2.9", []string{"ip 192.0.2.1", "ip 192.0.2.9"}},
		{"Java's addresses", "connect to /192.0.2.1:80 and gate.example.org/192.0.2.2", []string{"ip 192.0.2.1", "domain gate.example.org"}},
		{"behind an interface", "from outside/192.0.2.1 to inside:192.0.2.2", []string{"ip 192.0.2.1", "ip 192.0.2.2"}},
		{"defanged", "192.0.2[.]1 192[.]0[.]2[.]2 hxxps://www[.]example[.]org/x, example(dot)org hxxp[://]example.org", []string{"ip 192.0.2[.]1", "ip 192[.]0[.]2[.]2", "url hxxps://www[.]example[.]org/x", "domain example(dot)org", "url hxxp[://]example.org"}},
		{"mail", "From: A User <user@example.org>, name(at)example.org; name (at) example.org mailto:x@example.org.", []string{"email user@example.org", "email name(at)example.org", "email name (at) example.org", "email x@example.org"}},
		{"AS numbers", "AS64496 announces it to as64497, not AS or ASX1", []string{"asn AS64496", "asn as64497"}},
		{"a domain in a sentence", "See (www.example.org), “example.net” or bücher.example.", []string{"domain www.example.org", "domain example.net", "domain bücher.example"}},
		{"a host and a path", "www.example.org/login?next=/x 192.0.2.1/index.html", []string{"domain www.example.org", "ip 192.0.2.1"}},
		{"no addresses", "1.2.3 1.2.3.4.5 1.2.3.456 10:22:33 std::vector v1.2.3-rc.1 2026-11-21T20:00:00Z 3.14 ::", nil},
		{"no domains", "script.py index.html main.go foo.baz README.md a.b e.g. i.e. file.tar.gz libc.so.6 lodash@4.17.21 root@localhost logo@2x.png", nil},
		{"no versions", "Chrome/120.0.0.0 Edg/120.0.0.0", nil},
		{"a URL in a parameter", "url=https://example.org/?u=http://example.net/", []string{"url https://example.org/?u=http://example.net/"}},
		{"a URL without a host", "file:///etc/passwd http://", nil},
		{"a URL of an address", "http://192.0.2.1:8080/x.php", []string{"url http://192.0.2.1:8080/x.php"}},
		{"quotes and brackets", `{"ip":"192.0.2.1","d":["example.org"]}`, []string{"ip 192.0.2.1", "domain example.org"}},
		{"bytes that are not UTF-8", "\xff\xfe192.0.2.1\xff", []string{"ip 192.0.2.1"}},
		{"a hidden folder", "/home/x/.ssh/config.d", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			for _, w := range tt.want {
				want = append(want, "1 "+w)
			}
			got := indicatorsOf(format.IndicatorOptions{Form: format.IndicatorLog}, strings.NewReader(tt.line))
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestDetectIndicators(t *testing.T) {
	for _, tt := range []struct {
		name, file, head, column string
		want                     format.IndicatorForm
	}{
		{"a line each", "x", "192.0.2.1\n", "", format.IndicatorText},
		{"names of teams", "x", "CERT-BV\nhost\n", "", format.IndicatorText},
		{"a word that is a usual column", "x", "ip\n192.0.2.1", "", format.IndicatorText},
		{"a table of one column", "x.csv", "ip\n192.0.2.1", "", format.IndicatorCSV},
		{"addresses in a file called a table", "x.csv", "192.0.2.1\n", "", format.IndicatorText},
		{"a table", "x", "seen,ip\n1,192.0.2.1", "", format.IndicatorCSV},
		{"a table by its column", "x", "peer\n192.0.2.1", "peer", format.IndicatorCSV},
		{"objects", "-", `{"ip":"192.0.2.1"}`, "", format.IndicatorNDJSON},
		{"strings in a file called so", "x.ndjson", `"192.0.2.1"`, "", format.IndicatorNDJSON},
		{"queries", "x", "\n{ \"use\":\"abuse\",\n \"queries\": [", "", format.IndicatorJSON},
		{"a log", "x.log", "192.0.2.1", "", format.IndicatorLog},
		{"nothing", "x", "", "", format.IndicatorText},
	} {
		if got := format.DetectIndicators(tt.file, []byte(tt.head), tt.column); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestIndicatorsBrokenReader passes on what the reader says.
func TestIndicatorsBrokenReader(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader(strings.Repeat("192.0.2.1\n", 1000)), iotest.ErrReader(broken))
	got := indicatorsOf(format.IndicatorOptions{Form: format.IndicatorText, Chunk: 4096}, r)
	if len(got) < 2 || got[len(got)-1] != "broken" {
		t.Errorf("%d indicators, the last %q; want some and then the reader's error", len(got), got[max(0, len(got)-1):])
	}
}

// FuzzIndicators holds every form to the promise that chunks do not matter,
// and text and log to theirs: every line that is not blank is accounted for.
func FuzzIndicators(f *testing.F) {
	f.Add("192.0.2.1\nexample.org\n", 3)
	f.Add("ip,x\n192.0.2.1,\"a\nb\"\n\"", 5)
	f.Add(`{"queries":["192.0.2.1","a,b",["x"],{}]}`, 2)
	f.Add("{\"ip\":\"192.0.2.1\"}\n\"x\\\"\"\n{\"a\":[{}]}", 9)
	f.Add("from 192[.]0[.]2[.]1 user(at)example.org hxxp://example.org/ 2001:db8::/32", 4)
	f.Fuzz(func(t *testing.T, text string, chunk int) {
		for _, form := range format.IndicatorForms() {
			whole := indicatorsOf(format.IndicatorOptions{Form: form}, strings.NewReader(text))
			parts := indicatorsOf(format.IndicatorOptions{Form: form, Chunk: 1 + abs(chunk)%4096}, strings.NewReader(text))
			if form == format.IndicatorJSON { // where it breaks decides how much was read before
				whole, parts = told2(whole), told2(parts)
			}
			if !slices.Equal(whole, parts) {
				t.Errorf("%s: whole %q, in chunks %q", form, whole, parts)
			}
			if n := len(whole); form == format.IndicatorText && n != lineCount(text) && (n == 0 || !strings.HasPrefix(whole[0], "end ")) {
				t.Errorf("text: %d of %d lines accounted for: %q", n, lineCount(text), whole)
			}
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

// told2 leaves what was read before a text turned out to be broken.
func told2(list []string) []string {
	if n := len(list); n > 0 && strings.HasPrefix(list[n-1], "end ") {
		return []string{"broken"}
	}
	return list
}

func lineCount(text string) (n int) {
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\uFEFF"), "\n") {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}
