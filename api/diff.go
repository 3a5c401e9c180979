package api

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TeamDiff is what differs between two revisions of a team.
type TeamDiff struct {
	From    int64        `json:"from" doc:"The older revision" example:"6"`
	To      int64        `json:"to" doc:"The newer revision" example:"7"`
	Changes []Difference `json:"changes" doc:"In the order of their pointers"`
}

// Difference is one value that differs.
type Difference struct {
	Pointer string `json:"pointer" doc:"Where (RFC 6901): in the newer revision; what was taken out, in the older one" example:"/contacts/0/value"`
	Before  any    `json:"before,omitzero" doc:"Value in the older revision; absent: it was not there, or you don't see it"`
	After   any    `json:"after,omitzero" doc:"Value in the newer revision; absent: it is not there, or you don't see it"`
}

type (
	diffInput struct {
		ID   string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		From int64  `query:"from" minimum:"1" doc:"The older revision; absent: the one before to" example:"6"`
		To   int64  `query:"to" minimum:"1" doc:"The newer revision; absent: the newest" example:"7"`
	}
	diffOutput struct{ Body TeamDiff }
)

func (s *Server) registerDiff() {
	register(s, spec{id: "team-diff", method: http.MethodGet, path: "/v1/teams/{id}/diff", tag: "teams", access: token,
		summary: "Compare two revisions of a team",
		more: "Value by value, as you may see it. Items of a list are told apart by what they are (the id of a contact, the fingerprint of a key, the value of a resource), not by their place. " +
			"For whom the history is.",
		errors: []int{notFound}, answer: TeamDiff{From: 6, To: 7, Changes: []Difference{{Pointer: "/host", Before: "Example College", After: "Example University"}}}}, s.teamDiff)
}

func (s *Server) teamDiff(ctx context.Context, in *diffInput) (*diffOutput, error) {
	viewer := callFrom(ctx).viewer
	to, err := s.revisionAt(ctx, viewer, in.ID, "to", in.To)
	if err != nil {
		return nil, err
	}
	from := &directory.Revision{}
	switch {
	case in.From == 0 && to.Revision == 1:
	case in.From == 0:
		from, err = s.revisionAt(ctx, viewer, in.ID, "from", to.Revision-1)
	case in.From > to.Revision:
		err = inParameter("from", edgeError(directory.Invalid, "diff.order", strconv.FormatInt(in.From, 10), "not older than the other revision", "a revision up to "+strconv.FormatInt(to.Revision, 10)))
	default:
		from, err = s.revisionAt(ctx, viewer, in.ID, "from", in.From)
	}
	if err != nil {
		return nil, err
	}
	out := &diffOutput{Body: TeamDiff{From: from.Revision, To: to.Revision, Changes: []Difference{}}}
	before := map[string]any{}
	if from.Revision > 0 {
		if before, err = membersOf(&from.After, viewer); err != nil {
			return nil, err
		}
	}
	after, err := membersOf(&to.After, viewer)
	out.Body.Changes = append(out.Body.Changes, differences(before, after)...)
	return out, err
}

// revisionAt returns one revision of a team; 0 is the newest.
func (s *Server) revisionAt(ctx context.Context, viewer directory.Principal, ref, parameter string, n int64) (*directory.Revision, error) {
	before := int64(0)
	if n > 0 && n < 1<<62 {
		before = n + 1
	}
	list, err := s.cfg.Directory.History(ctx, viewer, ref, before, 1)
	switch {
	case err != nil:
		return nil, inPath(err, ref)
	case len(list) == 0, n != 0 && list[0].Revision != n:
		return nil, inParameter(parameter, edgeError(directory.NotFound, "revision.unknown", strconv.FormatInt(n, 10), "the team never had this revision", "a revision of its history"))
	}
	return &list[0], nil
}

// differences compares the members of two teams.
func differences(before, after map[string]any) []Difference {
	var d differ
	d.members("", entered(before), entered(after))
	slices.SortStableFunc(d.found, func(a, b Difference) int { return strings.Compare(a.Pointer, b.Pointer) })
	return d.found
}

// entered takes out of the items of a team what the directory notes about them:
// where they come from, and of a contact, since when.
func entered(team map[string]any) map[string]any {
	for pointer := range itemKeys {
		list, _ := team[pointer[1:]].([]any)
		for _, item := range list {
			if o, ok := item.(map[string]any); ok {
				delete(o, "origin")
				if pointer == "/contacts" {
					delete(o, "since")
					delete(o, "revision")
				}
			}
		}
	}
	return team
}

// differ collects differences.
type differ struct{ found []Difference }

func (d *differ) add(pointer string, before, after any) {
	d.found = append(d.found, Difference{Pointer: pointer, Before: before, After: after})
}

// itemKeys says what an item of each list is known by. Other lists are values.
var itemKeys = map[string][]string{
	"/contacts": {"id"}, "/resources": {"type", "value"}, "/keys": {"fingerprint"}, "/prose": {"number", "language"},
	"/memberships": {"forum"}, "/designations": {"country", "scope"}, "/constituency/types": {"type"},
}

// members compares two objects.
func (d *differ) members(pointer string, before, after map[string]any) {
	names := slices.Collect(maps.Keys(after))
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		at := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		d.values(at, before[name], after[name])
	}
}

func (d *differ) values(pointer string, before, after any) {
	was, isObject := before.(map[string]any)
	is, stillObject := after.(map[string]any)
	if isObject && stillObject {
		d.members(pointer, was, is)
		return
	}
	if key := itemKeys[pointer]; key != nil && d.items(pointer, key, before, after) {
		return
	}
	if !reflect.DeepEqual(before, after) {
		d.add(pointer, before, after)
	}
}

// items compares two lists item by item, and reports whether that can be done:
// not where items changed their places among those that stayed, which is a
// difference of the whole list.
func (d *differ) items(pointer string, key []string, before, after any) bool {
	was, _ := before.([]any)
	is, _ := after.([]any)
	old, next := indexed(was, key), indexed(is, key)
	if old == nil || next == nil || len(was)+len(is) == 0 {
		return false
	}
	last := -1
	for _, item := range is {
		if i, ok := old[keyOf(item, key)]; ok {
			if i < last {
				return false
			}
			last = i
		}
	}
	for i, item := range is {
		at := pointer + "/" + strconv.Itoa(i)
		if j, ok := old[keyOf(item, key)]; ok {
			d.values(at, was[j], item)
		} else {
			d.add(at, nil, item)
		}
	}
	for i, item := range was {
		if _, ok := next[keyOf(item, key)]; !ok {
			d.add(pointer+"/"+strconv.Itoa(i), item, nil)
		}
	}
	return true
}

// indexed returns the place of each item by its key; nil where two share one.
func indexed(list []any, key []string) map[string]int {
	m := make(map[string]int, len(list))
	for i, item := range list {
		m[keyOf(item, key)] = i
	}
	if len(m) != len(list) {
		return nil
	}
	return m
}

func keyOf(item any, key []string) string {
	o, _ := item.(map[string]any)
	var parts []string
	for _, k := range key {
		text, _ := o[k].(string)
		parts = append(parts, text)
	}
	return strings.Join(parts, "\x00")
}
