-- The queue in order, with all that a list of it shows; now what each is to run in, too.
DROP INDEX submissions_queue;
CREATE INDEX submissions_queue ON submissions (priority, rank, ticket, id, owner, runtime, round, attempt, state)
    WHERE state = 'queued';
