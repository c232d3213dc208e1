// Hello is the smallest plugin: two routes, no state.
package main

import "github.com/wasmoor/wasmoor/sdk"

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{$}", greet)
	r.HandleFunc("GET /{name}", greet)
	return r
}

// greet greets whoever the path names.
func greet(w *sdk.Response, r *sdk.Request) error {
	name := r.PathValue("name")
	if name == "" {
		name = "world"
	}
	return w.Text(200, "Hello, "+name+"!\n")
}
