package securitytxt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Limits of looking at the pages that a file refers to.
const (
	maxLinks    = 10
	linkLimit   = 1 << 10          // octets of a page: that it is there is enough
	linksBudget = 30 * time.Second // after the first question, no further page is asked for
	maxSlow     = 2                // pages that can't be reached, before it is left at that
)

// link is a page that a file refers to.
type link struct {
	url  string
	line int
}

// links looks whether the pages that the file refers to are there, with valid
// certificates (RFC 9116 section 5.3). Their trouble of the moment is never a defect.
func (l *look) links(ctx context.Context, f File, found *verify.Exchange) error {
	list := linksOf(f, found)
	slow := 0
	for i, page := range list {
		if i == maxLinks || slow == maxSlow || l.last.Sub(l.first) > linksBudget {
			l.say(find("links-unchecked", fmt.Sprintf("%d of %d", len(list)-i, len(list))))
			return nil
		}
		x, err := l.fetch(ctx, verify.Request{URL: page.url, Limit: linkLimit})
		if err != nil {
			return err
		}
		name, evidence := linkState(x)
		if x.Failure != nil && x.Failure.Temporary {
			slow++
		}
		if name != "" {
			l.say(find(name, evidence).AtLine(page.line).On(page.url))
		}
	}
	return nil
}

// linksOf returns the pages that the file refers to, each once. Canonical refers to
// the file itself.
func linksOf(f File, found *verify.Exchange) (list []link) {
	for _, x := range f.Fields {
		switch x.Name {
		case Contact, Encryption, Acknowledgments, Policy, Hiring, CSAF:
		default:
			continue
		}
		u := splitURI(x.Value)
		page := link{cutAt(x.Value, '#', '#', '#'), x.Line}
		twice := slices.ContainsFunc(list, func(o link) bool { return o.url == page.url })
		if u.scheme == "https" && isHost(u.host()) && badURI(x.Value) < 0 && !twice && page.url != found.Last().URL {
			list = append(list, page)
		}
	}
	return list
}

// linkState says what is wrong with a page, "" for nothing.
func linkState(x *verify.Exchange) (name, evidence string) {
	status := x.Last().Status
	f := x.Failure
	switch {
	case status >= 200 && status < 300 && (f == nil || f.Code == verify.FetchTooLarge || f.Code == verify.FetchEncoding || f.Code == verify.FetchTruncated):
		return "", ""
	case f != nil && f.Temporary:
		return "link-unreachable", string(f.Code)
	case f != nil && f.Code == verify.FetchURL: // another port, say, which people can open and we do not
		return "link-unreachable", fmt.Sprintf("%s: %s", f.Code, f.Detail)
	case f != nil:
		return "link-broken", fmt.Sprintf("%s: %s", f.Code, f.Detail)
	case slices.Contains([]int{401, 403, 405, 406}, status): // what sites tell programs and not people
		return "link-unreachable", fmt.Sprintf("status %d", status)
	}
	return "link-broken", fmt.Sprintf("status %d", status)
}
