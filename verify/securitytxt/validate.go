package securitytxt

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

const day = 24 * time.Hour

// Validate says what is wrong with the file as a whole at a moment: what it
// lacks, what is there too often, whether it has expired, and whether it may be at
// the URLs that led to it, the first and the last of a chain of redirects. No URLs
// are of a file that was not retrieved.
func (f File) Validate(now time.Time, urls ...string) []verify.Finding {
	v := validator{file: f}
	if !f.partial {
		v.missing()
	}
	if f.Signed == nil && !f.frame {
		v.say(find("unsigned", ""))
	}
	v.repeated()
	v.expiry(now)
	if len(urls) > 0 {
		v.canonical(urls)
	}
	return v.findings
}

type validator struct {
	file     File
	findings []verify.Finding
}

func (v *validator) say(f verify.Finding) { v.findings = append(v.findings, f) }

// missing looks for what a file MUST have (RFC 9116 sections 2.5.3 and 2.5.5), and for
// what is good practice.
func (v *validator) missing() {
	if !v.file.has(Contact) {
		v.say(find("contact-missing", ""))
	}
	if !v.file.has(Expires) {
		v.say(find("expires-missing", ""))
	}
	if v.file.Signed != nil && !v.file.has(Canonical) {
		v.say(find("canonical-missing", ""))
	}
	if n, _ := v.file.count(Encryption); n > 0 { // with whatever value
		return
	}
	for i := range v.file.Fields {
		if x := &v.file.Fields[i]; x.Name == Contact && len(x.Value) > 7 && strings.EqualFold(x.Value[:7], "mailto:") {
			v.say(find("encryption-missing", x.Value).AtLine(x.Line))
			return
		}
	}
}

// repeated looks for what may be there once: RFC 9116 sections 2.5.5 and 2.5.8.
func (v *validator) repeated() {
	for _, once := range []struct {
		name Name
		code string
	}{{Expires, "expires-repeated"}, {PreferredLanguages, "languages-repeated"}, {CSAF, "csaf-several"}, {BugBounty, "bug-bounty-repeated"}} {
		if n, line := v.file.count(once.name); n > 1 {
			v.say(find(once.code, fmt.Sprintf("%d times", n)).AtLine(line))
		}
	}
}

// expiry judges the time that Expires gives.
func (v *validator) expiry(now time.Time) {
	at, ok := v.file.Expires()
	if !ok {
		return
	}
	say := func(name, more string) {
		_, line := v.file.count(Expires)
		v.say(find(name, at.UTC().Format(time.RFC3339)+more).AtLine(line))
	}
	left := at.Sub(now)
	switch {
	case left < 0:
		say("expired", "")
	case left > 365*day && at.After(now.AddDate(1, 0, 0)):
		say("expires-far", "")
	case left < 30*day:
		for _, days := range []int{1, 7, 30} { // the reminders; see also Until
			if left < time.Duration(days)*day {
				say("expires-soon", fmt.Sprintf(", in less than %d days", days))
				return
			}
		}
	}
}

// Until returns the next moment at which what Validate says of the time that
// Expires gives is another; zero: there is none.
func (f File) Until(now time.Time) time.Time {
	at, ok := f.Expires()
	if !ok {
		return time.Time{}
	}
	for _, next := range []time.Time{at.AddDate(-1, 0, 0), at.Add(-30 * day), at.Add(-7 * day), at.Add(-day), at} {
		if next.After(now) {
			return next
		}
	}
	return time.Time{}
}

// canonical judges where the file lies. Against RFC 9116 section 2.5.2, by which a file
// that does not list the URL that was used to retrieve it SHOULD NOT be trusted, that is an error.
func (v *validator) canonical(urls []string) {
	listed, line := false, 0
	for i := range v.file.Fields {
		x := &v.file.Fields[i]
		if x.Name != Canonical || x.Value == "" {
			continue
		}
		if line == 0 {
			line = x.Line
		}
		for _, u := range []string{urls[0], urls[len(urls)-1]} {
			listed = listed || sameURL(x.Value, u)
		}
	}
	if line > 0 && !listed {
		last := urls[len(urls)-1]
		v.say(find("canonical-mismatch", last).AtLine(line).Right(verify.Quote(last)))
	}
}

// sameURL compares URLs letter by letter, but for the case of scheme and host
// (RFC 3986 section 6.2.2.1).
func sameURL(a, b string) bool { return a == b || lowerHost(a) == lowerHost(b) }

func lowerHost(s string) string {
	i := strings.Index(s, "//")
	if i < 0 {
		return s
	}
	end := i + 2 + len(cutAt(s[i+2:], '/', '?', '#'))
	return strings.ToLower(s[:end]) + s[end:]
}
