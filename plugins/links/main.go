// Links is a link shortener: short paths that redirect, with expiry and a click
// counter, managed through a JSON API.
package main

import "github.com/wasmoor/wasmoor/sdk"

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{$}", home)
	r.HandleFunc("GET /{slug}", follow)
	r.HandleFunc("POST /api/links", withKey(create))
	r.HandleFunc("GET /api/links", withKey(list))
	r.HandleFunc("GET /api/links/{slug}", withKey(info))
	r.HandleFunc("PATCH /api/links/{slug}", withKey(update))
	r.HandleFunc("DELETE /api/links/{slug}", withKey(remove))
	return r
}
