package verify

import (
	"errors"
	"hash/fnv"
	"slices"
	"time"
)

// Verdict is what the findings about a subject amount to.
type Verdict string

// The verdicts.
const (
	VerdictOK           Verdict = "ok"           // nothing above a recommendation
	VerdictWarning      Verdict = "warning"      // warnings, no errors
	VerdictError        Verdict = "error"        // at least one error
	VerdictInconclusive Verdict = "inconclusive" // never concluded, or not for too long
)

// VerdictOf returns what findings amount to.
func VerdictOf(findings []Finding) Verdict {
	switch Worst(findings) {
	case Error:
		return VerdictError
	case Warning:
		return VerdictWarning
	}
	return VerdictOK
}

// Verification is what is known of one subject by one check.
type Verification struct {
	Check    string    `json:"check"`
	Subject  Subject   `json:"subject"`
	Verdict  Verdict   `json:"verdict"`
	Findings []Finding `json:"findings,omitempty"`
	Facts    []Fact    `json:"facts,omitempty"`
	Since    time.Time `json:"since,omitzero"`   // since when the verdict is this one
	Checked  time.Time `json:"checked,omitzero"` // the last conclusion
	Tried    time.Time `json:"tried,omitzero"`   // the last attempt
	Raw      string    `json:"raw,omitempty"`    // hash of the transcript of the last conclusion

	Tries   int       `json:"tries,omitempty"`   // attempts without conclusion since Checked, the peer's trouble only
	Trying  time.Time `json:"trying,omitzero"`   // the first of them
	Ours    int       `json:"ours,omitempty"`    // attempts in a row that failed through our own trouble
	Trouble Code      `json:"trouble,omitempty"` // of the last attempt; "" after a conclusion
	Due     time.Time `json:"due,omitzero"`
}

// Outcome is how one run of a check ended: Err is nil for a conclusion.
type Outcome struct {
	Result Result
	Err    error
	Raw    string // hash of the transcript
}

// Rules of patience: a peer that can't be reached is given this many tries over
// this long before "inconclusive" takes the place of what was known.
const (
	PatientTries = 3
	PatientFor   = 24 * time.Hour
)

// Retries after an attempt without conclusion begin at firstRetry and double up
// to lastRetry. What a peer asks for is heard up to longestRetry.
const (
	firstRetry   = 15 * time.Minute
	lastRetry    = 12 * time.Hour
	longestRetry = 24 * time.Hour
)

// Assess derives what is known after an attempt at now from what was known
// before it. It is pure. every is the check's interval. An attempt without
// conclusion leaves verdict and findings as they are, until the peer was out of
// reach for [PatientTries] tries over [PatientFor]; then the verdict is
// inconclusive, which is not a defect of anybody. Our own trouble changes
// nothing but the time of the next try.
//
// Times that are yet to come are of a clock that was wrong: they never make
// anybody wait for them.
func Assess(prev Verification, o Outcome, every time.Duration, now time.Time) Verification {
	v := prev
	v.Tried = now
	if v.Verdict == "" {
		v.Verdict, v.Since = VerdictInconclusive, now
	}
	if v.Since.After(now) {
		v.Since = now
	}
	if o.Err != nil {
		return v.troubled(o.Err, now)
	}
	verdict := VerdictOf(o.Result.Findings)
	if verdict != v.Verdict {
		v.Verdict, v.Since = verdict, now
	}
	v.Findings, v.Facts, v.Raw = o.Result.Findings, dated(&prev, o.Result.Facts, now), o.Raw
	v.Checked, v.Tries, v.Trying, v.Ours, v.Trouble = now, 0, time.Time{}, 0, ""
	v.Due = now.Add(spread(every, v.key(), now))
	if u := o.Result.Until; u.After(now) && u.Before(v.Due) {
		// A peer decides when that is, and must not make us come back at once each time.
		v.Due = later(u.Add(time.Second), now.Add(min(every, firstRetry)))
	}
	return v
}

// dated says of each fact since when it is seen: as before, or from now on. What was
// there at the first conclusion may have been there for years.
func dated(prev *Verification, facts []Fact, now time.Time) []Fact {
	facts = slices.Clone(facts)
	for i := range facts {
		f := &facts[i]
		f.Since = time.Time{}
		was := slices.IndexFunc(prev.Facts, func(o Fact) bool { return o.Name == f.Name && o.Value == f.Value })
		switch {
		case was >= 0:
			f.Since = prev.Facts[was].Since
		case !prev.Checked.IsZero():
			f.Since = now
		}
	}
	return facts
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// troubled takes in an attempt without conclusion.
func (v Verification) troubled(err error, now time.Time) Verification {
	var t *Trouble
	if !errors.As(err, &t) {
		t = &Trouble{Code: CodeInternal, Ours: true, Err: err}
	}
	v.Trouble = t.Code
	if t.Ours {
		v.Ours++
	} else {
		v.Ours = 0
		v = v.missed(now)
	}
	wait := lastRetry
	if n := v.Tries + v.Ours - 1; n < 6 {
		wait = min(lastRetry, firstRetry<<n)
	}
	v.Due = now.Add(max(min(t.Retry, longestRetry), spread(wait, v.key(), now)))
	return v
}

// missed counts a try at which the peer was out of reach. It is the only way
// to lose a verdict without a conclusion, so that trouble of our own never does.
func (v Verification) missed(now time.Time) Verification {
	if v.Tries == 0 || v.Trying.After(now) {
		v.Trying = now
	}
	v.Tries++
	if v.Tries >= PatientTries && now.Sub(v.Trying) >= PatientFor && v.Verdict != VerdictInconclusive {
		v.Verdict, v.Since, v.Findings = VerdictInconclusive, now, nil
	}
	return v
}

func (v Verification) key() string { return v.Check + " " + v.Subject.String() }

// spread shortens d by up to a fifth, by key and time, so that what was once
// checked together does not stay together.
func spread(d time.Duration, key string, now time.Time) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte(now.UTC().Format(time.RFC3339)))
	return d - time.Duration(h.Sum64()%1000)*(d/5)/1000
}
