-- When an account closes whose patient asked for it, and numbers that were corrected:
-- kept sealed for those who must look into what happened under them, and read by no
-- verb and no page.

-- +goose Up

ALTER TABLE accounts ADD COLUMN closes BIGINT NOT NULL DEFAULT 0;
CREATE INDEX accounts_closes ON accounts (closes) WHERE closes <> 0;

CREATE TABLE former_numbers (
    id       TEXT PRIMARY KEY,
    account  TEXT NOT NULL REFERENCES accounts (id),
    number   BYTEA NOT NULL,
    replaced BIGINT NOT NULL
);
CREATE INDEX former_numbers_account ON former_numbers (account);
