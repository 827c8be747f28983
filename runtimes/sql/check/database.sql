CREATE TABLE made (how TEXT);
INSERT INTO made VALUES ('by database.sql');
