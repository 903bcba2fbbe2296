-- The authenticator app that an account shares a seed with, and which factor its
-- patient is asked for first.

-- +goose Up

CREATE TABLE totps (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL UNIQUE REFERENCES accounts (id),
    seed    BYTEA NOT NULL,
    step    BIGINT NOT NULL,
    level   BIGINT NOT NULL,
    bound   BIGINT NOT NULL,
    off     BOOLEAN NOT NULL
);

CREATE TABLE factor_choices (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    kind    TEXT NOT NULL
);
