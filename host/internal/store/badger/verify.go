package badger

import (
	"context"

	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// Format is the number of the format that this program writes. It upgrades a
// store of an older one, and refuses one of a newer.
const Format = layout.Format

// Report holds the findings of Verify.
type Report = folder.Report

// Verify reads all of the store in cfg.Dir that nobody has open, to the last
// byte, and changes nothing. It is folder.Verify.
func Verify(ctx context.Context, cfg Config, progress func(done, total int64)) (Report, error) {
	return folder.Verify(ctx, cfg.folder(), progress)
}
