-- Imports that were uploaded: what was asked for, how far it is, what came of it.
CREATE TABLE import_job (
	id         TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	state      TEXT NOT NULL,
	format     TEXT NOT NULL,
	options    TEXT NOT NULL,
	created    BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	started    BIGINT NOT NULL,
	ended      BIGINT NOT NULL,
	size       BIGINT NOT NULL,
	rows_done  BIGINT NOT NULL,
	attempts   BIGINT NOT NULL,
	runner     TEXT NOT NULL,
	lease      BIGINT NOT NULL,
	cancel     BIGINT NOT NULL,
	report     TEXT NOT NULL
);

-- What was uploaded, until the job has ended. It is no part of a backup.
CREATE TABLE import_block (
	job_id TEXT COLLATE "C" NOT NULL REFERENCES import_job (id) ON DELETE CASCADE,
	n      BIGINT NOT NULL,
	data   BYTEA NOT NULL,
	PRIMARY KEY (job_id, n)
);
