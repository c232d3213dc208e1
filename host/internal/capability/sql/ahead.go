package sql

import "github.com/wasmoor/wasmoor/host/internal/invoke"

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
func (c *cursor) start(inv *invoke.Invocation) error {
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
		if !inv.Hold(len(c.row) + rowCost) {
			return inv.Starved()
		}
		all.rows = append(all.rows, c.row)
		c.row, c.read = nil, false
	}
}
