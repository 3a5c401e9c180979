package api

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Config is what a [Server] needs.
type Config struct {
	Directory *directory.Directory // required
	// Index returns the newest index, nil while there is none. Required.
	Index func() *directory.Index
	// IndexAge returns how long ago the index was level with the store;
	// negative when it never was. nil: it is not asked.
	IndexAge func() time.Duration
	// Moved returns a channel that is closed when Index has a newer one to
	// return; see [directory.Follower.Moved]. nil: who waits for changes waits
	// in vain, until the time is up.
	Moved func() <-chan struct{}
	// Sync brings the index level with the store. nil: it is taken to be.
	Sync func(context.Context) error
	// MaxIndexAge is the age from which the server says that it is not ready;
	// 0 is 30 seconds. Lookups go on from the old index.
	MaxIndexAge time.Duration
	// MaxWaiters is how many requests wait for a change at once, and
	// MaxSnapshots how many snapshots are written; 0 is 4,000 and 8. Half of
	// each is for requests with a token.
	MaxWaiters, MaxSnapshots int
	Verify                   verify.Results   // what checks found; nil: operations about it are unavailable
	Challenges               *challenge.Desk  // asks contacts; nil: operations about it are unavailable
	ControlLabel             string           // where domains publish proof of control; "" is [directory.ControlLabel]
	Ready                    []Check          // what else must work before requests are sent here
	Policy                   directory.Policy // how long proof lasts
	Now                      func() time.Time // nil: the system's clock
	Log                      *slog.Logger     // nil: silence
	Version                  string           // of the program
	// The limits of a batch: octets of its body (0 is 128 MiB), indicators (0 is
	// [MaxIndicators]), and how long its client may take to send or to read 64
	// KiB (0 is 30 seconds).
	MaxBatchBody  int64
	MaxBatch      int
	BatchPatience time.Duration
	Limits        Limits // how much a client may ask for; the zero value limits nobody
	// CORSOrigins are the origins, such as https://portal.example.org, whose
	// pages may send tokens. What needs none is open to all.
	CORSOrigins []string
	ImportMax   int64 // bytes of a file that is uploaded for import; 0 is 256 MiB
	// Figures are shown at /metrics beside the server's own.
	Figures []prometheus.Collector
}

// Server is the REST API. It is safe for concurrent use.
type Server struct {
	cfg        Config
	mux        *http.ServeMux
	huma       huma.API
	metrics    *metrics
	ids        *requestIDs
	lookup     http.HandlerFunc // GET /v1/lookup
	team       http.HandlerFunc // GET /v1/teams/{id}
	asking     sync.Pool        // of *asking, for lookups
	cache      atomic.Pointer[answerCache]
	teams      teamCache
	held       atomic.Int64 // octets that batches hold
	nobody     directory.Principal
	marks      *marks
	table      *checkTable
	lastEvent  lastEvent
	lastNotice lastEvent       // of questions
	limits     *limiter        // nil: nobody is limited
	public     map[string]bool // patterns of the mux that need no token
	zippers    zippers

	waiters, snapshots places
	stopping           chan struct{} // closed by release
	release            func()

	// Header values that many answers share; net/http does not change them.
	nosniff, noStore, jsonType []string
}

// New returns a server on cfg.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Directory == nil:
		return nil, errors.New("api: no directory")
	case cfg.Index == nil:
		return nil, errors.New("api: no index")
	}
	return newServer(cfg), nil
}

func newServer(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.ControlLabel = cmp.Or(cfg.ControlLabel, directory.ControlLabel)
	if cfg.MaxIndexAge == 0 {
		cfg.MaxIndexAge = 30 * time.Second
	}
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), ids: newRequestIDs(), nobody: directory.Nobody(), marks: newMarks(),
		nosniff: []string{"nosniff"}, noStore: []string{"no-store"}, jsonType: []string{"application/json"},
	}
	s.stopping = make(chan struct{})
	s.release = sync.OnceFunc(func() { close(s.stopping) })
	s.waiters.most, s.snapshots.most = int64(cmp.Or(cfg.MaxWaiters, maxWaiters)), int64(cmp.Or(cfg.MaxSnapshots, maxSnapshots))
	s.table = shipped()
	s.asking.New = func() any { return new(asking) }
	s.teams.seed = maphash.MakeSeed()
	s.limits, s.public = newLimiter(cfg.Limits), map[string]bool{}
	s.metrics = newMetrics(cfg)
	s.metrics.clients(s.limits)
	s.metrics.gauge("rollcall_change_waiters", "Requests that wait for a change.", &s.waiters.taken)
	s.metrics.gauge("rollcall_snapshots", "Snapshots that are being written.", &s.snapshots.taken)
	s.huma = huma.NewAPI(document(), adapter{humago.NewAdapter(s.mux, ""), s})
	s.register()
	return s
}

// register lists every operation.
func (s *Server) register() {
	s.registerLookup()
	s.registerLookupBatch()
	s.registerSearch()
	s.registerTeams()
	s.registerTeamPut()
	s.registerTeamHistory()
	s.registerDiff()
	s.registerParts()
	s.registerChanges()
	s.registerSnapshot()
	s.registerExport()
	s.registerRFC2350()
	s.registerSecurityTxt()
	s.registerMatches()
	s.registerVerification()
	s.registerChecks()
	s.registerChallenges()
	s.registerDesk()
	s.registerChallengeEvents()
	s.registerWebhooks()
	s.registerEndpoints()
	s.registerCampaigns()
	s.registerResponseTimes()
	s.registerTokens()
	s.registerAudit()
	s.registerReference()
	s.registerVocabularies()
	s.registerImports()
	s.registerHealth()
	s.registerProblems()
	s.registerSpec()
	s.registerDocs()
	prune(s.huma.OpenAPI())
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == lookupPath && r.Method == http.MethodGet && r.Header["Origin"] == nil && r.Header["Accept-Encoding"] == nil {
		s.lookup(w, r) // as the mux would, without looking for it
		return
	}
	if r.Method == http.MethodGet && namesTeam(r.URL.Path) && r.Header["Origin"] == nil && r.Header["Accept-Encoding"] == nil {
		s.team(w, r)
		return
	}
	s.edge(w, r)
}
