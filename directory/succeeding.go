package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// succeed brings up to date how r came to its keys, after a write: before and after
// are the team as it was and is. A key that comes while there are others, or were,
// has to be proven; one that leaves is remembered if it was relied on.
func (r *Record) succeed(before, after *Team, by string, now time.Time) {
	r.Successions, r.FormerKeys = slices.Clone(r.Successions), slices.Clone(r.FormerKeys)
	had := len(before.Keys)+len(r.FormerKeys) > 0
	old := fingerprints(before.speakers())
	for i := range after.Keys {
		f := after.Keys[i].Fingerprint
		if before.key(f) != nil {
			continue
		}
		if back := slices.IndexFunc(r.FormerKeys, func(k FormerKey) bool { return k.Fingerprint == f }); back >= 0 {
			r.FormerKeys = slices.Delete(r.FormerKeys, back, back+1)
			if s := successionIn(r.Successions, f); s != nil {
				s.At = now
			}
			continue
		}
		r.arrive(f, had, Succession{Fingerprint: f, At: now, By: by, Old: slices.DeleteFunc(slices.Clone(old), func(o Fingerprint) bool { return o == f })})
	}
	for i := len(before.Keys) - 1; i >= 0; i-- { // so that the team's first comes to stand in front
		if k := before.Keys[i]; after.key(k.Fingerprint) == nil {
			r.leave(k, now)
		}
	}
	r.FormerKeys = r.FormerKeys[:min(len(r.FormerKeys), maxFormer)]
	r.forgetSuccessions()
}

func fingerprints(keys []TeamKey) []Fingerprint {
	var list []Fingerprint
	for _, k := range keys {
		list = append(list, k.Fingerprint)
	}
	return list
}

// arrive notes that a key came. What was said of it before stays said; a first key
// needs nobody's word.
func (r *Record) arrive(f Fingerprint, had bool, news Succession) {
	s := successionIn(r.Successions, f)
	switch {
	case s != nil && !had && s.Refused.IsZero():
		r.Successions = slices.DeleteFunc(r.Successions, func(x Succession) bool { return x.Fingerprint == f })
	case s != nil:
		s.At, s.By, s.Old = news.At, news.By, news.Old
	case had:
		r.Successions = append(r.Successions, news)
	}
}

// leave notes that a key left. One that had waited in vain is forgotten: if it
// comes back, it waits anew.
func (r *Record) leave(k TeamKey, now time.Time) {
	if s := successionIn(r.Successions, k.Fingerprint); s != nil {
		s.At = time.Time{}
	}
	if k.Continuity == "" {
		k.Origin = Origin{}
		r.FormerKeys = slices.Insert(r.FormerKeys, 0, FormerKey{k, now})
	}
}

// forgetSuccessions drops what is known of keys that the team does not have, unless
// somebody's word stands there, and the oldest of those where there are too many.
func (r *Record) forgetSuccessions() {
	absent := 0
	for i := len(r.Successions) - 1; i >= 0; i-- {
		s := &r.Successions[i]
		if !s.At.IsZero() {
			continue
		}
		absent++
		if len(s.Proofs) == 0 && s.Refused.IsZero() || absent > maxAbsent {
			r.Successions = slices.Delete(r.Successions, i, i+1)
		}
	}
	if len(r.Successions) == 0 {
		r.Successions = nil
	}
	if len(r.FormerKeys) == 0 {
		r.FormerKeys = nil
	}
}

// inherit is [Record.succeed] for a team that another became part of. Where the team
// had no keys, it has the other's, with all that is known of them. Else they have to
// be proven here: only what does not rest on the other's old keys goes along.
func (r *Record) inherit(source *Record, before, after *Team, by string, now time.Time) {
	if len(before.Keys)+len(r.FormerKeys) == 0 {
		kept := slices.DeleteFunc(slices.Clone(r.Successions), func(s Succession) bool { return successionIn(source.Successions, s.Fingerprint) != nil })
		r.Successions, r.FormerKeys = append(slices.Clone(source.Successions), kept...), slices.Clone(source.FormerKeys)
		theirs := source.Team()
		for _, k := range theirs.Keys { // a list that is closed here does not show them all
			if after.key(k.Fingerprint) == nil {
				r.leave(k, now)
			}
		}
		r.FormerKeys = r.FormerKeys[:min(len(r.FormerKeys), maxFormer)]
		r.forgetSuccessions()
		return
	}
	r.succeed(before, after, by, now)
	for i := range r.Successions {
		s := &r.Successions[i]
		theirs := successionIn(source.Successions, s.Fingerprint)
		if theirs == nil || before.key(s.Fingerprint) != nil {
			continue
		}
		for _, p := range theirs.Proofs {
			if p.Old == "" && len(s.Proofs) < maxKeyProofs {
				s.Proofs = append(slices.Clip(s.Proofs), p)
			}
		}
		if s.Refused.IsZero() {
			s.Refused, s.RefusedBy, s.Why = theirs.Refused, theirs.RefusedBy, theirs.Why
		}
	}
}

// disinherit takes back what inherit did, once the other team is on its own again:
// its keys are no former keys here.
func (r *Record) disinherit(other *Record, had, have *Team, by string, now time.Time) {
	theirs := other.Team()
	r.succeed(had, have, by, now)
	r.FormerKeys = slices.DeleteFunc(r.FormerKeys, func(k FormerKey) bool {
		brought := had.key(k.Fingerprint) != nil && theirs.key(k.Fingerprint) != nil
		return brought || slices.ContainsFunc(theirs.FormerKeys, func(x FormerKey) bool { return x.Fingerprint == k.Fingerprint })
	})
	r.forgetSuccessions()
}

// overwrite brings up to date how r came to its keys where it takes the place of
// old: a file that has another key for a team does not vouch for it.
func (r *Record) overwrite(old *Record, by string, now time.Time) {
	for _, s := range old.Successions {
		if successionIn(r.Successions, s.Fingerprint) == nil {
			r.Successions = append(slices.Clip(r.Successions), s)
		}
	}
	for _, k := range old.FormerKeys {
		if !slices.ContainsFunc(r.FormerKeys, func(x FormerKey) bool { return x.Fingerprint == k.Fingerprint }) {
			r.FormerKeys = append(slices.Clip(r.FormerKeys), k)
		}
	}
	before, after := old.Team(), r.Team()
	r.succeed(&before, &after, by, now)
}

// StateKey takes in what an old key of a team says of the key f: a statement that it
// has clear-signed, or f with its certification; see [ProveByStatement]. A key that
// the team does not have yet is an operator's to speak of. The same again writes nothing.
func (d *Directory) StateKey(ctx context.Context, p Principal, ref string, f Fingerprint, statement []byte) (Team, error) {
	return d.changeSuccession(ctx, p, actStateKey, ref, f, func(t *Team, s *Succession, now time.Time) (string, error) {
		var next *Key
		if k := t.known(f); k != nil && k.Armor != "" {
			next = &k.Key
		}
		if !s.Refused.IsZero() {
			return "", conflictOf(actStateKey, t, "continuity.refused", string(f), "the key was refused on "+s.Refused.Format(time.DateOnly)+", and two operators have to confirm it", "")
		}
		proof, err := ProveByStatement(f, next, t.speakers(), statement, now)
		if err != nil {
			return "", &Error{Kind: Invalid, Op: string(actStateKey), Subject: string(t.Handle), Problems: []Problem{asProblem(err, "/statement")}}
		}
		proof.By = p.Name
		return s.take(t, proof)
	})
}

// VouchForKey takes in an operator's word that the team was asked about the key f on
// another way and said that it is right; note says how. It takes the word of two.
func (d *Directory) VouchForKey(ctx context.Context, p Principal, ref string, f Fingerprint, note string) (Team, error) {
	if err := d.checkKeyNote(actVouch, ref, note, "how you asked the team"); err != nil {
		return Team{}, err
	}
	return d.changeSuccession(ctx, p, actVouch, ref, f, func(t *Team, s *Succession, now time.Time) (string, error) {
		for _, x := range s.Proofs {
			if x.Ground == KeyConfirmed && x.At.After(s.Refused) && strings.EqualFold(x.By, p.Name) {
				return "", conflictOf(actVouch, t, "continuity.vouched", string(f), "you have vouched for this key already, on "+x.At.Format(time.DateOnly), "the word of another operator")
			}
		}
		return s.take(t, KeyProof{Ground: KeyConfirmed, By: p.Name, At: now, Note: note})
	})
}

// RefuseKey takes in that a key is not the team's. Nothing speaks for it then but two
// operators who confirm it afterwards. A key that was there from the start is
// taken out instead.
func (d *Directory) RefuseKey(ctx context.Context, p Principal, ref string, f Fingerprint, why string) (Team, error) {
	if err := d.checkKeyNote(actRefuseKey, ref, why, "what is wrong with the key"); err != nil {
		return Team{}, err
	}
	return d.changeSuccession(ctx, p, actRefuseKey, ref, f, func(t *Team, s *Succession, now time.Time) (string, error) {
		if k := t.key(f); !s.Refused.IsZero() && (k == nil || k.Continuity == ContinuityRefused) {
			return "", conflictOf(actRefuseKey, t, "continuity.refused", string(f), "the key was refused already, on "+s.Refused.Format(time.DateOnly), "")
		}
		s.Refused, s.RefusedBy, s.Why = now, p.Name, why
		return "refused: " + why, nil
	})
}

func (d *Directory) checkKeyNote(act action, ref, note, want string) error {
	c := checker{now: d.cfg.Now()}
	c.text("/note", note, 500)
	if strings.TrimSpace(note) == "" {
		c.add("continuity.note", "/note", "", "there is no note", want)
	}
	if len(c.found) > 0 {
		return &Error{Kind: Invalid, Op: string(act), Subject: ref, Problems: c.found}
	}
	return nil
}

// KeySighting is where a check found a key of a team published.
type KeySighting struct {
	Fingerprint Fingerprint
	Address     Email  // for which it was looked for
	Channels    []Word // that had it now, each once, none of them in the hands of just anybody
	Copy        []byte // one of the copies, with the signatures of others; nil: none
}

// SightKey takes in what a check saw of a key that nothing speaks for yet: two
// channels that have it, or the certification of an old key on a copy. It reports
// whether that was news. Channels count for an address only that one of the old keys
// has, or that was the team's for [KeyWait]: whoever enters an address and a key
// could publish both.
func (d *Directory) SightKey(ctx context.Context, p Principal, ref string, x KeySighting) (news bool, err error) {
	_, err = d.changeSuccession(ctx, p, actSightKey, ref, x.Fingerprint, func(t *Team, s *Succession, now time.Time) (string, error) {
		k := t.key(x.Fingerprint)
		if news = false; k == nil || k.Continuity != ContinuityUnproven {
			return "", nil
		}
		detail := ""
		if proof, err := ProveByStatement(x.Fingerprint, &k.Key, t.speakers(), x.Copy, now); err == nil && proof.Ground == KeyCertified {
			proof.By = p.Name
			if detail, err = s.take(t, proof); err != nil {
				return "", err
			}
		}
		if len(x.Channels) >= 2 && t.lasting(x.Address, now) {
			if detail, err = s.take(t, KeyProof{Ground: KeyChannels, By: p.Name, At: now, Channels: slices.Sorted(slices.Values(x.Channels)), Note: string(x.Address)}); err != nil {
				return "", err
			}
		}
		news = detail != ""
		return detail, nil
	})
	return news, err
}

// lasting reports whether an address is one that an old key has, or that the team
// has had for a time.
func (t *Team) lasting(e Email, now time.Time) bool {
	for _, k := range t.speakers() {
		if slices.ContainsFunc(k.UserIDs, func(u UserID) bool {
			has, err := ParseEmail(u.Email)
			return err == nil && has.Key() == e.Key()
		}) {
			return true
		}
	}
	return slices.ContainsFunc(t.Contacts, func(c Contact) bool {
		has, err := ParseEmail(c.Value)
		return c.Channel == "email" && err == nil && has.Key() == e.Key() && !c.Since.After(now.Add(-KeyWait))
	})
}

// take adds a proof, unless the same is there; the text is for the audit trail.
func (s *Succession) take(t *Team, p KeyProof) (string, error) {
	for _, x := range s.Proofs {
		if x.Ground == p.Ground && p.Ground != KeyConfirmed && x.Old == p.Old {
			return "", nil
		}
	}
	if len(s.Proofs) >= maxKeyProofs {
		return "", conflictOf(actVouch, t, "continuity.full", fmt.Sprint(len(s.Proofs)), "more than enough was said of this key", "")
	}
	s.Proofs = append(slices.Clip(s.Proofs), p)
	text := string(p.Ground)
	if p.Old != "" {
		text += " by " + string(p.Old)
	}
	if len(p.Channels) > 0 {
		text += " " + strings.Join(p.Channels, ",")
	}
	if p.Note != "" {
		text += ": " + cut(p.Note, 300)
	}
	return text, nil
}

func conflictOf(act action, t *Team, code Code, value, reason, want string) error {
	return &Error{Kind: Conflict, Op: string(act), Subject: string(t.Handle), Problems: []Problem{problem(code, value, reason, want)}}
}

// changeSuccession writes what change makes of how a team came to a key. change
// returns what the audit trail is to say; nothing is written for nothing.
func (d *Directory) changeSuccession(ctx context.Context, p Principal, act action, ref string, f Fingerprint,
	change func(*Team, *Succession, time.Time) (string, error)) (Team, error) {
	if known, err := ParseFingerprint(string(f)); err != nil || known != f {
		return Team{}, &Error{Kind: Invalid, Op: string(act), Subject: ref, Problems: []Problem{
			problem("key.fingerprint-malformed", string(f), "no full fingerprint", "40 or 64 hexadecimal digits").At("/fingerprint")}}
	}
	var out Team
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, t, err := d.forWrite(tx, p, act, ref, AnyRevision)
		if err != nil {
			return err
		}
		out = *t
		k, s := t.key(f), t.Succession(f)
		switch {
		case k != nil && !p.Sees(k.Visibility, t), k == nil && p.Role != Operator:
			return &Error{Kind: NotFound, Op: string(act), Subject: string(t.Handle), Problems: []Problem{
				problem("continuity.unknown", string(f), "the team has no key with this fingerprint", "one of its keys")}}
		case k != nil && s == nil:
			return conflictOf(act, t, "continuity.first", string(f), "the team has had this key from the start, so that nothing needs to speak for it", "")
		case s == nil:
			s = &Succession{Fingerprint: f}
		}
		next, now := *s, d.cfg.Now()
		detail, err := change(t, &next, now)
		if err != nil || detail == "" {
			return err
		}
		out, err = d.putSuccession(tx, p, act, &r, next, detail)
		return err
	})
	return Redact(&out, p), d.committed(ctx, err)
}

// putSuccession writes a record with what is known of one key anew.
func (d *Directory) putSuccession(tx Tx, p Principal, act action, r *Record, s Succession, detail string) (Team, error) {
	r.Successions = slices.Clone(r.Successions)
	if had := successionIn(r.Successions, s.Fingerprint); had != nil {
		*had = s
	} else {
		r.Successions = append(r.Successions, s)
	}
	r.forgetSuccessions()
	r.Revision++
	r.Updated = d.cfg.Now()
	seq, err := tx.NextSeq(1)
	if err != nil {
		return Team{}, err
	}
	r.Seq = seq
	err = tx.PutTeams([]TeamWrite{{Record: *r, Op: OpUpsert, Actor: p.Name, Action: string(act), Fields: []string{"keys"},
		Detail: string(s.Fingerprint) + " " + detail}})
	return r.Team(), err
}

// MayStateKey returns the error of a principal that may not hand in what an old key
// of a team says.
func (d *Directory) MayStateKey(p Principal, t *Team) error { return authorise(p, actStateKey, t) }

// MayVouchForKey returns the error of a principal that may not confirm keys of a team.
func (d *Directory) MayVouchForKey(p Principal, t *Team) error { return authorise(p, actVouch, t) }

// MayRefuseKey returns the error of a principal that may not refuse keys of a team.
func (d *Directory) MayRefuseKey(p Principal, t *Team) error { return authorise(p, actRefuseKey, t) }
