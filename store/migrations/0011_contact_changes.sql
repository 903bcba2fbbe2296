-- New addresses that wait to take the place of the old ones, one an account and
-- channel. A row is of the epoch in which it was asked for, and dead in any other.

-- +goose Up

CREATE TABLE contact_changes (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    channel TEXT NOT NULL,
    address BYTEA NOT NULL,
    level   BIGINT NOT NULL,
    epoch   BIGINT NOT NULL,
    asked   BIGINT NOT NULL,
    opens   BIGINT NOT NULL,
    cancel  BYTEA NOT NULL UNIQUE,
    UNIQUE (account, channel)
);
CREATE INDEX contact_changes_opens ON contact_changes (opens);
