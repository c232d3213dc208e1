package project

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/packing"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Loaded is a module that is ready to be deployed.
type Loaded struct {
	Name   string // of the manifest, or of the file
	Source string // where the manifest is, for a person
	Dir    string // of the project; "" for a file
	Module []byte
	Took   []Step
}

// Step is a step of building, with the time it took.
type Step struct {
	Name, Detail string
	Took         time.Duration
}

// ReadModule reads a module file.
func ReadModule(ctx context.Context, file string) ([]byte, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, fault.New(fault.Invalid, "", fmt.Sprintf(
			"%s is a folder; name a module file, e.g. %s", file, filepath.Join(file, "plugin.wasm")))
	}
	return cli.ReadFile(ctx, file, "read the module", limit.Module)
}

// LoadFile takes a module with the manifest it carries, or else with the one next
// to it.
func LoadFile(ctx context.Context, file string) (*Loaded, error) {
	module, err := ReadModule(ctx, file)
	if err != nil {
		return nil, err
	}
	l := &Loaded{Module: module, Name: nameOf(file)}
	text, packed, err := wasmbin.CustomSection(module, abi.ManifestSection)
	if err != nil {
		return nil, cli.InFile(file, err)
	}
	l.Source = "none; the defaults hold"
	if packed {
		l.Source = "in the module"
		m, err := manifest.Parse(text, "manifest of "+file, capabilities.Sections())
		if err != nil {
			return nil, err
		}
		l.Name = m.Name
		return l, nil
	}
	j, err := Open(filepath.Dir(file))
	if fault.CodeOf(err) == fault.NotFound {
		return l, nil // the host serves it with a default manifest
	}
	if err != nil {
		return nil, err
	}
	l.Name, l.Source = j.Manifest.Name, "next to the module; deploy packs it in"
	l.Module, err = packing.Pack(module, j.text, j.Dir)
	return l, err
}

// nameOf makes a plugin's name of that of its file: count_vowels.wasm is
// count-vowels.
func nameOf(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return strings.Trim(strings.NewReplacer("_", "-", ".", "-", " ", "-").Replace(strings.ToLower(base)), "-")
}
