// Floatguest answers the bits of what mix.Floats makes of a hundred seeds.
package main

import (
	"encoding/binary"
	"math"

	"github.com/wasmoor/wasmoor/host/internal/engine/native/testdata/floatguest/mix"
	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(answer) }

func main() {}

func answer(w *sdk.Response, _ *sdk.Request) error {
	for seed := range uint64(100) {
		if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(mix.Floats(seed)))); err != nil {
			return err
		}
	}
	return nil
}
