// Package dump writes a file of SQLite as statements. The command line imports it.
package dump

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
)

// Write writes a database as the shell of SQLite does with .dump. Errors by fault code:
// Invalid (it is no file of SQLite, or damaged), Deadline, and those of w.
func Write(ctx context.Context, file string, w io.Writer) (err error) {
	db, err := sqlite.OpenFile(ctx, file, true)
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := sqlite.Extend(db); err != nil {
		return failed(err)
	}
	d := &dump{db: db, w: bufio.NewWriterSize(w, 64<<10)}
	if err := d.all(); err != nil {
		return err
	}
	return d.w.Flush()
}

func failed(err error) error {
	if errors.Is(err, sqlite3.INTERRUPT) {
		return fault.Wrap(fault.Deadline, "dump", "the dump was ended", err)
	}
	return fault.Wrap(fault.Invalid, "dump", fmt.Sprintf("this is no database of SQLite, or it is damaged: %.200s", err), err)
}

type dump struct {
	db       *sqlite3.Conn
	w        *bufio.Writer
	writable bool // the schema, in what was written
}

func (d *dump) line(format string, args ...any) error {
	_, err := fmt.Fprintf(d.w, format+"\n", args...)
	return err
}

func (d *dump) all() error {
	if err := d.line("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;"); err != nil {
		return err
	}
	err := d.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL ORDER BY name = 'sqlite_sequence', rowid", d.table)
	if err != nil {
		return err
	}
	err = d.rows("SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL ORDER BY type, rowid", func(row []string) error {
		return d.line("%s;", row[1])
	})
	if err == nil && d.writable {
		err = d.line("PRAGMA writable_schema=OFF;")
	}
	if err != nil {
		return err
	}
	return d.line("COMMIT;")
}

// table writes a table, and what is in it. One that is virtual is in its schema alone: what
// it holds is in others, which it would make itself.
func (d *dump) table(row []string) error {
	name, sql := row[0], row[1]
	head := strings.ToUpper(sql)
	switch {
	case name == "sqlite_sequence":
		if err := d.line("DELETE FROM sqlite_sequence;"); err != nil {
			return err
		}
		return d.values(name)
	case name == "sqlite_stat1": // sqlite_stat4 has samples, and is not in every SQLite
		if err := d.line("ANALYZE sqlite_schema;"); err != nil {
			return err
		}
		return d.values(name)
	case strings.HasPrefix(name, "sqlite_"):
		return nil
	case strings.HasPrefix(head, "CREATE VIRTUAL TABLE"):
		if !d.writable {
			d.writable = true
			if err := d.line("PRAGMA writable_schema=ON;"); err != nil {
				return err
			}
		}
		return d.line("INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',%s,%s,0,%s);", text(name), text(name), text(sql))
	case strings.HasPrefix(head, "CREATE TABLE '"), strings.HasPrefix(head, `CREATE TABLE "`):
		sql = "CREATE TABLE IF NOT EXISTS " + sql[len("CREATE TABLE "):]
	}
	if err := d.line("%s;", sql); err != nil {
		return err
	}
	return d.values(name)
}

// values writes the rows of a table. SQLite computes columns that are generated.
func (d *dump) values(table string) error {
	var columns, values []string
	computed := false
	err := d.rows("SELECT name, hidden FROM pragma_table_xinfo("+text(table)+") ORDER BY cid", func(row []string) error {
		if row[1] != "0" {
			computed = true
			return nil
		}
		c := name(row[0])
		columns = append(columns, c)
		values = append(values, "CASE WHEN typeof("+c+") = 'text' AND instr("+c+", char(0)) THEN 'CAST(x''' || hex("+c+") || ''' AS TEXT)' ELSE quote("+c+") END")
		return nil
	})
	if err != nil || len(values) == 0 {
		return err
	}
	into := name(table)
	if computed {
		into += "(" + strings.Join(columns, ",") + ")"
	}
	return d.rows("SELECT "+strings.Join(values, ", ")+" FROM "+name(table), func(row []string) error {
		return d.line("INSERT INTO %s VALUES(%s);", into, strings.Join(row, ","))
	})
}

// rows calls take with each row of a query, as text.
func (d *dump) rows(sql string, take func(row []string) error) error {
	stmt, _, err := d.db.Prepare(sql)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = stmt.Close() }() // its error is that of a step
	row := make([]string, stmt.ColumnCount())
	for stmt.Step() {
		for i := range row {
			row[i] = stmt.ColumnText(i)
		}
		if err := take(row); err != nil {
			return err
		}
	}
	if err := stmt.Err(); err != nil {
		return failed(err)
	}
	return nil
}

// text writes a string of SQL, and name a name.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
