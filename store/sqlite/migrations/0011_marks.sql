-- Who opts out does so for an address, whichever contacts have it now or later. address is in lower case.
ALTER TABLE challenge_flag ADD COLUMN address TEXT NOT NULL DEFAULT '';
UPDATE challenge_flag SET address = COALESCE((SELECT LOWER(json_extract(c.doc, '$.address')) FROM challenge c WHERE c.id = challenge_flag.challenge), '');
CREATE INDEX challenge_flag_address ON challenge_flag (address) WHERE flag = 'opt-out-asked';
