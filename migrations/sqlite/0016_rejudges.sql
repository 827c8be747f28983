-- What is judged again for a whole exercise, and submissions that are set aside: they are judged as others are, and count in no
-- list, result, quota or stream of their owner.

-- Why it is set aside; NULL: it is not. `preview`: a copy of another, to see what would come of that one now.
ALTER TABLE submissions ADD COLUMN set_aside TEXT CHECK (set_aside IN ('preview', 'check'));

-- Whose log has the events of what is set aside. No caller has this name: a subject has no control character.
INSERT INTO owners (name) VALUES (char(1));

-- What is graded, without what is set aside.
DROP INDEX submissions_graded;
CREATE INDEX submissions_graded ON submissions (exercise_id, owner, created_at, id, result_round)
    WHERE run IS NULL AND result_round IS NOT NULL AND set_aside IS NULL;

-- The triggers of the queue as before, but that what is set aside is none of its owner's.
DROP TRIGGER submission_stored_queued;
CREATE TRIGGER submission_stored_queued AFTER INSERT ON submissions WHEN NEW.state = 'queued'
BEGIN
    UPDATE classes SET queued = queued + 1 WHERE priority = NEW.priority;
    UPDATE owners SET queued = queued + 1 WHERE name = NEW.owner AND NEW.set_aside IS NULL;
    INSERT INTO queue_blocks VALUES
        (NEW.priority, 1, NEW.rank, 1), (NEW.priority, 64, NEW.rank / 64, 1),
        (NEW.priority, 4096, NEW.rank / 4096, 1)
        ON CONFLICT DO UPDATE SET queued = queued + 1;
    INSERT INTO ticket_blocks VALUES (NEW.priority, NEW.rank, NEW.ticket / 64, 1)
        ON CONFLICT DO UPDATE SET queued = queued + 1;
    INSERT INTO owner_ranks VALUES (NEW.priority, NEW.owner, NEW.rank)
        ON CONFLICT DO UPDATE SET last_rank = max(last_rank, NEW.rank);
    UPDATE counters SET last_ticket = max(last_ticket, NEW.ticket);
END;

DROP TRIGGER submission_entered_queue;
CREATE TRIGGER submission_entered_queue AFTER UPDATE OF state ON submissions
WHEN NEW.state = 'queued' AND OLD.state <> 'queued'
BEGIN
    UPDATE classes SET queued = queued + 1 WHERE priority = NEW.priority;
    UPDATE owners SET queued = queued + 1 WHERE name = NEW.owner AND NEW.set_aside IS NULL;
    INSERT INTO queue_blocks VALUES
        (NEW.priority, 1, NEW.rank, 1), (NEW.priority, 64, NEW.rank / 64, 1),
        (NEW.priority, 4096, NEW.rank / 4096, 1)
        ON CONFLICT DO UPDATE SET queued = queued + 1;
    INSERT INTO ticket_blocks VALUES (NEW.priority, NEW.rank, NEW.ticket / 64, 1)
        ON CONFLICT DO UPDATE SET queued = queued + 1;
    INSERT INTO owner_ranks VALUES (NEW.priority, NEW.owner, NEW.rank)
        ON CONFLICT DO UPDATE SET last_rank = max(last_rank, NEW.rank);
    UPDATE counters SET last_ticket = max(last_ticket, NEW.ticket);
END;

DROP TRIGGER submission_left_queue;
CREATE TRIGGER submission_left_queue AFTER UPDATE OF state ON submissions
WHEN OLD.state = 'queued' AND NEW.state <> 'queued'
BEGIN
    UPDATE classes SET queued = queued - 1 WHERE priority = OLD.priority;
    UPDATE owners SET queued = queued - 1 WHERE name = OLD.owner AND OLD.set_aside IS NULL;
    UPDATE queue_blocks SET queued = queued - 1
        WHERE priority = OLD.priority
          AND (width, block) IN (VALUES (1, OLD.rank), (64, OLD.rank / 64), (4096, OLD.rank / 4096));
    DELETE FROM queue_blocks
        WHERE priority = OLD.priority AND queued = 0
          AND (width, block) IN (VALUES (1, OLD.rank), (64, OLD.rank / 64), (4096, OLD.rank / 4096));
    UPDATE ticket_blocks SET queued = queued - 1
        WHERE priority = OLD.priority AND rank = OLD.rank AND block = OLD.ticket / 64;
    DELETE FROM ticket_blocks
        WHERE priority = OLD.priority AND rank = OLD.rank AND block = OLD.ticket / 64 AND queued = 0;
END;

-- An exercise's submissions, judged again.
CREATE TABLE rejudges (
    id               BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    exercise_id      TEXT NOT NULL,
    -- What all of them are judged with.
    exercise_version INTEGER NOT NULL,
    mode             TEXT NOT NULL CHECK (mode IN ('apply', 'preview')),
    -- `ended`: all were judged. Of a preview alone: `applied`, `cancelled`.
    state            TEXT NOT NULL CHECK (state IN ('running', 'ended', 'applied', 'cancelled')),
    asked_by         TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    -- Of its items: all, those of which nothing more will come, and of these what differs, what could not be judged, what was
    -- changed or gone.
    total            INTEGER NOT NULL CHECK (total >= 0),
    ended            INTEGER NOT NULL CHECK (ended BETWEEN 0 AND total),
    changed          INTEGER NOT NULL DEFAULT 0 CHECK (changed >= 0),
    failed           INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    left_out         INTEGER NOT NULL DEFAULT 0 CHECK (left_out >= 0),
    -- Whether copies of a preview that was applied or cancelled may be left.
    copies_left      INTEGER NOT NULL DEFAULT 1 CHECK (copies_left IN (0, 1)),

    FOREIGN KEY (exercise_id, exercise_version) REFERENCES exercise_versions (exercise_id, version),
    CHECK (mode = 'preview' OR state IN ('running', 'ended')),
    CHECK ((state = 'running') = (ended_at IS NULL)),
    CHECK (state <> 'ended' OR ended = total)
) STRICT;
-- One at a time for an exercise; a preview until it is applied or cancelled.
CREATE UNIQUE INDEX rejudges_open ON rejudges (exercise_id)
    WHERE state = 'running' OR (state = 'ended' AND mode = 'preview');
CREATE INDEX rejudges_running ON rejudges (created_at, id) WHERE state = 'running';
CREATE INDEX rejudges_copies ON rejudges (created_at) WHERE state IN ('applied', 'cancelled') AND copies_left = 1;
CREATE INDEX rejudges_created ON rejudges (created_at);

CREATE TABLE rejudge_items (
    rejudge_id       BLOB NOT NULL REFERENCES rejudges (id) ON DELETE CASCADE,
    -- Its place among them, from 1, oldest first.
    ordinal          INTEGER NOT NULL CHECK (ordinal >= 1),
    submission_id    BLOB NOT NULL CHECK (length(submission_id) = 16),
    owner            TEXT NOT NULL,
    state            TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'judging', 'judged', 'failed', 'left_out')),
    -- What is judged for it: the submission itself, or its copy.
    judged_id        BLOB CHECK (length(judged_id) = 16),
    -- The round of the submission, and what it had come to, when that began.
    round_before     INTEGER,
    before_verdict   TEXT,
    before_score     INTEGER,
    before_max_score INTEGER,
    after_verdict    TEXT,
    after_score      INTEGER,
    after_max_score  INTEGER,
    -- Whether verdict or points differ.
    changed          INTEGER NOT NULL DEFAULT 0 CHECK (changed IN (0, 1)),

    PRIMARY KEY (rejudge_id, ordinal),
    CHECK (state NOT IN ('judging', 'judged', 'failed') OR judged_id IS NOT NULL),
    CHECK ((judged_id IS NULL) = (round_before IS NULL)),
    CHECK (state <> 'judged' OR after_verdict IS NOT NULL),
    CHECK (changed = 0 OR state = 'judged')
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rejudge_items_judging ON rejudge_items (judged_id) WHERE state = 'judging';
CREATE INDEX rejudge_items_waiting ON rejudge_items (rejudge_id, ordinal) WHERE state = 'waiting';
CREATE INDEX rejudge_items_going_on ON rejudge_items (rejudge_id) WHERE state = 'judging';
CREATE INDEX rejudge_items_changed ON rejudge_items (rejudge_id, ordinal) WHERE changed = 1;
