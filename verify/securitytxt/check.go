package securitytxt

import (
	"context"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Check returns the check of hosts' security.txt files.
func Check() verify.Check {
	return verify.Check{
		Name:     "securitytxt",
		Title:    "security.txt: where it lies, what it says, and whose signature it has",
		Kinds:    []verify.SubjectKind{verify.SubjectDomain},
		Every:    day,
		Applies:  verify.Hosts,
		Run:      run,
		Problems: Problems(),
	}
}

// look is one run of the check.
type look struct {
	net    verify.Network
	target verify.Target
	host   string

	findings    []verify.Finding
	facts       []verify.Fact
	until       time.Time
	first, last time.Time // when the first and the last question were put
}

// run looks for the file of a host, and judges what it finds.
func run(ctx context.Context, net verify.Network, t verify.Target) (verify.Result, error) {
	l := &look{net: net, target: t, host: t.Subject.ID}
	found, err := l.retrieve(ctx)
	if err != nil {
		return verify.Result{}, err
	}
	file, read := File{}, false
	if found != nil {
		file, read = l.judge(found)
	}
	if !read {
		l.remember()
		return l.result(), nil
	}
	signature := l.signature(file)
	l.drift(file)
	l.changes(file, signature)
	l.note(file, signature)
	l.until = file.Until(t.Now)
	if err := l.links(ctx, file, found); err != nil {
		return verify.Result{}, err
	}
	return l.result(), nil
}

func (l *look) result() verify.Result {
	return verify.Result{Findings: l.findings, Facts: l.facts, Until: l.until}
}

func (l *look) say(f verify.Finding) { l.findings = append(l.findings, f) }

// fetch asks for one URL, and keeps the time.
func (l *look) fetch(ctx context.Context, q verify.Request) (*verify.Exchange, error) {
	x, err := l.net.Fetch(ctx, q)
	if err != nil {
		return nil, err
	}
	if l.last = x.At; l.first.IsZero() {
		l.first = x.At
	}
	return x, nil
}

// judge judges the answer that holds the file. It reports whether it was read.
func (l *look) judge(x *verify.Exchange) (File, bool) {
	l.redirects(x)
	findings, plain := contentType(x)
	l.findings = append(l.findings, findings...)
	if !plain {
		return File{}, false
	}
	file, findings := Parse(x.Body)
	l.findings = append(l.findings, findings...)
	l.findings = append(l.findings, file.Validate(l.target.Now, x.Hops[0].URL, x.Last().URL)...)
	l.fact("location", x.Last().URL)
	return file, true
}

// signature verifies the signature by the keys that the directory holds for the team.
func (l *look) signature(f File) Signature {
	if f.Signed == nil {
		return Signature{}
	}
	var keys []string
	var waiting []string
	for _, k := range l.target.Claims.Keys {
		if k.Trusted(l.target.Now) {
			keys = append(keys, k.Armor)
		} else {
			waiting = append(waiting, k.Armor)
		}
	}
	ring, _ := NewKeyring(keys...) // a key that can't be read verifies nothing
	s, findings := ring.Verify(f.Signed, l.target.Now)
	if !s.Verified && len(waiting) > 0 {
		ring, _ := NewKeyring(waiting...)
		if by, _ := ring.Verify(f.Signed, l.target.Now); by.Verified {
			findings = []verify.Finding{find("signature-key-unproven", "by "+by.Issuer)}
		}
	}
	l.findings = append(l.findings, findings...)
	return s
}
