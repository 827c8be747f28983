-- Times are UTC in milliseconds, ids of submissions the 16 bytes of a UUID, documents JSON text.
-- What a state may hold is checked here, so that no row exists that no state has.

-- Made once.
CREATE TABLE installation (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL CHECK (length(id) = 36),
    secret   BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;

CREATE TABLE counters (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- Last ticket given to a submission that entered the queue.
    last_ticket INTEGER NOT NULL CHECK (last_ticket >= 0),
    -- Grows with each check that a row can be written.
    probes      INTEGER NOT NULL CHECK (probes >= 0)
) STRICT;
INSERT INTO counters VALUES (1, 0, 0);

-- The classes of the queue.
CREATE TABLE classes (
    priority INTEGER PRIMARY KEY CHECK (priority BETWEEN 0 AND 2),
    -- Highest fair rank started so far.
    started  INTEGER NOT NULL CHECK (started >= 0),
    queued   INTEGER NOT NULL CHECK (queued >= 0)
) STRICT;
INSERT INTO classes VALUES (0, 0, 0), (1, 0, 0), (2, 0, 0);

CREATE TABLE owners (
    name       TEXT PRIMARY KEY CHECK (length(name) > 0),
    -- Number of the last event of all his submissions; never falls.
    last_event INTEGER NOT NULL DEFAULT 0 CHECK (last_event >= 0),
    queued     INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0)
) STRICT, WITHOUT ROWID;

-- The last fair rank an owner took in a class; no row is the same as 0.
CREATE TABLE owner_ranks (
    priority  INTEGER NOT NULL REFERENCES classes (priority),
    owner     TEXT NOT NULL REFERENCES owners (name),
    last_rank INTEGER NOT NULL CHECK (last_rank >= 1),
    PRIMARY KEY (priority, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE exercises (
    id         TEXT PRIMARY KEY,
    -- The newest version; the numbering goes on after a deletion.
    version    INTEGER NOT NULL CHECK (version >= 1),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX exercises_created ON exercises (created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE exercise_versions (
    exercise_id TEXT NOT NULL REFERENCES exercises (id),
    version     INTEGER NOT NULL CHECK (version >= 1),
    created_at  INTEGER NOT NULL,
    spec        TEXT NOT NULL CHECK (json_type(spec) = 'object'),
    PRIMARY KEY (exercise_id, version)
) STRICT;

CREATE TABLE submissions (
    id                  BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner               TEXT NOT NULL REFERENCES owners (name),
    backend             TEXT,
    legacy_id           TEXT 
        CHECK (octet_length(legacy_id) BETWEEN 1 AND 1024 AND instr(legacy_id, char(0)) = 0),
    exercise_id         TEXT,
    exercise_version    INTEGER,
    -- Input of a run; NULL if the submission is graded.
    run                 TEXT CHECK (run IS NULL OR json_type(run) = 'object'),
    runtime             TEXT NOT NULL,
    priority            INTEGER NOT NULL REFERENCES classes (priority),
    metadata            TEXT NOT NULL CHECK (json_type(metadata) = 'object'),
    created_at          INTEGER NOT NULL,
    -- SHA-256 of the files, and of those that entered the queue last.
    files_digest        BLOB NOT NULL CHECK (length(files_digest) = 32),
    queued_digest       BLOB CHECK (queued_digest IS NULL OR length(queued_digest) = 32),
    round               INTEGER NOT NULL CHECK (round >= 1),
    attempt             INTEGER NOT NULL CHECK (attempt >= 0),
    state               TEXT NOT NULL
        CHECK (state IN ('draft', 'queued', 'running', 'finished', 'failed', 'cancelled')),
    rank                INTEGER CHECK (rank >= 1),
    ticket              INTEGER CHECK (ticket >= 1),
    queued_at           INTEGER,
    started_at          INTEGER,
    worker              TEXT,
    lease_until         INTEGER,
    cancel_requested_at INTEGER,
    finished_at         INTEGER,
    failure             TEXT CHECK (failure IS NULL OR json_type(failure) = 'object'),
    -- The newest result, maybe of an earlier round, and its verdict.
    result_round        INTEGER,
    verdict             TEXT,
    -- Number of the last event of its log; never falls. Whether any of the log is kept.
    last_event          INTEGER NOT NULL DEFAULT 0 CHECK (last_event >= 0),
    log_kept            INTEGER NOT NULL DEFAULT 0 CHECK (log_kept IN (0, 1)),

    FOREIGN KEY (exercise_id, exercise_version) REFERENCES exercise_versions (exercise_id, version),
    FOREIGN KEY (id, result_round) REFERENCES results (submission_id, round),
    CHECK ((backend IS NULL) = (legacy_id IS NULL)),
    CHECK ((exercise_id IS NULL) = (exercise_version IS NULL)),
    CHECK (exercise_id IS NOT NULL OR run IS NOT NULL),
    CHECK ((state IN ('queued', 'running')) = (rank IS NOT NULL)),
    CHECK ((rank IS NULL) = (ticket IS NULL)),
    CHECK ((rank IS NULL) = (queued_at IS NULL)),
    CHECK ((state = 'draft') = (queued_digest IS NULL)),
    CHECK (state <> 'draft' OR (round = 1 AND attempt = 0 AND last_event = 0)),
    CHECK ((state = 'running') = (worker IS NOT NULL)),
    CHECK ((worker IS NULL) = (lease_until IS NULL)),
    CHECK (cancel_requested_at IS NULL OR state = 'running'),
    CHECK (state NOT IN ('running', 'finished', 'failed') OR attempt >= 1),
    CHECK (CASE WHEN state IN ('draft', 'queued') THEN started_at IS NULL
                ELSE (started_at IS NULL) = (attempt = 0) END),
    CHECK ((state IN ('finished', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    CHECK ((result_round IS NULL) = (verdict IS NULL)),
    CHECK (CASE WHEN state = 'finished' THEN result_round IS round
                ELSE result_round IS NULL OR result_round < round END)
) STRICT;

CREATE UNIQUE INDEX submissions_legacy ON submissions (legacy_id, backend) WHERE legacy_id IS NOT NULL;
CREATE UNIQUE INDEX submissions_ticket ON submissions (ticket) WHERE ticket IS NOT NULL;
-- The queue in order, with all that a list of it shows.
CREATE INDEX submissions_queue ON submissions (priority, rank, ticket, id, owner, round, attempt, state)
    WHERE state = 'queued';
CREATE INDEX submissions_runtime_queue ON submissions (runtime, priority, rank, ticket) WHERE state = 'queued';
CREATE INDEX submissions_running ON submissions (lease_until) WHERE state = 'running';
CREATE INDEX submissions_unfinished ON submissions (owner, created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX submissions_queued_at ON submissions (queued_at) WHERE state = 'queued';
CREATE INDEX submissions_ended ON submissions (state, finished_at, started_at) WHERE finished_at IS NOT NULL;
CREATE INDEX submissions_kept_logs ON submissions (finished_at) WHERE finished_at IS NOT NULL AND log_kept = 1;
CREATE INDEX submissions_drafts ON submissions (created_at) WHERE state = 'draft';
CREATE INDEX submissions_created ON submissions (created_at, id);
CREATE INDEX submissions_owner ON submissions (owner, created_at, id);
-- Two instead of one, so that neither is taken for the queue's.
CREATE INDEX submissions_open_state ON submissions (state, created_at, id) WHERE finished_at IS NULL;
CREATE INDEX submissions_ended_state ON submissions (state, created_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX submissions_verdict ON submissions (verdict, created_at, id) WHERE verdict IS NOT NULL;
CREATE INDEX submissions_exercise ON submissions (exercise_id, created_at, id) WHERE exercise_id IS NOT NULL;

CREATE TABLE files (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    -- Its place among the files as they were sent, from 0.
    ordinal       INTEGER NOT NULL CHECK (ordinal >= 0),
    path          TEXT NOT NULL,
    content       BLOB NOT NULL,
    PRIMARY KEY (submission_id, ordinal),
    UNIQUE (submission_id, path)
) STRICT;

-- Results of all rounds: an ending event shows the result that was the newest then.
CREATE TABLE results (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    round         INTEGER NOT NULL CHECK (round >= 1),
    -- The result without its tests, and these apart: lists don't show them.
    summary       TEXT NOT NULL CHECK (json_type(summary) = 'object'),
    tests         TEXT NOT NULL CHECK (json_type(tests) = 'array'),
    PRIMARY KEY (submission_id, round)
) STRICT;

-- Attempts that were lost.
CREATE TABLE attempts (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    round         INTEGER NOT NULL CHECK (round >= 1),
    attempt       INTEGER NOT NULL CHECK (attempt >= 1),
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    reason        TEXT NOT NULL CHECK (reason IN ('host_lost', 'container_lost', 'instance_lost')),
    PRIMARY KEY (submission_id, round, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL CHECK (seq >= 1),
    owner         TEXT NOT NULL REFERENCES owners (name),
    owner_seq     INTEGER NOT NULL CHECK (owner_seq >= 1),
    round         INTEGER NOT NULL CHECK (round >= 1),
    attempt       INTEGER NOT NULL CHECK (attempt >= 0),
    at            INTEGER NOT NULL,
    body          TEXT NOT NULL CHECK (json_type(body) = 'object'),
    -- Of an ending event: the result its submission had then. The body holds the submission without it.
    result_round  INTEGER,
    PRIMARY KEY (submission_id, seq),
    UNIQUE (owner, owner_seq),
    FOREIGN KEY (submission_id, result_round) REFERENCES results (submission_id, round)
) STRICT;

CREATE TABLE idempotency_keys (
    subject     TEXT NOT NULL,
    key         TEXT NOT NULL,
    -- SHA-256 of what was asked.
    digest      BLOB NOT NULL CHECK (length(digest) = 32),
    -- What it stored: the ids of submissions, one behind the other.
    submissions BLOB NOT NULL CHECK (length(submissions) % 16 = 0),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (subject, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- How many are queued in each block of `width` successive ranks of a class; empty blocks have no row. A place
-- in the queue is the sum of a few blocks, however long the queue is.
CREATE TABLE queue_blocks (
    priority INTEGER NOT NULL,
    width    INTEGER NOT NULL CHECK (width IN (1, 64, 4096)),
    block    INTEGER NOT NULL,
    queued   INTEGER NOT NULL CHECK (queued >= 0),
    PRIMARY KEY (priority, width, block)
) STRICT, WITHOUT ROWID;

-- The same within a rank, in blocks of 64 successive tickets.
CREATE TABLE ticket_blocks (
    priority INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    block    INTEGER NOT NULL,
    queued   INTEGER NOT NULL CHECK (queued >= 0),
    PRIMARY KEY (priority, rank, block)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER submission_stored_queued AFTER INSERT ON submissions WHEN NEW.state = 'queued'
BEGIN
    UPDATE classes SET queued = queued + 1 WHERE priority = NEW.priority;
    UPDATE owners SET queued = queued + 1 WHERE name = NEW.owner;
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

CREATE TRIGGER submission_entered_queue AFTER UPDATE OF state ON submissions
WHEN NEW.state = 'queued' AND OLD.state <> 'queued'
BEGIN
    UPDATE classes SET queued = queued + 1 WHERE priority = NEW.priority;
    UPDATE owners SET queued = queued + 1 WHERE name = NEW.owner;
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

CREATE TRIGGER submission_left_queue AFTER UPDATE OF state ON submissions
WHEN OLD.state = 'queued' AND NEW.state <> 'queued'
BEGIN
    UPDATE classes SET queued = queued - 1 WHERE priority = OLD.priority;
    UPDATE owners SET queued = queued - 1 WHERE name = OLD.owner;
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

CREATE TRIGGER submission_started AFTER UPDATE OF state ON submissions
WHEN OLD.state = 'queued' AND NEW.state = 'running'
BEGIN
    UPDATE classes SET started = max(started, OLD.rank) WHERE priority = OLD.priority;
END;

-- The figures above count a submission until it leaves the queue.
CREATE TRIGGER submission_deleted BEFORE DELETE ON submissions WHEN OLD.state IN ('queued', 'running')
BEGIN
    SELECT RAISE (ABORT, 'no submission is deleted that waits or runs');
END;

CREATE TRIGGER event_written AFTER INSERT ON events
BEGIN
    UPDATE submissions SET last_event = max(last_event, NEW.seq), log_kept = 1 WHERE id = NEW.submission_id;
    UPDATE owners SET last_event = max(last_event, NEW.owner_seq) WHERE name = NEW.owner;
END;
