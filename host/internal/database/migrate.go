package database

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// table has a row for each migration that a database has had. It goes with the database
// where that goes.
const table = sqlite.Ledger

const createTable = "CREATE TABLE IF NOT EXISTS " + columns

const columns = table + " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, compatible INTEGER NOT NULL, applied TEXT NOT NULL)"

// Applied is a migration that a database has had.
type Applied struct {
	Number     int
	Name       string
	Compatible bool
	At         string // in RFC 3339
	digest     string
}

// Plan is what a version would do to a database.
type Plan struct {
	Database string
	Applied  []Applied   // in order
	Pending  []Migration // in order
	// Unknown are those of Applied that the version does not have: it is older.
	Unknown []Applied
}

// Safe returns a Conflict error if the version is older than a migration that versions
// before it cannot work with.
func (p Plan) Safe() error {
	for _, a := range p.Unknown {
		if !a.Compatible {
			return fault.New(fault.Conflict, "migrations", fmt.Sprintf(
				"database %q has had migration %s, which this version does not know and which does not say that versions before it are compatible; going back does not undo it: "+
					"write a version that works with it, or run this with --force", p.Database, a.Name))
		}
	}
	return nil
}

// CompatibleWithBefore returns a Conflict error if the version that serves cannot work with
// the database after the migrations.
func (p Plan) CompatibleWithBefore() error {
	for _, m := range p.Pending {
		if !m.Compatible && len(p.Applied) > 0 {
			return fault.New(fault.Conflict, "migrations", fmt.Sprintf(
				"migration %s of database %q does not say that the version before it can work with the database after it, and both would serve for a while: "+
					"begin the file with the line %q if it can, or activate the version at once", m.Name, p.Database, compatible))
		}
	}
	return nil
}

// Plan compares the migrations of a version with those that a database has had. Conflict:
// one was changed, or comes before one that was applied.
func (s *Service) Plan(ctx context.Context, p Place, list []Migration) (plan Plan, err error) {
	err = s.attempt(ctx, p, false, func(c *sqlite.Conn) error {
		plan, err = planOf(p, c, list)
		return err
	})
	return plan, err
}

func planOf(p Place, c *sqlite.Conn, list []Migration) (plan Plan, err error) {
	plan.Database = p.Name
	if plan.Applied, err = applied(c); err != nil {
		return plan, err
	}
	last := 0
	for _, a := range plan.Applied {
		last = a.Number
		i := slices.IndexFunc(list, func(m Migration) bool { return m.Number == a.Number })
		switch {
		case i < 0:
			plan.Unknown = append(plan.Unknown, a)
		case list[i].digest() != a.digest && list[i].Name != a.Name:
			return plan, fault.New(fault.Conflict, "migrations", fmt.Sprintf(
				"migration %s of database %q is not what was applied as number %d, which is %s: put that back, and give yours a number that is free", list[i].Name, p.Name, a.Number, a.Name))
		case list[i].digest() != a.digest:
			return plan, fault.New(fault.Conflict, "migrations", fmt.Sprintf(
				"migration %s of database %q was changed after it was applied at %s: put back what it was, and write the change as a new migration", list[i].Name, p.Name, a.At))
		}
	}
	for _, m := range list {
		if slices.ContainsFunc(plan.Applied, func(a Applied) bool { return a.Number == m.Number }) {
			continue
		}
		if m.Number < last {
			return plan, fault.New(fault.Conflict, "migrations", fmt.Sprintf(
				"migration %s of database %q comes before number %d, which was applied: give it a higher number", m.Name, p.Name, last))
		}
		plan.Pending = append(plan.Pending, m)
	}
	return plan, nil
}

// ledger reports whether there is a table of migrations, and whether it is the host's.
func ledger(c *sqlite.Conn) (found, ours bool, err error) {
	there, err := c.Query("SELECT coalesce(substr(sql, 1, 1000), '') FROM sqlite_schema WHERE name = '"+table+"'", nil)
	if err != nil {
		return false, false, err
	}
	defer func() { _ = there.Close() }() // it reads
	if found, err = there.Next(); err != nil || !found {
		return false, false, err
	}
	// A table of the plugin's own could be anything, and have any number of rows.
	text, err := there.Value(0)
	return true, string(text.Bytes) == "CREATE TABLE "+columns, err
}

// applied reads the table, if there is one.
func applied(c *sqlite.Conn) (list []Applied, err error) {
	found, ours, err := ledger(c)
	switch {
	case err != nil || !found:
		return nil, err
	case !ours:
		return nil, fault.New(fault.Conflict, "migrations", "the database has a table "+table+" that is not the host's: rename it, or drop it, with `wasmoor sql --write`")
	}
	rows, err := c.Query(fmt.Sprintf("SELECT number, substr(name, 1, 200), compatible, substr(applied, 1, 40), substr(sha256, 1, 64) FROM %s ORDER BY number LIMIT %d", table, maxMigrations), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // it reads
	for {
		if more, err := rows.Next(); err != nil || !more {
			return list, err
		}
		var column [5]sqlite.Value
		for i := range column {
			v, err := rows.Value(i)
			if err != nil {
				return nil, err
			}
			v.Bytes = append([]byte(nil), v.Bytes...)
			column[i] = v
		}
		list = append(list, Applied{
			Number: int(column[0].Int), Name: string(column[1].Bytes), Compatible: column[2].Int != 0, At: string(column[3].Bytes), digest: string(column[4].Bytes),
		})
	}
}

// Migrate applies the pending migrations of a version to a database, all or none, after
// a copy of it was made. It returns what it has applied. Errors by fault code: Invalid (what
// SQLite says of a statement), Conflict (those of Plan), Exhausted (the disk, or the plugin's
// quota), Deadline, and those of the store: nothing is changed.
func (s *Service) Migrate(ctx context.Context, p Place, list []Migration) (plan Plan, err error) {
	done, err := s.alone(ctx, p, migrating)
	if err != nil {
		return plan, err
	}
	defer done()
	if plan, err = s.Plan(ctx, p, list); err != nil || len(plan.Pending) == 0 {
		return plan, err
	}
	file := ""
	if len(plan.Applied) > 0 {
		if file, err = s.backUp(ctx, p, plan.Applied[len(plan.Applied)-1].Number); err != nil {
			return plan, err
		}
		defer func() { s.settle(context.WithoutCancel(ctx), p, file, plan, err) }()
	}
	err = s.change(ctx, p, func(c *sqlite.Conn) error {
		now, err := planOf(p, c, list)
		if err != nil {
			return err
		}
		return within(c.Script, c.Rule, func() error { return s.apply(now.Pending, c.Script, c.Rule) })
	})
	// A database whose plugin writes all the time is migrated while it is held.
	if _, lost := errors.AsType[*store.Conflict](err); lost || fault.CodeOf(err) == fault.TooLarge {
		err = s.migrateFile(ctx, p, plan.Pending)
	}
	return plan, err
}

// apply runs migrations, and notes each.
func (s *Service) apply(list []Migration, run func(sql string) error, rule func(sqlite.Rules)) error {
	if err := run(createTable); err != nil {
		return err
	}
	now := s.cfg.Clock().UTC().Format(time.RFC3339)
	for _, m := range list {
		if err := m.run(run, rule); err != nil {
			return fault.Wrap(fault.CodeOf(err), "migrations", fmt.Sprintf("migration %s: %s", m.Name, fault.MessageOf(err)), err)
		}
		isCompatible := 0
		if m.Compatible {
			isCompatible = 1
		}
		note := fmt.Sprintf("INSERT INTO %s VALUES (%d, '%s', '%s', %d, '%s')", table, m.Number, m.Name, m.digest(), isCompatible, now)
		if err := run(note); err != nil {
			return err
		}
	}
	return nil
}

// run runs a migration by the rules of one. Its savepoints end with it, so that no other
// undoes it.
func (m Migration) run(run func(sql string) error, rule func(sqlite.Rules)) error {
	mark := "m_" + rand.Text() // the file cannot name it
	if err := run("SAVEPOINT " + mark); err != nil {
		return err
	}
	rule(sqlite.Rules{Within: true})
	err := run(m.SQL)
	rule(sqlite.Rules{Ledger: true})
	if err != nil {
		return err
	}
	return run("RELEASE " + mark)
}

// migrateFile applies migrations that a commit does not take: to a file, which is staged.
func (s *Service) migrateFile(ctx context.Context, p Place, list []Migration) error {
	return s.hold(ctx, p, func(e sqlite.Entry) error {
		dir, err := s.temp()
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		file := filepath.Join(dir, "database")
		if err := s.toFile(ctx, p, file); err != nil {
			return err
		}
		if err := s.applyToFile(ctx, file, list); err != nil {
			return err
		}
		return s.stage(ctx, p, e, file)
	})
}

// applyToFile applies migrations to a file of SQLite, within one transaction.
func (s *Service) applyToFile(ctx context.Context, file string, list []Migration) (err error) {
	db, err := sqlite.OpenFile(ctx, file, false)
	if err != nil {
		return noFile(err)
	}
	defer func() {
		if failed := db.Close(); err == nil && failed != nil {
			err = noFile(failed)
		}
	}()
	run := func(sql string) error {
		err := db.Exec(sql)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR):
			return noFile(err)
		case errors.Is(err, sqlite3.INTERRUPT):
			return fault.Wrap(fault.Deadline, "sql", "the migration was ended; nothing is changed", err)
		}
		return fault.New(fault.Invalid, "sql", strings.TrimPrefix(err.Error(), "sqlite3: "))
	}
	for _, do := range []string{
		"PRAGMA page_size=4096", "PRAGMA journal_mode=truncate", "PRAGMA synchronous=off", "PRAGMA locking_mode=exclusive", "PRAGMA foreign_keys=on",
	} {
		if err := run(do); err != nil {
			return err
		}
	}
	var rules sqlite.Rules
	if err := sqlite.Confine(db, &rules); err != nil {
		return fault.Wrap(fault.Internal, "sql", "SQLite does not take its settings", err)
	}
	rule := func(r sqlite.Rules) { rules = r }
	return within(run, rule, func() error { return s.apply(list, run, rule) })
}

// within runs f within a transaction of SQLite's, by the rules of the host.
func within(run func(sql string) error, rule func(sqlite.Rules), f func() error) error {
	rule(sqlite.Rules{Ledger: true})
	if err := run("BEGIN"); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return run("COMMIT")
}

// keptCopies is how many copies of a database are kept that were made before migrations.
const keptCopies = 3

// backUp copies a database to a file before it is migrated.
func (s *Service) backUp(ctx context.Context, p Place, number int) (file string, err error) {
	dir := s.before(p)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", noFile(err)
	}
	file = filepath.Join(dir, fmt.Sprintf("%s-%04d.sqlite", s.cfg.Clock().UTC().Format("20060102T150405"), number))
	part := file + ".part"
	_ = os.Remove(part)
	if err := s.toFile(ctx, p, part); err != nil {
		return "", err
	}
	if err := os.Rename(part, file); err != nil {
		return "", noFile(err)
	}
	return file, nil
}

// before is where the copies of a database are that were made before migrations.
func (s *Service) before(p Place) string { return filepath.Join(s.cfg.Dir, "before", p.Plugin, p.Name) }

// settle keeps the copy that was made before migrations, in place of the oldest, unless they
// have changed nothing.
func (s *Service) settle(ctx context.Context, p Place, file string, before Plan, failed error) {
	if failed != nil { // it may be of what comes after
		if now, err := s.Plan(ctx, p, nil); err == nil && len(now.Applied) == len(before.Applied) {
			_ = os.Remove(file)
			return
		}
	}
	s.cfg.Log.Info("a database was copied before its migration", "plugin", p.Plugin, "database", p.Name, "file", file)
	same, _ := filepath.Glob(filepath.Join(s.before(p), "*"+file[strings.LastIndex(file, "-"):]))
	for _, other := range same { // of a server that was killed, or of a database that was put back
		if other != file {
			_ = os.Remove(other)
		}
	}
	copies, _ := filepath.Glob(filepath.Join(s.before(p), "*.sqlite"))
	slices.Sort(copies)
	for len(copies) > keptCopies {
		_ = os.Remove(copies[0])
		copies = copies[1:]
	}
}
