package sqlite

// Script runs statements to their ends, one after the other. Errors are those of Exec.
func (c *Conn) Script(sql string) error {
	return c.guard(func() error { return c.failed(c.db.Exec(sql)) })
}

// Changes returns how many rows the attempt has changed.
func (c *Conn) Changes() int64 { return c.db.TotalChanges() - c.base }

// Wrote reports whether statements of the attempt have changed the database, once they have
// ended.
func (c *Conn) Wrote() bool { return c.file.wrote }
