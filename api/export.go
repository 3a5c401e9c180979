package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

const (
	// exportPause is how long a client may take for one piece of an export.
	exportPause = 30 * time.Second
	// maxExport is how long a client may take for all of it: who reads a piece
	// now and then keeps an old index in memory.
	maxExport = 30 * time.Minute
)

type (
	exportInput struct {
		Format  string `path:"format" maxLength:"64" doc:"Name of the format" example:"vcard"`
		Country string `query:"country" maxLength:"64" doc:"Only teams of this country: ISO 3166-1 alpha-2, EU or XK" example:"AT"`
		Kind    string `query:"kind" enum:"csirt,psirt,soc,isac,coordination,national,national-responsibility,government,sector,nren,enterprise,commercial,publicly-funded,pirt,military" doc:"Only teams of this kind" example:"csirt"`
		Sector  string `query:"sector" enum:"energy,transport,banking,financial,health,drinking-water,waste-water,digital-infrastructure,ict-services,public-administration,space,courier,waste-management,chemical,food,manufacturing,digital-providers,research" doc:"Only teams with this NIS2 sector in their constituency" example:"energy"`
		Forum   string `query:"forum" maxLength:"64" doc:"Only present members of this forum" example:"first"`
		State   string `query:"state" enum:"verified,due,overdue,unverified,disputed,failed" doc:"Only teams of which a contact that you see is in this state" example:"verified"`
		TLP     string `query:"tlp" maxLength:"16" doc:"Leave out what has a stricter TLP 2.0 label, for what is handed on: clear, green, amber, amber+strict or red; absent is all that you may see" example:"clear"`
	}
	teamExportInput struct {
		ID     string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Format string `path:"format" maxLength:"64" doc:"Name of the format" example:"vcard"`
		TLP    string `query:"tlp" maxLength:"16" doc:"Leave out what has a stricter TLP 2.0 label: clear, green, amber, amber+strict or red; absent is all that you may see" example:"clear"`
	}
	fileOutput struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Disposition string `header:"Content-Disposition" doc:"The name for a file of it (RFC 6266)"`
		Body        []byte
	}
)

func (s *Server) registerExport() {
	all := spec{id: "export-teams", rate: rateBulk, method: http.MethodGet, path: "/v1/export/{format}", tag: "teams", access: public,
		summary: "Export teams in another format",
		more: "Every team that passes all filters, as you may see it, in the order of handles and as of one moment. The answer is streamed: it is whole only when it ends as HTTP says that it does " +
			"(the last chunk, or the end of the stream in HTTP/2). One that can't be finished is cut off.",
		errors: []int{notFound}}
	register(s, all, s.exportTeams)
	one := spec{id: "export-team", method: http.MethodGet, path: "/v1/teams/{id}/export/{format}", tag: "teams", access: public,
		summary: "Export a team in another format", more: "In the shape of an export of several teams that holds this one.",
		errors: []int{notFound}}
	register(s, one, s.exportTeam)
	for _, sp := range []spec{all, one} {
		s.describeExport(sp)
	}
}

// describeExport puts the formats into the document: the names that a path can
// have, and for each media type what a format makes of the example.
func (s *Server) describeExport(sp spec) {
	op := operationAt(s.huma.OpenAPI().Paths[sp.path], sp.method)
	content := map[string]*huma.MediaType{}
	var about []string
	for _, e := range format.Exporters() {
		media, _, _ := mime.ParseMediaType(e.MediaType)
		content[media] = exportMedia(e, media)
		about = append(about, fmt.Sprintf("%s (%s)", e.Name, e.About))
	}
	if op.Responses["200"] == nil {
		op.Responses["200"] = &huma.Response{Description: "OK", Headers: map[string]*huma.Param{
			"Content-Disposition": {Description: "The name for a file of it (RFC 6266)", Schema: &huma.Schema{Type: huma.TypeString}},
			"X-Request-Id":        {Description: "The id of the request, as in the server's log", Schema: &huma.Schema{Type: huma.TypeString}},
		}}
	}
	op.Responses["200"].Content = content
	for _, p := range op.Parameters {
		if p.Name == "format" {
			p.Description = "Name of the format: " + strings.Join(about, "; ")
		}
	}
}

// exportMedia describes a format by an example of it. The shape of JSON is that
// of another standard, and so has no schema here.
func exportMedia(e format.Exporter, media string) *huma.MediaType {
	var b bytes.Buffer
	_ = e.Write(&b, format.ExportOptions{Now: exampleDay()}, theseTeams(exampleRecord())) // a Buffer takes everything
	if !strings.HasSuffix(media, "json") {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: b.String()}
	}
	var example any
	if err := json.Unmarshal(b.Bytes(), &example); err != nil { // several values, one a line
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: b.String()}
	}
	return &huma.MediaType{Schema: &huma.Schema{}, Example: example}
}

func theseTeams(list ...directory.Team) format.Teams {
	return func(yield func(directory.Team, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// exampleRecord is the team of the examples as the directory knows it.
func exampleRecord() directory.Team {
	profile, _ := format.ProfileFrom(exampleProfile()) // a test holds the example against its schema
	return directory.Team{ID: exampleTeamID, Handle: "example-csirt", Revision: 7, Seq: 812, Created: exampleDay().AddDate(-1, 0, 0), Updated: exampleDay(), Profile: profile}
}

// exporter returns the format with the name in a path.
func exporter(name string) (format.Exporter, error) {
	e, ok := format.FindExporter(name)
	if !ok {
		var names []string
		for _, e := range format.Exporters() {
			names = append(names, e.Name)
		}
		return e, inParameter("format", edgeError(directory.NotFound, "export.format", name, "there is no format of this name", "one of "+strings.Join(names, ", ")))
	}
	return e, nil
}

// upTo returns p as somebody who asks for at most a label. A + in a query is a
// space by then.
func upTo(p directory.Principal, label string) (directory.Principal, error) {
	if label == "" {
		return p, nil
	}
	var err error
	p.AtMost, err = directory.ParseTLP(strings.ReplaceAll(label, " ", "+"))
	return p, inParameter("tlp", err)
}

func (in *exportInput) filter() (f directory.Filter, err error) {
	f = directory.Filter{Kind: in.Kind, Sector: in.Sector, State: directory.State(in.State)}
	if in.Country != "" {
		if f.Country, err = directory.ParseCountry(in.Country); err != nil {
			return f, inParameter("country", err)
		}
	}
	if in.Forum != "" {
		forum, err := directory.ParseHandle(in.Forum)
		if err != nil {
			return f, inParameter("forum", err)
		}
		f.Forum = string(forum)
	}
	return f, nil
}

func (s *Server) exportTeams(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	e, err := exporter(in.Format)
	if err != nil {
		return nil, err
	}
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	viewer, err := upTo(callFrom(ctx).viewer, in.TLP)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		ctx, cancel := context.WithTimeout(hc.Context(), maxExport)
		defer cancel()
		now := s.cfg.Now()
		s.stream(hc, e, "rollcall-"+e.Name+"-"+now.UTC().Format(time.DateOnly), s.cfg.Index().Each(ctx, viewer, filter, s.cfg.Policy, now), now)
	}}, nil
}

// stream writes an export to the client. What goes wrong before the first piece
// is a problem like any other; after it the connection is cut.
func (s *Server) stream(hc huma.Context, e format.Exporter, name string, teams format.Teams, now time.Time) {
	c := callFrom(hc.Context())
	out := &exportWriter{hc: hc, control: http.NewResponseController(c.w), header: fileHeader(e, name)}
	err := e.Write(out, format.ExportOptions{Now: now, Policy: s.cfg.Policy}, teams)
	switch {
	case err == nil:
		out.begin() // an export may be empty
	case !out.begun:
		s.refuseIn(hc, c, err)
	default:
		if hc.Context().Err() == nil {
			s.cfg.Log.Warn("export cut off", "request", c.id, "format", e.Name, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
}

func fileHeader(e format.Exporter, name string) map[string]string {
	return map[string]string{
		"Content-Type":        e.MediaType,
		"Content-Disposition": mime.FormatMediaType("attachment", map[string]string{"filename": name + e.Extension}),
	}
}

// exportWriter begins the answer with its first piece and gives the client the
// same time for each.
type exportWriter struct {
	hc      huma.Context
	control *http.ResponseController
	header  map[string]string
	begun   bool
}

// Write implements [io.Writer].
func (w *exportWriter) Write(b []byte) (int, error) {
	w.begin()
	// The server's own limit is for answers that are made whole; where the
	// connection can't be given another one, that one stays.
	if err := w.control.SetWriteDeadline(time.Now().Add(exportPause)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.hc.BodyWriter().Write(b)
}

func (w *exportWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	for name, value := range w.header {
		w.hc.SetHeader(name, value)
	}
	w.hc.SetStatus(http.StatusOK)
}

// refuseIn answers with the problem that err is, where Huma has left the answer
// to the handler.
func (s *Server) refuseIn(hc huma.Context, c *call, err error) {
	p := s.explain(hc.Context(), c, err)
	for name := range p.header {
		hc.SetHeader(name, p.header.Get(name))
	}
	hc.SetHeader("Content-Type", problemType)
	hc.SetStatus(p.Status)
	e := json.NewEncoder(hc.BodyWriter())
	e.SetEscapeHTML(false)
	_ = e.Encode(p) // the client has gone
}

func (s *Server) exportTeam(ctx context.Context, in *teamExportInput) (*fileOutput, error) {
	e, err := exporter(in.Format)
	if err != nil {
		return nil, err
	}
	viewer, err := upTo(callFrom(ctx).viewer, in.TLP)
	if err != nil {
		return nil, err
	}
	t, err := s.cfg.Directory.Team(ctx, viewer, in.ID)
	if err != nil {
		return nil, inPath(err, in.ID)
	}
	var b bytes.Buffer
	err = e.Write(&b, format.ExportOptions{Now: s.cfg.Now(), Policy: s.cfg.Policy}, theseTeams(t))
	header := fileHeader(e, cmp.Or(string(t.Handle), "team"))
	return &fileOutput{ContentType: header["Content-Type"], Disposition: header["Content-Disposition"], Body: b.Bytes()}, err
}
