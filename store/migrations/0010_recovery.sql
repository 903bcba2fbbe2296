-- When people let a patient back into the account who had lost every other way, and
-- the code with which they did: one an account, kept as a keyed digest.

-- +goose Up

ALTER TABLE accounts ADD COLUMN recovered BIGINT NOT NULL DEFAULT 0;

CREATE TABLE recovery_codes (
    account      TEXT PRIMARY KEY REFERENCES accounts (id),
    id           TEXT NOT NULL,
    pepper       BIGINT NOT NULL,
    digest       BYTEA NOT NULL,
    issued_by    TEXT NOT NULL,
    confirmed_by TEXT NOT NULL,
    made         BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    spent        BIGINT NOT NULL
);
CREATE INDEX recovery_codes_expires ON recovery_codes (expires);
