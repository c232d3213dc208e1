// Flight answers with all that reaches a guest from outside its request.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

func init() { sdk.Handle(fly) }

func main() {}

// fly is asked with the URL of a service.
func fly(w *sdk.Response, r *sdk.Request) error {
	var b strings.Builder
	begun := time.Now()
	var secret, drawn [16]byte
	sdk.Random(secret[:])
	if _, err := rand.Read(drawn[:]); err != nil {
		return err
	}
	fmt.Fprintln(&b, sdk.Now(), begun.UnixNano(), hex.EncodeToString(secret[:]), hex.EncodeToString(drawn[:]), mathrand.Uint64())
	for key := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true} {
		fmt.Fprint(&b, key)
	}
	n, err := kv.Int("n")
	if err != nil {
		return err
	}
	for _, key := range []string{"seen", "absent"} {
		value, ok, err := kv.Get(key)
		fmt.Fprintf(&b, "\n%d bytes %t %v", len(value), ok, err)
	}
	for entry, err := range kv.All(kv.Query{}) {
		fmt.Fprintf(&b, "\n%s: %d bytes %v", entry.Key, len(entry.Value), err)
	}
	url, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	for _, path := range []string{"/", "/refused"} {
		answer, err := fetch.Get(string(url) + path)
		if err != nil {
			fmt.Fprintf(&b, "\n%s: an error", path)
			continue
		}
		body, err := answer.Bytes(1 << 20)
		fmt.Fprintf(&b, "\n%s: %d %v %d bytes %x %v", path, answer.Status, answer.Header, len(body), body[:min(len(body), 64)], err)
	}
	time.Sleep(time.Millisecond)
	fmt.Fprintln(&b, "\n", time.Since(begun))
	if err := kv.SetInt("n", n+1); err != nil {
		return err
	}
	if err := kv.SetTTL("seen", []byte(b.String()), kv.TTL(time.Hour)); err != nil {
		return err
	}
	w.SetHeader("X-Drawn", hex.EncodeToString(drawn[:]))
	return w.Text(201, b.String())
}
