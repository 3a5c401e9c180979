package main

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// verifyConfig is what concerns checks of teams' claims.
type verifyConfig struct {
	On          bool // serve runs them
	Concurrency int
	Contact     string
	Resolvers   []string
	Allow, Deny []netip.Prefix
	NAT64       bool
	SMTP        bool // mail servers are visited
	Proxy       *url.URL
	KeepRaw     time.Duration
	Guard       float64 // 0: none
	GuardLeast  int
	Memory      int             // MiB of a worker; 0: no limit
	VKS, HKP    []string        // key servers that are asked; nil: none
	Anchors     []dnssec.Anchor // nil: those of the root
	RDAP        string          // "": IANA's
}

// verifyKeys lists what can be configured about checks.
func verifyKeys() []key {
	return []key{
		{name: "verify", preset: "on", arg: "SWITCH", usage: "whether serve checks what teams claim: SWITCH is on or off", set: onOff(func(c *config) *bool { return &c.Verify.On })},
		{name: "verify_concurrency", preset: "32", arg: "N", usage: "N checks at once", set: (*config).setConcurrency},
		{name: "verify_contact", arg: "CONTACT", usage: "URL or address for questions of those who are looked at, told in the User-Agent as CONTACT", set: (*config).setContact},
		{name: "verify_resolvers", arg: "ADDRESSES", list: true, usage: "ADDRESSES of recursive resolvers that checks ask, as 192.0.2.53 or tls://192.0.2.53#NAME; with two, both must agree on what is wrong; none: those of the system", set: (*config).setResolvers},
		{name: "verify_allow", arg: "NETWORKS", list: true, usage: "NETWORKS that checks may reach although they are not public, such as a lab on 127.0.0.0/8", set: networks(func(c *config) *[]netip.Prefix { return &c.Verify.Allow })},
		{name: "verify_deny", arg: "NETWORKS", list: true, usage: "NETWORKS that checks never reach, such as your own", set: networks(func(c *config) *[]netip.Prefix { return &c.Verify.Deny })},
		{name: "verify_nat64", preset: "off", arg: "SWITCH", usage: "whether checks reach public IPv4 addresses through 64:ff9b::/96: SWITCH is on or off", set: onOff(func(c *config) *bool { return &c.Verify.NAT64 })},
		{name: "verify_smtp", preset: "off", arg: "SWITCH", usage: "whether checks visit the mail servers of teams' domains, without a mail: SWITCH is on or off", set: onOff(func(c *config) *bool { return &c.Verify.SMTP })},
		{name: "verify_proxy", arg: "URL", secret: true, usage: "URL of an HTTP proxy that checks fetch through", set: (*config).setVerifyProxy},
		{name: "verify_vks", arg: "URLS", list: true, usage: "URLS of verifying key servers that are asked for teams' keys; none: no key server learns whom you care about", set: keyServers(func(c *config) *[]string { return &c.Verify.VKS })},
		{name: "verify_hkp", arg: "URLS", list: true, usage: "URLS of other key servers, asked for revocations only, by fingerprint", set: keyServers(func(c *config) *[]string { return &c.Verify.HKP })},
		{name: "verify_anchor", arg: "FILE", usage: "FILE with trust anchors for DNSSEC, DS or DNSKEY records a line each, or XML as IANA's; none: the root's keys", set: (*config).setAnchors},
		{name: "verify_rdap", arg: "URL", usage: "URL of the list of RDAP servers; none: IANA's", set: (*config).setRDAP},
		{name: "control_label", preset: directory.ControlLabel, arg: "LABEL", usage: "LABEL below a domain at which teams publish proof that they control it", set: (*config).setControlLabel},
		{name: "verify_keep", preset: "30d", arg: "TIME", usage: "TIME for which transcripts of checks are kept that nothing refers to any more", set: span(time.Hour, func(c *config) *time.Duration { return &c.Verify.KeepRaw })},
		{name: "verify_guard", preset: "0.1", arg: "SHARE", usage: "SHARE of an hour's conclusions that may turn worse before checks are paused, 0 to 1; 0: any", set: (*config).setGuard},
		{name: "verify_guard_least", preset: "20", arg: "N", usage: "N conclusions that turned worse, below which they are not paused", set: number(func(c *config) *int { return &c.Verify.GuardLeast })},
		{name: "verify_memory_mib", preset: "256", arg: "N", usage: "N MiB of memory that a worker tries to stay below; 0: no limit", set: number(func(c *config) *int { return &c.Verify.Memory })},
	}
}

// verifyKeyNames are the flags of commands that run checks.
func verifyKeyNames() []string {
	var names []string
	for _, k := range verifyKeys() {
		if k.name != "verify" && k.name != "verify_memory_mib" {
			names = append(names, k.name)
		}
	}
	return names
}

// onOff sets a switch.
func onOff(to func(*config) *bool) func(*config, string) error {
	return func(c *config, s string) error {
		switch strings.ToLower(s) {
		case "on", "yes", "true":
			*to(c) = true
		case "off", "no", "false":
			*to(c) = false
		default:
			return bad(s, "not a switch", "on or off")
		}
		return nil
	}
}

func (c *config) setConcurrency(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n < 1 || n > 1024 {
		return bad(s, "not a number of checks", "1 to 1024")
	}
	c.Verify.Concurrency = int(n)
	return nil
}

// setContact wants what can stand in the comment of a User-Agent (RFC 9110
// section 10.1.5).
func (c *config) setContact(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsGraphic(r) || strings.ContainsRune(`()\ `, r)
	}) || len(s) > 200 {
		return bad(s, "no URL or address", "such as https://rollcall.example.org/about or abuse@example.org")
	}
	c.Verify.Contact = s
	return nil
}

func (c *config) setResolvers(s string) error {
	for _, item := range items(s) {
		if verify.ParseResolver(item) != nil {
			return bad(item, "not the address of a resolver", "192.0.2.53, 192.0.2.53:5353, [2001:db8::53]:53 or tls://192.0.2.53#dns.example.org")
		}
		c.Verify.Resolvers = append(c.Verify.Resolvers, item)
	}
	return nil
}

// controlLabelForm is one label that no host has (RFC 8552 section 1.1).
var controlLabelForm = regexp.MustCompile(`^_[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$`)

func (c *config) setControlLabel(s string) error {
	if !controlLabelForm.MatchString(s) {
		return bad(s, "no label of its own", "an underscore and small letters, digits and hyphens, such as _example-challenge")
	}
	c.ControlLabel = s
	return nil
}

// keyServers sets a list of key servers, whose URLs have no path of their own.
func keyServers(to func(*config) *[]string) func(*config, string) error {
	return func(c *config, s string) error {
		for _, item := range items(s) {
			u, err := url.Parse(item)
			if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
				return bad(item, "not the URL of a key server", "such as https://keys.example.org")
			}
			*to(c) = append(*to(c), item)
		}
		return nil
	}
}

// setAnchors reads the file at once, so that one that can't be read or is wrong
// shows at the start, and not as domains that are bogus.
func (c *config) setAnchors(s string) (err error) {
	c.Verify.Anchors, err = anchorsIn(s)
	return err
}

func anchorsIn(name string) ([]dnssec.Anchor, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return dnssec.ParseAnchors(string(text))
}

// setRDAP sets where the bootstrap file of RFC 9224 is.
func (c *config) setRDAP(s string) error {
	if u, err := directory.ParseURL(s); err != nil || !strings.HasPrefix(u, "https://") {
		return bad(s, "not an https URL", "one such as https://data.iana.org/rdap/dns.json")
	}
	c.Verify.RDAP = s
	return nil
}

func (c *config) setVerifyProxy(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("not the URL of a proxy; want one such as http://proxy.example.org:3128")
	}
	c.Verify.Proxy = u
	return nil
}

func (c *config) setGuard(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return bad(s, "not a share", "a number from 0 to 1, such as 0.1")
	}
	c.Verify.Guard = f
	return nil
}
