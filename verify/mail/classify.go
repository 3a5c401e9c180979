package mail

import "strings"

// Sort is what a mail is taken for. It decides how the mail is treated, and proves nothing: headers
// can be forged and are often missing, so no sort is an answer by itself.
type Sort string

// The sorts of mail.
const (
	Reply      Sort = "reply"                // looks as if a person wrote it
	AutoReply  Sort = "auto-reply"           // vacation notice, auto-responder, receipt
	Ticket     Sort = "ticket"               // a ticket system's acknowledgement
	BounceHard Sort = "bounce-hard"          // it will not be delivered, and another would not
	BounceSoft Sort = "bounce-soft"          // it was not delivered, for a reason that may pass
	Delayed    Sort = "delayed"              // it is still being tried
	Delivered  Sort = "delivered"            // a program says that it was delivered
	Feedback   Sort = "feedback"             // a complaint (RFC 5965), or the wish to get no such mails
	Loop       Sort = "loop"                 // our own mail
	Suspected  Sort = "auto-reply-suspected" // an auto-reply is suspected: it looks like a reply, and came too soon; [Identity.Classify] doesn't say so, since it doesn't know when the letter went out
	Unknown    Sort = "unknown"              // no bounce, no auto-reply, and to no letter of ours
)

// Bounce tells whether a sort says something about delivery.
func (s Sort) Bounce() bool {
	return s == BounceHard || s == BounceSoft || s == Delayed || s == Delivered
}

// Automatic tells how surely a mail was sent by a program: none of what people send carries what sure
// goes by; what likely goes by is also on mails that people write by way of a ticket system, in
// their words, or to where bounces go.
func (c *Class) Automatic() (likely, sure bool) {
	likely = c.Sort == AutoReply || c.Sort == Ticket || c.Sort.Bounce()
	switch strings.TrimPrefix(c.Rule, "verp+") {
	case "precedence", "text", "subject", "return-path":
		return likely, likely && c.Submitted
	}
	return likely, likely && (c.Submitted || c.Sort != Ticket)
}

// Class is what a mail was taken for, and why.
type Class struct {
	Sort   Sort
	Rule   string // what said so: "verp+dsn", "auto-submitted", "subject" …
	Letter string // of a bounce to a return path: the letter, its MAC verified
	// Submitted: its sender says that a program sent it (Auto-Submitted, RFC 3834 section 5).
	Submitted bool

	// Of a bounce, as far as it says:
	Status     string // RFC 3463
	Recipient  string
	Diagnostic string
}

// Elsewhere reports whether a bounce is about somebody that a mail to an address was passed on to: a role
// address has several readers, and one who has left says nothing of the others. The same
// mailbox may have another domain inside of an organisation.
func (c *Class) Elsewhere(address string) bool {
	local := func(a string) string { return strings.ToLower(a[:max(0, strings.LastIndexByte(a, '@'))]) }
	return strings.Contains(c.Recipient, "@") && local(c.Recipient) != local(address)
}

// Classify says what a mail looks like.
//
// A bounce is known by the address that it was sent to (VERP) first, and by its report (RFC 3464)
// second: only half of real bounces have one. An auto-reply is sent to the return path too (RFC 3834
// section 4), so what says that it is one comes between.
func (id *Identity) Classify(env Envelope, m *Message) Class {
	for _, v := range m.Header.All("X-Loop") {
		if strings.EqualFold(strings.TrimSpace(v), id.loop()) {
			return Class{Sort: Loop, Rule: "x-loop"}
		}
	}
	c := classifier{env: env, m: m, subject: m.Header.Text("Subject"), text: m.text()}
	for _, to := range env.To {
		if letter, ok := id.Bounced(to); ok {
			c.letter = letter
		}
	}
	if class, ok := c.reported(); ok {
		return class
	}
	for _, look := range []func() (Sort, string){c.feedback, c.ticket, c.auto} {
		if s, rule := look(); s != "" {
			return Class{Sort: s, Rule: rule, Letter: c.letter, Submitted: c.submitted()}
		}
	}
	if class, ok := c.bounced(); ok {
		return class
	}
	if len(id.Correlate(env, m)) == 0 {
		return Class{Sort: Unknown, Rule: "no handle"}
	}
	return Class{Sort: Reply, Rule: "handle", Letter: c.letter}
}

type classifier struct {
	env           Envelope
	m             *Message
	subject, text string
	letter        string // whose return path it was sent to
}

// reported takes a machine-readable report at its word.
func (c *classifier) reported() (Class, bool) {
	r := c.m.report()
	if r == nil {
		return Class{}, false
	}
	return c.bounce(r, "dsn"), true
}

func (c *classifier) bounce(r *report, rule string) Class {
	if c.letter != "" {
		rule = "verp+" + rule
	}
	return Class{Sort: r.sort(), Rule: rule, Letter: c.letter, Status: r.status, Recipient: r.recipient, Diagnostic: r.diagnostic}
}

// feedback: RFC 5965 section 2, and the mail form of List-Unsubscribe (RFC 2369).
func (c *classifier) feedback() (Sort, string) {
	if c.m.Root.find("message/feedback-report") != nil {
		return Feedback, "feedback-report"
	}
	if s := normal(c.subject); strings.Contains(s, "ROLLCALL-") && strings.Contains(s, "]-STOP") {
		return Feedback, "list-unsubscribe"
	}
	return "", ""
}

// bounced knows bounces without a report: by the return path that they went to, by their sender, by how they begin.
func (c *classifier) bounced() (Class, bool) {
	rule := c.bounceRule()
	if rule == "" {
		if c.letter == "" {
			return Class{}, false
		}
		rule = "return-path" // nobody writes to it
		if c.m.Header.Has("In-Reply-To") && c.env.From != "" {
			return Class{}, false // but some programs answer to it
		}
	}
	r := spoken(c.text)
	if f := c.m.Header.Get("X-Failed-Recipients"); f != "" { // Exim, Gmail
		r.recipient = cut(f, 320)
	}
	if containsAny(strings.ToLower(c.subject), "delayed", "warning:", "verzögert", "retard", "(delay)", "delivery status notification (delay") {
		r.action = "delayed"
	}
	return c.bounce(r, rule), true
}

func (c *classifier) bounceRule() string {
	from := strings.ToLower(c.m.Header.Text("From"))
	switch {
	case c.m.Root.Type == "multipart/report" && strings.EqualFold(c.m.Root.Params["report-type"], "delivery-status"):
		return "multipart/report"
	case c.m.Header.Has("X-Failed-Recipients"):
		return "x-failed-recipients"
	case containsAny(from, "mailer-daemon", "mail delivery system", "mail delivery subsystem", "mail-daemon", "mailerdaemon"):
		return "mailer-daemon"
	case c.env.From != "" && c.letter == "" && !strings.Contains(from, "postmaster"): // who writes so is a person, whatever the words
	case startsAny(c.text, bounceTexts()...):
		return "text"
	case containsAny(strings.ToLower(c.subject), bounceSubjects()...):
		return "subject"
	}
	return ""
}

// bounceTexts is how programs begin that send no report.
func bounceTexts() []string {
	return []string{
		"Hi. This is the qmail-send program", "Hi. This is the", "This message was created automatically by mail delivery software",
		"This is the mail system at host", "----- The following addresses had", "The original message was received at",
		"Delivery has failed to these recipients", "Your message did not reach some or all of the intended recipients",
		"Your message wasn't delivered", "I'm sorry to have to inform you", "This report relates to a message you sent",
		"Message from yahoo.com", "Sorry, we were unable to deliver your message", "A message that you sent could not be delivered",
		"The following message to", "Undeliverable message", "Ihre Nachricht hat einige oder alle Empfänger nicht erreicht",
		"This message has been rejected by the", "Failed to deliver to", "Unable to deliver message to",
	}
}

func bounceSubjects() []string {
	return []string{
		"undeliver", "delivery status notification", "failure notice", "delivery failure", "returned mail", "mail delivery failed", "delivery failed",
		"message not delivered", "mail system error", "unzustellbar", "non remis", "no se puede entregar", "undelivered mail", "rejected mail", "delivery report",
		"could not be delivered", "failed mail", "non-delivery", "user unknown", "mail error", "delivery warning", "no such user",
	}
}

// startsAny looks near the beginning of a text.
func startsAny(text string, begins ...string) bool {
	return containsAny(cut(oneLine(cut(text, 2000)), 400), begins...)
}
