package main

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// What is read of files. More than a key may have is read so that its being
// too large is a finding.
const (
	mostOfKey     = 1 << 20
	mostOfKeyring = 256 << 20
)

// securityFile judges the security.txt of --file.
func (p *checkPrinter) securityFile(at time.Time) error {
	var urls []string
	if p.cmd.Flags().Changed("url") {
		if u, err := url.Parse(p.flags.url); err != nil || u.Scheme != "https" || u.Host == "" {
			return usage(p.cmd, "url: %v", bad(p.flags.url, "not an https URL", "https://example.org/.well-known/security.txt"))
		}
		urls = append(urls, p.flags.url)
	}
	signers, err := p.signers()
	if err != nil {
		return err
	}
	data, err := p.readSome(p.flags.file, securitytxt.MaxSize)
	if err != nil {
		return err
	}
	file, findings := securitytxt.Parse(data)
	findings = append(findings, file.Validate(at, urls...)...)
	var signature securitytxt.Signature
	if file.Signed != nil {
		var more []verify.Finding
		signature, more = signers.Verify(file.Signed, at)
		findings = append(findings, more...)
	}
	o := outcomeOf("securitytxt", p.flags.file, verify.Outcome{Result: verify.Result{Findings: findings, Facts: fileFacts(file, signature)}})
	return p.report(newReport(p.flags.file, "file", at, []checkOutcome{o}))
}

// knownKeys reads the keys of --known-keys.
func (p *checkPrinter) knownKeys() (keys []verify.ClaimedKey, err error) {
	if p.flags.knownKeys == "" {
		return nil, nil
	}
	data, err := p.readSome(p.flags.knownKeys, mostOfKeyring)
	if err != nil {
		return nil, err
	}
	for item := range directory.ParseKeyring(data) {
		if item.Err != nil {
			return nil, usage(p.cmd, "known-keys: %s: %v", p.flags.knownKeys, item.Err)
		}
		k := item.Certificate.Key
		keys = append(keys, verify.ClaimedKey{Fingerprint: string(k.Fingerprint), Armor: k.Armor})
	}
	return keys, nil
}

// signers are the keys by which a signature may be verified.
func (p *checkPrinter) signers() (*securitytxt.Keyring, error) {
	keys, err := p.knownKeys()
	if err != nil {
		return nil, err
	}
	var armor []string
	for _, k := range keys {
		armor = append(armor, k.Armor)
	}
	ring, err := securitytxt.NewKeyring(armor...)
	if err != nil {
		return nil, usage(p.cmd, "known-keys: %s: %v", p.flags.knownKeys, err)
	}
	return ring, nil
}

// fileFacts is what a security.txt says.
func fileFacts(f securitytxt.File, s securitytxt.Signature) []verify.Fact {
	var facts []verify.Fact
	for _, x := range f.Fields {
		facts = append(facts, verify.Fact{Name: strings.ToLower(string(x.Name)), Value: verify.Quote(x.Value)})
	}
	if s.Issuer != "" {
		facts = append(facts, verify.Fact{Name: "signed-by", Value: s.Issuer}, verify.Fact{Name: "signature-verified", Value: strconv.FormatBool(s.Verified)})
	}
	return facts
}

// keys judges the key of --key, or each of --keyring.
func (p *checkPrinter) keys(at time.Time) error {
	if name := p.flags.key; name != "" {
		data, err := p.readSome(name, mostOfKey)
		if err != nil {
			return err
		}
		return p.report(keyReport(name, pgpkey.Judge(data, pgpkey.Policy{}, at), at))
	}
	data, err := p.readSome(p.flags.keyring, mostOfKeyring)
	if err != nil {
		return err
	}
	if len(data) > mostOfKeyring {
		return usage(p.cmd, "keyring: %s has more than %d MiB; want a part of it at a time", p.flags.keyring, mostOfKeyring>>20)
	}
	for r := range pgpkey.JudgeKeyring(data, pgpkey.Policy{}, at) {
		if p.ctx.Err() != nil {
			return notAsked("interrupted; not every key was judged")
		}
		if err := p.report(keyReport(r.Subject(), r, at)); err != nil {
			return err
		}
	}
	return nil
}

// keyReport is the report about one key.
func keyReport(subject string, r pgpkey.Report, at time.Time) *checkReport {
	o := outcomeOf("pgpkey", subject, verify.Outcome{Result: verify.Result{Findings: r.Findings, Facts: keyFacts(r)}})
	return newReport(subject, "key", at, []checkOutcome{o})
}

// keyFacts is what the key is, and what it is good for.
func keyFacts(r pgpkey.Report) []verify.Fact {
	if r.Refused() {
		return nil
	}
	algorithm := r.Key.Algorithm
	if r.Key.Bits > 0 && !strings.ContainsAny(algorithm, "0123456789") {
		algorithm += " " + strconv.Itoa(r.Key.Bits)
	}
	facts := []verify.Fact{{Name: "fingerprint", Value: string(r.Key.Fingerprint)}}
	facts = append(facts, verify.Fact{Name: "algorithm", Value: algorithm})
	for _, u := range r.UserIDs {
		facts = append(facts, verify.Fact{Name: "user-id", Value: verify.Quote(u.Raw)})
	}
	use := "nothing"
	switch {
	case r.Encrypts && r.Signs:
		use = "encrypting, signing"
	case r.Encrypts:
		use = "encrypting"
	case r.Signs:
		use = "signing"
	}
	facts = append(facts, verify.Fact{Name: "use", Value: use})
	if r.EncryptTo != "" {
		facts = append(facts, verify.Fact{Name: "encrypt-to", Value: string(r.EncryptTo)})
	}
	if !r.Expires.IsZero() {
		facts = append(facts, verify.Fact{Name: "expires", Value: r.Expires.UTC().Format(time.RFC3339)})
	}
	return facts
}
