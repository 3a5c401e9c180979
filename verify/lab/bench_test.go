package lab_test

import (
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// BenchmarkStart is what a test pays for a whole lab.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		l, err := lab.Start(lab.Config{})
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
