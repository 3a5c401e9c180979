package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Digest is what about a team needs attention.
type Digest struct {
	Team  TeamRef      `json:"team" doc:"The team"`
	At    time.Time    `json:"at" format:"date-time" doc:"The moment of which this is the state"`
	Items []DigestItem `json:"items" doc:"What to look at, the most urgent first; empty where all is well"`
}

// DigestItem is one thing to look at.
type DigestItem struct {
	Finding
	Check string    `json:"check,omitzero" doc:"The check that found it; absent for what is known of contacts" example:"mx"`
	Since time.Time `json:"since,omitzero" format:"date-time" doc:"Since when it is so"`
	Due   time.Time `json:"due,omitzero" format:"date-time" doc:"By when to act"`
}

type digestOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Vary        string `header:"Vary" doc:"Accept: the form depends on it"`
	Body        []byte
}

func (s *Server) registerDigest() {
	item := DigestItem{Finding: exampleFinding(), Check: "mx"}
	item.Finding.Subject = "example.org"
	sp := spec{id: "get-digest", method: http.MethodGet, path: "/v1/teams/{id}/digest", tag: "verification", access: public,
		summary: "Show what about a team needs attention",
		more:    "Findings that somebody should act on, contacts whose proof failed or runs out, and what would leave the team out of reach, with what to do. As JSON, or as Accept asks as a text that can be sent.",
		errors:  []int{notFound}, answer: Digest{Team: exampleRef(), At: exampleDay(), Items: []DigestItem{item}}}
	register(s, sp, s.digest)
	doc := s.huma.OpenAPI()
	operationAt(doc.Paths[sp.path], sp.method).Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: schemaOf[Digest](doc.Components.Schemas), Example: sp.answer},
		"text/plain":       {Schema: &huma.Schema{Type: huma.TypeString}, Example: "EXAMPLE-CSIRT (example-csirt): 1 thing needs attention\n"},
	}
}

func (s *Server) digest(ctx context.Context, in *verificationInput) (*digestOutput, error) {
	k, err := s.known(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now().UTC()
	list := verify.Digest(&k.team, k.list, s.cfg.Policy, s.table.find, now)
	out := &digestOutput{ContentType: "application/json", Vary: "Accept"}
	ranges := strings.Split(strings.Join(callFrom(ctx).r.Header.Values("Accept"), ","), ",")
	if preference(ranges, "text/plain") > preference(ranges, "application/json") {
		out.ContentType, out.Body = "text/plain; charset=utf-8", []byte(verify.DigestText(&k.team, list, now))
		return out, nil
	}
	d := Digest{Team: refOf(&k.team), At: now, Items: []DigestItem{}}
	for i := range list {
		a := &list[i]
		item := DigestItem{Finding: s.table.finding(&a.Finding), Check: a.Check, Since: instantOf(a.Since), Due: instantOf(a.Due)}
		item.Title = a.Title
		d.Items = append(d.Items, item)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(d)
	out.Body = b.Bytes()
	return out, err
}
