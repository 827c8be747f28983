-- How many drafts an owner has.
CREATE INDEX submissions_owner_drafts ON submissions (owner) WHERE state = 'draft';
