-- Some versions of exercises have a program of their own run beside a submission's, in a container of its own (a checker).
-- Such a submission is leased only where both runtimes can run.

-- The runtime of that program; versions without one have no row.
CREATE TABLE exercise_companions (
    exercise_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    runtime     TEXT NOT NULL CHECK (runtime <> ''),
    PRIMARY KEY (exercise_id, version),
    FOREIGN KEY (exercise_id, version) REFERENCES exercise_versions (exercise_id, version)
) STRICT, WITHOUT ROWID;

-- The same of the version that the submission is graded with; empty without one.
ALTER TABLE submissions ADD COLUMN companion TEXT NOT NULL DEFAULT '';

CREATE TRIGGER submission_has_companion AFTER INSERT ON submissions
WHEN NEW.run IS NULL AND EXISTS (SELECT 1 FROM exercise_companions AS c
                                 WHERE c.exercise_id = NEW.exercise_id AND c.version = NEW.exercise_version)
BEGIN
    UPDATE submissions SET companion = (SELECT c.runtime FROM exercise_companions AS c
                                        WHERE c.exercise_id = NEW.exercise_id AND c.version = NEW.exercise_version)
        WHERE id = NEW.id;
END;

CREATE TRIGGER submission_changed_companion AFTER UPDATE OF exercise_version ON submissions WHEN NEW.run IS NULL
BEGIN
    UPDATE submissions SET companion = coalesce((SELECT c.runtime FROM exercise_companions AS c
                                                 WHERE c.exercise_id = NEW.exercise_id
                                                   AND c.version = NEW.exercise_version), '')
        WHERE id = NEW.id;
END;

DROP INDEX submissions_runtime_queue;
CREATE INDEX submissions_runtime_queue ON submissions (runtime, companion, priority, rank, ticket)
    WHERE state = 'queued';
CREATE INDEX submissions_companion_queue ON submissions (companion) WHERE state = 'queued' AND companion <> '';
