-- What was found about what teams claim. doc is a verification as JSON; held is one that the guard holds back, '' for none.
CREATE TABLE verification (
	team_id    TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	check_name TEXT COLLATE "C" NOT NULL,
	kind       TEXT COLLATE "C" NOT NULL,
	subject    TEXT COLLATE "C" NOT NULL,
	verdict    TEXT NOT NULL,
	raw        TEXT COLLATE "C" NOT NULL,
	since      BIGINT NOT NULL,
	announced  BIGINT NOT NULL,
	doc        TEXT NOT NULL,
	held       TEXT NOT NULL,
	held_raw   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (team_id, check_name, kind, subject)
);
CREATE INDEX verification_raw ON verification (raw);
CREATE INDEX verification_held_raw ON verification (held_raw);
CREATE INDEX verification_held ON verification (team_id) WHERE held <> '';
CREATE INDEX verification_verdict ON verification (check_name, verdict);

-- The queue: a row is due when due_at has passed. Who leases it moves due_at to the end of the lease and
-- keeps in since when it was due before; fence is 0 while nobody has it. rank 0 is what somebody asked for.
-- It is no part of a backup: what shall be checked follows from the teams.
CREATE TABLE check_due (
	team_id    TEXT COLLATE "C" NOT NULL REFERENCES team (id) ON DELETE CASCADE,
	check_name TEXT COLLATE "C" NOT NULL,
	kind       TEXT COLLATE "C" NOT NULL,
	subject    TEXT COLLATE "C" NOT NULL,
	revision   BIGINT NOT NULL,
	rank       BIGINT NOT NULL,
	due_at     BIGINT NOT NULL,
	since      BIGINT NOT NULL,
	asked      BIGINT NOT NULL,
	attempt    BIGINT NOT NULL,
	owner      TEXT NOT NULL,
	fence      BIGINT NOT NULL,
	PRIMARY KEY (team_id, check_name, kind, subject)
);
CREATE INDEX check_due_next ON check_due (rank, due_at);

-- What changed in what is known, numbered without gaps.
CREATE TABLE check_event (
	n          BIGINT PRIMARY KEY NOT NULL,
	at         BIGINT NOT NULL,
	team_id    TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	check_name TEXT COLLATE "C" NOT NULL,
	kind       TEXT COLLATE "C" NOT NULL,
	subject    TEXT COLLATE "C" NOT NULL,
	was        TEXT NOT NULL,
	verdict    TEXT NOT NULL,
	doc        TEXT NOT NULL
);
CREATE INDEX check_event_row ON check_event (team_id, check_name, kind, subject, n);

-- Transcripts by the hash of their content, compressed; at is when one was last the result of a check.
CREATE TABLE check_raw (
	hash TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	at   BIGINT NOT NULL,
	data BYTEA NOT NULL
);
CREATE INDEX check_raw_at ON check_raw (at);
CREATE INDEX evidence_raw ON evidence (raw_hash);

-- What is paused: one check, or '' for all; guard is 1 where too many verdicts turned bad.
CREATE TABLE check_pause (
	check_name TEXT COLLATE "C" NOT NULL,
	guard      BIGINT NOT NULL,
	at_once    BIGINT NOT NULL,
	paused_by  TEXT NOT NULL,
	why        TEXT NOT NULL,
	at         BIGINT NOT NULL,
	PRIMARY KEY (check_name, guard)
);

-- Conclusions by minute, and those that turned bad, for the guard; and runs by what came of them. No part of a backup.
CREATE TABLE check_minute (
	minute    BIGINT PRIMARY KEY NOT NULL,
	concluded BIGINT NOT NULL,
	turned    BIGINT NOT NULL
);
CREATE TABLE check_run (
	check_name TEXT COLLATE "C" NOT NULL,
	outcome    TEXT COLLATE "C" NOT NULL,
	n          BIGINT NOT NULL,
	PRIMARY KEY (check_name, outcome)
);
