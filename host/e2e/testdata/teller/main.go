// Teller leaves what its request sends wherever a guest can keep it, and answers
// what an earlier request has left there. Three random numbers are in a header.
package main

import (
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(tell) }

func main() {}

var (
	word  string
	words = map[string]string{}
	list  = make([]byte, 1<<16)
	queue = make(chan string, 1)
	heap  []string
)

func tell(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	var secret [8]byte
	_, _ = crand.Read(secret[:]) // never fails
	w.SetHeader("X-Random", fmt.Sprint(rand.Uint64(), randv2.Uint64(), binary.LittleEndian.Uint64(secret[:])))
	_, err = w.WriteString(found())
	leave(string(body))
	return err
}

func found() string {
	var left []string
	note := func(where, what string) {
		if what != "" {
			left = append(left, where+": "+what)
		}
	}
	note("variable", word)
	note("map", words["word"])
	note("bytes", strings.Trim(string(list), "\x00"))
	note("heap", strings.Join(heap, " "))
	note("environment", os.Getenv("WORD"))
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		note("descriptor", "open")
	}
	select {
	case text := <-queue:
		note("channel", text)
	default:
	}
	return strings.Join(left, "; ")
}

func leave(text string) {
	word, words["word"] = text, text
	copy(list[len(list)/2:], text)
	heap = append(heap, text, strings.Repeat(text, 1000))
	_ = os.Setenv("WORD", text) // it is valid
	_ = os.Stdin.Close()        // it may be no descriptor
	queue <- text
}
