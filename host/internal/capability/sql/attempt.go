package sql

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// connMemory is what counts for a connection at least while an attempt uses it, in bytes.
const connMemory = 2 << 20

// attempt is what an attempt keeps under Name.
type attempt struct {
	inv     *invoke.Invocation
	of      *databases
	open    []*session
	cursors []*cursor
	last    uint32 // handle given out
	kept    int    // bytes of rows that are kept for open queries
	most    int    // that there have been of them, which count
	failed  bool   // code and message are those of an error
	code    uint32
	message string
}

// session is the use of one database by an attempt.
type session struct {
	of   database
	conn *sqlite.Conn // nil = it was given back, because a handler that was called needs the database
	held int          // bytes that count for it
}

// cursor is a query that is open.
type cursor struct {
	handle  uint32
	in      *session
	rows    *sqlite.Rows
	width   int    // columns, once a row was fetched
	row     []byte // the next row as it is encoded, of which there is none at its end
	read    bool   // row was fetched
	over    bool   // there are no more rows
	writes  bool   // its statement may change something
	kept    int    // bytes of ahead
	ahead   *ahead // nil = rows are computed as they are fetched
	failure error  // comes after the rows that were read
}

// of returns what the attempt keeps, made at its first use; nil without a database in the
// manifest.
func of(inv *invoke.Invocation) *attempt {
	if kept, ok := inv.State(Name).(*attempt); ok {
		return kept
	}
	d, _ := inv.Env.States.Of(Name).(*databases)
	if d == nil || d.declared == nil || inv.Tx == nil {
		return nil
	}
	a := &attempt{inv: inv, of: d}
	inv.Keep(Name, a)
	return a
}

// Ran implements invoke.Runner: what was not ended is undone, and the connections are
// others' while the effects are on their way.
func (a *attempt) Ran() { a.Close() }

// Close implements invoke.State.
func (a *attempt) Close() {
	a.cursors = nil
	for _, s := range a.open {
		a.leave(s)
	}
	a.open = nil
}

// leave ends the use of a connection.
func (a *attempt) leave(s *session) {
	if s.conn == nil {
		return
	}
	if s.conn.End() {
		a.of.pool.give(s.of, s.conn)
	} else {
		s.conn.Close()
	}
	s.conn = nil
}

// drop goes on without a connection in which SQLite has failed, and without its queries.
func (a *attempt) drop(s *session) {
	a.forget(func(c *cursor) bool { return c.in == s })
	a.leave(s)
}

// session returns that of a database, with a connection.
func (a *attempt) session(ctx context.Context, name string) (*session, error) {
	i := slices.IndexFunc(a.open, func(s *session) bool { return s.of.name == name })
	if i >= 0 && a.open[i].conn.Lost() {
		a.drop(a.open[i])
	}
	if i >= 0 && a.open[i].conn != nil {
		return a.open[i], nil
	}
	if !a.of.declared.Has(name) {
		return nil, fault.New(fault.NotFound, "sql", fmt.Sprintf("the manifest has no [sql.%.63s]", name))
	}
	if err := a.interrupt(name); err != nil {
		return nil, err
	}
	part := a.inv.Tx.Part(a.inv.Env.Space.In(store.AreaSQL), store.Quota{})
	entry, err := sqlite.Find(part, name)
	if err != nil {
		return nil, err
	}
	if !a.inv.Hold(connMemory) {
		return nil, a.inv.Starved()
	}
	of := database{a.inv.Env.Space, name, entry.Generation}
	conn, err := a.of.pool.take(of)
	if err != nil {
		return nil, err
	}
	begin := conn.Begin
	if a.light() {
		begin = conn.BeginLight
	}
	begin(pace{ctx, runq.Of(ctx)}, part, world{a.inv}, entry.Held)
	if i >= 0 {
		a.open[i].of, a.open[i].conn, a.open[i].held = of, conn, connMemory
		return a.open[i], nil
	}
	s := &session{of, conn, connMemory}
	a.open = append(a.open, s)
	return s, nil
}

// hold runs do, a call of SQLite, and counts the memory of what it writes, and that by which
// the connection has grown.
func (a *attempt) hold(s *session, do func() error) error {
	err := a.inv.HoldWrites(do)
	if s.conn == nil {
		return err
	}
	more := s.conn.Memory() - s.held
	if more <= 0 {
		return err
	}
	s.held += more
	if !a.inv.Hold(more) {
		return a.inv.Starved()
	}
	return err
}

// light reports whether the attempt probably writes nothing, and nobody keeps what it
// reads.
func (a *attempt) light() bool {
	r := a.inv.Root().Request
	return r.Seen == nil && (r.Head.Method == "GET" || r.Head.Method == "HEAD")
}

// interrupt has the handlers that have called this one leave a database: one connection
// at a time sees what the others have written in the transaction.
func (a *attempt) interrupt(name string) error {
	for caller := a.inv.Caller(); caller != nil; caller = caller.Caller() {
		other, _ := caller.State(Name).(*attempt)
		if other == nil || caller.Env.Space != a.inv.Env.Space {
			continue
		}
		for _, s := range other.open {
			if s.of.name != name || s.conn == nil {
				continue
			}
			if !s.conn.Idle() {
				return errBusy
			}
			other.leave(s)
		}
	}
	return nil
}

// find returns an open query.
func (a *attempt) find(handle uint32) *cursor {
	i := slices.IndexFunc(a.cursors, func(c *cursor) bool { return c.handle == handle })
	if i < 0 {
		return nil
	}
	return a.cursors[i]
}

// fetch encodes the next row, unless it is there.
func (c *cursor) fetch() error {
	if c.read || c.over {
		return nil
	}
	if c.ahead != nil {
		c.row, c.read = c.ahead.next()
		c.over = !c.read
		return nil
	}
	more, err := c.rows.Next()
	if err != nil {
		return err
	}
	if c.width == 0 {
		if c.width, err = c.rows.Width(); err != nil { // after the step: it may have compiled anew
			return err
		}
	}
	if !more {
		c.over = true
		return nil
	}
	c.row = c.row[:0]
	for i := range c.width {
		v, err := c.rows.Value(i)
		if err != nil {
			return err
		}
		if c.row = appendValue(c.row, v); len(c.row) > sqlite.MaxValue && !c.writes { // SQLite refuses those, and undoes its statement
			return errRow
		}
	}
	c.read = true
	return nil
}

var errRow = fault.New(fault.TooLarge, "sql", fmt.Sprintf("a row of the query has more than %d bytes; ask for fewer columns, or for parts of them", sqlite.MaxValue))

func appendValue(b []byte, v sqlite.Value) []byte {
	switch v.Kind {
	case sqlite.Int:
		return abi.AppendSQLInteger(b, v.Int)
	case sqlite.Float:
		return abi.AppendSQLFloat(b, math.Float64bits(v.Float))
	case sqlite.Text:
		return abi.AppendSQLText(b, v.Bytes)
	case sqlite.Blob:
		return abi.AppendSQLBlob(b, v.Bytes)
	}
	return abi.AppendSQLNull(b)
}

// world is the time and chance of an attempt as its statements see them.
type world struct{ inv *invoke.Invocation }

// Now implements sqlite.World.
func (w world) Now() time.Time {
	w.inv.Look(invoke.LookedAtClock)
	return w.inv.World().Now()
}

// Random implements sqlite.World.
func (w world) Random(buf []byte) {
	w.inv.Look(invoke.LookedAtChance)
	w.inv.World().Random(buf)
}

// pace is the context of statements. SQLite asks it every thousand steps whether it has
// ended: there a statement whose slice is over leaves its place to others.
type pace struct {
	context.Context
	turn *runq.Turn
}

// Err implements context.Context.
func (p pace) Err() error {
	if err := p.Context.Err(); err != nil {
		return err
	}
	return p.turn.Check(p.Context)
}
