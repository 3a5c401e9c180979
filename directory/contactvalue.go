package directory

import (
	"net/url"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Email is an addr-spec (RFC 5322 section 3.4.1) in the form that can be
// mailed: local part as given, domain in canonical form, at most 254 octets.
type Email string

const atext = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"

// ParseEmail parses one bare address. Display names, comments, quoted local
// parts, address literals and several addresses in one value are refused, each
// with its own explanation. The local part keeps its case (RFC 5321 section
// 2.4); compare addresses with [Email.Key].
func ParseEmail(s string) (Email, error) {
	text := strings.TrimSpace(s)
	if m, ok := strings.CutPrefix(text, "mailto:"); ok {
		text = m
	}
	const want = "one bare address such as csirt@example.org"
	switch {
	case text == "":
		return "", problem("email.empty", s, "the address is empty", want)
	case strings.ContainsAny(text, "<>"):
		return "", problem("email.display-name", s, "an address with a display name", want)
	case strings.ContainsAny(text, ",;"):
		return "", problem("email.several", s, "more than one address in one value", "one contact for each address")
	case strings.HasPrefix(text, `"`):
		return "", problem("email.quoted", s, "a quoted local part, which many mail systems refuse", want)
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return "", problem("email.syntax", s, "there is no @ in the address", want)
	}
	local, host := text[:at], text[at+1:]
	if err := checkLocal(s, local); err != nil {
		return "", err
	}
	if strings.HasPrefix(host, "[") {
		return "", problem("email.literal", s, "an address literal instead of a domain", want)
	}
	d, err := ParseDomain(host)
	if err != nil {
		return "", asProblem(err, "")
	}
	if d.Parent() == "" {
		return "", problem("email.syntax", s, "the domain has one label only and can't be reached from outside", want)
	}
	if len(local)+1+len(d) > 254 {
		return "", problem("email.too-long", s, "an address has at most 254 octets (RFC 5321 section 4.5.3.1.3)", "")
	}
	return Email(local + "@" + string(d)), nil
}

func checkLocal(given, local string) error {
	const want = "letters, digits and !#$%&'*+-/=?^_`{|}~, with single dots between"
	if local == "" || len(local) > 64 {
		return problem("email.syntax", given, "the part before @ has 1 to 64 octets (RFC 5321 section 4.5.3.1.1)", want)
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return problem("email.syntax", given, "a dot at the start, the end, or beside another dot (RFC 5322 section 3.2.3)", want)
		}
		for _, r := range atom {
			if r > 126 {
				return problem("email.non-ascii", given, "non-ASCII characters before @ need SMTPUTF8 (RFC 6531) from every relay on the way", "an ASCII address beside it")
			}
			if !strings.ContainsRune(atext, r) {
				return problem("email.syntax", given, "a character that is not allowed before @ (RFC 5322 section 3.2.3)", want)
			}
		}
	}
	return nil
}

// Key returns the form in which two spellings of one mailbox are equal.
func (e Email) Key() string { return strings.ToLower(string(e)) }

// Local returns the part before the @.
func (e Email) Local() string { return string(e[:strings.LastIndexByte(string(e), '@')]) }

// Domain returns the part behind the @.
func (e Email) Domain() Domain { return Domain(e[strings.LastIndexByte(string(e), '@')+1:]) }

// Phone is a number in E.164 form: + and up to 15 digits.
type Phone string

// ParsePhone parses a phone number. One without a country code is read as a
// number of home, which may be ""; RFC 3966 "tel:" is accepted. Numbers that
// the country's plan can't hold are refused.
func ParsePhone(s string, home Country) (Phone, error) {
	text := strings.TrimPrefix(strings.TrimSpace(s), "tel:")
	const want = "an E.164 number such as +43 1 5056416"
	n, err := phonenumbers.Parse(text, string(home))
	if err != nil {
		reason := "not a phone number"
		if !strings.HasPrefix(text, "+") && home == "" {
			reason = "a phone number without its country code"
		}
		return "", problem("phone.syntax", s, reason, want)
	}
	if n.GetExtension() != "" {
		return "", problem("phone.extension", s, "E.164 has no extensions", "the direct number")
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	again, err := phonenumbers.Parse(e164, "")
	if !phonenumbers.IsPossibleNumber(n) || err != nil || phonenumbers.Format(again, phonenumbers.E164) != e164 {
		return "", problem("phone.impossible", s, "too long or too short for the numbering plan of its country", want)
	}
	return Phone(e164), nil
}

// ParseURL parses an absolute http or https URL of at most 2,048 octets,
// without user name or password; the host is put in canonical form.
func ParseURL(s string) (string, error) {
	u, err := parseURI(s, uriCodes{"url.syntax", "url.too-long", "url.userinfo"})
	if err != nil {
		return "", err
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return "", problem("url.scheme", s, "only http and https URLs can be opened by everyone", "https://example.org/path")
	}
	host := u.Hostname()
	if !strings.HasPrefix(u.Host, "[") && strings.Trim(host, "0123456789.") != "" {
		d, err := ParseDomain(host)
		if err != nil {
			return "", asProblem(err, "")
		}
		host = string(d)
		if p := u.Port(); p != "" {
			host += ":" + p
		}
		u.Host = host
	}
	return u.String(), nil
}

// ParseChat parses a chat address in URI form: matrix:, xmpp:, sip:, irc:,
// ircs: or https:, at most 2,048 octets.
func ParseChat(s string) (string, error) {
	u, err := parseURI(s, uriCodes{"chat.syntax", "chat.too-long", "chat.userinfo"})
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "matrix", "xmpp", "sip", "sips", "irc", "ircs", "https":
		return u.String(), nil
	}
	return "", problem("chat.scheme", s, "not a chat address that a program can open", "a URI of the scheme matrix, xmpp, sip, irc or https")
}

// uriCodes are the codes of the rules that all URIs share.
type uriCodes struct{ syntax, long, userinfo Code }

func parseURI(s string, codes uriCodes) (*url.URL, error) {
	text := strings.TrimSpace(s)
	if len(text) > 2048 {
		return nil, problem(codes.long, s, "a URL here has at most 2,048 octets", "")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || (u.Host == "" && u.Opaque == "") || strings.ContainsAny(text, " \t\r\n\x00") {
		return nil, problem(codes.syntax, s, "not an absolute URL (RFC 3986 section 4.3)", "https://example.org/path")
	}
	if u.User != nil && u.Scheme != "sip" && u.Scheme != "sips" && u.Scheme != "xmpp" {
		return nil, problem(codes.userinfo, s, "a user name or password inside a URL", "the URL without it")
	}
	return u, nil
}

// ParseContactValue parses the value of a contact as its channel demands:
// [ParseEmail], [ParsePhone] with home, [ParseURL] or [ParseChat].
func ParseContactValue(channel Word, value string, home Country) (string, error) {
	switch channel {
	case "email":
		e, err := ParseEmail(value)
		return string(e), err
	case "phone":
		p, err := ParsePhone(value, home)
		return string(p), err
	case "url":
		return ParseURL(value)
	case "chat":
		return ParseChat(value)
	}
	return "", problem("channel.unknown", channel, "not a channel", "one of "+strings.Join(Channels, ", "))
}
