-- Not marked as compatible: a version without deals answers 500 when it is to delete a
-- contact that has some.
CREATE TABLE deals (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	contact INTEGER NOT NULL REFERENCES contacts (id),
	title   TEXT NOT NULL,
	amount  INTEGER NOT NULL CHECK (amount > 0), -- in cents
	stage   TEXT NOT NULL DEFAULT 'open' CHECK (stage IN ('open', 'won'))
);

-- To delete a contact, SQLite looks for its deals.
CREATE INDEX deals_by_contact ON deals (contact);

-- GET /pipeline reads this index alone.
CREATE INDEX deals_by_stage ON deals (stage, amount);

ALTER TABLE contacts ADD COLUMN revenue INTEGER NOT NULL DEFAULT 0; -- in cents, of deals won
