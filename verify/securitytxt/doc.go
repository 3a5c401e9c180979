// Package securitytxt reads, judges, verifies and writes security.txt files as
// RFC 9116 has them.
//
// It is a library of its own: [Parse] reads a [File] and says line by line what
// is wrong with its text, [File.Validate] says what is wrong with it as a whole at
// a moment and at a place, [Keyring.Verify] verifies its signature, and [Generate]
// makes a file from the profile of a team. They need nothing but their arguments,
// do no I/O, and take anything for input. What can be wrong is in the table of
// [Problems].
//
// [Check] retrieves the file of a host through a [verify.Network] and judges it
// by all of these, and against what the team says of itself in the directory.
//
// The package does not fetch or judge the keys that Encryption names, and it does
// not follow Canonical to other hosts: a file says something about the host it was
// found on, and about no other (RFC 9116 section 3.1).
package securitytxt

//go:generate go test -run ^TestDocs$ -update .
