package verify

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code names one kind of finding, as "securitytxt.expires-missing". Codes are
// public: never renamed, only retired.
type Code string

// Severity is how bad a finding is. It follows the word of the standard that
// the finding cites.
type Severity string

// The severities, worst first.
const (
	Error          Severity = "error"          // a MUST is broken, or it does not work
	Warning        Severity = "warning"        // a SHOULD is broken, or it will stop working soon
	Recommendation Severity = "recommendation" // RECOMMENDED, or good practice
	Info           Severity = "info"           // worth knowing; nothing to do
	Notification   Severity = "notification"   // noticed in passing, such as an unknown field
)

// Severities lists all severities, worst first.
func Severities() []Severity { return []Severity{Error, Warning, Recommendation, Info, Notification} }

// Problem is the row of the public table that explains one [Code].
type Problem struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Spec     string   `json:"spec"`             // "RFC 9116 section 2.5.5"; "" where no standard says it
	Title    string   `json:"title"`            // what is wrong, in one sentence without a full stop
	Advice   string   `json:"advice"`           // what to do about it
	Sectxt   string   `json:"sectxt,omitempty"` // the code of the reference checker for security.txt, where it has one
}

// Finding is one conclusion of a check, with what a team needs to act on it
// without asking. Its JSON form is that of the command line, of the API and of
// the store alike.
type Finding struct {
	Code      Code     `json:"code"`
	Severity  Severity `json:"severity"`
	Spec      string   `json:"spec"`
	Subject   string   `json:"subject,omitempty"`  // what it is about, where that is less than the check's subject: a URL, an address, a fingerprint
	Line      int      `json:"line,omitempty"`     // 1-based; 0: of no line
	Evidence  string   `json:"evidence,omitempty"` // the offending text, at most [MaxEvidence] octets, without control characters
	Advice    string   `json:"advice"`
	Corrected string   `json:"corrected,omitempty"` // what would be right in its place
}

// MaxEvidence is the most octets of offending text that a finding quotes.
const MaxEvidence = 500

// Find returns a finding of problem p with evidence made fit to show.
func (p Problem) Find(evidence string) Finding {
	return Finding{Code: p.Code, Severity: p.Severity, Spec: p.Spec, Advice: p.Advice, Evidence: Quote(evidence)}
}

// On returns f about a part of the check's subject.
func (f Finding) On(subject string) Finding { f.Subject = Quote(subject); return f }

// AtLine returns f about a line, counted from 1.
func (f Finding) AtLine(n int) Finding { f.Line = n; return f }

// Right returns f with what would be right.
func (f Finding) Right(value string) Finding { f.Corrected = value; return f }

// As returns f with another severity than the table's.
func (f Finding) As(s Severity) Finding { f.Severity = s; return f }

// Quote makes hostile text fit to show and to store: valid UTF-8, control and
// formatting characters (bidirectional overrides among them) as \u escapes, at
// most MaxEvidence octets.
func Quote(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > MaxEvidence-12 {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError:
			b.WriteRune('\uFFFD')
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(escape(r))
		}
	}
	return b.String()
}

func escape(r rune) string {
	const hex = "0123456789abcdef"
	digits := 4
	lead := `\u`
	if r > 0xFFFF {
		digits, lead = 8, `\U`
	}
	out := []byte(lead)
	for i := digits - 1; i >= 0; i-- {
		out = append(out, hex[(r>>(4*i))&0xF])
	}
	return string(out)
}

// Worst returns the worst severity among findings, "" for none.
func Worst(findings []Finding) Severity {
	order := Severities()
	worst := len(order)
	for _, f := range findings {
		if i := slices.Index(order, f.Severity); i >= 0 {
			worst = min(worst, i)
		}
	}
	if worst == len(order) {
		return ""
	}
	return order[worst]
}
