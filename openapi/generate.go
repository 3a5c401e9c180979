//go:build ignore

// Command generate writes openapi.yaml.
package main

import (
	"log"
	"os"

	"github.com/rollcall-csirt/rollcall/api"
)

func main() {
	doc, err := api.Spec()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("openapi.yaml", doc, 0o644); err != nil {
		log.Fatal(err)
	}
}
