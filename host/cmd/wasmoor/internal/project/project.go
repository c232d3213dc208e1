// Package project is a plugin's source on disk: a folder with a manifest, which is
// built, or a module file. It makes of either the module that a deploy sends. The
// packages with commands import it.
package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/packing"
)

// Project is a folder with a manifest: the source of a plugin.
type Project struct {
	Dir      string
	text     []byte // of the manifest
	Manifest *manifest.Manifest
}

// Open reads the project of a folder.
func Open(dir string) (*Project, error) {
	file := filepath.Join(dir, manifest.FileName)
	text, err := cli.ReadRegular(file, "read the manifest", manifest.MaxSize)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf(
			"%s has no %s, so it is not a project; %s", dir, manifest.FileName, makeOne(dir)))
	}
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(text, file, capabilities.Sections())
	if err != nil {
		return nil, err
	}
	return &Project{Dir: dir, text: text, Manifest: m}, nil
}

// Output returns the path of the module that the build makes.
func (j *Project) Output() string {
	name := j.Manifest.Build.Output
	if name == "" {
		name = j.Manifest.Name + ".wasm"
	}
	return filepath.Join(j.Dir, filepath.FromSlash(name))
}

// module returns the built module with the manifest packed in.
func (j *Project) module(ctx context.Context) ([]byte, error) {
	module, err := ReadModule(ctx, j.Output())
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "", j.missingOutput())
	}
	if err != nil {
		return nil, err
	}
	return packing.Pack(module, j.text, j.Dir)
}

func (j *Project) missingOutput() string {
	if j.Manifest.Build.Command == "" {
		return fmt.Sprintf("there is no %s; the manifest has no [build] command that would make it; for Go write there: command = \"GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o %s .\"", j.Output(), filepath.Base(j.Output()))
	}
	return fmt.Sprintf("the build made no %s; set output under [build] to the module that it makes", j.Output())
}

// Load makes a module from path: a project is built, a file is taken with the
// manifest it carries, or else with the one next to it.
func Load(ctx context.Context, t *term.Terminal, path string) (*Loaded, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf("there is no %s; name a project's folder or a module file", path))
	}
	if err != nil {
		return nil, cli.FileError("read the plugin", err)
	}
	if !info.IsDir() {
		return LoadFile(ctx, path)
	}
	j, err := Open(path)
	if err != nil {
		return nil, err
	}
	if j.Manifest.Build.Command != "" && term.IsTerminal(t.Stderr) {
		t.Note("%s", t.Paint(t.Stderr, term.Grey, "building "+j.Manifest.Name+" ..."))
	}
	return j.Load(ctx)
}

// Load builds the project and packs its manifest into the module.
func (j *Project) Load(ctx context.Context) (*Loaded, error) {
	l := &Loaded{Name: j.Manifest.Name, Dir: j.Dir}
	start := time.Now()
	if err := j.build(ctx); err != nil {
		return nil, err
	}
	if j.Manifest.Build.Command != "" {
		l.Took = append(l.Took, Step{"build", j.Manifest.Build.Command, time.Since(start)})
	}
	start = time.Now()
	module, err := j.module(ctx)
	if err != nil {
		return nil, err
	}
	l.Module = module
	l.Took = append(l.Took, Step{"pack", j.Output() + ", " + term.Size(int64(len(module))), time.Since(start)})
	return l, nil
}
