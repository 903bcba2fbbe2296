-- Ways of sessions to hosts behind the gateway that are not ours. id is what the host's
-- cookie holds, once the code was spent there.

-- +goose Up

CREATE TABLE gates (
    code    BYTEA PRIMARY KEY,
    host    TEXT NOT NULL,
    start   BYTEA NOT NULL,
    session TEXT NOT NULL,
    created BIGINT NOT NULL,
    id      BYTEA UNIQUE
);
CREATE INDEX gates_created ON gates (created);
