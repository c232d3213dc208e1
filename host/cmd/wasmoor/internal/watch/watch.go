// Package watch tells when files of a project change. It is part of the command
// line's dev loop; only cmd/wasmoor imports it.
package watch

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Debounce is how long a project must be quiet before a change is reported:
// editors and version control write many files at a time.
const Debounce = 50 * time.Millisecond

// ignored are folders that hold what tools make or fetch.
var ignored = []string{"node_modules", "target"}

// Watcher watches a folder and the folders below it, but for hidden ones and
// those of tools. Close it. Its methods belong to one goroutine.
type Watcher struct {
	dir    string
	notify *fsnotify.Watcher
}

// New starts to watch: changes from here on are reported by the next Wait.
func New(dir string) (*Watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &Watcher{dir: dir, notify: notify}
	if _, err := w.add(dir); err != nil {
		_ = notify.Close()
		return nil, err
	}
	return w, nil
}

// Close stops watching.
func (w *Watcher) Close() error { return w.notify.Close() }

// add watches dir and what is below it, and returns the files there. A folder
// that vanishes meanwhile is no error.
func (w *Watcher) add(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == w.dir:
			return err
		case err != nil:
			return nil
		case !entry.IsDir():
			files = append(files, path)
			return nil
		case path != w.dir && skipped(entry.Name()):
			return filepath.SkipDir
		}
		if err := w.notify.Add(path); err != nil && path == w.dir {
			return err
		}
		return nil
	})
	return files, err
}

func skipped(name string) bool { return strings.HasPrefix(name, ".") || slices.Contains(ignored, name) }

// Wait returns the first path, relative to the folder and with slashes, that
// changed and that matters, once nothing that matters has changed for Debounce.
// The error is ctx's or the system's.
func (w *Watcher) Wait(ctx context.Context, matters func(path string) bool) (string, error) {
	var first string
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case err := <-w.notify.Errors:
			return "", err
		case <-quiet:
			return first, nil
		case event, ok := <-w.notify.Events:
			if !ok {
				return "", fsnotify.ErrClosed
			}
			name, ok := w.changed(event, matters)
			if !ok {
				continue
			}
			if first == "" {
				first = name
			}
			quiet = time.After(Debounce)
		}
	}
}

// changed returns the first path that matters of those an event is about. A new
// folder is watched from here on, and is about the files that it came with.
func (w *Watcher) changed(event fsnotify.Event, matters func(string) bool) (string, bool) {
	if event.Op == fsnotify.Chmod {
		return "", false
	}
	paths := []string{event.Name}
	if event.Has(fsnotify.Create) {
		files, _ := w.add(event.Name) // nothing when it is gone again
		paths = append(paths, files...)
	}
	for _, path := range paths {
		if name, ok := w.relative(path); ok && matters(name) {
			return name, true
		}
	}
	return "", false
}

// relative returns a path as Wait reports it; ok is false for one in a folder
// that is not watched.
func (w *Watcher) relative(path string) (name string, ok bool) {
	rel, err := filepath.Rel(w.dir, path)
	if err != nil {
		return "", false
	}
	name = filepath.ToSlash(rel)
	return name, !slices.ContainsFunc(strings.Split(name, "/"), skipped)
}
