package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// batchPost is a batch of one form, answered in another.
func batchPost(query, media, accept, body string) request {
	return request{method: "POST", path: "/v1/lookup" + query, body: body, header: map[string]string{"Content-Type": media, "Accept": accept}}
}

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeCSV    = "text/csv"
	typeText   = "text/plain"
)

// heard is what an answer says of one indicator.
type heard struct{ query, status, code, to string }

// listen reads an answer to its end in any form: what it says of each
// indicator, in the order of the answer, and the summary.
func listen(t testing.TB, a answer, grouped bool) ([]heard, api.BatchSummary) {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("status = %d: %.300s", a.status, a.body)
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	var all api.Answers
	switch media {
	case typeJSON:
		a.into(t, 200, &all)
	case typeNDJSON:
		all = ndjsonOf(t, a.body, grouped)
	case typeCSV:
		return rowsOf(t, a.body)
	default:
		t.Fatalf("the answer is of type %q", media)
	}
	var list []heard
	for _, one := range all.Answers {
		h := heard{query: one.Query, status: one.Status, to: contactsOf(one)}
		if one.Error != nil {
			h.code = one.Error.Code
		}
		list = append(list, h)
	}
	for _, g := range all.Groups {
		var to []string
		for _, r := range g.Recipients {
			to = append(to, contactOf(r.Contact))
		}
		if g.Count != len(g.Indicators)+len(g.Problems) {
			t.Errorf("group %d counts %d and has %d", g.Group, g.Count, len(g.Indicators)+len(g.Problems))
		}
		for _, q := range g.Indicators {
			list = append(list, heard{query: q, status: g.Status, to: strings.Join(to, " | ")})
		}
		for _, p := range g.Problems {
			list = append(list, heard{query: p.Query, status: g.Status, code: p.Error.Code})
		}
	}
	return list, all.Summary
}

func contactOf(c *api.AnswerContact) string {
	if c == nil {
		return ""
	}
	return c.Value
}

// contactsOf names the contacts of the first rank that has any.
func contactsOf(a api.Answer) string {
	var to []string
	rank := 0
	for _, c := range a.Candidates {
		if c.Contact != nil && (rank == 0 || c.Rank == rank) {
			rank = c.Rank
			to = append(to, c.Contact.Value)
		}
	}
	return strings.Join(to, " | ")
}

func ndjsonOf(t testing.TB, body []byte, grouped bool) (all api.Answers) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	strict := func(line []byte, v any) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Fatalf("line %.300s: %v", line, err)
		}
	}
	for _, line := range lines[:len(lines)-1] {
		if grouped {
			all.Groups = append(all.Groups, api.BatchGroup{})
			strict(line, &all.Groups[len(all.Groups)-1])
		} else {
			all.Answers = append(all.Answers, api.Answer{})
			strict(line, &all.Answers[len(all.Answers)-1])
		}
	}
	strict(lines[len(lines)-1], &all.Summary)
	return all
}

func rowsOf(t testing.TB, body []byte) (list []heard, sum api.BatchSummary) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("a table of %d rows: %v", len(rows), err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	last := rows[len(rows)-1]
	if sum.End = last[at["status"]] == "end"; sum.End {
		_, _ = fmt.Sscan(last[at["line"]], &sum.Count)
	}
	for _, row := range rows[1 : len(rows)-1] {
		list = append(list, heard{row[at["query"]], row[at["status"]], row[at["code"]], row[at["contact"]]})
	}
	return list, sum
}

// TestBatchForms asks the same in every form and reads it in every form.
func TestBatchForms(t *testing.T) {
	s := embedded(t)
	s.create("delta", directory.Profile{Names: directory.Names{Short: "DELTA, \"D\""}, Resources: []directory.Resource{{Type: "domain", Domain: "example.net"}},
		Contacts: []directory.Contact{contact("delta@example.net", directory.Clear)}})
	s.create("delta-two", directory.Profile{Names: directory.Names{Short: "DELTA 2"}, Resources: []directory.Resource{{Type: "domain", Domain: "example.net"}},
		Contacts: []directory.Contact{contact("two@example.net", directory.Clear)}})
	queries := []string{"192.0.2.1", "www.example.net", "192.0.2.256", "203.0.113.1", "192.0.2.1", "x@example.org", "2001:db8::1", "alpha", "a,\"b\"", "192.0.2[.]7", "AS64496", "1/"}
	want := []heard{
		{"192.0.2.1", "match", "", "clear@example.org"}, {"www.example.net", "ambiguous", "", "delta@example.net | two@example.net"}, {"192.0.2.256", "unavailable", "query.address", ""},
		{"203.0.113.1", "none", "", ""}, {"192.0.2.1", "match", "", "clear@example.org"}, {"x@example.org", "match", "", "clear@example.org"}, {"2001:db8::1", "none", "", ""},
		{"alpha", "match", "", "clear@example.org"}, {"a,\"b\"", "none", "", ""}, {"192.0.2[.]7", "match", "", "clear@example.org"}, {"AS64496", "none", "", ""}, {"1/", "none", "", ""},
	}
	encoded := func(v any) string { text, _ := json.Marshal(v); return string(text) }
	var lines, table strings.Builder
	table.WriteString("n,query\n")
	for i, q := range queries {
		lines.WriteString(encoded(q) + "\n")
		fmt.Fprintf(&table, "%d,\"%s\"\n", i, strings.ReplaceAll(q, `"`, `""`))
	}
	big := encoded(api.Queries{Queries: queries})
	bodies := map[string]string{typeJSON: big, typeNDJSON: lines.String(), typeCSV: table.String(), typeText: strings.Join(queries, "\n")}
	for in, body := range bodies {
		for _, out := range []string{typeJSON, typeNDJSON, typeCSV} {
			for _, grouped := range []bool{false, true} {
				if in == typeJSON && out == typeJSON && !grouped {
					continue // all or none: TestBadRequests
				}
				t.Run(fmt.Sprintf("%s to %s, grouped %v", in, out, grouped), func(t *testing.T) {
					query := ""
					if grouped {
						query = "?group=recipient"
					}
					got, sum := listen(t, s.do(t, batchPost(query, in, out, body)), grouped)
					wanted := want
					if grouped {
						wanted = byGroup(want)
					}
					if diff := cmp.Diff(got, wanted, cmp.AllowUnexported(heard{})); diff != "" {
						t.Errorf("(-got +want):\n%s", diff)
					}
					if !sum.End || sum.Count != len(want) {
						t.Errorf("summary %+v, want the end of %d", sum, len(want))
					}
					if out != typeCSV && (sum.Match != 5 || sum.None != 5 || sum.Ambiguous != 1 || sum.Unavailable != 1 || !sum.Exact || sum.Seq == 0) {
						t.Errorf("summary %+v", sum)
					}
				})
			}
		}
	}
}

// byGroup orders a list as its groups appear, unread ones behind the others of
// their stretch.
func byGroup(list []heard) []heard {
	key := func(h heard) string { return h.status + h.to }
	var order []string
	groups := map[string][]heard{}
	for _, h := range list {
		if _, ok := groups[key(h)]; !ok && h.code == "" {
			order = append(order, key(h))
		}
		groups[key(h)] = append(groups[key(h)], h)
	}
	for k := range groups {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	var out []heard
	for _, k := range order {
		out = append(out, groups[k]...)
	}
	return out
}

// TestBatchIsComplete is the promise of a batch: every indicator is in the
// answer once, in its place, whatever the sizes of what is read and written.
func TestBatchIsComplete(t *testing.T) {
	s := embedded(t)
	rng := rand.New(rand.NewPCG(1, 1))
	var body strings.Builder
	var want []string
	for i := range sceneBatch / 3 {
		q := fmt.Sprintf("192.0.%d.%d", i>>8&255, i&255)
		switch rng.IntN(6) {
		case 0:
			q = fmt.Sprintf("host-%d.example.org", i)
		case 1:
			q = fmt.Sprintf("192.0.2.%d", 256+i) // can't be read
		case 2:
			q = "beta"
		}
		want = append(want, q)
		body.WriteString(q + "\n")
	}
	for _, out := range []string{typeJSON, typeNDJSON, typeCSV} {
		got, sum := listen(t, s.do(t, batchPost("", typeText, out, body.String())), false)
		if sum.Count != len(want) || !sum.End || len(got) != len(want) {
			t.Fatalf("%s: %d answers, summary %+v, want %d", out, len(got), sum, len(want))
		}
		for i := range want {
			if got[i].query != want[i] {
				t.Fatalf("%s: answer %d is of %q, want %q", out, i, got[i].query, want[i])
			}
		}
		grouped, sum := listen(t, s.do(t, batchPost("?group=recipient", typeText, out, body.String())), true)
		if diff := cmp.Diff(tally(grouped), tally(got)); diff != "" || sum.Count != len(want) {
			t.Errorf("%s: grouped and not, %d (-grouped +not):\n%s", out, sum.Count, diff)
		}
	}
}

// tally counts what is said of what.
func tally(list []heard) map[heard]int {
	m := map[heard]int{}
	for _, h := range list {
		m[h]++
	}
	return m
}

// TestBatchIsSingleLine holds every line of a streamed batch against the
// single lookup, as every role.
func TestBatchIsSingleLine(t *testing.T) {
	s := embedded(t)
	queries := []string{"192.0.2.1", "192.0.2.0/25", "www.example.org", "red@example.org", "AT", "AS64496", "alpha", "GAMMA", "beta@example.net"}
	for _, role := range roles {
		got := ndjsonOf(t, s.do(t, batchPost("?use=vulnerability", typeText, typeNDJSON, strings.Join(queries, "\n")).by(role)).body, false)
		if got.Summary.Exact {
			t.Error("names that look alike were not looked for in a small batch")
		}
		for i, q := range queries {
			var one api.Answer
			s.do(t, get("/v1/lookup?"+url.Values{"q": {q}, "use": {"vulnerability"}}.Encode()).by(role)).into(t, 200, &one)
			one.Line = i + 1
			if diff := cmp.Diff(got.Answers[i], one); diff != "" {
				t.Errorf("%s as %q, in a batch and alone (-batch +alone):\n%s", q, role, diff)
			}
		}
	}
}

// TestBatchRedaction looks for hidden mailboxes in every form: what a role may
// not see is nowhere in the answer.
func TestBatchRedaction(t *testing.T) {
	s := embedded(t)
	secret := s.create("secret", directory.Profile{Names: directory.Names{Short: "SECRET"}, Resources: []directory.Resource{
		{Type: "domain", Domain: "hidden.example", Visibility: directory.Red}, {Type: "domain", Domain: "open.example"}},
		Contacts: []directory.Contact{contact("secret@example.com", directory.Red)}})
	for _, role := range roles {
		for _, out := range []string{typeJSON, typeNDJSON, typeCSV} {
			for _, query := range []string{"", "?group=recipient"} {
				a := s.do(t, batchPost(query, typeText, out, "x.hidden.example\nx.open.example\n192.0.2.1\nred@example.org").by(role))
				sees := role == "operator" || role == "reader"
				if found := bytes.Contains(a.body, []byte("secret@example.com")); found != sees {
					t.Errorf("%s%s as %q names the hidden contact: %v, want %v", out, query, role, found, sees)
				}
				if !bytes.Contains(a.body, []byte(secret.Handle)) { // of open.example
					t.Errorf("%s%s as %q does not name the team that is known", out, query, role)
				}
			}
		}
		a := s.do(t, batchPost("?group=recipient", typeText, typeNDJSON, "x.hidden.example").by(role))
		if found := bytes.Contains(a.body, []byte(secret.Handle)); found != (role == "operator" || role == "reader") {
			t.Errorf("as %q the owner of a hidden domain is told: %v", role, found)
		}
	}
}

// TestBatchExtract finds what is in a log.
func TestBatchExtract(t *testing.T) {
	s := embedded(t)
	log := "Nov 21 sshd: failed for root from 192.0.2.1 port 22\nnothing here\nGET hxxp://www[.]example[.]org/x from 192[.]0[.]2[.]2 by user(at)example.org\n"
	got := ndjsonOf(t, s.do(t, batchPost("?extract=true", typeText, typeNDJSON, log)).body, false)
	var list []string
	for _, a := range got.Answers {
		list = append(list, fmt.Sprintf("%d %s %s", a.Line, a.Kind, a.Query))
	}
	want := []string{"1 ip 192.0.2.1", "3 url hxxp://www[.]example[.]org/x", "3 ip 192[.]0[.]2[.]2", "3 email user(at)example.org"}
	if diff := cmp.Diff(list, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if got, sum := listen(t, s.do(t, batchPost("?extract=true", typeText, typeJSON, "nothing here")), false); len(got) != 0 || !sum.End || sum.Count != 0 {
		t.Errorf("a log with nothing in it: %v, %+v; want an empty answer that is complete", got, sum)
	}
}

func TestBatchAccept(t *testing.T) {
	s := embedded(t)
	for accept, want := range map[string]string{
		"": typeJSON, "*/*": typeJSON, "text/html": typeJSON, "application/x-ndjson": typeNDJSON, "application/ndjson": typeNDJSON, "text/csv": typeCSV,
		"application/json;q=0.5, text/csv": typeCSV, "text/csv;q=0.1, application/json": typeJSON, "text/*": typeCSV, "text/csv;q=0, */*;q=0.1": typeJSON, ";;": typeJSON,
	} {
		a := s.do(t, batchPost("", typeText, accept, "192.0.2.1"))
		if got, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); got != want {
			t.Errorf("Accept %q is answered with %s, want %s", accept, got, want)
		}
	}
}

// TestBatchParts gives up what groups hold before the end when it is too much.
func TestBatchParts(t *testing.T) {
	s := embedded(t)
	var out bytes.Buffer
	b := &api.Batch{Index: s.follow.Index(), Ask: directory.Ask{Now: s.clock.Now()}, Form: api.BatchNDJSON, Group: true}
	api.SetHeld(b, 4096)
	const n = 20_000
	var body strings.Builder
	for i := range n {
		fmt.Fprintf(&body, "host%d.example.org\n203.0.113.%d\nbad..%d\n", i, i&255, i)
	}
	sum := runBatch(t, b, "text", body.String(), &out)
	all := ndjsonOf(t, out.Bytes(), true)
	parts := map[int]int{}
	var domains []string
	for _, g := range all.Groups {
		if parts[g.Group]++; g.Part != parts[g.Group] {
			t.Errorf("part %d of group %d comes as number %d", g.Part, g.Group, parts[g.Group])
		}
		if g.Status == "match" {
			domains = append(domains, g.Indicators...)
		}
	}
	if sum.Groups != 3 || len(parts) != 3 || len(all.Groups) < 6 || sum.Count != 3*n || len(domains) != n {
		t.Fatalf("%d records of %v groups, %d domains, summary %+v", len(all.Groups), slices.Collect(maps.Keys(parts)), len(domains), sum)
	}
	for i, d := range domains {
		if d != fmt.Sprintf("host%d.example.org", i) {
			t.Fatalf("indicator %d is %s: not in order", i, d)
		}
	}
}

func runBatch(t testing.TB, b *api.Batch, form, body string, out io.Writer) api.BatchSummary {
	t.Helper()
	sum, err := b.Run(context.Background(), indicators(t, b, form, strings.NewReader(body)), out)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestBatchOfOneMoment edits the directory while a batch is under way: all of
// its answers are of one number of the sequence.
func TestBatchOfOneMoment(t *testing.T) {
	s := embedded(t)
	body, w := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.server.URL+"/v1/lookup", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", typeText)
	r.Header.Set("Accept", typeNDJSON)
	line := strings.Repeat("192.0.2.1\n", 4096)
	go func() {
		_, _ = io.WriteString(w, line) // a reader that fails is seen below
	}()
	resp, err := s.server.Client().Do(r) // the answer begins before the body ends
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	s.create("late", directory.Profile{Names: directory.Names{Short: "LATE"}, Resources: []directory.Resource{{Type: "prefix", Prefix: mustPrefix("192.0.2.0/28")}},
		Contacts: []directory.Contact{contact("late@example.org", directory.Clear)}})
	go func() {
		_, _ = io.WriteString(w, line)
		_ = w.Close()
	}()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := ndjsonOf(t, text, false)
	if len(all.Answers) != 8192 || !all.Summary.End {
		t.Fatalf("%d answers, %+v", len(all.Answers), all.Summary)
	}
	for i, a := range all.Answers {
		if a.Seq != all.Summary.Seq || contactsOf(a) != "clear@example.org" {
			t.Fatalf("answer %d is %s of %d, the summary of %d", i, contactsOf(a), a.Seq, all.Summary.Seq)
		}
	}
}

// interrupted sends the start of a body that breaks off, and returns what was
// answered until then, and how that ended.
func interrupted(t *testing.T, s *scene, accept string, start string, end func(net.Conn)) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only read
	fmt.Fprintf(conn, "POST /v1/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n", accept, len(start)+1000)
	go func() {
		_, _ = io.WriteString(conn, start)
		end(conn)
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// TestBatchInterrupted breaks bodies off and holds every form to its promise:
// what was answered until then never looks complete, and says why.
func TestBatchInterrupted(t *testing.T) {
	s := embedded(t)
	half := func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }
	start := strings.Repeat("192.0.2.1\n", 20_000)
	for accept, last := range map[string]string{
		typeNDJSON: `"error":{"code":"body.unreadable"`, typeJSON: `"error":{"code":"body.unreadable"`, typeCSV: ",interrupted,",
	} {
		text, err := interrupted(t, s, accept, start, half)
		if err == nil {
			t.Errorf("%s: the answer to half a body ended as if it were whole", accept)
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if end := lines[len(lines)-1]; !strings.Contains(end[max(0, len(end)-600):], last) || strings.Contains(end, `"end":true`) {
			t.Errorf("%s: the last words are %.300q, want %q", accept, end[max(0, len(end)-300):], last)
		}
		if accept == typeJSON && json.Valid([]byte(text)) {
			t.Error("half an answer in JSON is JSON")
		}
	}
	// More indicators than a batch may have: known only on the way.
	text, err := interrupted(t, s, typeNDJSON, strings.Repeat("192.0.2.1\n", sceneBatch+5000), half)
	if err == nil || !strings.Contains(text, `"end":false`) || !strings.Contains(text, "lookup.queries") {
		t.Errorf("too many indicators: %v, %.200q", err, text[max(0, len(text)-200):])
	}
	if !strings.Contains(s.log.String(), "batch interrupted") {
		t.Error("the log does not say that batches were interrupted")
	}
}

// TestBatchSlow cuts off who neither sends nor reads.
func TestBatchSlow(t *testing.T) {
	s := embedded(t)
	handler, err := api.New(api.Config{Directory: s.dir, Index: s.follow.Index, Now: s.clock.Now, BatchPatience: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(handler)
	s.server.Config.ReadTimeout, s.server.Config.WriteTimeout = time.Minute, time.Minute
	s.server.Start()
	t.Cleanup(s.server.Close)
	start := time.Now()
	text, err := interrupted(t, s, typeNDJSON, strings.Repeat("192.0.2.1\n", 20_000), func(net.Conn) {})
	if err == nil || !strings.Contains(text, "too slowly") {
		t.Errorf("who stops sending gets %v, %.200q", err, text[max(0, len(text)-200):])
	}
	// Who does not read: the server can't write, gives up, and lets go of all.
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was never read
	fmt.Fprintf(conn, "POST /v1/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 10000000\r\n\r\n")
	for err == nil {
		_, err = io.WriteString(conn, strings.Repeat("192.0.2.1\n", 1000))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("slow clients were cut off after %v", took)
	}
}

// TestBatchKeepsConnection asks twice on one connection, and waits between
// for longer than the deadlines that a batch had.
func TestBatchKeepsConnection(t *testing.T) {
	s := embedded(t)
	handler, err := api.New(api.Config{Directory: s.dir, Index: s.follow.Index, Now: s.clock.Now, BatchPatience: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only read
	r := bufio.NewReader(conn)
	for _, query := range []string{"", "?group=recipient"} {
		fmt.Fprintf(conn, "POST /v1/lookup%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n192.0.2.1", query)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		if text, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(text, []byte(`"end":true`)) {
			t.Errorf("%q: %v, %s", query, err, text)
		}
		<-time.After(300 * time.Millisecond)
	}
}

// TestBatchHalfDuplex sends all before it reads, as many clients do.
func TestBatchHalfDuplex(t *testing.T) {
	_, db := storetest.SQLite().Open(t)
	s := newScene(t, db)
	body := strings.Repeat("192.0.2.1\n", sceneBatch)
	conn, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it was only read
	fmt.Fprintf(conn, "POST /v1/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nAccept: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", len(body))
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || len(text) < 10<<20 || !bytes.HasSuffix(text, []byte("}\n")) || !bytes.Contains(text[len(text)-300:], []byte(`"end":true`)) {
		t.Errorf("%d bytes, %v: want all of the answer", len(text), err)
	}
}

// indicators is the reader of a body for a batch.
func indicators(t testing.TB, b *api.Batch, form string, body io.Reader) *format.IndicatorReader {
	t.Helper()
	in, err := format.NewIndicatorReader(body, b.IndicatorOptions(format.IndicatorForm(form), ""))
	if err != nil {
		t.Fatal(err)
	}
	return in
}
