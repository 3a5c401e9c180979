-- What each team was told of by notices. doc is a challenge.NoticeState as JSON.
CREATE TABLE notice_state (
	team_id TEXT PRIMARY KEY NOT NULL REFERENCES team (id),
	doc     TEXT NOT NULL
);

-- Notices to teams. id is made of team and week, so that a team has one a week; lookup is the digest of the token of
-- its links; the rest is as in outbox. doc is a challenge.TeamNotice as JSON.
CREATE TABLE notice (
	id      TEXT PRIMARY KEY NOT NULL,
	team_id TEXT NOT NULL REFERENCES team (id),
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
CREATE UNIQUE INDEX notice_lookup ON notice (lookup);
CREATE UNIQUE INDEX notice_subject ON notice (subject);
CREATE INDEX notice_due ON notice (due_at) WHERE due_at <> 0;
CREATE INDEX notice_address ON notice (address, created);
CREATE INDEX notice_domain ON notice (domain, created);
CREATE INDEX notice_created ON notice (created);
