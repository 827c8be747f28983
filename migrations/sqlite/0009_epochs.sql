-- Each start of the service opens an epoch, and each event names the one in which it was written. A database that was
-- put back from a copy numbers its events on from there: the epoch tells them from those of the same numbers that are lost.

CREATE TABLE epochs (
    -- In the order in which they were opened.
    number INTEGER PRIMARY KEY,
    -- Random, so that no other has it, also not one that only a lost database knew. Ids of events show it.
    token  INTEGER NOT NULL UNIQUE
) STRICT;
-- Of all events from before there were epochs.
INSERT INTO epochs (number, token) VALUES (0, random());

ALTER TABLE owners ADD COLUMN last_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE submissions ADD COLUMN last_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
-- Of the event before it in the log of its submission and in that of its owner: that one may be pruned.
ALTER TABLE events ADD COLUMN epoch_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN owner_epoch_before INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER event_written;
CREATE TRIGGER event_written AFTER INSERT ON events
BEGIN
    UPDATE submissions SET last_event = max(last_event, NEW.seq), last_epoch = NEW.epoch, log_kept = 1
        WHERE id = NEW.submission_id;
    UPDATE owners SET last_event = max(last_event, NEW.owner_seq), last_epoch = NEW.epoch WHERE name = NEW.owner;
END;
