package enginetest

import (
	"context"
	"os"

	"github.com/wasmoor/wasmoor/host/internal/engine"
)

// Direct is an engine that also prepares: in this process, to which a module does
// what it does to whoever builds it, and keeping nothing.
type Direct struct{ engine.Engine }

// InProcess returns e with a Prepare. Closing it closes e.
func InProcess(e engine.Engine) Direct { return Direct{e} }

// Prepare is an engine.Prepare.
func (d Direct) Prepare(ctx context.Context, module []byte, o engine.Options) (p engine.Program, err error) {
	if err := d.Check(module, o); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wasmoor-build-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is in the system's directory for such
	if err := d.Build(ctx, module, o, dir); err != nil {
		return nil, err
	}
	return d.Load(ctx, dir, o)
}
