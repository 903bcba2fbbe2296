-- Why a link stands for no record now, the level that it had before, and when the
-- register was read last and what it said of the number. A frozen link stands at
-- level 0, so that a program that does not know of freezing gives no more.

-- +goose Up

ALTER TABLE links ADD COLUMN frozen TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN level_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN checked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN standing TEXT NOT NULL DEFAULT '';
CREATE INDEX links_frozen ON links (frozen) WHERE frozen <> '';
