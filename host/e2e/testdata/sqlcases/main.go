// Sqlcases does things with SQL by sdk/sql and by database/sql.
package main

import (
	"github.com/wasmoor/wasmoor/host/e2e/testdata/sqlcases/app"
	"github.com/wasmoor/wasmoor/host/e2e/testdata/sqlcases/users"
	"github.com/wasmoor/wasmoor/sdk"
)

func init() {
	documented := users.Routes()
	sdk.Handle(func(w *sdk.Response, r *sdk.Request) error {
		if r.Path() == "/users" {
			return documented.Serve(w, r)
		}
		return app.Serve(w, r)
	})
}

func main() {}
