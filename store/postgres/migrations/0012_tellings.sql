-- Who else is to know of a question that nobody answers: a sponsor ("team:" and its id) or a secretariat ("forum:" and
-- its name). letter is the notice that says it, '' for none yet; tries counts those that did not get out.
CREATE TABLE challenge_telling (
	recipient TEXT COLLATE "C" NOT NULL,
	challenge TEXT COLLATE "C" NOT NULL REFERENCES challenge (id),
	rung      BIGINT NOT NULL,
	created   BIGINT NOT NULL,
	letter    TEXT COLLATE "C" NOT NULL,
	tries     BIGINT NOT NULL,
	PRIMARY KEY (recipient, challenge, rung)
);
CREATE INDEX challenge_telling_letter ON challenge_telling (letter, recipient, created);

-- A notice to a secretariat is to no team: its team_id is ''.
ALTER TABLE notice DROP CONSTRAINT notice_team_id_fkey;
