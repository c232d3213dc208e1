// Package restoring makes a data folder of what was kept elsewhere. Until all of it
// is there, a file in the folder says so, and no server uses it: it can be begun again
// after a crash, and never touches a folder with anything else in it.
package restoring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// file is in the folder from the first step of a restore to the last.
const file = "restore-unfinished.json"

// begun is what file holds.
type begun struct {
	From string    `json:"from"`
	At   time.Time `json:"at"`
}

// Restore is one under way. Close it.
type Restore struct {
	dir  string
	lock *os.File
}

// passed are names that an empty folder may have: a file system's own.
var passed = []string{"lost+found"}

// Begin makes dir, or takes an empty one, or one where a restore was begun and not
// finished, which it empties; from says for a person where the data comes from.
// Errors: Conflict (there is something in dir, or another restore works on it),
// Unavailable.
func Begin(dir, from string, now time.Time) (*Restore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, broken(dir, err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, broken(dir, err)
	}
	r := &Restore{dir: dir, lock: lock}
	if err := r.begin(from, now); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Restore) begin(from string, now time.Time) error {
	if !tryLock(r.lock) {
		return fault.New(fault.Conflict, "", fmt.Sprintf("another process restores to %s, or serves it", r.dir))
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return broken(r.dir, err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !slices.Contains(passed, e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) > 0 && !slices.Contains(names, file) {
		return fault.New(fault.Conflict, "", fmt.Sprintf("%s is not empty: it holds %s; a restore never goes over data, so name a new folder with --data", r.dir, names[0]))
	}
	text, err := json.Marshal(begun{from, now.UTC()})
	if err == nil {
		err = durable.Replace(filepath.Join(r.dir, file), append(text, '\n'))
	}
	for _, name := range names {
		if name != file && err == nil {
			err = os.RemoveAll(filepath.Join(r.dir, name))
		}
	}
	if err != nil {
		return broken(r.dir, err)
	}
	return nil
}

// Done ends a restore: all of it is there, and durable.
func (r *Restore) Done() error {
	err := durable.SyncDir(r.dir)
	if err == nil {
		err = os.Remove(filepath.Join(r.dir, file))
	}
	if err == nil {
		err = durable.SyncDir(r.dir)
	}
	if err != nil {
		return broken(r.dir, err)
	}
	return nil
}

// Close lets another process have the folder.
func (r *Restore) Close() { _ = r.lock.Close() }

// Check refuses a folder whose restore was not finished: Invalid.
func Check(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return broken(dir, err)
	}
	var b begun
	if json.Unmarshal(text, &b) != nil {
		b.From = "a backup"
	}
	return fault.New(fault.Invalid, "open", fmt.Sprintf(
		"%s is half a restore, which was begun at %s from %s and did not finish; run `wasmoor restore` with the same folder again, which begins anew",
		dir, b.At.Format(time.RFC3339), b.From))
}

func broken(dir string, err error) error {
	return fault.Wrap(fault.Unavailable, "restore", dir, err)
}
