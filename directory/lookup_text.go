package directory

import "strconv"

// String returns the subject's most telling part: the text, prefix, AS number
// or country; "" for nothing.
func (s Subject) String() string {
	if s.Text != "" {
		return s.Text
	}
	return string(s.AppendTo(nil))
}

// AppendTo appends what [Subject.String] returns to dst.
func (s *Subject) AppendTo(dst []byte) []byte {
	switch {
	case s.Text != "":
		return append(dst, s.Text...)
	case s.ASN != 0:
		return strconv.AppendUint(append(dst, "AS"...), uint64(s.ASN), 10)
	case s.Country != "":
		return append(dst, s.Country...)
	case s.Prefix.IsValid() && s.Prefix.IsSingleIP():
		return s.Prefix.Addr().AppendTo(dst)
	case s.Prefix.IsValid():
		return s.Prefix.AppendTo(dst)
	}
	return dst
}

func (s *Subject) isZero() bool { return *s == Subject{} }

// missed says of a subject that a rung found nothing for it.
func (r Rung) missed() string {
	switch r {
	case RungFingerprint:
		return "no team publishes this key"
	case RungMailbox:
		return "no team lists this mailbox"
	case RungTeam:
		return "no team has this name"
	case RungPrefix:
		return "in no team's address space"
	case RungASN:
		return "no team's network"
	case RungDomain:
		return "no team lists this domain or one above it"
	case RungCountry:
		return "no team is responsible for the whole country"
	case RungNational:
		return "no team is designated"
	}
	return "nobody is named"
}

// Text puts the step in words, on one line, for people: "prefix 193.0.0.0/19
// → NL (prefix-country/rir, as of 2026-02-01)".
func (s Step) Text() string { return string(s.AppendText(nil)) }

// AppendText appends what [Step.Text] returns to dst. It allocates nothing
// where dst has room: every answer has several steps.
func (s *Step) AppendText(dst []byte) []byte {
	switch s.Result {
	case StepMapped:
		return s.appendMapped(dst)
	case StepNotLoaded:
		dst = append(s.appendSubject(dst), ": could not be asked, no reference data is loaded that leads from it to "...)
		if s.Rung == RungASN {
			return append(dst, "a network"...)
		}
		return append(dst, "a country"...)
	case StepNone:
		return s.appendNone(dst)
	case StepNear:
		dst = append(s.appendSubject(dst), ": no team has this name, "...)
		return append(strconv.AppendInt(dst, int64(s.Count), 10), " look like it"...)
	}
	return s.appendOutcome(append(s.appendWhere(dst), ": "...))
}

func (s *Step) appendSubject(dst []byte) []byte {
	if s.Subject.isZero() {
		return append(dst, "everything else"...)
	}
	return s.Subject.AppendTo(dst)
}

// appendWhere names what matched and, where it is another thing, what was asked.
func (s *Step) appendWhere(dst []byte) []byte {
	dst = append(append(dst, s.Rung...), ' ')
	if s.Found.isZero() || s.Found == s.Subject {
		return s.appendSubject(dst)
	}
	return s.appendSubject(append(s.Found.AppendTo(dst), ", which holds "...))
}

func (s *Step) appendOutcome(dst []byte) []byte {
	switch {
	case s.Team != nil:
		dst = append(dst, s.Team.Name()...)
	case s.Count > 1:
		dst = append(strconv.AppendInt(dst, int64(s.Count), 10), " teams"...)
	default:
		dst = append(dst, "several teams"...)
	}
	switch s.Result {
	case StepMatch:
		return dst
	case StepAmbiguous:
		return append(dst, ", and nothing that decides between them"...)
	case StepNoContact:
		return append(dst, ", no contact published"...)
	case StepWithheld:
		return append(dst, ", whose contact is not shown to everyone"...)
	case StepInactive:
		return append(dst, ", no longer operating"...)
	}
	return append(append(dst, ", "...), s.Result...)
}

func (s *Step) appendMapped(dst []byte) []byte {
	if s.Rung == RungTeam {
		return s.Found.AppendTo(append(s.appendSubject(dst), ": became part of "...))
	}
	if s.Found.Prefix.IsValid() {
		dst = s.Found.Prefix.AppendTo(append(dst, "prefix "...))
	} else {
		dst = s.appendSubject(dst)
	}
	dst = append(dst, " → "...)
	if s.Rung == RungCountry {
		dst = append(dst, s.Found.Country...)
	} else {
		dst = s.Found.AppendTo(dst)
	}
	return s.Set.appendNote(dst)
}

func (s *Step) appendNone(dst []byte) []byte {
	dst = s.appendSubject(dst)
	if s.Set != nil {
		return s.Set.appendNote(append(dst, ": not in the reference data"...))
	}
	if s.Rung == RungCountry && s.Subject.Country == "" {
		return append(dst, ": leads to no country"...)
	}
	dst = append(append(dst, ": "...), s.Rung.missed()...)
	if s.Exact {
		dst = append(dst, "; names that look like it were not looked for among so many queries"...)
	}
	return dst
}

// appendNote names the set and its day in brackets; nothing for no set.
func (s *ReferenceSet) appendNote(dst []byte) []byte {
	if s == nil {
		return dst
	}
	dst = append(append(dst, " ("...), s.Kind...)
	dst = append(append(dst, '/'), s.Source...)
	if s.AsOf.IsZero() {
		return append(dst, ", of unknown date)"...)
	}
	return append(s.AsOf.UTC().AppendFormat(append(dst, ", as of "...), "2006-01-02"), ')')
}

// Why says in one sentence, without a full stop, why the candidate is one.
func (c *Candidate) Why() string { return string(c.AppendWhy(nil)) }

// AppendWhy appends what [Candidate.Why] returns to dst.
func (c *Candidate) AppendWhy(dst []byte) []byte {
	dst = c.appendReason(dst)
	if c.Claim == "confirmed" || c.Claim == "disputed" {
		dst = append(append(dst, ", which is "...), c.Claim...)
	}
	if c.Continuity != "" {
		dst = append(append(dst, ", which is "...), c.Continuity...)
	}
	switch {
	case c.Contact == nil && c.Withheld:
		return append(dst, "; its contact is not shown to everyone"...)
	case c.Contact != nil && c.Standing.State == Failed:
		return append(dst, "; its contact did not work when it was last tried"...)
	}
	return dst
}

func (c *Candidate) appendReason(dst []byte) []byte {
	on := &c.MatchedOn
	switch {
	case c.Near:
		return on.AppendTo(append(dst, "has a name that looks like the one asked for: "...))
	case c.Rung == RungFingerprint:
		return on.AppendTo(append(dst, "publishes the key "...))
	case c.Rung == RungMailbox:
		return on.AppendTo(append(dst, "lists the mailbox "...))
	case c.Rung == RungTeam:
		return on.AppendTo(append(dst, "is called "...))
	case c.Rung == RungNational:
		dst = append(append(dst, "is designated by "...), on.Country.Name()...)
		if c.Designation != nil && c.Designation.Scope != "" {
			dst = append(append(append(dst, " ("...), c.Designation.Scope...), ')')
		}
		return dst
	case c.Rung == RungLastResort:
		return append(dst, "is asked when nobody else is known"...)
	case c.Rung == RungCountry:
		return append(append(dst, "is responsible for "...), on.Country.Name()...)
	}
	return on.AppendTo(append(dst, "is responsible for "...))
}
