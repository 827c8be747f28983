-- `guichet runtime check` runs this: the image holds what every program is promised that SQL can ask for. What does not hold
-- breaks the constraint below, which is named in what is printed.
CREATE TABLE found (
    zone TEXT CONSTRAINT "the local time is UTC" CHECK (zone = datetime(1700000000, 'unixepoch')),
    made TEXT CONSTRAINT "database.sql" CHECK (made = 'by database.sql'),
    text TEXT CONSTRAINT "text is UTF-8" CHECK (text = 3)
);
INSERT INTO found VALUES (datetime(1700000000, 'unixepoch', 'localtime'), (SELECT how FROM made), length('été'));
