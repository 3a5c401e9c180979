package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// challengeConfig is what concerns questions to contacts, and the mail that they travel by.
type challengeConfig struct {
	On       bool          // contacts are asked
	Aloof    bool          // serve shows pages and takes orders, and a worker asks
	Untested bool          // campaigns start without a self-test: the demo's mails go nowhere
	Pages    string        // "https://rollcall.example.org/", below which the answer page is
	Operator string        // who asks, as readers know it
	Policies string        // file of policies and rules
	Keep     time.Duration // for which events are kept
	History  time.Duration // for which what happened to a question is kept after its end; 0: for ever
	Plan     int           // contacts asked an hour because they are due; 0: none by itself
	Notices  bool          // teams are told what needs attention

	Dir        string // of the identity
	Name       string
	Address    string
	Domain     string
	Contact    string
	Host       string
	Plain      bool
	Templates  string
	Relay      string
	RelayTLS   mail.TLSPolicy
	RelayUser  string
	RelayPass  string // file with the password
	RelayFrom  []netip.Addr
	Blocklists []directory.Domain
	RelayCA    string
	Lease      time.Duration
	SMTP, LMTP string // addresses to listen on; "": not
	Maildir    string
	AuthServs  []string // whose Authentication-Results are taken
	MaxSize    int64    // octets of a mail that comes in
	PeerConns  int      // at once from one address; 0: no limit
	PeerMails  int      // a minute from one address; 0: no limit
	Aside      string   // folder for mail that belongs to nothing
	AsideMax   int64    // octets of what is kept there
}

// challengeKeys lists what can be configured about questions to contacts.
func challengeKeys() []key {
	return []key{
		{name: "challenge", preset: "off", arg: "SWITCH", usage: "whether contacts are asked if they answer: SWITCH is on, off, or pages: serve shows the pages for answers and takes orders, and a worker sends and takes the mail", set: (*config).setChallenge},
		{name: "challenge_pages", arg: "URL", usage: "https URL at which this server is reached from outside, for the links in mails", set: (*config).setPages},
		{name: "challenge_operator", arg: "NAME", usage: "NAME of who asks, as contacts know it", set: (*config).setOperatorName},
		{name: "challenge_policies", arg: "FILE", usage: "JSON FILE with policies, with rules for whom they hold, and with secretariats; without one, everybody is asked half-yearly", set: text(func(c *config) *string { return &c.Challenge.Policies })},
		{name: "challenge_plan", preset: "0", arg: "N", usage: "N contacts an hour that are asked because they are due; 0: only who is ordered or in a campaign", set: number(func(c *config) *int { return &c.Challenge.Plan })},
		{name: "challenge_keep", preset: "90d", arg: "TIME", usage: "TIME for which events of questions, and what became of their webhooks, are kept", set: span(time.Hour, func(c *config) *time.Duration { return &c.Challenge.Keep })},
		{name: "challenge_history", preset: "730d", arg: "TIME", usage: "TIME for which the log and the links of a question are kept after its end, 180d or more, or forever; what it came to is always kept", set: (*config).setHistory},
		{name: "challenge_notices", preset: "off", arg: "SWITCH", usage: "whether teams get a mail, once a week at most, about what needs attention: SWITCH is on or off", set: onOff(func(c *config) *bool { return &c.Challenge.Notices })},
		{name: "mail_dir", arg: "FOLDER", usage: "FOLDER with the keys of the mail identity, made by rollcall mail init", set: text(func(c *config) *string { return &c.Challenge.Dir })},
		{name: "mail_address", arg: "ADDRESS", usage: "ADDRESS that mails come from", set: (*config).setMailAddress},
		{name: "mail_name", preset: "Rollcall", arg: "NAME", usage: "NAME shown with mail_address", set: text(func(c *config) *string { return &c.Challenge.Name })},
		{name: "mail_domain", arg: "DOMAIN", usage: "DOMAIN of return paths and reply addresses, whose MX leads here; that of mail_address unless given", set: (*config).setMailDomain},
		{name: "mail_contact", arg: "URL", usage: "https URL where people learn what these mails are", set: (*config).setMailContact},
		{name: "mail_host", arg: "HOST", usage: "HOST name that we say to the relay (mail_domain unless given) and to mail servers that checks visit", set: text(func(c *config) *string { return &c.Challenge.Host })},
		{name: "mail_plain", preset: "off", arg: "SWITCH", usage: "whether mails that are not encrypted go without an OpenPGP signature: SWITCH is on or off", set: onOff(func(c *config) *bool { return &c.Challenge.Plain })},
		{name: "mail_templates", arg: "FOLDER", usage: "FOLDER with texts of your own, one file a language such as fr.tmpl", set: text(func(c *config) *string { return &c.Challenge.Templates })},
		{name: "mail_relay", arg: "ADDRESS", usage: "ADDRESS of the relay that mails are handed to, as host:port", set: hostPort(func(c *config) *string { return &c.Challenge.Relay })},
		{name: "mail_relay_tls", preset: "required", arg: "POLICY", usage: "POLICY of TLS to the relay: required, implicit, opportunistic, or none on this machine", set: (*config).setRelayTLS},
		{name: "mail_relay_user", arg: "USER", usage: "USER to sign in as at the relay", set: text(func(c *config) *string { return &c.Challenge.RelayUser })},
		{name: "mail_relay_password_file", arg: "FILE", usage: "FILE with the password of mail_relay_user, readable by its owner only", set: text(func(c *config) *string { return &c.Challenge.RelayPass })},
		{name: "mail_relay_ca", arg: "FILE", usage: "FILE with authorities in PEM that the relay's certificate may be of, beside the system's", set: text(func(c *config) *string { return &c.Challenge.RelayCA })},
		{name: "mail_relay_from", arg: "ADDRESSES", list: true, usage: "ADDRESSES from which the relay sends to the world, for the self-test", set: (*config).setRelayFrom},
		{name: "mail_blocklists", arg: "NAMES", list: true, usage: "NAMES of blocklists in the DNS that the self-test asks about mail_relay_from, such as bl.example.org", set: (*config).setBlocklists},
		{name: "mail_lease", preset: "5m", arg: "TIME", usage: "TIME after which another process hands over a mail that one began with: more than the relay takes for 25", set: span(time.Second, func(c *config) *time.Duration { return &c.Challenge.Lease })},
		{name: "mail_smtp", arg: "ADDRESS", usage: "ADDRESS to take mail at by SMTP, behind the site's mail server", set: hostPort(func(c *config) *string { return &c.Challenge.SMTP })},
		{name: "mail_lmtp", arg: "ADDRESS", usage: "ADDRESS to take mail at by LMTP, behind the site's mail server", set: hostPort(func(c *config) *string { return &c.Challenge.LMTP })},
		{name: "mail_maildir", arg: "FOLDER", usage: "FOLDER into which the site's mail server delivers, in the form of Maildir", set: text(func(c *config) *string { return &c.Challenge.Maildir })},
		{name: "mail_authserv_ids", arg: "NAMES", list: true, usage: "NAMES (authserv-id) by which the site's mail servers sign their Authentication-Results, which are taken over; none: others' are not", set: (*config).setAuthServs},
		{name: "mail_max_size", preset: "1MiB", arg: "SIZE", usage: "largest SIZE of a mail that is taken in", set: size(func(c *config) *int64 { return &c.Challenge.MaxSize })},
		{name: "mail_peer_connections", preset: "20", arg: "N", usage: "N connections at once from one address at mail_smtp; 0: no limit", set: number(func(c *config) *int { return &c.Challenge.PeerConns })},
		{name: "mail_peer_rate", preset: "600", arg: "N", usage: "N mails a minute from one address at mail_smtp; 0: no limit", set: number(func(c *config) *int { return &c.Challenge.PeerMails })},
		{name: "mail_aside", arg: "FOLDER", usage: "FOLDER for mail that belongs to no question; aside in mail_dir unless given", set: text(func(c *config) *string { return &c.Challenge.Aside })},
		{name: "mail_aside_max", preset: "1GiB", arg: "SIZE", usage: "SIZE of all that mail_aside keeps; the oldest mails go first", set: size(func(c *config) *int64 { return &c.Challenge.AsideMax })},
	}
}

// challengeKeyNames are the flags of what sends mails and takes them.
func challengeKeyNames() []string {
	var names []string
	for _, k := range challengeKeys() {
		names = append(names, k.name)
	}
	return names
}

// sendKeyNames are the flags of commands that make mails, or look at how they would go out, and
// neither take any in nor go on by themselves.
func sendKeyNames(more ...string) []string {
	return append(append(mailKeyNames(), "challenge_pages", "mail_relay", "mail_relay_tls", "mail_relay_user", "mail_relay_password_file", "mail_relay_ca"), more...)
}

// mailKeyNames are the flags of commands about the identity alone.
func mailKeyNames() []string {
	return []string{"mail_dir", "mail_address", "mail_name", "mail_domain", "mail_contact", "mail_host"}
}

func (c *config) setChallenge(s string) error {
	switch s {
	case "on", "off", "pages":
		c.Challenge.On, c.Challenge.Aloof = s != "off", s == "pages"
		return nil
	}
	return bad(s, "not a switch", "on, off or pages")
}

// leastHistory is as long as bounces of an earlier question count.
const leastHistory = 180 * 24 * time.Hour

func (c *config) setHistory(s string) error {
	if s == "forever" || s == "0" {
		c.Challenge.History = 0
		return nil
	}
	d, err := parseSpan(s)
	if err != nil || d < leastHistory {
		return bad(s, "not a time of 180 days or more", "such as 730d, or forever")
	}
	c.Challenge.History = d
	return nil
}

func (c *config) setPages(s string) error {
	u, err := directory.ParseURL(s)
	if err != nil || !strings.HasPrefix(u, "https://") || strings.ContainsAny(u, "?#") {
		return bad(s, "not an https URL without query", "where this server is reached from outside, such as https://rollcall.example.org/")
	}
	c.Challenge.Pages = strings.TrimSuffix(u, "/") + "/"
	return nil
}

func (c *config) setOperatorName(s string) error {
	if n := len([]rune(s)); n > 100 || strings.ContainsAny(s, "{}<>\n") {
		return bad(s, "no name", "up to 100 characters, without brackets")
	}
	c.Challenge.Operator = s
	return nil
}

func (c *config) setMailAddress(s string) error {
	if _, err := directory.ParseEmail(s); err != nil {
		return bad(s, "not an e-mail address", "one address such as rollcall@example.org")
	}
	c.Challenge.Address = s
	return nil
}

func (c *config) setMailDomain(s string) error {
	if _, err := directory.ParseDomain(s); err != nil {
		return bad(s, "not a domain", "one such as rollcall.example.org")
	}
	c.Challenge.Domain = s
	return nil
}

func (c *config) setMailContact(s string) error {
	if u, err := directory.ParseURL(s); err != nil || !strings.HasPrefix(u, "https://") {
		return bad(s, "not an https URL", "one such as https://rollcall.example.org/about")
	}
	c.Challenge.Contact = s
	return nil
}

func (c *config) setRelayTLS(s string) error {
	switch p := mail.TLSPolicy(s); p {
	case mail.TLSRequired, mail.TLSImplicit, mail.TLSOpportunistic, mail.TLSNone:
		c.Challenge.RelayTLS = p
		return nil
	}
	return bad(s, "not a policy", "required, implicit, opportunistic or none")
}

func (c *config) setRelayFrom(s string) error {
	for _, item := range items(s) {
		a, err := netip.ParseAddr(item)
		if err != nil || a.Zone() != "" {
			return bad(item, "not an address", "addresses such as 192.0.2.25, 2001:db8::25")
		}
		c.Challenge.RelayFrom = append(c.Challenge.RelayFrom, a)
	}
	return nil
}

func (c *config) setBlocklists(s string) error {
	for _, item := range items(s) {
		d, err := directory.ParseDomain(item)
		if err != nil {
			return bad(item, "not a domain", "names such as bl.example.org")
		}
		c.Challenge.Blocklists = append(c.Challenge.Blocklists, d)
	}
	return nil
}

// authServ is an authserv-id: RFC 8601 section 2.5, a name that looks like a host's.
var authServ = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?$`)

func (c *config) setAuthServs(s string) error {
	c.Challenge.AuthServs = nil
	for _, item := range items(s) {
		if !authServ.MatchString(item) {
			return bad(item, "not an authserv-id", "names as they stand first in Authentication-Results, such as mx.example.org")
		}
		c.Challenge.AuthServs = append(c.Challenge.AuthServs, item)
	}
	return nil
}

// hostPort sets an address with a port.
func hostPort(to func(*config) *string) func(*config, string) error {
	return func(c *config, s string) error {
		const want = "host:port such as 127.0.0.1:25"
		host, port, err := net.SplitHostPort(s)
		if err != nil || host == "" {
			return bad(s, "not an address with a port", want)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return bad(s, "without a port from 0 to 65535", want)
		}
		*to(c) = s
		return nil
	}
}

// errNoMail is the reason for which nothing can be sent or taken.
var errNoMail = errors.New("mail is not set up")

// lacking returns what asking contacts needs and is not configured.
func (m *challengeConfig) lacking() error {
	for _, need := range []struct{ key, value, what string }{
		{"mail_dir", m.Dir, "the folder that rollcall mail init makes"},
		{"mail_address", m.Address, "the address that mails come from"},
		{"mail_contact", m.Contact, "an https URL where people learn what these mails are"},
		{"mail_relay", m.Relay, "the relay that mails are handed to, as host:port"},
		{"challenge_pages", m.Pages, "the https URL at which this server is reached from outside"},
	} {
		if need.value == "" {
			return &exitError{exitUsage, fmt.Errorf("%s: missing; want %s: %w", need.key, need.what, errNoMail)}
		}
	}
	return nil
}

// aside is the folder for mail that belongs to nothing.
func (m *challengeConfig) aside() string {
	if m.Aside != "" {
		return m.Aside
	}
	return filepath.Join(m.Dir, "aside")
}

// identity is where the mail identity is kept, and what its files do not say.
func (m *challengeConfig) identity() mail.IdentityConfig {
	return mail.IdentityConfig{Dir: m.Dir, Name: m.Name, Address: m.Address, Domain: m.Domain, Contact: m.Contact, Host: m.Host}
}
