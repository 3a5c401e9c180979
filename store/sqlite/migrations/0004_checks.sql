-- What was found about what teams claim. doc is a verification as JSON; held is one that the guard holds back, '' for none.
CREATE TABLE verification (
	team_id    TEXT NOT NULL REFERENCES team (id),
	check_name TEXT NOT NULL,
	kind       TEXT NOT NULL,
	subject    TEXT NOT NULL,
	verdict    TEXT NOT NULL,
	raw        TEXT NOT NULL,
	since      INTEGER NOT NULL,
	announced  INTEGER NOT NULL,
	doc        TEXT NOT NULL,
	held       TEXT NOT NULL,
	held_raw   TEXT NOT NULL,
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
	team_id    TEXT NOT NULL REFERENCES team (id) ON DELETE CASCADE,
	check_name TEXT NOT NULL,
	kind       TEXT NOT NULL,
	subject    TEXT NOT NULL,
	revision   INTEGER NOT NULL,
	rank       INTEGER NOT NULL,
	due_at     INTEGER NOT NULL,
	since      INTEGER NOT NULL,
	asked      INTEGER NOT NULL,
	attempt    INTEGER NOT NULL,
	owner      TEXT NOT NULL,
	fence      INTEGER NOT NULL,
	PRIMARY KEY (team_id, check_name, kind, subject)
);
CREATE INDEX check_due_next ON check_due (rank, due_at);

-- What changed in what is known, numbered without gaps.
CREATE TABLE check_event (
	n          INTEGER PRIMARY KEY NOT NULL,
	at         INTEGER NOT NULL,
	team_id    TEXT NOT NULL REFERENCES team (id),
	check_name TEXT NOT NULL,
	kind       TEXT NOT NULL,
	subject    TEXT NOT NULL,
	was        TEXT NOT NULL,
	verdict    TEXT NOT NULL,
	doc        TEXT NOT NULL
);
CREATE INDEX check_event_row ON check_event (team_id, check_name, kind, subject, n);

-- Transcripts by the hash of their content, compressed; at is when one was last the result of a check.
CREATE TABLE check_raw (
	hash TEXT PRIMARY KEY NOT NULL,
	at   INTEGER NOT NULL,
	data BLOB NOT NULL
);
CREATE INDEX check_raw_at ON check_raw (at);
CREATE INDEX evidence_raw ON evidence (raw_hash);

-- What is paused: one check, or '' for all; guard is 1 where too many verdicts turned bad.
CREATE TABLE check_pause (
	check_name TEXT NOT NULL,
	guard      INTEGER NOT NULL,
	at_once    INTEGER NOT NULL,
	paused_by  TEXT NOT NULL,
	why        TEXT NOT NULL,
	at         INTEGER NOT NULL,
	PRIMARY KEY (check_name, guard)
);

-- Conclusions by minute, and those that turned bad, for the guard; and runs by what came of them. No part of a backup.
CREATE TABLE check_minute (
	minute    INTEGER PRIMARY KEY NOT NULL,
	concluded INTEGER NOT NULL,
	turned    INTEGER NOT NULL
);
CREATE TABLE check_run (
	check_name TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	n          INTEGER NOT NULL,
	PRIMARY KEY (check_name, outcome)
);
