package challenge

// TooQuick is [Challenge.tooQuick], for tests.
var TooQuick = (*Challenge).tooQuick
