-- The register of patients: one generation an import, of which one answers. Its
-- rows and digests are under keys of the generation's own, which come from its
-- sealed secret.

-- +goose Up

CREATE TABLE register_generations (
    id        TEXT PRIMARY KEY,
    number    BIGINT NOT NULL UNIQUE,
    secret    BYTEA NOT NULL,
    entries   BIGINT NOT NULL,
    page_bits BIGINT NOT NULL,
    answers   BIGINT NOT NULL, -- since when look-ups go to it; 0: it is being loaded
    over      BIGINT NOT NULL  -- since when it is to be swept; 0: it is not
);

CREATE TABLE register_entries (
    generation BIGINT NOT NULL,
    place      BIGINT NOT NULL,
    entry      BYTEA NOT NULL,
    PRIMARY KEY (generation, place)
);

-- Digests with the places of their entries, sorted, one row for all that begin
-- with the same bits.
CREATE TABLE register_pages (
    generation BIGINT NOT NULL,
    field      TEXT NOT NULL,
    page       BIGINT NOT NULL,
    digests    BYTEA NOT NULL,
    PRIMARY KEY (generation, field, page)
);

-- The same as they came, in a few parts by their first bits, until a load sorts
-- them.
CREATE TABLE register_runs (
    generation BIGINT NOT NULL,
    field      TEXT NOT NULL,
    part       BIGINT NOT NULL,
    batch      BIGINT NOT NULL,
    digests    BYTEA NOT NULL,
    PRIMARY KEY (generation, field, part, batch)
);
