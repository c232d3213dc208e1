package host

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

// BuildArtefact is what the process of Config.Build does: it builds the module
// that the host hands it on stdin in the working directory, and answers on
// stdout. It limits the whole process for good, which does nothing else and ends
// afterwards. The error says that there is no answer.
//
// A program that embeds a host calls it first thing when it is started as its
// Config.Build says:
//
//	if len(os.Args) == 2 && os.Args[1] == "build-artefact" {
//		if err := host.BuildArtefact(ctx, os.Stdin, os.Stdout); err != nil {
//			os.Exit(1)
//		}
//		return
//	}
func BuildArtefact(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	return prepare.Serve(ctx, stdin, stdout, func(_ context.Context, o engine.Options) (engine.Builder, error) {
		name := cmp.Or(o.ABI, abi.Module)
		b, ok := builders(linear.NewBudget(0))[name]
		if !ok {
			return nil, fault.New(fault.Invalid, "prepare", fmt.Sprintf("this host builds no module of the ABI %q", name))
		}
		return b, nil
	})
}

// builders returns a builder for each ABI. What they load shares a budget of
// memory.
func builders(memory *linear.Budget) map[string]engine.Builder {
	all := capabilities.All()
	return map[string]engine.Builder{
		abi.Module:         native.New(native.Config{Functions: all.Native(), Memory: memory}),
		manifest.ABIExtism: extism.New(all.Extism(), memory),
	}
}

// newEngine returns an engine of every ABI that prepares with p. Close it.
// memory is what all instances may have together, 0 = no bound.
func newEngine(p *prepare.Pipeline, memory int64) engine.Engine {
	budget := linear.NewBudget(memory)
	engines := engine.ByABI{}
	for name, b := range builders(budget) {
		engines[name] = p.Engine(b)
	}
	return engines
}

// maxArtefact is how many bytes one artefact may have: a guest's memory of the
// largest size, and machine code.
const maxArtefact = 768 << 20

// newPipeline returns a pipeline that keeps artefacts in dir.
func newPipeline(cfg Config, dir string) (*prepare.Pipeline, error) {
	return prepare.New(prepare.Config{
		Dir: filepath.Join(dir, "artefacts"), Secret: filepath.Join(dir, "artefact.key"),
		MaxSize: cfg.MaxArtefactDisk, Command: cfg.Build, Log: cfg.Log,
		Limits: prepare.Limits{
			Memory: cfg.MaxBuildMemory, CPU: slowness * cfg.MaxBuildTime, Wall: 4 * slowness * cfg.MaxBuildTime, Size: maxArtefact,
		},
	})
}

// openEngine makes the engine, and removes the artefacts of modules that are
// gone.
func (h *Host) openEngine(reg *registry.Registry) (err error) {
	if h.pipeline, err = newPipeline(h.cfg, h.cfg.DataDir); err != nil {
		return err
	}
	h.engine = newEngine(h.pipeline, h.cfg.MaxGuestMemory)
	h.sweep(reg)
	return nil
}

// sweep removes the artefacts of modules that no version names. One that stays
// costs its disk, and is for the next sweep.
func (h *Host) sweep(reg *registry.Registry) {
	named, err := reg.Digests()
	if err == nil && named != nil {
		err = h.pipeline.Sweep(func(d plugin.Digest) bool { return named[d] })
	}
	if err != nil {
		h.cfg.Log.Warn("what was built of removed versions is not all removed yet", "error", err)
	}
}

// scratchPipeline returns a pipeline that keeps nothing. Call done.
func scratchPipeline(cfg Config) (p *prepare.Pipeline, done func() error, err error) {
	dir, err := os.MkdirTemp("", "wasmoor-build-")
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, "prepare", "make a temporary directory", err)
	}
	done = func() error { return os.RemoveAll(dir) }
	if p, err = newPipeline(cfg, dir); err != nil {
		_ = done() // the reason is err
		return nil, nil, err
	}
	return p, done, nil
}
