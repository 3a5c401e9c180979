package format_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Programs of others read what we write.

// TestGPGReadsKeyrings imports both keyrings with the real gpg.
func TestGPGReadsKeyrings(t *testing.T) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		t.Skip("gpg is not installed; .ci/setup installs it")
	}
	team := directory.Team{ID: "t", Handle: "one", Profile: directory.Profile{Names: directory.Names{Short: "One\n-----BEGIN PGP MESSAGE-----"}}}
	want := map[string]bool{}
	for _, name := range []string{"good", "rsa3072", "twoids", "revoked"} {
		k := aKey(t, name)
		want[string(k.Fingerprint)] = true
		team.Keys = append(team.Keys, directory.TeamKey{Key: k})
	}
	for _, name := range []string{"keyring", "keyring-binary"} {
		var b bytes.Buffer
		write(t, &b, name, team, team)
		home := t.TempDir()
		run := func(in []byte, args ...string) string {
			cmd := exec.Command(gpg, append([]string{"--homedir", home, "--batch", "--no-autostart", "--with-colons"}, args...)...)
			cmd.Stdin = bytes.NewReader(in)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: gpg %v: %v\n%s", name, args, err, out)
			}
			return string(out)
		}
		run(b.Bytes(), "--import")
		got := map[string]bool{}
		primary := false
		for l := range strings.Lines(run(nil, "--list-keys")) {
			f := strings.Split(l, ":")
			if primary && f[0] == "fpr" {
				got[f[9]] = true
			}
			primary = f[0] == "pub"
		}
		for fpr := range want {
			if !got[fpr] {
				t.Errorf("%s: gpg has no key %s after the import: %v", name, fpr, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: gpg has %d keys after the import, want %d", name, len(got), len(want))
		}
	}
}

// othersRead is what the readers of .ci/readers are asked: to parse strictly
// what is in the files, and to print what they understood.
const othersRead = `
import sys, stix2, vobject
bundle = stix2.parse(open(sys.argv[1], encoding="utf-8").read(), allow_custom=False)
for o in bundle.objects:
    if o.type == "identity": print("identity", o.id, o.name)
for card in vobject.readComponents(open(sys.argv[2], encoding="utf-8", newline="").read()):
    card.validate()
    print("card", card.uid.value, card.fn.value, card.email.value, card.tel.value if hasattr(card, "tel") else "")
`

// TestOthersRead gives a bundle to the library of OASIS for STIX, and cards to
// a library for vCard, both from the Python registry.
func TestOthersRead(t *testing.T) {
	python := os.Getenv("ROLLCALL_TEST_READERS")
	if python == "" {
		t.Skip("ROLLCALL_TEST_READERS names no Python with stix2 and vobject; .ci/readers makes one")
	}
	teams := []directory.Team{fullTeam(t, 1)}
	for _, s := range hostile {
		teams = append(teams, hostileTeam(s))
	}
	for i := range teams[1:] { // ids are once in a bundle
		teams[i+1].ID = directory.TeamID(strings.Replace(string(teams[0].ID), "5694da", "10000"+string(rune('a'+i%6)), 1)[:35] + string("0123456789abcdef"[i/6]))
	}
	dir := t.TempDir()
	var args []string
	for _, name := range []string{"stix", "vcard"} {
		var b bytes.Buffer
		write(t, &b, name, teams...)
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := exec.Command(python, append([]string{"-c", othersRead}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"identity identity--5694da62-6314-4565-9c4d-129853882601 EXAMPLE-CSIRT\n",
		"card urn:uuid:5694da62-6314-4565-9c4d-129853882601 EXAMPLE-CSIRT csirt@example.org tel:+4315056416\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the readers lack %q:\n%s", want, out)
		}
	}
	for kind, n := range map[string]int{"\nidentity ": len(teams) + 1, "\ncard ": len(teams)} { // Rollcall itself is an identity
		if got := strings.Count("\n"+string(out), kind); got != n {
			t.Errorf("the readers found %d of%q, want %d", got, kind, n)
		}
	}
}
