-- Mails are held back and let go by question; questions are listed by age.
CREATE INDEX outbox_challenge ON outbox (challenge) WHERE due_at <> 0;
CREATE INDEX challenge_created ON challenge (created);

-- Teams that let others see how quickly they answer.
CREATE TABLE challenge_consent (
	team_id  TEXT COLLATE "C" PRIMARY KEY NOT NULL REFERENCES team (id),
	at       BIGINT NOT NULL,
	given_by TEXT COLLATE "C" NOT NULL
);
