package store

import (
	"database/sql"
	"encoding/json"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	jobColumns  = `SELECT id, state, format, options, created, created_by, started, ended, size, rows_done, attempts, runner, lease, cancel, `
	jobList     = jobColumns + `'' FROM import_job ORDER BY created DESC, id`
	jobByID     = jobColumns + `report FROM import_job WHERE id = $1`
	importBlock = `SELECT data FROM import_block WHERE job_id = $1 AND n = $2`
	dropUpload  = `DELETE FROM import_block WHERE job_id = $1`
	dropJob     = `DELETE FROM import_job WHERE id = $1`
)

// ImportJobs implements [directory.Reader].
func (v *view) ImportJobs() ([]directory.ImportJob, error) {
	list, err := collect(v, scanJob, jobList)
	return list, v.db.fail("read import jobs", "", err)
}

// ImportJob implements [directory.Reader].
func (v *view) ImportJob(id string) (directory.ImportJob, error) {
	list, err := collect(v, scanJob, jobByID, id)
	if err != nil {
		return directory.ImportJob{}, v.db.fail("read import job", id, err)
	}
	if len(list) == 0 {
		return directory.ImportJob{}, notFound("read import job", id)
	}
	return list[0], nil
}

func scanJob(rows *sql.Rows) (directory.ImportJob, error) {
	var j directory.ImportJob
	var options, report string
	var created, started, ended, lease, cancel int64
	err := rows.Scan(&j.ID, &j.State, &j.Format, &options, &created, &j.By, &started, &ended, &j.Size, &j.Rows, &j.Attempts, &j.Runner, &lease, &cancel, &report)
	if err != nil {
		return j, err
	}
	j.Created, j.Started, j.Ended, j.Lease = timeOf(created), timeOf(started), timeOf(ended), timeOf(lease)
	j.Cancel = cancel != 0
	if report != "" {
		j.Report = []byte(report)
	}
	return j, json.Unmarshal([]byte(options), &j.Options)
}

// ImportBlock implements [directory.Reader].
func (v *view) ImportBlock(id string, n int) ([]byte, error) {
	list, err := collect(v, func(rows *sql.Rows) (data []byte, err error) {
		err = rows.Scan(&data)
		return data, err
	}, importBlock, id, n)
	if err != nil {
		return nil, v.db.fail("read upload", id, err)
	}
	if len(list) == 0 {
		return nil, notFound("read upload", id)
	}
	return list[0], nil
}

// PutImportJob implements [directory.Tx].
func (t *tx) PutImportJob(j directory.ImportJob) error {
	const op = "write import job"
	options, err := json.Marshal(j.Options)
	if err != nil {
		return internal(op, j.ID, err)
	}
	cancel := 0
	if j.Cancel {
		cancel = 1
	}
	row := []any{j.ID, string(j.State), j.Format, string(options), micros(j.Created), j.By, micros(j.Started), micros(j.Ended),
		j.Size, j.Rows, j.Attempts, j.Runner, micros(j.Lease), cancel, string(j.Report)}
	return t.db.fail(op, j.ID, t.insertAll(jobTable, jobTable.overwrite(), row))
}

// PutImportBlock implements [directory.Tx].
func (t *tx) PutImportBlock(id string, n int, data []byte) error {
	return t.db.fail("write upload", id, t.insertAll(uploadTable, "", []any{id, n, data}))
}

// DropImportJob implements [directory.Tx].
func (t *tx) DropImportJob(id string, uploadOnly bool) error {
	if err := t.exec(dropUpload, id); err != nil || uploadOnly {
		return t.db.fail("remove upload", id, err)
	}
	return t.db.fail("remove import job", id, t.exec(dropJob, id))
}
