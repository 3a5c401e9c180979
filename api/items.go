package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// shelf is one list of a team's profile whose items have addresses of their
// own. W is an item as a client sends it, D as the domain has it, A as it is
// shown, and L the body that shows all of them.
//
// Every write is an edit of the team through the one door, with the team's
// revision as its ETag. An item is found among those that the viewer sees; what
// is hidden stays where it is.
type shelf[W format.Item, D, A, L any] struct {
	list  string // wire name in the profile: "contacts"
	one   string // the path's parameter, in the operations' ids, and before .unknown in the code
	words string // what one is called: "contact"

	param   string // what the path calls an item, for people
	example string // of that
	sent    W      // examples
	shown   A
	media   []string // of a whole item; nil is JSON alone

	items  func(*directory.Profile) *[]D
	key    func(*D) string // no two items of a team share it
	name   func(*D) string // what the path calls it
	origin func(*D) *directory.Origin
	keep   func(next, old *D) error // takes over what a client can't send from old, nil for a new one; may be nil
	others bool                     // decided by others: items are entered one by one, above those of sources

	read func(c *call, media []string) (W, error) // reads a whole item; nil is JSON
	wire func(*format.Profile) []W
	show func(*Server, *directory.Team) []A
	all  func([]A, bool) L
	done func(*A, W) // adds to the answer of a new item; may be nil
}

type (
	listOutput[L any] struct {
		ETag string `header:"ETag" doc:"The revision of the team, for If-Match"`
		Body L
	}
	itemOutput[A any] struct {
		ETag string `header:"ETag" doc:"The revision of the team, for If-Match"`
		Body A
	}
	newItemOutput[A any] struct {
		ETag     string `header:"ETag" doc:"The revision of the team, for If-Match"`
		Location string `header:"Location" doc:"The address of the new item; absent where you don't see it"`
		Body     A
	}
	goneOutput struct {
		ETag string `header:"ETag" doc:"The revision of the team, for If-Match"`
	}
)

func (sh *shelf[W, D, A, L]) path() string { return "/v1/teams/{id}/" + sh.list }

// itemParam describes the last parameter of the path of an item.
func (sh *shelf[W, D, A, L]) itemParam() []*huma.Param {
	return []*huma.Param{{Name: sh.one, In: "path", Required: true, Description: sh.param,
		Schema: &huma.Schema{Type: huma.TypeString, Description: sh.param, Examples: []any{sh.example}}}}
}

// registerShelf registers the operations on one list. Keys are read by
// operations of their own, since they have two forms.
func registerShelf[W format.Item, D, A, L any](s *Server, sh *shelf[W, D, A, L]) {
	writes := []int{badRequest, notFound, conflict, stale, conditionOff}
	at := sh.path() + "/{" + sh.one + "}"
	register(s, spec{id: "add-" + sh.one, method: http.MethodPost, path: sh.path(), tag: "parts", access: token, status: http.StatusCreated,
		summary: "Add a " + sh.words, more: "Behind those that the team has. If-Match has the ETag of the team.",
		errors: writes, body: sh.sent, media: sh.media, answer: sh.shown}, func(ctx context.Context, in *teamWriteInput) (*newItemOutput[A], error) { return sh.add(ctx, s, in.ID) })
	register(s, spec{id: "put-" + sh.one, method: http.MethodPut, path: at, tag: "parts", access: token, params: sh.itemParam(),
		summary: "Replace a " + sh.words, more: "The whole of it; its place in the list stays. What only the directory sets is passed over, so that an item can be read, changed and sent back.",
		errors: writes, body: sh.sent, media: sh.media, answer: sh.shown}, func(ctx context.Context, in *teamWriteInput) (*itemOutput[A], error) {
		return sh.replace(ctx, s, in.ID)
	})
	register(s, spec{id: "patch-" + sh.one, method: http.MethodPatch, path: at, tag: "parts", access: token, params: sh.itemParam(),
		summary: "Change a " + sh.words, more: "A JSON merge patch (RFC 7396): null takes a member out.",
		errors: writes, media: []string{"application/merge-patch+json", "application/json"}, body: sh.sent, answer: sh.shown},
		func(ctx context.Context, in *teamWriteInput) (*itemOutput[A], error) { return sh.patch(ctx, s, in.ID) })
	patchSchema[W](s, at)
	register(s, spec{id: "delete-" + sh.one, method: http.MethodDelete, path: at, tag: "parts", access: token, status: http.StatusNoContent, params: sh.itemParam(),
		summary: "Take out a " + sh.words, more: "The history of the team keeps it.", errors: writes},
		func(ctx context.Context, in *teamWriteInput) (*goneOutput, error) { return sh.remove(ctx, s, in.ID) })
}

// patchSchema describes the merge patch of an item: every member may be there
// or not, and null.
func patchSchema[W format.Item](s *Server, path string) {
	doc := s.huma.OpenAPI()
	whole := doc.Components.Schemas.SchemaFromRef(schemaOf[W](doc.Components.Schemas).Ref)
	name := reflect.TypeFor[W]().Name() + "Patch"
	patch := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for field, p := range whole.Properties {
		patch.Properties[field] = orNull(p)
	}
	doc.Components.Schemas.Map()[name] = patch
	for _, m := range operationAt(doc.Paths[path], http.MethodPatch).RequestBody.Content {
		m.Schema = &huma.Schema{Ref: "#/components/schemas/" + name}
	}
}

// registerReads registers the reading of a list and of its items.
func registerReads[W format.Item, D, A, L any](s *Server, sh *shelf[W, D, A, L]) {
	register(s, spec{id: "list-" + sh.list, method: http.MethodGet, path: sh.path(), tag: "parts", access: public,
		summary: "List the " + sh.list + " of a team", more: "As the viewer may see them, in the team's order.", errors: []int{notFound}, answer: sh.all([]A{sh.shown}, false)},
		func(ctx context.Context, in *teamInput) (*listOutput[L], error) {
			t, err := s.seen(ctx, callFrom(ctx).viewer, in.ID)
			if err != nil {
				return nil, err
			}
			return &listOutput[L]{ETag: etag(t.Revision), Body: sh.all(sh.show(s, &t), slices.Contains(t.Withheld, sh.list))}, nil
		})
	register(s, spec{id: "get-" + sh.one, method: http.MethodGet, path: sh.path() + "/{" + sh.one + "}", tag: "parts", access: public, params: sh.itemParam(),
		summary: "Show a " + sh.words, more: "One that the viewer may not see is not found.", errors: []int{notFound}, answer: sh.shown},
		func(ctx context.Context, in *teamInput) (*itemOutput[A], error) {
			c := callFrom(ctx)
			t, err := s.seen(ctx, c.viewer, in.ID)
			if err != nil {
				return nil, err
			}
			i, err := sh.find(*sh.items(&t.Profile), c.r.PathValue(sh.one))
			if err != nil {
				return nil, err
			}
			return &itemOutput[A]{ETag: etag(t.Revision), Body: sh.show(s, &t)[i]}, nil
		})
}

// find returns the index of the item that a path names.
func (sh *shelf[W, D, A, L]) find(list []D, ref string) (int, error) {
	if strings.Contains(ref, "/") { // a prefix, perhaps in another spelling
		if p, err := directory.ParsePrefix(ref); err == nil {
			ref = p.String()
		}
	}
	i := slices.IndexFunc(list, func(d D) bool { return sh.name(&d) == ref })
	if i < 0 {
		i = slices.IndexFunc(list, func(d D) bool { return strings.EqualFold(sh.name(&d), ref) })
	}
	if i < 0 {
		return i, inParameter(sh.one, edgeError(directory.NotFound, directory.Code(sh.one+".unknown"), ref, "the team has no such "+sh.words+", or you don't see it", sh.param))
	}
	return i, nil
}

func (sh *shelf[W, D, A, L]) decode(c *call) (w W, err error) {
	if sh.read != nil {
		return sh.read(c, sh.media)
	}
	data, err := c.body("application/json")
	if err != nil {
		return w, err
	}
	w, bad := format.DecodeItem[W](data)
	return w, invalid("read item", bad)
}

// parse makes an item of the domain of what was sent.
func (sh *shelf[W, D, A, L]) parse(w W, home directory.Country) (*D, error) {
	p, bad := format.ItemFrom(sh.list, w, home)
	if err := invalid("read item", bad); err != nil {
		return nil, err
	}
	return &(*sh.items(&p))[0], nil
}

func (sh *shelf[W, D, A, L]) add(ctx context.Context, s *Server, ref string) (*newItemOutput[A], error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	w, err := sh.decode(c)
	if err != nil {
		return nil, err
	}
	e := itemEdit[D]{}
	t, err := sh.edit(ctx, s, ref, revision, &e, func(now *directory.Team, _ *D) (*D, error) { return sh.parse(w, now.Country) })
	if err != nil {
		return nil, err
	}
	out := &newItemOutput[A]{ETag: etag(t.Revision)}
	i := slices.IndexFunc(*sh.items(&t.Profile), func(d D) bool { return sh.key(&d) == e.key })
	if i < 0 { // somebody added what only others see
		t.Profile = directory.Profile{}
		*sh.items(&t.Profile), i = []D{e.next}, 0
	} else {
		out.Location = teamsPath + string(t.ID) + "/" + sh.list + "/" + url.PathEscape(sh.name(&(*sh.items(&t.Profile))[i]))
	}
	if out.Body = sh.show(s, &t)[i]; sh.done != nil {
		sh.done(&out.Body, w)
	}
	return out, nil
}

func (sh *shelf[W, D, A, L]) replace(ctx context.Context, s *Server, ref string) (*itemOutput[A], error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	w, err := sh.decode(c)
	if err != nil {
		return nil, err
	}
	out, err := sh.change(ctx, s, ref, revision, func(now *directory.Team, _ *D) (*D, error) { return sh.parse(w, now.Country) })
	if err == nil && sh.done != nil {
		sh.done(&out.Body, w)
	}
	return out, err
}

func (sh *shelf[W, D, A, L]) patch(ctx context.Context, s *Server, ref string) (*itemOutput[A], error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	patch, err := c.body("application/merge-patch+json", "application/json")
	if err != nil {
		return nil, err
	}
	return sh.change(ctx, s, ref, revision, func(now *directory.Team, old *D) (*D, error) {
		var p directory.Profile
		*sh.items(&p) = []D{*old}
		wire := format.ProfileTo(p)
		w, bad := format.PatchItem(sh.wire(&wire)[0], patch)
		if err := invalid("read item", bad); err != nil {
			return nil, err
		}
		return sh.parse(w, now.Country)
	})
}

// change edits the item that the path names and shows it.
func (sh *shelf[W, D, A, L]) change(ctx context.Context, s *Server, ref string, revision int64, make func(*directory.Team, *D) (*D, error)) (*itemOutput[A], error) {
	e := itemEdit[D]{ref: callFrom(ctx).r.PathValue(sh.one)}
	t, err := sh.edit(ctx, s, ref, revision, &e, make)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(*sh.items(&t.Profile), func(d D) bool { return sh.key(&d) == e.key })
	if i < 0 { // somebody gave it a label that only others see
		t.Profile = directory.Profile{}
		*sh.items(&t.Profile), i = []D{e.next}, 0
	}
	return &itemOutput[A]{ETag: etag(t.Revision), Body: sh.show(s, &t)[i]}, nil
}

func (sh *shelf[W, D, A, L]) remove(ctx context.Context, s *Server, ref string) (*goneOutput, error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	e := itemEdit[D]{ref: c.r.PathValue(sh.one)}
	t, err := sh.edit(ctx, s, ref, revision, &e, nil)
	if err != nil {
		return nil, err
	}
	return &goneOutput{ETag: etag(t.Revision)}, nil
}

// itemEdit is an edit of one item.
type itemEdit[D any] struct {
	ref  string // what the path names; "": a new item
	key  string // of the item as it became
	next D
	at   int   // its index in the list that was written
	mine error // found here, about the body; others are about the profile
}

// edit edits one item of a team. make returns it as it shall be; a nil make
// takes it out.
func (sh *shelf[W, D, A, L]) edit(ctx context.Context, s *Server, ref string, revision int64, e *itemEdit[D], make func(*directory.Team, *D) (*D, error)) (directory.Team, error) {
	viewer := callFrom(ctx).viewer
	t, err := s.cfg.Directory.Edit(ctx, viewer, ref, directory.Edit{Revision: revision, Apply: func(now *directory.Team, own *directory.Profile) error {
		e.mine = sh.apply(viewer, e, now, own, make)
		return e.mine
	}})
	if e.mine != nil {
		return t, e.mine
	}
	return t, inPath(relocated(err, sh.list, e.at), ref)
}

func (sh *shelf[W, D, A, L]) apply(viewer directory.Principal, e *itemEdit[D], now *directory.Team, own *directory.Profile, make func(*directory.Team, *D) (*D, error)) error {
	shown := directory.Redact(now, viewer)
	visible := *sh.items(&shown.Profile)
	var old, next *D
	if e.ref != "" {
		i, err := sh.find(visible, e.ref)
		if err != nil {
			return err
		}
		old = &visible[i]
	}
	if make != nil {
		var err error
		if next, err = make(now, old); err != nil {
			return err
		}
		if old != nil {
			*sh.origin(next) = *sh.origin(old)
		}
		if sh.keep != nil {
			if err := sh.keep(next, old); err != nil {
				return err
			}
		}
		if err := sh.unique(visible, next, old); err != nil {
			return err
		}
		e.key, e.next = sh.key(next), *next
	}
	base := slices.Clone(*sh.items(&now.Profile))
	if sh.others {
		base = slices.Clone(*sh.items(own))
	}
	base, err := sh.put(base, e, next, old)
	if err == nil && base != nil {
		*sh.items(own) = base
	}
	return err
}

// unique refuses an item that is another one of the same list.
func (sh *shelf[W, D, A, L]) unique(visible []D, next, old *D) error {
	for i := range visible {
		if x := &visible[i]; x != old && sh.key(x) == sh.key(next) {
			return edgeError(directory.Conflict, "item.exists", sh.name(x), "the team has this "+sh.words+" already", "a change of that one")
		}
	}
	return nil
}

// put puts next in the place of old; nil is nothing to write.
func (sh *shelf[W, D, A, L]) put(base []D, e *itemEdit[D], next, old *D) ([]D, error) {
	e.at = -1
	if old != nil {
		e.at = slices.IndexFunc(base, func(d D) bool { return sh.key(&d) == sh.key(old) })
	}
	switch {
	case next != nil && old != nil && reflect.DeepEqual(next, old):
		return nil, nil
	case next == nil && e.at < 0:
		return nil, inParameter(sh.one, edgeError(directory.Conflict, "item.imported", e.ref, "it comes from the source "+sh.origin(old).Source+", which decides about it", "the "+sh.words+" with an end, which counts above the source's"))
	case next == nil:
		base = slices.Delete(base, e.at, e.at+1)
	case e.at < 0:
		base, e.at = append(base, *next), len(base)
	default:
		base[e.at] = *next
	}
	if base == nil || sh.others && len(base) == 0 {
		base = []D{}
	}
	return base, nil
}

// relocated turns what the domain says about a profile into what it means for
// the item at index at of a list, which is all that the client sent. What is
// about something else is about the whole of it. Of a stale revision the field
// is no pointer, and is told in words.
func relocated(err error, list string, at int) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || e.Kind != directory.Invalid && e.Kind != directory.Stale && e.Kind != directory.Conflict {
		return err
	}
	again := *e
	again.Problems = slices.Clone(e.Problems)
	prefix := "/" + list + "/" + strconv.Itoa(at)
	for i := range again.Problems {
		p := &again.Problems[i]
		rest, ok := strings.CutPrefix(p.Field, prefix)
		switch field := p.Field; {
		case ok && (rest == "" || rest[0] == '/'):
			p.Field = rest
		case e.Kind == directory.Stale && field != "":
			p.Field, p.Reason = "", field[1:]+" "+p.Reason
		case field != "":
			p.Field, p.Reason = "", p.Reason+" (of the team's "+field[1:]+")"
		}
	}
	return &again
}
