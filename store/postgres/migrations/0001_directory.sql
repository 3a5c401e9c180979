-- The directory. Times are microseconds since 1970, 0 is none; lists are JSON arrays, '' is none.
-- Keys collate as bytes, so that an order is the same here and in SQLite, whatever the database was made with.

CREATE TABLE meta (
	name  TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	value TEXT NOT NULL
);

-- One row: the number of the last change. Its row lock is the write lock on PostgreSQL.
CREATE TABLE counter (
	id  BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
	seq BIGINT NOT NULL
);
INSERT INTO counter (id, seq) VALUES (1, 0);

CREATE TABLE team (
	id       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	handle   TEXT COLLATE "C" NOT NULL UNIQUE,
	revision BIGINT NOT NULL,
	seq      BIGINT NOT NULL,
	name     TEXT NOT NULL,
	country  TEXT NOT NULL,
	kinds    TEXT NOT NULL,
	gone     BIGINT NOT NULL,
	created  BIGINT NOT NULL,
	updated  BIGINT NOT NULL,
	doc      TEXT NOT NULL
);

CREATE TABLE layer (
	source     TEXT COLLATE "C" NOT NULL,
	source_key TEXT COLLATE "C" NOT NULL,
	team_id    TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	hash       TEXT NOT NULL,
	PRIMARY KEY (source, source_key)
);
CREATE INDEX layer_team ON layer (team_id);

CREATE TABLE history (
	team_id  TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	revision BIGINT NOT NULL,
	seq      BIGINT NOT NULL,
	at       BIGINT NOT NULL,
	actor    TEXT NOT NULL,
	action   TEXT NOT NULL,
	fields   TEXT NOT NULL,
	doc      TEXT NOT NULL,
	PRIMARY KEY (team_id, revision)
);

CREATE TABLE change (
	seq      BIGINT PRIMARY KEY NOT NULL,
	type     TEXT NOT NULL,
	id       TEXT NOT NULL,
	op       TEXT NOT NULL,
	revision BIGINT NOT NULL,
	at       BIGINT NOT NULL
);

CREATE TABLE audit (
	seq     BIGINT PRIMARY KEY NOT NULL,
	at      BIGINT NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	fields  TEXT NOT NULL,
	detail  TEXT NOT NULL
);

CREATE TABLE evidence (
	team_id     TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	n           BIGINT NOT NULL,
	id          TEXT COLLATE "C" NOT NULL,
	contact     TEXT NOT NULL,
	revision    BIGINT NOT NULL,
	level       BIGINT NOT NULL,
	outcome     TEXT NOT NULL,
	method      TEXT NOT NULL,
	at          BIGINT NOT NULL,
	valid_until BIGINT NOT NULL,
	vouched_by  TEXT NOT NULL,
	note        TEXT NOT NULL,
	raw_hash    TEXT NOT NULL,
	PRIMARY KEY (team_id, n),
	UNIQUE (team_id, id)
);

CREATE TABLE token (
	id         TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	name       TEXT NOT NULL,
	hash       TEXT NOT NULL,
	role       TEXT NOT NULL,
	team       TEXT NOT NULL,
	forum      TEXT NOT NULL,
	scopes     TEXT NOT NULL,
	created    BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	expires    BIGINT NOT NULL,
	last_used  BIGINT NOT NULL,
	revoked    BIGINT NOT NULL
);

CREATE TABLE reference_set (
	kind    TEXT COLLATE "C" NOT NULL,
	source  TEXT COLLATE "C" NOT NULL,
	as_of   BIGINT NOT NULL,
	loaded  BIGINT NOT NULL,
	entries BIGINT NOT NULL,
	hash    TEXT NOT NULL,
	seq     BIGINT NOT NULL,
	PRIMARY KEY (kind, source)
);

CREATE TABLE reference_block (
	kind   TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	n      BIGINT NOT NULL,
	data   BYTEA NOT NULL,
	PRIMARY KEY (kind, source, n),
	FOREIGN KEY (kind, source) REFERENCES reference_set (kind, source)
);
