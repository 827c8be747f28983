-- Checks of exercises by their reference solutions.

CREATE TABLE checks (
    id               BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    exercise_id      TEXT NOT NULL,
    exercise_version INTEGER NOT NULL,
    asked_by         TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    FOREIGN KEY (exercise_id, exercise_version) REFERENCES exercise_versions (exercise_id, version)
) STRICT;
CREATE INDEX checks_created ON checks (created_at);

CREATE TABLE check_items (
    check_id          BLOB NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    -- Its place among the solutions, from 1.
    ordinal           INTEGER NOT NULL CHECK (ordinal >= 1),
    solution          TEXT NOT NULL,
    -- The verdicts of which it must get one.
    expected_verdicts TEXT NOT NULL CHECK (json_type(expected_verdicts) = 'array'),
    -- What is judged for it; it is set aside.
    submission_id     BLOB NOT NULL CHECK (length(submission_id) = 16),
    PRIMARY KEY (check_id, ordinal)
) STRICT, WITHOUT ROWID;
