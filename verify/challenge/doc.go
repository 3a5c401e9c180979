// Package challenge asks the contacts of a directory to answer, fairly and
// seldom, and says what an answer proves.
//
// A [Challenge] is one question to one contact. [Step] is the whole of its life:
// a pure function of the challenge as it is, one [Event], the time and the
// [Policy], which gives the challenge as it is from then on and the [Effect]s
// that somebody else carries out.
//
// That is a [Desk] (desk*.go): it reads a challenge, takes a step and writes what
// came of it into a [Store] in one transaction, runs campaigns, and does what people
// order, as far as package directory lets them. A [Sender] hands the mails of the
// store's outbox to a relay, a [Receiver] takes replies in. A [Courier] posts events to
// [Hook]s and questions to the endpoints of automation (hook.go, courier.go, desk_hook.go,
// desk_endpoint.go). A [Notifier] tells teams once a week at most what needs attention
// (notice*.go).
//
// Around it: policies as data with their presets, and which of them holds for a
// contact ([Resolve], [NextDue]); working time of teams ([Calendar]); what may be
// sent at all ([May]); campaigns and each contact's moment in them ([Campaign]);
// tokens and codes ([Key]); figures that count silence for what it is
// ([Summarise]); signatures of webhooks ([Sign], [VerifyAnswer]).
//
// Only proof makes a challenge answered. What a mail's headers say (RFC 3834
// automatic answers, RFC 3464 delivery reports) moves the states of delivery and
// never gives a level above [directory.Deliverable].
package challenge
