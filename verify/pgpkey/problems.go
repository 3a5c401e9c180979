package pgpkey

import (
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Problems is the table of all that this package finds, by code.
func Problems() []verify.Problem {
	all := slices.Concat(keyProblems(), channelProblems(), adoptedProblems())
	slices.SortFunc(all, func(a, b verify.Problem) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return all
}

// table is the index of [Problems].
var table = func() map[verify.Code]verify.Problem {
	m := map[verify.Code]verify.Problem{}
	for _, p := range Problems() {
		m[p.Code] = p
	}
	return m
}()

// find returns a finding of the table.
func find(code verify.Code, evidence string) verify.Finding { return table[code].Find(evidence) }

const (
	newKey   = "Make a new key with Ed25519 and X25519, or RSA with 3072 bits or more, and sign it with the old one."
	signAnew = "Set the key's expiry anew with a current program, which signs the key again, and publish it everywhere."
	extend   = "Extend the expiry of the key and of its subkeys, and publish the key everywhere it can be found."
)

// keyProblems are of a key by itself.
func keyProblems() []verify.Problem {
	return []verify.Problem{
		{Code: "pgpkey.revoked", Severity: verify.Error, Spec: "RFC 9580 section 5.2.1.11", Title: "The key is revoked, and nothing of it is to be trusted", Advice: "Publish the key that replaces it, and say so where the old one was shown."},
		{Code: "pgpkey.retired", Severity: verify.Error, Spec: "RFC 9580 section 5.2.3.31", Title: "The key is superseded or no longer used", Advice: "Publish the key that replaces it, signed by this one."},
		{Code: "pgpkey.expired", Severity: verify.Error, Spec: "RFC 9580 section 5.2.3.13", Title: "The key has expired", Advice: extend},
		{Code: "pgpkey.not-yet-valid", Severity: verify.Error, Spec: "RFC 9580 section 5.2.3.11", Title: "The key is dated in the future", Advice: "Check the clock of the computer that the key was made on, and make the key or its signatures anew."},
		{Code: "pgpkey.signed-in-future", Severity: verify.Warning, Spec: "RFC 9580 section 5.2.3.11", Title: "The newest signature of the key is dated in the future, and ignored until then", Advice: "Check the clock of the computer that signed it, and sign the key again."},
		{Code: "pgpkey.user-ids-revoked", Severity: verify.Error, Spec: "RFC 9580 section 10.1.1", Title: "Every user ID of the key is revoked", Advice: "Add a user ID with the team's address."},
		{Code: "pgpkey.weak-hash", Severity: verify.Error, Spec: "RFC 9580 section 9.5", Title: "The key is held together by SHA-1 or worse, which programs have rejected since February 2026", Advice: signAnew},
		{Code: "pgpkey.weak-hash-user-id", Severity: verify.Warning, Spec: "RFC 9580 section 9.5", Title: "A user ID is bound to the key by SHA-1 or worse only, and programs ignore it", Advice: signAnew},
		{Code: "pgpkey.weak-hash-subkey", Severity: verify.Warning, Spec: "RFC 9580 section 9.5", Title: "A subkey is bound to the key by SHA-1 or worse only, and programs ignore it", Advice: signAnew},
		{Code: "pgpkey.no-encryption", Severity: verify.Error, Spec: "RFC 9580 section 5.2.3.29", Title: "Nobody can encrypt to the key: it has no key for encryption that is not revoked", Advice: "Add an encryption subkey and publish the key again."},
		{Code: "pgpkey.encryption-expired", Severity: verify.Error, Spec: "RFC 9580 section 5.2.3.13", Title: "Nobody can encrypt to the key: what it has for encryption has expired", Advice: extend},
		{Code: "pgpkey.encryption-refused", Severity: verify.Error, Spec: "RFC 9580 section 9", Title: "Strict programs do not encrypt to the key: an algorithm, a hash or missing key flags stand against it", Advice: "Add an encryption subkey with X25519, or RSA with 3072 bits or more, and publish the key again."},
		{Code: "pgpkey.no-signing", Severity: verify.Warning, Spec: "RFC 9580 section 5.2.3.29", Title: "Nothing of the key can sign, so that replies and advisories cannot be verified with it", Advice: "Add a subkey for signing, or extend the one that has expired."},
		{Code: "pgpkey.flags-missing", Severity: verify.Warning, Spec: "RFC 9580 section 5.2.3.29", Title: "A part of the key does not say what it may be used for, and strict programs do not use it", Advice: signAnew},
		{Code: "pgpkey.weak-rsa", Severity: verify.Error, Spec: "RFC 9580 section 12.4", Title: "RSA with less than 2048 bits can be broken", Advice: newKey},
		{Code: "pgpkey.rsa-below-3072", Severity: verify.Warning, Spec: "RFC 9580 section 12.4", Title: "RSA with less than 3072 bits is on its way out", Advice: newKey},
		{Code: "pgpkey.obsolete-algorithm", Severity: verify.Error, Spec: "RFC 9580 section 9.1", Title: "DSA and ElGamal are obsolete, and current programs refuse them", Advice: newKey},
		{Code: "pgpkey.curve-refused", Severity: verify.Error, Spec: "RFC 9580 section 9.2", Title: "The curve is none of RFC 9580, and many programs refuse it", Advice: newKey},
		{Code: "pgpkey.post-quantum", Severity: verify.Info, Spec: "RFC 9980", Title: "The key has post-quantum algorithms, which few programs can use yet", Advice: "Publish a second key of version 4 for those who cannot use this one."},
		{Code: "pgpkey.version-6", Severity: verify.Info, Spec: "RFC 9580 section 5.5.2.3", Title: "The key is of version 6, which older programs cannot read", Advice: "Publish a second key of version 4 for those who cannot use this one."},
		{Code: "pgpkey.expires-7", Severity: verify.Warning, Spec: "RFC 9580 section 5.2.3.13", Title: "The key can be used for seven more days at most", Advice: extend},
		{Code: "pgpkey.expires-30", Severity: verify.Warning, Spec: "RFC 9580 section 5.2.3.13", Title: "The key can be used for thirty more days at most", Advice: extend},
		{Code: "pgpkey.expires-90", Severity: verify.Recommendation, Spec: "RFC 9580 section 5.2.3.13", Title: "The key can be used for ninety more days at most", Advice: extend},
		{Code: "pgpkey.never-expires", Severity: verify.Info, Spec: "RFC 9580 section 5.2.3.13", Title: "The key never expires, even if its owner loses it", Advice: "Give the key an expiry of a year or two, and extend it each year."},
		{Code: "pgpkey.no-address", Severity: verify.Recommendation, Spec: "RFC 9580 section 5.11", Title: "No user ID of the key has an e-mail address, so programs do not find it", Advice: "Add a user ID of the form Name <address>."},
		{Code: "pgpkey.features-missing", Severity: verify.Recommendation, Spec: "RFC 9580 section 5.2.3.32", Title: "The key does not say that its owner's program can read encrypted mail that is protected against changes", Advice: signAnew},
		{Code: "pgpkey.preferences-weak", Severity: verify.Recommendation, Spec: "RFC 9580 section 5.2.3.14", Title: "The key asks for outdated ciphers or hashes first", Advice: "Set the preferences of the key anew, with AES-256 and SHA-512 first (gpg: setpref)."},
	}
}

const (
	wkdDraft  = "draft-koch-openpgp-webkey-service-17"
	unlisted  = "Enter the key that is meant here, and publish the same one everywhere. If nobody of the team has changed it, treat it as an intrusion."
	copyAnew  = "Publish the present form of the key there."
	enterAnew = "Enter the present form of the key here."
)

// channelProblems are of where keys are published.
func channelProblems() []verify.Problem {
	return []verify.Problem{
		{Code: "pgpkey.wkd-unreachable", Severity: verify.Error, Spec: wkdDraft + " section 3.1", Title: "The host for the Web Key Directory is there and cannot be asked, so that nobody gets a key from it", Advice: "Mend the host's certificate and web server, or take the name openpgpkey out of the DNS (a wildcard may have made it)."},
		{Code: "pgpkey.wkd-armored", Severity: verify.Warning, Spec: wkdDraft + " section 3.1", Title: "The Web Key Directory gives out an armoured key, which must be binary", Advice: "Publish the key as gpg --export writes it, without --armor."},
		{Code: "pgpkey.wkd-policy-missing", Severity: verify.Recommendation, Spec: wkdDraft + " section 4.5", Title: "The Web Key Directory has no policy file", Advice: "Publish an empty file of that name."},
		{Code: "pgpkey.wrong-user-id", Severity: verify.Error, Spec: wkdDraft + " section 3.1, RFC 7929 section 5.3", Title: "No key that is published for the address has it in a user ID, so that programs discard it", Advice: "Add a user ID with the address to the key, and publish it again."},
		{Code: "pgpkey.encryption-unreachable", Severity: verify.Warning, Spec: "RFC 9116 section 2.5.4", Title: "The key that security.txt names cannot be fetched", Advice: "Publish the key there, or correct the Encryption field."},
		{Code: "pgpkey.encryption-not-found", Severity: verify.Recommendation, Spec: "RFC 9116 section 2.5.4", Title: "The key whose fingerprint security.txt names was found nowhere", Advice: "Publish the key in the Web Key Directory of the contact's address, or name in Encryption where it can be fetched."},
		{Code: "pgpkey.channel-mismatch", Severity: verify.Error, Spec: "RFC 9580 section 5.5.4", Title: "Another key is published for the address than the directory has", Advice: unlisted},
		{Code: "pgpkey.channels-disagree", Severity: verify.Warning, Spec: "RFC 9580 section 5.5.4", Title: "Different keys are published for the address in different places", Advice: "Publish the same key everywhere."},
		{Code: "pgpkey.not-in-profile", Severity: verify.Recommendation, Title: "A key is published for the address that the directory does not have", Advice: "Enter the key here."},
		{Code: "pgpkey.not-in-wkd", Severity: verify.Recommendation, Spec: wkdDraft + " section 3.1", Title: "The key for the address is in no Web Key Directory, where mail programs look for it", Advice: "Publish the key at the URL, binary, with an empty policy file."},
		{Code: "pgpkey.channel-stale", Severity: verify.Warning, Title: "An old copy of the key is published, which is worse than the directory's", Advice: copyAnew},
		{Code: "pgpkey.profile-stale", Severity: verify.Warning, Title: "The directory has an old copy of the key", Advice: enterAnew},
		{Code: "pgpkey.revoked-elsewhere", Severity: verify.Error, Spec: "RFC 9580 section 5.2.1.11", Title: "A revocation of the key is published that the directory does not have", Advice: "Stop using the key, and enter the one that replaces it."},
		{Code: "pgpkey.fingerprint-mismatch", Severity: verify.Error, Spec: "RFC 9580 section 5.5.4", Title: "The key is not the one of the fingerprint it is listed under", Advice: "Compare the fingerprint with the team by telephone, and enter the right key."},
		{Code: "pgpkey.no-contact-address", Severity: verify.Warning, Spec: "RFC 9580 section 5.11", Title: "No user ID of the key has an address of the team's contacts", Advice: "Add a user ID with the contact address, or enter the address as a contact."},
		{Code: "pgpkey.address-case", Severity: verify.Info, Spec: "RFC 5321 section 2.4", Title: "The address is written in other upper and lower case in the key", Advice: "Write it in one way."},
		{Code: "pgpkey.no-key", Severity: verify.Info, Title: "No key was found on the channels that were asked", Advice: "Publish a key in a Web Key Directory, so that people can write in confidence."},
		{Code: "pgpkey.replacement", Severity: verify.Info, Title: "A new key may be about to replace the old; it is not taken over without somebody's decision", Advice: "Compare the grounds, ask the team if in doubt, and enter the new key."},
		{Code: "pgpkey.successor-unproven", Severity: verify.Warning, Title: "The key came beside or in place of another, and nothing shows that it is the team's", Advice: "Sign a statement with the old key that names the new one, or publish the new key in a Web Key Directory and in security.txt, or ask two operators to confirm it by telephone."},
		{Code: "pgpkey.successor-refused", Severity: verify.Warning, Title: "Somebody who knows said that the key is not the team's", Advice: "Take the key out, and find out who entered it. If it is right, ask two operators to confirm it by telephone."},
		{Code: "pgpkey.keyserver-wrong-key", Severity: verify.Notification, Title: "A key server answers with another key than it was asked for", Advice: "Nothing: such answers are ignored."},
	}
}

// adoptedProblems are those that the directory finds when it reads a key, in
// its words, with a severity.
func adoptedProblems() []verify.Problem {
	var all []verify.Problem
	for _, c := range directory.Codes() {
		name, ok := strings.CutPrefix(string(c.Code), "key.")
		if !ok || judgedHere(c.Code) || c.Code == "key.duplicate" {
			continue
		}
		title, note := strings.CutSuffix(c.Title, " (note)")
		severity := verify.Error
		if note {
			severity = noteSeverity(c.Code)
		}
		all = append(all, verify.Problem{Code: verify.Code("pgpkey." + name), Severity: severity, Spec: c.Spec, Title: title, Advice: c.Advice})
	}
	return all
}

// noteSeverity is how bad it is what the directory only notes.
func noteSeverity(code directory.Code) verify.Severity {
	switch code {
	case "key.armor-checksum", "key.signatures-stripped", "key.subkey-dropped", "key.user-id-dropped":
		return verify.Info
	case "key.attributes-dropped", "key.packets-dropped":
		return verify.Notification
	}
	return verify.Warning
}

// adopt makes a finding of the directory's problem. Those never quote key material.
func adopt(p directory.Problem) verify.Finding {
	evidence := p.Reason
	if p.Value != "" {
		evidence = p.Value + ": " + evidence
	}
	return find(verify.Code("pgpkey."+strings.TrimPrefix(string(p.Code), "key.")), evidence)
}
