package folder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// TestWatermark reads what was written, and nothing else: no cut, no flipped bit.
func TestWatermark(t *testing.T) {
	dir := t.TempDir()
	if revision, err := readWatermark(dir); revision != 0 || err != nil {
		t.Errorf("without a file: %d, %v", revision, err)
	}
	w, err := OpenWatermark(dir)
	if err != nil {
		t.Fatal(err)
	}
	if revision, err := readWatermark(dir); revision != 0 || err != nil {
		t.Errorf("before the first commit: %d, %v", revision, err)
	}
	for _, revision := range []uint64{7, 1 << 40} {
		if err := w.Set(store.Revision(revision)); err != nil {
			t.Fatal(err)
		}
		if got, err := readWatermark(dir); got != revision || err != nil {
			t.Errorf("read %d, %v; want %d", got, err, revision)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, WatermarkName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(whole) * 8 {
		b := append([]byte(nil), whole...)
		b[i/8] ^= 1 << (i % 8)
		if revision, ok := decodeWatermark(b); ok {
			t.Errorf("bit %d flipped reads as %d", i, revision)
		}
	}
	for n := 1; n < len(whole); n++ {
		if revision, ok := decodeWatermark(whole[:n]); ok {
			t.Errorf("%d of %d bytes read as %d", n, len(whole), revision)
		}
	}
	if _, ok := decodeWatermark(append(whole, 0)); ok {
		t.Error("a byte too many is taken")
	}
}
