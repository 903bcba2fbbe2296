-- Logins that were begun to link a provider to the account of a session.

-- +goose Up

ALTER TABLE attempts ADD COLUMN linking BOOLEAN NOT NULL DEFAULT FALSE;
