// Package lab is a small Internet on loopback, for demonstrations and tests.
//
// A [Lab] has a root zone, top-level and other zones on several name servers,
// a resolver that answers for all of them, sites under a certification
// authority of its own, and thirty invented [Team]s with sites in every state a
// site can be in. Beside them stand sites and names that break each rule there
// is ([Hostile]): each does so within bounds of size and time of its own.
//
// Everything listens in 127.80.0.0/16 on high ports, so that nobody needs rights. Clients find the sockets through [Lab.Resolver] and
// [Lab.DialMap], trust [Lab.Roots], and take the time from the clock that the
// lab was started with. An address that is not the lab's is mapped to a socket
// that counts who comes ([Lab.Strays]): nothing that dials through the map can
// leave the machine, and a client that should have refused an address shows.
//
// The lab imports nothing of ours: what it serves is written from the standards
// (RFC 1034, RFC 4035, RFC 5280, RFC 9110, RFC 9116), not from our reading of them.
package lab
