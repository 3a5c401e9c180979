package api

import "github.com/danielgtaylor/huma/v2"

// Document is the document as Huma holds it, for the tests that walk it.
func Document() *huma.OpenAPI { return described() }
