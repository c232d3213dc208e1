// Jsonguest answers the JSON of its request's body, read and written by
// encoding/json, a count of the requests it believes to have served and, if the
// query asks for them, random numbers of three generators.
package main

import (
	crand "crypto/rand"
	"encoding/binary"
	"encoding/json"
	"math/rand"
	randv2 "math/rand/v2"

	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(answer) }

func main() {}

type answered struct {
	Count  int
	Random [3]uint64
	Body   any
}

var count int

func answer(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(2 << 20)
	if err != nil {
		return err
	}
	count++
	a := answered{Count: count}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &a.Body); err != nil {
			return sdk.Error(400, err.Error())
		}
	}
	if r.Query().Get("random") != "" {
		var secret [8]byte
		_, _ = crand.Read(secret[:]) // never fails
		a.Random = [3]uint64{rand.Uint64(), randv2.Uint64(), binary.LittleEndian.Uint64(secret[:])}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	w.SetHeader("Content-Type", "application/json")
	_, err = w.Write(text)
	return err
}
