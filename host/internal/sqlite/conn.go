// Package sqlite runs SQLite on a transaction of the store: the pages of a database are
// keys, read at the transaction's snapshot and written by its commit. So SQL is certified,
// rolled back, backed up and shipped like all else that a request does.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Bounds of a connection.
const (
	// MaxMemory is what SQLite has for one: pages that it keeps, statements, and the
	// rows that it sorts.
	MaxMemory = limits.SQLMemory
	MaxSQL    = limits.SQLStatement // bytes of a statement
	MaxValue  = store.MaxValue      // bytes of a text, a blob or a row
	keptSQL   = 4 << 10             // bytes of a statement that is kept
	keptStmts = 64
)

// Conn is a connection to a database, which one attempt after the other may use. It is
// not safe for concurrent use.
type Conn struct {
	db      *sqlite3.Conn
	mem     memory
	file    *file
	kept    map[string]*statement
	used    []*statement // there are Rows of them
	pin     pin
	ctx     context.Context // of the attempt
	world   World
	moment  time.Time     // that the step which runs sees; zero = it has not asked
	clock   *sqlite3.Conn // see perceive; nil until a date is asked for
	dates   map[string]*sqlite3.Stmt
	base    int64 // rows that attempts before have changed
	rules   Rules
	refusal string // why the last statement that is not allowed is not

	compiling string // the statement that is compiled for the first time
	checks    bool   // the last one looks for damage

	fixed bool   // its settings are made: attempts cannot change them
	fresh bool   // SQLite knows the schema that the attempt sees
	known uint32 // the number of the schema that SQLite knew last
	open  int    // Rows that are not closed
	spent bool   // it may know of a schema that was never committed, or is damaged
	lost  bool   // SQLite has failed in it
}

// Open returns a connection to a generation of the database of a name. Close it.
func Open(name string, generation uint32) (*Conn, error) {
	f := &file{}
	f.prefix, f.after = Pages(name, generation)
	ctx := sqlite3.WithMaxMemory(context.Background(), MaxMemory)
	db, err := sqlite3.OpenContext(ctx, "file:"+opening.name(f)+"?vfs="+vfsName)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open database", "SQLite cannot open a connection", err)
	}
	c := &Conn{db: db, mem: memoryOf(db), file: f, kept: map[string]*statement{}}
	if err := c.fix(); err != nil {
		c.Close()
		return nil, fault.Wrap(fault.Internal, "open database", "SQLite does not take its settings", err)
	}
	return c, nil
}

// fix makes the settings of c and keeps them as they are.
func (c *Conn) fix() error {
	err := c.db.SetAuthorizer(c.allow)
	// A journal in memory is what ROLLBACK takes pages from. Pages that are not
	// committed stay in memory, so that they never get into the transaction.
	for _, pragma := range []string{"page_size=4096", "journal_mode=memory", "synchronous=off", "temp_store=memory", "cache_spill=off", "foreign_keys=on"} {
		err = errors.Join(err, c.db.Exec("PRAGMA "+pragma))
	}
	for op, on := range map[sqlite3.DBConfig]bool{sqlite3.DBCONFIG_DEFENSIVE: true, sqlite3.DBCONFIG_TRUSTED_SCHEMA: false} {
		_, failed := c.db.Config(op, on)
		err = errors.Join(err, failed)
	}
	bound(c.db)
	err = errors.Join(err,
		Extend(c.db),
		c.perceive(),
		c.hasten(),
		c.db.CreateFunction("changes", 0, sqlite3.INNOCUOUS, func(ctx sqlite3.Context, _ ...sqlite3.Value) {
			n := int64(0)
			if c.db.TotalChanges() != c.base { // else the number is of an attempt before
				n = c.db.Changes()
			}
			ctx.ResultInt64(n)
		}),
		c.db.CreateFunction("total_changes", 0, sqlite3.INNOCUOUS, func(ctx sqlite3.Context, _ ...sqlite3.Value) {
			ctx.ResultInt64(c.db.TotalChanges() - c.base)
		}))
	c.fixed = true
	return err
}

// Begin lets an attempt use c until End. tx is the part of its transaction for the area
// of databases. The end of ctx interrupts what runs. A database that is held takes no
// writes: they are Unavailable.
func (c *Conn) Begin(ctx context.Context, tx *store.Tx, world World, held bool) {
	c.begin(ctx, tx, world, held, false)
}

// BeginLight is Begin for an attempt that probably writes nothing: pages are not read
// again if nothing has changed. For that, what it has read may be all pages of the database.
func (c *Conn) BeginLight(ctx context.Context, tx *store.Tx, world World, held bool) {
	c.begin(ctx, tx, world, held, true)
}

func (c *Conn) begin(ctx context.Context, tx *store.Tx, world World, held, light bool) {
	c.file.begin(tx, held, light)
	if !c.file.again {
		c.pin.free()
	}
	c.ctx, c.world, c.moment = ctx, world, time.Time{}
	c.rules, c.refusal = Rules{}, ""
	c.base, c.open, c.fresh = c.db.TotalChanges(), 0, false
	c.db.SetLastInsertRowID(0)
	c.db.SetInterrupt(ctx)
}

// End ends the use by an attempt, and rolls back what SQLite has not committed: a
// transaction, and a statement whose Rows were not closed. So it may be called when the
// effects of the attempt are on their way. It reports whether another attempt may use c,
// whatever becomes of this one; else close it.
func (c *Conn) End() (again bool) {
	defer func() {
		c.file.end()
		c.ctx, c.world = nil, nil
	}()
	err := c.guard(func() error {
		c.db.SetInterrupt(context.Background())
		c.file.over = true
		for _, s := range slices.Clone(c.used) {
			_ = c.release(s) // it may be one that cannot commit
		}
		if !c.db.GetAutocommit() {
			c.pin.free()
			return c.db.Exec("ROLLBACK")
		}
		if c.file.again && c.file.since != 0 {
			return c.pin.hold(c.db)
		}
		return nil
	})
	return err == nil && !c.spent && !c.file.foreign
}

// Idle reports whether nothing of the attempt is under way: no transaction of SQLite's,
// and no Rows.
func (c *Conn) Idle() bool { return c.open == 0 && !c.lost && c.db.GetAutocommit() }

// Lost reports whether SQLite has failed in c, as without memory: of what the attempt does,
// only what SQLite had committed is there. A nil Conn is not lost.
func (c *Conn) Lost() bool { return c != nil && c.lost }

// Close releases c.
func (c *Conn) Close() {
	_ = c.guard(func() error { // without its statements a database is left open
		for _, s := range slices.Collect(c.db.Stmts()) {
			_ = s.Close()
		}
		for _, s := range c.dates {
			_ = s.Close()
		}
		return errors.Join(c.db.Close(), c.clock.Close())
	})
}

// guard runs f, which calls SQLite. SQLite without memory panics: the connection is of no
// use any more, and lies in memory of its own.
func (c *Conn) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			c.spent, c.lost = true, true
			err = fault.New(fault.TooLarge, "sql", fmt.Sprintf("SQLite has no more than %d MiB for a request's work on a database, or failed: %v", MaxMemory>>20, r))
		}
	}()
	return f()
}

// refresh has SQLite read the schema again if attempts before have left it with another.
// SQLite itself finds that out when a statement runs, too late for what it refuses or
// answers when it compiles: columns that a table does not have yet, an index that is gone.
func (c *Conn) refresh() error {
	if c.fresh {
		return nil
	}
	first, err := c.file.readFirst()
	if err != nil {
		return err
	}
	if number := schemaOf(first); number != c.known {
		if err := c.db.Exec("SELECT 1 FROM sqlite_schema LIMIT 0"); err != nil {
			return err
		}
		c.known = number
	}
	c.fresh = true
	return nil
}

// statement is one that was prepared. Those of a connection that are kept run again.
type statement struct {
	*sqlite3.Stmt
	params int
	used   bool // there are Rows of it
	kept   bool
	checks bool // it looks for damage
}

// prepare returns a statement that nobody uses. Release it.
func (c *Conn) prepare(sql string) (*statement, error) {
	s := c.kept[sql]
	if s == nil || s.used {
		var err error
		if s, err = c.compile(sql, s == nil); err != nil {
			return nil, err
		}
	}
	if !s.ReadOnly() {
		c.pin.free()
	}
	s.used = true
	c.used = append(c.used, s)
	return s, nil
}

// compile returns a new statement, which is kept if there is room.
func (c *Conn) compile(sql string, keep bool) (*statement, error) {
	c.compiling, c.checks = sql, false
	stmt, tail, err := c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	c.compiling = ""
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		return nil, fault.New(fault.Invalid, "sql", "there is no statement")
	case strings.Trim(tail, " \t\r\n;") != "":
		_ = stmt.Close()
		return nil, fault.New(fault.Invalid, "sql", "there is more than one statement")
	}
	s := &statement{Stmt: stmt, params: stmt.BindCount(), checks: c.checks}
	if keep && len(sql) <= keptSQL && (len(c.kept) < keptStmts || c.drop()) {
		s.kept = true
		c.kept[sql] = s
	}
	return s, nil
}

// drop closes a statement that is kept and that nobody uses, if there is one.
func (c *Conn) drop() (done bool) {
	for of, s := range c.kept {
		if !s.used {
			_ = s.Close()
			delete(c.kept, of)
			return true
		}
	}
	return false
}

// release ends the use of a statement. One that has changed something, and is not at its
// end, commits it.
func (c *Conn) release(s *statement) error {
	s.used = false
	c.used = slices.DeleteFunc(c.used, func(other *statement) bool { return other == s })
	if !s.kept {
		return s.Close()
	}
	err := s.Reset()
	if s.params > 0 {
		err = errors.Join(err, s.ClearBindings())
	}
	return err
}
