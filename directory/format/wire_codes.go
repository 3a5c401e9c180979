package format

import "github.com/rollcall-csirt/rollcall/directory"

// wireCodes are the problems of a JSON text and of the words in it.
var wireCodes = []directory.CodeInfo{
	{Code: "json.syntax", Title: "The text is not JSON", Spec: "RFC 8259", Advice: "Mend the text at the byte that the message names."},
	{Code: "json.encoding", Title: "The JSON text is not UTF-8, or escapes half a character", Spec: "RFC 8259 section 8", Advice: "Send UTF-8; write characters outside of the first plane as they are, or as two escapes."},
	{Code: "json.duplicate-key", Title: "An object has the same name twice", Spec: "RFC 8259 section 4", Advice: "Keep the one that is meant."},
	{Code: "json.too-deep", Title: "Values are nested too deep", Advice: "No record nests more than a few levels."},
	{Code: "json.too-large", Title: "The text is larger than any record", Advice: "Send at most 4 MiB."},
	{Code: "field.unknown", Title: "There is no field of this name", Advice: "Check the spelling; the message names the nearest field."},
	{Code: "field.type", Title: "A value has the wrong JSON type", Advice: "Send the type that the message names."},
	{Code: "field.range", Title: "A number is out of range", Advice: "Send a number within the range."},
	{Code: "field.missing", Title: "A value that must be given is missing or empty", Advice: "Give the value, or leave out the item it belongs to."},
	{Code: "field.read-only", Title: "Only the directory itself sets this field", Advice: "Leave the field out of what you send."},
	{Code: "time.syntax", Title: "Not a date and time", Spec: "RFC 3339 section 5.6", Advice: "Write 2026-11-21T20:00:00Z."},
	{Code: "kind.unknown", Title: "Not a kind of team", Advice: "Use a word of the list in the message."},
	{Code: "status.unknown", Title: "Not a status of a team", Advice: "Use active, inactive or forming."},
	{Code: "service.unknown", Title: "Not a service of the FIRST CSIRT Services Framework", Advice: "Use a word of the list in the message."},
	{Code: "constituency-type.unknown", Title: "Not a type of constituency", Advice: "Use a word of the list in the message."},
	{Code: "constituency-scope.unknown", Title: "Not a scope of a constituency", Advice: "Use internal, external or both."},
	{Code: "sector.unknown", Title: "Not a sector of NIS2", Advice: "Use a word of the list in the message."},
	{Code: "resource-type.unknown", Title: "Not a type of resource", Advice: "Use prefix, asn, domain or country."},
	{Code: "claim.unknown", Title: "Not the state of a claim", Advice: "Use listed, declared, confirmed or disputed."},
	{Code: "channel.unknown", Title: "Not a channel of contact", Advice: "Use email, phone, url or chat."},
	{Code: "use.unknown", Title: "Not a use of a contact", Advice: "Use a word of the list in the message."},
	{Code: "incident-class.unknown", Title: "Not an incident class of RSIT", Advice: "Use a word of the list in the message."},
	{Code: "membership-status.unknown", Title: "Not the state of a membership", Advice: "Use a word of the list in the message."},
	{Code: "designation-scope.unknown", Title: "Not the scope of a designation", Advice: "Use a word of the list in the message."},
	{Code: "assessor.unknown", Title: "Not an assessor of maturity", Advice: "Use self, peer or auditor."},
	{Code: "outcome.unknown", Title: "Not the outcome of an attempt to prove something", Advice: "Use proved, failed, disputed or settled."},
	{Code: "key.fingerprint-mismatch", Title: "The fingerprint beside a key belongs to another key", Advice: "Leave the fingerprint out, or send the key that it belongs to."},
}

// rollcallCodes are the problems of a file of our own format.
var rollcallCodes = []directory.CodeInfo{
	{Code: "rollcall.header", Title: "The first line is not that of our own format", Advice: "Import a file that rollcall export wrote."},
	{Code: "rollcall.version", Title: "The file has a version of the format that this program does not know", Advice: "Use the program that wrote it, or a newer one."},
	{Code: "rollcall.line-too-long", Title: "A line is longer than 4 MiB", Advice: "Mend the line: no record is that large."},
	{Code: "rollcall.truncated", Title: "The file ends without its last line", Advice: "Copy the file again: its end is missing."},
	{Code: "rollcall.count", Title: "The file does not have the number of records that its last line says", Advice: "Copy the file again: something in the middle is missing or came twice."},
	{Code: "rollcall.after-end", Title: "There are lines behind the last one", Advice: "Import the files one by one instead of joined."},
	{Code: "layer.source", Title: "An imported layer claims to be the team's own", Advice: "Name the source that the values come from."},
}

// documentCodes are the problems of an RFC 2350 document. Those of its file
// (import.html and so on) are the same for every format.
var documentCodes = []directory.CodeInfo{
	{Code: "rfc2350.no-sections", Title: "The text does not have the sections of the template", Spec: "RFC 2350 appendix D", Advice: "Check that the file is an RFC 2350 description, as Markdown or plain text."},
	{Code: "rfc2350.nobody", Title: "The document names no team", Spec: "RFC 2350 section 3.2", Advice: "Give the name in section 2.1 or a mail address in section 2.7."},
	{Code: "rfc2350.unknown-section", Title: "A heading is not of the template", Spec: "RFC 2350 appendix D", Advice: "Nothing, if the section before it is the right place for its text; else move it."},
	{Code: "rfc2350.country", Title: "The address names no country", Advice: "Put the country in English on a line of its own."},
	{Code: "rfc2350.zone", Title: "The time zone can't be told from the text", Advice: "Name one IANA zone, such as Europe/Vienna."},
	{Code: "rfc2350.phone", Title: "A telephone number can't be read", Spec: "E.164", Advice: "Write the number with its country code, such as +43 1 5056416."},
	{Code: "rfc2350.email", Title: "A mail address can't be read", Advice: "Write one bare address."},
	{Code: "rfc2350.key", Title: "The key in the document can't be used", Advice: "Publish the current public key in ASCII armour; the message says what is wrong with this one."},
	{Code: "rfc2350.key-mismatch", Title: "The fingerprint in the text belongs to another key", Advice: "Correct the text or replace the key."},
	{Code: "rfc2350.key-expiry", Title: "The day of expiry in the text is not that of the key", Advice: "Correct the text or replace the key."},
}

// keyringCodes are the problems of a keyring; those of one key are of package
// directory.
var keyringCodes = []directory.CodeInfo{
	{Code: "keyring.no-address", Title: "No user ID of the key has a mail address", Advice: "Enter the key at its team by hand, or add a user ID with the team's address."},
	{Code: "keyring.duplicate", Title: "The same key stands twice in the keyring", Advice: "Nothing: the first was taken. Merge the two if they differ."},
}
