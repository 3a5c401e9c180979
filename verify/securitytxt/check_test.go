package securitytxt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

func TestApplies(t *testing.T) {
	domain := func(d directory.Domain, claim directory.Word) directory.Resource {
		return directory.Resource{Type: "domain", Domain: d, Claim: claim}
	}
	got := securitytxt.Check().Applies(&directory.Team{Profile: directory.Profile{
		Website: "https://www.example.org/team",
		Resources: []directory.Resource{
			domain("example.org", ""), domain("example.net", "confirmed"), domain("example.com", "disputed"), domain("example.org", ""), domain("org", ""),
			{Type: "country", Country: "AT"}, {Type: "asn", ASN: 64496},
		},
	}})
	var ids []string
	for _, s := range got {
		ids = append(ids, s.String())
	}
	if d := cmp.Diff(ids, []string{"domain:example.org", "domain:example.net", "domain:www.example.org"}); d != "" {
		t.Errorf("Applies (-got +want):\n%s", d)
	}
	if got := securitytxt.Check().Applies(&directory.Team{Profile: directory.Profile{Website: "https://192.0.2.1/"}}); len(got) != 0 {
		t.Errorf("Applies to a website without a name = %v", got)
	}
}

// TestQuestions: what is asked, of whom, and in which order.
func TestQuestions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []tableAnswer
		want    []string
	}{
		{"a file", []tableAnswer{{Hops: hops("/.well-known/security.txt", 200), Body: typical}}, []string{
			"ip4 https://example.org/.well-known/security.txt", "ip6 https://example.org/.well-known/security.txt", "ip4 https://example.org/security.txt",
			"https://example.org/security-contact.html", "https://example.org/pgp-key.txt", "https://example.org/security-policy.html",
		}},
		{"no file", nil, []string{
			"ip4 https://example.org/.well-known/security.txt", "ip6 https://example.org/.well-known/security.txt", "ip4 https://example.org/security.txt",
			"ip4 http://example.org/.well-known/security.txt",
		}},
		{"another host's certificate", []tableAnswer{{Hops: hops("/.well-known/security.txt", 0), Failure: "fetch.certificate"}}, []string{
			"ip4 https://example.org/.well-known/security.txt", "ip6 https://example.org/.well-known/security.txt", "ip4 http://example.org/.well-known/security.txt",
		}},
		{"an address inside", []tableAnswer{{Hops: hops("/.well-known/security.txt", 0), Failure: "fetch.address-refused"}}, []string{
			"ip4 https://example.org/.well-known/security.txt", "ip6 https://example.org/.well-known/security.txt",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &tableNetwork{t: t, now: now, answers: tt.answers}
			if _, err := securitytxt.Check().Run(context.Background(), n, exampleTarget()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, q := range n.asked {
				got = append(got, strings.TrimSpace(q.Family+" "+q.URL))
				if q.Limit <= 0 || q.Limit > securitytxt.MaxSize || strings.HasPrefix(q.URL, "http:") != q.Plain {
					t.Errorf("asked %+v", q)
				}
			}
			if d := cmp.Diff(got, tt.want); d != "" {
				t.Errorf("asked (-got +want):\n%s", d)
			}
		})
	}
}

func hops(path string, status int) []tableHop {
	return []tableHop{{URL: "https://example.org" + path, Status: status, Headers: map[string][]string{"Content-Type": {"text/plain; charset=utf-8"}}}}
}

func exampleTarget() verify.Target {
	return verify.Target{Subject: verify.Subject{Kind: verify.SubjectDomain, ID: "example.org"}, Now: now}
}

// slowNetwork takes its time for every answer.
type slowNetwork struct {
	tableNetwork
	each time.Duration
}

func (n *slowNetwork) Fetch(ctx context.Context, q verify.Request) (*verify.Exchange, error) {
	x, err := n.tableNetwork.Fetch(ctx, q)
	n.now = n.now.Add(n.each)
	return x, err
}

// TestSlowPeer: a run that would take too long leaves pages out, so that it comes to a
// conclusion.
func TestSlowPeer(t *testing.T) {
	for _, tt := range []struct {
		each  time.Duration
		asked int
	}{{time.Second, 6}, {12 * time.Second, 4}, {15 * time.Second, 4}} {
		n := &slowNetwork{tableNetwork{t: t, now: now, answers: []tableAnswer{{Hops: hops("/.well-known/security.txt", 200), Body: typical}}}, tt.each}
		result, err := securitytxt.Check().Run(context.Background(), n, exampleTarget())
		if err != nil {
			t.Fatal(err)
		}
		if len(n.asked) != tt.asked || n.now.Sub(now) > time.Minute {
			t.Errorf("at %s each, %d questions in %s; want %d in a minute at most: %+v", tt.each, len(n.asked), n.now.Sub(now), tt.asked, result.Findings)
		}
	}
}

// brokenNetwork fails at the nth question, for a reason of our own.
type brokenNetwork struct {
	tableNetwork
	left int
}

func (n *brokenNetwork) Fetch(ctx context.Context, q verify.Request) (*verify.Exchange, error) {
	if n.left--; n.left < 0 {
		return nil, &verify.Trouble{Code: verify.CodeCancelled, Ours: true}
	}
	return n.tableNetwork.Fetch(ctx, q)
}

// TestOwnTrouble: trouble of our own at any question is no conclusion.
func TestOwnTrouble(t *testing.T) {
	for _, answers := range [][]tableAnswer{nil, {{Hops: hops("/.well-known/security.txt", 200), Body: typical}}} {
		for left := range 7 {
			n := &brokenNetwork{tableNetwork{t: t, now: now, answers: answers}, left}
			result, err := securitytxt.Check().Run(context.Background(), n, exampleTarget())
			if n.left >= 0 {
				break
			}
			var trouble *verify.Trouble
			if !errors.As(err, &trouble) || !trouble.Ours || len(result.Findings) > 0 {
				t.Errorf("broken at question %d: %+v, %v", left+1, result, err)
			}
		}
	}
}

// TestRetry: what a peer asks for by Retry-After is handed on.
func TestRetry(t *testing.T) {
	n := &tableNetwork{t: t, now: now, answers: []tableAnswer{{Hops: hops("/.well-known/security.txt", 503), Failure: "fetch.server-error!", Retry: "1h"}}}
	_, err := securitytxt.Check().Run(context.Background(), n, exampleTarget())
	var trouble *verify.Trouble
	if !errors.As(err, &trouble) || trouble.Retry != time.Hour || trouble.Code != verify.FetchServerError {
		t.Errorf("Run = %v, want trouble that asks for an hour", err)
	}
}

// TestFactsHaveAnEnd: a file of a thousand lines makes a bounded result.
func TestFactsHaveAnEnd(t *testing.T) {
	var b strings.Builder
	for i := range 990 {
		fmt.Fprintf(&b, "Contact: mailto:%d@example.org\n", i)
	}
	n := &tableNetwork{t: t, now: now, answers: []tableAnswer{{Hops: hops("/.well-known/security.txt", 200), Body: b.String()}}}
	target := exampleTarget()
	target.Claims.Contacts = []verify.ClaimedContact{{Channel: "email", Value: "csirt@example.org", Public: true}}
	result, err := securitytxt.Check().Run(context.Background(), n, target)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Facts) > 30 || len(result.Findings) > 150 {
		t.Errorf("%d facts and %d findings", len(result.Facts), len(result.Findings))
	}
}

// TestHiddenContacts: nothing that the check says depends on what others may not see.
func TestHiddenContacts(t *testing.T) {
	run := func(hidden ...verify.ClaimedContact) verify.Result {
		n := &tableNetwork{t: t, now: now, answers: []tableAnswer{{Hops: hops("/.well-known/security.txt", 200), Body: typical}}}
		target := exampleTarget()
		target.Claims.Contacts = append(hidden, verify.ClaimedContact{Channel: "email", Value: "csirt@example.org", Public: true})
		result, err := securitytxt.Check().Run(context.Background(), n, target)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	with := run(verify.ClaimedContact{Channel: "email", Value: "security@example.org"}, verify.ClaimedContact{Channel: "url", Value: "https://example.org/security-contact.html"})
	if d := cmp.Diff(with, run()); d != "" {
		t.Errorf("a result with hidden contacts (-with +without):\n%s", d)
	}
}
