package host

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
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
	return prepare.Serve(ctx, stdin, stdout, func() prepare.Engines { return newEngines(linear.NewBudget(0)) })
}

// newEngines returns an engine for each ABI. budget is what the instances of all of
// them have together.
func newEngines(budget linear.Budget) prepare.Engines {
	all := capabilities.All(capabilities.Config{})
	return prepare.Engines{
		abi.Module:         native.New(native.Config{Functions: all.Native(), Memory: budget}),
		manifest.ABIExtism: extism.New(all.Extism(), budget),
	}
}

// maxArtefact is how many bytes one artefact may have: a guest's memory of the
// largest size, and machine code.
const maxArtefact = 768 << 20

// maxBuildIdle is how long a build may wait for anything but a processor: the
// machine's disk, at most, for a guest's clock does not wait while it is built.
const maxBuildIdle = 10 * time.Second

// ShareArtefacts makes dir, if need be, and returns an error unless it may be the
// Config.ArtefactDir of several hosts of this user: nobody else reaches it.
func ShareArtefacts(dir string) error { return prepare.Shareable(dir) }

// newPipeline returns a pipeline that keeps artefacts in dir, unless cfg.ArtefactDir
// says where. Its instances share guests. Close it.
func newPipeline(cfg Config, dir string, guests linear.Budget) (*prepare.Pipeline, error) {
	dir = cmp.Or(cfg.ArtefactDir, dir)
	return prepare.New(prepare.Config{
		Dir: filepath.Join(dir, "artefacts"), Secret: filepath.Join(dir, "artefact.key"),
		Command: cfg.Build, Log: cfg.Log, Limits: buildLimits(cfg),
	}, newEngines(guests))
}

func buildLimits(cfg Config) prepare.Limits {
	return prepare.Limits{
		Memory: cfg.MaxBuildMemory, CPU: slowness * cfg.MaxBuildTime, Idle: maxBuildIdle, Size: maxArtefact,
		Places: max(2, runtime.GOMAXPROCS(0)) + 1, Function: cfg.MaxFunction, Disk: cfg.MaxArtefactDisk,
	}
}

// openPipeline makes the pipeline, and removes the artefacts of modules that are
// gone.
func (h *Host) openPipeline(reg *registry.Registry) (err error) {
	if h.pipeline, err = newPipeline(h.cfg, h.cfg.DataDir, h.guests); err != nil {
		return err
	}
	h.sweep(reg)
	return nil
}

// sweep removes the artefacts of modules that no version names, unless other hosts
// may name them. One that stays costs its disk, and is for the next sweep.
func (h *Host) sweep(reg *registry.Registry) {
	if h.cfg.ArtefactDir != "" {
		return
	}
	named, err := reg.Digests()
	if err == nil && named != nil {
		err = h.pipeline.Sweep(func(d plugin.Digest) bool { return named[d] })
	}
	if err != nil {
		h.cfg.Log.Warn("what was built of removed versions is not all removed yet", "error", err)
	}
}

// scratchPipeline returns a pipeline that keeps nothing. Call done, which closes it.
func scratchPipeline(cfg Config) (p *prepare.Pipeline, done func(context.Context) error, err error) {
	dir, err := os.MkdirTemp("", "wasmoor-build-")
	if err != nil {
		return nil, nil, fault.Wrap(fault.Internal, "prepare", "make a temporary directory", err)
	}
	if p, err = newPipeline(cfg, dir, linear.NewBudget(cfg.MaxGuestMemory)); err != nil {
		_ = os.RemoveAll(dir) // the reason is err
		return nil, nil, err
	}
	return p, func(ctx context.Context) error { return errors.Join(p.Close(ctx), os.RemoveAll(dir)) }, nil
}
