// The plugin blobguest keeps what it is sent under names.
package main

import (
	"fmt"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/blobs"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("PUT /{name}", put)
	r.HandleFunc("PUT /pieces/{name}", pieces)
	r.HandleFunc("GET /{name}", func(w *sdk.Response, r *sdk.Request) error { return blobs.Answer(r.PathValue("name"), "") })
	r.HandleFunc("DELETE /{name}", func(w *sdk.Response, r *sdk.Request) error { return blobs.Delete(r.PathValue("name")) })
	r.HandleFunc("GET /{$}", list)
	sdk.Handle(r.Serve)
}

func main() {}

// put keeps the body of the request.
func put(w *sdk.Response, r *sdk.Request) error {
	_, err := blobs.PutBody(r.PathValue("name"), blobs.Options{Type: "application/octet-stream"})
	return err
}

// pieces keeps what it has read of the body.
func pieces(w *sdk.Response, r *sdk.Request) error {
	_, err := blobs.PutFrom(r.PathValue("name"), r.Reader(), blobs.Options{})
	return err
}

// list writes a line for each name: its digest and the name.
func list(w *sdk.Response, r *sdk.Request) error {
	for info, err := range blobs.All(blobs.Query{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%x %s\n", info.Digest, info.Name)
	}
	return nil
}
