// Sqlcases does things with SQL by sdk/sql and by database/sql.
package main

import (
	"github.com/wasmoor/wasmoor/host/e2e/testdata/sqlcases/app"
	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(app.Serve) }

func main() {}
