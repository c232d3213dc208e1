// Package formats keeps in a data folder which formats it was last written with,
// so that an older program can refuse the folder by name before it opens
// anything, and a person can ask while a server runs. Each part still guards
// itself: the store has a record of its format, each record of the registry names
// its own. Package host, which knows the parts, imports it.
package formats

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Set is one format of each part. A part that changes what it writes raises its
// own.
type Set struct {
	Program  string `json:"program"`  // version of the program that writes them, for a person
	Store    int    `json:"store"`    // layout of the key-value store
	Registry int    `json:"registry"` // records of plugins, versions, deployments, events
	Artefact int    `json:"artefact"` // what was built of modules; another one is built again
	ABI      int    `json:"abi"`      // between host and guests
}

// file is in the data folder. Like the rest of it, it is written by the one
// process that serves.
const file = "formats.json"

const maxFile = 4 << 10 // bytes

// before are the formats of a folder without the file: those of the last program
// that did not write it.
var before = Set{Store: 1, Registry: 0, Artefact: 2, ABI: 1}

// Read returns the formats of a data folder, which a server may use meanwhile.
// Errors: Invalid (the file is damaged, or no file), Unavailable (it cannot be
// read).
func Read(dir string) (Set, error) {
	const op = "read the formats"
	path := filepath.Join(dir, file)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return before, nil
	}
	if err == nil && !info.Mode().IsRegular() { // a pipe has no end, nor has what a link may name
		return Set{}, fault.New(fault.Invalid, op, fmt.Sprintf("%s is not a file; move it away: the next start writes one", path))
	}
	var data []byte
	if err == nil && info.Size() <= maxFile {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return Set{}, fault.Wrap(fault.Unavailable, op, fmt.Sprintf("cannot read %s", path), err)
	}
	var s Set
	if err := json.Unmarshal(data, &s); err != nil || s.Store < 1 || min(s.Registry, s.Artefact, s.ABI) < 0 {
		return Set{}, fault.Wrap(fault.Invalid, op, fmt.Sprintf(
			"%s is damaged; delete it: the next start writes it again, and the store and the registry say their formats themselves", path), err)
	}
	return s, nil
}

// Check returns an Invalid fault when a program of the formats of known must
// not use a folder of those of s, and names each part. Artefacts are no reason:
// those of another format are built again.
func (s Set) Check(known Set) error {
	var newer []string
	for _, part := range []struct {
		name        string
		have, known int
	}{{"store", s.Store, known.Store}, {"registry", s.Registry, known.Registry}, {"ABI", s.ABI, known.ABI}} {
		if part.have > part.known {
			newer = append(newer, fmt.Sprintf("%s (format %d; this one knows %d)", part.name, part.have, part.known))
		}
	}
	if len(newer) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "open", fmt.Sprintf(
		"the data folder was written by a newer wasmoor, %q: its %s; run that version, or restore a backup from before the upgrade",
		s.Program, strings.Join(newer, ", its ")))
}

// Write makes s the formats of a data folder, durably; a file that says so is
// left alone. Errors: Unavailable.
func (s Set) Write(dir string) error {
	if have, err := Read(dir); err == nil && have == s {
		return nil
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = durable.Replace(filepath.Join(dir, file), append(data, '\n'))
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "write the formats", fmt.Sprintf("cannot write %s", filepath.Join(dir, file)), err)
	}
	return nil
}
