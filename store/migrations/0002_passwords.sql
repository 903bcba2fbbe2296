-- What is kept of passwords: a hash, sealed, never found by its value.

-- +goose Up

CREATE TABLE passwords (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    phc     BYTEA NOT NULL,
    pepper  BIGINT NOT NULL,
    level   BIGINT NOT NULL,
    set_at  BIGINT NOT NULL
);
