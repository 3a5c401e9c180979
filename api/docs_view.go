package api

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// What the documentation's page shows.
type (
	docsPage struct {
		Title, Version, About string
		Style                 template.CSS
		Tags                  []docsTag
		Classes               []docsClass
		Problems              []docsAnswer
		Codes                 []directory.CodeInfo
		Schemas               []docsSchema
	}
	docsTag struct {
		Name, About string
		Operations  []docsOperation
	}
	docsOperation struct {
		ID, Method, Path, Summary, About string
		Access, Class, Curl              string
		Cost                             int
		Parameters                       []docsRow
		Body                             *docsBody
		Answers, Errors                  []docsAnswer
	}
	docsBody struct {
		Media   []string
		Type    docsType
		Example string
	}
	docsAnswer struct {
		Status  int
		About   string
		Media   []string
		Type    docsType
		Headers []docsRow
		Example string
	}
	docsRow struct {
		Name, In, About, Example string
		Required                 bool
		Type                     docsType
		Words                    []string
	}
	// docsType is a type in words, with the one schema that they lead to.
	docsType struct{ Before, Ref, After string }

	docsSchema struct {
		Name, About string
		Type        docsType
		Rows        []docsRow
	}
	docsClass struct {
		Name string
		Cost int
	}
)

// Known reports whether there is anything to say.
func (t docsType) Known() bool { return t != docsType{} }

func docsView(doc *huma.OpenAPI) (*docsPage, error) {
	p := &docsPage{Title: doc.Info.Title, Version: doc.Info.Version, About: doc.Info.Description, Style: template.CSS(docsCSS), Codes: AllCodes()} //nolint:gosec // our own file
	for _, c := range []rateClass{rateFree, rateLookup, rateRead, rateList, rateWrite, rateBulk} {
		p.Classes = append(p.Classes, docsClass{string(c), c.cost()})
	}
	for _, tag := range doc.Tags {
		t := docsTag{Name: tag.Name, About: tag.Description}
		for _, at := range slices.Sorted(maps.Keys(doc.Paths)) {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				op := docsFind(doc.Paths[at], method)
				if op == nil || !slices.Contains(op.Tags, tag.Name) {
					continue
				}
				one, err := docsOperationOf(doc, method, at, op)
				if err != nil {
					return nil, fmt.Errorf("documentation of %s: %w", op.OperationID, err)
				}
				t.Operations = append(t.Operations, one)
			}
		}
		p.Tags = append(p.Tags, t)
	}
	if err := p.problems(doc); err != nil {
		return nil, err
	}
	p.schemas(doc)
	return p, nil
}

func docsFind(item *huma.PathItem, method string) *huma.Operation {
	return map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete}[method]
}

func docsOperationOf(doc *huma.OpenAPI, method, at string, op *huma.Operation) (docsOperation, error) {
	o := docsOperation{ID: op.OperationID, Method: method, Path: at, Summary: op.Summary, About: op.Description, Access: accessText(op)}
	if rate, ok := op.Extensions["x-rate-limit"].(map[string]any); ok {
		o.Class, _ = rate["class"].(string)
		o.Cost, _ = rate["cost"].(int)
	}
	for _, p := range op.Parameters {
		row := schemaRow(p.Name, p.Schema)
		row.In, row.About, row.Required = p.In, p.Description, p.Required
		o.Parameters = append(o.Parameters, row)
	}
	if op.RequestBody != nil {
		b, err := bodyOf(op.RequestBody.Content)
		if err != nil {
			return o, err
		}
		o.Body = &b
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		a, err := answerOf(doc, status, op.Responses[status])
		switch {
		case err != nil:
			return o, err
		case a.Status >= 400:
			o.Errors = append(o.Errors, a)
		default:
			o.Answers = append(o.Answers, a)
		}
	}
	o.Curl = o.curl()
	return o, nil
}

func accessText(op *huma.Operation) string {
	anybody, token := false, false
	for _, one := range op.Security {
		anybody, token = anybody || len(one) == 0, token || len(one) > 0
	}
	switch {
	case anybody && token:
		return "For anybody; a token shows more."
	case anybody:
		return "For anybody; a token is not looked at."
	}
	return "Needs a token."
}

// bodyOf tells of the media types of one body, which share schema and example
// unless they differ.
func bodyOf(content map[string]*huma.MediaType) (docsBody, error) {
	var b docsBody
	for _, media := range slices.Sorted(maps.Keys(content)) {
		m := content[media]
		if b.Media = append(b.Media, media); b.Example != "" || m.Example == nil {
			continue
		}
		b.Type = typeText(m.Schema)
		text, err := exampleText(m.Example)
		if err != nil {
			return b, err
		}
		b.Example = text
	}
	if !b.Type.Known() && len(b.Media) > 0 {
		b.Type = typeText(content[b.Media[0]].Schema)
	}
	return b, nil
}

func answerOf(doc *huma.OpenAPI, status string, r *huma.Response) (docsAnswer, error) {
	n, err := strconv.Atoi(status)
	if err != nil {
		return docsAnswer{}, err
	}
	b, err := bodyOf(r.Content)
	a := docsAnswer{Status: n, About: r.Description, Media: b.Media, Type: b.Type, Example: b.Example}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		h := r.Headers[name]
		if h.Ref != "" {
			h = doc.Components.Headers[path.Base(h.Ref)]
		}
		row := schemaRow(name, h.Schema)
		row.About = h.Description
		if text := fmt.Sprint(h.Example); h.Example != nil {
			row.Example = text
		}
		a.Headers = append(a.Headers, row)
	}
	return a, err
}

// exampleText is JSON for people, and text as it is.
func exampleText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	if b, ok := v.([]byte); ok {
		return string(b), nil
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return strings.TrimSpace(b.String()), err
}

func schemaRow(name string, s *huma.Schema) docsRow {
	row := docsRow{Name: name, Type: typeText(s)}
	if s == nil {
		return row
	}
	row.About = s.Description
	enum := s.Enum
	if s.Items != nil && len(enum) == 0 {
		enum = s.Items.Enum
	}
	for _, word := range enum {
		row.Words = append(row.Words, fmt.Sprint(word))
	}
	if len(s.Examples) > 0 {
		text, err := json.Marshal(s.Examples[0])
		if plain, ok := s.Examples[0].(string); ok {
			text = []byte(plain)
		}
		if err == nil {
			row.Example = string(text)
		}
	}
	return row
}

// typeText says a type in words.
func typeText(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return docsType{Before: "anything"}
	case s.Ref != "":
		return docsType{Ref: path.Base(s.Ref)}
	case len(s.AnyOf) > 0:
		return alternatives(s.AnyOf)
	case len(s.OneOf) > 0:
		return alternatives(s.OneOf)
	case s.Type == huma.TypeArray:
		t := typeText(s.Items)
		t.Before = "list of " + t.Before
		return t
	case s.Type == "":
		return docsType{Before: "anything"}
	}
	text := s.Type
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	if inner, ok := s.AdditionalProperties.(*huma.Schema); ok {
		t := typeText(inner)
		t.Before = "object of " + t.Before
		return t
	}
	if s.Minimum != nil || s.Maximum != nil {
		text += ", " + bounds(s)
	}
	return docsType{Before: text}
}

func bounds(s *huma.Schema) string {
	switch {
	case s.Minimum == nil:
		return fmt.Sprintf("at most %v", *s.Maximum)
	case s.Maximum == nil:
		return fmt.Sprintf("at least %v", *s.Minimum)
	}
	return fmt.Sprintf("%v to %v", *s.Minimum, *s.Maximum)
}

// alternatives names all, with a link to the first that is a schema.
func alternatives(list []*huma.Schema) docsType {
	var out docsType
	for i, one := range list {
		t := typeText(one)
		or := ""
		if i > 0 {
			or = " or "
		}
		switch {
		case out.Ref == "" && t.Ref != "":
			out.Before, out.Ref, out.After = out.Before+or+t.Before, t.Ref, t.After
		case out.Ref == "":
			out.Before += or + t.Before
		default:
			out.After += or + t.Before + t.Ref + t.After
		}
	}
	return out
}

// curl is a command to try: required parameters with their examples, the
// example of the body, a token where one is needed.
func (o *docsOperation) curl() string {
	var args []string
	if o.Method != http.MethodGet {
		args = append(args, "-X "+o.Method)
	}
	if strings.HasPrefix(o.Access, "Needs") {
		args = append(args, `-H "Authorization: Bearer $ROLLCALL_TOKEN"`)
	}
	at, query := o.Path, []string{}
	for _, p := range o.Parameters {
		switch {
		case p.In == "path":
			at = strings.ReplaceAll(at, "{"+p.Name+"}", p.Example)
		case p.In == "query" && p.Required:
			query = append(query, p.Name+"="+p.Example)
		case p.In == "header" && p.Name == "If-Match":
			args = append(args, "-H "+quoteShell(p.Name+": "+p.Example))
		}
	}
	if o.Body != nil {
		args = append(args, "-H "+quoteShell("Content-Type: "+preferJSON(o.Body.Media)), "--data-binary "+quoteShell(compact(o.Body.Example)))
	}
	if len(query) > 0 {
		at += "?" + strings.Join(query, "&")
	}
	return strings.Join(append(append([]string{"curl"}, args...), `"$ROLLCALL`+at+`"`), " ")
}

func preferJSON(media []string) string {
	if slices.Contains(media, "application/json") && !slices.Contains(media, "application/octet-stream") {
		return "application/json"
	}
	if slices.Contains(media, "application/octet-stream") {
		return "application/octet-stream"
	}
	return media[0]
}

// compact puts JSON on one line; other text stays.
func compact(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	short, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(short)
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (p *docsPage) problems(doc *huma.OpenAPI) error {
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Examples)) {
		status, err := strconv.Atoi(strings.TrimPrefix(name, "problem-"))
		if err != nil {
			continue // an example of something else
		}
		text, err := exampleText(doc.Components.Examples[name].Value)
		if err != nil {
			return err
		}
		p.Problems = append(p.Problems, docsAnswer{Status: status, About: http.StatusText(status), Example: text})
	}
	return nil
}

func (p *docsPage) schemas(doc *huma.OpenAPI) {
	all := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		one := docsSchema{Name: name, About: s.Description, Type: typeText(s)}
		for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
			row := schemaRow(field, s.Properties[field])
			row.Required = slices.Contains(s.Required, field)
			one.Rows = append(one.Rows, row)
		}
		p.Schemas = append(p.Schemas, one)
	}
}
