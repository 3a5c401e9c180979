package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// maxReference is the largest file of reference data; that of all five
// registries together has some 60 MB.
const maxReference = 256 << 20

// referencePatience is how long an upload may take.
const referencePatience = 10 * time.Minute

// ReferenceSet is one loaded set of reference data.
type ReferenceSet struct {
	Kind   string    `json:"kind" enum:"prefix-country,prefix-asn,asn-country" doc:"What it maps to what" example:"prefix-country"`
	Source string    `json:"source" doc:"Where it is from" example:"ripencc"`
	AsOf   time.Time `json:"as_of,omitzero" format:"date-time" doc:"The day that it describes; absent: unknown"`
	Loaded time.Time `json:"loaded" format:"date-time" doc:"When it was loaded here"`
	Rows   int       `json:"rows" doc:"Entries" example:"243034"`
	Hash   string    `json:"hash" doc:"SHA-256 of the entries"`
	Seq    int64     `json:"seq" doc:"Number of the change that loaded it" example:"812"`
}

// ReferenceList is all sets of reference data.
type ReferenceList struct {
	Sets []ReferenceSet `json:"sets" doc:"By kind and source"`
}

// RowNote is what is said about one row of a file.
type RowNote struct {
	Row    int    `json:"row" doc:"Line or row number, from 1" example:"17"`
	Code   string `json:"code" doc:"Stable code" example:"prefix.syntax"`
	Value  string `json:"value,omitzero" doc:"The value, shortened"`
	Reason string `json:"reason" doc:"What is wrong with it"`
	Want   string `json:"want,omitzero" doc:"What would be right"`
}

// ReferenceReport says what an upload did, or would do.
type ReferenceReport struct {
	DryRun    bool      `json:"dry_run" doc:"Nothing was written"`
	Rows      int       `json:"rows" doc:"Rows of the file: created, updated, unchanged and skipped" example:"3"`
	Created   int       `json:"created" doc:"Rows whose entry is new" example:"2"`
	Updated   int       `json:"updated" doc:"Rows whose entry says something else than before"`
	Unchanged int       `json:"unchanged" doc:"Rows whose entry was there already"`
	Skipped   int       `json:"skipped" doc:"Rows that say nothing of use" example:"1"`
	Removed   int       `json:"removed" doc:"Entries that the file no longer has"`
	Problems  []RowNote `json:"problems" doc:"Why rows were skipped, the first thousand"`
	Notes     []RowNote `json:"notes" doc:"What somebody should look at, the first thousand"`
	Seq       int64     `json:"seq,omitzero" doc:"Number of the change; absent when nothing was written" example:"812"`
}

type (
	referenceInput struct {
		Kind   string `path:"kind" enum:"prefix-country,prefix-asn,asn-country" doc:"What it maps to what" example:"prefix-country"`
		Source string `path:"source" maxLength:"64" doc:"Where it is from: 2 to 64 of a-z, 0-9, dot and hyphen" example:"ripencc"`
	}
	referenceUpload struct {
		Kind   string `path:"kind" enum:"prefix-country,prefix-asn,asn-country" doc:"What it maps to what" example:"prefix-country"`
		Source string `path:"source" maxLength:"64" doc:"Where it is from: 2 to 64 of a-z, 0-9, dot and hyphen" example:"ripencc"`
		Format string `query:"format" enum:"prefix-country,prefix-asn,rir-delegated" doc:"Of the file; absent: that of the kind, and rir-delegated for asn-country. Of a registry's file the entries of the kind are taken" example:"rir-delegated"`
		AsOf   string `query:"as_of" format:"date" maxLength:"10" doc:"The day that the file describes; absent: as it says itself" example:"2026-11-20"`
		DryRun bool   `query:"dry_run" doc:"Report, and write nothing" example:"true"`
		Force  bool   `query:"force" doc:"Change as much as the file demands" example:"true"`
	}
	referencesOutput struct{ Body ReferenceList }
	referenceOutput  struct{ Body ReferenceSet }
	reportOutput     struct{ Body ReferenceReport }
)

func (s *Server) registerReference() {
	one := ReferenceSet{Kind: "prefix-country", Source: "ripencc", AsOf: exampleDay().AddDate(0, 0, -1), Loaded: exampleDay(), Rows: 243034, Hash: strings.Repeat("5f", 32), Seq: 812}
	register(s, spec{id: "list-reference", method: http.MethodGet, path: "/v1/reference", tag: "reference", access: public,
		summary: "List the reference data", more: "Which address space and networks belong to which country, and which networks announce which address space: from where, how old, how much.",
		answer: ReferenceList{Sets: []ReferenceSet{one}}}, s.listReference)
	register(s, spec{id: "get-reference", method: http.MethodGet, path: "/v1/reference/{kind}/{source}", tag: "reference", access: public,
		summary: "Show a set of reference data", more: "From where, how old, how much.", errors: []int{notFound}, answer: one}, s.getReference)
	register(s, spec{id: "put-reference", maxBody: maxReference, rate: rateBulk, method: http.MethodPut, path: "/v1/reference/{kind}/{source}", tag: "reference", access: token,
		summary: "Load a set of reference data",
		more: "The body is the file, plain or gzip, up to 256 MiB; it replaces the set, all of it or nothing. A file that would change more than a share of what is loaded is refused unless force. " +
			"For operators with the scope import.",
		errors: []int{conflict}, media: []string{"text/csv", "text/plain", "application/octet-stream"},
		body: "prefix,country\n192.0.2.0/24,AT\n", answer: ReferenceReport{Rows: 1, Created: 1, Problems: []RowNote{}, Notes: []RowNote{}, Seq: 812}}, s.putReference)
	register(s, spec{id: "delete-reference", method: http.MethodDelete, path: "/v1/reference/{kind}/{source}", tag: "reference", access: token, status: http.StatusNoContent,
		summary: "Take out a set of reference data", more: "For operators with the scope import.", errors: []int{notFound}}, s.deleteReference)
}

func (s *Server) sets(ctx context.Context) ([]ReferenceSet, error) {
	list, err := s.cfg.Directory.References(ctx)
	sets := make([]ReferenceSet, len(list))
	for i, r := range list {
		sets[i] = ReferenceSet{Kind: string(r.Kind), Source: r.Source, AsOf: utc(r.AsOf), Loaded: utc(r.Loaded), Rows: r.Rows, Hash: r.Hash, Seq: r.Seq}
	}
	return sets, err
}

func (s *Server) listReference(ctx context.Context, _ *struct{}) (*referencesOutput, error) {
	sets, err := s.sets(ctx)
	if err != nil {
		return nil, err
	}
	return &referencesOutput{ReferenceList{sets}}, nil
}

func (s *Server) getReference(ctx context.Context, in *referenceInput) (*referenceOutput, error) {
	sets, err := s.sets(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(sets, func(r ReferenceSet) bool { return r.Kind == in.Kind && r.Source == in.Source })
	if i < 0 {
		return nil, inParameter("source", edgeError(directory.NotFound, "reference.unknown", in.Source, "no such reference data is loaded", "a source from the list of reference data"))
	}
	return &referenceOutput{sets[i]}, nil
}

func (s *Server) deleteReference(ctx context.Context, in *referenceInput) (*struct{}, error) {
	err := s.cfg.Directory.RemoveReference(ctx, callFrom(ctx).viewer, directory.ReferenceKind(in.Kind), in.Source)
	if directory.KindOf(err) == directory.NotFound {
		err = inParameter("source", err)
	}
	return nil, err
}

func (s *Server) putReference(ctx context.Context, in *referenceUpload) (*reportOutput, error) {
	c := callFrom(ctx)
	opt, err := in.options(s, callFrom(ctx))
	if err != nil {
		return nil, err
	}
	items, err := in.items(c)
	if err != nil {
		return nil, err
	}
	report, err := s.cfg.Directory.ImportReference(ctx, c.viewer, opt, items)
	if err != nil {
		return nil, uploadError(err)
	}
	out := ReferenceReport{
		DryRun: report.DryRun, Rows: report.Rows, Created: report.Created, Updated: report.Updated, Unchanged: report.Unchanged, Skipped: report.Skipped,
		Removed: report.Records.Removed, Problems: rowNotes(report.Problems), Notes: rowNotes(report.Notes), Seq: report.Seq,
	}
	return &reportOutput{out}, nil
}

func (in *referenceUpload) options(s *Server, c *call) (directory.ImportOptions, error) {
	opt := directory.ImportOptions{Source: in.Source, Format: in.Format, DryRun: in.DryRun, Force: in.Force}
	if _, err := directory.ParseHandle(in.Source); err != nil || in.Source == directory.SourceTeam {
		return opt, inParameter("source", edgeError(directory.Invalid, "import.source", in.Source, "not a name for a source", "2 to 64 of a-z, 0-9, dot and hyphen; not "+directory.SourceTeam))
	}
	if in.AsOf == "" {
		return opt, nil
	}
	day, err := directory.ParseDate(in.AsOf)
	if err == nil && day.Time().After(s.cfg.Now()) {
		err = directory.Problem{Code: "date.future", Value: in.AsOf, Reason: "a day that has not come yet", Want: "the day that the file describes"}
	}
	opt.AsOf = day.Time()
	return opt, inParameter("as_of", err)
}

// items returns the entries of the kind in the path, as the codec reads them
// off the body.
func (in *referenceUpload) items(c *call) (directory.ReferenceItems, error) {
	given := c.r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(given); err != nil || !slices.Contains([]string{"text/csv", "text/plain", "application/gzip", "application/octet-stream"}, media) {
		return nil, inParameter("Content-Type", edgeError(wrongMedia, "body.media-type", given, "not a media type that this operation reads", "text/csv or text/plain"))
	}
	if c.r.ContentLength == 0 {
		return nil, edgeError(malformed, "body.missing", "", "this operation needs a body", "a file of reference data")
	}
	codec, err := in.codec()
	if err != nil {
		return nil, err
	}
	// A registry's file takes longer than other requests may.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(referencePatience)) // of the connection; a recorder has none
	all := codec(http.MaxBytesReader(c.w, c.r.Body, maxReference))
	return func(yield func(directory.ReferenceItem) bool) {
		for item := range all {
			other := item.Fatal == nil && item.Skipped == nil && item.Note == nil && item.Kind != directory.ReferenceKind(in.Kind)
			if !other && !yield(item) {
				return
			}
		}
	}, nil
}

func (in *referenceUpload) codec() (func(io.Reader) directory.ReferenceItems, error) {
	name := in.Format
	if name == "" {
		name = in.Kind
	}
	switch {
	case name == "prefix-country" && in.Kind == name:
		return format.PrefixCountry, nil
	case name == "prefix-asn" && in.Kind == name:
		return format.PrefixASN, nil
	case in.Kind != "prefix-asn" && (in.Format == "rir-delegated" || name == "asn-country"):
		return format.RIRDelegated, nil
	}
	return nil, inParameter("format", edgeError(directory.Invalid, "parameter.invalid", in.Format, "a file of this format says nothing of this kind", "the format of the kind"))
}

// uploadError tells a body that was too large or cut off from one that is wrong.
func uploadError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return edgeError(tooLarge, "body.too-large", "", fmt.Sprintf("more than %d bytes", maxReference), "a smaller file")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return edgeError(malformed, "body.unreadable", "", "the body ended before it was complete", "")
	}
	return err
}

// rowNotes shows at most a thousand rows.
func rowNotes(list []directory.RowProblem) []RowNote {
	out := make([]RowNote, min(len(list), 1000))
	for i := range out {
		p := &list[i]
		out[i] = RowNote{Row: p.Row, Code: string(p.Code), Value: p.Value, Reason: p.Reason, Want: p.Want}
	}
	return out
}
