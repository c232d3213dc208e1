package app

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/wasmoor/wasmoor/sdk/sql"
	"github.com/wasmoor/wasmoor/sdk/sql/driver"
)

var std = driver.Open("main")

func values(o *out) error {
	if _, err := std.Exec("INSERT INTO v VALUES (?, ?, ?, ?, ?)", 7, 2.5, "text", []byte{1}, nil); err != nil {
		return err
	}
	rows, err := std.Query("SELECT i, f, t, b, n, count(*) FROM v WHERE i = ? AND t = ?", 7, "text")
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, t := range types {
		o.say("%s %s", t.Name(), t.DatabaseTypeName())
	}
	for rows.Next() {
		list := make([]any, 6)
		if err := rows.Scan(&list[0], &list[1], &list[2], &list[3], &list[4], &list[5]); err != nil {
			return err
		}
		o.say("%#v", list)
	}
	return rows.Err()
}

func count(o *out, q interface {
	QueryRow(string, ...any) *stdsql.Row
}) {
	var n int
	err := q.QueryRow("SELECT count(*) FROM u").Scan(&n)
	o.say("  %d rows, %v", n, err)
}

func transactions(o *out) error {
	tx, err := std.Begin()
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO u (id, name) VALUES (1, 'gone')")
	o.err("insert", err)
	count(o, tx)
	_, err = std.Begin()
	o.err("begin within", err)
	o.err("rollback", tx.Rollback())
	o.say("again: %v", tx.Rollback())
	count(o, std)
	if tx, err = std.BeginTx(context.Background(), &stdsql.TxOptions{Isolation: stdsql.LevelSerializable}); err != nil {
		return err
	}
	res, err := tx.Exec("INSERT INTO u (id, name) VALUES (5, 'kept')")
	o.err("insert", err)
	last, _ := res.LastInsertId()
	changed, _ := res.RowsAffected()
	o.say("last %d, changed %d", last, changed)
	o.err("commit", tx.Commit())
	o.say("again: %v", tx.Commit())
	count(o, std)
	_, err = std.BeginTx(context.Background(), &stdsql.TxOptions{Isolation: stdsql.LevelReadCommitted})
	o.say("another level: %v", err)
	tx, err = std.BeginTx(context.Background(), &stdsql.TxOptions{ReadOnly: true})
	o.say("read-only: %v", err)
	if err == nil {
		o.err("commit", tx.Commit())
	}
	_, err = std.Exec("DELETE FROM u")
	return err
}

func prepared(o *out) error {
	insert, err := std.Prepare("INSERT INTO u (id, name) VALUES (?, ?)")
	if err != nil {
		return err
	}
	for i, name := range []string{"a", "b", "c"} {
		if _, err := insert.Exec(i+1, name); err != nil {
			return err
		}
	}
	tx, err := std.Begin()
	if err != nil {
		return err
	}
	_, err = tx.Stmt(insert).Exec(4, "d")
	o.err("within", err)
	o.err("rollback", tx.Rollback())
	count(o, std)
	o.err("close", insert.Close())
	find, err := std.Prepare("SELECT name FROM u WHERE id = :id OR name = @name ORDER BY id")
	if err != nil {
		return err
	}
	defer find.Close()
	rows, err := find.Query(stdsql.Named("name", "c"), stdsql.Named("id", 1))
	if err != nil {
		return err
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		o.say("%s", name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = std.Exec("DELETE FROM u")
	return err
}

func times(o *out) error {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.FixedZone("", 3600))
	if _, err := std.Exec("INSERT INTO dated VALUES (1, ?, ?, ?, ?), (2, '2026-02-03 04:05:06', '2026-02-03', NULL, ?), (3, 'no date', NULL, '2026-02-03T04:05:06Z', NULL)", at, at, at, at, at); err != nil {
		return err
	}
	rows, err := std.Query("SELECT at, day, stamp, other, max(at) FROM dated GROUP BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		list := make([]any, 5)
		if err := rows.Scan(&list[0], &list[1], &list[2], &list[3], &list[4]); err != nil {
			return err
		}
		for _, v := range list {
			if t, ok := v.(time.Time); ok {
				o.say("time %s", t.Format(time.RFC3339Nano))
			} else {
				o.say("%#v", v)
			}
		}
	}
	var t time.Time
	err = std.QueryRow("SELECT at FROM dated WHERE id = 1").Scan(&t)
	o.say("%v %v", t.Equal(at), err)
	var n int
	err = std.QueryRow("SELECT count(*) FROM dated WHERE at = ?", at).Scan(&n)
	o.say("found %d, %v", n, err)
	return rows.Err()
}

// unix reads integers in columns of times, of which other drivers make something else.
func unix(o *out) error {
	if _, err := std.Exec("INSERT INTO dated (id, at) VALUES (9, 86400)"); err != nil {
		return err
	}
	var t time.Time
	err := std.QueryRow("SELECT at FROM dated WHERE id = 9").Scan(&t)
	o.say("%v %v", t, err)
	return nil
}

func nulls(o *out) error {
	_, err := std.Exec("INSERT INTO nullable VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)",
		stdsql.NullString{}, stdsql.NullInt64{}, stdsql.NullFloat64{}, stdsql.NullBool{}, stdsql.NullTime{}, nil,
		stdsql.NullString{String: "s", Valid: true}, stdsql.NullInt64{Int64: 4, Valid: true}, stdsql.NullFloat64{Float64: 1.5, Valid: true},
		stdsql.NullBool{Bool: true, Valid: true}, stdsql.NullTime{Time: time.Unix(0, 0), Valid: true}, []byte{})
	if err != nil {
		return err
	}
	rows, err := std.Query("SELECT * FROM nullable")
	if err != nil {
		return err
	}
	for rows.Next() {
		var (
			s stdsql.NullString
			i stdsql.NullInt64
			f stdsql.NullFloat64
			b stdsql.NullBool
			t stdsql.NullTime
			x []byte
		)
		if err := rows.Scan(&s, &i, &f, &b, &t, &x); err != nil {
			return err
		}
		o.say("%v %v %v %v %v %v %v", s, i, f, b, t.Valid, t.Time.Unix(), x == nil)
	}
	return rows.Err()
}

// open leaves rows open while it does other things, and at its end.
func open(o *out) error {
	if _, err := std.Exec("INSERT INTO u (id, name) VALUES (1, 'a'), (2, 'b')"); err != nil {
		return err
	}
	rows, err := std.Query("SELECT id FROM u ORDER BY id")
	if err != nil {
		return err
	}
	rows.Next()
	count(o, std)
	_, err = std.Exec("INSERT INTO u (id, name) VALUES (3, 'c')")
	o.err("insert", err)
	count(o, std)
	err = rows.Close()
	o.err("close", err)
	_, err = std.Exec("DELETE FROM u")
	o.err("delete", err)
	_, err = std.Query("SELECT 1 UNION ALL SELECT 2") //nolint:sqlclosecheck,rowserrcheck // it is left open
	o.err("left open", err)
	return nil
}

func contexts(o *out) error {
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := std.QueryContext(ctx, "SELECT 1")
	if err != nil {
		return err
	}
	o.say("%v %v", rows.Next(), rows.Close())
	cancel()
	_, err = std.ExecContext(ctx, "INSERT INTO u (id, name) VALUES (1, 'never')")
	o.say("%v", errors.Is(err, context.Canceled))
	_, err = std.BeginTx(ctx, nil)
	o.say("%v", errors.Is(err, context.Canceled))
	count(o, std)
	ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := std.Conn(ctx)
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "SELECT 1")
	o.err("conn", err)
	o.err("close", conn.Close())
	o.err("ping", std.PingContext(ctx))
	return nil
}

func failures(o *out) error {
	_, err := std.Exec("INSERT INTO u (id, name) VALUES (1, 'ann')")
	o.err("first", err)
	_, err = std.Exec("INSERT INTO u (id, name) VALUES (2, 'ann')")
	o.err("unique", err)
	var n int
	err = std.QueryRow("SELECT id FROM u WHERE id = 9").Scan(&n)
	o.say("%v", errors.Is(err, stdsql.ErrNoRows))
	err = std.QueryRow("SELECT 'x'").Scan(&n)
	o.say("a text as a number: %v", err != nil)
	_, err = driver.Open("none").Exec("SELECT 1")
	o.say("no database: %v", errors.Is(err, sql.ErrNotFound))
	_, err = std.Exec("SELECT ?")
	o.say("too few: %v", errors.Is(err, sql.ErrInvalid))
	_, err = std.Exec("DELETE FROM u")
	return err
}
