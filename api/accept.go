package api

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// offersOf returns the media types in which an operation answers when it
// succeeds, sorted. They are complete only after the operation was registered,
// so that they are looked at when first asked for.
func offersOf(op *huma.Operation) func() []string {
	return sync.OnceValue(func() []string {
		var list []string
		for status, response := range op.Responses {
			if status[0] != '2' {
				continue
			}
			for media := range response.Content {
				list = append(list, media)
			}
		}
		slices.Sort(list)
		return slices.Compact(list)
	})
}

// acceptable reports whether an Accept (RFC 9110 section 12.5.1) takes the one
// offer. Where there is none, anything does: nothing is sent. An operation with
// several chooses among them itself.
func acceptable(accept, offers []string) bool {
	if len(offers) != 1 || len(accept) == 1 && (accept[0] == "*/*" || accept[0] == "") {
		return true
	}
	ranges := strings.Split(strings.Join(accept, ","), ",")
	return slices.ContainsFunc(offers, func(offer string) bool { return preference(ranges, offer) > 0 })
}

// preference is the weight of the most specific range that holds a media type;
// 0 where none does.
func preference(ranges []string, offer string) float64 {
	kind, _, _ := strings.Cut(offer, "/")
	best, weight := 0, 0.0
	for _, one := range ranges {
		name, q := quality(one)
		how := 0
		switch name = strings.ToLower(name); name {
		case offer:
			how = 3
		case kind + "/*":
			how = 2
		case "*/*":
			how = 1
		}
		if how > best || how == best && how > 0 && q > weight {
			best, weight = how, q
		}
	}
	return weight
}

// wantsHTML reports whether a browser asks: nobody else names text/html.
func wantsHTML(r *http.Request) bool {
	return preference(strings.Split(strings.Join(r.Header["Accept"], ","), ","), "text/html") > 0 &&
		strings.Contains(strings.ToLower(strings.Join(r.Header["Accept"], ",")), "text/html")
}
