-- Messages to patients. What they carry, and to whom, is sealed in body, which is
-- NULL once a message has ended.

-- +goose Up

CREATE TABLE outbox (
    id      TEXT PRIMARY KEY,
    thread  TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind    TEXT NOT NULL,
    body    BYTEA,
    due     BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    lease   TEXT NOT NULL,
    leased  BIGINT NOT NULL,
    tries   BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    ended   BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    receipt TEXT NOT NULL
);
CREATE INDEX outbox_waiting ON outbox (channel, expires) WHERE ended = 0;
CREATE INDEX outbox_due ON outbox (channel, due) WHERE ended = 0;
CREATE INDEX outbox_expires ON outbox (expires) WHERE ended = 0;
CREATE INDEX outbox_thread ON outbox (thread) WHERE ended = 0 AND thread <> '';
CREATE INDEX outbox_ended ON outbox (ended) WHERE ended > 0;

CREATE TABLE channels (
    channel  TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    cause    TEXT NOT NULL
);
