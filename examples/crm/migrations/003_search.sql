-- compatible
-- A version without search works with this too: triggers keep the index.
CREATE VIRTUAL TABLE contacts_search USING fts5 (
	name, email, company, note,
	content = 'contacts', content_rowid = 'id' -- the texts stay in contacts
);

INSERT INTO contacts_search (contacts_search) VALUES ('rebuild');

CREATE TRIGGER contacts_search_insert AFTER INSERT ON contacts BEGIN
	INSERT INTO contacts_search (rowid, name, email, company, note)
	VALUES (new.id, new.name, new.email, new.company, new.note);
END;

CREATE TRIGGER contacts_search_delete AFTER DELETE ON contacts BEGIN
	INSERT INTO contacts_search (contacts_search, rowid, name, email, company, note)
	VALUES ('delete', old.id, old.name, old.email, old.company, old.note);
END;

CREATE TRIGGER contacts_search_update AFTER UPDATE OF name, email, company, note ON contacts BEGIN
	INSERT INTO contacts_search (contacts_search, rowid, name, email, company, note)
	VALUES ('delete', old.id, old.name, old.email, old.company, old.note);
	INSERT INTO contacts_search (rowid, name, email, company, note)
	VALUES (new.id, new.name, new.email, new.company, new.note);
END;
