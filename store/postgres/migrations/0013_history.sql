-- The questions of a campaign are read in parts; the history of old questions is found by how its log begins, and goes with what others were told of them.
DROP INDEX challenge_campaign;
CREATE INDEX challenge_campaign ON challenge (campaign, created, id) WHERE campaign <> '';
CREATE INDEX challenge_log_begun ON challenge_log (at) WHERE n = 1;
CREATE INDEX challenge_telling_challenge ON challenge_telling (challenge);
