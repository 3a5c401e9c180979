package verify

// CodeInternal is trouble that has no better name. It is never a finding.
const CodeInternal Code = "check.internal"
