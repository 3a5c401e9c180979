-- What became of questions, for whoever follows. n counts upwards; webhook is the one subscription that a ping is
-- for, '' elsewhere; doc is the notice as JSON, as it is posted.
CREATE TABLE challenge_notice (
	n        INTEGER PRIMARY KEY NOT NULL,
	at       INTEGER NOT NULL,
	type     TEXT NOT NULL,
	team_id  TEXT NOT NULL,
	campaign TEXT NOT NULL,
	webhook  TEXT NOT NULL,
	doc      TEXT NOT NULL
);
CREATE INDEX challenge_notice_at ON challenge_notice (at);
CREATE INDEX challenge_notice_team ON challenge_notice (team_id, n);
CREATE INDEX challenge_notice_campaign ON challenge_notice (campaign, n) WHERE campaign <> '';

-- Subscriptions. doc is one as JSON, its secrets encrypted under a key that is not in the database.
CREATE TABLE webhook (
	id      TEXT PRIMARY KEY NOT NULL,
	team_id TEXT NOT NULL,
	active  INTEGER NOT NULL,
	created INTEGER NOT NULL,
	doc     TEXT NOT NULL
);

-- The way of each notice to each subscription. due_at is when to try next, or the end of a lease, 0 when it is
-- over; attempt counts claims; status is that of HTTP.
CREATE TABLE webhook_delivery (
	webhook TEXT NOT NULL REFERENCES webhook (id),
	n       INTEGER NOT NULL REFERENCES challenge_notice (n),
	created INTEGER NOT NULL,
	begun   INTEGER NOT NULL,
	due_at  INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	owner   TEXT NOT NULL,
	state   TEXT NOT NULL,
	status  INTEGER NOT NULL,
	problem TEXT NOT NULL,
	done    INTEGER NOT NULL,
	PRIMARY KEY (webhook, n)
);
CREATE INDEX webhook_delivery_open ON webhook_delivery (webhook, n) WHERE due_at <> 0;
CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE due_at <> 0;
CREATE INDEX webhook_delivery_notice ON webhook_delivery (n);

-- How the automation behind a contact is asked and answers. doc is one as JSON, its keys encrypted as above.
CREATE TABLE contact_endpoint (
	contact TEXT PRIMARY KEY NOT NULL,
	team_id TEXT NOT NULL REFERENCES team (id),
	doc     TEXT NOT NULL
);
CREATE INDEX contact_endpoint_team ON contact_endpoint (team_id);
