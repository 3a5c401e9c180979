package challenge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// The methods of evidence that challenges give.
const (
	MethodAccepted     = "challenge.accepted" // the mail was taken, and nothing came back
	MethodBounced      = "challenge.bounced"
	MethodCode         = "challenge.code"
	MethodNonce        = "challenge.nonce"
	MethodSigned       = "challenge.signed"
	MethodBoth         = "challenge.both"
	MethodDrill        = "challenge.drill"
	MethodWebhook      = "challenge.webhook"
	MethodPhone        = "challenge.phone"
	MethodImported     = "challenge.imported"
	MethodConfirmed    = "challenge.confirmed" // freshness of level 0: not even that somebody reads the mailbox
	MethodWrongAddress = "challenge.wrong-address"
	MethodUnreachable  = "challenge.unreachable" // nobody answered, and an operator has confirmed it
)

// codeRight takes in a code that was typed as it should be. A code that stood in
// the encrypted part only has passed through the key.
func (s *step) codeRight() {
	p := s.c.Posting(s.e.Step)
	if p == nil || p.Attempts >= MaxAttempts || !p.Used.IsZero() || !s.c.Kind.ByMail() {
		return
	}
	p.Used = s.at
	if s.e.Sealed && s.rightKey() {
		s.prove(directory.Proven, MethodNonce)
		return
	}
	s.prove(directory.Answered, MethodCode)
}

func (s *step) codeWrong() {
	if p := s.c.Posting(s.e.Step); p != nil && p.Attempts < MaxAttempts {
		s.once()
		p.Attempts++
	}
}

// codeAsked sends a new code where the old ones were guessed at too often, or went
// in mails that came back, as long as there are mails left. A stranger who has the
// link can cost a contact mails, and never more than that.
func (s *step) codeAsked() {
	locked := len(s.c.Postings) > 0
	codes := 0
	for i := range s.c.Postings {
		p := &s.c.Postings[i]
		locked = locked && (p.Attempts >= MaxAttempts || s.c.cameBack(p.Step))
		if strings.HasPrefix(p.Step, "code-") {
			codes++
		}
	}
	if !locked || !s.c.Kind.ByMail() {
		return
	}
	if len(s.c.Postings) >= s.p.mails() || !s.c.Paused.IsZero() {
		s.emit(Case{Kind: CaseLocked}) // each time: it opens what was closed
		return
	}
	s.once()
	s.post(LetterCode, fmt.Sprintf("code-%d", codes+1))
}

// proof takes in a reply that proves something by the stored key. One by
// another key proves nothing.
func (s *step) proof() {
	if !s.c.Kind.ByMail() {
		return
	}
	if !s.rightKey() {
		s.replied()
		return
	}
	method, ok := map[ProofBy]string{ProofNonce: MethodNonce, ProofSigned: MethodSigned, ProofBoth: MethodBoth}[s.e.By]
	if ok {
		s.prove(directory.Proven, method)
	}
}

// rightKey reports whether the event's key is the one that was expected. A
// challenge that expects none can't be proven by any.
func (s *step) rightKey() bool {
	return s.c.Key != "" && strings.EqualFold(strings.ReplaceAll(s.e.Key, " ", ""), strings.ReplaceAll(s.c.Key, " ", ""))
}

// prove takes in a proof, and raises it where a person answered a drill in time.
func (s *step) prove(level directory.Level, method string) {
	if s.at.Before(s.c.Sent) {
		return // an answer from before the question
	}
	first(&s.c.Arrived, s.at)
	if !s.e.Quoted { // or it may be a program that signs whatever it sends: the key is theirs, the hand is nobody's
		first(&s.c.Human, s.at)
		if s.c.Kind == KindDrill && !s.at.After(s.c.drillBy(s.p, s.c.Sent)) {
			level, method = directory.Drilled, MethodDrill
		}
	}
	s.proven(Record{Level: level, Method: method, At: s.at, Note: s.e.origin(), Raw: s.e.Raw})
}

// proven keeps a proof, asks for its evidence once for each method, and ends
// the challenge where that is enough.
func (s *step) proven(r Record) {
	i, known := slices.BinarySearchFunc(s.c.Proofs, r.Method, func(p Proved, m string) int { return strings.Compare(p.Method, m) })
	if known {
		first(&s.c.Proofs[i].At, r.At)
	} else {
		s.c.Proofs = slices.Insert(s.c.Proofs, i, Proved{r.Method, r.Level, r.At})
		r.Outcome, r.Until = directory.OutcomeProved, s.c.Calendar.until(r.At, s.p.Lasts.of(r.Level))
		s.record(r)
	}
	s.c.Reached = max(s.c.Reached, r.Level)
	if r.Level >= directory.Proven && r.Method != MethodImported {
		first(&s.c.Proof, r.At)
	}
	if at, ok := s.c.satisfied(); ok {
		s.c.Answered = at
		s.finish()
	}
}

// finish ends the challenge with what was reached, and takes off what silence had put on.
func (s *step) finish() {
	if s.c.State != StateAnswered && (s.c.Rung > 0 || s.c.Undeliverable()) {
		s.emit(Flag{FlagNone})
	}
	s.move(StateAnswered)
}

// record asks for evidence about the contact as it was asked.
func (s *step) record(r Record) {
	r.Contact, r.Revision = s.c.Contact, s.c.Revision
	r.Key = string(s.c.ID) + "/" + r.Method
	s.emit(r)
}

// confirmed takes in "still right" by one click. A mail scanner clicks too, so it
// is worth freshness and nothing more.
func (s *step) confirmed() {
	if !s.p.Confirm {
		return
	}
	s.proven(Record{Level: directory.Listed, Method: MethodConfirmed, At: s.at, Raw: s.e.Raw})
	if s.p.Minimum == directory.Listed && s.c.Open() {
		s.c.Answered = s.at
		s.finish()
	}
}

// wrongAddress takes in the word of whoever reads the mailbox. It had the code, so
// the mailbox is read; by whom, an operator has to find out.
func (s *step) wrongAddress() {
	s.once()
	first(&s.c.Human, s.at)
	if s.c.Disputed.IsZero() {
		s.disputed()
	}
	s.emit(Case{Kind: CaseWrongAddress})
	if s.c.Open() { // else the code of another mail has answered, and two readers disagree
		s.close(OutcomeWrongAddress)
	}
}

func (s *step) disputed() {
	s.c.Disputed = s.at
	s.record(Record{Level: directory.Listed, Outcome: directory.OutcomeDisputed, Method: MethodWrongAddress, At: s.at, Raw: s.e.Raw})
}

func (s *step) pleaseCall() {
	first(&s.c.Human, s.at)
	if s.c.CallMe.IsZero() {
		s.c.CallMe = s.at
		s.emit(Case{Kind: CasePleaseCall})
	}
}

// webhook takes in the signed answer of a team's automation. No person has
// answered, and no time of a person is kept.
func (s *step) webhook() {
	if s.c.Kind == KindWebhook && !s.at.Before(s.c.Sent) {
		s.proven(Record{Level: directory.Answered, Method: MethodWebhook, At: s.at, Raw: s.e.Raw, Machine: true})
	}
}

// optOut stops the mails and asks an operator what to do: nobody is let off
// silently, and nobody is mailed against their will meanwhile.
func (s *step) optOut() {
	if !s.c.OptedOut.IsZero() {
		return
	}
	s.c.OptedOut = s.at
	if s.c.Open() {
		first(&s.c.Paused, s.now)
	}
	s.emit(Flag{FlagOptOut})
	s.emit(Case{Kind: CaseOptOut})
}

// satisfied returns since when what was asked for is proven. A drill is over
// with any answer: too late, it proves less.
func (c *Challenge) satisfied() (at time.Time, ok bool) {
	want := c.Kind.Level()
	if c.Kind == KindDrill {
		want = directory.Answered
	}
	if c.Kind == KindBoth {
		return c.satisfiedBoth()
	}
	for _, p := range c.Proofs {
		if p.Level >= want {
			first(&at, p.At)
			ok = true
		}
	}
	return at, ok
}

// satisfiedBoth is satisfied for the kind that wants the key used both ways, in
// one reply or in two.
func (c *Challenge) satisfiedBoth() (at time.Time, ok bool) {
	var nonce, signed time.Time
	for _, p := range c.Proofs {
		switch {
		case p.Method == MethodBoth, p.Method == MethodImported && p.Level >= directory.Proven, p.Method == MethodPhone && p.Level >= directory.Drilled:
			first(&at, p.At)
		case p.Method == MethodNonce:
			nonce = p.At
		case p.Method == MethodSigned:
			signed = p.At
		}
	}
	if !nonce.IsZero() && !signed.IsZero() {
		first(&at, later(nonce, signed))
	}
	return at, !at.IsZero()
}
