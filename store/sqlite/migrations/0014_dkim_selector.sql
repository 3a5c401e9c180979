-- The names of DKIM keys that valid signatures have shown, the latest few of each domain: the DNS can't list them.
CREATE TABLE dkim_selector (
	domain   TEXT NOT NULL,
	selector TEXT NOT NULL,
	seen     INTEGER NOT NULL,
	PRIMARY KEY (domain, selector)
);
