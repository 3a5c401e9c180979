// Package mail is the mail of reachability challenges, out and in.
//
// Out: a [Letter] says what is to be sent, in values of fixed alphabets only. [Composer.Render] makes
// a [Mail] of it: text in six languages, signed by the instance (PGP/MIME, RFC 3156) and encrypted
// to the team's key where it has one, with protected headers (RFC 9788), and signed with DKIM (RFC 6376,
// RFC 8463). A [Submitter] hands it to a relay. [Selftest] says beforehand whether others will believe it.
//
// In: a [Server] (SMTP, LMTP), a [Maildir] or a [Pipe] take an [Envelope] with limits. [Read] takes the
// mail apart; [Identity.Correlate] says which letter it belongs to, by four independent handles;
// [Classify] says what it is (a reply, an auto-reply, a bounce and of which kind). None of that proves
// anything: only what [Opener.Open] hands back does, a nonce inside bytes that the stored key has signed.
//
// Nothing here answers a mail, keeps a queue or decides what a reply is worth. Mail that belongs to no
// letter is the caller's to keep aside. HTML is neither sent nor read as more than text, and nothing
// that a mail refers to is fetched.
package mail
