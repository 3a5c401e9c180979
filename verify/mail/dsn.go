package mail

import (
	"regexp"
	"strings"
)

// report is a delivery status notification, as far as it is machine-readable: RFC 3464.
type report struct {
	action     string // failed, delayed, delivered, relayed, expanded
	status     string // 5.1.1 (RFC 3463)
	recipient  string
	diagnostic string
}

const maxReported = 10 // recipients of one report; our mails have one

// report reads the report of a mail. Of several recipients the worst counts.
func (m *Message) report() *report {
	p := m.Root.find("message/delivery-status", "message/global-delivery-status")
	if p == nil {
		return nil
	}
	body := p.Decoded()
	var worst *report
	for i := 0; len(body) > 0 && i <= maxReported; i++ {
		r := reader{limits: m.limits}
		h, rest, err := r.fields(body)
		if err != nil || len(rest) == len(body) {
			break
		}
		body = rest
		one := reported(h)
		if one != nil && (worst == nil || rank(one.action) > rank(worst.action)) {
			worst = one
		}
	}
	return worst
}

// reported reads the group of one recipient: RFC 3464 section 2.3. The first group is about the mail.
func reported(h Header) *report {
	if !h.Has("Action") && !h.Has("Status") {
		return nil
	}
	r := &report{
		action:     strings.ToLower(firstWord(h.Get("Action"))),
		status:     statusForm.FindString(h.Get("Status")),
		recipient:  typed(orElse(h.Get("Final-Recipient"), h.Get("Original-Recipient"))),
		diagnostic: cut(printable(typed(h.Get("Diagnostic-Code"))), 500),
	}
	if r.status == "" || strings.HasSuffix(r.status, ".0.0") {
		r.status = orElse(statusForm.FindString(r.diagnostic), r.status)
	}
	if r.action == "" && r.status != "" {
		r.action = map[byte]string{'2': "delivered", '4': "delayed", '5': "failed"}[r.status[0]]
	}
	return r
}

// rank orders actions by how bad they are.
func rank(action string) int {
	return map[string]int{"failed": 4, "delayed": 3, "delivered": 2, "relayed": 2, "expanded": 1}[action]
}

// typed cuts "rfc822;" off a value: RFC 3464 section 2.1.2.
func typed(v string) string {
	if _, rest, ok := strings.Cut(v, ";"); ok {
		v = rest
	}
	return cut(strings.Trim(strings.TrimSpace(v), "<>"), 500)
}

func firstWord(s string) string {
	if f := strings.Fields(strings.ReplaceAll(s, "(", " (")); len(f) > 0 {
		return f[0]
	}
	return ""
}

var (
	// statusForm is an enhanced status code: RFC 3463 section 2.
	statusForm = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	// replyCode is an SMTP reply, as bounces quote it.
	replyCode = regexp.MustCompile(`(?:^|[\s(:>"'])([45]\d\d)[ \-](?:#?[45]\.\d{1,3}\.\d{1,3})?`)
)

// sort says what a report comes to.
func (r *report) sort() Sort {
	switch r.action {
	case "delayed":
		return Delayed
	case "delivered", "relayed", "expanded":
		return Delivered
	}
	if strings.HasPrefix(r.status, "4") {
		return BounceSoft
	}
	return BounceHard
}

// spoken reads what a bounce without a report says in words.
func spoken(text string) *report {
	r := &report{action: "failed", status: firstStatus(text)}
	if code := replyCode.FindStringSubmatch(text); code != nil {
		r.diagnostic = cut(strings.TrimSpace(lineWith(text, code[1])), 500)
		if r.status == "" {
			r.status = code[1][:1] + ".0.0"
		}
	}
	low := strings.ToLower(text)
	switch {
	case containsAny(low, "will be retried", "will keep trying", "will continue to try", "still being retried", "has been delayed", "not yet been delivered",
		"you do not need to resend", "no action is required on your part", "could not be delivered for", "warning message only", "zustellung verzögert", "delivery is delayed", "delivery delayed"):
		r.action = "delayed"
	case r.status != "":
	case containsAny(low, "mailbox full", "mailbox is full", "over quota", "quota exceeded", "temporar", "try again later", "out of space", "greylist", "timed out", "could not connect",
		"couldn't find any host", "too long"):
		r.status = "4.0.0"
	default:
		r.status = "5.0.0"
	}
	return r
}

// firstStatus finds the first status that speaks of failure. Version numbers look alike, so
// one that stands by itself has to be near a word.
func firstStatus(text string) string {
	for _, m := range statusForm.FindAllStringIndex(cut(text, 64<<10), 50) {
		s := text[m[0]:m[1]]
		before := strings.ToLower(text[max(0, m[0]-24):m[0]])
		if s[0] != '2' && containsAny(before, "#", "status", "dsn=", "550", "551", "552", "553", "554", "450", "451", "452", "421", "(", "said", "error", "failed", "permanent", "code") {
			return s
		}
	}
	return ""
}

func lineWith(text, s string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, s) {
			return line
		}
	}
	return ""
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
