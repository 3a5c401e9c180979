// Package openapi holds the OpenAPI document of the REST API as it is
// committed, for whoever generates clients. It is made from [api.Spec]; a test
// fails when it is stale, or when it takes back what was released.
package openapi

import _ "embed" // for the document

//go:generate go run generate.go

// YAML is the document: OpenAPI 3.1.
//
//go:embed openapi.yaml
var YAML []byte
