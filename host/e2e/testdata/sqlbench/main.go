// The plugin sqlbench is what BenchmarkSQL asks: a row, a range by an index, an insert, an
// update of one hot row; and BenchmarkHotRows, many updates of few rows of many.
package main

import (
	"fmt"
	"strconv"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

const db = sql.Database("main")

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /fill", func(w *sdk.Response, r *sdk.Request) error {
		for _, statement := range []string{
			"CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, name TEXT NOT NULL)",
			"CREATE INDEX IF NOT EXISTS ns ON items (n)",
			"INSERT INTO items (n, name) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10000) SELECT i, 'item number ' || i FROM s",
		} {
			if _, err := db.Exec(statement); err != nil {
				return err
			}
		}
		return nil
	})
	r.HandleFunc("GET /row", rows("SELECT id, n, name FROM items WHERE id = abs(random()) % 10000 + 1"))
	r.HandleFunc("GET /range", rows("SELECT id, n, name FROM items WHERE n > (SELECT abs(random()) % 9900) ORDER BY n LIMIT 20"))
	r.HandleFunc("POST /insert", exec("INSERT INTO items (n, name) VALUES (abs(random()) % 10000, 'a new item')"))
	r.HandleFunc("POST /hot", exec("UPDATE items SET n = n + 1 WHERE id = 1"))
	r.HandleFunc("POST /more", func(w *sdk.Response, r *sdk.Request) error {
		if _, err := db.Exec("CREATE TABLE IF NOT EXISTS big (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, body TEXT NOT NULL)"); err != nil {
			return err
		}
		_, err := db.Exec("INSERT INTO big (n, body) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 5000) SELECT i, hex(randomblob(100)) FROM s")
		return err
	})
	r.HandleFunc("POST /hot/{n}", func(w *sdk.Response, r *sdk.Request) error {
		n, err := strconv.Atoi(r.PathValue("n"))
		for i := 0; err == nil && i < n; i++ {
			_, err = db.Exec("UPDATE big SET n = n + 1 WHERE id = abs(random()) % 100 + 1")
		}
		return err
	})
	sdk.Handle(r.Serve)
}

func main() {}

// rows answers what a statement finds as JSON.
func rows(statement string) sdk.Handler {
	return func(w *sdk.Response, r *sdk.Request) error {
		found, err := db.Query(statement)
		if err != nil {
			return err
		}
		w.SetHeader("content-type", "application/json")
		b, comma := []byte{'['}, false
		for found.Next() {
			row := found.Row()
			if comma {
				b = append(b, ',')
			}
			comma = true
			b = append(strconv.AppendInt(append(b, `{"id":`...), int64(row[0].Bits), 10), `,"n":`...)
			b = append(strconv.AppendInt(b, int64(row[1].Bits), 10), `,"name":`...)
			b = append(strconv.AppendQuote(b, row[2].Text), '}')
		}
		if err := found.Err(); err != nil {
			return err
		}
		_, err = w.Write(append(b, ']'))
		return err
	}
}

func exec(statement string) sdk.Handler {
	return func(w *sdk.Response, r *sdk.Request) error {
		done, err := db.Exec(statement)
		if err == nil {
			_, err = fmt.Fprintf(w, `{"id":%d}`, done.LastID)
		}
		return err
	}
}
