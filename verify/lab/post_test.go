package lab_test

import (
	"bytes"
	"errors"
	"io"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

const mailOut = `From: Directory <directory@d.example>
Reply-To: directory+token@d.example
To: csirt@team.example
Subject: [ROLLCALL-7F3K9Q2M] Please confirm
Message-ID: <1@d.example>
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Open https://d.example/answer/8XMC50JHXYSD1HP58Z3NH1NGA43RM54Y

`

// TestReact has teams of each manner read a mail.
func TestReact(t *testing.T) {
	l := start(t, lab.Config{})
	byManner := map[lab.Manner]lab.Team{}
	for _, team := range l.Teams() {
		if at, ok := l.TeamAt(strings.ToUpper(team.Contacts[0].Value)); !ok || at.Handle != team.Handle {
			t.Errorf("%s is not at its mailbox", team.Handle)
		}
		byManner[team.Manner] = team
	}
	if _, ok := l.TeamAt("nobody@elsewhere.example"); ok {
		t.Error("a mailbox of nobody")
	}
	const code, word = "K7QM-3T9X\n", "63PD3DCS9RSSPM0NV7DWS8AGRAGACM94\n"
	for _, tt := range []struct {
		manner   lab.Manner
		secret   string
		to, page string
		says     string // in the mail or the form
	}{
		{lab.Signs, word, "directory+token@d.example", "", "multipart/signed"},
		{lab.Signs, code, "", "https://d.example/answer/8XMC50JHXYSD1HP58Z3NH1NGA43RM54Y", "choice=team"}, // where nothing is to be signed
		{lab.Types, code, "", "https://d.example/answer/8XMC50JHXYSD1HP58Z3NH1NGA43RM54Y", "code=k7qm-3t9x&choice=team"},
		{lab.Moved, code, "", "https://d.example/answer/8XMC50JHXYSD1HP58Z3NH1NGA43RM54Y", "choice=wrong-address"},
		{lab.Away, code, "directory+token@d.example", "", "K7QM-3T9X"}, // it quotes everything
		{lab.Ticket, code, "directory+token@d.example", "", "#"},
		{lab.Gone, code, "bounces+1@d.example", "", "Status: 5.1.1"},
		{lab.Silent, code, "", "", ""},
	} {
		team := byManner[tt.manner]
		r, err := team.React("bounces+1@d.example", []byte(mailOut+tt.secret), l.Now())
		if err != nil {
			t.Errorf("%s: %v", tt.manner, err)
			continue
		}
		form := strings.ReplaceAll(r.Form.Encode(), "choice=team&code=k7qm-3t9x", "code=k7qm-3t9x&choice=team")
		if r.To != tt.to || r.Page != tt.page || !strings.Contains(string(r.Raw)+form, tt.says) || r.After > 10*time.Second {
			t.Errorf("%s: to %q, page %q, after %s, %s%s", tt.manner, r.To, r.Page, r.After, r.Raw, form)
		}
		if tt.to != "" {
			if _, err := mail.ReadMessage(bytes.NewReader(r.Raw)); err != nil || (r.From == "") != (tt.manner == lab.Gone) {
				t.Errorf("%s: return path %q, %v:\n%s", tt.manner, r.From, err, r.Raw)
			}
		}
	}
	for _, raw := range []string{"", "no mail", strings.ReplaceAll(mailOut, "/answer/", "/elsewhere/"), mailOut, strings.ReplaceAll(mailOut, "text/plain", "multipart/encrypted; boundary=x")} {
		team := byManner[lab.Types]
		if _, err := team.React("", []byte(raw), l.Now()); !errors.Is(err, lab.ErrUnread) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

var signedMail = regexp.MustCompile(`(?s)--lab\r\n(.*)\r\n--lab\r\nContent-Type: application/pgp-signature\r\n\r\n(.*)--lab--`)

// TestReactSigned holds a signed reply against the team's key.
func TestReactSigned(t *testing.T) {
	l := start(t, lab.Config{})
	team, _ := l.TeamAt("csirt@anchor.example")
	r, err := team.React("", []byte(mailOut+"63PD3DCS9RSSPM0NV7DWS8AGRAGACM94\n"), l.Now())
	if err != nil {
		t.Fatal(err)
	}
	m := signedMail.FindSubmatch(r.Raw)
	if m == nil || !bytes.Contains(m[1], []byte("63PD3DCS9RSSPM0NV7DWS8AGRAGACM94")) {
		t.Fatalf("not a signed mail with the word:\n%s", r.Raw)
	}
	_, key := keyIn(t, team.Keys[0].Armor, true)
	if _, _, err := openpgp.VerifyArmoredDetachedSignature(openpgp.EntityList{key}, bytes.NewReader(m[1]), io.Reader(bytes.NewReader(m[2])), nil); err != nil {
		t.Error(err)
	}
}
