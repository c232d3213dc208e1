package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/module"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Stored is a version of a plugin in a data directory.
type Stored struct {
	Plugin  string `json:"plugin"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
	Serves  bool   `json:"serves"`
}

// Outcomes of a version in Precompile.
const (
	Built    = "built"
	Cached   = "cached" // it was built before
	Rejected = "rejected"
)

// Prepared is the outcome of a version in Precompile.
type Prepared struct {
	Stored
	State   string  `json:"state"` // Built, Cached or Rejected
	Millis  float64 `json:"millis"`
	Problem string  `json:"problem,omitempty"` // why it was rejected
}

// StoredVersions lists the versions in cfg.DataDir of all plugins that are not
// deleted, from a store that no host uses meanwhile. Errors are those of New.
func StoredVersions(ctx context.Context, cfg Config) (all []Stored, err error) {
	cfg.Log = logOf(cfg)
	if err := checkFormats(cfg.DataDir); err != nil {
		return nil, err
	}
	st, err := badger.Open(storeConfig(cfg))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	keepFormats(cfg)
	reg, err := registry.Open(ctx, st, modulesDir(cfg), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		return nil, err
	}
	plugins, err := reg.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range plugins {
		if p.Deleted {
			continue
		}
		versions, err := reg.Versions(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			all = append(all, Stored{Plugin: p.Name, Version: v.Number, Digest: string(v.Digest), Serves: v.Number == p.Active})
		}
	}
	return all, nil
}

func logOf(cfg Config) *slog.Logger { return cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)) }

func modulesDir(cfg Config) string { return filepath.Join(cfg.DataDir, "modules") }

// Precompile prepares versions in cfg.DataDir for this program, those that serve
// first, and tells each what became of one. A host of this program finds what
// was built there when it starts; until then another may run on the directory,
// of this version or an older one. A version is rejected when it would be by a
// deploy. An error means that the directory cannot be used, or that ctx ended.
func Precompile(ctx context.Context, cfg Config, versions []Stored, each func(Prepared)) (err error) {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg.Log = logOf(cfg)
	pipeline, err := newPipeline(cfg, cfg.DataDir, linear.NewBudget(cfg.MaxGuestMemory))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pipeline.Close(context.WithoutCancel(ctx))) }()
	versions = slices.Clone(versions)
	slices.SortStableFunc(versions, func(a, b Stored) int { return serving(b) - serving(a) })
	for _, v := range versions {
		p := precompileOne(ctx, cfg, pipeline, v)
		if ctx.Err() != nil {
			return fault.Wrap(fault.Unavailable, "precompile", "it was given up", ctx.Err())
		}
		each(p)
	}
	return nil
}

func precompileOne(ctx context.Context, cfg Config, pipeline *prepare.Pipeline, v Stored) Prepared {
	p := Prepared{Stored: v, State: Built}
	start := time.Now()
	module, m, err := readStored(cfg, v)
	if err == nil {
		_, err = try(ctx, pipeline, module, m, func(note string) {
			if note == prepare.FromCache {
				p.State = Cached
			}
		})
	}
	p.Millis = float64(time.Since(start).Microseconds()) / 1000
	if err != nil {
		p.State, p.Problem = Rejected, fault.MessageOf(err)
	}
	return p
}

func serving(v Stored) int {
	if v.Serves {
		return 1
	}
	return 0
}

// readStored returns a version's module and manifest.
func readStored(cfg Config, v Stored) ([]byte, *manifest.Manifest, error) {
	module, err := module.Read(modulesDir(cfg), plugin.Digest(v.Digest))
	if err != nil {
		return nil, nil, err
	}
	text, ok, err := wasmbin.CustomSection(module, abi.ManifestSection)
	if err != nil {
		return nil, nil, err
	}
	m := manifest.Default(v.Plugin)
	if ok {
		if m, err = manifest.ParseStored(text, manifest.FileName, capabilities.Sections()); err != nil {
			return nil, nil, fmt.Errorf("its manifest: %w", err)
		}
	}
	return module, m, nil
}
