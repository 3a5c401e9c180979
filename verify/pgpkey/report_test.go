package pgpkey_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// TestUntil walks through the life of a key from one moment of change to the next.
func TestUntil(t *testing.T) {
	const day = 24 * time.Hour
	end := made.Add(1000 * day)
	key := public(t, newEntity(t, address, lasting(1000*day)))
	now := made.Add(-day)
	var got []string
	for range 10 {
		r := pgpkey.Judge(key, pgpkey.Policy{}, now)
		got = append(got, strings.Join(codes(r.Findings), " ")+" "+r.Until.Format(time.DateOnly))
		if r.Until.IsZero() {
			break
		}
		now = r.Until.Add(time.Second) // as verify.Assess makes it due
	}
	want := []string{
		"not-yet-valid " + made.Format(time.DateOnly),
		" " + end.Add(-90*day).Format(time.DateOnly),
		"expires-90 " + end.Add(-30*day).Format(time.DateOnly),
		"expires-30 " + end.Add(-7*day).Format(time.DateOnly),
		"expires-7 " + end.Format(time.DateOnly),
		"expired 0001-01-01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings and next change (-want +got):\n%s", diff)
	}
}

// TestExpires: what lasts longest of the parts for encryption, within the primary key's time.
func TestExpires(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name string
		days time.Duration // of the primary key, 0: for ever
		subs []time.Duration
		want time.Time
	}{
		{"the primary key's end", 900, []time.Duration{0}, made.Add(900 * day)},
		{"the subkey's end", 0, []time.Duration{1200}, made.Add(1200 * day)},
		{"the earlier of both", 1300, []time.Duration{1200}, made.Add(1200 * day)},
		{"the later of two subkeys", 0, []time.Duration{1200, 1400}, made.Add(1400 * day)},
		{"one of two subkeys without an end", 0, []time.Duration{1200, 0}, time.Time{}},
		{"none", 0, []time.Duration{0}, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEntity(t, address, lasting(tt.days*day))
			for i, d := range tt.subs {
				if i > 0 {
					must(t, e.AddEncryptionSubkey(at(made)))
				}
				binding(t, e, func(s *packet.Signature) { s.KeyLifetimeSecs = seconds(d * day) })
			}
			now := made.Add(800 * day)
			if r := pgpkey.Judge(public(t, e), pgpkey.Policy{}, now); !r.Expires.Equal(tt.want) || !r.Encrypts {
				t.Errorf("expires %v (encrypts: %v), want %v", r.Expires, r.Encrypts, tt.want)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		policy    pgpkey.Policy
		want      string
	}{
		{"SHA-1, strict", "sha1", pgpkey.Policy{}, "weak-hash rsa-below-3072 rsa-below-3072"},
		{"SHA-1, as before", "sha1", pgpkey.Policy{AllowSHA1: true}, "rsa-below-3072 rsa-below-3072 never-expires"},
		{"RSA 3072 where 4096 is wanted", "rsa3072", pgpkey.Policy{WantRSA: 4096}, "rsa-below-3072 rsa-below-3072 never-expires"},
		{"RSA 3072 where 4096 is the least", "rsa3072", pgpkey.Policy{MinRSA: 4096}, "encryption-refused weak-rsa no-signing weak-rsa"},
		{"RSA 2048 where it is good enough", "rsaprimary", pgpkey.Policy{WantRSA: 2048}, "never-expires"},
	} {
		r := pgpkey.Judge(gpgKey(t, tt.key), tt.policy, today)
		if got := strings.Join(codes(r.Findings), " "); got != tt.want {
			t.Errorf("%s: codes %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestJudgeKeyring: one bad key costs no other, and each says where it was.
func TestJudgeKeyring(t *testing.T) {
	ring := bytes.Join([][]byte{gpgKey(t, "good"), armored(t, private(t, newEntity(t, address))), gpgKey(t, "expired")}, nil)
	var got []string
	for r := range pgpkey.JudgeKeyring(ring, pgpkey.Policy{}, today) {
		got = append(got, r.Subject()[:5]+" "+string(r.Grade)+" "+strings.Join(codes(r.Findings), " "))
	}
	good, expired := pgpkey.Judge(gpgKey(t, "good"), pgpkey.Policy{}, today), pgpkey.Judge(gpgKey(t, "expired"), pgpkey.Policy{}, today)
	want := []string{good.Subject()[:5] + " A ", "key 2 F private", expired.Subject()[:5] + " F expired"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ring (-want +got):\n%s", diff)
	}
	for r := range pgpkey.JudgeKeyring(ring, pgpkey.Policy{}, today) {
		if r.Subject() != good.Subject() {
			t.Errorf("first subject %s, want %s", r.Subject(), good.Subject())
		}
		break
	}
}

func TestHas(t *testing.T) {
	e := newEntity(t, "CSIRT@Example.ORG")
	must(t, e.AddUserId("Umlaut", "", "csirt@bücher.example", at(made)))
	secondUserSHA1(t, e)
	r := pgpkey.Judge(public(t, e), pgpkey.Policy{}, today)
	for in, want := range map[directory.Email]pgpkey.Match{
		"CSIRT@example.org":           pgpkey.MatchExact, // a domain has no case
		"csirt@example.org":           pgpkey.MatchFold,
		"csirt@xn--bcher-kva.example": pgpkey.MatchExact,
		"second@example.org":          pgpkey.MatchNone, // only SHA-1 says so
		"other@example.org":           pgpkey.MatchNone,
	} {
		if got := r.Has(in); got != want {
			t.Errorf("Has(%s) = %d, want %d", in, got, want)
		}
	}
	if got := pgpkey.Judge(gpgKey(t, "twoids"), pgpkey.Policy{}, today).Has("alt@example.org"); got != pgpkey.MatchNone {
		t.Errorf("Has of a revoked user ID = %d, want none", got)
	}
}

func TestFacts(t *testing.T) {
	r := pgpkey.Judge(gpgKey(t, "certified"), pgpkey.Policy{}, today)
	want := []verify.Fact{
		{Name: "fingerprint", Value: string(r.Key.Fingerprint)}, {Name: "grade", Value: "A"}, {Name: "algorithm", Value: "EdDSA Ed25519 256"},
		{Name: "created", Value: "2024-01-01"}, {Name: "user-id", Value: "Example certified <certified@example.org>"},
		{Name: "encryption", Value: string(r.EncryptTo)}, {Name: "signing", Value: "yes"}, {Name: "third-party-signatures", Value: "1"},
	}
	if diff := cmp.Diff(want, r.Facts()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	r = pgpkey.Judge(gpgKey(t, "revoked"), pgpkey.Policy{}, today)
	if diff := cmp.Diff([]verify.Fact{{Name: "revoked", Value: "2024-07-01 key compromised: laptop stolen"}}, r.Facts()[5:]); diff != "" {
		t.Errorf("facts of a revoked key (-want +got):\n%s", diff)
	}
	if got := pgpkey.Judge(nil, pgpkey.Policy{}, today).Facts(); got != nil {
		t.Errorf("facts of nothing: %v", got)
	}
}

// TestFloodCostsNoMemory judges a key of a few hundred octets behind 50,000 junk
// certifications: what is kept of them is nothing.
func TestFloodCostsNoMemory(t *testing.T) {
	ring := flooded(t, dearmored(t, gpgKey(t, "good")), 50000)
	most := flooded(t, dearmored(t, gpgKey(t, "good")), 900)
	for name, data := range map[string][]byte{"27 MB": ring, "the limit": most} {
		for kind, run := range map[string]func(){
			"key":  func() { pgpkey.Judge(data, pgpkey.Policy{}, today) },
			"ring": func() { pgpkey.JudgeKeyring(data, pgpkey.Policy{}, today)(func(pgpkey.Report) bool { return true }) },
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			run()
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
				t.Errorf("%s, %s: %d octets allocated, want less than 1 MiB", name, kind, got)
			}
			t.Logf("%s, %s: %d of input, %d allocated, %v", name, kind, len(data), after.TotalAlloc-before.TotalAlloc, took)
		}
	}
}

var codeForm = regexp.MustCompile(`^pgpkey\.[a-z0-9-]+$`)

// TestProblems proves of every code that it is in the table once, with words that
// help, that the code uses it, and that a test asks for it.
func TestProblems(t *testing.T) {
	listed := map[string]bool{}
	for _, p := range pgpkey.Problems() {
		if listed[string(p.Code)] || !codeForm.MatchString(string(p.Code)) || p.Title == "" || p.Advice == "" || strings.HasSuffix(p.Title, ".") {
			t.Errorf("row %+v is there twice, or lacks something", p)
		}
		if p.Severity == verify.Error && p.Spec == "" && !strings.HasPrefix(string(p.Code), "pgpkey.too-") {
			t.Logf("%s cites no standard", p.Code)
		}
		listed[string(p.Code)] = true
	}
	used, tested := map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		for _, s := range literals(t, file) {
			switch {
			case strings.HasSuffix(file, "_test.go"):
				for _, word := range strings.Fields(s) {
					tested["pgpkey."+strings.TrimPrefix(word, "pgpkey.")] = true
				}
			case codeForm.MatchString(s) && !strings.HasSuffix(file, "problems.go"):
				used[s] = true
			}
		}
	}
	for _, c := range directory.Codes() {
		if name, ok := strings.CutPrefix(string(c.Code), "key."); ok {
			used["pgpkey."+name] = true
		}
	}
	for code := range listed {
		if !used[code] || !tested[code] {
			t.Errorf("%s: used in the code %v, in a test %v", code, used[code], tested[code])
		}
	}
	for code := range used {
		if name := "key." + strings.TrimPrefix(code, "pgpkey."); !listed[code] && !adoptable(name) {
			t.Errorf("%s is used and not in the table", code)
		}
	}
}

// adoptable reports whether a code of the directory needs no row here.
func adoptable(code string) bool {
	return code == "key.duplicate" || code == "key.sha1-self-signature" || strings.HasPrefix(code, "key.fingerprint-")
}

func literals(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	f, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
	must(t, err)
	var list []string
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil {
				list = append(list, s)
			}
		}
		return true
	})
	return list
}

// FuzzJudge: whatever comes in, there is a report with a reason for each refusal,
// and what is reported is the same when the stored form is judged again.
func FuzzJudge(f *testing.F) {
	for _, tt := range keyCases(f) {
		if len(tt.data) < 16<<10 {
			f.Add(tt.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		r := pgpkey.Judge(data, pgpkey.Policy{}, today)
		if r.Refused() {
			if len(r.Findings) != 1 || r.Findings[0].Advice == "" || r.Grade != pgpkey.GradeF {
				t.Errorf("refused with %+v and grade %s", r.Findings, r.Grade)
			}
			return
		}
		again := pgpkey.Judge([]byte(r.Key.Armor), pgpkey.Policy{}, today)
		if again.Subject() != r.Subject() || again.Encrypts != r.Encrypts || again.Signs != r.Signs || !again.Expires.Equal(r.Expires) {
			t.Errorf("judged %+v, and from the store %+v", r, again)
		}
		if (r.Encrypts || r.Signs) && r.Grade == pgpkey.GradeF && r.Encrypts && r.Signs {
			t.Errorf("grade F for a key that works: %+v", r.Findings)
		}
	})
}

// TestDocs: the page for people names every code, and no other.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/openpgp.md")
	must(t, err)
	_, page, _ = bytes.Cut(page, []byte("## What is judged"))
	page, _, _ = bytes.Cut(page, []byte("## Grades"))
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z0-9-]+)`").FindAllSubmatch(page, -1) {
		named["pgpkey."+string(m[1])] = true
	}
	for _, p := range pgpkey.Problems() {
		if !named[string(p.Code)] {
			t.Errorf("docs/openpgp.md does not name %s", p.Code)
		}
		delete(named, string(p.Code))
	}
	for code := range named {
		t.Errorf("docs/openpgp.md names %s, which is not in the table", code)
	}
}
