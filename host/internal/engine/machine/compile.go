package machine

import (
	"context"
	"errors"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Compile runs what compiles a module, and says what its error means. A module
// that makes wazero panic is refused like any other that it cannot take.
func Compile[T any](ctx context.Context, run func(ctx context.Context) (T, error)) (result T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Wrap(fault.Internal, "prepare", "the compiler failed on this module", fault.Recovered(r))
		}
	}()
	// One worker would not look at ctx.
	result, err = run(experimental.WithCompilationWorkers(ctx, max(2, runtime.GOMAXPROCS(0))))
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, fault.Wrap(fault.Deadline, "prepare", "compiling the module took too long", err)
	default:
		return result, fault.Wrap(fault.Invalid, "prepare", "the file is not a valid WebAssembly module: "+FirstLine(err.Error()), err)
	}
}

func compile(ctx context.Context, r wazero.Runtime, module []byte) (wazero.CompiledModule, error) {
	return Compile(ctx, func(ctx context.Context) (wazero.CompiledModule, error) { return r.CompileModule(ctx, module) })
}

// validate has wazero judge a module and compile nothing: its workers are told
// to give up before they start, which they are after all is validated.
func validate(ctx context.Context, r wazero.Runtime, module []byte) error {
	_, err := Compile(ctx, func(ctx context.Context) (struct{}, error) {
		compiled, err := r.CompileModule(cancelled(ctx), module)
		if err == nil {
			err = compiled.Close(ctx)
		}
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return struct{}{}, err
	})
	return err
}

// cancelled returns ctx, cancelled.
func cancelled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
