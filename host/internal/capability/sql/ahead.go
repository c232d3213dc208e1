package sql

// ahead are the rows of a statement that has run to its end before the guest reads them.
type ahead struct{ rows [][]byte }

func (a *ahead) next() (row []byte, ok bool) {
	if len(a.rows) == 0 {
		return nil, false
	}
	row, a.rows = a.rows[0], a.rows[1:]
	return row, true
}

// rowCost is about how many bytes a row that is kept takes in addition to its values.
const rowCost = 48

// start runs a query up to its first row. A statement that may change something runs to
// its end: SQLite commits no other while one of those is under way, and what it is to
// change can still fail.
func (c *cursor) start(a *attempt) error {
	if c.writes = c.rows.Writes(); !c.writes {
		return c.fetch()
	}
	all := &ahead{}
	for {
		if err := c.fetch(); err != nil {
			return err
		}
		if c.over {
			c.ahead, c.over = all, false
			return c.fetch()
		}
		c.kept += len(c.row) + rowCost
		if !a.keep(len(c.row) + rowCost) {
			return a.inv.Starved()
		}
		all.rows = append(all.rows, c.row)
		c.row, c.read = nil, false
	}
}

// keep counts n bytes of rows that are kept. What a query that was closed had, the next has.
func (a *attempt) keep(n int) bool {
	a.kept += n
	more := a.kept - a.most
	if more <= 0 {
		return true
	}
	a.most = a.kept
	return a.inv.Hold(more)
}
