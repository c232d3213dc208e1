package app

// returning changes rows by queries that nobody reads to their ends or closes: it is done,
// and so is what comes after it.
func returning(o *out) error {
	for _, do := range []string{"DELETE FROM v", "DELETE FROM u"} {
		if _, err := db.Exec(do); err != nil {
			return err
		}
	}
	for i := range 3 {
		rows, err := db.Query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) INSERT INTO v (i) SELECT i FROM n RETURNING i, hex(zeroblob(200))")
		if err != nil {
			return err
		}
		if i > 0 {
			o.say("a row: %v", rows.Next())
		}
		if i > 1 {
			o.err("close", rows.Close())
		}
	}
	r, err := db.Exec("INSERT INTO u (id, name) VALUES (900, 'after')")
	o.say("after: %+v %v", r, err)
	_, err = db.Query("INSERT INTO u (id, name) VALUES (901, 'one'), (901, 'two') RETURNING id")
	o.err("fails", err)
	var all, after int
	if err := db.QueryRow("SELECT count(*), (SELECT count(*) FROM u) FROM v").Scan(&all, &after); err != nil {
		return err
	}
	o.say("%d and %d", all, after)
	for _, do := range []string{
		"CREATE TABLE guarded (id INTEGER PRIMARY KEY)", "INSERT INTO guarded VALUES (1)",
		"CREATE TRIGGER guard BEFORE DELETE ON guarded BEGIN SELECT raise(ABORT, 'constraint failed'); END",
		"DELETE FROM guarded", "INSERT INTO guarded VALUES ('x')", "INSERT OR FAIL INTO guarded VALUES (2), (1), (3)",
		"DROP TRIGGER guard", "DELETE FROM guarded WHERE id = 2 RETURNING id", "DROP TABLE guarded", "DELETE FROM u",
	} {
		r, err := db.Exec(do)
		o.err(do, err)
		o.say("  %d", r.Changed)
	}
	return nil
}
