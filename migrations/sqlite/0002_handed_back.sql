-- Whether the attempt was stopped on purpose, because its instance had to end: that is no loss.
ALTER TABLE attempts ADD COLUMN handed_back INTEGER NOT NULL DEFAULT 0 CHECK (handed_back IN (0, 1));
