// Visits is the handler of the tutorial in sdk/README.md.
package main

import (
	"strconv"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("POST /pages/{page}", visit)
	return r
}

func visit(w *sdk.Response, r *sdk.Request) error {
	key := "pages/" + r.PathValue("page")
	if err := kv.Add(key, 1); err != nil {
		return err
	}
	n, err := kv.Int(key)
	if err != nil {
		return err
	}
	return w.Text(200, "visit number "+strconv.FormatInt(n, 10)+"\n")
}
