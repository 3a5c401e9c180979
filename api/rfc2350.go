package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

type (
	rfc2350Input struct {
		ID       string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Language string `query:"lang" maxLength:"64" doc:"Language of the prose, a BCP 47 tag; a section that lacks it comes in the nearest one that there is" example:"de-AT"`
		TLP      string `query:"tlp" maxLength:"16" doc:"Leave out what has a stricter TLP 2.0 label: clear, green, amber, amber+strict or red; absent is all that you may see" example:"clear"`
		Mask     bool   `query:"obfuscate" doc:"Write mail addresses as name(at)example(dot)org" example:"true"`
	}
	rfc2350Output struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Policy      string `header:"Content-Security-Policy" hidden:"true"`
		Vary        string `header:"Vary" doc:"Accept: the form depends on it"`
		Body        []byte
	}
)

func (s *Server) registerRFC2350() {
	sp := spec{id: "get-team-description", method: http.MethodGet, path: "/v1/teams/{id}/rfc2350", tag: "teams", access: public,
		summary: "Show a team's RFC 2350 document",
		more:    "All sections of RFC 2350 appendix D, with the team's prose, and from the record where there is none. As JSON section by section, or, as Accept asks, whole as plain text, Markdown or HTML.",
		errors:  []int{notFound}}
	register(s, sp, s.rfc2350)
	doc := s.huma.OpenAPI()
	ok := operationAt(doc.Paths[sp.path], sp.method).Responses["200"]
	ok.Content = map[string]*huma.MediaType{"application/json": {Schema: schemaOf[format.RFC2350Document](doc.Components.Schemas), Example: exampleRFC2350()}}
	for media, example := range map[string]string{
		"text/plain": "3.1 Mission Statement\n\nWe guard the network of Example University.\n", "text/markdown": "### 3.1 Mission Statement\n\nWe guard the network of Example University.\n",
		"text/html": "<h3 id=\"s3.1\">3.1 Mission Statement</h3>\n",
	} {
		ok.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
}

func exampleRFC2350() format.RFC2350Document {
	return format.RFC2350Document{
		ID: exampleTeamID, Handle: "example-csirt", Title: "Description of EXAMPLE-CSIRT according to RFC 2350", Label: "clear", Revision: 7, Updated: exampleDay(),
		Language: "en", Languages: []string{"de", "en"},
		Sections: []format.RFC2350Section{{Number: "3.1", Title: "Mission Statement", Text: "We guard the network of Example University.", Language: "en", Source: "prose"}},
	}
}

func (s *Server) rfc2350(ctx context.Context, in *rfc2350Input) (*rfc2350Output, error) {
	viewer, err := upTo(callFrom(ctx).viewer, in.TLP)
	if err != nil {
		return nil, err
	}
	o := format.RFC2350Options{Form: acceptedForm(callFrom(ctx).r.Header.Values("Accept")), Obfuscate: in.Mask}
	if in.Language != "" {
		if o.Language, err = directory.ParseLanguage(in.Language); err != nil {
			return nil, inParameter("lang", err)
		}
	}
	t, err := s.cfg.Directory.Team(ctx, viewer, in.ID)
	if err != nil {
		return nil, inPath(err, in.ID)
	}
	out := &rfc2350Output{Vary: "Accept"}
	var b bytes.Buffer
	switch o.Form {
	case "":
		out.ContentType = "application/json"
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err = e.Encode(format.DescribeRFC2350(&t, o))
	case format.RFC2350HTML:
		// The page says so itself; a frame around it can only be refused here.
		out.Policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		fallthrough
	default:
		out.ContentType = o.Form.MediaType()
		err = format.WriteRFC2350(&b, &t, o)
	}
	out.Body = b.Bytes()
	return out, err
}

// acceptedForm returns the form that an Accept header likes best (RFC 9110
// section 12.5.1), the first of several; "" is JSON, also where it likes none
// that there is.
func acceptedForm(accept []string) format.RFC2350Form {
	best, form := 0.0, format.RFC2350Form("")
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, rest, _ := strings.Cut(one, ";")
		f, known := map[string]format.RFC2350Form{
			"application/json": "", "application/*": "", "*/*": "", "text/plain": format.RFC2350Text, "text/*": format.RFC2350Text,
			"text/markdown": format.RFC2350Markdown, "text/html": format.RFC2350HTML,
		}[strings.ToLower(strings.TrimSpace(media))]
		if quality := qualityOf(rest); known && quality > best {
			best, form = quality, f
		}
	}
	return form
}

// qualityOf reads the weight among the parameters of a media range; 1 where
// there is none, 0 where it is no weight.
func qualityOf(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
			n, err := strconv.ParseFloat(q, 64)
			if err != nil || n < 0 || n > 1 {
				return 0
			}
			return n
		}
	}
	return 1
}
