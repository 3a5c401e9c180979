package directory

import (
	"fmt"
	"strings"
)

// String returns the subject's most telling part: the text, prefix, AS number
// or country; "" for nothing.
func (s Subject) String() string {
	switch {
	case s.Text != "":
		return s.Text
	case s.ASN != 0:
		return s.ASN.String()
	case s.Country != "":
		return string(s.Country)
	case s.Prefix.IsValid() && s.Prefix.IsSingleIP():
		return s.Prefix.Addr().String()
	case s.Prefix.IsValid():
		return s.Prefix.String()
	}
	return ""
}

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
func (s Step) Text() string {
	subject := s.Subject.String()
	if subject == "" {
		subject = "everything else"
	}
	switch s.Result {
	case StepMapped:
		return s.mapped(subject)
	case StepNotLoaded:
		return fmt.Sprintf("%s: could not be asked, no reference data is loaded that leads from it to %s", subject, s.target())
	case StepNone:
		return s.none(subject)
	case StepNear:
		return fmt.Sprintf("%s: no team has this name, %d look like it", subject, s.Count)
	}
	return fmt.Sprintf("%s: %s", s.where(subject), s.outcome())
}

func (s Step) target() string {
	if s.Rung == RungASN {
		return "a network"
	}
	return "a country"
}

// where names what matched and, where it is another thing, what was asked.
func (s Step) where(subject string) string {
	found := s.Found.String()
	switch {
	case found == "" || found == subject:
		return string(s.Rung) + " " + subject
	default:
		return fmt.Sprintf("%s %s, which holds %s", s.Rung, found, subject)
	}
}

func (s Step) outcome() string {
	name := "several teams"
	if s.Team != nil {
		name = s.Team.Name()
	} else if s.Count > 1 {
		name = fmt.Sprintf("%d teams", s.Count)
	}
	switch s.Result {
	case StepMatch:
		return name
	case StepAmbiguous:
		return name + ", and nothing that decides between them"
	case StepNoContact:
		return name + ", no contact published"
	case StepWithheld:
		return name + ", whose contact is not shown to everyone"
	case StepInactive:
		return name + ", no longer operating"
	}
	return string(s.Result)
}

func (s Step) mapped(subject string) string {
	target := s.Found.String()
	switch {
	case s.Rung == RungTeam:
		return fmt.Sprintf("%s: became part of %s", subject, target)
	case s.Rung == RungCountry:
		target = string(s.Found.Country)
	}
	from := subject
	if s.Found.Prefix.IsValid() {
		from = "prefix " + s.Found.Prefix.String()
	}
	return fmt.Sprintf("%s → %s%s", from, target, s.Set.note())
}

func (s Step) none(subject string) string {
	if s.Set != nil {
		return fmt.Sprintf("%s: not in the reference data%s", subject, s.Set.note())
	}
	if s.Rung == RungCountry && s.Subject.Country == "" {
		return subject + ": leads to no country"
	}
	return subject + ": " + s.Rung.missed()
}

// note names the set and its day in brackets; "" for no set.
func (s *ReferenceSet) note() string {
	switch {
	case s == nil:
		return ""
	case s.AsOf.IsZero():
		return " (" + s.ID() + ", of unknown date)"
	}
	return " (" + s.ID() + ", as of " + s.AsOf.UTC().Format("2006-01-02") + ")"
}

// Why says in one sentence, without a full stop, why the candidate is one.
func (c *Candidate) Why() string {
	on := c.MatchedOn.String()
	var b strings.Builder
	switch {
	case c.Near:
		b.WriteString("has a name that looks like the one asked for: " + on)
	case c.Rung == RungFingerprint:
		b.WriteString("publishes the key " + on)
	case c.Rung == RungMailbox:
		b.WriteString("lists the mailbox " + on)
	case c.Rung == RungTeam:
		b.WriteString("is called " + on)
	case c.Rung == RungNational:
		b.WriteString("is designated by " + c.MatchedOn.Country.Name())
		if c.Designation != nil && c.Designation.Scope != "" {
			b.WriteString(" (" + c.Designation.Scope + ")")
		}
	case c.Rung == RungLastResort:
		b.WriteString("is asked when nobody else is known")
	case c.Rung == RungCountry:
		b.WriteString("is responsible for " + c.MatchedOn.Country.Name())
	default:
		b.WriteString("is responsible for " + on)
	}
	switch {
	case c.Claim == "confirmed", c.Claim == "disputed":
		b.WriteString(", which is " + c.Claim)
	}
	switch {
	case c.Contact == nil && c.Withheld:
		b.WriteString("; its contact is not shown to everyone")
	case c.Contact != nil && c.Standing.State == Failed:
		b.WriteString("; its contact did not work when it was last tried")
	}
	return b.String()
}
