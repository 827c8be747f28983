-- Who was graded on an exercise, in the order of their names; a submission comes in with its first result.
CREATE INDEX submissions_graded ON submissions (exercise_id, owner, created_at, id, result_round)
    WHERE run IS NULL AND result_round IS NOT NULL;
