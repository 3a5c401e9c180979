// Package pgpkey judges OpenPGP certificates as contacts need them judged: can
// people encrypt to this key today, will their programs accept it, for how long,
// and is it the key that the team means.
//
// [Judge] takes one key and gives a [Report]: findings from the table of
// [Problems], a [Grade], and what the key is good for under a [Policy].
// [JudgeKeyring] does so for each key of a ring. They need nothing but the bytes
// and a moment, and can be used without the rest of Rollcall:
//
//	r := pgpkey.Judge(data, pgpkey.Policy{}, time.Now())
//	fmt.Println(r.Subject(), r.Grade, r.Findings)
//
// Reading, limits, and the removal of all that others added to a key are
// [directory.ParseCertificate]'s; which signatures count is decided by go-crypto's
// openpgp/v2 under a policy that refuses SHA-1 (RFC 9580 section 9.5). Third-party
// certifications are counted, never believed: there is no web of trust here.
package pgpkey
