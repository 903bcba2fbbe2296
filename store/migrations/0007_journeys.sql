-- What patients who sign up themselves gave and proved, and how far they are.

-- +goose Up

-- What a link's level stands on; nothing for a provider's.
ALTER TABLE links ADD COLUMN basis TEXT NOT NULL DEFAULT '';

-- One number, one patient among those who proved it to us.
CREATE UNIQUE INDEX blind_indexes_proved ON blind_indexes (index_key, value) WHERE field = 'proved_number';

CREATE TABLE journeys (
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    browser BYTEA NOT NULL,
    version BIGINT NOT NULL,
    started BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    fades   BIGINT NOT NULL,
    body    BYTEA NOT NULL,
    UNIQUE (kind, browser)
);
CREATE INDEX journeys_started ON journeys (started);
CREATE INDEX journeys_fades ON journeys (fades) WHERE fades > 0;
