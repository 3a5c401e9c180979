package pgpkey

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Report is what became of one key.
type Report struct {
	// Key is the key as the directory would store it: minimal, without
	// anything that others added. It is zero when the input was refused.
	Key      directory.Key
	Findings []verify.Finding // worst first
	Grade    Grade

	Encrypts bool // it can be encrypted to now, under the policy
	Signs    bool // signatures it makes now are accepted under the policy

	// UserIDs are those that are not revoked and that the policy accepts, by name.
	UserIDs []directory.UserID
	// EncryptTo is the key, mostly a subkey, that programs encrypt to; "" for none.
	EncryptTo directory.Fingerprint
	// Expires is when Encrypts ends by itself, or Signs where the key
	// does not encrypt; zero: never, or it is of no use now.
	Expires time.Time
	// Until is when the report would change by itself; zero: never.
	Until time.Time

	name string // of what was refused
}

// Subject names the key: its fingerprint, or where in the input it was refused.
func (r Report) Subject() string {
	if r.Key.Fingerprint != "" {
		return string(r.Key.Fingerprint)
	}
	return r.name
}

// Refused reports whether the input gave no key; the findings say why.
func (r Report) Refused() bool { return r.Key.Fingerprint == "" }

// Judge judges the one key that data holds, binary or armoured, at now.
func Judge(data []byte, p Policy, now time.Time) Report {
	c, err := directory.ParseCertificate(data)
	if err != nil {
		return refused(err, "key")
	}
	return judge(c, p, now)
}

// JudgeKeyring judges each key of a ring as [Judge] does, when it is asked for.
// What is refused costs no other key; an input without any key gives one report.
func JudgeKeyring(data []byte, p Policy, now time.Time) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		for item := range directory.ParseKeyring(data) {
			r := refused(item.Err, "key "+strconv.Itoa(item.Index+1))
			if item.Err == nil {
				r = judge(item.Certificate, p, now)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// refused reports an input that gave no key.
func refused(err error, name string) Report {
	r := Report{name: name, Grade: GradeF}
	var p directory.Problem
	if !errors.As(err, &p) {
		p = directory.Problem{Code: "key.malformed", Reason: "the key cannot be read"}
	}
	r.Findings = []verify.Finding{adopt(p)}
	return r
}

// judgement is a key being judged.
type judgement struct {
	Report
	cert   directory.Certificate
	policy Policy
	cfg    *packet.Config
	now    time.Time
	sig    *packet.Signature // that states the properties of the primary key; nil when there is none
	broken error             // why the primary key is not valid; nil when it is
}

// judge judges a key that was read. It uses up the entity of c.
func judge(c directory.Certificate, p Policy, now time.Time) Report {
	j := &judgement{Report: Report{Key: c.Key}, cert: c, policy: p, cfg: p.config(now), now: now}
	p.apply(c.Entity, j.cfg)
	j.sig, j.broken = c.Entity.VerifyPrimaryKey(now, j.cfg)
	j.uses()
	j.notes()
	j.state()
	j.purposes()
	j.algorithms()
	j.lasting()
	j.userIDs()
	j.preferences()
	j.finish()
	return j.Report
}

func (j *judgement) say(f verify.Finding) { j.Findings = append(j.Findings, f) }

// uses asks go-crypto what the key is good for. A revocation of any kind and
// date counts here, as in [directory.Key].
func (j *judgement) uses() {
	if j.Key.Revoked {
		return
	}
	if k, ok := j.cert.Entity.EncryptionKey(j.now, j.cfg); ok {
		j.Encrypts, j.EncryptTo = true, fingerprintOf(k.PublicKey)
	}
	_, j.Signs = j.cert.Entity.SigningKey(j.now, j.cfg)
}

func fingerprintOf(k *packet.PublicKey) directory.Fingerprint {
	return directory.Fingerprint(fmt.Sprintf("%X", k.Fingerprint))
}

// notes takes over what reading the key showed.
func (j *judgement) notes() {
	for _, n := range j.cert.Notes {
		if !judgedHere(n.Code) {
			j.say(adopt(n))
		}
	}
}

// judgedHere reports whether a note of the directory is about a matter that
// this package judges itself, by a policy and a clock.
func judgedHere(code directory.Code) bool {
	switch code {
	case "key.curve-refused", "key.flags-missing", "key.no-encryption", "key.obsolete-algorithm",
		"key.post-quantum", "key.revoked", "key.sha1-self-signature", "key.weak-rsa":
		return true
	}
	return false
}
