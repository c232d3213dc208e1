package host

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// Verified holds the findings of Verify.
type Verified = badger.Report

// Verify reads all that is stored in cfg.DataDir, which no host uses meanwhile,
// to the last byte, and changes nothing. Progress, unless nil, is called often,
// with the bytes that were read and those there are. Errors by fault code:
// NotFound (there is nothing), Unavailable (a host uses it, or it cannot be
// read). Damage is no error; Verified lists it.
func Verify(ctx context.Context, cfg Config, progress func(done, total int64)) (Verified, error) {
	return badger.Verify(ctx, storeConfig(cfg), progress)
}
