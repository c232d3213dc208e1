// Go gives an identifier while it initialises, and answers another one: the
// first seeds the generator of both.
package main

import (
	"github.com/oklog/ulid/v2"

	"github.com/wasmoor/wasmoor/sdk"
)

var first = ulid.Make()

func init() {
	sdk.Handle(func(w *sdk.Response, _ *sdk.Request) error {
		_, err := w.Write([]byte(ulid.Make().String()))
		return err
	})
}

func main() { _ = first }
