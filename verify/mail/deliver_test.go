package mail_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

func maildir(t *testing.T, mails map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range mails {
		if err := os.WriteFile(filepath.Join(dir, "new", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestMaildir(t *testing.T) {
	id, b := instance(t), &inbox{}
	dir := maildir(t, map[string]string{
		"1.a":     "Return-Path: <csirt@team.example>\nDelivered-To: " + id.Reply(token) + "\nTo: x@example.net\nSubject: 1\n\nhello\n",
		"2.b":     "Return-Path: <>\nX-Original-To: " + id.Return(letter) + "\nSubject: 2\n\nhello\n",
		"3.c:2,F": "From: Team <csirt@team.example>\nTo: \"Rollcall\" <rollcall@example.org>, y@example.net\nSubject: 3\n\nhello\n",
		"4.large": "Subject: 4\n\n" + strings.Repeat("x", 8192),
		".hidden": "Subject: 5\n\n",
	})
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "new", "6.link")); err != nil {
		t.Fatal(err)
	}
	d := mail.Maildir{Dir: dir, Accepts: id.Accepts, Handle: b.handle, MaxSize: 4096, Now: at(now)}
	b.fails = errors.New("the database is away")
	if n, err := d.Scan(t.Context()); n != 0 || err == nil {
		t.Errorf("Scan in trouble = %d, %v", n, err)
	}
	if got := files(t, filepath.Join(dir, "new")); got != ".hidden 1.a 2.b 3.c:2,F 6.link" {
		t.Errorf("new has %s", got)
	}
	b.fails = nil
	if n, err := d.Scan(t.Context()); n != 3 || err != nil {
		t.Errorf("Scan = %d, %v", n, err)
	}
	if got := files(t, filepath.Join(dir, "cur")); got != "1.a:2,S 2.b:2,S 3.c:2,S 4.large:2,T" {
		t.Errorf("cur has %s", got)
	}
	got := b.all()
	if len(got) != 3 || got[0].From != "csirt@team.example" || got[0].To[0] != id.Reply(token) || len(got[0].To) != 1 ||
		got[1].From != "" || got[1].To[0] != id.Return(letter) || got[2].From != "csirt@team.example" || got[2].To[0] != "rollcall@example.org" || got[0].At != now {
		t.Errorf("%+v", got)
	}
	if n, err := d.Scan(t.Context()); n != 0 || err != nil {
		t.Errorf("Scan of nothing = %d, %v", n, err)
	}
	if _, err := (mail.Maildir{Dir: filepath.Join(dir, "none")}).Scan(t.Context()); err == nil {
		t.Error("Scan of no folder finds nothing wrong")
	}
}

func TestPipe(t *testing.T) {
	id := instance(t)
	text := "Return-Path: <x@team.example>\nDelivered-To: " + id.Reply(token) + "\nSubject: 1\n\nhello\n"
	null := ""
	tests := []struct {
		name  string
		pipe  mail.Pipe
		fails error
		text  string
		want  int
	}{
		{"taken over", mail.Pipe{}, nil, text, mail.ExitOK},
		{"as the MTA says", mail.Pipe{From: &null, To: []string{id.Return(letter)}}, nil, text, mail.ExitOK},
		{"not to us", mail.Pipe{To: []string{"x@example.org"}}, nil, text, mail.ExitNoUser},
		{"not ours after all", mail.Pipe{}, mail.ErrNotOurs, text, mail.ExitNoUser},
		{"in trouble", mail.Pipe{}, errors.New("the database is away"), text, mail.ExitTemporary},
		{"too large", mail.Pipe{MaxSize: 10}, nil, text, mail.ExitData},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &inbox{fails: tt.fails}
			p := tt.pipe
			p.In, p.Accepts, p.Handle = strings.NewReader(tt.text), id.Accepts, b.handle
			got, err := p.Receive(context.Background())
			if got != tt.want || (err == nil) != (got == mail.ExitOK) {
				t.Errorf("Receive = %d, %v, want %d", got, err, tt.want)
			}
			if tt.pipe.From != nil && (b.got[0].From != "" || b.got[0].To[0] != id.Return(letter)) {
				t.Errorf("%+v", b.got[0])
			}
		})
	}
}

// TestNullPath: the sender of a bounce is empty, however a mail server passes that on.
func TestNullPath(t *testing.T) {
	id := instance(t)
	for sender, want := range map[string]string{"": "", "<>": "", "MAILER-DAEMON": "", "<mailer-daemon>": "", "MAILER-DAEMON@mx.team.example": "MAILER-DAEMON@mx.team.example", "<x@team.example>": "x@team.example"} {
		b := &inbox{}
		text := "Return-Path: " + sender + "\nFrom: csirt@team.example\nDelivered-To: " + id.Return(letter) + "\n\nhello\n"
		for _, p := range []mail.Pipe{{From: &sender, In: strings.NewReader("From: csirt@team.example\n\nhello\n"), To: []string{id.Return(letter)}}, {In: strings.NewReader(text)}} {
			p.Accepts, p.Handle = id.Accepts, b.handle
			if got, err := p.Receive(context.Background()); got != mail.ExitOK {
				t.Errorf("%q: Receive = %d, %v", sender, got, err)
			}
		}
		d := mail.Maildir{Dir: maildir(t, map[string]string{"1.a": text}), Accepts: id.Accepts, Handle: b.handle}
		if n, err := d.Scan(t.Context()); n != 1 || err != nil {
			t.Errorf("%q: Scan = %d, %v", sender, n, err)
		}
		for i, env := range b.all() {
			if env.From != want {
				t.Errorf("%q became %q by way %d, want %q", sender, env.From, i, want)
			}
		}
	}
}
