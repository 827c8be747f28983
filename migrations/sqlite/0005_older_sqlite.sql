-- The check of legacy ids named a function of SQLite 3.43. Programs of Debian 12 that open this file (its `sqlite3`,
-- original backends) have 3.40, and could neither check the database nor restore a dump of it.
--
-- The new check holds for the same rows, so the table needs no copying: only its definition is written anew
-- (https://www.sqlite.org/lang_altertable.html, section 7: changes that don't affect the content on disk).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'octet_length(legacy_id)', 'length(CAST(legacy_id AS BLOB))')
WHERE type = 'table' AND name = 'submissions';
PRAGMA writable_schema = RESET;
