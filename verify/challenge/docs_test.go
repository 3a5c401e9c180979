package challenge_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestDocs: every word that an operator can meet stands in docs/challenges.md.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/challenges.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	var words []string
	add := func(list ...any) {
		for _, w := range list {
			words = append(words, fmt.Sprint(w))
		}
	}
	for _, k := range challenge.Kinds() {
		add(k)
	}
	for _, s := range challenge.States() {
		add(s)
	}
	for _, r := range challenge.Recipients() {
		if r != challenge.ToNobody {
			add(r)
		}
	}
	add(challenge.OutcomeUnanswered, challenge.OutcomeUndeliverable, challenge.OutcomeNotSent, challenge.OutcomeWrongAddress, challenge.OutcomeSuperseded,
		challenge.OutcomeWithdrawn, challenge.OutcomeStopped)
	add(challenge.ReasonStopped, challenge.ReasonOptedOut, challenge.ReasonPaused, challenge.ReasonOpen, challenge.ReasonAgain, challenge.ReasonUnknown, challenge.ReasonAddress,
		challenge.ReasonDomain, challenge.ReasonOverall, challenge.ReasonHoliday, challenge.ReasonQuiet, challenge.ReasonHours)
	for _, p := range challenge.Presets() {
		add(p.Name)
		p.Settle, p.Drill, p.Notices, p.Holidays = p.Window, p.Window, p.Window, allDays(2026, 2027)[:1]
		var fields map[string]any
		if err := json.Unmarshal([]byte(mustJSON(t, p)), &fields); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			add(name)
		}
	}
	for _, w := range words {
		if !strings.Contains(doc, "`"+w+"`") {
			t.Errorf("docs/challenges.md does not say what `%s` is", w)
		}
	}
	if n := fmt.Sprintf("each of the %d events", len(challenge.EventKinds())); !strings.Contains(doc, n) {
		t.Errorf("docs/challenges.md does not say %q", n)
	}
}

// block returns the code of a language in a page.
func block(t *testing.T, page, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n```"+language+"\n")
	code, _, closed := strings.Cut(after, "\n```\n")
	if !found || !closed {
		t.Fatalf("docs/%s has no %s", page, language)
	}
	return code + "\n"
}

// exampleInput is what the examples of docs/webhooks.md are tried on.
type exampleInput struct {
	Secret, Header, Rotated, Wrong, Old, Body string
	Key, Challenge, Nonce                     string
	Now                                       int64
}

// exampleOutput is what they make of it.
type exampleOutput struct {
	Good, Rotated, Wrong, Old, Tampered, Twice, Nothing bool
	Answer, Signature                                   string
}

const pythonDriver = `
import hook, json, sys
i = json.load(sys.stdin)
b = i["Body"].encode()
check = lambda header, body=b: hook.verify(i["Secret"], header, body, i["Now"])
answer, signature = hook.answer(i["Key"], {"challenge": i["Challenge"], "nonce": i["Nonce"]}, i["Now"])
json.dump({"Good": check(i["Header"]), "Rotated": check(i["Rotated"]), "Wrong": check(i["Wrong"]), "Old": check(i["Old"]), "Tampered": check(i["Header"], b + b" "),
    "Twice": check(i["Header"] + ",t=1"), "Nothing": check(""), "Answer": answer.decode(), "Signature": signature}, sys.stdout)
`

const goDriver = `package main

import (
	"encoding/json"
	"os"
	"time"
)

var _ = func() bool {
	var i struct{ Secret, Header, Rotated, Wrong, Old, Body, Key, Challenge, Nonce string; Now int64 }
	if err := json.NewDecoder(os.Stdin).Decode(&i); err != nil {
		panic(err)
	}
	check := func(header, body string) bool { return verify(i.Secret, header, []byte(body), time.Unix(i.Now, 0)) }
	body, signature := answer(i.Key, i.Challenge, i.Nonce, time.Unix(i.Now, 0))
	json.NewEncoder(os.Stdout).Encode(map[string]any{"Good": check(i.Header, i.Body), "Rotated": check(i.Rotated, i.Body), "Wrong": check(i.Wrong, i.Body), "Old": check(i.Old, i.Body),
		"Tampered": check(i.Header, i.Body+" "), "Twice": check(i.Header+",t=1", i.Body), "Nothing": check("", i.Body), "Answer": string(body), "Signature": signature})
	os.Exit(0)
	return true
}()
`

// TestWebhookExamples runs what docs/webhooks.md tells receivers to run.
func TestWebhookExamples(t *testing.T) {
	secret, key := "rcw_"+strings.Repeat("0123456789ABCDEF", 3), "the key of the automation of alpha"
	body := []byte(`{"id":"1","type":"ping"}`)
	in := exampleInput{Secret: secret, Header: challenge.Sign(body, monday, []byte(secret)), Rotated: challenge.Sign(body, monday, []byte(key), []byte(secret)), Wrong: challenge.Sign(body, monday, []byte(key)),
		Old: challenge.Sign(body, monday.Add(-6*time.Minute), []byte(secret)), Body: string(body), Key: key, Challenge: "c1", Nonce: "N", Now: monday.Unix()}
	for _, c := range []struct {
		language string
		files    map[string]string
		run      []string
	}{
		{"python", map[string]string{"hook.py": block(t, "webhooks.md", "python"), "try.py": pythonDriver}, []string{"python3", "try.py"}},
		{"go", map[string]string{"main.go": block(t, "webhooks.md", "go"), "try.go": goDriver, "go.mod": "module hook\n\ngo 1.24\n"}, []string{"go", "run", "."}},
	} {
		t.Run(c.language, func(t *testing.T) {
			if _, err := exec.LookPath(c.run[0]); err != nil {
				t.Skipf("%s is not at hand: %v", c.run[0], err)
			}
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), c.run[0], c.run[1:]...)
			cmd.Dir, cmd.Stdin, cmd.Env = dir, strings.NewReader(mustJSON(t, in)), append(os.Environ(), "GOFLAGS=", "GOWORK=off")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			text, err := cmd.Output()
			var out exampleOutput
			if err == nil {
				err = json.Unmarshal(text, &out)
			}
			if err != nil {
				t.Fatalf("%v: %s\n%s", err, text, stderr.String())
			}
			a, err := challenge.ParseAnswer([]byte(out.Answer))
			if err != nil || a != (challenge.Answer{Challenge: "c1", Nonce: "N"}) {
				t.Errorf("its answer is %s, %v", out.Answer, err)
			}
			if err := challenge.VerifyAnswer(challenge.AnswerKey{Scheme: challenge.SchemeHMAC, Key: []byte(key)}, out.Signature, []byte(out.Answer), monday); err != nil {
				t.Errorf("its signature %s: %v", out.Signature, err)
			}
			out.Answer, out.Signature = "", ""
			if out != (exampleOutput{Good: true, Rotated: true}) {
				t.Errorf("it believes %+v", out)
			}
		})
	}
	doc, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range slices.Concat(challenge.NoticeTypes(), []string{challenge.SignatureHeader, "Rollcall-Event", "Rollcall-Delivery", string(challenge.CodeSignature), string(challenge.CodeAnswer), string(challenge.CodeAnswerNonce), string(challenge.CodeOver)}) {
		if !strings.Contains(string(doc), "`"+w+"`") {
			t.Errorf("docs/webhooks.md does not say what `%s` is", w)
		}
	}
}
