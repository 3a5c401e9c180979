package mail_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// classified is a mail of the table, and what it is to be taken for.
type classified struct {
	name string
	want mail.Sort
	code string // the status, where the mail says one
	env  mail.Envelope
}

// table reads testdata/classify. What belongs to this run (addresses with a MAC) is put in.
func table(t testing.TB) (out []classified) {
	t.Helper()
	id := instance(t)
	fill := strings.NewReplacer("@RETURN@", id.Return(letter), "@REPLY@", id.Reply(token), "@MSGID@", id.MessageID(letter), "@TAG@", tag)
	paths, err := filepath.Glob("testdata/classify/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(data).Files {
			head, text, ok := strings.Cut(string(f.Data), "\n\n")
			if !ok {
				t.Fatalf("%s: %s has no mail", path, f.Name)
			}
			c := classified{name: strings.TrimSuffix(filepath.Base(path), ".txtar") + "/" + f.Name, env: mail.Envelope{Raw: []byte(fill.Replace(text))}}
			for line := range strings.Lines(fill.Replace(head)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				switch key {
				case "Want":
					sort, code, _ := strings.Cut(value, " ")
					c.want, c.code = mail.Sort(sort), code
				case "From":
					c.env.From = strings.Trim(value, "<>")
				case "To":
					c.env.To = []string{strings.Trim(value, "<>")}
				}
			}
			out = append(out, c)
		}
	}
	return out
}

// TestClassify holds the classifier against the table: 97 % right, and nothing that a program
// sent taken for a person's.
func TestClassify(t *testing.T) {
	all := table(t)
	if len(all) < 130 {
		t.Fatalf("%d mails", len(all))
	}
	id, right := instance(t), 0
	for _, c := range all {
		m := read(t, c.env.Raw)
		got := id.Classify(c.env, m)
		if got.Sort == c.want && (c.code == "" || got.Status == c.code) {
			right++
		} else {
			t.Logf("%s: %+v, want %s %s", c.name, got, c.want, c.code)
		}
		if got.Sort == mail.Reply && c.want != mail.Reply {
			t.Errorf("%s: %s is taken for a reply", c.name, c.want)
		}
		if got.Rule == "" {
			t.Errorf("%s: nothing says why", c.name)
		}
		returned := len(c.env.To) == 1 && strings.HasPrefix(c.env.To[0], "bounce+")
		if want := map[bool]string{true: letter}[returned]; got.Letter != want && c.want != mail.Loop {
			t.Errorf("%s: of letter %q, want %q", c.name, got.Letter, want)
		}
		if handles := id.Correlate(c.env, m); (len(handles) == 0) != (c.want == mail.Unknown) {
			t.Errorf("%s: handles %+v", c.name, handles)
		}
	}
	t.Logf("%d of %d right", right, len(all))
	if right*100 < len(all)*97 {
		t.Errorf("%d of %d are right, want 97 %%", right, len(all))
	}
}

// TestClassifyForged: who does not know the MAC can have no letter counted as bounced.
func TestClassifyForged(t *testing.T) {
	id := instance(t)
	for _, to := range []string{"bounce+" + letter + ".aaaaaaaa@example.org", "bounce+" + letter + "@example.org", "rollcall@example.org", "bounce+" + id.MessageID(letter), strings.Replace(id.Return(letter), letter, "another-7", 1), strings.Replace(id.Return(letter), "example.org", "example.net", 1)} {
		env := mail.Envelope{To: []string{to}, Raw: []byte("From: MAILER-DAEMON@team.example\nSubject: failure notice\nContent-Type: text/plain\n\nUser unknown (#5.1.1)\n")}
		if got := id.Classify(env, read(t, env.Raw)); got.Letter != "" || got.Sort != mail.BounceHard {
			t.Errorf("to %s: %+v", to, got)
		}
	}
}

func TestCorrelate(t *testing.T) {
	id := instance(t)
	tests := []struct {
		name, to, text string
		want           []mail.Handle
	}{
		{"the recipient", id.Reply(token), "From: a@b.example\n\nhello", []mail.Handle{{By: mail.ByRecipient, Of: mail.NamesToken, Value: token}}},
		{"the recipient in capitals", strings.ToUpper(id.Reply(token)), "From: a@b.example\n\nhello", []mail.Handle{{By: mail.ByRecipient, Of: mail.NamesToken, Value: token}}},
		{"the return path", id.Return(letter), "From: a@b.example\n\nhello", []mail.Handle{{By: mail.ByRecipient, Of: mail.NamesLetter, Value: letter}}},
		{"In-Reply-To", "rollcall@example.org", "In-Reply-To: <" + id.MessageID(letter) + ">\n\nhello", []mail.Handle{{By: mail.ByReferences, Of: mail.NamesLetter, Value: letter}}},
		{"References without brackets", "rollcall@example.org", "References: a@b " + id.MessageID(letter) + "\n\nhello", []mail.Handle{{By: mail.ByReferences, Of: mail.NamesLetter, Value: letter}}},
		{"a message id that was forged", "rollcall@example.org", "In-Reply-To: <" + letter + ".aaaaaaaa@example.org>\n\nhello", nil},
		{"the subject", "rollcall@example.org", "Subject: AW: [cert #1] Re: [ROLLCALL-" + tag + "] x\n\nhello", []mail.Handle{{By: mail.BySubject, Of: mail.NamesTag, Value: tag}}},
		{"the subject, encoded", "rollcall@example.org", "Subject: =?utf-8?B?UmU6IFtST0xMQ0FMTC03RjNLOVEyTV0g5Zue562U?=\n\nhello", []mail.Handle{{By: mail.BySubject, Of: mail.NamesTag, Value: tag}}},
		{"the subject, mangled", "rollcall@example.org", "Subject: Re: rollcall\u2013" + strings.ToLower(tag) + " x\n\nhello", []mail.Handle{{By: mail.BySubject, Of: mail.NamesTag, Value: tag}}},
		{"the subject, in full width", "rollcall@example.org", "Subject: \uff32\uff2f\uff2c\uff2c\uff23\uff21\uff2c\uff2c\uff0d\uff17\uff26\uff13\uff2b\uff19\uff31\uff12\uff2d\n\nhello", []mail.Handle{{By: mail.BySubject, Of: mail.NamesTag, Value: tag}}},
		{"the subject, broken by the program", "rollcall@example.org", "Subject: Re: [ROLLCALL-\n 7F3K9Q2M] x\n\nhello", []mail.Handle{{By: mail.BySubject, Of: mail.NamesTag, Value: tag}}},
		{"the subject, as somebody typed it", "rollcall@example.org", "Subject: ROLLCALL IO00AAAA\n\nhello", []mail.Handle{{By: mail.BySubject, Of: mail.NamesTag, Value: "1000AAAA"}}},
		{"half a tag", "rollcall@example.org", "Subject: [ROLLCALL-7F3K9Q]\n\nhello", nil},
		{"more than a tag", "rollcall@example.org", "Subject: [ROLLCALL-7F3K9Q2MX]\n\nhello", nil},
		{"the body", "rollcall@example.org", "Subject: x\n\n> Subject: [ROLLCALL-" + tag + "]\n> Reply-To: " + id.Reply(token) + ".\n", []mail.Handle{
			{By: mail.ByBody, Of: mail.NamesToken, Value: token}, {By: mail.ByBody, Of: mail.NamesTag, Value: tag}}},
		{"the body in base64", "rollcall@example.org", "Subject: x\nContent-Transfer-Encoding: base64\n\nW1JPTExDQUxMLTdGM0s5UTJNXQ==\n", []mail.Handle{{By: mail.ByBody, Of: mail.NamesTag, Value: tag}}},
		{"nothing", "rollcall@example.org", "Subject: x\n\nhello", nil},
		{"an address like ours", "challenge+short@example.org", "Subject: x\n\nhello", nil},
		{"ours at another domain", "challenge+" + token + "@example.net", "Subject: x\n\nhello", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := id.Correlate(mail.Envelope{To: []string{tt.to}}, read(t, []byte(tt.text)))
			if len(got) != len(tt.want) {
				t.Fatalf("Correlate = %+v, want %+v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("Correlate = %+v, want %+v", got, tt.want)
				}
			}
		})
	}
}
