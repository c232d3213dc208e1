package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/consent"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Report describes a module, and says whether a host takes it.
type Report struct {
	Digest   string   `json:"digest"`
	Size     int64    `json:"size"` // bytes
	ABI      string   `json:"abi"`  // "" = none this host knows
	Imports  []Import `json:"imports"`
	Exports  []Export `json:"exports"`
	Memory   *Memory  `json:"memory,omitempty"`
	Manifest string   `json:"manifest,omitempty"` // TOML text it carries
	Name     string   `json:"name,omitempty"`
	Routes   []string `json:"routes,omitempty"`
	Slashes  []string `json:"encoded_slashes,omitempty"` // routes that take them
	Asks     []string `json:"asks,omitempty"`            // for a person
	Accepted bool     `json:"accepted"`
	Problems []string `json:"problems,omitempty"` // why not
	Notices  []string `json:"notices,omitempty"`  // what requests would pay for how it initialises
}

// Import is something a module needs.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Type   string `json:"type,omitempty"` // of a function
	By     string `json:"by,omitempty"`   // who gives it: "wasmoor", "extism", "wasi"; "" = nobody
}

// Export is something a module gives.
type Export struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Type string `json:"type,omitempty"` // of a function
}

// Memory is a module's linear memory, in bytes. Max 0 = it names none.
type Memory struct {
	Min int64 `json:"min"`
	Max int64 `json:"max,omitempty"`
}

// Inspect reads a module, and prepares and initialises it as a deploy would,
// without serving it, on a host of that configuration. Without Config.Build, what
// the module does to its compiler it does to this process. An error means that it is
// not a WebAssembly module at all; whatever else is wrong is in Problems.
func Inspect(ctx context.Context, cfg Config, module []byte) (*Report, error) {
	r := &Report{Digest: string(plugin.DigestOf(module)), Size: int64(len(module))}
	m, err := wasmbin.Read(module)
	switch {
	case err != nil && !bytes.HasPrefix(module, []byte("\x00asm")):
		return nil, err
	case err != nil:
		r.Problems = []string{fault.MessageOf(err)}
		return r, nil
	}
	r.Imports, r.Exports, r.Memory = imports(m), exports(m), memory(m)
	man := r.readManifest(module)
	r.ABI = abiOf(m, man)
	if r.Notices, err = tryModule(ctx, cfg, module, man); err != nil {
		r.Problems = append(r.Problems, fault.MessageOf(err))
	}
	r.Accepted = len(r.Problems) == 0
	return r, nil
}

// abiOf returns the ABI of a module: Extism when its manifest says so, else
// what its imports show.
func abiOf(m *wasmbin.Module, man *manifest.Manifest) string {
	if man.ABI == manifest.ABIExtism {
		return man.ABI
	}
	found := ""
	for _, i := range m.Imports {
		switch i.Module {
		case abi.Module:
			return abi.Module
		case capability.ExtismEnv, capability.ExtismUser:
			found = manifest.ABIExtism
		}
	}
	return found
}

// readManifest fills in what the manifest says. Without a valid one it goes on
// with the defaults.
func (r *Report) readManifest(module []byte) *manifest.Manifest {
	none := manifest.Default("inspected")
	text, ok, err := wasmbin.CustomSection(module, abi.ManifestSection)
	if err != nil || !ok {
		return none
	}
	r.Manifest = string(text)
	m, err := manifest.Parse(text, manifest.FileName, capabilities.Sections())
	if err != nil {
		r.Problems = append(r.Problems, fault.MessageOf(err))
		return none
	}
	r.Name, r.Routes, r.Slashes, r.Asks = m.Name, m.Patterns(), m.EncodedSlashes(), asks(m)
	return m
}

func asks(m *manifest.Manifest) []string {
	asks := consent.InWords(m)
	for _, v := range m.Vars {
		switch {
		case v.Required && v.Secret:
			asks = append(asks, fmt.Sprintf("config %s (required, secret)", v.Name))
		case v.Required:
			asks = append(asks, fmt.Sprintf("config %s (required)", v.Name))
		default:
			asks = append(asks, fmt.Sprintf("config %s", v.Name))
		}
	}
	return asks
}

func imports(m *wasmbin.Module) []Import {
	all, givers := capabilities.All(capabilities.Config{}), map[string]string{}
	for _, f := range slices.Concat(all.Native(), extism.Functions(all.Extism())) {
		by := "wasi"
		switch f.Module {
		case abi.Module:
			by = "wasmoor"
		case capability.ExtismEnv, capability.ExtismUser:
			by = manifest.ABIExtism
		}
		givers[f.Module+"."+f.Name] = by
	}
	list := make([]Import, 0, len(m.Imports))
	for _, i := range m.Imports {
		entry := Import{Module: i.Module, Name: i.Name, Kind: i.Kind.String()}
		if i.Kind == wasmbin.Function {
			entry.Type, entry.By = i.Type.String(), givers[i.Module+"."+i.Name]
		}
		list = append(list, entry)
	}
	return list
}

func exports(m *wasmbin.Module) []Export {
	list := make([]Export, 0, len(m.Exports))
	for _, e := range m.Exports {
		entry := Export{Name: e.Name, Kind: e.Kind.String()}
		if e.Kind == wasmbin.Function {
			entry.Type = e.Type.String()
		}
		list = append(list, entry)
	}
	return list
}

func memory(m *wasmbin.Module) *Memory {
	if len(m.Memories) == 0 {
		return nil
	}
	own := m.Memories[0]
	mem := &Memory{Min: int64(own.Min) * wasmbin.PageSize}
	if own.HasMax {
		mem.Max = int64(own.Max) * wasmbin.PageSize
	}
	return mem
}

// tryModule does what a deploy does before it records anything.
func tryModule(ctx context.Context, cfg Config, module []byte, man *manifest.Manifest) (notices []string, err error) {
	cfg.Log, cfg.MaxGuestMemory = slog.New(slog.DiscardHandler), 0
	pipeline, done, err := scratchPipeline(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done(context.WithoutCancel(ctx))) }()
	return try(ctx, pipeline, module, man, nil)
}

// try does what a deploy does before it records anything. It returns what whoever
// deploys the module is told.
func try(ctx context.Context, p *prepare.Pipeline, module []byte, man *manifest.Manifest, note func(string)) (notices []string, err error) {
	o := engine.OptionsOf(man)
	o.Note = note
	c, err := engine.Vet(ctx, module, o, engine.Vetting{Prepare: p.Prepare, Stateful: man.Ask().Stateful})
	if err != nil {
		return nil, err
	}
	return c.Notices, c.Close(ctx, nil)
}
