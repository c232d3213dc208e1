// The plugin sqlguest runs the statement that it is sent, and answers with what it finds: a
// line for each row, with a comma between columns.
package main

import (
	"fmt"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

const db = sql.Database("main")

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /{$}", func(w *sdk.Response, r *sdk.Request) error {
		statement, err := r.Body(1 << 20)
		if err != nil {
			return err
		}
		rows, err := db.Query(string(statement))
		if err != nil {
			return err
		}
		for rows.Next() {
			for i, v := range rows.Row() {
				if i > 0 {
					fmt.Fprint(w, ",")
				}
				fmt.Fprint(w, sql.Any(&v))
			}
			fmt.Fprintln(w)
		}
		return rows.Err()
	})
	sdk.Handle(r.Serve)
}

func main() {}
