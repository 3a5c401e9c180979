package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// Change is one change of a team.
type Change struct {
	Seq        int64        `json:"seq" doc:"Number of the change in the directory's one sequence" example:"812"`
	Op         string       `json:"op" enum:"upsert,delete" doc:"What to do with a copy: keep data in place of what is there, or forget the team" example:"upsert"`
	Type       string       `json:"type" enum:"team" doc:"What changed" example:"team"`
	ID         string       `json:"id" format:"uuid" doc:"The team's id" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Revision   int64        `json:"rev" doc:"The revision that data is; of a delete, the one of the change" example:"7"`
	At         time.Time    `json:"at" format:"date-time" doc:"When the change was made"`
	MergedInto string       `json:"merged_into,omitzero" format:"uuid" doc:"The team that this one became part of, where the delete is a merge" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Data       *format.Team `json:"data,omitzero" doc:"The team as it is now and as the viewer may see it; absent in a delete"`
}

// ChangePage is a page of changes.
type ChangePage struct {
	Changes []Change `json:"changes" doc:"In the order of their numbers, which have gaps; a team is on a page once, at its last change there"`
	Next    int64    `json:"next" doc:"What to send as after for what follows; all up to it is on this page or before" example:"812"`
	Head    int64    `json:"head" doc:"The number of the newest change; a copy is level with the server when next is head" example:"900"`
	Epoch   string   `json:"epoch" doc:"What the numbers belong to: the database and what the viewer may see; send it along" example:"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"`
}

type (
	changesInput struct {
		After int64  `query:"after" minimum:"0" doc:"Only changes above this number: the next of the page before, or the seq of a snapshot" example:"811"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"500" doc:"Changes on a page at most; a page of large teams holds fewer" example:"500"`
		Wait  int    `query:"wait" minimum:"0" maximum:"60" doc:"Seconds to wait for a change when there is none yet" example:"30"`
		Epoch string `query:"epoch" maxLength:"64" doc:"The epoch of the snapshot or page before; when it is another by now, the answer is changes.epoch" example:"3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"`
	}
	changesOutput struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Body        []byte
	}
)

const (
	// maxPage is the size from which a page of changes ends.
	maxPage = 4 << 20
	// maxWaiters is how many requests wait for a change at once. Each costs a
	// connection and some 20 kB.
	maxWaiters = 4000
	// patience is how long a client may take to read an answer.
	patience = time.Minute
)

func (s *Server) registerChanges() {
	team := exampleTeam()
	sp := spec{id: "changes", method: http.MethodGet, path: "/v1/changes", tag: "sync", access: public,
		summary: "Follow the changes",
		more: "What changed among the teams after a number. Each change carries the team as it is now; later changes may be in it already and follow under their own numbers, so that a copy to which all are applied in order " +
			"ends as the server's. Nothing is ever pruned: after 0 comes everything. Numbers that are not on a page belong to other things than teams. With wait the answer comes as soon as there is a change. " +
			"409 changes.epoch means that the copy is worth nothing any more, because the database was restored or the viewer may see other things than before: start from a new snapshot.",
		errors: []int{conflict},
		answer: ChangePage{Changes: []Change{
			{Seq: 812, Op: "upsert", Type: "team", ID: team.ID, Revision: team.Revision, At: exampleDay(), Data: &team},
			{Seq: 813, Op: "delete", Type: "team", ID: "0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d", Revision: 2, At: exampleDay(), MergedInto: team.ID},
		}, Next: 813, Head: 900, Epoch: "3f6c0e9d5b1a47c28e90d1f2a3b4c5d6"}}
	register(s, sp, s.changes)
	doc := s.huma.OpenAPI()
	operationAt(doc.Paths[sp.path], sp.method).Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: schemaOf[ChangePage](doc.Components.Schemas), Example: sp.answer}}
}

// Release ends the waiting for changes: everybody who waits is answered at
// once, and nobody waits from then on. A server that stops calls it first, or
// it would stop only when the last one has waited enough.
func (s *Server) Release() { s.release() }

// epoch is what sequence numbers belong to for one viewer. It is another one
// after a restore, and when the viewer may see other things than before: then
// teams look different that did not change.
func epoch(x *directory.Index, viewer *directory.Principal) string {
	sum := sha256.Sum256([]byte(x.Epoch() + "\n" + viewer.View()))
	return hex.EncodeToString(sum[:16])
}

// feed is one request for changes.
type feed struct {
	s     *Server
	c     *call
	epoch string // of the request, or of the first index that was looked at
	after int64
	limit int
}

func (s *Server) changes(ctx context.Context, in *changesInput) (*changesOutput, error) {
	f := &feed{s: s, c: callFrom(ctx), epoch: in.Epoch, after: in.After, limit: in.Limit}
	_ = http.NewResponseController(f.c.w).SetWriteDeadline(time.Now().Add(time.Duration(in.Wait)*time.Second + patience))
	body, err := f.look(ctx)
	if err == nil && body == nil && in.Wait > 0 {
		body, err = f.wait(ctx, time.Duration(in.Wait)*time.Second)
	}
	if err == nil && body == nil {
		body, err = f.empty()
	}
	if err != nil {
		return nil, err
	}
	return &changesOutput{ContentType: "application/json", Body: body}, nil
}

// wait looks again whenever the index has moved, until there is something to
// tell, time is up or the server stops. nil is nothing.
func (f *feed) wait(ctx context.Context, most time.Duration) (body []byte, err error) {
	leave, ok := f.s.waiters.enter(&f.c.viewer)
	if !ok {
		return nil, busy("changes.busy", "too many wait for changes already", "the same request without wait, or in a moment")
	}
	defer leave()
	// ReadTimeout runs on while a handler works, and its end cancels ctx.
	_ = http.NewResponseController(f.c.w).SetReadDeadline(time.Time{})
	timer := time.NewTimer(most)
	defer timer.Stop()
	for body == nil && err == nil {
		moved := f.s.moved()
		if body, err = f.look(ctx); body != nil || err != nil {
			break
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil, nil
		case <-f.s.stopping:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil || !f.c.viewer.SignedIn() {
		return body, err
	}
	return f.again(ctx, body)
}

// again asks who it is that waited, once there is something to tell: a token
// may have been revoked meanwhile, or see other things than before.
func (f *feed) again(ctx context.Context, body []byte) ([]byte, error) {
	viewer, err := f.s.authenticate(ctx, f.c.r.Header["Authorization"])
	if err != nil {
		return nil, err
	}
	if viewer.View() != f.c.viewer.View() {
		return nil, wrongEpoch("epoch", f.epoch)
	}
	return body, nil
}

// look returns a page, or nil when there are no changes yet; those of other
// things than teams are left behind.
func (f *feed) look(ctx context.Context) ([]byte, error) {
	x, err := f.index(ctx)
	if err != nil {
		return nil, err
	}
	for f.after < x.Seq() {
		list, next, err := f.s.cfg.Directory.Changes(ctx, x, f.after, f.limit)
		if err != nil {
			return nil, placedEpoch(err, f.epoch)
		}
		if len(list) > 0 {
			return f.page(x, list, next), nil
		}
		f.after = next
	}
	return nil, nil
}

// index returns an index that the request fits to. Another node of the same
// database may be ahead of this one and have answered before, so that one that
// does not fit is brought level first.
func (f *feed) index(ctx context.Context) (*directory.Index, error) {
	x := f.s.cfg.Index()
	if where := f.misfit(x); where != "" && f.s.cfg.Sync != nil {
		_ = f.s.cfg.Sync(ctx) // the index tells by itself that it can't follow
		x = f.s.cfg.Index()
	}
	if x == nil {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "read changes", Err: errors.New("no index yet")}
	}
	switch f.misfit(x) {
	case "epoch":
		return nil, wrongEpoch("epoch", f.epoch)
	case "after":
		return nil, wrongEpoch("after", strconv.FormatInt(f.after, 10))
	}
	f.epoch = epoch(x, &f.c.viewer)
	return x, nil
}

// misfit names the parameter of the request that x is not for.
func (f *feed) misfit(x *directory.Index) string {
	switch {
	case x == nil, f.epoch != "" && f.epoch != epoch(x, &f.c.viewer):
		return "epoch"
	case f.after > x.Seq():
		return "after"
	}
	return ""
}

func wrongEpoch(parameter, value string) error {
	return inParameter(parameter, edgeError(directory.Conflict, "changes.epoch", value,
		"the numbers are of another database, or of a viewer who saw other things", "a new snapshot, and the changes after its number"))
}

// placedEpoch says that err is about the epoch, where it is.
func placedEpoch(err error, value string) error {
	if errors.Is(err, directory.ErrEpoch) {
		return wrongEpoch("epoch", value)
	}
	return err
}

func busy(code directory.Code, reason, want string) error {
	return &directory.Error{Kind: directory.Unavailable, Op: "wait", Problems: []directory.Problem{{Code: code, Reason: reason, Want: want}}}
}

// empty is the page of somebody who is level.
func (f *feed) empty() ([]byte, error) {
	x := f.s.cfg.Index()
	if f.misfit(x) != "" {
		return nil, wrongEpoch("epoch", f.epoch)
	}
	return f.end([]byte(`{"changes":[`), f.after, max(f.after, x.Seq())), nil
}

// page writes changes until it is large enough.
func (f *feed) page(x *directory.Index, list []directory.TeamChange, next int64) []byte {
	var b bytes.Buffer
	b.WriteString(`{"changes":[`)
	now := f.s.cfg.Now()
	for i := range list {
		if b.Len() > maxPage {
			next = list[i-1].Seq
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		f.change(&b, &list[i], now)
	}
	return f.end(b.Bytes(), next, x.Seq())
}

func (f *feed) end(b []byte, next, head int64) []byte {
	b = strconv.AppendInt(append(b, `],"next":`...), next, 10)
	b = strconv.AppendInt(append(b, `,"head":`...), head, 10)
	return append(appendString(append(b, `,"epoch":`...), f.epoch), "}\n"...)
}

// change writes one change in the shape of [Change].
func (f *feed) change(b *bytes.Buffer, c *directory.TeamChange, now time.Time) {
	dst := strconv.AppendInt(append(b.AvailableBuffer(), `{"seq":`...), c.Seq, 10)
	dst = appendString(append(dst, `,"op":`...), string(c.Op))
	dst = appendString(append(dst, `,"type":"team","id":`...), c.ID)
	dst = strconv.AppendInt(append(dst, `,"rev":`...), c.Revision, 10)
	dst = append(c.At.UTC().AppendFormat(append(dst, `,"at":"`...), time.RFC3339Nano), '"')
	dst = appendOptional(dst, `,"merged_into":`, string(c.MergedInto))
	if c.Team == nil {
		b.Write(append(dst, '}'))
		return
	}
	b.Write(append(dst, `,"data":`...))
	f.s.writeShown(b, c.Team, &f.c.viewer, now)
	b.WriteByte('}')
}

// writeShown writes a team as the viewer may see it, byte for byte the same in
// a snapshot and in a change.
func (s *Server) writeShown(b *bytes.Buffer, t *directory.Team, viewer *directory.Principal, now time.Time) {
	shown := directory.Redact(t, *viewer)
	b.Write(format.AppendTeam(b.AvailableBuffer(), &shown, s.cfg.Policy, now))
}

// moved returns a channel that is closed when the index moves on; nil, which
// is never ready, where nobody tells.
func (s *Server) moved() <-chan struct{} {
	if s.cfg.Moved == nil {
		return nil
	}
	return s.cfg.Moved()
}
