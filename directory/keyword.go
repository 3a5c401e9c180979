package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// KeyGround is what somebody vouches with for a key that is to take the place of
// another.
type KeyGround string

// The grounds that people bring. What a key itself or its places show is for
// package verify/pgpkey to find.
const (
	KeyConfirmed KeyGround = "confirmed" // an operator asked the team on another way
	KeyStated    KeyGround = "stated"    // a statement that the old key has signed names the new one
)

// KeyWord is one such word. It is an entry of the audit trail: nothing hangs on it
// but what people decide.
type KeyWord struct {
	Fingerprint Fingerprint
	Ground      KeyGround
	By          string
	At          time.Time
	Note        string
}

// VouchForKey writes down that an operator vouches for a key of a team, whether the
// team has it already or not. To say the same again writes nothing.
func (d *Directory) VouchForKey(ctx context.Context, p Principal, ref string, w KeyWord) error {
	c := checker{now: d.cfg.Now()}
	c.text("/note", w.Note, 500)
	if f, err := ParseFingerprint(string(w.Fingerprint)); err != nil || f != w.Fingerprint {
		c.add("key.fingerprint-malformed", "/fingerprint", string(w.Fingerprint), "no full fingerprint", "40 or 64 hexadecimal digits")
	}
	if w.Ground != KeyConfirmed && w.Ground != KeyStated {
		return &Error{Kind: Internal, Op: string(actVouch), Subject: ref, Err: errors.New("nothing that speaks for a key: " + string(w.Ground))}
	}
	if len(c.found) > 0 {
		return &Error{Kind: Invalid, Op: string(actVouch), Subject: ref, Problems: c.found}
	}
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, _, err := d.forWrite(tx, p, actVouch, ref, AnyRevision)
		if err != nil {
			return err
		}
		known, err := keyWords(tx, r.ID, w.Fingerprint)
		if err != nil || slices.ContainsFunc(known, func(k KeyWord) bool { return k.By == p.Name && k.Ground == w.Ground && k.Note == w.Note }) {
			return err
		}
		seq, err := tx.NextSeq(1)
		if err != nil {
			return err
		}
		return tx.Append(
			Change{Seq: seq, Type: "team", ID: string(r.ID), Op: OpUpsert, Revision: r.Revision, At: c.now},
			AuditEntry{Seq: seq, At: c.now, Actor: p.Name, Action: string(actVouch), Subject: "team:" + string(r.ID),
				Fields: []string{"keys"}, Detail: strings.TrimSpace(string(w.Fingerprint) + " " + string(w.Ground) + " " + w.Note)})
	})
	return d.committed(ctx, err)
}

// KeyWords returns who has vouched for a key of a team, and with what, newest first.
func (d *Directory) KeyWords(ctx context.Context, p Principal, ref string, f Fingerprint) (list []KeyWord, err error) {
	if err := authorise(p, actAudit, nil); err != nil {
		return nil, err
	}
	err = d.cfg.Store.View(ctx, func(tx Reader) error {
		r, err := findIn(tx, ref)
		if err == nil {
			list, err = keyWords(tx, r.ID, f)
		}
		return err
	})
	return list, err
}

func keyWords(tx Reader, id TeamID, f Fingerprint) (list []KeyWord, err error) {
	entries, err := tx.Audit(AuditFilter{Subject: "team:" + string(id), Action: string(actVouch)})
	for _, e := range entries {
		fingerprint, rest, _ := strings.Cut(e.Detail, " ")
		ground, note, _ := strings.Cut(rest, " ")
		if Fingerprint(fingerprint) == f {
			list = append(list, KeyWord{Fingerprint: f, Ground: KeyGround(ground), By: e.Actor, At: e.At, Note: note})
		}
	}
	return list, err
}
