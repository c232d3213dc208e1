package badger

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/folder"
)

// TestCopyWhileWriting copies the directory of a running store, as a crash
// would leave it, and opens the copy: what was acknowledged before is there,
// and every commit is there whole or not at all.
func TestCopyWhileWriting(t *testing.T) {
	s := open(t, Config{})
	const writers = 8
	var acked [writers]atomic.Int64
	stop, progress := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := set(s, fmt.Sprintf("a%d", w), strconv.Itoa(n), fmt.Sprintf("b%d-%d", w, n), strconv.Itoa(n)); err != nil {
					t.Errorf("set: %v", err)
					return
				}
				acked[w].Store(int64(n))
				if w == 0 && n%20 == 0 {
					select {
					case progress <- struct{}{}:
					case <-stop:
					}
				}
			}
		})
	}
	for range 5 {
		<-progress
		var before [writers]int64
		for w := range writers {
			before[w] = acked[w].Load()
		}
		dir := copyStore(t, s.dir)
		crashed := open(t, Config{Dir: dir})
		for w := range writers {
			v, _ := get(t, crashed, fmt.Sprintf("a%d", w))
			n, _ := strconv.ParseInt(v, 10, 64)
			if n < before[w] {
				t.Errorf("writer %d: commit %d was acknowledged, the copy has %d", w, before[w], n)
			}
		}
		checkWhole(t, crashed, writers)
		wantCode(t, "set on the copy", set(crashed, "k", "v"), "")
		closeStore(t, crashed)
	}
	close(stop)
	wg.Wait()
}

// checkWhole checks that of each writer exactly commits 1 to the value of its
// key aW are there, and that the count agrees.
func checkWhole(t *testing.T, s *Store, writers int) {
	t.Helper()
	var want store.Usage
	for w := range writers {
		v, ok := get(t, s, fmt.Sprintf("a%d", w))
		if !ok {
			continue
		}
		last, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		want.Keys++
		want.Bytes += int64(len(fmt.Sprintf("a%d", w)) + len(v))
		for n := 1; n <= last+1; n++ {
			key := fmt.Sprintf("b%d-%d", w, n)
			v, ok := get(t, s, key)
			if ok != (n <= last) {
				t.Fatalf("writer %d is at commit %d, but %s: %v", w, last, key, ok)
			}
			if ok {
				want.Keys++
				want.Bytes += int64(len(key) + len(v))
			}
		}
	}
	if got, err := s.Usage(1); err != nil || got != want {
		t.Fatalf("usage %+v, %v; what is there adds up to %+v", got, err, want)
	}
}

// TestTornLog cuts the log of unflushed writes at many places, as a power cut
// does that came before the watermark was synced: the store opens with a prefix
// of the commits. Where the watermark is newer, or a byte is damaged, it does
// not open.
func TestTornLog(t *testing.T) {
	s := open(t, Config{})
	for n := 1; n <= 20; n++ {
		wantCode(t, "set", set(s, "a0", strconv.Itoa(n), fmt.Sprintf("b0-%d", n), strconv.Itoa(n)), "")
	}
	whole := copyStore(t, s.dir)
	logs, err := filepath.Glob(filepath.Join(whole, "*.mem"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs %v, %v", logs, err)
	}
	log, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for round := range 30 {
		at := len(log)/2 + rng.IntN(len(log)/2)
		torn := bytes.Clone(log[:at])
		switch round % 3 {
		case 1: // zeros, as a file that grew before its data came
			torn = append(torn, make([]byte, len(log)-at)...)
		case 2: // a damaged byte, the rest as it was
			torn = bytes.Clone(log)
			torn[at] ^= 0x10
		}
		if err := os.WriteFile(logs[0], torn, 0o600); err != nil {
			t.Fatal(err)
		}
		dir := copyStore(t, whole)
		_, err := Open(Config{Dir: dir, Reserve: -1})
		wantCode(t, fmt.Sprintf("Open, damaged at %d of %d", at, len(log)), err, fault.Invalid)
		if err := os.Remove(filepath.Join(dir, folder.WatermarkName)); err != nil {
			t.Fatal(err)
		}
		crashed, err := Open(Config{Dir: dir, Reserve: -1})
		if round%3 == 2 && at < len(log)-150 {
			wantCode(t, fmt.Sprintf("Open without the watermark, damaged at %d of %d", at, len(log)), err, fault.Invalid)
		}
		if err != nil {
			continue
		}
		v, _ := get(t, crashed, "a0")
		if n, _ := strconv.Atoi(v); n < 5 || n >= 20 && at < len(log)-150 {
			t.Errorf("cut at %d of %d: at commit %q", at, len(log), v)
		}
		checkWhole(t, crashed, 1)
		closeStore(t, crashed)
	}
}

// copyStore copies a store's files, sparse ones up to the hole at their end. The
// watermark comes first: what was on disk when it was written still is.
func copyStore(t *testing.T, from string) (to string) {
	t.Helper()
	to = t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int {
		return cmp.Compare(b2i(b.Name() == folder.WatermarkName), b2i(a.Name() == folder.WatermarkName))
	})
	for _, e := range entries {
		if e.Name() == "LOCK" || e.IsDir() {
			continue
		}
		b := readData(t, filepath.Join(from, e.Name()))
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// readData reads a file until the end, or 256 KiB of zeros.
func readData(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var data []byte
	zeros := make([]byte, 256<<10)
	piece := make([]byte, len(zeros))
	for {
		n, err := io.ReadFull(f, piece)
		data = append(data, piece[:n]...)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return data
		case err != nil:
			t.Fatal(err)
		case bytes.Equal(piece, zeros):
			const header = 20                                                        // of a log, which a crash may leave zero
			return data[:max(header, len(bytes.TrimRight(data, "\x00"))+crc32.Size)] // a checksum may end with zeros
		}
	}
}

// TestCrashBetweenCreatingAndSizingALog opens a store beside logs of 0 bytes,
// which a crash leaves while Badger makes the next one.
func TestCrashBetweenCreatingAndSizingALog(t *testing.T) {
	s := open(t, Config{})
	wantCode(t, "set", set(s, "k", "v"), "")
	dir := copyStore(t, s.dir)
	for _, name := range []string{"09999.mem", "009999.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	crashed := open(t, Config{Dir: dir})
	if v, ok := get(t, crashed, "k"); !ok || v != "v" {
		t.Errorf("got %q, %v after the crash", v, ok)
	}
	wantCode(t, "set after the crash", set(crashed, "k", "w"), "")
}

// TestLostManifest opens a store without the file that lists its tables, which
// Badger would take for a new one and delete the tables.
func TestLostManifest(t *testing.T) {
	s := open(t, Config{})
	wantCode(t, "set", set(s, "k", "v"), "")
	closeStore(t, s)
	manifest := filepath.Join(s.dir, badger.ManifestFilename)
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Config{Dir: s.dir, Reserve: -1})
	wantCode(t, "Open without its manifest", err, fault.Invalid)
	if err := os.WriteFile(manifest, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if v, ok := get(t, open(t, Config{Dir: s.dir}), "k"); !ok || v != "v" {
		t.Errorf("with its manifest again it holds %q, %v", v, ok)
	}
}
