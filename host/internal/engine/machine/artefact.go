package machine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/rewrite"
)

// The files of an artefact.
const (
	moduleFile = "module.wasm" // what instances are made of
	imageFile  = "image"       // the memory they start with
	metaFile   = "meta.json"
	namesFile  = "names" // of functions, packed
	codeDir    = "code"  // machine code, as wazero's cache keeps it
)

// Format is that of the files. Another one is built again.
const Format = 3

// Bounds of the files, far above what is built.
const (
	maxModule = 1 << 30
	maxNames  = 4 << 20
	maxMeta   = 1 << 20
)

// meta is what there is to know about a built module.
type meta struct {
	Format  int      `json:"format"`
	Fresh   string   `json:"fresh,omitempty"`   // why instances cannot be put back
	Memory  int      `json:"memory,omitempty"`  // bytes that an instance starts with
	Limit   int      `json:"limit"`             // and that it may have
	Start   []string `json:"start,omitempty"`   // exports that initialise it
	Globals []uint64 `json:"globals,omitempty"` // what its mutable globals start with
	Seeds   []uint32 `json:"seeds,omitempty"`   // where its memory holds the state of a generator
	Cheap   []uint32 `json:"cheap,omitempty"`   // where its memory holds a generator of one number
	Cold    string   `json:"cold,omitempty"`    // why its warm-up requests were left out
	// How many functions the module as it was given imports, and has of its own.
	Imported int `json:"imported,omitempty"`
	Own      int `json:"own,omitempty"`
	// Uptime is what its monotonic clock showed in the end.
	Uptime time.Duration `json:"uptime,omitempty"`
}

// artefact is a built module.
type artefact struct {
	meta
	module []byte
	image  []byte
	names  []byte // see callstack.Pack

	declared  bool
	globals   int // mutable globals to put back
	functions functions
}

// newArtefact returns the artefact of a module that each instance initialises.
func newArtefact(s Source, i *rewrite.Instrumented) (*artefact, error) {
	limit, err := linear.Limit(s.Options.Memory)
	if err != nil {
		return nil, err
	}
	m, err := wasmbin.Read(s.Module)
	if err != nil {
		return nil, err
	}
	a := &artefact{
		meta:   meta{Format: Format, Fresh: i.Fresh, Limit: min(limit, int(i.MaxPages)*linear.PageSize)},
		module: i.Module, globals: len(i.Globals),
	}
	if len(m.Memories) > 0 {
		a.Memory = int(m.Memories[0].Min) * linear.PageSize
	}
	a.declared = a.Limit < limit
	a.Imported, a.Own = i.Imported, m.Functions
	a.functions = functionsOf(a.module, a.Memory, callstack.Functions{Imported: a.Imported, Own: a.Own})
	a.functions.section = callstack.OfModule(m, s.Module)
	a.names = a.functions.packed()
	if i.Start {
		a.Start = append(a.Start, rewrite.StartExport)
	}
	for _, name := range s.Start {
		if _, ok := m.Export(name); ok {
			a.Start = append(a.Start, name)
		}
	}
	return a, nil
}

// write writes the files to dir, next to the machine code.
func (a *artefact) write(dir string) error {
	text, err := json.Marshal(a.meta)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{moduleFile, a.module}, {imageFile, a.image}, {namesFile, a.names}, {metaFile, text}} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return fault.Wrap(fault.Internal, "prepare", "the built module cannot be stored", err)
		}
	}
	return nil
}

// readArtefact reads what write wrote for a memory of limit bytes.
func readArtefact(dir string, limit int) (*artefact, error) {
	a := &artefact{}
	text, err := readFile(filepath.Join(dir, metaFile), maxMeta)
	if err == nil {
		err = decodeMeta(text, &a.meta)
	}
	if err == nil {
		a.module, err = readFile(filepath.Join(dir, moduleFile), maxModule)
	}
	if err == nil {
		a.image, err = readFile(filepath.Join(dir, imageFile), limit)
	}
	if err == nil {
		a.names, err = readFile(filepath.Join(dir, namesFile), maxNames)
	}
	if err == nil {
		err = a.check(limit)
	}
	if err != nil {
		return nil, stale(err)
	}
	return a, nil
}

func decodeMeta(text []byte, m *meta) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

// check checks what instances rely on.
func (a *artefact) check(limit int) error {
	switch {
	case a.Format != Format:
		return fmt.Errorf("format %d, want %d", a.Format, Format)
	case a.Limit > limit:
		return fmt.Errorf("a limit of %d bytes, want at most %d", a.Limit, limit)
	case a.Memory < 0 || a.Memory > a.Limit || a.Memory%linear.PageSize != 0:
		return fmt.Errorf("%d bytes of memory", a.Memory)
	case a.Uptime < 0:
		return fmt.Errorf("an uptime of %s", a.Uptime)
	case a.Fresh == "" && len(a.image) != a.Memory, a.Fresh != "" && len(a.image) > 0:
		return fmt.Errorf("an image of %d bytes for a memory of %d", len(a.image), a.Memory)
	}
	for _, at := range a.Seeds {
		if int(at) > len(a.image)-seedSize {
			return fmt.Errorf("a generator at %d of %d bytes", at, len(a.image))
		}
	}
	for _, at := range a.Cheap {
		if int(at) > len(a.image)-8 {
			return fmt.Errorf("a number at %d of %d bytes", at, len(a.image))
		}
	}
	return nil
}

// readFile reads a file of at most so many bytes.
func readFile(name string, most int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > int64(most) {
		return nil, fmt.Errorf("%s: no file of at most %d bytes", filepath.Base(name), most)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return data, nil
}

// stale returns the error of an artefact that is to be built again.
func stale(err error) error {
	return fault.Wrap(fault.Invalid, "load", "the built module is damaged or of another version, and is to be built again", err)
}
