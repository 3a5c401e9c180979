// Package client asks a Rollcall server over its REST API. Almost all of it is
// generated from the committed OpenAPI document, so that it knows every
// operation; [Open] makes a client with the time-outs and the token that one
// wants, and [Failure] turns an answer that is not a success into an error that
// says why.
//
//	c, err := client.Open("https://rollcall.example.org", client.Options{})
//	…
//	answer, err := c.LookupWithResponse(ctx, &client.LookupParams{Q: "192.0.2.17"})
//	if err == nil {
//		err = client.Failure(answer.HTTPResponse, answer.Body)
//	}
//
// The package stands alone: it imports nothing else of Rollcall. It is not safe
// to change a client while it is used; asking from many goroutines at once is
// fine.
package client

//go:generate go tool oapi-codegen -config oapi-codegen.yaml -o client.gen.go ../../openapi/openapi.yaml
