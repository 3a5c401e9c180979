package verify

// Codes of what keeps a question from its full answer. Checks turn those that
// are not temporary into findings of their own, which name them.
const (
	FetchURL         Code = "fetch.url-refused"
	FetchAddress     Code = "fetch.address-refused"
	FetchNoHost      Code = "fetch.no-such-host"
	FetchNoAddress   Code = "fetch.no-address"
	FetchRedirects   Code = "fetch.too-many-redirects"
	FetchLoop        Code = "fetch.redirect-loop"
	FetchPlain       Code = "fetch.redirect-to-http"
	FetchCertificate Code = "fetch.certificate"
	FetchTLS         Code = "fetch.tls"
	FetchTLSVersion  Code = "fetch.tls-version"
	FetchProtocol    Code = "fetch.protocol"
	FetchHeaderLarge Code = "fetch.header-too-large"
	FetchTooLarge    Code = "fetch.too-large"
	FetchEncoding    Code = "fetch.encoding"
	FetchTruncated   Code = "fetch.truncated"
	FetchTimeout     Code = "fetch.timeout"
	FetchRefused     Code = "fetch.refused"
	FetchReset       Code = "fetch.reset"
	FetchUnreachable Code = "fetch.unreachable"
	FetchNoRoute     Code = "fetch.no-route"
	FetchServerError Code = "fetch.server-error"
	FetchThrottled   Code = "fetch.throttled"
	FetchNoSMTP      Code = "fetch.no-smtp"
	FetchDenied      Code = "fetch.denied"
	DNSQuestion      Code = "dns.question"
	DNSServFail      Code = "dns.servfail"
	DNSBogus         Code = "dns.bogus"
	DNSRefused       Code = "dns.refused"
	DNSRcode         Code = "dns.rcode"
	DNSTimeout       Code = "dns.timeout"
	DNSGarbled       Code = "dns.garbled"
	DNSTooLarge      Code = "dns.too-large"
	DNSUnreachable   Code = "dns.unreachable"
	DNSNoRoute       Code = "dns.no-route"
	DNSAddress       Code = "dns.address-refused"
	DNSAliases       Code = "dns.too-many-aliases"
	DNSWork          Code = "dns.too-much-work"
	DNSFiltered      Code = "dns.filtered"
	DNSInconsistent  Code = "dns.inconsistent"
	FetchStatus      Code = "fetch.status"
	FetchFormat      Code = "fetch.format"
)

// NetworkProblems is the table of the codes that a [Failure] can carry. Their
// severity is that of the worst finding that names them; those that are
// temporary are never more than worth knowing.
func NetworkProblems() []Problem {
	list := append(fetchProblems(), temporaryProblems()...)
	return append(list, dnsProblems()...)
}

func fetchProblems() []Problem {
	return []Problem{
		{FetchURL, Error, "RFC 9110 section 4.2.2", "The URL can't be fetched safely", "Use https://, a host name, the default port, no user name, and at most 2,048 characters.", ""},
		{FetchAddress, Error, "RFC 6890 section 2", "The host, or one that it redirects to, has an address that is not fetched from", "Publish public addresses only, and redirect to public hosts only.", ""},
		{FetchNoHost, Error, "RFC 1034 section 4.3.1", "The host does not exist in the DNS", "Add address records, or correct the name.", ""},
		{FetchNoAddress, Error, "RFC 1034 section 3.6", "The host has no address of the kind that was asked for", "Add A or AAAA records.", ""},
		{FetchRedirects, Error, "RFC 9110 section 15.4", "There are too many redirects", "Answer at the first URL, or redirect once.", ""},
		{FetchLoop, Error, "RFC 9110 section 15.4", "The redirects go round in a circle", "Correct the redirects.", ""},
		{FetchPlain, Error, "RFC 9110 section 4.2.2", "A redirect leads from https to http", "Redirect to https only.", ""},
		{FetchCertificate, Error, "RFC 9525 section 6", "The certificate does not prove the host's name", "Install a certificate of a public authority that is in force and names the host, with its intermediate certificates.", ""},
		{FetchTLS, Error, "RFC 8446 section 4", "The TLS handshake fails", "See what the server logs, and test it with openssl s_client.", ""},
		{FetchTLSVersion, Error, "RFC 8996 section 1", "The server speaks no TLS version above 1.1", "Switch on TLS 1.2 and 1.3.", ""},
		{FetchProtocol, Error, "RFC 9112 section 2.1", "The answer is no HTTP", "See what the server sends.", ""},
		{FetchHeaderLarge, Error, "RFC 9110 section 5.4", "The answer's header has more than 32 KiB", "Send fewer or shorter header fields.", ""},
		{FetchTooLarge, Error, "RFC 9116 section 5.4", "The answer is larger than is read", "Make the file smaller.", ""},
		{FetchEncoding, Error, "RFC 9110 section 8.4", "The answer is encoded in a way that was not asked for", "Send it as it is, or with gzip.", ""},
	}
}

func temporaryProblems() []Problem {
	return []Problem{
		{FetchTruncated, Info, "RFC 9112 section 8", "The answer broke off", "Nothing, if it does not happen again.", ""},
		{FetchTimeout, Info, "", "The host did not answer in time", "Nothing, if it does not happen again.", ""},
		{FetchRefused, Info, "", "The host refused the connection", "See whether the service runs.", ""},
		{FetchReset, Info, "", "The host broke the connection", "Nothing, if it does not happen again.", ""},
		{FetchUnreachable, Info, "", "No way led to the host", "Nothing, if it does not happen again.", ""},
		{FetchNoRoute, Info, "RFC 4213 section 2", "The checker itself has no way to addresses of the host's kind, such as IPv6", "Nothing: it says nothing of the host.", ""},
		{FetchServerError, Info, "RFC 9110 section 15.6", "The server reported an error of its own", "See what the server logs.", ""},
		{FetchStatus, Info, "RFC 9110 section 15", "A service that is asked about the team answered with another status than 200", "Nothing: it is asked again later.", ""},
		{FetchFormat, Info, "", "A service that is asked about the team answered in a form that can't be read", "Nothing: it is asked again later.", ""},
		{FetchNoSMTP, Info, "RFC 5321 section 4.2", "What answers at a mail server's address says nothing that a mail server says, or too much", "See what the server sends.", ""},
		{FetchDenied, Info, "", "This installation is configured not to ask an address of the host", "Nothing for the team. The operator can ask from elsewhere, or take the network out of verify_deny.", ""},
		{FetchThrottled, Info, "RFC 6585 section 4", "The server asked to be left alone for a while", "Nothing: it is asked again later.", ""},
	}
}

func dnsProblems() []Problem {
	return []Problem{
		{DNSQuestion, Error, "RFC 1035 section 2.3.4", "The name can't be asked for", "Correct the name.", ""},
		{DNSServFail, Info, "RFC 1035 section 4.1.1", "The name servers could not answer", "See whether the zone is served, and signed rightly.", ""},
		{DNSBogus, Info, "RFC 4035 section 5.5", "The resolver holds the answer for forged: its DNSSEC proof fails", "See the finding dnssec.bogus.", ""},
		{DNSRefused, Info, "RFC 1035 section 4.1.1", "The name server refused to answer", "See whether the server has the zone.", ""},
		{DNSRcode, Info, "RFC 1035 section 4.1.1", "The name server answered with an error", "See what the server logs.", ""},
		{DNSTimeout, Info, "", "No name server answered in time", "Nothing, if it does not happen again.", ""},
		{DNSGarbled, Info, "RFC 1035 section 4.1", "The answer was no DNS message, or one to another question", "See what the server sends.", ""},
		{DNSTooLarge, Info, "", "The answer had more records than are read", "Publish fewer records at one name.", ""},
		{DNSUnreachable, Info, "", "No way led to the name server", "Nothing, if it does not happen again.", ""},
		{DNSFiltered, Info, "RFC 8914 section 4.16", "The resolver does not tell what the DNS has: it blocks or forges the name", "Nothing: it says nothing of the name. Configure a resolver that does not filter.", ""},
		{DNSInconsistent, Info, "RFC 1034 section 4.2.2", "Two resolvers give answers that lead to different conclusions", "See whether all name servers of the zone have the same, and whether somebody answers in their place.", ""},
		{DNSAliases, Info, "RFC 1034 section 3.6.2", "A chain of more than 16 aliases, or one without end", "Let the name lead to its records directly.", ""},
		{DNSWork, Info, "RFC 9276 section 3.2", "The answer would have cost more questions or signatures than are allowed", "Publish fewer keys, signatures and aliases.", ""},
		{DNSNoRoute, Info, "RFC 4213 section 2", "The checker itself has no way to addresses of the name server's kind, such as IPv6", "Nothing: it says nothing of the server.", ""},
		{DNSAddress, Info, "RFC 6890 section 2", "The name server has an address that is not asked", "Publish public addresses only.", ""},
	}
}
