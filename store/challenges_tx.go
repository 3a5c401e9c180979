package store

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const (
	logEvent  = `INSERT INTO challenge_log (challenge, n, at, event, effects) SELECT $1, COALESCE(MAX(n), 0) + 1, $2, $3, $4 FROM challenge_log WHERE challenge = $1`
	mailDone  = `UPDATE outbox SET due_at = 0, owner = '', salt = '' WHERE key = $1 AND attempt = $2 AND due_at <> 0`
	mailLater = `UPDATE outbox SET due_at = $1, owner = '' WHERE key = $2 AND attempt = $3 AND due_at <> 0`
	mailKept  = `UPDATE outbox SET due_at = $1 WHERE key = $2 AND attempt = $3 AND due_at <> 0`
	noteCase  = `UPDATE challenge_case SET note = $1 WHERE challenge = $2 AND kind = $3`
	closeCase = `UPDATE challenge_case SET closed = $1, closed_by = $2 WHERE challenge = $3 AND kind = $4 AND closed = 0`
	oneCase   = `SELECT k.challenge, c.team_id, k.kind, k.opened, k.closed, k.closed_by, k.note FROM challenge_case k JOIN challenge c ON c.id = k.challenge WHERE k.challenge = $1 AND k.kind = $2`
	heldMails = `SELECT DISTINCT challenge FROM outbox WHERE address = $1 AND due_at = $2 ORDER BY challenge`
	holdMails = `UPDATE outbox SET due_at = $1 WHERE challenge = $2 AND due_at <> 0 AND owner = ''`
	openCase  = `SELECT closed, note FROM challenge_case WHERE challenge = $1 AND kind = $2`
	// An opt-out is a matter between the contact and an operator: no other mark takes its place.
	keepOptOut = ` WHERE challenge_flag.flag <> 'opt-out-asked' OR excluded.flag = 'opt-out-asked'`
	dropFlag   = `DELETE FROM challenge_flag WHERE contact = $1 AND flag <> 'opt-out-asked'`
	dropOptOut = `DELETE FROM challenge_flag WHERE contact = $1 AND flag = 'opt-out-asked' AND NOT EXISTS
		(SELECT 1 FROM challenge_case k JOIN challenge c ON c.id = k.challenge WHERE c.contact = $1 AND k.kind = $2 AND k.closed = 0)`
	optOuts = `SELECT COUNT(*) FROM challenge_flag WHERE contact = $1 AND flag = 'opt-out-asked'`
	hasItem = `SELECT COUNT(*) FROM evidence WHERE team_id = $1 AND id = $2`
	// What was sent within a day, by whom it went to. The question's own first mail counts too, and so do notices;
	// questions to endpoints are no mails.
	sentLately = `SELECT 0, created FROM outbox WHERE address = $1 AND created >= $2 UNION ALL SELECT 0, created FROM notice WHERE address = $1 AND created >= $2
		UNION ALL SELECT 1, created FROM outbox WHERE domain = $3 AND created >= $2 UNION ALL SELECT 1, created FROM notice WHERE domain = $3 AND created >= $2`
	sentInAll = `SELECT 2, created FROM (SELECT created FROM outbox WHERE created >= $1 AND address <> '' UNION ALL SELECT created FROM notice WHERE created >= $1) AS sent ORDER BY created DESC LIMIT $2`
	// What else stands against a question: when the contact was asked last, whether it is asked already, opted out, and the state of the campaign.
	// A question at a time: before a planner has statistics it would read the whole outbox.
	standing = `SELECT COALESCE(MAX((SELECT MAX(o.created) FROM outbox o WHERE o.challenge = c.id AND o.step = $1)), 0), COALESCE(MAX(c.is_open), 0),
		(SELECT COUNT(*) FROM challenge_flag WHERE (contact = $2 OR address = $3) AND flag = $4), COALESCE((SELECT state FROM campaign WHERE id = $5), '')
		FROM challenge c WHERE c.contact = $2 AND c.id <> $6`
	// What a contact was asked lately: of a call there is no row in the outbox.
	lately  = `SELECT doc FROM challenge WHERE contact = $1 AND id <> $2 ORDER BY created DESC LIMIT 10`
	nothing = ` ON CONFLICT DO NOTHING`
)

// Challenge implements [challenge.Tx].
func (t *tx) Challenge(id challenge.ID) (challenge.Challenge, error) {
	return t.oneChallenge(challengeByID, string(id))
}

// OpenChallenge implements [challenge.Tx].
func (t *tx) OpenChallenge(contact directory.ContactID) (challenge.Challenge, bool, error) {
	list, err := collect(&t.view, scanChallenge, challengeOpen, string(contact))
	if err != nil || len(list) == 0 {
		return challenge.Challenge{}, false, t.db.fail("read challenge", string(contact), err)
	}
	return list[0], true, nil
}

// PutChallenge implements [challenge.Tx].
func (t *tx) PutChallenge(c challenge.Challenge, next time.Time) error {
	const op = "write challenge"
	doc, err := json.Marshal(c)
	if err != nil {
		return internal(op, string(c.ID), err)
	}
	if !c.Open() {
		next = time.Time{}
	}
	row := []any{string(c.ID), string(c.Team), string(c.Contact), string(c.Campaign), c.Subject, flag(c.Open()), micros(next), micros(c.Created), string(doc)}
	return t.db.fail(op, string(c.ID), t.insertAll(challengeTable, challengeTable.overwrite(), row))
}

// LogEvent implements [challenge.Tx].
func (t *tx) LogEvent(id challenge.ID, at time.Time, e challenge.Event, effects []challenge.Effect) error {
	const op = "log what happened to a challenge"
	words := []string{}
	for _, effect := range effects {
		words = append(words, effect.String())
	}
	event, err := json.Marshal(e)
	if err != nil {
		return internal(op, string(id), err)
	}
	came, _ := json.Marshal(words) // plain text can't fail
	return t.db.fail(op, string(id), t.exec(logEvent, string(id), micros(at), string(event), string(came)))
}

// PostMail implements [challenge.Tx].
func (t *tx) PostMail(m challenge.OutMail) error {
	row := []any{m.Key, string(m.Challenge), m.Step, string(m.Letter), flag(m.Last), m.Salt, m.Address, m.Domain, micros(m.Created), micros(m.Due), 0, ""}
	return t.db.fail("post mail", m.Key, t.insertAll(outboxTable, nothing, row))
}

// SettleMail implements [challenge.Tx].
func (t *tx) SettleMail(m challenge.OutMail, again time.Time) (bool, error) {
	query, args := mailDone, []any{m.Key, m.Attempt}
	if !again.IsZero() {
		query, args = mailLater, []any{micros(again), m.Key, m.Attempt}
	}
	n, err := t.affect(query, args...)
	return n == 1, t.db.fail("settle mail", m.Key, err)
}

// KeepMail implements [challenge.Tx].
func (t *tx) KeepMail(m challenge.OutMail, until time.Time) (bool, error) {
	n, err := t.affect(mailKept, micros(until), m.Key, m.Attempt)
	return n == 1, t.db.fail("keep mail", m.Key, err)
}

// PutLink implements [challenge.Tx].
func (t *tx) PutLink(lookup challenge.Digest, id challenge.ID) error {
	return t.db.fail("write token", string(id), t.insertAll(challengeTokenTable, nothing, []any{string(lookup), string(id)}))
}

// OpenCase implements [challenge.Tx].
func (t *tx) OpenCase(id challenge.ID, c challenge.Case, at time.Time) error {
	const op = "open case"
	type known struct {
		closed int64
		note   string
	}
	found, err := collect(&t.view, func(rows *sql.Rows) (k known, err error) {
		err = rows.Scan(&k.closed, &k.note)
		return k, err
	}, openCase, string(id), string(c.Kind))
	if err != nil {
		return t.db.fail(op, string(id), err)
	}
	if len(found) > 0 && found[0].closed == 0 {
		return t.db.fail(op, string(id), t.exec(noteCase, noteWith(found[0].note, c.Note), string(id), string(c.Kind)))
	}
	row := []any{string(id), string(c.Kind), micros(at), 0, "", c.Note}
	return t.db.fail(op, string(id), t.insertAll(challengeCaseTable, challengeCaseTable.overwrite(), row))
}

// mostNote bounds what is added to the note of a case.
const mostNote = 1000

// noteWith adds a note to another, unless it is there.
func noteWith(note, more string) string {
	switch {
	case note == "":
		return more
	case more == "" || strings.Contains(note, more) || len(note)+len(more) > mostNote:
		return note
	}
	return note + "; " + more
}

// Case implements [challenge.Tx].
func (t *tx) Case(id challenge.ID, kind challenge.CaseKind) (challenge.OpenCase, bool, error) {
	list, err := collect(&t.view, scanCase, oneCase, string(id), string(kind))
	if err != nil || len(list) == 0 {
		return challenge.OpenCase{}, false, t.db.fail("read case", string(id), err)
	}
	return list[0], true, nil
}

// CloseCase implements [challenge.Tx].
func (t *tx) CloseCase(id challenge.ID, kind challenge.CaseKind, by string, at time.Time) (bool, error) {
	n, err := t.affect(closeCase, micros(at), by, string(id), string(kind))
	return n == 1, t.db.fail("close case", string(id), err)
}

// MarkContact implements [challenge.Tx].
func (t *tx) MarkContact(c *challenge.Challenge, f challenge.FlagKind, at time.Time) error {
	const op = "mark contact"
	if f == challenge.FlagNone {
		return t.db.fail(op, string(c.Contact), t.exec(dropFlag, string(c.Contact)))
	}
	address, _ := challenge.MailTo(c.Address)
	row := []any{string(c.Contact), string(c.Team), string(f), micros(at), string(c.ID), address}
	return t.db.fail(op, string(c.Contact), t.insertAll(challengeFlagTable, challengeFlagTable.overwrite()+keepOptOut, row))
}

// AllowContact implements [challenge.Tx].
func (t *tx) AllowContact(c *challenge.Challenge) (free bool, err error) {
	const op = "mark contact"
	if err := t.exec(dropOptOut, string(c.Contact), string(challenge.CaseOptOut)); err != nil {
		return false, t.db.fail(op, string(c.Contact), err)
	}
	var n int64
	err = t.tx.QueryRowContext(t.ctx, optOuts, string(c.Contact)).Scan(&n)
	return n == 0, t.db.fail(op, string(c.Contact), err)
}

// KeepRaw implements [challenge.Tx].
func (t *tx) KeepRaw(hash string, at time.Time, data []byte) error {
	return t.db.fail("keep evidence", hash, t.insertAll(rawTable, touchRaw, []any{hash, micros(at), data}))
}

// Prove implements [challenge.Tx].
func (t *tx) Prove(team directory.TeamID, e directory.Evidence) error {
	const op = "write evidence"
	var n int64
	if err := t.tx.QueryRowContext(t.ctx, hasItem, string(team), e.ID).Scan(&n); err != nil {
		return t.db.fail(op, string(team), err)
	}
	revisions, err := collect(&t.view, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	}, liveRevision, string(team))
	if err != nil || n > 0 || len(revisions) == 0 {
		return t.db.fail(op, string(team), err) // written before, or nobody is left to prove it of
	}
	if err := t.PutEvidence(team, []directory.Evidence{e}); err != nil {
		return err
	}
	return t.db.fail(op, string(team), t.say(
		directory.Change{Type: "team", ID: string(team), Op: directory.OpUpsert, Revision: revisions[0], At: e.At},
		directory.AuditEntry{At: e.At, Actor: e.By, Action: "challenge", Subject: "team:" + string(team), Fields: []string{"evidence"}, Detail: e.Method + ": " + string(e.Outcome)}))
}

// HoldMails implements [challenge.Tx].
func (t *tx) HoldMails(id challenge.ID, until time.Time) error {
	return t.db.fail("hold mails back", string(id), t.exec(holdMails, micros(until), string(id)))
}

// HeldMails implements [challenge.Tx].
func (t *tx) HeldMails(address string, due time.Time) ([]challenge.ID, error) {
	list, err := collect(&t.view, func(rows *sql.Rows) (id challenge.ID, err error) {
		err = rows.Scan(&id)
		return id, err
	}, heldMails, address, micros(due))
	return list, t.db.fail("read what is held back", address, err)
}

// Campaign implements [challenge.Tx].
func (t *tx) Campaign(id challenge.CampaignID) (challenge.Campaign, error) { return t.oneCampaign(id) }

// PutCampaign implements [challenge.Tx].
func (t *tx) PutCampaign(c challenge.Campaign) error {
	const op = "write campaign"
	doc, err := json.Marshal(c)
	if err != nil {
		return internal(op, string(c.ID), err)
	}
	row := []any{string(c.ID), string(c.State), micros(c.Created), string(doc)}
	return t.db.fail(op, string(c.ID), t.insertAll(campaignTable, campaignTable.overwrite(), row))
}

// Note implements [challenge.Tx].
func (t *tx) Note(a directory.AuditEntry) error {
	kind, id, _ := strings.Cut(a.Subject, ":")
	return t.db.fail("write audit entry", a.Subject, t.say(directory.Change{Type: kind, ID: id, Op: directory.OpUpsert, At: a.At}, a))
}

func stopsChallenges(pauses []directory.Pause) bool {
	return slices.ContainsFunc(pauses, func(p directory.Pause) bool { return p.Check == "" || p.Check == directory.PauseOfChallenges })
}

// Sent implements [challenge.Tx].
func (t *tx) Sent(c *challenge.Challenge, caps challenge.Caps, now time.Time) (h challenge.History, err error) {
	const op = "read what was sent"
	pauses, err := t.Pauses()
	if err != nil {
		return h, err
	}
	h.Stopped = stopsChallenges(pauses)
	address, domain := challenge.MailTo(c.Address)
	lists := []*[]time.Time{&h.Address, &h.Domain, &h.Overall}
	sent := func(rows *sql.Rows) error {
		var list int
		var at int64
		err := rows.Scan(&list, &at)
		if err == nil {
			*lists[list] = append(*lists[list], timeOf(at))
		}
		return err
	}
	err = t.each(sent, sentLately, address, micros(now.Add(-24*time.Hour)), domain)
	if err == nil && caps.OverallHour > 0 { // no more of them than matter: a large campaign must not be read whole for each of its mails
		err = t.each(sent, sentInAll, micros(now.Add(-time.Hour)), caps.OverallHour)
	}
	if err != nil {
		return h, t.db.fail(op, address, err)
	}
	var last, open, out int64
	var state challenge.CampaignState
	err = t.tx.QueryRowContext(t.ctx, standing, challenge.StepFirst, string(c.Contact), address, string(challenge.FlagOptOut), string(c.Campaign), string(c.ID)).Scan(&last, &open, &out, &state)
	h.Last, h.Open, h.OptedOut, h.Paused = timeOf(last), open > 0, out > 0, state == challenge.CampaignHalted || state == challenge.CampaignAborted
	if err != nil || c.Kind != challenge.KindPhone {
		return h, t.db.fail(op, string(c.Contact), err)
	}
	before, err := collect(&t.view, scanChallenge, lately, string(c.Contact), string(c.ID))
	for i := range before {
		if before[i].Kind == challenge.KindPhone && before[i].Sent.After(h.Last) {
			h.Last = before[i].Sent
		}
	}
	return h, t.db.fail(op, string(c.Contact), err)
}
