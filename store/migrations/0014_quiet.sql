-- Accounts whose messages or screen somebody else may see.

-- +goose Up

ALTER TABLE accounts ADD COLUMN quiet BOOLEAN NOT NULL DEFAULT FALSE;
