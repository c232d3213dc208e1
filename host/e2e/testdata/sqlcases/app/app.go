// Package app is what the plugin sqlcases does, which tests also run without
// WebAssembly.
package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

const db = sql.Database("main")

// out is the answer of a case.
type out struct{ strings.Builder }

func (o *out) say(format string, args ...any) { fmt.Fprintf(o, format+"\n", args...) }

// err says of an error what is the same whichever driver made it.
func (o *out) err(about string, err error) {
	var e *sql.Error
	switch {
	case err == nil:
		o.say("%s: done", about)
	case errors.As(err, &e):
		o.say("%s: %v code %d unique %v constraint %v", about, e.Status, e.Code, sql.IsUnique(err), sql.IsConstraint(err))
	default:
		o.say("%s: %v", about, err)
	}
}

var cases = map[string]func(*out) error{
	"setup": setup, "types": types, "scan": scan, "named": named, "large": large, "errors": fail, "rows": rows, "results": results, "within": within,
	"driver": values, "tx": transactions, "prepared": prepared, "times": times, "unix": unix, "nulls": nulls, "open": open, "context": contexts, "failures": failures,
	"returning": returning,
}

// Serve does the case that the path names. One that ends in "/abort" fails afterwards.
func Serve(w *sdk.Response, r *sdk.Request) error {
	name, abort := strings.CutSuffix(strings.TrimPrefix(r.Path(), "/"), "/abort")
	do := cases[name]
	if do == nil {
		return w.Text(404, "no such case")
	}
	var o out
	if err := do(&o); err != nil {
		o.say("failed: %v", err)
		sdk.Abort()
	}
	if abort {
		sdk.Abort()
	}
	return w.Text(200, o.String())
}

func setup(*out) error {
	for _, table := range []string{
		"v (i INTEGER, f REAL, t TEXT, b BLOB, n)", "u (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, age INTEGER CHECK (age > 0))",
		"child (id INTEGER PRIMARY KEY, parent REFERENCES u (id))", "dated (id INTEGER PRIMARY KEY, at DATETIME, day DATE, stamp TIMESTAMP, other TEXT)",
		"users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE)", "nullable (s TEXT, i INTEGER, f REAL, b BOOLEAN, t DATETIME, x BLOB)",
	} {
		if _, err := db.Exec("CREATE TABLE " + table); err != nil {
			return err
		}
	}
	return nil
}

func types(o *out) error {
	for _, row := range [][]any{
		{int64(-1 << 63), -0.5, "text é\x00end", []byte{0, 255}, nil},
		{int64(1<<63 - 1), 1e300, "", []byte{}, true},
		{uint8(7), float32(0.25), "1", []byte("1"), 3.0},
		{nil, nil, nil, []byte(nil), "nil"},
	} {
		if _, err := db.Exec("INSERT INTO v VALUES (?, ?, ?, ?, ?)", row...); err != nil {
			return err
		}
	}
	rows, err := db.Query("SELECT *, typeof(i) || typeof(f) || typeof(t) || typeof(b) || typeof(n) AS types FROM v")
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	o.say("%q", columns)
	for rows.Next() {
		for i := range rows.Row() {
			o.say("%#v", sql.Any(&rows.Row()[i]))
		}
	}
	_, err = db.Exec("SELECT ?", struct{}{})
	o.err("a struct", err)
	_, err = db.Exec("SELECT ?", uint64(1<<63))
	o.err("a number above", err)
	return rows.Err()
}

func scan(o *out) error {
	var (
		i    int
		i64  int64
		f    float64
		b    bool
		s    string
		data []byte
		what any
		pi   *int
		pi64 *int64
		pf   *float64
		pb   *bool
		ps   *string
	)
	for _, value := range []any{nil, 0, 1, -7, 2.5, 3.0, "12", "2.5", "x", []byte("12")} {
		o.say("%#v", value)
		for _, to := range []any{&i, &i64, &f, &b, &s, &data, &what, &pi, &pi64, &pf, &pb, &ps, nil} {
			if err := db.QueryRow("SELECT ?", value).Scan(to); err != nil {
				o.say("  %T: refused", to)
				continue
			}
			switch to := to.(type) {
			case *int:
				o.say("  int %v", *to)
			case *int64:
				o.say("  int64 %v", *to)
			case *float64:
				o.say("  float64 %v", *to)
			case *bool:
				o.say("  bool %v", *to)
			case *string:
				o.say("  string %q", *to)
			case *[]byte:
				o.say("  bytes %q %v", *to, *to == nil)
			case **int:
				o.say("  *int %v", show(*to))
			case **string:
				o.say("  *string %v", show(*to))
			case **float64:
				o.say("  *float64 %v", show(*to))
			}
		}
	}
	o.err("two for one", db.QueryRow("SELECT 1").Scan(&i, &i))
	return nil
}

func show[T any](p *T) string {
	if p == nil {
		return "nil"
	}
	return fmt.Sprintf("%#v", *p)
}

func named(o *out) error {
	var s string
	for _, statement := range []string{"SELECT :a || @b || $c", "SELECT $c || :a || @b || :a"} {
		if err := db.QueryRow(statement, sql.Named("b", "two"), sql.Named("c", "three"), sql.Named("a", "one")).Scan(&s); err != nil {
			return err
		}
		o.say("%s", s)
	}
	_, err := db.Exec("SELECT :a", sql.Named("b", 1))
	o.say("another name: %v", errors.Is(err, sql.ErrInvalid))
	_, err = db.Exec("SELECT ?, ?", 1)
	o.say("too few: %v", errors.Is(err, sql.ErrInvalid))
	_, err = db.Exec("SELECT ?", 1, 2)
	o.say("too many: %v", errors.Is(err, sql.ErrInvalid))
	return nil
}

func large(o *out) error {
	rows, err := db.Query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i, CASE i % 1000 WHEN 0 THEN hex(zeroblob(i * 10)) ELSE 'x' END FROM n")
	if err != nil {
		return err
	}
	count, bytes := 0, 0
	for rows.Next() {
		var i int
		var s string
		if err := rows.Scan(&i, &s); err != nil {
			return err
		}
		count++
		bytes += len(s)
		if i != count {
			return fmt.Errorf("row %d is %d", count, i)
		}
	}
	o.say("%d rows, %d bytes", count, bytes)
	o.say("after its end: %v %v", rows.Next(), rows.Close())
	rows, err = db.Query("SELECT 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 WHERE 0")
	if err != nil {
		return err
	}
	o.say("none of 12 columns: %v %v", rows.Next(), rows.Err())
	return nil
}

func fail(o *out) error {
	do := func(about, statement string, args ...any) {
		_, err := db.Exec(statement, args...)
		o.err(about, err)
	}
	do("first", "INSERT INTO u VALUES (1, 'ann', 30)")
	do("unique", "INSERT INTO u VALUES (2, 'ann', 30)")
	do("primary key", "INSERT INTO u VALUES (1, 'bob', 30)")
	do("not null", "INSERT INTO u VALUES (3, NULL, 30)")
	do("check", "INSERT INTO u VALUES (3, 'eve', -1)")
	do("foreign key", "INSERT INTO child VALUES (1, 99)")
	do("syntax", "SELEC 1")
	do("no table", "SELECT * FROM none")
	do("nothing", "")
	_, err := sql.Database("none").Exec("SELECT 1")
	o.err("no database", err)
	var n int
	o.err("no rows", db.QueryRow("SELECT id FROM u WHERE id = 99").Scan(&n))
	o.err("rows that fail", db.QueryRow("SELECT abs(-9223372036854775808)").Scan(&n))
	rows, err := db.Query("SELECT 1 UNION ALL SELECT abs(-9223372036854775808)")
	if err != nil {
		return err
	}
	for rows.Next() {
		o.say("a row")
	}
	o.err("later", rows.Err())
	o.err("closed", rows.Close())
	do("go on", "DELETE FROM u")
	return nil
}

func rows(o *out) error {
	if _, err := db.Exec("DELETE FROM v"); err != nil {
		return err
	}
	for i := range 10 {
		if _, err := db.Exec("INSERT INTO v (i) VALUES (?)", i); err != nil {
			return err
		}
	}
	outer, err := db.Query("SELECT i FROM v WHERE i < 3 ORDER BY i")
	if err != nil {
		return err
	}
	for outer.Next() {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM v WHERE i > ?", outer.Row()[0].Bits).Scan(&n); err != nil {
			return err
		}
		o.say("%d: %d above", outer.Row()[0].Bits, n)
	}
	var all []*sql.Rows
	for range 64 {
		r, err := db.Query("SELECT 1")
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	for _, r := range all {
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			return err
		}
	}
	return nil
}

func results(o *out) error {
	do := func(statement string) {
		r, err := db.Exec(statement)
		o.say("%s: %+v %v", statement, r, err)
	}
	do("SELECT 1")
	do("INSERT INTO u (id, name) VALUES (10, 'a'), (11, 'b'), (12, 'c')")
	do("SELECT 1")
	do("UPDATE u SET age = 5 WHERE id > 10")
	do("UPDATE u SET age = 6 WHERE id > 100")
	do("INSERT OR IGNORE INTO u (id, name) VALUES (10, 'again')")
	do("REPLACE INTO u (id, name) VALUES (20, 'c')")
	do("INSERT INTO u (name) VALUES ('d') RETURNING id")
	do("DELETE FROM u")
	do("BEGIN")
	do("COMMIT")
	return nil
}

func within(o *out) error {
	do := func(statement string) {
		_, err := db.Exec(statement)
		var n int
		o.err(statement, err)
		o.say("  %v rows, %v", n, db.QueryRow("SELECT count(*) FROM u").Scan(&n))
		o.say("  %v rows", n)
	}
	for _, s := range []string{
		"BEGIN", "INSERT INTO u (id, name) VALUES (1, 'a')", "SAVEPOINT one", "INSERT INTO u (id, name) VALUES (2, 'b')", "ROLLBACK TO one", "RELEASE one",
		"BEGIN", "COMMIT", "COMMIT", "BEGIN IMMEDIATE", "DELETE FROM u", "ROLLBACK", "ROLLBACK", "BEGIN TRANSACTION", "DELETE FROM u", "END TRANSACTION",
		"begin exclusive transaction;", "INSERT INTO u (id, name) VALUES (3, 'c')", " ROLLBACK TRANSACTION ;", "SAVEPOINT two", "INSERT INTO u (id, name) VALUES (4, 'd')", "RELEASE two", "DELETE FROM u",
	} {
		do(s)
	}
	return nil
}
