package securitytxt

import (
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Problems is the table of all that this package finds, by code.
func Problems() []verify.Problem {
	var all []verify.Problem
	for _, r := range slices.Concat(placeRows(), answerRows(), textRows(), lineRows(), uriRows(), fieldRows(), valueRows(), frameRows(), signatureRows(), crossRows()) {
		all = append(all, r.problem())
	}
	slices.SortFunc(all, func(a, b verify.Problem) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return all
}

// area stands before the name of each code.
const area = "securitytxt."

// table is the index of [Problems], by what stands behind the dot.
var table = func() map[string]verify.Problem {
	m := map[string]verify.Problem{}
	for _, p := range Problems() {
		m[strings.TrimPrefix(string(p.Code), area)] = p
	}
	return m
}()

// find returns a finding of the table.
func find(name, evidence string) verify.Finding { return table[name].Find(evidence) }

// row is a row of the table. A spec that begins with a digit is a section of
// RFC 9116.
type row struct {
	name     string
	severity verify.Severity
	spec     string
	sectxt   string
	title    string
	advice   string
}

func (r row) problem() verify.Problem {
	if r.spec != "" && r.spec[0] <= '9' {
		r.spec = "RFC 9116 section " + r.spec
	}
	return verify.Problem{Code: verify.Code(area + r.name), Severity: r.severity, Spec: r.spec, Title: r.title, Advice: r.advice, Sectxt: r.sectxt}
}

// The severities by the words of the standard.
const (
	must        = verify.Error
	should      = verify.Warning
	recommended = verify.Recommendation
	info        = verify.Info
	note        = verify.Notification
)

// placeRows are of where a file is found.
func placeRows() []row {
	const publish = "Publish the file at https://HOST/.well-known/security.txt."
	return []row{
		{"not-found", must, "3", "no_security_txt no_security_txt_404", "There is no security.txt", publish},
		{"status", must, "3", "no_security_txt_other", "The place of the file answers with a status that is no success", "Answer with status 200 and the file."},
		{"no-host", must, "3", "no_security_txt", "The host has no address, so that nobody finds a security.txt", "Add address records for the host, or correct its name."},
		{"address-refused", must, "RFC 6890 section 2", "no_security_txt", "The host has an address that is not public", "Publish public addresses only."},
		{"http-only", must, "3", "invalid_uri_scheme", "The file is served over http only, where anybody on the way can change it", "Serve it over https."},
		{"certificate", must, "5.7", "invalid_cert", "The certificate does not prove that the file is the host's", "Install a certificate of a public authority that is in force and names the host, with its intermediate certificates."},
		{"tls", must, "5.7", "invalid_cert", "No TLS connection comes about", "Offer TLS 1.2 and 1.3, and test it with openssl s_client."},
		{"legacy-location", must, "3", "location", "The file lies at /security.txt only", "Put it at /.well-known/security.txt; a redirect from /security.txt may stay."},
		{"locations-differ", should, "3", "", "The files at /.well-known/security.txt and /security.txt differ", "Redirect /security.txt to /.well-known/security.txt."},
		{"redirects-too-many", must, "5.2", "", "There are more than five redirects, or they go round in a circle", "Serve the file at its place, or redirect once."},
		{"redirect-to-http", must, "3", "", "A redirect leads from https to http", "Redirect to https only."},
		{"redirect-refused", must, "5.2", "", "A redirect leads to where nobody should follow", "Redirect to an https URL of a public host with the default port."},
		{"redirect-cross-domain", should, "5.2", "", "A redirect leads to another domain, which decides what the file says", "Serve the file on the host itself, or name the other URL in Canonical and sign the file."},
		{"redirect-path", info, "5.2", "", "A redirect leads to a path that does not end in security.txt", "Keep the name of the file."},
		{"families-differ", should, "3", "", "IPv4 and IPv6 give different answers", "Serve the same file over both."},
		{"family-unreachable", info, "", "", "The host did not answer over one of IPv4 and IPv6", "Nothing, if it does not happen again."},
		{"fetch-failed", must, "3", "no_security_txt_other", "The file can't be retrieved", "See the reason, and what the server logs."},
	}
}

// answerRows are of what comes with the file.
func answerRows() []row {
	const typed = "Serve the file with Content-Type: text/plain; charset=utf-8."
	return []row{
		{"content-type-missing", must, "3", "no_content_type", "The answer does not say what it is, and is not read", typed},
		{"content-type-wrong", must, "3", "invalid_media", "The answer is no plain text, and is not read", typed},
		{"charset-wrong", must, "3", "invalid_charset", "The charset is another than UTF-8", typed},
		{"charset-missing", info, "3", "", "The charset is not stated, which means UTF-8", typed},
		{"too-large", must, "5.4", "", "The file has more than 32 KiB, and is not read", "Make the file smaller."},
	}
}

// textRows are of the text before it means anything.
func textRows() []row {
	return []row{
		{"bom", must, "4", "bom_in_file", "The file begins with a byte order mark", "Save the file as UTF-8 without BOM."},
		{"not-utf8", must, "4", "utf8", "The file is not UTF-8", "Save the file as UTF-8."},
		{"control-character", must, "4", "", "The line has a control character", "Remove it; only tabs and line breaks belong into a text."},
		{"line-unterminated", must, "2.2", "no_line_separators", "The last line does not end with a line break", "Add a line break at the end of the file."},
		{"bare-cr", must, "2.2", "", "A line ends with a carriage return alone", "End lines with LF or CRLF."},
		{"line-too-long", must, "5.4", "", "The line has more than 2,048 characters, and is not read", "Make the line shorter."},
		{"too-many-lines", must, "5.4", "", "The file has more than 1,000 lines, and is not read further", "Remove lines."},
		{"too-many-findings", must, "5.4", "", "There is more to say about the file than is worth listing", "Mend what is listed, and check again."},
	}
}

// lineRows are of the grammar of a line.
func lineRows() []row {
	const form = "Write NAME: VALUE, with one space behind the colon."
	return []row{
		{"space-before-colon", must, "4", "prec_ws", "There is white space before the colon", form},
		{"space-missing", must, "4", "no_space", "There is no space behind the colon", form},
		{"name-empty", must, "4", "empty_key", "There is no name before the colon", form},
		{"name-invalid", must, "4", "", "The name has characters that a name can't have", form},
		{"value-empty", must, "4", "empty_value", "The field has no value", "Give it a value, or remove the line."},
		{"extension-empty", info, "2.4", "empty_value", "An extension field has no value", "Give it a value, or remove the line."},
		{"line-invalid", must, "4", "invalid_line", "The line is no field, no comment and not blank", "Begin comments with #, and fields with their name."},
		{"line-folded", must, "4", "invalid_line", "The line begins with white space; lines are not continued", "Write each field on one line that begins with its name."},
		{"comment-after-value", must, "2.1", "", "A comment stands behind a value, of which it becomes a part", "Put the comment on a line of its own."},
		{"values-chained", must, "2", "", "Several values stand on one line", "Write a line for each value."},
		{"field-unknown", note, "2.4", "unknown_field", "The name of the field is not registered, and readers ignore it", "Nothing, if it is meant."},
		{"field-typo", should, "2.4", "unknown_field", "The name of the field is probably misspelt, and readers ignore it", "Correct the name."},
		{"field-draft", note, "draft-bruhns-securitytxt-product-security-00", "unknown_field", "The field is one of a draft, which few readers know", "Nothing, if it is meant."},
	}
}

// uriRows are of values that are URIs.
func uriRows() []row {
	return []row{
		{"not-a-uri", must, "2.5", "no_uri", "The value is no URI: it has no scheme", "Write the whole URI, as https://example.org/page."},
		{"uri-invalid", must, "RFC 3986 section 2", "", "The URI has characters that a URI can't have, or lacks its host", "Encode other characters with %."},
		{"http-uri", must, "2.5", "no_https", "The URI is one of http, which anybody on the way can change", "Serve the page over https, and write https://."},
		{"scheme-unusual", should, "2.5", "", "The URI has a scheme that few readers can use here", "Add a value with https:, mailto: or tel: before it."},
		{"well-known-unregistered", should, "6", "", "The URI points to a name under /.well-known/ that is not registered", "Move the resource elsewhere."},
	}
}

// fieldRows are of single fields.
func fieldRows() []row {
	return []row{
		{"contact-missing", must, "2.5.3", "no_contact", "There is no Contact", "Add Contact: mailto: and the address of the team."},
		{"contact-bare", must, "2.5.3", "no_uri", "The contact is an address or a number without the scheme of a URI", "Write mailto: before an address, and tel: before a number."},
		{"mailto-invalid", must, "RFC 6068 section 2", "", "The mailto: URI has no address that can be written to", "Write mailto: and one address, as mailto:csirt@example.org."},
		{"tel-invalid", must, "RFC 3966 section 3", "", "The tel: URI has no number that can be dialled from everywhere", "Write tel:+ with the country code, as tel:+43-1-5056416."},
		{"contact-confusable", should, "UTS 39 section 4", "", "The contact has characters that look like others, or change how it is shown", "Write it in one script, or in its ASCII form."},
		{"expires-missing", must, "2.5.5", "no_expire", "There is no Expires", "Add Expires: and a time less than a year ahead."},
		{"expires-repeated", must, "2.5.5", "multi_expire", "There is more than one Expires", "Keep one."},
		{"expires-invalid", must, "2.5.5", "invalid_expiry", "The value of Expires is no time as RFC 3339 writes it", "Write it as 2027-06-30T12:00:00Z."},
		{"expires-old-format", must, "2.5.5", "invalid_expiry", "The value of Expires is a date of e-mail, as early drafts had it", "Write it as 2027-06-30T12:00:00Z."},
		{"expired", must, "2.5.5", "expired", "The file has expired and is not to be used", "Check the file, and set a new Expires."},
		{"expires-soon", should, "2.5.5", "", "The file expires soon", "Check the file, and set a new Expires."},
		{"expires-far", recommended, "2.5.5", "long_expiry", "The file expires in more than a year", "Choose a time less than a year ahead, so that the file is looked at now and then."},
		{"encryption-missing", recommended, "2.5.4", "no_encryption", "There is an e-mail address and no Encryption", "Add Encryption: with the URL of an OpenPGP key."},
		{"encryption-key-inline", must, "2.5.4", "", "The value of Encryption is a key instead of where the key is", "Publish the key, and write its URL."},
		{"encryption-fingerprint", must, "2.5.4", "", "The openpgp4fpr: URI has no whole fingerprint", "Write all 40 or 64 hexadecimal digits of the fingerprint."},
		{"encryption-dns", must, "RFC 4501 section 3", "", "The dns: URI names no OPENPGPKEY record", "Write dns: with the owner name and ?type=OPENPGPKEY."},
		{"encryption-dns-owner", should, "RFC 7929 section 3", "", "The owner name is none that an OPENPGPKEY record can have", "Take the first 28 octets of the SHA-256 of the local part, in 56 hexadecimal digits, then _openpgpkey and the domain."},
	}
}

// valueRows are of the fields that have no URI, and of extensions.
func valueRows() []row {
	return []row{
		{"canonical-mismatch", must, "2.5.2", "no_canonical_match", "Canonical does not name the URL of the file, which is not to be trusted", "Add a Canonical with exactly this URL."},
		{"canonical-missing", recommended, "2.3", "no_canonical", "The file is signed and has no Canonical, so that it can be shown on other hosts", "Add Canonical: with the URL of the file, and sign it again."},
		{"languages-repeated", must, "2.5.8", "multi_lang", "There is more than one Preferred-Languages", "Keep one, with all languages."},
		{"languages-empty", must, "2.5.8", "invalid_lang", "Preferred-Languages has a comma without a language beside it", "Write language tags with one comma between each two."},
		{"languages-separator", must, "2.5.8", "invalid_lang", "The languages are separated by something else than commas", "Separate them with commas, as in en, de."},
		{"language-invalid", must, "2.5.8", "invalid_lang", "The value is no language tag", "Write a tag of RFC 5646, as en or pt-BR."},
		{"language-unknown", should, "2.5.8", "invalid_lang", "The language tag is not registered", "Write a registered tag of RFC 5646, as en or pt-BR."},
		{"language-mistake", should, "2.5.8", "invalid_lang", "The language tag is the code of a country", "Write the code of the language."},
		{"csaf-file", must, "CSAF 2.0 section 7.1.8", "no_csaf_file", "The value of CSAF does not end in provider-metadata.json", "Write the URL of the provider-metadata.json."},
		{"csaf-several", recommended, "CSAF 2.0 section 7.1.8", "multiple_csaf_fields", "There is more than one CSAF", "Keep one, if there is one provider."},
		{"bug-bounty-value", should, "IANA security.txt Fields", "", "The value of Bug-Bounty is neither True nor False", "Write True or False."},
		{"bug-bounty-repeated", should, "IANA security.txt Fields", "", "There is more than one Bug-Bounty", "Keep one."},
	}
}

// frameRows are of how a signed file is put together.
func frameRows() []row {
	const anew = "Sign the bare text again with gpg --clearsign, and publish the result as it is."
	return []row{
		{"unsigned", recommended, "2.3", "not_signed", "The file is not signed", "Sign it with gpg --clearsign and a key that your directory entry has."},
		{"text-before-signature", must, "2.3", "signed_format_issue", "Something stands before the signed message, and is not signed", anew},
		{"data-after-signature", must, "2.3", "data_after_sig", "Something stands after the signature, and is not signed", anew},
		{"signature-several", must, "2.3", "", "There is more than one signed message", anew},
		{"signature-header", must, "RFC 9580 section 7", "", "The signed message has a header other than Hash", anew},
		{"signature-malformed", must, "RFC 9580 section 7", "pgp_data_error pgp_error", "The signed message can't be read", anew},
		{"signature-line-endings", info, "4", "", "The lines of the signature end with LF, where the grammar has CRLF and the text allows both (erratum 7743)", "Nothing."},
		{"blank-lines-at-end", info, "4", "too_many_line_separators", "There are blank lines after the signature", "Remove them, if you touch the file."},
	}
}

// signatureRows are of what a signature proves.
func signatureRows() []row {
	const anew = "Sign the file again with a key that is in force."
	return []row{
		{"signature-invalid", must, "2.3", "pgp_signature_error", "The signature does not belong to this text", "Sign the file again after each change. If nobody changed it, find out who did."},
		{"signature-weak", must, "RFC 9580 section 9.5", "", "The signature rests on MD5, SHA-1 or RIPEMD-160, or on a key that is too weak", "Sign the file again with SHA-256 or better and a strong key."},
		{"signature-future", must, "RFC 9580 section 5.2.3.11", "", "The signature is dated in the future", "Correct the clock of the computer that signs, and sign the file again."},
		{"signature-expired", must, "RFC 9580 section 5.2.3.18", "", "The signature itself has expired", anew},
		{"signature-key-revoked", must, "2.3", "", "The key that signed the file is revoked", anew},
		{"signature-key-expired", must, "2.3", "", "The key that signed the file was not in force then, or is not now", "Extend the key in the directory, or sign the file again with one that is in force."},
		{"signature-key-unfit", must, "2.3", "", "The key that signed the file may not sign by its own statements, or they are not to be relied on", "Sign the file with a key for signing that current programs accept."},
		{"signature-key-unproven", info, "2.3", "", "The signature is of a key that came beside or in place of another and has to be proven first, so that it proves nothing yet", "Have the new key proven: by a statement of the old one, on a second channel, or by two operators."},
		{"signature-unverifiable", info, "2.3", "", "The signature is of a key that the directory does not hold for the team", "Add the key to the team's entry in the directory."},
	}
}

// crossRows are of what the file refers to, and what else is known.
func crossRows() []row {
	return []row{
		{"contact-not-in-directory", should, "5.3", "", "The file names a contact that the team has not published in the directory", "Make the file and the directory agree."},
		{"encryption-not-in-directory", should, "5.3", "", "The file names a key that the team has not published in the directory", "Make the file and the directory agree."},
		{"changed", should, "5.1", "", "The file changed since it was last looked at; it may have been tampered with", "Nothing, if the team changed it. Otherwise treat the website as compromised."},
		{"link-broken", should, "5.3", "", "A page that the file refers to can't be opened", "Correct the URL, or repair the page."},
		{"link-unreachable", info, "5.3", "", "A page that the file refers to could not be opened now, or not by a program", "Nothing, if people can open it."},
		{"links-unchecked", info, "5.3", "", "The file refers to more pages than are looked at", "Nothing."},
	}
}
