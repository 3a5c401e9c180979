package challenge

import "github.com/rollcall-csirt/rollcall/directory"

// called logs an operator's call. It proves nothing before a second operator approved it.
func (s *step) called() {
	if s.e.Call == nil || s.e.Call.Operator == "" || s.e.Call.Number == "" {
		return
	}
	s.once()
	call := *s.e.Call
	if call.At.IsZero() || call.At.After(s.now) {
		call.At = s.at
	}
	s.c.Call = &call
	if call.Reached {
		s.emit(Case{Kind: CaseApprove})
	}
}

// callApproved takes in the word of a second operator.
func (s *step) callApproved() {
	call := s.c.Call
	if call == nil || !call.Reached || s.e.Operator == "" || s.e.Operator == call.Operator {
		return
	}
	s.once()
	level := directory.Answered
	if call.Unannounced && s.c.Calendar.promised() && s.c.Calendar.IsOpen(call.At) {
		level = directory.Drilled
	}
	s.c.Call = nil
	first(&s.c.Human, call.At)
	s.proven(Record{Level: level, Method: MethodPhone, At: call.At, Raw: call.Raw, By: call.Operator,
		Note: call.Number + ", approved by " + s.e.Operator})
}

func (s *step) callRejected() {
	if s.c.Call != nil && s.e.Operator != "" && s.e.Operator != s.c.Call.Operator {
		s.once()
		s.c.Call = nil
	}
}

// imported takes in what another registrar found, under its name. It says when
// that was, which may be before we asked.
func (s *step) imported() {
	if s.e.Source == "" || s.e.Level <= directory.Listed || s.e.Level > directory.Drilled {
		return
	}
	s.proven(Record{Level: s.e.Level, Method: MethodImported, At: s.at, Raw: s.e.Raw, By: s.e.Source})
}

// unreachable takes in the word of an operator that nobody answers at the contact. Only
// that makes silence evidence, which is seen in public: a mail that was overlooked is no failure.
func (s *step) unreachable() {
	if s.e.Operator == "" || !s.c.silent() {
		return
	}
	s.once()
	s.emit(Flag{FlagUnreachable})
	s.record(Record{Level: directory.Answered, Outcome: directory.OutcomeFailed, Method: MethodUnreachable, At: s.now, By: "operator"}) // which one, the audit says
}

// silent reports whether the time to answer has passed, without a sign of anybody.
func (c *Challenge) silent() bool {
	return c.unanswered() && c.Human.IsZero() && c.Reached < directory.Answered
}
