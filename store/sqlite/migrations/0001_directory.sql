-- The directory. Times are microseconds since 1970, 0 is none; lists are JSON arrays, '' is none.
-- WITHOUT ROWID is not used: rows hold whole documents, and those belong into a table's own tree.

CREATE TABLE meta (
	name  TEXT PRIMARY KEY NOT NULL,
	value TEXT NOT NULL
);

-- One row: the number of the last change. Its row lock is the write lock on PostgreSQL.
CREATE TABLE counter (
	id  INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
	seq INTEGER NOT NULL
);
INSERT INTO counter (id, seq) VALUES (1, 0);

CREATE TABLE team (
	id       TEXT PRIMARY KEY NOT NULL,
	handle   TEXT NOT NULL UNIQUE,
	revision INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	name     TEXT NOT NULL,
	country  TEXT NOT NULL,
	kinds    TEXT NOT NULL,
	gone     INTEGER NOT NULL,
	created  INTEGER NOT NULL,
	updated  INTEGER NOT NULL,
	doc      TEXT NOT NULL
);

CREATE TABLE layer (
	source     TEXT NOT NULL,
	source_key TEXT NOT NULL,
	team_id    TEXT NOT NULL REFERENCES team (id),
	hash       TEXT NOT NULL,
	PRIMARY KEY (source, source_key)
);
CREATE INDEX layer_team ON layer (team_id);

CREATE TABLE history (
	team_id  TEXT NOT NULL REFERENCES team (id),
	revision INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	actor    TEXT NOT NULL,
	action   TEXT NOT NULL,
	fields   TEXT NOT NULL,
	doc      TEXT NOT NULL,
	PRIMARY KEY (team_id, revision)
);

CREATE TABLE change (
	seq      INTEGER PRIMARY KEY NOT NULL,
	type     TEXT NOT NULL,
	id       TEXT NOT NULL,
	op       TEXT NOT NULL,
	revision INTEGER NOT NULL,
	at       INTEGER NOT NULL
);

CREATE TABLE audit (
	seq     INTEGER PRIMARY KEY NOT NULL,
	at      INTEGER NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	fields  TEXT NOT NULL,
	detail  TEXT NOT NULL
);

CREATE TABLE evidence (
	team_id     TEXT NOT NULL REFERENCES team (id),
	n           INTEGER NOT NULL,
	id          TEXT NOT NULL,
	contact     TEXT NOT NULL,
	revision    INTEGER NOT NULL,
	level       INTEGER NOT NULL,
	outcome     TEXT NOT NULL,
	method      TEXT NOT NULL,
	at          INTEGER NOT NULL,
	valid_until INTEGER NOT NULL,
	vouched_by  TEXT NOT NULL,
	note        TEXT NOT NULL,
	raw_hash    TEXT NOT NULL,
	PRIMARY KEY (team_id, n),
	UNIQUE (team_id, id)
);

CREATE TABLE token (
	id         TEXT PRIMARY KEY NOT NULL,
	name       TEXT NOT NULL,
	hash       TEXT NOT NULL,
	role       TEXT NOT NULL,
	team       TEXT NOT NULL,
	forum      TEXT NOT NULL,
	scopes     TEXT NOT NULL,
	created    INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires    INTEGER NOT NULL,
	last_used  INTEGER NOT NULL,
	revoked    INTEGER NOT NULL
);

CREATE TABLE reference_set (
	kind    TEXT NOT NULL,
	source  TEXT NOT NULL,
	as_of   INTEGER NOT NULL,
	loaded  INTEGER NOT NULL,
	entries INTEGER NOT NULL,
	hash    TEXT NOT NULL,
	seq     INTEGER NOT NULL,
	PRIMARY KEY (kind, source)
);

CREATE TABLE reference_block (
	kind   TEXT NOT NULL,
	source TEXT NOT NULL,
	n      INTEGER NOT NULL,
	data   BLOB NOT NULL,
	PRIMARY KEY (kind, source, n),
	FOREIGN KEY (kind, source) REFERENCES reference_set (kind, source)
);
