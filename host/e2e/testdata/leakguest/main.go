// Leakguest says its secret in all the ways that an author may: each request in the way
// that its path names.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/log"
)

func init() {
	sdk.Handle(func(_ *sdk.Response, r *sdk.Request) error {
		key, _ := sdk.Config("api_key")
		r.SetPattern("GET /" + key)
		basic := base64.StdEncoding.EncodeToString([]byte("user:" + key))
		switch r.Path() {
		case "/log":
			log.Info("the key is "+key, "key", key, "header", "Basic "+basic, key, "its name")
		case "/print":
			fmt.Println("the key is", key)
			fmt.Fprintf(os.Stderr, "%s %q\n", url.QueryEscape(key), key)
		case "/error":
			return errors.New("no " + key)
		case "/panic":
			panic("no " + key)
		case "/call":
			_, err := fetch.Get("http://127.0.0.1:1/" + url.PathEscape(key))
			return err
		}
		return nil
	})
}

func main() {}
