-- What outlives the process of the Docker hosts: what an operator wants of each, and when it was first heard of. Where they
-- are stands in the settings.

CREATE TABLE hosts (
    name       TEXT NOT NULL PRIMARY KEY,
    mode       TEXT NOT NULL DEFAULT 'active' CHECK (mode IN ('active', 'cordoned', 'draining')),
    created_at INTEGER NOT NULL
) STRICT;
