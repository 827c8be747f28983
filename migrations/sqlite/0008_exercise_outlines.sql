-- The newest version of each exercise without its tests, as lists show it: the tests may have megabytes, which a list
-- would read for nothing.
CREATE TABLE exercise_outlines (
    exercise_id TEXT NOT NULL PRIMARY KEY REFERENCES exercises (id),
    version     INTEGER NOT NULL CHECK (version >= 1),
    test_count  INTEGER NOT NULL CHECK (test_count >= 0),
    -- The exercise's document with an empty list of tests.
    spec        TEXT NOT NULL CHECK (json_type(spec) = 'object' AND json_array_length(spec, '$.tests') = 0),
    FOREIGN KEY (exercise_id, version) REFERENCES exercise_versions (exercise_id, version)
) STRICT;

INSERT INTO exercise_outlines (exercise_id, version, test_count, spec)
SELECT v.exercise_id, v.version, json_array_length(v.spec, '$.tests'), json_set(v.spec, '$.tests', json('[]'))
FROM exercises AS e JOIN exercise_versions AS v ON v.exercise_id = e.id AND v.version = e.version;
