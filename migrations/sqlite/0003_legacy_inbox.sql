-- The inbox: where an original backend that shares this file stores what it will ask for by EXERCISE
-- (docs/legacy-database.md). Rows come from outside, so columns take what programs of many kinds bind; all rules are
-- checked when a draft is asked for. What was taken in is gone from here.

CREATE TABLE legacy_drafts (
    backend     TEXT NOT NULL DEFAULT 'default' CHECK (typeof(backend) = 'text'),
    legacy_id   TEXT NOT NULL CHECK (typeof(legacy_id) = 'text'),
    owner       TEXT NOT NULL CHECK (typeof(owner) = 'text'),
    exercise_id TEXT NOT NULL CHECK (typeof(exercise_id) = 'text'),
    runtime     TEXT NOT NULL CHECK (typeof(runtime) = 'text'),
    -- Seconds in place of milliseconds would make a draft look old enough to be pruned: they are refused.
    updated_at  INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
        CHECK (typeof(updated_at) = 'integer' AND updated_at > 100000000000),
    PRIMARY KEY (backend, legacy_id)
);
CREATE INDEX legacy_drafts_updated ON legacy_drafts (updated_at);

CREATE TABLE legacy_draft_files (
    backend   TEXT NOT NULL DEFAULT 'default' CHECK (typeof(backend) = 'text'),
    legacy_id TEXT NOT NULL CHECK (typeof(legacy_id) = 'text'),
    path      TEXT NOT NULL CHECK (typeof(path) = 'text'),
    -- Text or bytes.
    content   TEXT NOT NULL,
    PRIMARY KEY (backend, legacy_id, path)
);

-- A trigger and no foreign key: those are checked only by connections that ask for it.
CREATE TRIGGER legacy_draft_deleted AFTER DELETE ON legacy_drafts
BEGIN
    DELETE FROM legacy_draft_files WHERE backend = OLD.backend AND legacy_id = OLD.legacy_id;
END;
