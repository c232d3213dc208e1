// Package users has what sdk/README.md shows of SQL.
package users

import (
	"fmt"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

// readme: begin
const db = sql.Database("main")

func add(w *sdk.Response, r *sdk.Request) error {
	form, err := r.Form(4 << 10)
	if err != nil {
		return err
	}
	done, err := db.Exec("INSERT INTO users (name, email) VALUES (?, ?)", form.Get("name"), form.Get("email"))
	if sql.IsUnique(err) {
		return sdk.Error(409, "there is a user with that address")
	}
	if err != nil {
		return err
	}
	return w.Text(201, fmt.Sprint(done.LastID))
}

func list(w *sdk.Response, r *sdk.Request) error {
	rows, err := db.Query("SELECT id, name FROM users WHERE name > :after ORDER BY name LIMIT 20", sql.Named("after", r.Query().Get("after")))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		fmt.Fprintln(w, id, name)
	}
	return rows.Err()
}

// readme: end

// Routes are those of the plugin.
func Routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("POST /users", add)
	r.HandleFunc("GET /users", list)
	return r
}
