-- The last question to a contact is looked for each time that a timer fires.
CREATE INDEX outbox_question ON outbox (challenge, step);
