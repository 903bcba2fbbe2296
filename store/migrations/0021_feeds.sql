-- How far each reader of the sealed events has come.

-- +goose Up

CREATE TABLE feeds (
    reader TEXT PRIMARY KEY,
    batch  BIGINT NOT NULL
);
