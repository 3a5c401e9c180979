package api

import (
	"encoding/binary"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// AppendAnswer appends the JSON of a to dst, the same that GET /v1/lookup
// answers and [Answer] describes. It is written by hand because it is most of
// the work of a lookup; a test holds it against encoding/json. What the viewer
// may not see is not in a.
func AppendAnswer(dst []byte, a *directory.Answer) []byte {
	dst = append(dst, `{"query":`...)
	dst = appendString(dst, a.Query.Text)
	dst = append(dst, `,"kind":"`...)
	dst = append(dst, a.Query.Kind...)
	dst = append(dst, `","status":"`...)
	dst = append(dst, a.Status...)
	dst = append(dst, `","candidates":[`...)
	for i := range a.Candidates {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCandidate(dst, &a.Candidates[i])
	}
	dst = append(dst, `],"trace":[`...)
	for i := range a.Trace {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendStep(dst, &a.Trace[i])
	}
	dst = append(dst, ']')
	if a.Incomplete {
		dst = append(dst, `,"incomplete":true`...)
	}
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendInt(dst, a.Seq, 10)
	return append(dst, '}')
}

func appendCandidate(dst []byte, c *directory.Candidate) []byte {
	dst = append(dst, `{"team":`...)
	dst = appendTeam(dst, c.Team)
	if c.Contact == nil {
		dst = append(dst, `,"contact":null`...)
	} else {
		dst = append(dst, `,"contact":`...)
		dst = appendContact(dst, c.Contact)
	}
	dst = append(dst, `,"matched_on":"`...)
	dst = appendSubject(dst, &c.MatchedOn)
	dst = append(dst, `","rung":"`...)
	dst = append(dst, c.Rung...)
	dst = append(dst, `","rank":`...)
	dst = strconv.AppendInt(dst, int64(c.Rank), 10)
	dst = append(dst, `,"why":"`...)
	dst = escapeFrom(c.AppendWhy(dst), len(dst))
	dst = append(dst, '"')
	dst = appendOptional(dst, `,"holder":`, c.Holder)
	dst = appendOptional(dst, `,"claim":`, c.Claim)
	dst = appendOptional(dst, `,"continuity":`, c.Continuity)
	if c.Withheld {
		dst = append(dst, `,"withheld":true`...)
	}
	if c.Near {
		dst = append(dst, `,"near":true`...)
	}
	if c.Contact == nil {
		dst = append(dst, `,"evidence":null`...)
	} else {
		dst = appendStanding(dst, &c.Standing)
	}
	if c.Designation != nil {
		dst = appendDesignation(dst, c.Designation)
	}
	if c.Checks != nil || c.OnMatch != nil {
		dst = appendChecks(dst, c.Checks, c.OnMatch)
	}
	return append(dst, '}')
}

func appendTeam(dst []byte, t *directory.Team) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, string(t.ID))
	dst = append(dst, `,"handle":`...)
	dst = appendString(dst, string(t.Handle))
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, t.Name())
	return append(dst, '}')
}

func appendContact(dst []byte, c *directory.Contact) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, string(c.ID))
	dst = append(dst, `,"channel":`...)
	dst = appendString(dst, c.Channel)
	dst = append(dst, `,"value":`...)
	dst = appendString(dst, c.Value)
	dst = append(dst, `,"uses":`...)
	if len(c.Uses) == 0 {
		dst = append(dst, `["general"]`...) // what no use stands for
	} else {
		dst = appendStrings(dst, c.Uses)
	}
	if len(c.Classes) > 0 {
		dst = append(dst, `,"classes":`...)
		dst = appendStrings(dst, c.Classes)
	}
	dst = appendOptional(dst, `,"label":`, c.Label)
	dst = appendOptional(dst, `,"person":`, c.Person)
	if !c.Hours.IsZero() {
		dst = appendOptional(dst, `,"hours":`, c.Hours.String())
	}
	return append(dst, '}')
}

func appendStanding(dst []byte, s *directory.Standing) []byte {
	dst = append(dst, `,"evidence":{"level":`...)
	dst = strconv.AppendInt(dst, int64(s.Level), 10)
	dst = append(dst, `,"level_name":"`...)
	dst = append(dst, s.Level.String()...)
	dst = append(dst, `","state":"`...)
	dst = append(dst, s.State...)
	dst = append(dst, '"')
	dst = appendTime(dst, `,"at":"`, s.At)
	dst = append(dst, `,"method":`...)
	dst = appendString(dst, s.Method)
	dst = appendOptional(dst, `,"by":`, s.By)
	dst = appendTime(dst, `,"valid_until":"`, s.ValidUntil)
	return append(dst, '}')
}

// appendChecks appends what was found about what an answer leans on, and about
// what matched; either may be nil.
func appendChecks(dst []byte, on, match *directory.CheckSummary) []byte {
	var none directory.CheckSummary
	if on == nil {
		on = &none
	}
	if match == nil {
		match = &none
	}
	dst = strconv.AppendInt(append(dst, `,"checks":{"ok":`...), int64(on.OK+match.OK), 10)
	dst = strconv.AppendInt(append(dst, `,"warning":`...), int64(on.Warning+match.Warning), 10)
	dst = strconv.AppendInt(append(dst, `,"error":`...), int64(on.Error+match.Error), 10)
	dst = strconv.AppendInt(append(dst, `,"inconclusive":`...), int64(on.Inconclusive+match.Inconclusive), 10)
	checked := on.Checked
	if checked.IsZero() || !match.Checked.IsZero() && match.Checked.Before(checked) {
		checked = match.Checked
	}
	dst = appendTime(dst, `,"checked":"`, checked)
	if len(on.Faults)+len(match.Faults) > 0 {
		dst = appendFaults(append(dst, `,"faults":[`...), on.Faults)
		if len(on.Faults) > 0 && len(match.Faults) > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendFaults(dst, match.Faults), ']')
	}
	return append(dst, '}')
}

func appendFaults(dst []byte, list []directory.CheckVerdict) []byte {
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := &list[i]
		dst = appendString(append(dst, `{"check":`...), v.Check)
		dst = appendString(append(dst, `,"kind":`...), v.Kind)
		dst = appendString(append(dst, `,"subject":`...), v.Subject)
		dst = appendString(append(dst, `,"verdict":`...), v.Verdict)
		dst = appendTime(dst, `,"since":"`, v.Since)
		dst = append(appendTime(dst, `,"checked":"`, v.Checked), '}')
	}
	return dst
}

func appendDesignation(dst []byte, d *directory.Designation) []byte {
	dst = append(dst, `,"designation":{"country":`...)
	dst = appendString(dst, string(d.Country))
	dst = append(dst, `,"scope":`...)
	dst = appendString(dst, d.Scope)
	dst = appendOptional(dst, `,"by":`, d.By)
	dst = appendOptional(dst, `,"evidence":`, d.Evidence)
	dst = appendOptional(dst, `,"since":`, string(d.Since))
	dst = appendOptional(dst, `,"until":`, string(d.Until))
	if d.Preference != 0 {
		dst = append(dst, `,"preference":`...)
		dst = strconv.AppendInt(dst, int64(d.Preference), 10)
	}
	return append(dst, '}')
}

func appendStep(dst []byte, s *directory.Step) []byte {
	dst = append(dst, `{"rung":"`...)
	dst = append(dst, s.Rung...)
	dst = append(dst, `","result":"`...)
	dst = append(dst, s.Result...)
	dst = append(dst, `","subject":"`...)
	dst = appendSubject(dst, &s.Subject)
	dst = append(dst, '"')
	if s.Found != (directory.Subject{}) {
		dst = append(dst, `,"found":"`...)
		dst = appendFound(dst, s)
		dst = append(dst, '"')
	}
	if s.Team != nil {
		dst = append(dst, `,"team":`...)
		dst = appendTeam(dst, s.Team)
	}
	if s.Count > 0 {
		dst = append(dst, `,"count":`...)
		dst = strconv.AppendInt(dst, int64(s.Count), 10)
	}
	if s.Set != nil {
		dst = appendSource(dst, s)
	}
	dst = append(dst, `,"text":"`...)
	dst = escapeFrom(s.AppendText(dst), len(dst))
	return append(dst, `"}`...)
}

// appendFound names where a step led to: the country or network, where the
// reference data mapped a prefix to one.
func appendFound(dst []byte, s *directory.Step) []byte {
	found := s.Found
	if s.Result == directory.StepMapped && (found.Country != "" || found.ASN != 0) {
		found.Prefix = directory.Subject{}.Prefix
	}
	return appendSubject(dst, &found)
}

func appendSource(dst []byte, s *directory.Step) []byte {
	dst = append(dst, `,"source":{"kind":`...)
	dst = appendString(dst, string(s.Set.Kind))
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, s.Set.Source)
	if s.Found.Prefix.IsValid() {
		dst = append(dst, `,"prefix":"`...)
		dst = s.Found.Prefix.AppendTo(dst)
		dst = append(dst, '"')
	}
	dst = appendTime(dst, `,"as_of":"`, s.Set.AsOf)
	return append(dst, '}')
}

// appendSubject appends a subject, escaped and without quotes.
func appendSubject(dst []byte, s *directory.Subject) []byte {
	if s.Text == "" {
		return s.AppendTo(dst) // numbers and codes
	}
	return appendEscaped(dst, s.Text)
}

// appendTime appends a member whose value is a time, unless that is zero.
func appendTime(dst []byte, key string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	dst = append(dst, key...)
	dst = t.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// appendOptional appends a member unless its value is empty.
func appendOptional(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, key...), value)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

func appendString(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}

const hexDigits = "0123456789abcdef"

func appendEscaped(dst []byte, s string) []byte { return escapeFrom(append(dst, s...), len(dst)) }

// escapeFrom escapes what was appended to dst behind start. Hardly ever is
// there anything to escape, so that the text stays where it is; eight bytes
// are looked at together.
func escapeFrom(dst []byte, start int) []byte {
	i := start
	for i+8 <= len(dst) && isSafe(binary.LittleEndian.Uint64(dst[i:])) {
		i += 8
	}
	for i < len(dst) {
		n, fine := safeRune(dst[i:])
		if !fine {
			return escapeSlow(dst[:i], string(dst[i:]))
		}
		i += n
	}
	return dst
}

// isSafe reports that eight bytes are ASCII that needs no escape. It may say
// no where there is none to escape, never yes where there is one.
func isSafe(x uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	return (x|(x-ones*' ')|(quote-ones)|(slash-ones))&high == 0
}

// safeRune returns the length of the first rune, and whether it needs no
// escape: what RFC 8259 section 7 names does, and U+2028 and U+2029, for
// readers that take JSON for JavaScript.
func safeRune(b []byte) (int, bool) {
	if b[0] < utf8.RuneSelf {
		return 1, b[0] >= ' ' && b[0] != '"' && b[0] != '\\'
	}
	r, n := utf8.DecodeRune(b)
	return n, n > 1 && r != '\u2028' && r != '\u2029'
}

// escapeSlow appends s rune by rune. What is not UTF-8 becomes U+FFFD.
func escapeSlow(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < utf8.RuneSelf && (r < ' ' || r == '"' || r == '\\'):
			dst = appendControl(dst, s[i])
		case r == utf8.RuneError && n == 1, r == '\u2028', r == '\u2029':
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst
}

func appendControl(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
}
