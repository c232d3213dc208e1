// Hello is the smallest plugin: one handler, no state. The routes are in its
// manifest, so that the host answers every other path without waking it.
package main

import "github.com/wasmoor/wasmoor/sdk"

func init() { sdk.Handle(greet) }

func main() {}

// greet greets whoever the path names.
func greet(w *sdk.Response, r *sdk.Request) error {
	name := r.PathValue("name")
	if name == "" {
		name = "world"
	}
	return w.Text(200, "Hello, "+name+"!\n")
}
