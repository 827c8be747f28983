PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'initial','2026-11-30 15:34:17',1,X'a07697b3667f17852bb9640629a39558922e7da1cfff495fb39af224b673d6abf3cef4896f5b228428375343ded114d6',4823405);
INSERT INTO _sqlx_migrations VALUES(2,'handed back','2026-11-30 15:34:17',1,X'fe55972f72ffe74e1bbfd9e5dc403f830e3db11ab5ccc35146ee41388288af29944dc82f190c44af7d6041d170c19e66',1750486);
INSERT INTO _sqlx_migrations VALUES(3,'legacy inbox','2026-11-30 15:34:17',1,X'ffef01a875f44b72f155d86ed12e35dc03c2922d9e096536383936401a4f087c91c1d198a8c339c2f1ecc9ae1aacdf33',23190099);
INSERT INTO _sqlx_migrations VALUES(4,'drafts','2026-11-30 15:34:17',1,X'e199d44c7311113c8974797b679ae30bf886b37c746dc05fd1b3f91560164ce5d6dd706bac9d62f6b024ff73787c2ddd',1604127);
INSERT INTO _sqlx_migrations VALUES(5,'older sqlite','2026-11-30 15:34:18',1,X'380d86e2aa7699d653303a6d3a65747ce0b85e7afc55d3e3b433c79502c4f2c54ae75cc549f5213ca59a9e138c871920',3514989);
INSERT INTO _sqlx_migrations VALUES(6,'queue shows runtimes','2026-11-30 15:34:18',1,X'cf04fae1fe57d13e6bd751eb9b09f2f27d3d7132bb5db3a160a9ceeaf37aeb1d3541f62f311a93eea6525ba8e934db0a',879264);
INSERT INTO _sqlx_migrations VALUES(8,'exercise outlines','2026-11-30 15:34:18',1,X'a0bdad1c685f66545cc022055566ae3dd02e723789cb524b6ff61776af325c71c830aa87354438916baeed36121128a3',890071);
INSERT INTO _sqlx_migrations VALUES(9,'epochs','2026-11-30 15:34:18',1,X'ae1bd0cb0d50fe418dc392763679cd7b7d69c630746e9cc264fdcd16658c2aeadf32917150d25afaa107b32f332794cf',71506628);
INSERT INTO _sqlx_migrations VALUES(10,'hosts','2026-11-30 15:34:18',1,X'd952a84d03d34e5100d980e83247670d859cc9998202c948cac8a3c889b079d614e049f695f7e622878729ede2dfb454',1556201);
CREATE TABLE installation (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id       TEXT NOT NULL CHECK (length(id) = 36),
    secret   BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;
INSERT INTO installation VALUES(1,'a8b08962-2017-462a-880e-eb86f4456c41',X'c93f8c5bd059021c98ce40936829684b1c59e2052093b4db8df952cd01f5f0f6');
CREATE TABLE counters (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    -- Last ticket given to a submission that entered the queue.
    last_ticket INTEGER NOT NULL CHECK (last_ticket >= 0),
    -- Grows with each check that a row can be written.
    probes      INTEGER NOT NULL CHECK (probes >= 0)
) STRICT;
INSERT INTO counters VALUES(1,3,0);
CREATE TABLE classes (
    priority INTEGER PRIMARY KEY CHECK (priority BETWEEN 0 AND 2),
    -- Highest fair rank started so far.
    started  INTEGER NOT NULL CHECK (started >= 0),
    queued   INTEGER NOT NULL CHECK (queued >= 0)
) STRICT;
INSERT INTO classes VALUES(0,0,0);
INSERT INTO classes VALUES(1,1,2);
INSERT INTO classes VALUES(2,0,0);
CREATE TABLE owners (
    name       TEXT PRIMARY KEY CHECK (length(name) > 0),
    -- Number of the last event of all his submissions; never falls.
    last_event INTEGER NOT NULL DEFAULT 0 CHECK (last_event >= 0),
    queued     INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0)
, last_epoch INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO owners VALUES('alice',8,2,2);
CREATE TABLE owner_ranks (
    priority  INTEGER NOT NULL REFERENCES classes (priority),
    owner     TEXT NOT NULL REFERENCES owners (name),
    last_rank INTEGER NOT NULL CHECK (last_rank >= 1),
    PRIMARY KEY (priority, owner)
) STRICT, WITHOUT ROWID;
INSERT INTO owner_ranks VALUES(1,'alice',3);
CREATE TABLE exercises (
    id         TEXT PRIMARY KEY,
    -- The newest version; the numbering goes on after a deletion.
    version    INTEGER NOT NULL CHECK (version >= 1),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO exercises VALUES('sum',1,1796052863871,NULL);
CREATE TABLE exercise_versions (
    exercise_id TEXT NOT NULL REFERENCES exercises (id),
    version     INTEGER NOT NULL CHECK (version >= 1),
    created_at  INTEGER NOT NULL,
    spec        TEXT NOT NULL CHECK (json_type(spec) = 'object'),
    PRIMARY KEY (exercise_id, version)
) STRICT;
INSERT INTO exercise_versions VALUES('sum',1,1796052863871,'{"title":"Sum","statement":"Read two integers, print their sum.","kind":"stdio","checker":{"type":"tokens","case_sensitive":true,"float_tolerance":null},"tests":[{"name":"small","args":[],"stdin":"1 2\n","expected":"3\n","visibility":"public","weight":1},{"name":"negative","args":[],"stdin":"-5 3\n","expected":"-2\n","visibility":"public","weight":1},{"name":"big","args":[],"stdin":"2147483647 1\n","expected":"2147483648\n","visibility":"hidden","weight":2}],"runtimes":["python","c"],"starter_files":[],"priority":"normal","isolation":"reset","limits":{"cpu_time_ms":1000,"wall_time_ms":3000,"memory_bytes":268435456,"output_bytes":65536,"processes":16},"limits_by_runtime":{"python":{"cpu_time_ms":3000,"wall_time_ms":null,"memory_bytes":null,"output_bytes":null,"processes":null}},"compile_limits":{"cpu_time_ms":null,"wall_time_ms":null,"memory_bytes":null,"output_bytes":null,"processes":null},"stop_on_first_failure":false}');
CREATE TABLE submissions (
    id                  BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner               TEXT NOT NULL REFERENCES owners (name),
    backend             TEXT,
    legacy_id           TEXT 
        CHECK (length(CAST(legacy_id AS BLOB)) BETWEEN 1 AND 1024 AND instr(legacy_id, char(0)) = 0),
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
    log_kept            INTEGER NOT NULL DEFAULT 0 CHECK (log_kept IN (0, 1)), last_epoch INTEGER NOT NULL DEFAULT 0,

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
INSERT INTO submissions VALUES(X'01a22d17cbdc7657802b3fe33d532ff0','alice',NULL,NULL,'sum',1,NULL,'python',1,'{}',1796052863960,X'1486e9352ad0d064cbe87e04c5a2125543d031652ef3ef601242367d3337e60f',X'1486e9352ad0d064cbe87e04c5a2125543d031652ef3ef601242367d3337e60f',1,1,'finished',NULL,NULL,NULL,1796052863981,NULL,NULL,NULL,1796052864609,NULL,1,'accepted',6,1,1);
INSERT INTO submissions VALUES(X'01a22d17ec3d73a6bf751ae7ca080c14','alice',NULL,NULL,'sum',1,NULL,'python',1,'{}',1796052872251,X'1486e9352ad0d064cbe87e04c5a2125543d031652ef3ef601242367d3337e60f',X'1486e9352ad0d064cbe87e04c5a2125543d031652ef3ef601242367d3337e60f',1,0,'queued',2,2,1796052872251,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,2);
INSERT INTO submissions VALUES(X'01a22d17ec5875fbb094fdaff248303b','alice',NULL,NULL,'sum',1,NULL,'python',1,'{}',1796052872280,X'53e250ab33361f1721d1763ba3ebe84e97e7ad644b198a9429ac8c833d65bc1d',X'53e250ab33361f1721d1763ba3ebe84e97e7ad644b198a9429ac8c833d65bc1d',1,0,'queued',3,3,1796052872280,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,1,2);
CREATE TABLE files (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    -- Its place among the files as they were sent, from 0.
    ordinal       INTEGER NOT NULL CHECK (ordinal >= 0),
    path          TEXT NOT NULL,
    content       BLOB NOT NULL,
    PRIMARY KEY (submission_id, ordinal),
    UNIQUE (submission_id, path)
) STRICT;
INSERT INTO files VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',0,'main.py',X'612c2062203d206d617028696e742c20696e70757428292e73706c69742829290a7072696e742861202b2062290a');
INSERT INTO files VALUES(X'01a22d17ec3d73a6bf751ae7ca080c14',0,'main.py',X'612c2062203d206d617028696e742c20696e70757428292e73706c69742829290a7072696e742861202b2062290a');
INSERT INTO files VALUES(X'01a22d17ec5875fbb094fdaff248303b',0,'main.py',X'612c2062203d206d617028696e742c20696e70757428292e73706c69742829290a7072696e742861202d2062290a');
CREATE TABLE results (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    round         INTEGER NOT NULL CHECK (round >= 1),
    -- The result without its tests, and these apart: lists don't show them.
    summary       TEXT NOT NULL CHECK (json_type(summary) = 'object'),
    tests         TEXT NOT NULL CHECK (json_type(tests) = 'array'),
    PRIMARY KEY (submission_id, round)
) STRICT;
INSERT INTO results VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',1,'{"round":1,"verdict":"accepted","points":{"score":4,"max_score":4},"usage_source":"cgroup_v1","compile":null,"tests":[],"timings":{"queued_ms":34,"prepared_ms":0,"compiled_ms":0,"tested_ms":614,"stored_ms":0}}','[{"index":1,"name":"small","visibility":"public","verdict":"accepted","points":{"score":1,"max_score":1},"usage":{"cpu_time_ms":18,"wall_time_ms":245,"memory_bytes":258048},"exit":{"code":0},"limit":null,"stdin":"1 2\n","expected":"3\n","stdout":{"bytes":"3\n","truncated":false},"stderr":{"bytes":"","truncated":false},"message":null},{"index":2,"name":"negative","visibility":"public","verdict":"accepted","points":{"score":1,"max_score":1},"usage":{"cpu_time_ms":13,"wall_time_ms":88,"memory_bytes":86016},"exit":{"code":0},"limit":null,"stdin":"-5 3\n","expected":"-2\n","stdout":{"bytes":"-2\n","truncated":false},"stderr":{"bytes":"","truncated":false},"message":null},{"index":3,"name":"big","visibility":"hidden","verdict":"accepted","points":{"score":2,"max_score":2},"usage":{"cpu_time_ms":13,"wall_time_ms":281,"memory_bytes":258048},"exit":{"code":0},"limit":null,"stdin":"2147483647 1\n","expected":"2147483648\n","stdout":{"bytes":"2147483648\n","truncated":false},"stderr":{"bytes":"","truncated":false},"message":null}]');
CREATE TABLE attempts (
    submission_id BLOB NOT NULL REFERENCES submissions (id) ON DELETE CASCADE,
    round         INTEGER NOT NULL CHECK (round >= 1),
    attempt       INTEGER NOT NULL CHECK (attempt >= 1),
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    reason        TEXT NOT NULL CHECK (reason IN ('host_lost', 'container_lost', 'instance_lost')), handed_back INTEGER NOT NULL DEFAULT 0 CHECK (handed_back IN (0, 1)),
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
    result_round  INTEGER, epoch INTEGER NOT NULL DEFAULT 0, epoch_before INTEGER NOT NULL DEFAULT 0, owner_epoch_before INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (submission_id, seq),
    UNIQUE (owner, owner_seq),
    FOREIGN KEY (submission_id, result_round) REFERENCES results (submission_id, round)
) STRICT;
INSERT INTO events VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',1,'alice',1,1,0,1796052863960,'{"type":"queued","position":1,"eta":{"low_s":0,"high_s":1}}',NULL,1,0,0);
INSERT INTO events VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',2,'alice',2,1,1,1796052863981,'{"type":"started","position_before":1}',NULL,1,1,1);
INSERT INTO events VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',3,'alice',3,1,1,1796052864261,'{"type":"test_finished","of":3,"test":{"index":1,"name":"small","visibility":"public","verdict":"accepted","points":{"score":1,"max_score":1},"usage":{"cpu_time_ms":18,"wall_time_ms":245,"memory_bytes":258048},"exit":{"code":0},"limit":null,"stdin":"1 2\n","expected":"3\n","stdout":{"bytes":"3\n","truncated":false},"stderr":{"bytes":"","truncated":false},"message":null}}',NULL,1,1,1);
INSERT INTO events VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',4,'alice',4,1,1,1796052864548,'{"type":"test_finished","of":3,"test":{"index":2,"name":"negative","visibility":"public","verdict":"accepted","points":{"score":1,"max_score":1},"usage":{"cpu_time_ms":13,"wall_time_ms":88,"memory_bytes":86016},"exit":{"code":0},"limit":null,"stdin":"-5 3\n","expected":"-2\n","stdout":{"bytes":"-2\n","truncated":false},"stderr":{"bytes":"","truncated":false},"message":null}}',NULL,1,1,1);
INSERT INTO events VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',5,'alice',5,1,1,1796052864609,'{"type":"test_finished","of":3,"test":{"index":3,"name":"big","visibility":"hidden","verdict":"accepted","points":{"score":2,"max_score":2},"usage":{"cpu_time_ms":13,"wall_time_ms":281,"memory_bytes":258048},"exit":{"code":0},"limit":null,"stdin":"2147483647 1\n","expected":"2147483648\n","stdout":{"bytes":"2147483648\n","truncated":false},"stderr":{"bytes":"","truncated":false},"message":null}}',NULL,1,1,1);
INSERT INTO events VALUES(X'01a22d17cbdc7657802b3fe33d532ff0',6,'alice',6,1,1,1796052864609,'{"type":"finished","submission":{"id":"01a22d17-cbdc-7657-802b-3fe33d532ff0","owner":"alice","legacy":null,"purpose":{"graded":{"id":"sum","version":1}},"runtime":"python","priority":"normal","metadata":"{}","created_at":1796052863960,"round":1,"state":{"name":"finished","attempt":1,"started_at":1796052863981,"finished_at":1796052864609},"result":null,"failure":null,"files":[{"path":"main.py","bytes":46}]}}',1,1,1,1);
INSERT INTO events VALUES(X'01a22d17ec3d73a6bf751ae7ca080c14',1,'alice',7,1,0,1796052872251,'{"type":"queued","position":1,"eta":null}',NULL,2,0,1);
INSERT INTO events VALUES(X'01a22d17ec5875fbb094fdaff248303b',1,'alice',8,1,0,1796052872280,'{"type":"queued","position":2,"eta":null}',NULL,2,0,2);
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
CREATE TABLE queue_blocks (
    priority INTEGER NOT NULL,
    width    INTEGER NOT NULL CHECK (width IN (1, 64, 4096)),
    block    INTEGER NOT NULL,
    queued   INTEGER NOT NULL CHECK (queued >= 0),
    PRIMARY KEY (priority, width, block)
) STRICT, WITHOUT ROWID;
INSERT INTO queue_blocks VALUES(1,1,2,1);
INSERT INTO queue_blocks VALUES(1,1,3,1);
INSERT INTO queue_blocks VALUES(1,64,0,2);
INSERT INTO queue_blocks VALUES(1,4096,0,2);
CREATE TABLE ticket_blocks (
    priority INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    block    INTEGER NOT NULL,
    queued   INTEGER NOT NULL CHECK (queued >= 0),
    PRIMARY KEY (priority, rank, block)
) STRICT, WITHOUT ROWID;
INSERT INTO ticket_blocks VALUES(1,2,0,1);
INSERT INTO ticket_blocks VALUES(1,3,0,1);
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
CREATE TABLE legacy_draft_files (
    backend   TEXT NOT NULL DEFAULT 'default' CHECK (typeof(backend) = 'text'),
    legacy_id TEXT NOT NULL CHECK (typeof(legacy_id) = 'text'),
    path      TEXT NOT NULL CHECK (typeof(path) = 'text'),
    -- Text or bytes.
    content   TEXT NOT NULL,
    PRIMARY KEY (backend, legacy_id, path)
);
CREATE TABLE exercise_outlines (
    exercise_id TEXT NOT NULL PRIMARY KEY REFERENCES exercises (id),
    version     INTEGER NOT NULL CHECK (version >= 1),
    test_count  INTEGER NOT NULL CHECK (test_count >= 0),
    -- The exercise's document with an empty list of tests.
    spec        TEXT NOT NULL CHECK (json_type(spec) = 'object' AND json_array_length(spec, '$.tests') = 0),
    FOREIGN KEY (exercise_id, version) REFERENCES exercise_versions (exercise_id, version)
) STRICT;
INSERT INTO exercise_outlines VALUES('sum',1,3,'{"title":"Sum","statement":"Read two integers, print their sum.","kind":"stdio","checker":{"type":"tokens","case_sensitive":true,"float_tolerance":null},"tests":[],"runtimes":["python","c"],"starter_files":[],"priority":"normal","isolation":"reset","limits":{"cpu_time_ms":1000,"wall_time_ms":3000,"memory_bytes":268435456,"output_bytes":65536,"processes":16},"limits_by_runtime":{"python":{"cpu_time_ms":3000,"wall_time_ms":null,"memory_bytes":null,"output_bytes":null,"processes":null}},"compile_limits":{"cpu_time_ms":null,"wall_time_ms":null,"memory_bytes":null,"output_bytes":null,"processes":null},"stop_on_first_failure":false}');
CREATE TABLE epochs (
    -- In the order in which they were opened.
    number INTEGER PRIMARY KEY,
    -- Random, so that no other has it, also not one that only a lost database knew. Ids of events show it.
    token  INTEGER NOT NULL UNIQUE
) STRICT;
INSERT INTO epochs VALUES(0,5551411244886740184);
INSERT INTO epochs VALUES(1,-3507411534699063763);
INSERT INTO epochs VALUES(2,1284051746253348782);
CREATE TABLE hosts (
    name       TEXT NOT NULL PRIMARY KEY,
    mode       TEXT NOT NULL DEFAULT 'active' CHECK (mode IN ('active', 'cordoned', 'draining')),
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO hosts VALUES('host-1','active',1796052858439);
CREATE INDEX exercises_created ON exercises (created_at, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX submissions_legacy ON submissions (legacy_id, backend) WHERE legacy_id IS NOT NULL;
CREATE UNIQUE INDEX submissions_ticket ON submissions (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX submissions_runtime_queue ON submissions (runtime, priority, rank, ticket) WHERE state = 'queued';
CREATE INDEX submissions_running ON submissions (lease_until) WHERE state = 'running';
CREATE INDEX submissions_unfinished ON submissions (owner, created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX submissions_queued_at ON submissions (queued_at) WHERE state = 'queued';
CREATE INDEX submissions_ended ON submissions (state, finished_at, started_at) WHERE finished_at IS NOT NULL;
CREATE INDEX submissions_kept_logs ON submissions (finished_at) WHERE finished_at IS NOT NULL AND log_kept = 1;
CREATE INDEX submissions_drafts ON submissions (created_at) WHERE state = 'draft';
CREATE INDEX submissions_created ON submissions (created_at, id);
CREATE INDEX submissions_owner ON submissions (owner, created_at, id);
CREATE INDEX submissions_open_state ON submissions (state, created_at, id) WHERE finished_at IS NULL;
CREATE INDEX submissions_ended_state ON submissions (state, created_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX submissions_verdict ON submissions (verdict, created_at, id) WHERE verdict IS NOT NULL;
CREATE INDEX submissions_exercise ON submissions (exercise_id, created_at, id) WHERE exercise_id IS NOT NULL;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
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
CREATE TRIGGER submission_deleted BEFORE DELETE ON submissions WHEN OLD.state IN ('queued', 'running')
BEGIN
    SELECT RAISE (ABORT, 'no submission is deleted that waits or runs');
END;
CREATE INDEX legacy_drafts_updated ON legacy_drafts (updated_at);
CREATE TRIGGER legacy_draft_deleted AFTER DELETE ON legacy_drafts
BEGIN
    DELETE FROM legacy_draft_files WHERE backend = OLD.backend AND legacy_id = OLD.legacy_id;
END;
CREATE INDEX submissions_owner_drafts ON submissions (owner) WHERE state = 'draft';
CREATE INDEX submissions_queue ON submissions (priority, rank, ticket, id, owner, runtime, round, attempt, state)
    WHERE state = 'queued';
CREATE TRIGGER event_written AFTER INSERT ON events
BEGIN
    UPDATE submissions SET last_event = max(last_event, NEW.seq), last_epoch = NEW.epoch, log_kept = 1
        WHERE id = NEW.submission_id;
    UPDATE owners SET last_event = max(last_event, NEW.owner_seq), last_epoch = NEW.epoch WHERE name = NEW.owner;
END;
COMMIT;
