// Package api serves the directory as a REST API: lookups, teams, tokens, the
// audit trail, and what the operator's machines ask (health, readiness,
// metrics). Its central type is [Server], an [http.Handler].
//
// Huma registers every operation, reads its parameters and describes it in the
// OpenAPI document ([Spec]). Two things are done beside Huma, on purpose:
//
//   - Bodies of requests are read by directory/format, which knows the codes and
//     JSON pointers of everything that can be wrong; Huma's validation stops at
//     messages in English.
//   - GET /v1/lookup is described by Huma and served by a handler of its own on
//     the same mux, behind the same authentication, errors and metrics, because
//     it is asked thousands of times a second.
//
// Errors are RFC 9457 problems, all made by the one table in errors.go. The
// package decides nothing about who may do what: package directory does.
//
// Questions to contacts and their campaigns (challenge*.go, campaigns.go,
// response_times.go) are the work of a [challenge.Desk].
package api
