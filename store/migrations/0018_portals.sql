-- What portals hold beside codes: refresh tokens that follow one another, requests that
-- they brought themselves, and ids that count once. And secrets of the whole service
-- that every replica has alike.

-- +goose Up

CREATE TABLE refreshes (
    id        TEXT PRIMARY KEY,
    digest    BYTEA NOT NULL UNIQUE,
    grant_id  TEXT NOT NULL,
    trust     TEXT NOT NULL,
    created   BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    next      BYTEA NOT NULL,
    successor BYTEA NOT NULL
);
CREATE INDEX refreshes_created ON refreshes (created);

CREATE TABLE pushed (
    request TEXT PRIMARY KEY,
    digest  BYTEA NOT NULL UNIQUE,
    portal  TEXT NOT NULL,
    params  BYTEA NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX pushed_created ON pushed (created);

CREATE TABLE spent_ids (
    id    BYTEA PRIMARY KEY,
    until BIGINT NOT NULL
);
CREATE INDEX spent_ids_until ON spent_ids (until);

CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);
