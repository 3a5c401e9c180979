-- Proofs that teams control domains. The token is kept as it is: it is shown to the team again, and stands in the DNS.
CREATE TABLE domain_control (
	team_id  TEXT NOT NULL REFERENCES team (id),
	domain   TEXT NOT NULL,
	token    TEXT NOT NULL,
	digest   TEXT NOT NULL,
	expiry   TEXT NOT NULL,
	started  BIGINT NOT NULL,
	state    TEXT NOT NULL,
	since    BIGINT NOT NULL,
	seen     BIGINT NOT NULL,
	until    BIGINT NOT NULL,
	missing  BIGINT NOT NULL,
	dnssec   TEXT NOT NULL,
	raw_hash TEXT NOT NULL,
	PRIMARY KEY (team_id, domain)
);
CREATE INDEX domain_control_raw ON domain_control (raw_hash);
