package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// AnyRevision stands for "whatever is stored" where an edit names the revision
// it is based on. Zero is refused, so that nobody overwrites by forgetting.
const AnyRevision int64 = -1

// Config is what a [Directory] needs.
type Config struct {
	Store  Store            // required
	Now    func() time.Time // nil: the system's clock
	Random io.Reader        // nil: crypto/rand
	Rules  []Rule           // that merge teams after an import; nil: none
	// Committed is called after each committed change, so that the index
	// catches up before the caller goes on. nil: nobody to tell.
	Committed func(context.Context) error
}

// Directory is the one door to the records. It is safe for concurrent use.
type Directory struct {
	cfg Config

	mu       sync.Mutex // guards the two below
	used     map[string]time.Time
	touching bool
	writing  sync.WaitGroup

	matches matchCache
	runner  atomic.Pointer[ImportRunner] // nil: import jobs are run elsewhere
}

// New returns a Directory on cfg.
func New(cfg Config) (*Directory, error) {
	if cfg.Store == nil {
		return nil, errors.New("directory: no store")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	now := cfg.Now
	cfg.Now = func() time.Time { return now().UTC().Truncate(time.Microsecond) }
	return &Directory{cfg: cfg}, nil
}

// random returns n random bytes. A machine without randomness can't go on.
func (d *Directory) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.cfg.Random, b); err != nil {
		panic("directory: no random numbers: " + err.Error())
	}
	return b
}

func (d *Directory) newID() string {
	id, err := uuid.NewRandomFromReader(d.cfg.Random)
	if err != nil {
		panic("directory: no random numbers: " + err.Error())
	}
	return id.String()
}

// committed tells the index of a write that worked.
func (d *Directory) committed(ctx context.Context, err error) error {
	if err != nil || d.cfg.Committed == nil {
		return err
	}
	// The write is done; an index that can't follow says so by itself.
	_ = d.cfg.Committed(context.WithoutCancel(ctx))
	return nil
}

// Team returns the team with the handle or id ref as p may see it. A merged
// team's handle and id lead to the team it became part of.
func (d *Directory) Team(ctx context.Context, p Principal, ref string) (Team, error) {
	r, err := d.find(ctx, ref)
	if err != nil {
		return Team{}, err
	}
	t := r.Team()
	return Redact(&t, p), nil
}

// Layers returns what each imported source says of a team, in the order of their
// import, each as the viewer may see it: source, dates, contacts and keys.
func (d *Directory) Layers(ctx context.Context, p Principal, ref string) ([]Layer, error) {
	r, err := d.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	shown := r.Team() // whose forums and labels decide who sees what
	var out []Layer
	for _, l := range r.Layers {
		shown.Contacts, shown.Keys = l.Profile.Contacts, l.Profile.Keys
		seen := Redact(&shown, p)
		out = append(out, Layer{Source: l.Source, AsOf: l.AsOf, At: l.At, Profile: Profile{Contacts: seen.Contacts, Keys: seen.Keys}})
	}
	return out, nil
}

// find returns the living record with the handle or id ref.
func (d *Directory) find(ctx context.Context, ref string) (r Record, err error) {
	err = d.cfg.Store.View(ctx, func(tx Reader) error {
		r, err = findIn(tx, ref)
		return err
	})
	return r, err
}

func findIn(tx Reader, ref string) (Record, error) {
	r, err := byRef(tx, ref)
	if err == nil && r.MergedInto != "" {
		r, err = follow(tx, r.MergedInto)
	}
	if err == nil && !r.Deleted.IsZero() {
		err = &Error{Kind: NotFound, Op: "find team", Subject: ref, Problems: []Problem{
			problem("team.deleted", ref, "the team was deleted on "+r.Deleted.Format(time.DateOnly), "")}}
	}
	return r, err
}

// follow returns the record that id stands for after all merges.
func follow(tx Reader, id TeamID) (r Record, err error) {
	for range 16 { // chains of merges are short; a loop must not hang
		if r, err = tx.Team(id); err != nil || r.MergedInto == "" {
			return r, err
		}
		id = r.MergedInto
	}
	return r, &Error{Kind: Internal, Op: "find team", Subject: string(id), Err: errors.New("merges in a circle")}
}

func byRef(tx Reader, ref string) (Record, error) {
	r, err := Record{}, noTeam(ref)
	if id, bad := ParseTeamID(ref); bad == nil {
		r, err = tx.Team(id)
	} else if h, bad := ParseHandle(strings.ToLower(ref)); bad == nil {
		r, err = tx.TeamByHandle(h)
	}
	if KindOf(err) == NotFound {
		err = noTeam(ref)
	}
	return r, err
}

func noTeam(ref string) error {
	return &Error{Kind: NotFound, Op: "find team", Subject: cut(ref, 80), Problems: []Problem{
		problem("team.unknown", ref, "no team has this handle or id", "a handle or UUID from the list of teams")}}
}

// Teams returns the teams that f selects, in the order of their handles, as p
// may see them.
func (d *Directory) Teams(ctx context.Context, p Principal, f TeamFilter) ([]Team, error) {
	if p.Role != Operator {
		f.Deleted = false
	}
	var teams []Team
	err := d.cfg.Store.View(ctx, func(tx Reader) error {
		records, err := tx.Teams(f)
		teams = make([]Team, len(records))
		for i := range records {
			t := records[i].Team()
			teams[i] = Redact(&t, p)
		}
		return err
	})
	return teams, err
}

// NewTeam is what [Directory.Create] needs.
type NewTeam struct {
	ID      TeamID // "": a new one; a MISP organisation's UUID where there is one
	Handle  Handle // required
	Profile Profile
}

// Create adds a team. A secretariat may only create members of its forum.
func (d *Directory) Create(ctx context.Context, p Principal, n NewTeam) (Team, error) {
	now := d.cfg.Now()
	if n.ID == "" {
		n.ID = TeamID(d.newID())
	}
	r := Record{ID: n.ID, Handle: n.Handle, Revision: 1, Created: now, Updated: now, OwnAt: now, OwnBy: p.Name}
	before := r.Team()
	r.Own = n.Profile
	problems := r.settle(&before, d, p, now)
	after := r.Team()
	err := authorise(p, actCreate, &after)
	if err == nil && p.Role == Secretariat && !after.inForum(p.Forum) {
		err = refuse(actCreate, "auth.field", "a secretariat creates members of its own forum only", "a membership in "+p.Forum)
	}
	if err != nil {
		return Team{}, err
	}
	problems = append(problems, restricted(p, &before.Profile, &after.Profile)...)
	if len(problems) > 0 {
		return Team{}, &Error{Kind: Invalid, Op: "create team", Subject: string(n.Handle), Problems: problems}
	}
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		return d.put(tx, &r, OpUpsert, p, actCreate, changed(&before.Profile, &after.Profile))
	})
	t := r.Team()
	return Redact(&t, p), d.committed(ctx, err)
}

// put writes one record as the next change.
func (d *Directory) put(tx Tx, r *Record, op Op, p Principal, act action, fields []string) error {
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	r.Seq = seq
	return tx.PutTeams([]TeamWrite{{Record: *r, Op: op, Actor: p.Name, Action: string(act), Fields: fields}})
}

// settle prepares a record for the store: it gives contacts their ids and
// revisions, hides named persons, keeps what is known to be revoked so, and returns
// the problems of the result.
func (r *Record) settle(before *Team, d *Directory, p Principal, now time.Time) []Problem {
	problems := settleContacts(before, &r.Own, r.ID, d.newID, now)
	vouch(before, r.Own.Contacts, p)
	for i := range r.Own.Keys { // an edit may send back what it was shown
		r.Own.Keys[i].Continuity = ""
	}
	r.Own.Keys = keepRevocations(before.allKeys(), r.Own.Keys)
	if _, err := ParseTeamID(string(r.ID)); err != nil {
		problems = append(problems, asProblem(err, "/id"))
	}
	if _, err := ParseHandle(string(r.Handle)); err != nil {
		problems = append(problems, asProblem(err, "/handle"))
	}
	problems = append(problems, r.Own.Check(now)...)
	if t := r.Team(); t.Names.Short == "" && t.Names.Full == "" {
		problems = append(problems, nameless)
	}
	return problems
}

var nameless = Problem{Code: "team.nameless", Field: "/names", Reason: "a team without any name", Want: "a short or a full name"}

// contactSpace is the name space of the ids of contacts (RFC 9562 section
// 5.5), so that two imports of one contact give it one id.
var contactSpace = uuid.MustParse("6a1c1f1e-5d0b-5b52-9d3c-0d5b8b1f7a10")

// settleContacts gives each contact of p its id and revision by what the team
// had before: by id where one is given, else by what it reaches.
func settleContacts(before *Team, p *Profile, team TeamID, newID func() string, now time.Time) []Problem {
	var problems []Problem
	used := map[ContactID]bool{}
	for i := range p.Contacts {
		c := &p.Contacts[i]
		if c.Person != "" && c.Visibility == "" {
			c.Visibility = Amber // a named person is never public by default
		}
		old := previous(before, *c)
		switch {
		case c.ID != "" && old == nil:
			problems = append(problems, Problem{Code: "contact.unknown-id", Field: fmt.Sprintf("/contacts/%d/id", i), Value: string(c.ID),
				Reason: "the team has no contact with this id", Want: "no id for a new contact"})
		case old != nil && !used[old.ID]:
			c.ID, c.Revision, c.Since = old.ID, old.Revision, old.Since
			if !c.same(old) {
				c.Revision, c.Since = max(old.Revision, before.provenRevision(c.ID))+1, now
			}
		default:
			c.ID = ContactID(uuid.NewSHA1(contactSpace, []byte(string(team)+" "+c.Key())).String())
			c.Revision, c.Since = before.provenRevision(c.ID)+1, now
		}
		if used[c.ID] || old == nil && taken(before, c.ID) {
			c.ID = ContactID(newID())
		}
		used[c.ID] = true
	}
	return problems
}

// provenRevision returns the highest revision of a contact that evidence speaks
// of, 0 for none. A contact that comes back, or changes, gets a higher one: what
// was proven about one value must never be taken for proof of another.
func (t *Team) provenRevision(id ContactID) int {
	most := 0
	for _, e := range t.Evidence {
		if e.Contact == id {
			most = max(most, e.Revision)
		}
	}
	return most
}

// previous finds what c was before.
func previous(t *Team, c Contact) *Contact {
	i := slices.IndexFunc(t.Contacts, func(o Contact) bool {
		if c.ID != "" {
			return o.ID == c.ID
		}
		return o.Key() == c.Key()
	})
	if i < 0 {
		return nil
	}
	return &t.Contacts[i]
}

func taken(t *Team, id ContactID) bool {
	return slices.ContainsFunc(t.Contacts, func(c Contact) bool { return c.ID == id })
}

// same reports whether what was proven about o is still true of c: drills
// prove the hours too, so new hours need new proof.
func (c *Contact) same(o *Contact) bool {
	return c.Key() == o.Key() && c.Hours.Equal(o.Hours)
}
