package badger

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/inspect"
)

// TestScrub damages what nobody reads: once behind the watch's back, which the
// scrub finds, and once, in an index, for the watch.
func TestScrub(t *testing.T) {
	im := makeImage(t)
	for name, c := range map[string]struct {
		scrub  time.Duration
		at     func(size int) int
		hidden bool
	}{
		"a block, by the scrub":  {time.Second, func(size int) int { return size / 2 }, true},
		"an index, by the scrub": {time.Second, func(size int) int { return size - 60 }, true},
		"an index, by the watch": {-1, func(size int) int { return size - 60 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyStore(t, im.dir)
			s := open(t, Config{Dir: dir, ScrubEvery: c.scrub, tune: stillTiny})
			tables, err := inspect.Tables(dir)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, tables[0].Name)
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			err = inflict(path, harm{do: func(b []byte) []byte {
				b[c.at(len(b))] ^= 8
				return b
			}})
			if c.hidden {
				err = errors.Join(err, os.Chtimes(path, before.ModTime(), before.ModTime()))
			}
			if err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the damage to be noticed", func() bool { return s.Health() != nil })
			wantCode(t, "Health", s.Health(), fault.Unavailable)
		})
	}
}
