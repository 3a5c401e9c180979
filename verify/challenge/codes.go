package challenge

import "github.com/rollcall-csirt/rollcall/directory"

// The codes of problems with policies.
const (
	CodePolicySyntax  directory.Code = "policy.syntax"
	CodePolicyUnknown directory.Code = "policy.unknown"
	CodePolicyMissing directory.Code = "policy.missing"
	CodePolicyRange   directory.Code = "policy.range"
	CodePolicyOrder   directory.Code = "policy.order"
)

// The codes of problems with questions and campaigns.
const (
	CodeCampaignKind   directory.Code = "campaign.kind"
	CodeCampaignName   directory.Code = "campaign.name"
	CodeCampaignScope  directory.Code = "campaign.scope"
	CodeCampaignState  directory.Code = "campaign.state"
	CodeCampaignWindow directory.Code = "campaign.window"
	CodeCall           directory.Code = "challenge.call"
	CodeCaseClosed     directory.Code = "challenge.case-closed"
	CodeNoPolicy       directory.Code = "challenge.no-policy"
	CodeNoWay          directory.Code = "challenge.no-way"
	CodeNotOptedOut    directory.Code = "challenge.not-opted-out"
	CodeOpen           directory.Code = "challenge.open"
	CodeOver           directory.Code = "challenge.over"
	CodeResult         directory.Code = "challenge.result"
	CodeSecondOperator directory.Code = "challenge.second-operator"
	CodeSelftest       directory.Code = "challenge.selftest"
	CodeUnconfirmed    directory.Code = "challenge.unconfirmed"
	CodeUnvouched      directory.Code = "challenge.unvouched"
)

// The codes of problems with webhooks and with what automation answers.
const (
	CodeAnswer      directory.Code = "webhook.answer"
	CodeAnswerKey   directory.Code = "webhook.answer-key"
	CodeAnswerNonce directory.Code = "webhook.nonce"
	CodeEndpoint    directory.Code = "webhook.endpoint"
	CodeHookBusy    directory.Code = "webhook.busy"
	CodeHookMany    directory.Code = "webhook.too-many"
	CodeHookNote    directory.Code = "webhook.note"
	CodeHookType    directory.Code = "webhook.type"
	CodeHookURL     directory.Code = "webhook.url"
	CodeSecret      directory.Code = "webhook.secret" // of a delivery
	CodeSignature   directory.Code = "webhook.signature"
)

// Codes returns the problem codes of this package, sorted.
func Codes() []directory.CodeInfo {
	return []directory.CodeInfo{
		{Code: CodeCampaignKind, Title: "A campaign asks by mail or by telephone", Advice: "Leave the kind out to have each contact asked by what fits it."},
		{Code: CodeCampaignName, Title: "A campaign has a name", Advice: "Name it as the people who are asked know it."},
		{Code: CodeCampaignScope, Title: "A campaign's scope has words of at most 64 characters, 20 uses and 10,000 teams", Advice: "Plan several campaigns."},
		{Code: CodeCampaignState, Title: "A campaign is started once, halted while it runs, resumed while it stands, and aborted before it is over", Advice: "Look at its state."},
		{Code: CodeCampaignWindow, Title: "The window of a campaign is in the future, and a year at most", Advice: "Give from and to, with a zone."},
		{Code: CodeCall, Title: "A call has a number and an operator, and waits for a second one", Advice: "Give the number as it was dialled, and log the call once."},
		{Code: CodeCaseClosed, Title: "A case is closed once", Advice: "Look at the closed cases. To let mails go again to who opted out, close the opt-out once more and say that it is allowed."},
		{Code: CodeNoPolicy, Title: "A rule says by which policy a contact is asked", Advice: "Add a rule for it, or name the policy."},
		{Code: CodeNoWay, Title: "A contact is asked by what it has", Advice: "Ask a mailbox by code, one with a usable key by nonce or signed, and a telephone by phone."},
		{Code: CodeNotOptedOut, Title: "Mails are allowed again to who opted out", Advice: "Close the case without allowing anything."},
		{Code: CodeOpen, Title: "A contact is asked one thing at a time", Advice: "Wait for the answer, or have the open question stopped."},
		{Code: CodeOver, Title: "A question that is over changes no more", Advice: "Ask anew."},
		{Code: CodeResult, Title: "What another registrar found has its name, a level from 1 to 4 and a date that has passed", Advice: "Name the registrar as people know it."},
		{Code: CodeSecondOperator, Title: "Another operator than the one who called approves a call", Advice: "Ask a colleague."},
		{Code: CodeSelftest, Title: "The self-test of our own mails passes before a campaign begins or goes on", Advice: "Run rollcall mail selftest, and mend what it names."},
		{Code: CodeUnconfirmed, Title: "That nobody answers is confirmed of a contact that was asked, stayed silent and is still the same", Advice: "Close the case without confirming it, and ask anew."},
		{Code: CodeUnvouched, Title: "Mails go to an address that an operator, a secretariat or a source stands for", Advice: "Prove control of its domain, or have an operator record as evidence how the team was asked."},
		{Code: CodePolicyMissing, Title: "A policy says what it must", Advice: "Name the field."},
		{Code: CodePolicyOrder, Title: "The times of a policy follow each other", Advice: "Reminders come within the window, the ladder after it, the close last, and the next question after that."},
		{Code: CodePolicyRange, Title: "The figures of a policy are within what is fair", Advice: "Stay within the bounds that the problem names."},
		{Code: CodePolicySyntax, Title: "The values of a policy have their form", Advice: "Write delays as 4mo, 10d, 3bd or 12h, quiet hours as 20:00-07:00, days as 2026-12-24."},
		{Code: CodeAnswer, Title: "An answer of automation is a JSON object with challenge and nonce, of at most 4 KiB", Advice: "Send both as they came with the question."},
		{Code: CodeAnswerKey, Title: "Automation signs with a secret of 32 to 1,024 characters, or with an Ed25519 key", Spec: "RFC 8032", Advice: "Send the secret as it is, or the public key in base64."},
		{Code: CodeAnswerNonce, Title: "An answer has the nonce of its question, in time", Advice: "Send the nonce of the last question, as it came."},
		{Code: CodeEndpoint, Title: "Automation is asked at the https URL of a contact of channel url", Advice: "Add such a contact, and register the key for it."},
		{Code: CodeHookBusy, Title: "A ping waits behind what waits already", Advice: "See what became of the last deliveries."},
		{Code: CodeHookMany, Title: "A team has at most 20 webhooks, and an instance 500", Advice: "Remove one that is not needed."},
		{Code: CodeHookNote, Title: "The note of a webhook has at most 200 characters", Advice: "Shorten it."},
		{Code: CodeHookType, Title: "An event is a state that a question moves to", Advice: "Write challenge.answered, or name none for all."},
		{Code: CodeHookURL, Title: "A webhook has an https URL with a host name, on the default port", Advice: "Give the endpoint a name and a certificate."},
		{Code: CodeSecret, Title: "The secret of a webhook opens with the server's key", Advice: "Rotate it: it was stored under another key, or is damaged."},
		{Code: CodeSignature, Title: "What automation sends is signed by its registered key, within five minutes", Spec: "RFC 2104", Advice: "Sign the time, a dot and the body as they are sent; see docs/webhooks.md."},
		{Code: CodePolicyUnknown, Title: "A policy uses known fields and words", Advice: "Use one of those that the problem names."},
	}
}
