package folder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4/y"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Watermark is a file with the revision of the newest commit that was
// acknowledged. It is written when the commit is on disk already, so that it is
// never ahead of what is there: if less is there at the next start, it was lost.
// Nothing waits for its sync: after a power cut, not after a killed process, it
// may be behind by what was committed in the last second.
type Watermark struct {
	file   *os.File
	latest atomic.Uint64
	synced uint64 // the janitor's
}

const (
	// WatermarkName is the file that holds the newest acknowledged revision.
	WatermarkName  = "WATERMARK"
	watermarkMagic = "wmoormk1"
	watermarkSize  = len(watermarkMagic) + 8 + crc32.Size
)

// OpenWatermark opens the file, or makes it.
func OpenWatermark(dir string) (*Watermark, error) {
	f, err := os.OpenFile(filepath.Join(dir, WatermarkName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &Watermark{file: f}, nil
}

// readWatermark returns what the file in dir says; 0: there is none, or a crash
// came before it was written.
func readWatermark(dir string) (uint64, error) {
	f, err := os.Open(filepath.Join(dir, WatermarkName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	b := make([]byte, watermarkSize+1)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	if revision, ok := decodeWatermark(b[:n]); ok {
		return revision, nil
	}
	return 0, errWatermark
}

var errWatermark = fmt.Errorf("it is damaged; it only helps to notice that commits are missing: delete it if `wasmoor verify` finds nothing else")

// decodeWatermark takes an empty file, or one of zeros, for one that was not
// written yet.
func decodeWatermark(b []byte) (revision uint64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if len(b) != watermarkSize {
		return 0, false
	}
	if [watermarkSize]byte(b) == [watermarkSize]byte{} {
		return 0, true
	}
	sum := binary.LittleEndian.Uint32(b[watermarkSize-crc32.Size:])
	b = b[:watermarkSize-crc32.Size]
	if string(b[:len(watermarkMagic)]) != watermarkMagic || crc32.Checksum(b, y.CastagnoliCrcTable) != sum {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[len(watermarkMagic):]), true
}

func encodeWatermark(b []byte, revision uint64) []byte {
	b = append(b, watermarkMagic...)
	b = binary.LittleEndian.AppendUint64(b, revision)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, y.CastagnoliCrcTable))
}

// Set notes that everything up to revision is on disk. Only the committer calls
// it.
func (w *Watermark) Set(revision store.Revision) error {
	var b [watermarkSize]byte
	encodeWatermark(b[:0], uint64(revision))
	w.latest.Store(uint64(revision))
	_, err := w.file.WriteAt(b[:], 0)
	return err
}

// Sync puts on disk what was set.
func (w *Watermark) Sync() error {
	latest := w.latest.Load()
	if latest == w.synced {
		return nil
	}
	w.synced = latest
	return w.file.Sync()
}

// Close syncs and closes the file.
func (w *Watermark) Close() error { return errors.Join(w.Sync(), w.file.Close()) }
