// Command stdlib is a plugin that tries every package of the standard library:
// GET /{package...} answers 200 with "runs", or with the error of what the
// package is for.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(try) }

func main() {}

// uses are the uses of each package, one to three characteristic ones.
var uses = map[string]func() error{}

func use(packages map[string]func() error) {
	for name, f := range packages {
		uses[name] = f
	}
}

func try(w *sdk.Response, r *sdk.Request) error {
	f, ok := uses[strings.TrimPrefix(r.Path(), "/")]
	if !ok {
		return w.Text(404, "no use of this package is written\n")
	}
	if err := f(); err != nil {
		return w.Text(200, err.Error())
	}
	return w.Text(200, "runs")
}

// same is nil if the two look alike.
func same(got, want any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		return fmt.Errorf("got %s, want %s", g, w)
	}
	return nil
}

// first is the first error of some.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// refused is nil if there is an error that says so.
func refused(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return nil
}

//go:embed main.go
var source []byte

func embedded() error { return same(bytes.HasPrefix(source, []byte("// Command stdlib")), true) }
