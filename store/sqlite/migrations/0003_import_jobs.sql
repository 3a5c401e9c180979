-- Imports that were uploaded: what was asked for, how far it is, what came of it.
CREATE TABLE import_job (
	id         TEXT PRIMARY KEY NOT NULL,
	state      TEXT NOT NULL,
	format     TEXT NOT NULL,
	options    TEXT NOT NULL,
	created    INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	started    INTEGER NOT NULL,
	ended      INTEGER NOT NULL,
	size       INTEGER NOT NULL,
	rows_done  INTEGER NOT NULL,
	attempts   INTEGER NOT NULL,
	runner     TEXT NOT NULL,
	lease      INTEGER NOT NULL,
	cancel     INTEGER NOT NULL,
	report     TEXT NOT NULL
);

-- What was uploaded, until the job has ended. It is no part of a backup.
CREATE TABLE import_block (
	job_id TEXT NOT NULL REFERENCES import_job (id) ON DELETE CASCADE,
	n      INTEGER NOT NULL,
	data   BLOB NOT NULL,
	PRIMARY KEY (job_id, n)
);
