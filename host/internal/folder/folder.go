// Package folder deploys the modules that an operator keeps in a folder: NAME.wasm is
// plugin NAME, and a file that changes is a new version. Package host runs it.
package folder

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Config is what a Folder works with. All fields are required.
type Config struct {
	Dir    string
	Deploy func(context.Context, deploy.Upload) (deploy.Changed, error)
	// Known reports whether a version of a plugin has a module.
	Known func(ctx context.Context, name string, module plugin.Digest) (bool, error)
	Log   *slog.Logger
}

const (
	// lookEvery is the time between two looks. A file is read when it is the same in
	// two of them: whoever copies it has ended by then. Looking, instead of waiting for
	// the system's news, also finds files on network disks and behind links that are
	// switched, as Kubernetes does.
	lookEvery = time.Second
	// maxFiles is how many files of a folder are looked at.
	maxFiles = 1000
	// By is who deploys what lies in a folder.
	By     = "folder"
	suffix = ".wasm"
)

// Folder is what was seen of a folder. Not safe for concurrent use.
type Folder struct {
	cfg   Config
	files map[string]*file // by name
	said  string           // what was wrong with the folder itself, "" = nothing
}

// file is what was seen of one.
type file struct {
	info    os.FileInfo
	settled bool // it was read as it is now
	tried   plugin.Digest
	said    string // what kept it from being deployed yet
}

// New returns a Folder of which nothing was seen.
func New(cfg Config) *Folder { return &Folder{cfg: cfg, files: map[string]*file{}} }

// Watch looks until ctx ends.
func (f *Folder) Watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		f.Look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Look deploys the files that are as they were at the last Look and were not deployed
// so. What is wrong with one is logged once, and the version before serves on. A
// file that is gone changes nothing.
func (f *Folder) Look(ctx context.Context) {
	entries, err := os.ReadDir(f.cfg.Dir)
	if err == nil && len(entries) > maxFiles {
		err = fmt.Errorf("it has %d files, and %d are looked at", len(entries), maxFiles)
		entries = entries[:maxFiles]
	}
	f.sayOnce(err)
	seen := make(map[string]*file, len(entries))
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(f.cfg.Dir, e.Name())) // of where a link leads
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		it := f.files[name]
		switch {
		case it == nil:
			it = &file{info: info}
		case !same(it.info, info):
			it = &file{info: info, tried: it.tried}
		case !it.settled:
			it.settled = true
			f.take(ctx, name, it)
		}
		seen[name] = it
	}
	f.files = seen
}

func (f *Folder) sayOnce(err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != f.said && said != "" {
		f.cfg.Log.Error("the folder of plugins cannot be read whole", "dir", f.cfg.Dir, "error", err)
	}
	f.said = said
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// take deploys one file, unless its module was tried before or is known from an
// earlier run: an operator may have gone back to another version since.
func (f *Folder) take(ctx context.Context, name string, it *file) {
	log := f.cfg.Log.With("plugin", name, "file", name+suffix)
	module, err := read(filepath.Join(f.cfg.Dir, name+suffix))
	if err != nil {
		log.Error("a file of the folder of plugins is not deployed", "error", err)
		return
	}
	digest, first := plugin.DigestOf(module), it.tried == ""
	if it.tried == digest {
		return
	}
	it.tried = digest
	if first {
		if known, err := f.cfg.Known(ctx, name, digest); known && err == nil {
			return
		}
	}
	done, err := f.cfg.Deploy(ctx, deploy.Upload{Name: name, Module: module, By: By})
	switch {
	case ctx.Err() != nil:
	case fault.CodeOf(err) == fault.Unavailable || fault.CodeOf(err) == fault.Exhausted:
		it.tried, it.settled = "", false // it may go better at the next look
		if it.said != err.Error() {
			it.said = err.Error()
			log.Warn("a file of the folder of plugins is not deployed yet", "error", err)
		}
	case err != nil:
		log.Error("a file of the folder of plugins is not deployed; the version before stays until the file changes", "error", err)
	case done.Activated:
		log.Info("a file of the folder of plugins serves", "version", done.Version, "mount", done.Mount)
	default:
		log.Warn("a file of the folder of plugins waits", "version", done.Version, "for", strings.Join(done.Waiting, "; "))
	}
}

func read(path string) ([]byte, error) {
	f, err := durable.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	module, err := io.ReadAll(io.LimitReader(f, limit.Module+1))
	if err == nil && len(module) > limit.Module {
		err = fmt.Errorf("it has more than the %s that a module may have", limit.FormatSize(limit.Module))
	}
	return module, err
}
