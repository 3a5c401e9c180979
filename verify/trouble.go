package verify

// Codes of trouble of a run, beside [CodeInternal]: our own, and that of a peer
// who answers too much. None of them is ever a finding.
const (
	CodePanic     Code = "check.panic"      // the check broke
	CodeTimeout   Code = "check.timeout"    // the check took too long
	CodeCancelled Code = "check.cancelled"  // something ended it
	CodeBusy      Code = "check.busy"       // politeness: the peer was asked enough for now
	CodeCrash     Code = "check.crash"      // the process ended in the middle of it, several times
	CodeVantage   Code = "check.no-vantage" // there is no other resolver to ask
	CodeTooLarge  Code = "check.too-large"  // the answers are more than a transcript can have
)

// TroubleProblems is the table of the codes of trouble of a run, for people who read why there is no conclusion.
func TroubleProblems() []Problem {
	return []Problem{
		{CodeInternal, Info, "", "Something failed on this side", "See the detail; it says nothing of what was to be checked.", ""},
		{CodePanic, Info, "", "The check itself broke", "Report it, with the recording of what was answered.", ""},
		{CodeTimeout, Info, "", "The check took longer than it may", "Nothing, if it does not happen again.", ""},
		{CodeCancelled, Info, "", "The check was ended before it was done", "Nothing: it runs again.", ""},
		{CodeBusy, Info, "", "Those who would be asked were asked enough for now", "Nothing: it runs again.", ""},
		{CodeCrash, Info, "", "The process ended in the middle of the check, several times", "See the log and the memory of the process.", ""},
		{CodeVantage, Info, "", "There is no second resolver to ask", "Configure another one, in another network.", ""},
		{CodeTooLarge, Info, "", "What was answered is more than can be kept as evidence", "Publish less: smaller keys, files and records.", ""},
		{CodePaused, Info, "", "Somebody has paused the checks", "Let them go on with rollcall verify resume.", ""},
		{CodeNotRecorded, Info, "", "The recording has no answer to what the check asks", "Replay it with the version that made it, or check anew.", ""},
	}
}
