package sql

import (
	"context"
	"math"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
)

func functions() []capability.Func {
	return capability.OfPlugin(append(
		capability.Native(map[string]capability.Handler{
			abi.FnSQLError: lastError,
		}),
		capability.Waiting(map[string]capability.Waiter{
			abi.FnSQLExec:    exec,
			abi.FnSQLQuery:   query,
			abi.FnSQLColumns: columns,
			abi.FnSQLRows:    rows,
			abi.FnSQLClose:   closeQuery,
		})...))
}

// statement is what sql_exec and sql_query are given.
type statement struct {
	database, text string
	args           []sqlite.Value
}

// decode reads a statement from guest memory. A status that is not OK says that there is
// none to run.
func decode(inv *invoke.Invocation, mem capability.Memory, args []uint64) (a *attempt, s statement, status abi.Status) {
	database, okDatabase := mem.Range(args[0], args[1])
	text, okText := mem.Range(args[2], args[3])
	layout, okLayout := mem.Range(args[4], args[5])
	if !okDatabase || !okText || !okLayout {
		return nil, s, abi.BadPointer
	}
	if a = of(inv); a == nil {
		inv.Notice(invoke.NoSQL, "sql is refused: the manifest has no database; add a table like [sql.main] to wasmoor.toml")
		return nil, s, abi.Denied
	}
	s, status = a.statement(database, text, layout)
	return a, s, status
}

func (a *attempt) statement(database, text, layout []byte) (s statement, status abi.Status) {
	switch {
	case len(text) > sqlite.MaxSQL:
		return s, a.wrong(abi.Limit, "the statement has more than 1 MiB")
	case len(layout) > limits.SQLArgs:
		return s, a.wrong(abi.Limit, "the parameters have more than 4 MiB")
	case len(database) > sqlite.MaxName:
		return s, a.wrong(abi.NotFound, "the name of the database has more than 63 bytes")
	}
	given, ok := abi.DecodeSQLArgs(string(layout))
	if !ok {
		return s, a.wrong(abi.Invalid, "the list of parameters breaks its layout")
	}
	s.database, s.text = string(database), string(text)
	s.args = make([]sqlite.Value, len(given))
	for i := range given {
		s.args[i] = value(&given[i])
	}
	return s, abi.OK
}

func value(a *abi.SQLArg) sqlite.Value {
	v := sqlite.Value{Name: a.Name}
	switch a.Type {
	case abi.SQLInteger:
		v.Kind, v.Int = sqlite.Int, int64(a.Bits)
	case abi.SQLFloat:
		v.Kind, v.Float = sqlite.Float, math.Float64frombits(a.Bits)
	case abi.SQLText:
		v.Kind, v.Bytes = sqlite.Text, []byte(a.Text)
	case abi.SQLBlob:
		v.Kind, v.Bytes = sqlite.Blob, []byte(a.Text)
	}
	return v
}

func exec(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	out, ok := mem.Range(args[6], args[7])
	if !ok {
		return int64(abi.BadPointer), nil
	}
	a, s, status := decode(inv, mem, args)
	switch {
	case status != abi.OK:
		return int64(status), nil
	case len(out) < abi.SQLResultSize:
		return int64(a.wrong(abi.Invalid, "the buffer for the result has less than 16 bytes")), nil
	}
	done, err := a.run(ctx, s)
	if err != nil {
		return a.refused(ctx, err)
	}
	abi.AppendUint64(abi.AppendUint64(out[:0], uint64(done.Changed)), uint64(done.Last))
	return abi.SQLResultSize, nil
}

// run runs a statement to its end.
func (a *attempt) run(ctx context.Context, s statement) (done sqlite.Result, err error) {
	in, err := a.session(ctx, s.database)
	if err != nil {
		return done, err
	}
	err = a.hold(in, func() error {
		done, err = in.conn.Exec(s.text, s.args)
		return err
	})
	return done, err
}

func query(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	a, s, status := decode(inv, mem, args)
	switch {
	case status != abi.OK:
		return int64(status), nil
	case len(a.cursors) >= limits.SQLQueries:
		return int64(a.wrong(abi.Limit, "64 queries are open: close some")), nil
	}
	c, err := a.begin(ctx, s)
	if err != nil {
		return a.refused(ctx, err)
	}
	return int64(c.handle), nil
}

// begin opens a query. Its statement has run up to its first row.
func (a *attempt) begin(ctx context.Context, s statement) (*cursor, error) {
	in, err := a.session(ctx, s.database)
	if err != nil {
		return nil, err
	}
	c := &cursor{handle: a.last + 1, in: in}
	err = a.hold(in, func() error {
		if c.rows, err = in.conn.Query(s.text, s.args); err != nil {
			return err
		}
		if err = c.start(a); err != nil {
			a.kept -= c.kept
			_ = c.rows.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.last++
	a.cursors = append(a.cursors, c)
	return c, nil
}

func columns(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	buf, ok := mem.Range(args[1], args[2])
	if !ok {
		return int64(abi.BadPointer), nil
	}
	a, c := open(inv, args[0])
	if c == nil {
		return int64(a.unknown()), nil
	}
	found, err := c.rows.Columns()
	if err != nil {
		return a.refused(ctx, err)
	}
	list := make([]abi.SQLColumn, len(found))
	for i, col := range found {
		list[i] = abi.SQLColumn{Name: col.Name, Type: col.Type}
	}
	return capability.Fill(buf, abi.AppendSQLColumns(nil, list)), nil
}

// open returns the attempt and one of its queries, nil for those that there are not.
func open(inv *invoke.Invocation, handle uint64) (*attempt, *cursor) {
	a, _ := inv.State(Name).(*attempt)
	if a == nil {
		return nil, nil
	}
	return a, a.find(uint32(handle))
}

func rows(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	limit := uint32(args[1])
	buf, ok := mem.Range(args[2], args[3])
	if !ok {
		return int64(abi.BadPointer), nil
	}
	a, c := open(inv, args[0])
	if c == nil {
		return int64(a.unknown()), nil
	}
	var n int64
	err := a.hold(c.in, func() (err error) {
		n, err = c.page(buf, limit)
		return err
	})
	if err != nil {
		_ = a.end(c)
		return a.refused(ctx, err)
	}
	return n, nil
}

// page writes the next rows into buf, as many as fit and limit allows, and returns the
// size of them, or what the first needs if it does not fit: then nothing is written. What
// fails after a row comes with the next page.
func (c *cursor) page(buf []byte, limit uint32) (int64, error) {
	if c.failure != nil {
		return 0, c.failure
	}
	at, count := abi.SQLPageHeaderSize, uint32(0)
	for limit == 0 || count < limit {
		if err := c.fetch(); err != nil && count == 0 {
			return 0, err
		} else if err != nil {
			c.failure = err
		}
		if c.over || c.failure != nil {
			break
		}
		if at+len(c.row) > len(buf) {
			if count == 0 {
				return int64(at + len(c.row)), nil
			}
			break
		}
		at += copy(buf[at:], c.row)
		c.read = false
		count++
	}
	if c.failure == nil {
		c.failure = c.fetch() // whether there are more
	}
	if at <= len(buf) {
		abi.AppendSQLPageHeader(buf[:0], count, !c.over, uint32(c.width))
	}
	return int64(at), nil
}

func closeQuery(ctx context.Context, inv *invoke.Invocation, _ capability.Memory, args []uint64) (int64, error) {
	a, c := open(inv, args[0])
	if c == nil {
		return int64(a.unknown()), nil
	}
	if err := a.hold(c.in, func() error { return a.end(c) }); err != nil {
		return a.refused(ctx, err)
	}
	return int64(abi.OK), nil
}

// end closes a query.
func (a *attempt) end(c *cursor) error {
	a.forget(func(other *cursor) bool { return other == c })
	return c.rows.Close()
}

// forget drops queries, and what was kept for them.
func (a *attempt) forget(which func(*cursor) bool) {
	a.cursors = slices.DeleteFunc(a.cursors, func(c *cursor) bool {
		if !which(c) {
			return false
		}
		a.kept -= c.kept
		return true
	})
}

func lastError(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	buf, ok := mem.Range(args[0], args[1])
	if !ok {
		return int64(abi.BadPointer)
	}
	a, _ := inv.State(Name).(*attempt)
	if a == nil || !a.failed {
		return int64(abi.NotFound)
	}
	return capability.Fill(buf, abi.AppendSQLError(nil, a.code, a.message))
}

// wrong keeps why a call fails that SQLite has not seen.
func (a *attempt) wrong(s abi.Status, message string) abi.Status {
	a.failed, a.code, a.message = true, 0, message
	return s
}

// unknown is the answer to a handle that is not there.
func (a *attempt) unknown() abi.Status {
	if a == nil {
		return abi.NotFound
	}
	return a.wrong(abi.NotFound, "there is no such query: it was closed, or failed")
}

// refused is what the guest is told for an error. One of the context ends the handler.
func (a *attempt) refused(ctx context.Context, err error) (int64, error) {
	message := fault.MessageOf(err)
	switch fault.CodeOf(err) {
	case fault.Invalid:
		status := a.wrong(abi.Invalid, message)
		a.code = sqlite.CodeOf(err)
		return int64(status), nil
	case fault.NotFound:
		a.inv.Notice(invoke.NoSQL, "sql is refused: "+message)
		return int64(a.wrong(abi.NotFound, message)), nil
	case fault.TooLarge:
		a.inv.Notice(invoke.SQLLimit, "a call of sql is refused: "+message)
		return int64(a.wrong(abi.Limit, message)), nil
	case fault.Unavailable:
		return int64(a.wrong(abi.Unavailable, message)), nil
	case fault.Conflict: // dispatch runs the handler again
		return int64(abi.Internal), nil
	case fault.Deadline:
		if ended := ctx.Err(); ended != nil {
			return 0, ended
		}
		return 0, err
	}
	a.inv.Fail(err)
	return int64(a.wrong(abi.Internal, "the host failed; its log says why")), nil
}
