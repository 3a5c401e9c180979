package verify

// Codes of trouble that is our own, beside [CodeInternal]. None of them is
// ever a finding.
const (
	CodePanic     Code = "check.panic"     // the check broke
	CodeTimeout   Code = "check.timeout"   // the check took too long
	CodeCancelled Code = "check.cancelled" // something ended it
	CodeBusy      Code = "check.busy"      // politeness: the peer was asked enough for now
	CodeCrash     Code = "check.crash"     // the process ended in the middle of it, several times
)
