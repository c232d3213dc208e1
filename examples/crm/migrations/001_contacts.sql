CREATE TABLE contacts (
	id      INTEGER PRIMARY KEY AUTOINCREMENT, -- the id of a deleted contact is never another's
	name    TEXT NOT NULL COLLATE NOCASE,
	email   TEXT NOT NULL COLLATE NOCASE UNIQUE,
	company TEXT NOT NULL,
	note    TEXT NOT NULL
);

-- GET /contacts reads pages in this order.
CREATE INDEX contacts_by_name ON contacts (name, id);
