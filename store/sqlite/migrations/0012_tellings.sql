-- Who else is to know of a question that nobody answers: a sponsor ("team:" and its id) or a secretariat ("forum:" and
-- its name). letter is the notice that says it, '' for none yet; tries counts those that did not get out.
CREATE TABLE challenge_telling (
	recipient TEXT NOT NULL,
	challenge TEXT NOT NULL REFERENCES challenge (id),
	rung      INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	letter    TEXT NOT NULL,
	tries     INTEGER NOT NULL,
	PRIMARY KEY (recipient, challenge, rung)
);
CREATE INDEX challenge_telling_letter ON challenge_telling (letter, recipient, created);

-- A notice to a secretariat is to no team: its team_id is ''.
CREATE TABLE notice_new (
	id      TEXT PRIMARY KEY NOT NULL,
	team_id TEXT NOT NULL,
	subject TEXT NOT NULL,
	lookup  TEXT NOT NULL,
	salt    TEXT NOT NULL,
	address TEXT NOT NULL,
	domain  TEXT NOT NULL,
	created INTEGER NOT NULL,
	due_at  INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	owner   TEXT NOT NULL,
	doc     TEXT NOT NULL
);
INSERT INTO notice_new (id, team_id, subject, lookup, salt, address, domain, created, due_at, attempt, owner, doc)
	SELECT id, team_id, subject, lookup, salt, address, domain, created, due_at, attempt, owner, doc FROM notice;
DROP TABLE notice;
ALTER TABLE notice_new RENAME TO notice;
CREATE UNIQUE INDEX notice_lookup ON notice (lookup);
CREATE UNIQUE INDEX notice_subject ON notice (subject);
CREATE INDEX notice_due ON notice (due_at) WHERE due_at <> 0;
CREATE INDEX notice_address ON notice (address, created);
CREATE INDEX notice_domain ON notice (domain, created);
CREATE INDEX notice_created ON notice (created);
