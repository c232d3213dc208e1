// Fillguest fills its key space.
package main

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

func init() { sdk.Handle(fill) }

func main() {}

// fill writes the keys of two numbers in the body, FROM and COUNT, of 100 bytes each.
func fill(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(64)
	if err != nil {
		return err
	}
	var from, count int
	if _, err := fmt.Sscan(string(body), &from, &count); err != nil {
		return err
	}
	for i := range count {
		value := fmt.Sprintf("%08d ", from+i)
		if err := kv.Set("key/"+value, []byte(strings.Repeat(value, 11))); err != nil {
			return err
		}
	}
	return w.NoContent()
}
