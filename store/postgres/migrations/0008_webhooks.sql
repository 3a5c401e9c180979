-- What became of questions, for whoever follows. n counts upwards; webhook is the one subscription that a ping is
-- for, '' elsewhere; doc is the notice as JSON, as it is posted.
CREATE TABLE challenge_notice (
	n        BIGINT PRIMARY KEY NOT NULL,
	at       BIGINT NOT NULL,
	type     TEXT COLLATE "C" NOT NULL,
	team_id  TEXT COLLATE "C" NOT NULL,
	campaign TEXT COLLATE "C" NOT NULL,
	webhook  TEXT COLLATE "C" NOT NULL,
	doc      TEXT COLLATE "C" NOT NULL
);
CREATE INDEX challenge_notice_at ON challenge_notice (at);
CREATE INDEX challenge_notice_team ON challenge_notice (team_id, n);
CREATE INDEX challenge_notice_campaign ON challenge_notice (campaign, n) WHERE campaign <> '';

-- Subscriptions. doc is one as JSON, its secrets encrypted under a key that is not in the database.
CREATE TABLE webhook (
	id      TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	team_id TEXT COLLATE "C" NOT NULL,
	active  BIGINT NOT NULL,
	created BIGINT NOT NULL,
	doc     TEXT COLLATE "C" NOT NULL
);

-- The way of each notice to each subscription. due_at is when to try next, or the end of a lease, 0 when it is
-- over; attempt counts claims; status is that of HTTP.
CREATE TABLE webhook_delivery (
	webhook TEXT COLLATE "C" NOT NULL REFERENCES webhook (id),
	n       BIGINT NOT NULL REFERENCES challenge_notice (n),
	created BIGINT NOT NULL,
	begun   BIGINT NOT NULL,
	due_at  BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	owner   TEXT COLLATE "C" NOT NULL,
	state   TEXT COLLATE "C" NOT NULL,
	status  BIGINT NOT NULL,
	problem TEXT COLLATE "C" NOT NULL,
	done    BIGINT NOT NULL,
	PRIMARY KEY (webhook, n)
);
CREATE INDEX webhook_delivery_open ON webhook_delivery (webhook, n) WHERE due_at <> 0;
CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE due_at <> 0;
CREATE INDEX webhook_delivery_notice ON webhook_delivery (n);

-- How the automation behind a contact is asked and answers. doc is one as JSON, its keys encrypted as above.
CREATE TABLE contact_endpoint (
	contact TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	team_id TEXT COLLATE "C" NOT NULL REFERENCES team (id),
	doc     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX contact_endpoint_team ON contact_endpoint (team_id);
