package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options configure a client. The zero value asks as nobody in particular.
type Options struct {
	Token     string        // sent with each request; "": none
	UserAgent string        // "": rollcall-client
	Timeout   time.Duration // of a whole request with its answer; 0: none, only connecting is limited
	HTTP      *http.Client  // nil: one that follows no redirects, which would carry the token elsewhere
}

// ErrAddress is what [Open] refuses an address with that names no server.
var ErrAddress = errors.New("not the address of a server")

// Open returns a client of the server at an http or https URL, such as
// https://rollcall.example.org. Nothing is sent yet.
func Open(server string, o Options) (*ClientWithResponses, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrAddress
	}
	if o.UserAgent == "" {
		o.UserAgent = "rollcall-client"
	}
	if o.HTTP == nil {
		o.HTTP = unredirected(o.Timeout)
	}
	identify := func(_ context.Context, r *http.Request) error {
		r.Header.Set("User-Agent", o.UserAgent)
		if o.Token != "" {
			r.Header.Set("Authorization", "Bearer "+o.Token)
		}
		return nil
	}
	return NewClientWithResponses(strings.TrimSuffix(u.String(), "/"), WithHTTPClient(o.HTTP), WithRequestEditorFn(identify))
}

func unredirected(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	return &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// StatusError is an answer that is not a success.
type StatusError struct {
	Status  string  // of HTTP: "404 Not Found"
	Problem Problem // what the server says about it (RFC 9457); without a Code, it said nothing
}

// Error implements error.
func (e *StatusError) Error() string {
	if e.Problem.Code == "" {
		return e.Status
	}
	said := e.Problem.Detail
	if said == "" {
		said = e.Problem.Title
	}
	return fmt.Sprintf("%s (%s, request %s)", said, e.Problem.Code, e.Problem.RequestId)
}

// Failure returns what an answer failed with, a [*StatusError], or nil for a
// success.
func Failure(answer *http.Response, body []byte) error {
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return nil
	}
	e := &StatusError{Status: answer.Status}
	if json.Unmarshal(body, &e.Problem) != nil {
		e.Problem = Problem{}
	}
	return e
}
