package format_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func armored(t testing.TB, names ...string) string {
	t.Helper()
	var b strings.Builder
	for _, n := range names {
		b.WriteString(readFile(t, "..", "testdata", "keys", n+".asc") + "\n")
	}
	return b.String()
}

// binary is the same keyring without armour.
func binary(t testing.TB, names ...string) []byte {
	t.Helper()
	var out []byte
	for _, n := range names {
		_, body, _ := strings.Cut(armored(t, n), "\n\n")
		body, _, _ = strings.Cut(body, "\n=")
		data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data...)
	}
	return out
}

// keyring reads a keyring: records as row, key and mailboxes; skipped ones as
// row and code.
func keyring(t testing.TB, data []byte) (list []string, fatal error) {
	t.Helper()
	for item := range format.Keyring(bytes.NewReader(data)) {
		switch {
		case item.Fatal != nil:
			fatal = item.Fatal
		case item.Skipped != nil:
			list = append(list, fmt.Sprintf("%d:%s", item.Skipped.Row, item.Skipped.Code))
		case item.Note != nil:
		default:
			r := item.Record
			if len(r.Profile.Keys) != 1 || string(r.Profile.Keys[0].Fingerprint) != r.Key || r.Profile.Contacts != nil {
				t.Errorf("record %d is not one key and nothing else: %+v", r.Row, r.Profile)
			}
			list = append(list, fmt.Sprintf("%d:%s%s", r.Row, r.Key[:8], r.Mailboxes))
		}
	}
	return list, fatal
}

func short(t testing.TB, name string) string { return string(aKey(t, name).Fingerprint)[:8] }

func TestKeyring(t *testing.T) {
	good, other, two := short(t, "good"), short(t, "other"), short(t, "twoids")
	var twoMail []string
	for _, u := range aKey(t, "twoids").UserIDs {
		if !u.Revoked && u.Email != "" {
			twoMail = append(twoMail, u.Email)
		}
	}
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"armoured", []byte(armored(t, "good", "other")), []string{"1:" + good + "[good@example.org]", "2:" + other + "[other@example.org]"}},
		{"binary", binary(t, "good", "other"), []string{"1:" + good + "[good@example.org]", "2:" + other + "[other@example.org]"}},
		{"several user IDs", []byte(armored(t, "twoids")), []string{fmt.Sprintf("1:%s%s", two, twoMail)}},
		{"the same key twice", []byte(armored(t, "good", "good")), []string{"1:" + good + "[good@example.org]", "2:keyring.duplicate"}},
		{"text around the blocks", []byte("Our keys\n\n" + armored(t, "good") + "\nand\n\n" + armored(t, "other") + "\nthat is all\n"),
			[]string{"1:" + good + "[good@example.org]", "2:" + other + "[other@example.org]"}},
		{"a key without a mail address", []byte(readFile(t, "testdata", "keyring-nomail.asc")), []string{"1:keyring.no-address"}},
		{"text without a key", []byte("no keys here\n"), []string{"1:key.not-openpgp"}},
	} {
		got, fatal := keyring(t, c.in)
		if fatal != nil {
			t.Errorf("%s: Keyring = %v", c.name, fatal)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: Keyring (-want +got):\n%s", c.name, diff)
		}
	}
}

// A bad certificate costs no other one.
func TestKeyringGoesOnBehindABadKey(t *testing.T) {
	bad := strings.Replace(armored(t, "rsa3072"), "\n\nxs", "\n\nxx", 1)
	if bad == armored(t, "rsa3072") {
		bad = strings.Replace(bad, "\n\n", "\n\n!!!!", 1)
	}
	got, fatal := keyring(t, []byte(armored(t, "good")+bad+armored(t, "other")))
	if fatal != nil || len(got) != 3 || !strings.Contains(got[0], "good@") || !strings.Contains(got[1], ":key.") || !strings.Contains(got[2], "other@") {
		t.Errorf("Keyring with a damaged key in the middle = %v, %v", got, fatal)
	}
}

func TestKeyringRefused(t *testing.T) {
	for name, want := range map[string]directory.Code{"": "import.empty", "<html><pre>-----BEGIN PGP": "import.html"} {
		_, fatal := keyring(t, []byte(name))
		if p, ok := errors.AsType[directory.Problem](fatal); !ok || p.Code != want {
			t.Errorf("Keyring(%q) = %v, want %s", name, fatal, want)
		}
	}
	broken := errors.New("disk on fire")
	for item := range format.Keyring(iotest.ErrReader(broken)) {
		if !errors.Is(item.Fatal, broken) {
			t.Errorf("Keyring of a broken file = %v, want %v", item.Fatal, broken)
		}
	}
}

func TestWriteKeyring(t *testing.T) {
	teams := []directory.Team{
		{Handle: "one", Profile: directory.Profile{Names: directory.Names{Short: "One\n-----BEGIN PGP MESSAGE-----"},
			Keys: []directory.TeamKey{{Key: aKey(t, "good")}, {Key: directory.Key{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567"}}}}},
		{Handle: "two", Profile: directory.Profile{Keys: []directory.TeamKey{{Key: aKey(t, "good")}, {Key: aKey(t, "other")}}}},
	}
	var b bytes.Buffer
	write(t, &b, "keyring", teams...)
	want := []string{"1:" + short(t, "good") + "[good@example.org]", "2:" + short(t, "other") + "[other@example.org]"}
	got, fatal := keyring(t, b.Bytes())
	if fatal != nil {
		t.Fatal(fatal)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Keyring of an exported keyring (-want +got):\n%s\n%s", diff, b.String())
	}
	if !strings.Contains(b.String(), "one: One - ") || !strings.Contains(b.String(), aKey(t, "other").Fingerprint.Spaced()) {
		t.Errorf("the blocks do not say whose they are:\n%s", b.String())
	}
}

func FuzzKeyring(f *testing.F) {
	for _, n := range []string{"good", "twoids", "revoked", "signature", "message"} {
		f.Add([]byte(readFile(f, filepath.Join("..", "testdata", "keys"), n+".asc")))
	}
	f.Add(binary(f, "good", "other"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		list, _ := keyring(t, data)
		for i, l := range list {
			if !strings.HasPrefix(l, fmt.Sprintf("%d:", i+1)) && !strings.Contains(l, ":key.") {
				t.Fatalf("rows out of order: %v", list)
			}
		}
	})
}
