package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	endLease = `UPDATE check_due SET due_at = $1, since = $1, rank = 1, attempt = 0, owner = '', fence = 0
		WHERE team_id = $2 AND check_name = $3 AND kind = $4 AND subject = $5 AND fence = $6`
	liveRevision = `SELECT revision FROM team WHERE id = $1 AND gone = 0`
	countMinute  = ` ON CONFLICT (minute) DO UPDATE SET concluded = check_minute.concluded + 1, turned = check_minute.turned + excluded.turned`
	countRun     = ` ON CONFLICT (check_name, outcome) DO UPDATE SET n = check_run.n + 1`
	sumMinutes   = `SELECT COALESCE(SUM(concluded), 0), COALESCE(SUM(turned), 0) FROM check_minute WHERE minute > $1`
	holdFound    = `UPDATE verification SET held = $1, held_raw = $2 WHERE team_id = $3 AND check_name = $4 AND kind = $5 AND subject = $6`
	touchRaw     = ` ON CONFLICT (hash) DO UPDATE SET at = excluded.at`
	lastEvent    = `SELECT COALESCE(MAX(n), 0) FROM check_event`
)

const opFinish = "finish check"

// Finish implements [verify.Queue]. Results that nobody is told of take no
// number and wait for no other writer.
func (db *DB) Finish(ctx context.Context, list ...verify.Finish) (out []verify.Finished, err error) {
	do := db.beside
	for i := range list {
		if list[i].Announces() || stepped(&list[i].Job.Previous, &list[i].Result) {
			do = db.update
		}
	}
	err = do(ctx, opFinish, func(t *tx) error {
		out = make([]verify.Finished, len(list))
		for i := range list {
			f := list[i]
			if out[i], err = t.finishCheck(&f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// stepped reports whether a result makes an event.
func stepped(was, is *verify.Verification) bool {
	if is.Trouble != "" && was.Verdict == "" {
		return false // nothing is known, as before
	}
	return was.Verdict != is.Verdict || !slices.Equal(was.Findings, is.Findings) || !slices.Equal(was.Facts, is.Facts)
}

func (t *tx) finishCheck(f *verify.Finish) (verify.Finished, error) {
	var out verify.Finished
	revision, ok, err := t.endLease(f)
	if err != nil || !ok {
		return verify.Finished{Fenced: !ok}, t.db.fail(opFinish, string(f.Job.Team), err)
	}
	if err := t.count(f); err != nil {
		return out, t.db.fail(opFinish, f.Job.Check, err)
	}
	if f.Concluded() && f.Raw == nil {
		f.Result.Raw = "" // a verification never names what is not kept
	}
	if f.Raw != nil {
		if err := t.insertAll(rawTable, touchRaw, []any{f.Result.Raw, micros(f.Now), f.Raw}); err != nil {
			return out, t.db.fail(opFinish, f.Result.Raw, err)
		}
	}
	if f.Turned() {
		if out.Held, out.Tripped, err = t.guard(f); err != nil {
			return out, t.db.fail(opFinish, f.Job.Check, err)
		}
	}
	if out.Held {
		return out, t.db.fail(opFinish, f.Job.Check, t.hold(f))
	}
	out.Announced = f.Announces()
	return out, t.db.fail(opFinish, f.Job.Check, t.publish(f, revision))
}

// endLease gives the row back, and returns the revision of its team; false when
// the lease was over already, or the team is gone.
func (t *tx) endLease(f *verify.Finish) (revision int64, ok bool, err error) {
	row := f.Job.Row
	revisions, err := collect(&t.view, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	}, liveRevision, string(row.Team))
	if err != nil || len(revisions) == 0 {
		return 0, false, err
	}
	n, err := t.affect(endLease, append(append([]any{micros(f.Result.Due)}, rowArgs(row)...), f.Job.Fence)...)
	return revisions[0], n == 1, err
}

// count adds a run to the figures, and a conclusion to those that the guard
// looks at.
func (t *tx) count(f *verify.Finish) error {
	outcome, turned := string(f.Result.Trouble), 0
	if f.Concluded() {
		outcome = string(f.Result.Verdict)
		if f.Turned() {
			turned = 1
		}
		if err := t.insertAll(minuteTable, countMinute, []any{f.Now.Unix() / 60, 1, turned}); err != nil {
			return err
		}
	}
	return t.insertAll(runTable, countRun, []any{f.Job.Check, outcome, 1})
}

// guard decides whether a verdict that turned bad is held back, and pauses
// everything when it is the one too many. Who writes changes is alone, so that
// no two see the same figures.
func (t *tx) guard(f *verify.Finish) (held, tripped bool, err error) {
	pauses, err := t.Pauses()
	if err != nil {
		return false, false, err
	}
	if slices.ContainsFunc(pauses, func(p directory.Pause) bool { return p.Guard }) {
		return true, false, nil
	}
	var concluded, turned int64
	since := f.Now.Add(-f.Guard.Window).Unix() / 60
	if err := t.tx.QueryRowContext(t.ctx, sumMinutes, since).Scan(&concluded, &turned); err != nil {
		return false, false, err
	}
	if !f.Guard.Trips(turned, concluded) {
		return false, false, nil
	}
	why := fmt.Sprintf("%d of %d conclusions within %s turned worse", turned, concluded, f.Guard.Window)
	pause := directory.Pause{Guard: true, By: "guard", Why: why, At: f.Now}
	if err := t.PutPause(pause); err != nil {
		return false, false, err
	}
	return true, true, t.say(
		directory.Change{Type: "checks", ID: "all", Op: directory.OpUpsert, At: f.Now},
		directory.AuditEntry{At: f.Now, Actor: pause.By, Action: "pause checks", Subject: "checks:all", Detail: why})
}

// say writes the next change.
func (t *tx) say(c directory.Change, a directory.AuditEntry) (err error) {
	if c.Seq, err = t.NextSeq(1); err != nil {
		return err
	}
	return t.Append(c, a)
}

// hold keeps a result where nobody is told of it.
func (t *tx) hold(f *verify.Finish) error {
	doc, err := json.Marshal(f.Result)
	if err != nil {
		return err
	}
	return t.exec(holdFound, append([]any{string(doc), f.Result.Raw}, rowArgs(f.Job.Row)...)...)
}

// publish writes a result, and tells of it what is news.
func (t *tx) publish(f *verify.Finish, revision int64) error {
	announced, announces := f.Job.Announced, f.Announces()
	if announces {
		announced = f.Now
	}
	if err := t.putFound(f.Job.Row, &f.Result, announced); err != nil {
		return err
	}
	if stepped(&f.Job.Previous, &f.Result) {
		if err := t.putEvent(f.Job.Row, f.Now, f.Job.Previous.Verdict, &f.Result); err != nil {
			return err
		}
	}
	if len(f.Evidence) > 0 {
		if err := t.PutEvidence(f.Job.Team, f.Evidence); err != nil {
			return err
		}
	}
	if f.Control != nil {
		if err := t.seeControl(f); err != nil {
			return err
		}
	}
	if !announces {
		return nil
	}
	entry := directory.AuditEntry{At: f.Now, Actor: "check." + f.Job.Check, Action: "check", Subject: "team:" + string(f.Job.Team),
		Fields: []string{"verification"}, Detail: detail(&f.Job.Previous, &f.Result)}
	if len(f.Evidence) > 0 {
		entry.Fields = append(entry.Fields, "evidence")
	}
	if f.Control != nil {
		entry.Fields = append(entry.Fields, "control")
		entry.Detail += "; control " + f.Control.State
	}
	return t.say(directory.Change{Type: "team", ID: string(f.Job.Team), Op: directory.OpUpsert, Revision: revision, At: f.Now}, entry)
}

// detail says in a few words what was found.
func detail(was, is *verify.Verification) string {
	text := is.Subject.String() + ": " + string(is.Verdict)
	if was.Verdict != "" && was.Verdict != is.Verdict {
		text += ", was " + string(was.Verdict)
	}
	var codes []string
	for _, f := range is.Findings {
		if code := string(f.Code); (f.Severity == verify.Error || f.Severity == verify.Warning) && !slices.Contains(codes, code) && len(codes) < 8 {
			codes = append(codes, code)
		}
	}
	if len(codes) > 0 {
		text += " (" + strings.Join(codes, ", ") + ")"
	}
	return text
}

func (t *tx) putFound(row verify.Row, v *verify.Verification, announced time.Time) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.insertAll(foundTable, foundTable.overwrite(), append(rowArgs(row), string(v.Verdict), v.Raw, micros(v.Since), micros(announced), string(doc), "", ""))
}

// putEvent writes the next event. Its number is right because whoever writes
// events is alone.
func (t *tx) putEvent(row verify.Row, at time.Time, was verify.Verdict, v *verify.Verification) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var last int64
	if err := t.tx.QueryRowContext(t.ctx, lastEvent).Scan(&last); err != nil {
		return err
	}
	return t.insertAll(eventTable, "", append(append([]any{last + 1, micros(at)}, rowArgs(row)...), string(was), string(v.Verdict), string(doc)))
}
