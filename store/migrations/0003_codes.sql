-- One-time codes and what is counted. Keys are keyed digests; nothing here names a
-- patient.

-- +goose Up

CREATE TABLE one_time_codes (
    id     TEXT PRIMARY KEY,
    bond   BYTEA NOT NULL UNIQUE,
    pepper BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    made   BIGINT NOT NULL,
    ends   BIGINT NOT NULL,
    tries  BIGINT NOT NULL,
    spent  BOOLEAN NOT NULL
);
CREATE INDEX one_time_codes_ends ON one_time_codes (ends);

CREATE TABLE limits (
    key   BYTEA PRIMARY KEY,
    tally BYTEA NOT NULL,
    ends  BIGINT NOT NULL
);
CREATE INDEX limits_ends ON limits (ends);
