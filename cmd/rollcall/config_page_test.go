package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md again")

const configurationPage = "../../docs/configuration.md"

const configurationHead = `# Configuration

Every key, made from the tables of the program; a test holds this page against them. [Operating](operating.md#configuration) has an example of a file.

A key has its name in the file, such as ` + "`rate_token`" + `; in the environment it is ` + "`ROLLCALL_RATE_TOKEN`" + `, and ` + "`--rate-token`" + ` on the commands that read it. A flag wins over the
environment, and the environment over the file. ` + "`rollcall config`" + ` prints what holds and where each value came from. A wrong value, or a key that there is not, ends the start
with an error that names it.

Words in capitals stand for the value: a TIME is such as ` + "`90d`, `12h`, `1d12h` or `30s`" + `, a SIZE such as ` + "`128MiB`" + `. A key marked *list* takes a list in the file; elsewhere it is joined by commas.
`

// TestConfigurationPage holds the page of the documentation against the tables of keys.
func TestConfigurationPage(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(configurationHead)
	var checks, questions, mails, rest []key
	for _, k := range keys() {
		switch {
		case strings.HasPrefix(k.name, "verify") || k.name == "control_label":
			checks = append(checks, k)
		case strings.HasPrefix(k.name, "challenge"):
			questions = append(questions, k)
		case strings.HasPrefix(k.name, "mail_"):
			mails = append(mails, k)
		default:
			rest = append(rest, k)
		}
	}
	for _, part := range []struct {
		title string
		keys  []key
	}{
		{"Directory and server", rest},
		{"Checks of what teams claim", checks},
		{"Questions to contacts", questions},
		{"Mail", mails},
	} {
		fmt.Fprintf(&page, "\n## %s\n\n| key | default | what it is |\n|---|---|---|\n", part.title)
		for _, k := range part.keys {
			page.WriteString(k.row())
		}
	}
	if *update {
		if err := os.WriteFile(configurationPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page.Bytes()) {
		t.Error("docs/configuration.md is stale: run go test ./cmd/rollcall -run ConfigurationPage -update")
	}
}

// row is the line of a key in the page.
func (k key) row() string {
	preset, about := "–", k.usage
	if k.preset != "" {
		preset = "`" + k.preset + "`"
	}
	if k.list {
		about += " (*list*)"
	}
	if k.secret {
		about += ". A password in it is masked wherever it is shown"
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", k.name, preset, strings.ReplaceAll(about, "|", "\\|"))
}
