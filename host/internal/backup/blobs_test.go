package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/cargo"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

func blobsIn(t *testing.T) *blob.Store {
	t.Helper()
	s, err := blob.OpenStore(blob.Config{Dir: filepath.Join(t.TempDir(), "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// noise is bytes that do not get smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// naming is the entry of a name of a plugin's key space, as the store keeps it.
func naming(space store.Space, name string, d blob.Digest) stream.Entry {
	key := binary.BigEndian.AppendUint64([]byte{0x10}, uint64(space.In(store.AreaBlobs)))
	value := append([]byte{0, 1}, d[:]...) // no flags; format
	return stream.Entry{Key: append(append(key, 'n'), name...), Value: append(value, make([]byte, 17)...)}
}

func put(t *testing.T, to *blob.Store, data []byte) blob.Digest {
	t.Helper()
	held, err := to.Put(t.Context(), blob.Account{}, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
	return held.Digest
}

// sweep sweeps as if nothing had a name and all were old.
func sweep(t *testing.T, s *blob.Store) int64 {
	t.Helper()
	swept, err := s.Sweep(t.Context(), func(func(blob.Digest, error) bool) {}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return swept.Removed
}

// landed is a backup that was brought into a folder.
func landed(ctx context.Context, t *testing.T, data []byte) (archive.Info, *blob.Store, error) {
	t.Helper()
	to := blobsIn(t)
	info, err := Land(ctx, bytes.NewReader(data), Folder{Known: known, Modules: t.TempDir(), Blobs: to, Store: pass})
	return info, to, err
}

// TestBlobsGoAlong whatever a sweep does meanwhile; one that is missing and one that is
// damaged are counted and stop nothing.
func TestBlobsGoAlong(t *testing.T) {
	d := newData("one")
	src := sourceOf(t, d, &clock{at: time.Unix(1_800_000_000, 0)})
	var want [][]byte
	for i, n := range []int{0, 1, cargo.PieceSize, 5 * cargo.PieceSize / 2} {
		want = append(want, noise(n))
		digest := put(t, src.Blobs, noise(n))
		d.entries = append(d.entries, naming(store.Space(i), "a", digest), naming(1, "again", digest))
	}
	gone, damaged, dropped := sha256.Sum256([]byte("gone")), put(t, src.Blobs, noise(3*cargo.PieceSize)), put(t, src.Blobs, []byte("dropped"))
	d.entries = append([]stream.Entry{{Key: binary.BigEndian.AppendUint64([]byte{3}, 9), Value: []byte{0}}}, d.entries...)
	d.entries = append(d.entries, naming(1, "gone", gone), naming(1, "damaged", damaged), naming(9, "x", dropped))
	if err := os.WriteFile(filepath.Join(src.Blobs.String(), damaged.String()[:2], damaged.String()), noise(2*cargo.PieceSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	d.read = func() {
		if n := sweep(t, src.Blobs); n != 0 {
			t.Errorf("a sweep meanwhile has removed %d blobs", n)
		}
	}
	var b bytes.Buffer
	info, err := src.Take(t.Context(), &b)
	if w := (archive.Blobs{Count: 4, Bytes: 1 + cargo.PieceSize + 5*cargo.PieceSize/2, Missing: 2}); err != nil || info.Blobs != w {
		t.Fatalf("it has %+v, %v; want %+v", info.Blobs, err, w)
	}
	if n := sweep(t, src.Blobs); n != 6 {
		t.Errorf("a sweep afterwards has removed %d blobs", n)
	}
	if got, err := Verify(t.Context(), bytes.NewReader(b.Bytes()), known); err != nil || got != info {
		t.Errorf("verified: %+v, %v", got, err)
	}
	got, to, err := landed(t.Context(), t, b.Bytes())
	if err != nil || got != info {
		t.Fatalf("landed: %+v, %v", got, err)
	}
	for _, data := range want {
		r, err := to.Open(t.Context(), sha256.Sum256(data), 0, -1)
		if err != nil {
			t.Error(err)
			continue
		}
		if has, err := io.ReadAll(r); err != nil || !bytes.Equal(has, data) {
			t.Errorf("%d bytes have come of %d, %v", len(has), len(data), err)
		}
		_ = r.Close()
	}
	if n := sweep(t, to); n != 4 {
		t.Errorf("%d blobs have come", n)
	}
	for at := b.Len() - 1; at > 0; at -= b.Len()/40 + 1 {
		if _, _, err := landed(t.Context(), t, b.Bytes()[:at]); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("cut at %d of %d: %v", at, b.Len(), err)
		}
	}
}

// TestBlobsInS3StayThere: the backup says where they are.
func TestBlobsInS3StayThere(t *testing.T) {
	d := newData("one")
	src := sourceOf(t, d, &clock{at: time.Unix(1_800_000_000, 0)})
	src.BlobsIn = "s3://bucket/blobs"
	d.entries = []stream.Entry{naming(1, "a", put(t, src.Blobs, []byte("here")))}
	var b bytes.Buffer
	if _, err := src.Take(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if got, to, err := landed(t.Context(), t, b.Bytes()); err != nil || (got.Blobs != archive.Blobs{Place: "s3://bucket/blobs"}) || sweep(t, to) != 0 {
		t.Errorf("landed: %+v, %v", got, err)
	}
}
