package directory

// KeyCodes is the part of [Codes] that reading keys answers for.
func KeyCodes() []CodeInfo { return keyCodes }
