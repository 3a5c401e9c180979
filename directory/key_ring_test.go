package directory_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// told names each item of a ring by its first address or by its code.
func told(ring []byte) []string {
	var all []string
	for item := range directory.ParseKeyring(ring) {
		switch ps := directory.ProblemsOf(item.Err); {
		case len(ps) > 0:
			all = append(all, string(ps[0].Code))
		case item.Err != nil:
			all = append(all, item.Err.Error())
		case len(item.Key.UserIDs) > 0:
			all = append(all, strings.TrimSuffix(item.Key.UserIDs[0].Email, "@example.org"))
		}
	}
	return all
}

func TestParseKeyring(t *testing.T) {
	text := func(name string) string { return keyFile(t, name) }
	raw := func(name string) []byte { return dearmored(t, keyFile(t, name)) }
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	e := entity(t, packet.Config{})
	priv := secret(t, e)
	privArmor := armored(t, "PGP PRIVATE KEY BLOCK", priv)
	broken := raw("other")
	broken[len(broken)-100] ^= 0xff
	damaged := raw("other")
	damaged[2+51] = 0 // where a packet header must be
	for name, tt := range map[string]struct {
		ring []byte
		want []string
	}{
		"binary":                              {cat(raw("good"), raw("other"), raw("rsa3072")), []string{"good", "other", "rsa3072"}},
		"one block with several keys":         {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", cat(raw("good"), raw("other")))), []string{"good", "other"}},
		"several blocks with words between":   {[]byte("# Keys\n" + text("good") + "\n== other ==\n" + text("other")), []string{"good", "other"}},
		"blocks of several keys each":         {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", cat(raw("good"), raw("other"))) + text("dsa")), []string{"good", "other", "dsa"}},
		"a clearsigned list":                  {[]byte(text("clearsigned") + text("good")), []string{"good"}},
		"a key of version 3 among others":     {cat(raw("good"), join(t, opaque(6, rawKey(3, 1, append(mpi(1024), mpi(17)...)...)...)), raw("other")), []string{"good", "key.version-3", "other"}},
		"a private key among others, binary":  {cat(raw("good"), priv, raw("other")), []string{"good", "key.private", "other"}},
		"a private key first, binary":         {cat(priv, raw("other")), []string{"key.private", "other"}},
		"a private key last, binary":          {cat(raw("other"), priv), []string{"other", "key.private"}},
		"a private key in its own block":      {[]byte(text("good") + privArmor + text("other")), []string{"good", "key.private", "other"}},
		"a private key in a public block":     {[]byte(armored(t, "PGP PUBLIC KEY BLOCK", cat(raw("good"), priv, raw("other")))), []string{"good", "key.private", "other"}},
		"a flattened block among others":      {[]byte(text("good") + strings.ReplaceAll(strings.TrimSpace(text("other")), "\n", " ") + "\n" + text("dsa")), []string{"good", "other", "dsa"}},
		"an undecodable block among others":   {[]byte(text("good") + "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!\n-----END PGP PUBLIC KEY BLOCK-----\n" + text("other")), []string{"good", "key.armor-broken", "other"}},
		"a key without user IDs among others": {cat(raw("good"), join(t, split(t, raw("dsa"))[0]), raw("other")), []string{"good", "key.no-user-id", "other"}},
		"a key larger than the limit":         {cat(flood(t, raw("good"), 600<<10), raw("other")), []string{"key.too-large", "other"}},
		"a key damaged in a signature":        {cat(raw("good"), broken, raw("dsa")), []string{"good", "other", "dsa"}},
		"a packet header lost":                {cat(raw("good"), damaged, raw("dsa")), []string{"good", "key.malformed", "dsa"}},
		"cut short":                           {cat(raw("good"), raw("other")[:300]), []string{"good", "key.truncated"}},
		"signatures before the first key":     {cat(raw("revocation"), raw("other")), []string{"key.signature-only", "other"}},
		"UTF-16 with a private key in it":     {toUTF16(text("good")+privArmor+text("other"), binary.LittleEndian), []string{"good", "key.private", "other"}},
		"an HTML page":                        {[]byte("<html><body>not here</body></html>"), []string{"key.html-page"}},
		"nothing":                             {nil, []string{"key.empty"}},
		"words":                               {[]byte("no keys today"), []string{"key.not-openpgp"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, told(tt.ring)); diff != "" {
				t.Errorf("ring (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseKeyringStopsWhenAsked(t *testing.T) {
	ring := bytes.Repeat(dearmored(t, keyFile(t, "good")), 5)
	n := 0
	for item := range directory.ParseKeyring(ring) {
		if item.Index != n || item.Offset != n*len(ring)/5 {
			t.Errorf("item %d has index %d and offset %d, want %d", n, item.Index, item.Offset, n*len(ring)/5)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("got %d items, want to stop after 3", n)
	}
}

const debianKeyring = "/usr/share/keyrings/debian-keyring.gpg"

// TestSoakParseKeyringDebian reads real keys with every oddity of thirty years: a
// few, or all 905 when soaking. One cannot be read by
// go-crypto either: its only self-signature is over MD5 or worse.
func TestSoakParseKeyringDebian(t *testing.T) {
	ring, err := os.ReadFile(debianKeyring)
	if err != nil {
		t.Skipf("no real keyring; install the package debian-keyring: %v", err)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	most := 60 // all of them take a minute under the race detector
	if os.Getenv("ROLLCALL_SOAK") != "" {
		most = 1 << 20
	}
	read, encrypt := 0, 0
	var refused []directory.Code
	for item := range directory.ParseKeyring(ring) {
		if read+len(refused) == most {
			break
		}
		if item.Err != nil {
			refused = append(refused, directory.ProblemsOf(item.Err)[0].Code)
			continue
		}
		read++
		agree(t, item.Key, now)
		if ok, _, _ := item.Key.UsableAt(now); ok {
			encrypt++
		}
	}
	t.Logf("%d read, %v refused, %d can be encrypted to on %s", read, refused, encrypt, now.Format(time.DateOnly))
	if len(refused) > 1+read/100 {
		t.Errorf("read %d keys, refused %v, want next to none refused", read, refused)
	}
	version, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "debian-keyring").Output()
	if err != nil || string(version) != "2022.12.24" || most == 60 {
		return // the exact figures are those of one version
	}
	if read != 904 || !slices.Equal(refused, []directory.Code{"key.no-self-signature"}) {
		t.Errorf("read %d keys, refused %v, want 904 and one without a self-signature", read, refused)
	}
}

func BenchmarkParseKey(b *testing.B) {
	for _, name := range []string{"good", "rsa3072", "signsub"} {
		data := []byte(keyFile(b, name))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := directory.ParseKey(data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
	b.Run("flood of 500 KiB", func(b *testing.B) {
		data := flood(b, dearmored(b, keyFile(b, "good")), 500<<10)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := directory.ParseKey(data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
	})
}

func FuzzParseKey(f *testing.F) {
	for _, tt := range accepted(f) {
		if len(tt.data) < 64<<10 {
			f.Add(tt.data)
		}
	}
	for _, tt := range refused(f) {
		if len(tt.data) < 64<<10 {
			f.Add(tt.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, _, err := directory.ParseKey(data)
		if err == nil {
			checkMinimal(t, k)
		} else if k.Armor != "" || directory.KindOf(err) != directory.Invalid {
			t.Errorf("refused with kind %s and armour %q: %v", directory.KindOf(err), k.Armor, err)
		}
		for item := range directory.ParseKeyring(data) {
			if item.Err == nil {
				checkMinimal(t, item.Key)
			}
		}
	})
}
