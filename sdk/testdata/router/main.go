// Router is a guest for the test of sizes: the core of the SDK with everything
// that small plugins use.
package main

import (
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/log"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("GET /items/{id}", show)
	r.HandleFunc("PUT /items/{id}", put)
	sdk.Handle(r.Serve)
}

func main() {}

func show(w *sdk.Response, r *sdk.Request) error {
	value, ok, err := kv.Get("item/" + r.PathValue("id"))
	if err != nil {
		return err
	}
	if !ok {
		return sdk.Error(404, "no such item")
	}
	_, err = w.Write(value)
	return err
}

func put(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	entries, _, err := kv.List(kv.Query{Prefix: "item/", Limit: 10})
	if err != nil {
		return err
	}
	log.Info("stored", "id", r.PathValue("id"), "others", len(entries))
	return kv.Set("item/"+r.PathValue("id"), body)
}
