package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// keys lists everything that can be configured.
func keys() []key {
	return append([]key{
		{name: "db", arg: "DB", usage: "database: a file of SQLite, or DB as a postgres:// URL", secret: true, set: (*config).setDB},
		{name: "listen", preset: "127.0.0.1:8080", arg: "ADDRESS", usage: "ADDRESS to listen on, as host:port", set: (*config).setListen},
		{name: "tls_cert", arg: "FILE", usage: "FILE with the certificate chain in PEM; without one, plain HTTP", set: text(func(c *config) *string { return &c.TLSCert })},
		{name: "tls_key", arg: "FILE", usage: "FILE with the private key in PEM", set: text(func(c *config) *string { return &c.TLSKey })},
		{name: "log_level", preset: "info", arg: "LEVEL", usage: "least LEVEL to log: debug, info, warn or error", set: (*config).setLogLevel},
		{name: "log_format", preset: "auto", arg: "FORM", usage: "FORM of the log: auto (text on a terminal, else json), text or json", set: (*config).setLogFormat},
		{name: "last_resort", arg: "TEAM", usage: "handle of the TEAM that answers when nobody else is known", set: (*config).setLastResort},
		{name: "max_change", preset: "0.2", arg: "SHARE", usage: "SHARE of its source's records that an import may change without --force, and of all teams that matching may merge; 0 to 1", set: (*config).setMaxChange},
		{name: "match_rules", preset: "uuid", arg: "RULES", usage: "RULES that merge teams without a person after an import, such as uuid,key+country; or none", set: (*config).setMatchRules},
		{name: "policy_lasts", preset: "180d", arg: "TIME", usage: "TIME for which a proof lasts", set: span(time.Hour, func(c *config) *time.Duration { return &c.Policy.Lasts })},
		{name: "policy_grace", preset: "30d", arg: "TIME", usage: "TIME after which a proof that ran out is overdue", set: span(time.Hour, func(c *config) *time.Duration { return &c.Policy.Grace })},
		{name: "rate_anonymous", preset: "600", arg: "N", usage: "N units a minute for each address without a token, where a lookup is one unit; 0: no limit", set: number(func(c *config) *int { return &c.Limits.Anonymous.PerMinute })},
		{name: "rate_anonymous_burst", preset: "300", arg: "N", usage: "N units at once without a token", set: number(func(c *config) *int { return &c.Limits.Anonymous.Burst })},
		{name: "rate_token", preset: "6000", arg: "N", usage: "N units a minute for each token; 0: no limit", set: number(func(c *config) *int { return &c.Limits.Token.PerMinute })},
		{name: "rate_token_burst", preset: "3000", arg: "N", usage: "N units at once with a token", set: number(func(c *config) *int { return &c.Limits.Token.Burst })},
		{name: "rate_failed", preset: "30", arg: "N", usage: "N wrong tokens a minute from each address; 0: no limit", set: number(func(c *config) *int { return &c.Limits.Failed.PerMinute })},
		{name: "rate_limit_exempt", preset: "127.0.0.0/8, ::1/128", arg: "NETWORKS", list: true, usage: "NETWORKS that are never limited", set: networks(func(c *config) *[]netip.Prefix { return &c.Limits.Exempt })},
		{name: "trusted_proxies", arg: "NETWORKS", list: true, usage: "NETWORKS of the proxies whose word about a client's address is taken", set: networks(func(c *config) *[]netip.Prefix { return &c.Limits.Proxies })},
		{name: "proxy_header", preset: "X-Forwarded-For", arg: "HEADER", usage: "HEADER from which a trusted proxy's word is read: X-Forwarded-For or Forwarded", set: (*config).setProxyHeader},
		{name: "cors_origins", arg: "ORIGINS", list: true, usage: "ORIGINS, such as https://portal.example.org, whose pages may send tokens", set: (*config).setOrigins},
		{name: "import_max_mib", preset: "256", arg: "N", usage: "N MiB that a file may have that is uploaded for import", set: number(func(c *config) *int { return &c.ImportMax })},
		{name: "import_keep", preset: "30d", arg: "TIME", usage: "TIME for which the result of an import job is kept", set: span(time.Minute, func(c *config) *time.Duration { return &c.ImportKeep })},
		{name: "shutdown_timeout", preset: "10s", arg: "TIME", usage: "TIME that requests under way get to finish on a stop", set: span(time.Millisecond, func(c *config) *time.Duration { return &c.ShutdownTimeout })},
		{name: "batch_body", preset: "128MiB", arg: "SIZE", usage: "largest SIZE of the body of a batch lookup", set: size(func(c *config) *int64 { return &c.BatchBody })},
	}, append(verifyKeys(), challengeKeys()...)...)
}

// bad is the error of a wrong value.
func bad(value, reason, want string) error {
	return fmt.Errorf("%q is %s; want %s", value, reason, want)
}

func (c *config) setDB(s string) error {
	if s == "" {
		return errors.New("an empty name; want the name of a file or a postgres:// URL")
	}
	scheme, _, isURL := strings.Cut(s, "://")
	if !isURL {
		c.DB = s
		return nil
	}
	if scheme != "postgres" && scheme != "postgresql" {
		return bad(s, "a URL of another kind", "the name of a file or a postgres:// URL")
	}
	if _, err := url.Parse(s); err != nil {
		return bad(mask(s), "not a URL", "postgres://USER:PASSWORD@HOST/DATABASE, with special characters percent-encoded")
	}
	c.DB = s
	return nil
}

func (c *config) setListen(s string) error {
	const want = "host:port such as 127.0.0.1:8080, or :8080 for all addresses"
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return bad(s, "not an address to listen on", want)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || port == "" {
		return bad(s, "without a port from 0 to 65535", want)
	} else if strings.ContainsAny(host, " /") {
		return bad(s, "not an address to listen on", want)
	} else {
		c.Listen = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	}
	return nil
}

func (c *config) setLogLevel(s string) error {
	switch strings.ToLower(s) {
	case "debug", "info", "warn", "error":
		return c.LogLevel.UnmarshalText([]byte(s))
	}
	return bad(s, "not a level", "debug, info, warn or error")
}

func (c *config) setLogFormat(s string) error {
	switch s {
	case "auto", "text", "json":
		c.LogFormat = s
		return nil
	}
	return bad(s, "not a form of the log", "auto, text or json")
}

func (c *config) setLastResort(s string) error {
	if s == "" {
		return nil
	}
	h, err := directory.ParseHandle(s)
	c.LastResort = h
	if err != nil {
		return bad(s, "not a team's handle", "2 to 64 of a-z, 0-9, dot and hyphen")
	}
	return nil
}

func (c *config) setMaxChange(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f <= 0 || f > 1 {
		return bad(s, "not a share", "a number above 0 and up to 1, such as 0.2")
	}
	c.MaxChange = f
	return nil
}

func (c *config) setMatchRules(s string) error {
	rules, err := directory.ParseRules(s)
	c.MatchRules = rules
	return err
}

// size sets a number of octets.
func size(to func(*config) *int64) func(*config, string) error {
	return func(c *config, s string) error {
		digits, unit := s, int64(1)
		for suffix, size := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
			if rest, ok := strings.CutSuffix(s, suffix); ok {
				digits, unit = rest, size
			}
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || n == 0 {
			return bad(s, "not a size", "a number of bytes, or one with KiB, MiB or GiB, such as 128MiB")
		}
		*to(c) = int64(n) * unit
		return nil
	}
}

func (c *config) setProxyHeader(s string) error {
	for _, name := range []string{"X-Forwarded-For", "Forwarded"} {
		if strings.EqualFold(s, name) {
			c.Limits.ProxyHeader = name
			return nil
		}
	}
	return bad(s, "not a header that is read for this", "X-Forwarded-For or Forwarded")
}

// setOrigins wants origins as a browser sends them (RFC 6454 section 6.2), or
// they would never be equal to one.
func (c *config) setOrigins(s string) error {
	for _, origin := range items(s) {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+strings.ToLower(u.Host) {
			return bad(origin, "not an origin", "a scheme and a host in lower case, such as https://portal.example.org, and nothing behind")
		}
		c.CORSOrigins = append(c.CORSOrigins, origin)
	}
	return nil
}

// items splits a list at commas and blanks.
func items(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// networks sets a list of networks; an address is a network of one.
func networks(to func(*config) *[]netip.Prefix) func(*config, string) error {
	return func(c *config, s string) error {
		*to(c) = nil
		for _, item := range items(s) {
			p, err := netip.ParsePrefix(item)
			if a, bad := netip.ParseAddr(item); bad == nil && a.Zone() == "" {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil {
				return bad(item, "not a network", "networks such as 192.0.2.0/24, 2001:db8::/32")
			}
			if p != p.Masked() {
				return bad(item, "a network with bits beyond its length", p.Masked().String())
			}
			*to(c) = append(*to(c), p)
		}
		return nil
	}
}

// number sets a number of 0 or more.
func number(to func(*config) *int) func(*config, string) error {
	return func(c *config, s string) error {
		n, err := strconv.ParseUint(s, 10, 24)
		if err != nil {
			return bad(s, "not a number", "0 to 16777215")
		}
		*to(c) = int(n)
		return nil
	}
}

// text sets a plain string.
func text(to func(*config) *string) func(*config, string) error {
	return func(c *config, s string) error {
		*to(c) = s
		return nil
	}
}

// span sets a duration of at least least.
func span(least time.Duration, to func(*config) *time.Duration) func(*config, string) error {
	return func(c *config, s string) error {
		d, err := parseSpan(s)
		if err != nil {
			return err
		}
		if d < least {
			return bad(s, "too short", "at least "+least.String())
		}
		*to(c) = d
		return nil
	}
}

var days = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// parseSpan parses a duration in which d stands for 24 hours: 90d, 36h, 1d12h.
func parseSpan(s string) (time.Duration, error) {
	const want = "a time such as 90d, 12h or 30s"
	rest, whole := s, time.Duration(0)
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, bad(s, "not a length of time", want)
		}
		whole, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	if rest == "" && s != "" {
		return whole, nil
	}
	part, err := time.ParseDuration(rest)
	if err != nil || part < 0 {
		return 0, bad(s, "not a length of time", want)
	}
	return whole + part, nil
}

var password = regexp.MustCompile(`(?i)([?&\s]password=)[^&\s]*`)

// mask replaces the password in the URL of a database.
func mask(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	// A password may hold an @ that should have been encoded: the last one counts.
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		if name, _, ok := strings.Cut(rest[:at], ":"); ok {
			rest = name + ":***" + rest[at:]
		}
	} else if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "***" + rest[at:]
	}
	return scheme + "://" + password.ReplaceAllString(rest, "${1}***")
}

// logger makes the log of the process.
func (w world) logger(c *config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "auto" && w.terminal(w.stderr) {
		return slog.New(slog.NewTextHandler(w.stderr, o))
	}
	return slog.New(slog.NewJSONHandler(w.stderr, o))
}
