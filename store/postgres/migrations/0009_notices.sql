-- What each team was told of by notices. doc is a challenge.NoticeState as JSON.
CREATE TABLE notice_state (
	team_id TEXT COLLATE "C" PRIMARY KEY NOT NULL REFERENCES team (id),
	doc     TEXT NOT NULL
);

-- Notices to teams. id is made of team and week, so that a team has one a week; lookup is the digest of the token of
-- its links; the rest is as in outbox. doc is a challenge.TeamNotice as JSON.
CREATE TABLE notice (
	id      TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	team_id TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	subject TEXT COLLATE "C" NOT NULL,
	lookup  TEXT COLLATE "C" NOT NULL,
	salt    TEXT COLLATE "C" NOT NULL,
	address TEXT COLLATE "C" NOT NULL,
	domain  TEXT COLLATE "C" NOT NULL,
	created BIGINT NOT NULL,
	due_at  BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	owner   TEXT COLLATE "C" NOT NULL,
	doc     TEXT NOT NULL
);
CREATE UNIQUE INDEX notice_lookup ON notice (lookup);
CREATE UNIQUE INDEX notice_subject ON notice (subject);
CREATE INDEX notice_due ON notice (due_at) WHERE due_at <> 0;
CREATE INDEX notice_address ON notice (address, created);
CREATE INDEX notice_domain ON notice (domain, created);
CREATE INDEX notice_created ON notice (created);
