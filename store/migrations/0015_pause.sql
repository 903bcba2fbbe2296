-- Until when nothing is changed of how an account is opened, as its patient said that
-- something was not them.

-- +goose Up

ALTER TABLE accounts ADD COLUMN paused BIGINT NOT NULL DEFAULT 0;
