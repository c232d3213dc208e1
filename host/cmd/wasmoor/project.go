package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// project is a folder with a manifest: the source of a plugin.
type project struct {
	dir      string
	text     []byte // of the manifest
	manifest *manifest.Manifest
}

func openProject(dir string) (*project, error) {
	file := filepath.Join(dir, manifest.FileName)
	text, err := readFile(file, "read the manifest", manifest.MaxSize)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf(
			"%s has no %s, so it is not a project; make one with `wasmoor new NAME`", dir, manifest.FileName))
	}
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(text, file)
	if err != nil {
		return nil, err
	}
	return &project{dir: dir, text: text, manifest: m}, nil
}

// output returns the path of the module that the build makes.
func (j *project) output() string {
	name := j.manifest.Build.Output
	if name == "" {
		name = j.manifest.Name + ".wasm"
	}
	return filepath.Join(j.dir, filepath.FromSlash(name))
}

// buildError is a build command that failed, with all it printed.
type buildError struct {
	command string
	cause   error
	output  []byte
}

// Unwrap returns what ended the command.
func (e *buildError) Unwrap() error { return e.cause }

func (e *buildError) Error() string { return fmt.Sprintf("build: `%s`: %v", e.command, e.cause) }

// build runs the manifest's build command in the project's folder, if there is
// one.
func (j *project) build(ctx context.Context) error {
	command := j.manifest.Build.Command
	if command == "" {
		return nil
	}
	var output bytes.Buffer
	cmd := shell(ctx, command)
	cmd.Dir = j.dir
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 2 * time.Second // for children that keep the output open
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			endGroup(cmd)
			err = context.Cause(ctx)
		}
		return &buildError{command: command, cause: err, output: output.Bytes()}
	}
	return nil
}

func shell(ctx context.Context, command string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", command)
	}
	return exec.CommandContext(ctx, "sh", "-c", command)
}

// module returns the built module with the manifest packed in.
func (j *project) module() ([]byte, error) {
	module, err := readModule(j.output())
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "", j.missingOutput())
	}
	if err != nil {
		return nil, err
	}
	return host.Pack(module, j.text)
}

func (j *project) missingOutput() string {
	if j.manifest.Build.Command == "" {
		return fmt.Sprintf("there is no %s; the manifest has no [build] command that would make it", j.output())
	}
	return fmt.Sprintf("the build made no %s; set output under [build] to the module that it makes", j.output())
}

func readModule(file string) ([]byte, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, fault.New(fault.Invalid, "", fmt.Sprintf(
			"%s is a folder; name a module file, e.g. %s", file, filepath.Join(file, "plugin.wasm")))
	}
	return readFile(file, "read the module", limit.Module)
}

// loaded is a module that is ready to be deployed.
type loaded struct {
	name   string // of the manifest, or of the file
	source string // where the manifest is, for a person
	dir    string // of the project; "" for a file
	module []byte
	took   []timedStep
}

type timedStep struct {
	name, detail string
	took         time.Duration
}

// load makes a module from path: a project is built, a file is taken with the
// manifest it carries, or else with the one beside it.
func (p *program) load(ctx context.Context, path string) (*loaded, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf("there is no %s; name a project's folder or a module file", path))
	}
	if err != nil {
		return nil, fileError("read the plugin", err)
	}
	if !info.IsDir() {
		return loadFile(path)
	}
	j, err := openProject(path)
	if err != nil {
		return nil, err
	}
	if j.manifest.Build.Command != "" && isTerminal(p.stderr) {
		p.note("%s", p.paint(p.stderr, grey, "building "+j.manifest.Name+" ..."))
	}
	return j.load(ctx)
}

func (j *project) load(ctx context.Context) (*loaded, error) {
	l := &loaded{name: j.manifest.Name, dir: j.dir}
	start := time.Now()
	if err := j.build(ctx); err != nil {
		return nil, err
	}
	if j.manifest.Build.Command != "" {
		l.took = append(l.took, timedStep{"build", j.manifest.Build.Command, time.Since(start)})
	}
	start = time.Now()
	module, err := j.module()
	if err != nil {
		return nil, err
	}
	l.module = module
	l.took = append(l.took, timedStep{"pack", j.output() + ", " + size(int64(len(module))), time.Since(start)})
	return l, nil
}

func loadFile(file string) (*loaded, error) {
	module, err := readModule(file)
	if err != nil {
		return nil, err
	}
	l := &loaded{module: module, name: nameOf(file)}
	text, packed, err := wasmbin.CustomSection(module, abi.ManifestSection)
	if err != nil {
		return nil, inFile(file, err)
	}
	l.source = "none; the defaults hold"
	if packed {
		l.source = "in the module"
		m, err := manifest.Parse(text, "manifest of "+file)
		if err != nil {
			return nil, err
		}
		l.name = m.Name
		return l, nil
	}
	j, err := openProject(filepath.Dir(file))
	if fault.CodeOf(err) == fault.NotFound {
		return l, nil // the host serves it with a default manifest
	}
	if err != nil {
		return nil, err
	}
	l.name, l.source = j.manifest.Name, "beside the module; deploy packs it in"
	l.module, err = host.Pack(module, j.text)
	return l, err
}

// nameOf makes a plugin's name of that of its file: count_vowels.wasm is
// count-vowels.
func nameOf(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return strings.Trim(strings.NewReplacer("_", "-", ".", "-", " ", "-").Replace(strings.ToLower(base)), "-")
}

// inFile says which file an error is about.
func inFile(file string, err error) error {
	return fault.Wrap(fault.CodeOf(err), file, fault.MessageOf(err), nil)
}

// showBuildFailure writes what a failed build printed.
func (p *program) showBuildFailure(err error) {
	e, ok := errors.AsType[*buildError](err)
	if !ok {
		return
	}
	_, _ = p.stderr.Write(e.output)
	if n := len(e.output); n > 0 && e.output[n-1] != '\n' {
		_, _ = io.WriteString(p.stderr, "\n")
	}
}
