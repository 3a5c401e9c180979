package api

import (
	"context"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// Teams are read from the index, which every write of this server has reached
// before it is answered. What the index does not know (a team that was deleted,
// one that another process made this moment, a name that is none) the store is
// asked for. What anybody may see of a team is kept, rendered, until the team is
// another one or a proof ages into another state.

// present returns the team that ref names as the index has it, nil when it
// knows none. It is not redacted, and belongs to the index.
func (s *Server) present(ref string) *directory.Team {
	x := s.cfg.Index()
	if x == nil {
		return nil
	}
	if len(ref) == 36 {
		if id, err := directory.ParseTeamID(ref); err == nil {
			t, _ := x.Team(id)
			return t
		}
	}
	t, _ := x.ByHandle(directory.Handle(strings.ToLower(ref)))
	return t
}

// seen returns the team that ref names as the viewer may see it.
func (s *Server) seen(ctx context.Context, viewer directory.Principal, ref string) (directory.Team, error) {
	if t := s.present(ref); t != nil {
		return directory.Redact(t, viewer), nil
	}
	t, err := s.cfg.Directory.Team(ctx, viewer, ref)
	return t, inPath(err, ref)
}

// describeTeam lets Huma describe GET /v1/teams/{id} and serves it by teamOne,
// for the reason that lookups have too.
func (s *Server) describeTeam(sp spec) {
	op := sp.operation(s.huma.OpenAPI().Components.Schemas)
	described := huma.NewAPI(huma.Config{OpenAPI: s.huma.OpenAPI()}, undone{})
	huma.Register(described, op, func(context.Context, *teamInput) (*teamOutput, error) { return nil, nil })
	s.describe(sp)
	s.team = s.handle(&op, s.teamOne)
}

const teamsPath = "/v1/teams/"

// namesTeam reports whether a path is that of a team by a handle or id that
// means itself in a path, so that the mux need not be asked.
func namesTeam(path string) bool {
	ref, ok := strings.CutPrefix(path, teamsPath)
	if !ok || ref == "" || ref[0] == '.' {
		return false
	}
	for i := range len(ref) {
		switch b := ref[i]; {
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9', b == '-', b == '.', b >= 'A' && b <= 'Z':
		default:
			return false
		}
	}
	return true
}

// teamOne answers GET /v1/teams/{id}.
func (s *Server) teamOne(w http.ResponseWriter, r *http.Request, c *call) int {
	ref := r.URL.Path[len(teamsPath):]
	if r.URL.RawQuery != "" || len(ref) > 64 {
		if err := noParameters(r, ref); err != nil {
			return s.refuse(w, r, c, err)
		}
	}
	now := s.cfg.Now()
	t := s.present(ref)
	if t == nil {
		stored, err := s.cfg.Directory.Team(r.Context(), c.viewer, ref)
		if err != nil {
			return s.refuse(w, r, c, inPath(err, ref))
		}
		body := append(format.AppendTeam(nil, &stored, s.cfg.Policy, now), '\n')
		return s.writeTeam(w, &renderedTeam{body: body, etag: etagOf(&stored), location: locationOf(&stored)})
	}
	anybody := !c.viewer.SignedIn()
	if anybody {
		if known := s.teams.get(t, now); known != nil {
			return s.writeTeam(w, known)
		}
	}
	a := s.asking.Get().(*asking)
	defer s.asking.Put(a)
	a.buf = append(s.appendTeam(a.buf[:0], t, c.viewer, now), '\n')
	out := &renderedTeam{team: t, body: a.buf, etag: etagOf(t), location: locationOf(t), from: now}
	if anybody && s.teams.admit(t.ID) {
		kept := *out
		kept.body, kept.until = slices.Clone(a.buf), sameUntil(t, s.cfg.Policy, now)
		s.teams.put(&kept)
	}
	return s.writeTeam(w, out)
}

func etagOf(t *directory.Team) []string     { return []string{etag(t.Revision)} }
func locationOf(t *directory.Team) []string { return []string{teamsPath + string(t.ID)} }

// appendTeam appends a team of the index as a viewer may see it.
func (s *Server) appendTeam(dst []byte, t *directory.Team, viewer directory.Principal, now time.Time) []byte {
	if !viewer.SignedIn() {
		if known := s.teams.get(t, now); known != nil {
			return append(dst, known.body[:len(known.body)-1]...)
		}
	}
	shown := directory.Redact(t, viewer)
	return format.AppendTeam(dst, &shown, s.cfg.Policy, now)
}

// noParameters refuses query parameters, and an id that no team can have.
func noParameters(r *http.Request, ref string) error {
	if len(ref) > 64 {
		return inParameter("id", edgeError(directory.Invalid, "parameter.invalid", ref, "not a value for this parameter", "length <= 64"))
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return edgeError(malformed, "request.query", r.URL.RawQuery, "not a query string: "+err.Error(), "names and values, percent-encoded")
	}
	for name := range values {
		return inParameter(name, edgeError(directory.Invalid, "parameter.unknown", "", "there is no parameter of this name", "a parameter that the API document names"))
	}
	return nil
}

func (s *Server) writeTeam(w http.ResponseWriter, t *renderedTeam) int {
	h := w.Header()
	h["Content-Type"], h["Etag"], h["Content-Location"] = s.jsonType, t.etag, t.location
	if len(t.body) > 2000 { // net/http counts shorter ones itself, at no price
		h["Content-Length"] = []string{strconv.Itoa(len(t.body))}
	}
	_, _ = w.Write(t.body) // the client has gone
	return http.StatusOK
}

// renderedTeam is a team as JSON with its headers. It is not changed once made.
type renderedTeam struct {
	team           *directory.Team // of the index
	body           []byte          // with a line feed at its end
	etag, location []string
	from, until    time.Time // the body is true from the one moment and before the other
}

// sameUntil returns the first moment after now at which the standing of a
// contact of t could be another one. A proof is fresh, and then due, up to and
// including its last moment.
func sameUntil(t *directory.Team, policy directory.Policy, now time.Time) time.Time {
	until := now.AddDate(1, 0, 0)
	for _, e := range t.Evidence {
		end := policy.End(e)
		for _, at := range []time.Time{e.At, end.Add(1), policy.Overdue(end).Add(1)} {
			if at.After(now) && at.Before(until) {
				until = at
			}
		}
	}
	return until
}

// teamCache keeps rendered teams as nobody in particular sees them: up to
// 16,384 of at most 32 KiB.
type teamCache struct {
	seed   maphash.Seed
	asked  [1 << 14]atomic.Uint32 // hashes of teams asked for before; see admit
	shards [cacheShards]teamShard
}

type teamShard struct {
	mu sync.RWMutex
	m  map[directory.TeamID]*renderedTeam
}

const maxKeptTeam = 32 << 10

func (c *teamCache) shard(id directory.TeamID) *teamShard {
	return &c.shards[maphash.String(c.seed, string(id))%cacheShards]
}

// get returns t as it was rendered, if it is still the same team and the same
// time of its proofs, else nil.
func (c *teamCache) get(t *directory.Team, now time.Time) *renderedTeam {
	sh := c.shard(t.ID)
	sh.mu.RLock()
	r := sh.m[t.ID]
	sh.mu.RUnlock()
	if r == nil || r.team != t || now.Before(r.from) || !now.Before(r.until) {
		return nil
	}
	return r
}

// admit reports whether a team was asked for before, so that it is worth
// keeping: whoever reads all of them asks for each once.
func (c *teamCache) admit(id directory.TeamID) bool {
	h := maphash.String(c.seed, string(id))
	mark := uint32(h>>32) | 1
	return c.asked[h>>8%uint64(len(c.asked))].Swap(mark) == mark
}

func (c *teamCache) put(r *renderedTeam) {
	if len(r.body) > maxKeptTeam {
		return
	}
	sh := c.shard(r.team.ID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.m == nil {
		sh.m = make(map[directory.TeamID]*renderedTeam, shardSize)
	}
	if _, known := sh.m[r.team.ID]; !known && len(sh.m) >= shardSize {
		for old := range sh.m { // any one
			delete(sh.m, old)
			break
		}
	}
	sh.m[r.team.ID] = r
}
