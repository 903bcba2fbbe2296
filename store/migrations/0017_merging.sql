-- Accounts of one patient that became one, and under which of their ids a service knows
-- it where that is not the account's own. The id of the one that went is never given
-- again, and what happened to it goes on in the other's record.

-- +goose Up

ALTER TABLE accounts ADD COLUMN merged_into TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN took_in BIGINT NOT NULL DEFAULT 0;
CREATE INDEX accounts_merged_into ON accounts (merged_into) WHERE merged_into <> '';

CREATE TABLE subjects (
    account TEXT NOT NULL REFERENCES accounts (id),
    service TEXT NOT NULL,
    subject TEXT NOT NULL,
    first   BIGINT NOT NULL,
    PRIMARY KEY (account, service)
);
