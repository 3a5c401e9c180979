package pgpkey_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

func TestApplies(t *testing.T) {
	team := &directory.Team{Profile: directory.Profile{
		Keys: []directory.TeamKey{{Key: directory.Key{Fingerprint: "AA"}}, {Key: directory.Key{Fingerprint: "BB"}}},
		Contacts: []directory.Contact{
			{Channel: "email", Value: "csirt@example.org"}, {Channel: "phone", Value: "+4312345"},
			{Channel: "email", Value: "psirt@example.org"}, {Channel: "email", Value: "csirt@example.org", Uses: []directory.Word{"vulnerability"}},
		},
	}}
	want := map[string][]verify.Subject{
		"pgpkey":             {{Kind: "key", ID: "AA"}, {Kind: "key", ID: "BB"}},
		"pgpkey-contact":     {{Kind: "contact", ID: "csirt@example.org"}, {Kind: "contact", ID: "psirt@example.org"}},
		"pgpkey-securitytxt": nil, // see TestEncryptionApplies
	}
	got := map[string][]verify.Subject{}
	for _, c := range pgpkey.Checks(pgpkey.Config{}) {
		got[c.Name] = c.Applies(team)
		if none := c.Applies(&directory.Team{}); len(none) != 0 {
			t.Errorf("%s: subjects of an empty team: %v", c.Name, none)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

func TestOtherContacts(t *testing.T) {
	for _, id := range []string{"+4312345", "https://example.org/report", ""} {
		s := verify.Subject{Kind: verify.SubjectContact, ID: id}
		r, err := checkOf(pgpkey.Config{}, s).Run(context.Background(), nil, verify.Target{Subject: s, Now: today})
		if err != nil || len(r.Findings)+len(r.Facts) > 0 {
			t.Errorf("contact %q: %+v, %v, want nothing and nobody asked", id, r, err)
		}
	}
}

// TestRemindersAreDue: the check of a key is due when a reminder begins.
func TestRemindersAreDue(t *testing.T) {
	const day = 24 * time.Hour
	key := newEntity(t, address, lasting(today.Add(92*day).Sub(made)))
	k := &kit{TB: t, named: map[string]string{}}
	target := verify.Target{Subject: verify.Subject{Kind: verify.SubjectKey, ID: print(key)}, Now: today, Claims: k.team("example.org", key)}
	check := checkOf(pgpkey.Config{}, target.Subject)
	r, err := check.Run(context.Background(), nil, target)
	must(t, err)
	v := verify.Assess(verify.Verification{}, verify.Outcome{Result: r}, check.Every, today)
	if want := today.Add(2*day + time.Second); !v.Due.Equal(want) || v.Verdict != verify.VerdictOK {
		t.Errorf("due %v with verdict %s, want %v, when 90 days are left", v.Due, v.Verdict, want)
	}
	target.Now = v.Due
	if r, err = check.Run(context.Background(), nil, target); err != nil || codes(r.Findings)[0] != "expires-90" {
		t.Errorf("then: %v, %v, want expires-90", r.Findings, err)
	}
}

// out is a network through which nothing can be asked.
type out struct{}

var errOut = &verify.Trouble{Code: "check.paused", Ours: true}

func (out) Fetch(context.Context, verify.Request) (*verify.Exchange, error) { return nil, errOut }
func (out) Query(context.Context, verify.Question) (*verify.Answer, error)  { return nil, errOut }
func (out) Origins(netip.Addr) []directory.ASN                              { return nil }
func (out) Greet(context.Context, verify.Greeting) (*verify.Visit, error)   { return nil, errOut }

// TestOwnTrouble: trouble of our own comes out as it is, wherever it begins.
func TestOwnTrouble(t *testing.T) {
	cfg := pgpkey.Config{VKS: []string{"https://vks.example"}, HKP: []string{"https://hkp.example"}}
	for _, s := range []verify.Subject{{Kind: verify.SubjectContact, ID: address}, {Kind: verify.SubjectKey, ID: "8E8C33FA4626337976D97978069C0C348DD82C19"}} {
		if _, err := checkOf(cfg, s).Run(context.Background(), out{}, verify.Target{Subject: s, Now: today}); !errors.Is(err, errOut) {
			t.Errorf("%s: %v, want our own trouble", s, err)
		}
	}
}

// echo is a world that answers everything with the same octets.
type echo struct {
	body   []byte
	status int
	wire   []byte
}

func (e echo) Fetch(_ context.Context, q verify.Request) (*verify.Exchange, error) {
	return &verify.Exchange{Request: q, Hops: []verify.Hop{{URL: q.URL, Status: e.status}}, Body: e.body}, nil
}

func (e echo) Query(_ context.Context, q verify.Question) (*verify.Answer, error) {
	return &verify.Answer{Question: q, Rcode: "NOERROR", Secure: true, Wire: e.wire}, nil
}

func (e echo) Greet(context.Context, verify.Greeting) (*verify.Visit, error) { return nil, errOut }

func (e echo) Origins(netip.Addr) []directory.ASN { return nil }

// FuzzRun: whatever the world answers, the check ends, says the same twice, and
// says nothing that is not in the table.
func FuzzRun(f *testing.F) {
	m := new(dns.Msg).SetQuestion("x.example.", dns.TypeOPENPGPKEY)
	rr, err := dns.NewRR("x.example. OPENPGPKEY " + encoded(dearmored(f, gpgKey(f, "good"))))
	must(f, err)
	m.Answer = []dns.RR{rr}
	wire, err := m.Pack()
	must(f, err)
	for _, body := range [][]byte{gpgKey(f, "good"), dearmored(f, gpgKey(f, "revoked")), []byte("Encryption: openpgp4fpr:00\nEncryption: dns:x?type=OPENPGPKEY\nEncryption: https://a.example/k\n"), nil} {
		f.Add(body, 200, wire)
		f.Add(body, 404, body)
	}
	cfg := pgpkey.Config{VKS: []string{"https://vks.example"}, HKP: []string{"https://hkp.example"}}
	listed := map[verify.Code]bool{}
	for _, p := range pgpkey.Problems() {
		listed[p.Code] = true
	}
	good, _, err := directory.ParseKey(gpgKey(f, "good"))
	must(f, err)
	fpr := string(good.Fingerprint)
	claims := verify.Claims{Team: "team", Keys: []verify.ClaimedKey{{Fingerprint: fpr, Armor: good.Armor}}}
	f.Fuzz(func(t *testing.T, body []byte, status int, wire []byte) {
		if len(body) > 16<<10 || len(wire) > 8<<10 {
			return
		}
		for _, s := range []verify.Subject{{Kind: verify.SubjectContact, ID: "good@example.org"}, {Kind: verify.SubjectKey, ID: fpr}} {
			for _, c := range []verify.Claims{{}, claims} {
				target := verify.Target{Subject: s, Now: today, Claims: c}
				r, err := checkOf(cfg, s).Run(context.Background(), echo{body, status, wire}, target)
				again, againErr := checkOf(cfg, s).Run(context.Background(), echo{body, status, wire}, target)
				if diff := cmp.Diff(r, again); diff != "" || (err == nil) != (againErr == nil) {
					t.Errorf("another result the second time: %s, %v, %v", diff, err, againErr)
				}
				for _, f := range r.Findings {
					if !listed[f.Code] || len(f.Evidence) > verify.MaxEvidence {
						t.Errorf("finding %+v", f)
					}
				}
			}
		}
	})
}
