// Tripguest answers the order in a request's body, paid by the function of package
// trip that the path names, as many times as the query says.
package main

import (
	"strconv"

	"github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/tripguest/trip"
	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(answer) }

func main() {}

// pays are the functions of package trip, by the path that asks for them.
var pays = map[string]func([]byte) ([]byte, error){
	"/map": trip.Map, "/value": trip.Value, "/struct": trip.Struct, "/typed": trip.Typed,
}

func answer(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	pay, ok := pays[r.Path()]
	if !ok {
		return sdk.Error(404, "no such function")
	}
	times, _ := strconv.Atoi(r.RawQuery())
	var paid []byte
	for range max(times, 1) {
		if paid, err = pay(body); err != nil {
			return sdk.Error(400, err.Error())
		}
	}
	w.SetHeader("Content-Type", "application/json")
	_, err = w.Write(paid)
	return err
}
