-- What opens an account beside its password, codes that staff hand over, and acts
-- that wait for a second person. Codes stand as keyed digests; the pepper that
-- made each is named beside it.

-- +goose Up

-- One card an account. Making one deletes the one before, with its codes.
CREATE TABLE cards (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL UNIQUE REFERENCES accounts (id),
    pepper  BIGINT NOT NULL,
    level   BIGINT NOT NULL,
    made    BIGINT NOT NULL
);

CREATE TABLE card_codes (
    card   TEXT NOT NULL REFERENCES cards (id),
    digest BYTEA NOT NULL,
    spent  BIGINT NOT NULL,
    PRIMARY KEY (card, digest)
);

CREATE TABLE card_refusals (
    account  TEXT PRIMARY KEY REFERENCES accounts (id),
    declined BIGINT NOT NULL,
    logins   BIGINT NOT NULL
);

CREATE TABLE browsers (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES accounts (id),
    browser    BYTEA NOT NULL,
    device     TEXT NOT NULL,
    seen       BIGINT NOT NULL,
    remembered BIGINT NOT NULL,
    bound      BIGINT NOT NULL,
    level      BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,
    UNIQUE (account, browser)
);
CREATE INDEX browsers_browser ON browsers (browser, seen);
CREATE INDEX browsers_seen ON browsers (seen);

CREATE TABLE phones (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL UNIQUE REFERENCES accounts (id),
    number  BYTEA NOT NULL,
    level   BIGINT NOT NULL,
    bound   BIGINT NOT NULL,
    off     BOOLEAN NOT NULL
);

-- The account that spends a code may not be made yet.
CREATE TABLE handed_codes (
    id           TEXT PRIMARY KEY,
    pepper       BIGINT NOT NULL,
    digest       BYTEA NOT NULL,
    kind         TEXT NOT NULL,
    nhs_number   BYTEA NOT NULL,
    basis        TEXT NOT NULL,
    issued_by    TEXT NOT NULL,
    confirmed_by TEXT NOT NULL,
    reason       TEXT NOT NULL,
    issued       BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    spent        BIGINT NOT NULL,
    spent_by     TEXT NOT NULL,
    revoked      BIGINT NOT NULL,
    UNIQUE (pepper, digest)
);
CREATE INDEX handed_codes_issued ON handed_codes (issued);
CREATE INDEX handed_codes_expires ON handed_codes (expires);
CREATE INDEX handed_codes_spent_by ON handed_codes (spent_by);

CREATE TABLE approvals (
    id         TEXT PRIMARY KEY,
    verb       TEXT NOT NULL,
    account    TEXT NOT NULL,
    args       BYTEA NOT NULL,
    asked_by   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    asked      BIGINT NOT NULL,
    decided_by TEXT NOT NULL,
    decided    BIGINT NOT NULL,
    outcome    TEXT NOT NULL
);
CREATE INDEX approvals_asked ON approvals (asked);
