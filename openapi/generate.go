//go:build ignore

// Command generate writes openapi.yaml and docs/problems.md.
package main

import (
	"log"
	"os"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/openapi"
)

func main() {
	doc, err := api.Spec()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("openapi.yaml", doc, 0o644); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("../docs/problems.md", openapi.Problems(), 0o644); err != nil {
		log.Fatal(err)
	}
}
