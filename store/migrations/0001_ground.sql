-- One SQL for SQLite and PostgreSQL. Times are microseconds since 1970 in UTC, 0
-- for none. What is personal is sealed; equality is asked of blind_indexes.

-- +goose Up

-- The oldest schema version that a program must know to run on this database. A
-- migration that older programs can live with leaves it as it is.
CREATE TABLE schema_floor (version BIGINT NOT NULL);
INSERT INTO schema_floor (version) VALUES (1);

-- Values that only the right keys can open or make again.
CREATE TABLE key_checks (
    keyset TEXT PRIMARY KEY,
    value  BYTEA NOT NULL
);

-- The index keys that every write goes under, oldest first. The oldest has an
-- index of everything.
CREATE TABLE index_keys (
    seq       BIGINT PRIMARY KEY,
    id        BIGINT NOT NULL UNIQUE,
    value     BYTEA NOT NULL,
    completed BIGINT NOT NULL
);

CREATE TABLE accounts (
    id       TEXT PRIMARY KEY,
    state    TEXT NOT NULL,
    epoch    BIGINT NOT NULL,
    language TEXT NOT NULL,
    created  BIGINT NOT NULL
);

CREATE TABLE links (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES accounts (id),
    place       BIGINT NOT NULL,
    provider    TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    subject     BYTEA NOT NULL,
    level       BIGINT NOT NULL,
    details     BYTEA NOT NULL,
    first_login BIGINT NOT NULL,
    last_login  BIGINT NOT NULL,
    UNIQUE (account, place)
);

CREATE TABLE blind_indexes (
    link      TEXT NOT NULL REFERENCES links (id),
    field     TEXT NOT NULL,
    index_key BIGINT NOT NULL,
    value     BYTEA NOT NULL,
    PRIMARY KEY (link, field, index_key)
);
CREATE UNIQUE INDEX blind_indexes_subject ON blind_indexes (index_key, value) WHERE field = 'subject';
CREATE INDEX blind_indexes_value ON blind_indexes (field, index_key, value);
CREATE INDEX blind_indexes_key ON blind_indexes (index_key, link, field);

CREATE TABLE sessions (
    handle  TEXT PRIMARY KEY,
    secret  BYTEA NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (id),
    epoch   BIGINT NOT NULL,
    browser BYTEA NOT NULL,
    created BIGINT NOT NULL,
    ends    BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    ended   BIGINT NOT NULL,
    body    BYTEA NOT NULL
);
CREATE INDEX sessions_account ON sessions (account, created);
CREATE INDEX sessions_browser ON sessions (browser, created);
CREATE INDEX sessions_ends ON sessions (ends);

CREATE TABLE requests (
    id             TEXT PRIMARY KEY,
    portal         TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    state          BYTEA NOT NULL,
    nonce          BYTEA NOT NULL,
    code_challenge TEXT NOT NULL,
    asked          TEXT NOT NULL,
    login          BOOLEAN NOT NULL,
    max_age        BIGINT NOT NULL,
    has_max_age    BOOLEAN NOT NULL,
    provider       TEXT NOT NULL,
    languages      TEXT NOT NULL,
    created        BIGINT NOT NULL
);
CREATE INDEX requests_created ON requests (created);

CREATE TABLE codes (
    grant_id       TEXT PRIMARY KEY,
    digest         BYTEA NOT NULL UNIQUE,
    portal         TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    nonce          BYTEA NOT NULL,
    code_challenge TEXT NOT NULL,
    session        TEXT NOT NULL,
    account        TEXT NOT NULL,
    created        BIGINT NOT NULL,
    uses           BIGINT NOT NULL,
    revoked        BIGINT NOT NULL
);
CREATE INDEX codes_session ON codes (session, portal);
CREATE INDEX codes_created ON codes (created);

CREATE TABLE attempts (
    id             TEXT PRIMARY KEY,
    state          BYTEA NOT NULL UNIQUE,
    provider       TEXT NOT NULL,
    browser        BYTEA NOT NULL,
    session        TEXT NOT NULL,
    return_request TEXT NOT NULL,
    return_path    TEXT NOT NULL,
    minimum_age    BIGINT NOT NULL,
    floor          BIGINT NOT NULL,
    shared         BOOLEAN NOT NULL,
    in_app         BOOLEAN NOT NULL,
    language       TEXT NOT NULL,
    started        BIGINT NOT NULL,
    spent          BIGINT NOT NULL,
    opened         TEXT NOT NULL,
    refused        TEXT NOT NULL,
    followed       BOOLEAN NOT NULL,
    challenge      BYTEA NOT NULL
);
CREATE INDEX attempts_started ON attempts (started);
CREATE INDEX attempts_browser ON attempts (browser);

CREATE TABLE events (
    id        TEXT PRIMARY KEY,
    at        BIGINT NOT NULL,
    kind      TEXT NOT NULL,
    result    TEXT NOT NULL,
    actor     TEXT NOT NULL,
    reference TEXT NOT NULL,
    account   TEXT NOT NULL,
    session   TEXT NOT NULL,
    provider  TEXT NOT NULL,
    portal    TEXT NOT NULL,
    cause     TEXT NOT NULL,
    fields    TEXT NOT NULL,
    reason    TEXT NOT NULL,
    batch     BIGINT NOT NULL,
    place     BIGINT NOT NULL
);
CREATE INDEX events_unsealed ON events (at, id) WHERE batch = 0;
CREATE INDEX events_batch ON events (batch, place);
CREATE INDEX events_reference ON events (reference) WHERE reference <> '';
CREATE INDEX events_account ON events (account, at);

CREATE TABLE batches (
    number    BIGINT PRIMARY KEY,
    sealed_at BIGINT NOT NULL,
    count     BIGINT NOT NULL,
    tag       BYTEA NOT NULL
);

CREATE TABLE signing_keys (
    id        TEXT PRIMARY KEY,
    alg       TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    pkcs8     BYTEA NOT NULL,
    published BIGINT NOT NULL,
    active    BIGINT NOT NULL,
    UNIQUE (alg, seq)
);
