package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// KeySuccession is how a team came to a key, and what speaks for it.
type KeySuccession struct {
	Fingerprint  string          `json:"fingerprint" doc:"The key" example:"0123456789ABCDEF0123456789ABCDEF01234567"`
	State        string          `json:"state" enum:"first,proven,waiting,unproven,refused" doc:"first: the team had none before it; proven: a ground is enough; waiting: nothing speaks for it yet; unproven: nothing does, and nobody objected for 30 days; refused: somebody who knows said that it is wrong" example:"proven"`
	Trusted      bool            `json:"trusted" doc:"Whether it is relied on now: to encrypt questions to, and to verify signatures by" example:"true"`
	Since        time.Time       `json:"since,omitzero" format:"date-time" doc:"Since when the team has it"`
	By           string          `json:"by,omitzero" doc:"Who entered or imported it; for the team and operators" example:"token:rct_4f2a9c1b"`
	Until        time.Time       `json:"until,omitzero" format:"date-time" doc:"When the waiting ends; absent unless it waits"`
	Predecessors []string        `json:"predecessors" doc:"Fingerprints of the keys that were relied on when it came"`
	Grounds      []KeyGroundInfo `json:"grounds" doc:"What was said of it, the oldest first"`
	Refusal      *KeyRefusal     `json:"refusal,omitzero" doc:"That it was refused, even if it was confirmed since"`
}

// KeyGroundInfo is one thing that speaks for a key.
type KeyGroundInfo struct {
	Ground   string    `json:"ground" enum:"certified,stated,channels,confirmed" doc:"certified: an old key has certified it; stated: an old key has signed a statement that names it; channels: two independent channels have it; confirmed: an operator asked the team on another way" example:"stated"`
	Holds    bool      `json:"holds" doc:"Whether it counts: an old key that is known to be compromised speaks for nothing, nor does anything said before a refusal. Of confirmed it takes two" example:"true"`
	At       time.Time `json:"at" format:"date-time" doc:"When it was taken in"`
	By       string    `json:"by,omitzero" doc:"Who handed it in, found it or confirmed; for the team and operators" example:"token:rct_4f2a9c1b"`
	Old      string    `json:"old,omitzero" doc:"The key that has signed" example:"89ABCDEF0123456789ABCDEF0123456789ABCDEF"`
	Signed   time.Time `json:"signed,omitzero" format:"date-time" doc:"When it did, by its own word"`
	Channels []string  `json:"channels,omitzero" doc:"The channels" example:"[\"securitytxt\",\"wkd\"]"`
	Note     string    `json:"note,omitzero" doc:"How the team was asked, what the old key has signed, or the address looked for; for the team and operators" example:"called the number in the contract"`
}

// KeyRefusal is that a key is not the team's.
type KeyRefusal struct {
	At  time.Time `json:"at" format:"date-time" doc:"When it was refused"`
	By  string    `json:"by,omitzero" doc:"Who refused it; for the team and operators" example:"token:rct_4f2a9c1b"`
	Why string    `json:"why,omitzero" doc:"Why; for the team and operators" example:"nobody here made it"`
}

// FormerKeyInfo is a key that a team had.
type FormerKeyInfo struct {
	Fingerprint string    `json:"fingerprint" doc:"The key" example:"89ABCDEF0123456789ABCDEF0123456789ABCDEF"`
	Left        time.Time `json:"left" format:"date-time" doc:"When it left"`
}

// KeySuccessionList is how a team came to its keys.
type KeySuccessionList struct {
	Keys     []KeySuccession `json:"keys" doc:"In the team's order"`
	Former   []FormerKeyInfo `json:"former" doc:"Keys that were relied on and left, the last first; they can still speak for others"`
	Withheld bool            `json:"withheld,omitzero" doc:"There are more keys, which you may not see"`
}

// KeyStatement is what an old key says of a new one.
type KeyStatement struct {
	Statement string `json:"statement" maxLength:"524288" doc:"A text that an old key has clear-signed, alone, of at most 64 KiB, with the full fingerprint of the new key in it; or the new key in ASCII armour, with the old key's certification" example:"-----BEGIN PGP SIGNED MESSAGE-----"`
}

// KeyNoteRequest is an operator's word for a key, or somebody's against it.
type KeyNoteRequest struct {
	Note string `json:"note" minLength:"1" maxLength:"500" doc:"How the team was asked, or what is wrong with the key" example:"called the number in the contract"`
}

type keyWordInput struct {
	ID  string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	Key string `path:"key" maxLength:"64" doc:"Fingerprint of one of the team's keys" example:"0123456789ABCDEF0123456789ABCDEF01234567"`
}

func exampleContinuity() KeySuccession {
	at := exampleDay()
	const old = "89ABCDEF0123456789ABCDEF0123456789ABCDEF"
	return KeySuccession{Fingerprint: exampleFingerprint, State: string(directory.KeyProven), Trusted: true, Since: at.AddDate(0, 0, -20), Predecessors: []string{old},
		Grounds: []KeyGroundInfo{{Ground: string(directory.KeyStated), Holds: true, At: at, Old: old, Signed: at.AddDate(0, 0, -21)}}}
}

func (s *Server) registerContinuity() {
	const all, one = "/v1/teams/{id}/continuity", "/v1/teams/{id}/keys/{key}/"
	former := FormerKeyInfo{Fingerprint: exampleContinuity().Predecessors[0], Left: exampleDay()}
	register(s, spec{id: "list-key-continuity", method: http.MethodGet, path: all, tag: "parts", access: public,
		summary: "Show how a team came to its keys",
		more:    "A key that came while the team had, or had had, another is relied on once something shows that it is the team's. Who said what is for the team and operators.",
		errors:  []int{notFound}, answer: KeySuccessionList{Keys: []KeySuccession{exampleContinuity()}, Former: []FormerKeyInfo{former}}}, s.keyContinuity)
	register(s, spec{id: "state-key", method: http.MethodPost, path: one + "statement", tag: "parts", access: token,
		summary: "Hand in what an old key says of a key",
		more:    "A statement that one of the team's old keys has clear-signed, or the key with its certification. The same again changes nothing. For the team's editors and operators.",
		errors:  []int{badRequest, notFound, conflict}, body: KeyStatement{Statement: "-----BEGIN PGP SIGNED MESSAGE-----"}, answer: exampleContinuity()}, s.stateKey)
	register(s, spec{id: "vouch-for-key", method: http.MethodPost, path: one + "vouch", tag: "parts", access: token,
		summary: "Confirm a key",
		more:    "Your word that you have asked the team on another way, and were told that the key is right. It takes two operators; the same one twice is 409 continuity.vouched. For operators.",
		errors:  []int{badRequest, notFound, conflict}, body: KeyNoteRequest{Note: "called the number in the contract"}, answer: exampleContinuity()}, s.vouchForKey)
	register(s, spec{id: "refuse-key", method: http.MethodPost, path: one + "refuse", tag: "parts", access: token,
		summary: "Say that a key is not the team's",
		more:    "It is not relied on from now on, unless two operators confirm it afterwards. One that was there from the start is taken out instead. For the team's editors and operators.",
		errors:  []int{badRequest, notFound, conflict}, body: KeyNoteRequest{Note: "nobody here made it"}, answer: exampleContinuity()}, s.refuseKey)
}

func continuityFrom(t *directory.Team, k *directory.TeamKey, now time.Time) KeySuccession {
	f := k.Fingerprint
	out := KeySuccession{Fingerprint: string(f), State: string(t.KeyState(f, now)), Trusted: t.Trusts(f, now), Since: instantOf(k.Origin.At), Predecessors: []string{}, Grounds: []KeyGroundInfo{}}
	x := t.Succession(f)
	if x == nil {
		return out
	}
	out.Since, out.By = instantOf(x.At), x.By
	if out.State == string(directory.KeyWaiting) {
		out.Until = instantOf(x.At.Add(directory.KeyWait))
	}
	for _, old := range x.Old {
		out.Predecessors = append(out.Predecessors, string(old))
	}
	for _, p := range x.Proofs {
		out.Grounds = append(out.Grounds, KeyGroundInfo{Ground: string(p.Ground), Holds: p.Counts, At: instantOf(p.At), By: p.By, Old: string(p.Old),
			Signed: instantOf(p.Signed), Channels: p.Channels, Note: p.Note})
	}
	if !x.Refused.IsZero() {
		out.Refusal = &KeyRefusal{instantOf(x.Refused), x.RefusedBy, x.Why}
	}
	return out
}

// KeySuccessionsFrom is the form on the wire of how a team, as the viewer may see it,
// came to its keys.
func KeySuccessionsFrom(t *directory.Team, now time.Time) KeySuccessionList {
	out := KeySuccessionList{Keys: []KeySuccession{}, Former: []FormerKeyInfo{}, Withheld: slices.Contains(t.Withheld, "keys")}
	for i := range t.Keys {
		out.Keys = append(out.Keys, continuityFrom(t, &t.Keys[i], now))
	}
	for _, k := range t.FormerKeys {
		out.Former = append(out.Former, FormerKeyInfo{string(k.Fingerprint), instantOf(k.Left)})
	}
	return out
}

func (s *Server) keyContinuity(ctx context.Context, in *teamInput) (*listOutput[KeySuccessionList], error) {
	t, err := s.seen(ctx, callFrom(ctx).viewer, in.ID)
	if err != nil {
		return nil, err
	}
	return &listOutput[KeySuccessionList]{etag(t.Revision), KeySuccessionsFrom(&t, s.cfg.Now())}, nil
}

func (s *Server) stateKey(ctx context.Context, in *keyWordInput) (*itemOutput[KeySuccession], error) {
	c := callFrom(ctx)
	var body KeyStatement
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	return s.saidOfKey(ctx, in, s.cfg.Directory.MayStateKey, func(f directory.Fingerprint) (directory.Team, error) {
		return s.cfg.Directory.StateKey(ctx, c.viewer, in.ID, f, []byte(body.Statement))
	})
}

func (s *Server) vouchForKey(ctx context.Context, in *keyWordInput) (*itemOutput[KeySuccession], error) {
	c := callFrom(ctx)
	var body KeyNoteRequest
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	return s.saidOfKey(ctx, in, s.cfg.Directory.MayVouchForKey, func(f directory.Fingerprint) (directory.Team, error) {
		return s.cfg.Directory.VouchForKey(ctx, c.viewer, in.ID, f, body.Note)
	})
}

func (s *Server) refuseKey(ctx context.Context, in *keyWordInput) (*itemOutput[KeySuccession], error) {
	c := callFrom(ctx)
	var body KeyNoteRequest
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	return s.saidOfKey(ctx, in, s.cfg.Directory.MayRefuseKey, func(f directory.Fingerprint) (directory.Team, error) {
		return s.cfg.Directory.RefuseKey(ctx, c.viewer, in.ID, f, body.Note)
	})
}

// saidOfKey has something said of a key that the viewer sees, and shows what came of it.
func (s *Server) saidOfKey(ctx context.Context, in *keyWordInput, may func(directory.Principal, *directory.Team) error,
	say func(directory.Fingerprint) (directory.Team, error)) (*itemOutput[KeySuccession], error) {
	viewer := callFrom(ctx).viewer
	t, err := s.seen(ctx, viewer, in.ID)
	if err == nil {
		err = may(viewer, &t) // who may not is not told which keys there are
	}
	if err != nil {
		return nil, err
	}
	i, err := keyShelf().find(t.Keys, in.Key)
	if err != nil {
		return nil, err
	}
	f := t.Keys[i].Fingerprint
	if t, err = say(f); err != nil {
		return nil, inPath(err, in.ID)
	}
	if i, err = keyShelf().find(t.Keys, string(f)); err != nil {
		return nil, err
	}
	return &itemOutput[KeySuccession]{etag(t.Revision), continuityFrom(&t, &t.Keys[i], s.cfg.Now())}, nil
}
