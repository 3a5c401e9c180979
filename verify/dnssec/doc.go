// Package dnssec proves DNS answers up to a trust anchor (RFC 4033, 4034, 4035,
// 5155, 6840, 9276): a [Validator] fetches the keys on the way, verifies
// signatures, and asks for proof where something is said not to exist.
//
// It is a second opinion beside a validating resolver, for answers that carry
// trust of their own: OPENPGPKEY, TLSA and challenge records. It sends nothing
// itself: whoever uses it hands it an [Exchange], which must set DO and CD.
//
// It caches no answers beyond one Validator (a [Memory] spares it signatures that
// have verified before, and nothing else), nor does it follow changes of trust anchors (RFC
// 5011) or validate with algorithms that must not be used any more (RFC 8624).
package dnssec
