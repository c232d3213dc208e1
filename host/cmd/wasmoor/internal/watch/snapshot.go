package watch

import (
	"crypto/sha256"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxHashed bounds the files that are compared by content, in bytes; a larger one
// has changed when its time has.
const maxHashed = 1 << 20

// Snapshot records what files were at a moment, by their paths as Wait reports them.
type Snapshot map[string]stamp

// stamp is one file.
type stamp struct {
	size int64
	time time.Time
	sum  [sha256.Size]byte // of the content; zero for a large file

	touched bool // the last build changed it
	made    bool // builds write it
}

func (s stamp) same(other stamp) bool {
	if s.size != other.size || s.sum != other.sum {
		return false
	}
	return s.size <= maxHashed || s.time.Equal(other.time)
}

// Scan takes a snapshot of the files that matter. A file with the time and size
// that it had in last is not read again.
func (w *Watcher) Scan(matters func(path string) bool, last Snapshot) Snapshot {
	now := Snapshot{}
	_ = filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // it is gone
		case path != w.dir && skipped(entry.Name()):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		if name, ok := w.relative(path); ok && matters(name) {
			now.add(name, path, last[name])
		}
		return nil
	})
	return now
}

func (s Snapshot) add(name, path string, last stamp) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if info.Size() == last.size && info.ModTime().Equal(last.time) {
		s[name] = last
		return
	}
	now := stamp{size: info.Size(), time: info.ModTime(), touched: last.touched, made: last.made}
	if now.size <= maxHashed {
		now.sum = contentSum(path)
	}
	s[name] = now
}

// contentSum returns zero for a file that cannot be read: its time and size are
// all there is to know.
func contentSum(path string) (sum [sha256.Size]byte) {
	file, err := os.Open(path)
	if err != nil {
		return sum
	}
	defer func() { _ = file.Close() }() // only read
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(file, maxHashed+1)); err != nil {
		return sum
	}
	hash.Sum(sum[:0])
	return sum
}

// Changed returns the first path, in order, that is new in now, has another
// content there, or is gone from it; "" for none. What builds leave behind may go.
func (s Snapshot) Changed(now Snapshot) string {
	paths := maps.Clone(s)
	maps.Copy(paths, now)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, was := s[path]
		after, is := now[path]
		switch {
		case was && is && !before.same(after), !was && is, was && !is && !before.made:
			return path
		}
	}
	return ""
}

// Edited returns the first path, in order, whose content is another in now. What
// builds make does not count, nor what is new: a build may have made it.
func (s Snapshot) Edited(now Snapshot) string {
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if before, was := s[path]; was && !before.made && !before.same(now[path]) {
			return path
		}
	}
	return ""
}

// Built compares what a build saw with what is there after it: the first path
// whose content differs, so that the build is out of date already, or "". Unless
// the sources are named, files that the build itself makes do not count: those
// that are new, and those that change with one build after the other. The changes
// are noted in after, which the next snapshot takes over.
func (s Snapshot) Built(after Snapshot, named bool) (stale string) {
	for _, path := range slices.Sorted(maps.Keys(after)) {
		before, was := s[path]
		now := after[path]
		changed := !was || !before.same(now)
		if !named && changed {
			now.made = now.made || !was || before.touched
		}
		now.touched = changed
		after[path] = now
		if changed && !now.made && stale == "" {
			stale = path
		}
	}
	return stale
}
