-- Campaigns. doc is one as JSON.
CREATE TABLE campaign (
	id      TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	state   TEXT COLLATE "C" NOT NULL,
	created BIGINT NOT NULL,
	doc     TEXT NOT NULL
);

-- Questions to contacts. doc is a challenge as JSON; subject is its subject token; next_at is when its next timer
-- fires, 0 for never; is_open is 1 until it is over. A contact is asked one thing at a time.
CREATE TABLE challenge (
	id       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	team_id  TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	contact  TEXT COLLATE "C" NOT NULL,
	campaign TEXT COLLATE "C" NOT NULL,
	subject  TEXT COLLATE "C" NOT NULL,
	is_open  BIGINT NOT NULL,
	next_at  BIGINT NOT NULL,
	created  BIGINT NOT NULL,
	doc      TEXT NOT NULL
);
CREATE UNIQUE INDEX challenge_open ON challenge (contact) WHERE is_open = 1;
CREATE UNIQUE INDEX challenge_subject ON challenge (subject) WHERE subject <> '';
CREATE INDEX challenge_next ON challenge (next_at) WHERE next_at <> 0;
CREATE INDEX challenge_contact ON challenge (contact, created);
CREATE INDEX challenge_team ON challenge (team_id, created);
CREATE INDEX challenge_campaign ON challenge (campaign) WHERE campaign <> '';

-- The digests of tokens, by which a link leads to its question.
CREATE TABLE challenge_token (
	lookup    TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	challenge TEXT COLLATE "C" NOT NULL REFERENCES challenge (id)
);

-- What happened to each question, and what came of it, in order.
CREATE TABLE challenge_log (
	challenge TEXT COLLATE "C" NOT NULL REFERENCES challenge (id),
	n         BIGINT NOT NULL,
	at        BIGINT NOT NULL,
	event     TEXT NOT NULL,
	effects   TEXT NOT NULL,
	PRIMARY KEY (challenge, n)
);

-- What an operator is asked to look at; closed is 0 until somebody did.
CREATE TABLE challenge_case (
	challenge TEXT COLLATE "C" NOT NULL REFERENCES challenge (id),
	kind      TEXT COLLATE "C" NOT NULL,
	opened    BIGINT NOT NULL,
	closed    BIGINT NOT NULL,
	closed_by TEXT COLLATE "C" NOT NULL,
	note      TEXT NOT NULL,
	PRIMARY KEY (challenge, kind)
);
CREATE INDEX challenge_case_open ON challenge_case (opened) WHERE closed = 0;

-- What contacts are marked with.
CREATE TABLE challenge_flag (
	contact   TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	team_id   TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	flag      TEXT COLLATE "C" NOT NULL,
	at        BIGINT NOT NULL,
	challenge TEXT COLLATE "C" NOT NULL
);

-- Mails to hand over. key names the one mail of one step of one question. salt, with a key that is not in the
-- database, makes its secrets; it is emptied when the mail is done. due_at is when to try next, or the end of a
-- lease, 0 when it is done; attempt counts claims.
CREATE TABLE outbox (
	key       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	challenge TEXT COLLATE "C" NOT NULL REFERENCES challenge (id),
	step      TEXT COLLATE "C" NOT NULL,
	letter    TEXT COLLATE "C" NOT NULL,
	last      BIGINT NOT NULL,
	salt      TEXT COLLATE "C" NOT NULL,
	address   TEXT COLLATE "C" NOT NULL,
	domain    TEXT COLLATE "C" NOT NULL,
	created   BIGINT NOT NULL,
	due_at    BIGINT NOT NULL,
	attempt   BIGINT NOT NULL,
	owner     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at <> 0;
CREATE INDEX outbox_address ON outbox (address, created);
CREATE INDEX outbox_domain ON outbox (domain, created);
CREATE INDEX outbox_created ON outbox (created);
