// Mapguest makes maps, which Go seeds at random, and keeps nothing of them.
package main

import (
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

var words = count("a the an the")

func init() {
	sdk.Handle(func(w *sdk.Response, _ *sdk.Request) error {
		_, err := w.WriteString(strconv.Itoa(words + count("one two one")))
		return err
	})
}

func main() {}

func count(text string) int {
	seen := map[string]bool{}
	for _, word := range strings.Fields(text) {
		seen[word] = true
	}
	return len(seen)
}
