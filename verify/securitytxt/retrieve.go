package securitytxt

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
)

// The places of the file (RFC 9116 section 3).
const (
	wellKnownPath = "/.well-known/security.txt"
	legacyPath    = "/security.txt"
)

// state is what an answer means.
type state int

const (
	served    state = iota // status 200
	none                   // another status: there is no file there
	broken                 // it will not be better in an hour
	noAddress              // the host has none, at least of this family
	trouble                // it may be better in an hour
)

// answer is what became of one place over one family of addresses.
type answer struct {
	*verify.Exchange
	state   state
	finding verify.Finding // of none and broken
}

// retrieve looks for the file: IPv4 and IPv6 apart, under /.well-known/ first, then at
// the place that early drafts had. It returns the answer that holds the file, nil
// where there is none, with the findings that say why. Where the peer is in trouble it
// returns a *[verify.Trouble].
func (l *look) retrieve(ctx context.Context) (*verify.Exchange, error) {
	four, err := l.ask(ctx, wellKnownPath, "ip4")
	if err != nil {
		return nil, err
	}
	six, err := l.ask(ctx, wellKnownPath, "ip6")
	if err != nil {
		return nil, err
	}
	main, other := four, six
	if four.state >= noAddress && six.state < noAddress {
		main, other = six, four
	}
	switch {
	case main.state == trouble:
		return nil, main.asTrouble()
	case main.state == noAddress && other.state == trouble:
		return nil, other.asTrouble()
	case four.state == trouble && main.state != served:
		return nil, four.asTrouble() // what IPv6 lacks may be there for nearly everybody
	case main.state == noAddress:
		l.say(find("no-host", l.host))
		return nil, nil
	}
	l.families(main, other)
	return l.places(ctx, main)
}

// ask fetches one place over one family.
func (l *look) ask(ctx context.Context, path, family string) (answer, error) {
	x, err := l.fetch(ctx, verify.Request{URL: "https://" + l.host + path, Accept: "text/plain", Limit: MaxSize, Family: family})
	if err != nil {
		return answer{}, err
	}
	return read(x), nil
}

// read sorts answers.
func read(x *verify.Exchange) answer {
	a := answer{Exchange: x}
	hop, f := x.Last(), x.Failure
	switch {
	case f == nil && hop.Status == 200:
		a.state = served
	case f == nil && (hop.Status == 404 || hop.Status == 410):
		a.state, a.finding = none, find("not-found", fmt.Sprintf("status %d", hop.Status))
	case f == nil:
		a.state, a.finding = none, find("status", fmt.Sprintf("status %d", hop.Status))
	case f.Temporary:
		a.state = trouble
	case len(x.Hops) <= 1 && (f.Code == verify.FetchNoHost || f.Code == verify.FetchNoAddress):
		a.state = noAddress
	default:
		a.state, a.finding = broken, brokenFinding(x)
	}
	if a.finding.Code != "" {
		a.finding = a.finding.On(x.Last().URL)
	}
	return a
}

// brokenFinding says why a place gives no file, and will not in an hour.
func brokenFinding(x *verify.Exchange) verify.Finding {
	f := x.Failure
	// What a redirect leads to and must not be asked has no hop of its own.
	redirected := len(x.Hops) > 1 || x.Last().Status != 0
	evidence := strings.TrimSuffix(fmt.Sprintf("%s: %s", f.Code, f.Detail), ": ")
	switch f.Code {
	case verify.FetchCertificate:
		return find("certificate", evidence)
	case verify.FetchTLS, verify.FetchTLSVersion:
		return find("tls", evidence)
	case verify.FetchRedirects, verify.FetchLoop:
		return find("redirects-too-many", evidence)
	case verify.FetchPlain:
		return find("redirect-to-http", evidence)
	case verify.FetchTooLarge:
		return find("too-large", evidence)
	case verify.FetchAddress:
		if redirected {
			return find("redirect-refused", evidence)
		}
		return find("address-refused", evidence)
	case verify.FetchURL, verify.FetchNoHost, verify.FetchNoAddress:
		if redirected {
			return find("redirect-refused", evidence)
		}
	}
	return find("fetch-failed", evidence)
}

func (a answer) asTrouble() error {
	f := a.Failure
	return &verify.Trouble{Code: f.Code, Detail: strings.TrimSpace(a.Request.URL + " " + f.Detail), Retry: f.Retry}
}

// families compares what the two families of addresses gave. Only a difference is
// worth a word: that a host has no IPv6, or an hour without it, is no defect of the file.
func (l *look) families(main, other answer) {
	names := map[string]string{"ip4": "IPv4", "ip6": "IPv6"}
	name := names[other.Request.Family]
	switch {
	case other.state == noAddress:
	case other.state == trouble && other.Failure.Code == verify.FetchNoRoute: // it is we who lack it
	case other.state == trouble:
		l.say(find("family-unreachable", fmt.Sprintf("%s: %s", name, other.Failure.Code)))
	case main.state != other.state, main.finding.Code != other.finding.Code:
		l.say(find("families-differ", fmt.Sprintf("%s: %s; %s: %s", names[main.Request.Family], main.told(), name, other.told())))
	case main.state == served && !bytes.Equal(main.Body, other.Body):
		l.say(find("families-differ", "the files have different text"))
	}
}

// told says in a word what an answer was.
func (a answer) told() string {
	if a.state == served {
		return "a file"
	}
	return strings.TrimPrefix(string(a.finding.Code), area)
}

// places judges what the place under /.well-known/ gave, and looks at the other. RFC
// 9116 section 3: where both have a file, the first counts.
func (l *look) places(ctx context.Context, main answer) (*verify.Exchange, error) {
	if main.state == broken {
		l.say(main.finding)
		if code := main.finding.Code; code != area+"certificate" && code != area+"tls" {
			return nil, nil
		}
		return nil, l.plain(ctx, main)
	}
	legacy, err := l.ask(ctx, legacyPath, main.Request.Family)
	switch {
	case err != nil:
		return nil, err
	case main.state == served:
		if legacy.state == served && plainText(legacy.Exchange) && !bytes.Equal(main.Body, legacy.Body) && main.Last().URL != legacy.Last().URL {
			l.say(find("locations-differ", "").On(legacy.Last().URL))
		}
		return main.Exchange, nil
	case legacy.state == trouble:
		return nil, legacy.asTrouble()
	case legacy.state == served && plainText(legacy.Exchange):
		l.say(find("legacy-location", "").On(legacy.Last().URL))
		return legacy.Exchange, nil
	}
	return nil, l.missing(ctx, main)
}

// missing reports that no place has a file, unless there is one over http.
func (l *look) missing(ctx context.Context, main answer) error {
	before := len(l.findings)
	if err := l.plain(ctx, main); err != nil {
		return err
	}
	if len(l.findings) == before {
		l.say(main.finding)
	}
	return nil
}

// plain looks whether the file is there over http, which is told and never read.
func (l *look) plain(ctx context.Context, main answer) error {
	u := "http://" + l.host + wellKnownPath
	x, err := l.fetch(ctx, verify.Request{URL: u, Accept: "text/plain", Limit: MaxSize, Family: main.Request.Family, Redirects: -1, Plain: true})
	if err == nil && x.Failure == nil && x.Last().Status == 200 && plainText(x) {
		l.say(find("http-only", "").On(u))
	}
	return err
}
