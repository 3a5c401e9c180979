// Package verify is what a check is, and what becomes of its result.
//
// A [Check] looks at one [Subject] of a team, such as a domain or a key, and
// reports [Finding]s. All that it asks of the world goes through a [Network],
// so that a [Transcript] of the answers replays to the same verdict offline.
// [Assess] turns a result, or the lack of one, into a [Verification]: what is
// known of the subject from now on, and when to look again.
//
// Two things are kept apart throughout: a [Trouble] means "no conclusion, try
// again", whoever's fault it is; a Finding is a conclusion. A peer that can't
// be reached never becomes a defect of the team.
//
// The checks themselves live in packages of their own below this one. This
// package speaks no protocol but those that fetching needs: HTTP, TLS and DNS.
package verify
