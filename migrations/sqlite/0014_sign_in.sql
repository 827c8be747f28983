-- Links that sign their reader in to the page, once: a row goes when its link is used. What is in a link is not stored, only its
-- SHA-256.

CREATE TABLE sign_in_links (
    digest         BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    subject        TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('student', 'teacher', 'backend', 'admin')),
    session_ttl_ms INTEGER NOT NULL CHECK (session_ttl_ms > 0),
    path           TEXT NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX sign_in_links_expire ON sign_in_links (expires_at);

-- Sessions that their users ended, until they would be over by themselves: a cookie that was copied before is worth nothing.
CREATE TABLE ended_sessions (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX ended_sessions_expire ON ended_sessions (expires_at);
