-- The instance that has the database, and since when: whether its loss counts against a submission that it ran depends on how
-- long it had been up before.
CREATE TABLE instances (
    worker TEXT NOT NULL PRIMARY KEY,
    since  INTEGER NOT NULL
) STRICT;

-- Whether the attempt was lost with an instance that may have died of something else: it does not count.
ALTER TABLE attempts ADD COLUMN excused INTEGER NOT NULL DEFAULT 0 CHECK (excused IN (0, 1));
-- How long the next instance is up before it leases the submission; of losses of instances only.
ALTER TABLE attempts ADD COLUMN rest_ms INTEGER;
