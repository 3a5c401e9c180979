//go:build ignore

// Command generate writes docs/findings.md.
package main

import (
	"log"
	"os"

	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

func main() {
	if err := os.WriteFile("../../docs/findings.md", catalog.Page(), 0o644); err != nil {
		log.Fatal(err)
	}
}
