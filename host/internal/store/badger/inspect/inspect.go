// Package inspect reads the files of a Badger folder without opening it, and
// tells what a crash leaves from what is lost. Badger itself deletes tables that
// its MANIFEST does not list, cuts logs at the first bad record, and skips
// blocks that fail their checksum, all without a word: this package looks first.
//
// It writes nothing. What it reads may be damaged or hostile: lengths are
// checked before anything is read by them. Formats are those of Badger v4:
// manifest.go, memtable.go, structs.go, table/builder.go and table/table.go
// there. Folders are not encrypted.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// Damage is one thing that is wrong with a file.
type Damage struct {
	File string // its name in the folder
	What string
}

func (d *Damage) Error() string { return d.File + ": " + d.What }

func damaged(file, format string, args ...any) *Damage {
	return &Damage{File: file, What: fmt.Sprintf(format, args...)}
}

// File is a file that was looked at.
type File struct {
	Name  string
	Bytes int64
	State string // what it is or holds
}

// Folder is what was found in a folder.
type Folder struct {
	Files  []File
	Damage []*Damage
	// Debris names tables that MANIFEST does not list and that hold nothing that
	// is not elsewhere too.
	Debris []string
	// Manifest is the length of MANIFEST up to its last whole record.
	Manifest int64
	// Torn says that something follows there: a record that a crash cut.
	Torn bool
	// Tables are the listed ones.
	Tables []Table
	// Newest is the newest revision that is here.
	Newest uint64
}

// Table is a listed table.
type Table struct {
	Name        string
	Bytes       int64
	compression uint32
	maxVersion  uint64
}

// Config says what to look for.
type Config struct {
	Dir string
	// Before returns the revision of the commit before, where an entry says it:
	// so that a whole log that is missing is noticed.
	Before func(key, value []byte) (revision uint64, ok bool)
	// Known is a revision that is known to have been on disk; 0: not known.
	Known uint64
}

// Look reads everything but the blocks of tables. An error is one of reading
// the folder itself; damage is in the result.
func Look(ctx context.Context, cfg Config) (*Folder, error) {
	l := &look{Config: cfg, Folder: &Folder{}}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return l.Folder, nil
	}
	l.sort(entries)
	l.manifest()
	l.keys()
	for _, look := range []func(){l.listed, l.memoryLogs, l.valueLogs, l.unlisted, l.checkKnown} {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		look()
	}
	return l.Folder, nil
}

// Tables returns the tables that the MANIFEST in dir lists. A server may be
// writing it.
func Tables(dir string) ([]Table, error) {
	l := &look{Config: Config{Dir: dir}, Folder: &Folder{}}
	l.manifest()
	if len(l.Damage) > 0 {
		return nil, l.Damage[0]
	}
	for id, e := range l.list {
		t := Table{Name: tableName(id), compression: e.compression}
		if st, err := os.Stat(l.path(t.Name)); err == nil {
			t.Bytes = st.Size()
		}
		l.Tables = append(l.Tables, t)
	}
	slices.SortFunc(l.Tables, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	return l.Tables, nil
}

// look is the state of one look into a folder.
type look struct {
	Config
	*Folder
	tables  map[uint64]bool // the files there are
	mems    []uint64
	values  []string
	list    map[uint64]tableEntry // what MANIFEST lists
	records []record              // of the memory logs, without values, if somebody asks
}

func (l *look) path(name string) string { return filepath.Join(l.Dir, name) }

func (l *look) found(d *Damage) { l.Damage = append(l.Damage, d) }

func (l *look) note(name string, size int64, format string, args ...any) {
	l.Files = append(l.Files, File{name, size, fmt.Sprintf(format, args...)})
}

// sort puts the files into their kinds.
func (l *look) sort(entries []fs.DirEntry) {
	l.tables = make(map[uint64]bool)
	for _, e := range entries {
		name, ext := e.Name(), filepath.Ext(e.Name())
		switch ext {
		case ".sst":
			if id, err := strconv.ParseUint(strings.TrimSuffix(name, ext), 10, 64); err == nil {
				l.tables[id] = true
			}
		case ".mem":
			if id, err := strconv.ParseUint(strings.TrimSuffix(name, ext), 10, 64); err == nil {
				l.mems = append(l.mems, id)
			}
		case ".vlog":
			l.values = append(l.values, name)
		}
	}
	slices.Sort(l.mems)
}

// keys looks at the registry of keys, which holds none.
func (l *look) keys() {
	st, err := os.Stat(l.path(badger.KeyRegistryFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return // Badger makes another
	}
	if err == nil {
		_, err = badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: l.Dir, ReadOnly: true})
	}
	if err != nil {
		l.found(damaged(badger.KeyRegistryFileName, "it cannot be read: %v. It holds nothing: delete it", err))
		return
	}
	l.note(badger.KeyRegistryFileName, st.Size(), "whole")
}

func tableName(id uint64) string { return fmt.Sprintf("%06d.sst", id) }

// listed looks at the index of each table that MANIFEST lists.
func (l *look) listed() {
	ids := make([]uint64, 0, len(l.list))
	for id := range l.list {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		name := tableName(id)
		if !l.tables[id] {
			l.found(damaged(name, "MANIFEST lists this table, but it is missing"))
			continue
		}
		t, err := openTable(l.path(name), l.list[id].compression)
		if err != nil {
			l.found(AsDamage(name, err))
			continue
		}
		l.Tables = append(l.Tables, Table{name, t.size, l.list[id].compression, t.maxVersion})
		l.Newest = max(l.Newest, t.maxVersion)
		l.note(name, t.size, "level %d, %d entries", l.list[id].level, t.keyCount)
		t.close()
	}
}

// AsDamage returns what is wrong with a file where reading it failed.
func AsDamage(name string, err error) *Damage {
	if d, ok := errors.AsType[*Damage](err); ok {
		return d
	}
	return damaged(name, "it cannot be read: %v", err)
}

// checkKnown compares what is here with what is known to have been.
func (l *look) checkKnown() {
	if l.Known > l.Newest && len(l.Damage) == 0 {
		l.found(damaged("*.mem, MANIFEST", "commits %d to %d were on disk and are missing: a file was cut, or replaced by an older one", l.Newest+1, l.Known))
	}
}
