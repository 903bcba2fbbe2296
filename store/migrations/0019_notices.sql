-- Which portals were told of a session, so that each is told of its end. A row is looked
-- at when it is due: when the session may be over, or at once when something ended it.

-- +goose Up

CREATE TABLE joined (
    id      TEXT PRIMARY KEY,
    portal  TEXT NOT NULL,
    session TEXT NOT NULL,
    account TEXT NOT NULL,
    due     BIGINT NOT NULL,
    parted  BIGINT NOT NULL,
    UNIQUE (session, portal)
);
CREATE INDEX joined_due ON joined (due) WHERE parted = 0;
CREATE INDEX joined_account ON joined (account) WHERE parted = 0;
CREATE INDEX joined_parted ON joined (parted) WHERE parted > 0;
