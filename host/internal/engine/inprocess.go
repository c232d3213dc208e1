package engine

import (
	"context"
	"os"
)

// InProcess returns an engine that builds and loads in this process, for tests
// and tools: what a module does to whoever builds it, it does to this process.
// Closing it closes b.
func InProcess(b Builder) Engine { return inProcess{b} }

type inProcess struct{ Builder }

// Prepare implements Engine.
func (e inProcess) Prepare(ctx context.Context, module []byte, o Options) (p Program, err error) {
	if err := e.Check(module, o); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wasmoor-build-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is in the system's directory for such
	if err := e.Build(ctx, module, o, dir); err != nil {
		return nil, err
	}
	return e.Load(ctx, dir, o)
}
