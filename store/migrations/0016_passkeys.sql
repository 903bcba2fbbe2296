-- Passkeys, the challenges that were answered (one that nobody answers leaves nothing),
-- and what became of offers to make one.

-- +goose Up

CREATE TABLE passkeys (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES accounts (id),
    credential BYTEA NOT NULL UNIQUE,
    body       BYTEA NOT NULL,
    counter    BIGINT NOT NULL,
    backed_up  BOOLEAN NOT NULL,
    level      BIGINT NOT NULL,
    bound      BIGINT NOT NULL,
    used       BIGINT NOT NULL,
    off        BOOLEAN NOT NULL
);
CREATE INDEX passkeys_account ON passkeys (account);

CREATE TABLE passkey_challenges (
    digest BYTEA PRIMARY KEY,
    ends   BIGINT NOT NULL
);
CREATE INDEX passkey_challenges_ends ON passkey_challenges (ends);

CREATE TABLE passkey_offers (
    account  TEXT PRIMARY KEY REFERENCES accounts (id),
    times    BIGINT NOT NULL,
    declined TEXT NOT NULL
);
