-- What people decided about pairs of teams that looked like one. team_a is the lower id.

CREATE TABLE match_decision (
	team_a TEXT NOT NULL REFERENCES team (id),
	team_b TEXT NOT NULL REFERENCES team (id),
	facts  TEXT NOT NULL,
	reason TEXT NOT NULL,
	actor  TEXT NOT NULL,
	at     INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	PRIMARY KEY (team_a, team_b),
	CHECK (team_a < team_b)
);
CREATE INDEX match_decision_b ON match_decision (team_b);
