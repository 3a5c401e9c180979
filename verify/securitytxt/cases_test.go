package securitytxt_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// testCase is one line of testdata/*.jsonl: what the world answers, what is
// known, and what the check must conclude. The answer to the first URL is that of
// both families unless Also has one of its own for a family.
type testCase struct {
	ID   string `json:"id"`
	Rule int    `json:"rule"` // 1 to 40
	Kind string `json:"kind"` // "accept", "reject" or "edge"

	Now  time.Time `json:"now"`
	Host string    `json:"host"` // "": of the first URL
	tableAnswer
	Also     []tableAnswer `json:"also"`
	Sign     *signing      `json:"sign"`
	Keys     []string      `json:"keys"`     // that the directory holds, by name; see testKeys. "waiting team" has to be proven
	Contacts []string      `json:"contacts"` // "email csirt@example.com", with "hidden " before those that are not public
	Website  string        `json:"website"`
	Previous []verify.Fact `json:"previous"`

	Want    []wanted          `json:"want"`
	Trouble verify.Code       `json:"trouble"` // no conclusion
	Facts   map[string]string `json:"facts"`   // that must be among the facts
	Until   time.Time         `json:"until"`
}

// tableAnswer is an answer of the table network.
type tableAnswer struct {
	Family  string     `json:"family"` // "": any
	Hops    []tableHop `json:"hops"`
	Body    string     `json:"body"`
	Body64  []byte     `json:"body64"`  // what is no text
	Failure string     `json:"failure"` // a code of fetch.* or dns.*, with ! behind it where it is temporary
	Retry   string     `json:"retry"`
}

type tableHop struct {
	URL       string              `json:"url"`
	Status    int                 `json:"status"`
	TLS       string              `json:"tls"` // "ok", or what is wrong with the certificate
	IP        string              `json:"ip"`
	Headers   map[string][]string `json:"headers"`
	CrossSite bool                `json:"cross_site"`
}

// wanted is a code, its line (0: none) and, where it matters, the corrected value.
type wanted struct {
	Code  string
	Line  int
	Right string
}

// UnmarshalJSON reads ["securitytxt.x", 3] or ["securitytxt.x", null, "right"].
func (w *wanted) UnmarshalJSON(data []byte) error {
	var right *string
	if err := json.Unmarshal(data, &[]any{&w.Code, &w.Line, &right}); err != nil {
		return err
	}
	if w.Right = "-"; right != nil {
		w.Right = *right
	}
	return nil
}

// tableNetwork answers from a case.
type tableNetwork struct {
	t       *testing.T
	now     time.Time
	answers []tableAnswer
	asked   []verify.Request
}

// Fetch answers from the table. What is not in it is as on a quiet host: no other
// file, a redirect from http to https, and every page that is referred to is there.
func (n *tableNetwork) Fetch(_ context.Context, q verify.Request) (*verify.Exchange, error) {
	n.asked = append(n.asked, q)
	for _, family := range []string{q.Family, ""} {
		for _, a := range n.answers {
			if a.Hops[0].URL == q.URL && a.Family == family {
				return a.exchange(q, n.now), nil
			}
		}
	}
	x := &verify.Exchange{Request: q, At: n.now, Hops: []verify.Hop{{URL: q.URL, Status: 200}}}
	switch {
	case q.Plain:
		x.Hops[0].Status, x.Failure = 301, &verify.Failure{Code: verify.FetchRedirects}
	case strings.HasSuffix(q.URL, "/security.txt"):
		x.Hops[0].Status, x.Body = 404, []byte("no\n")
	}
	return x, nil
}

func (n *tableNetwork) Query(_ context.Context, q verify.Question) (*verify.Answer, error) {
	n.t.Errorf("the check asks the DNS for %+v", q)
	return nil, errors.New("no DNS here")
}

func (n *tableNetwork) Greet(_ context.Context, q verify.Greeting) (*verify.Visit, error) {
	n.t.Errorf("the check visits the mail server %+v", q)
	return nil, errors.New("no mail here")
}

func (n *tableNetwork) Origins(netip.Addr) []directory.ASN { return nil }

func (a tableAnswer) exchange(q verify.Request, now time.Time) *verify.Exchange {
	x := &verify.Exchange{Request: q, At: now}
	for _, h := range a.Hops {
		hop := verify.Hop{URL: h.URL, Status: h.Status, Header: h.Headers, CrossSite: h.CrossSite}
		if strings.HasPrefix(h.URL, "https:") {
			hop.TLS = &verify.TLS{Version: "TLS 1.3", Verified: h.TLS == "ok"}
		}
		if h.TLS != "" && h.TLS != "ok" {
			hop.TLS.Problem, x.Failure = h.TLS, &verify.Failure{Code: verify.FetchCertificate, Detail: h.TLS}
		}
		x.Hops = append(x.Hops, hop)
	}
	if code, temporary := strings.CutSuffix(a.Failure, "!"); code != "" {
		retry, _ := time.ParseDuration(a.Retry)
		x.Failure = &verify.Failure{Code: verify.Code(code), Temporary: temporary, Retry: retry}
	}
	if x.Failure == nil {
		x.Body = append([]byte(a.Body), a.Body64...)
	}
	return x
}

// target is what the check is run on.
func (c *testCase) target(t *testing.T) verify.Target {
	host := c.Host
	if host == "" {
		host = strings.TrimPrefix(c.Hops[0].URL, "https://")
		host, _, _ = strings.Cut(host, "/")
	}
	claims := verify.Claims{Website: c.Website}
	for _, name := range c.Keys {
		standing, name, found := strings.Cut(name, " ")
		if !found {
			standing, name = "", standing
		}
		k := testKey(t, name)
		claim := verify.ClaimedKey{Fingerprint: k.fingerprint(), Armor: k.public(t)}
		switch standing {
		case "waiting", "waited":
			claim.Continuity, claim.Since = directory.ContinuityUnproven, c.Now.Add(-directory.KeyWait)
			if standing == "waiting" {
				claim.Since = claim.Since.Add(time.Second)
			}
		case "refused":
			claim.Continuity = directory.ContinuityRefused
		}
		claims.Keys = append(claims.Keys, claim)
	}
	for i, text := range c.Contacts {
		text, hidden := strings.CutPrefix(text, "hidden ")
		channel, value, _ := strings.Cut(text, " ")
		claims.Contacts = append(claims.Contacts, verify.ClaimedContact{ID: directory.ContactID(fmt.Sprint(i)), Channel: channel, Value: value, Public: !hidden})
	}
	return verify.Target{Subject: verify.Subject{Kind: verify.SubjectDomain, ID: host}, Now: c.Now, Claims: claims, Previous: c.Previous}
}

// network is the world of a case.
func (c *testCase) network(t *testing.T) *tableNetwork {
	if c.Sign != nil {
		c.Body = c.Sign.sign(t, c.Body)
	}
	return &tableNetwork{t: t, now: c.Now, answers: append([]tableAnswer{c.tableAnswer}, c.Also...)}
}

func TestCases(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(fmt.Sprintf("%d/%s", c.Rule, c.ID), func(t *testing.T) { c.run(t) })
	}
}

// run runs the check on a case, and again on what the first run recorded.
func (c *testCase) run(t *testing.T) {
	target := c.target(t)
	recorder := verify.Record(c.network(t))
	check := securitytxt.Check()
	result, err := check.Run(context.Background(), recorder, target)
	if c.Trouble != "" {
		var trouble *verify.Trouble
		if !errors.As(err, &trouble) || trouble.Code != c.Trouble || trouble.Ours {
			t.Fatalf("Run = %+v, %v; want no conclusion for the peer's %s", result, err, c.Trouble)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	checkFindings(t, result.Findings)
	c.compare(t, result)
	data, _, err := recorder.Transcript(check.Name, target).Encode()
	if err != nil {
		t.Fatal(err)
	}
	transcript, err := verify.DecodeTranscript(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := check.Run(context.Background(), verify.Replay(transcript), transcript.Target)
	if d := cmp.Diff(again, result); err != nil || d != "" {
		t.Errorf("a replay = %v, (-got +want):\n%s", err, d)
	}
}

// compare holds a result against what a case wants: all findings, in any order.
func (c *testCase) compare(t *testing.T, result verify.Result) {
	t.Helper()
	var got, want []string
	for _, w := range c.Want {
		want = append(want, fmt.Sprintf("%s line %d", w.Code, w.Line))
		if w.Right != "-" && !slices.ContainsFunc(result.Findings, func(f verify.Finding) bool {
			return string(f.Code) == w.Code && f.Line == w.Line && f.Corrected == w.Right
		}) {
			t.Errorf("%s on line %d is not corrected to %q", w.Code, w.Line, w.Right)
		}
	}
	for _, f := range result.Findings {
		got = append(got, fmt.Sprintf("%s line %d", f.Code, f.Line))
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("findings (-got +want):\n%s\n%+v", d, result.Findings)
	}
	for name, value := range c.Facts {
		if !slices.Contains(result.Facts, verify.Fact{Name: name, Value: value}) {
			t.Errorf("the facts lack %s %q: %v", name, value, result.Facts)
		}
	}
	if !c.Until.IsZero() && !result.Until.Equal(c.Until) {
		t.Errorf("until %s, want %s", result.Until, c.Until)
	}
}

// readCases reads all cases, each with a name of its own.
func readCases(t *testing.T) []*testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	var all []*testCase
	ids := map[string]bool{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // it is only read
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			c := &testCase{}
			d := json.NewDecoder(strings.NewReader(lines.Text()))
			d.DisallowUnknownFields()
			if err := d.Decode(c); err != nil {
				t.Fatalf("%s:%d: %v", name, n, err)
			}
			if c.ID == "" || ids[c.ID] || len(c.Hops) == 0 || c.Now.IsZero() {
				t.Fatalf("%s:%d: a case without an id of its own, a first URL or a clock", name, n)
			}
			ids[c.ID] = true
			all = append(all, c)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestEveryRuleHasCases: each rule of the catalogue has a case that it accepts, one that
// it rejects, and one at its edge; each code is wanted by a case.
func TestEveryRuleHasCases(t *testing.T) {
	rules, codes := map[string]int{}, map[string]int{}
	for _, c := range readCases(t) {
		rules[fmt.Sprintf("%d %s", c.Rule, c.Kind)]++
		for _, w := range c.Want {
			codes[w.Code]++
		}
	}
	for rule := 1; rule <= 40; rule++ {
		for _, kind := range []string{"accept", "reject", "edge"} {
			if rules[fmt.Sprintf("%d %s", rule, kind)] == 0 {
				t.Errorf("rule %d has no case of the kind %s", rule, kind)
			}
		}
	}
	if len(rules) != 120 {
		t.Errorf("%d pairs of rule and kind, want 120: a case is of no rule", len(rules))
	}
	for _, p := range securitytxt.Problems() {
		if codes[string(p.Code)] == 0 {
			t.Errorf("%s is wanted by no case", p.Code)
		}
	}
}
