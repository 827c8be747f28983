-- A submission that is judged again waits in the class `rejudge`, and is graded with the newest version of its exercise.

-- The class that it had before; NULL if it was not judged again.
ALTER TABLE submissions ADD COLUMN own_priority INTEGER;

-- The version that the result was graded with; NULL in rows of before: that of the submission.
ALTER TABLE results ADD COLUMN exercise_version INTEGER;
