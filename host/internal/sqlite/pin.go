package sqlite

import "github.com/ncruces/go-sqlite3"

// pin is a statement of a connection that is always about to go on. While there is one,
// SQLite does not end what it reads with each statement, nor looks, when the next begins,
// for a journal, a lock and changes of others. Nothing may have changed as long as it is
// held, so it is freed before what writes, and before an attempt that sees something else.
type pin struct {
	stmt *sqlite3.Stmt // nil = there never was one
	held bool
}

// hold begins what SQLite reads, unless it is begun.
func (p *pin) hold(db *sqlite3.Conn) (err error) {
	if p.held {
		return nil
	}
	if p.stmt == nil {
		if p.stmt, _, err = db.PrepareFlags("SELECT 1 FROM sqlite_schema", sqlite3.PREPARE_PERSISTENT); err != nil {
			return err
		}
	}
	if p.held = p.stmt.Step(); p.held { // else nobody has made a table
		return nil
	}
	return p.stmt.Reset()
}

// free has SQLite look again.
func (p *pin) free() {
	if p.held {
		p.held = false
		_ = p.stmt.Reset() // it has not failed
	}
}
