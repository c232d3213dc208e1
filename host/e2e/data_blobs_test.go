package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/keeper"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// TestBlobs puts, replaces and deletes blobs while the server is killed over and over, in
// one request from the body and in another from pieces. After each kill every name holds
// the bytes that were acknowledged last, or those of the request that the kill cut off,
// and a sweep leaves the bytes that have a name and no others.
func TestBlobs(t *testing.T) {
	t.Parallel()
	b := &blobLife{t: t, dir: t.TempDir(), may: map[string][]string{}}
	rng := rand.New(rand.NewPCG(seeded(t), 0))
	s := serve(t, b.dir)
	s.deploy("blobs", pack(t, goGuest(t, "testdata/blobguest"), "blobs", "[blobs]"))
	const writers = 3
	removed := int64(0)
	for range often(5, 200) {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for w := range writers {
			own := rand.New(rand.NewPCG(rng.Uint64(), uint64(w)))
			all.Go(func() { b.write(ctx, s, own, w) })
		}
		<-time.After(time.Duration(50+rng.IntN(400)) * time.Millisecond)
		s.kill()
		cancel()
		all.Wait()
		swept := sweepBlobs(t, b.dir)
		removed += swept.Removed
		s = serve(t, b.dir)
		if named := b.check(s); swept.Blobs != int64(len(named)) {
			t.Errorf("a sweep leaves %d blobs, and %d are named", swept.Blobs, len(named))
		}
	}
	if b.acked < often(5, 200) {
		t.Errorf("only %d requests were acknowledged", b.acked)
	}
	t.Logf("%d requests acknowledged, %d blobs swept", b.acked, removed)
}

// blobLife is what is known of the blobs of a data folder.
type blobLife struct {
	t   *testing.T
	dir string

	mu    sync.Mutex
	acked int
	may   map[string][]string // by name the digests that it may have; "" = there is none
}

// write sends requests about names that no other writer has until the server is gone.
func (b *blobLife) write(ctx context.Context, s *server, rng *rand.Rand, writer int) {
	for {
		name := fmt.Sprintf("w%d-%d", writer, rng.IntN(6))
		method, path, body, digest := "PUT", "/blobs/"+name, "", ""
		switch rng.IntN(5) {
		case 0:
			method = "DELETE"
		case 1:
			path = "/blobs/pieces/" + name
			fallthrough
		default:
			data := bytes.Repeat([]byte{byte(rng.IntN(3))}, []int{0, 10, 100_000, 2 << 20}[rng.IntN(4)]) // some are equal, some go to the disk
			sum := sha256.Sum256(data)
			body, digest = string(data), hex.EncodeToString(sum[:])
		}
		b.mu.Lock()
		if b.may[name] == nil {
			b.may[name] = []string{""}
		}
		b.may[name] = append(b.may[name], digest)
		b.mu.Unlock()
		a, err := s.try(ctx, method, path, body)
		if err != nil {
			return // the server is gone: done or not
		}
		if a.status != 200 {
			b.t.Errorf("%s %s: %v", method, path, a)
			return
		}
		b.mu.Lock()
		b.may[name] = []string{digest}
		b.acked++
		b.mu.Unlock()
	}
}

// sweepBlobs sweeps the folder of a server that is gone, as if all were old. Every name
// has its bytes, and none are left without one.
func sweepBlobs(t *testing.T, dir string) blob.Swept {
	t.Helper()
	db, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), Marker: filepath.Join(dir, "store.id"), MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := keeper.Open(dir, "", nil, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.Start(t.Context(), keeper.Config{Blobs: blobs, Store: db, Plugins: func(context.Context) (all []plugin.Plugin, err error) {
		for space := range uint64(10) {
			all = append(all, plugin.Plugin{Space: 16 + space}) // the first is 16
		}
		return all, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	swept, err := k.Sweep(t.Context(), time.Now().Add(time.Hour))
	k.Close()
	if err != nil || swept.Missing != 0 || swept.Unnamed != 0 {
		t.Errorf("sweep: %+v, %v", swept, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return swept
}

// check looks whether each name holds what it may, and returns which blobs are named.
func (b *blobLife) check(s *server) map[string]bool {
	b.t.Helper()
	is, named := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(s.get("/blobs/").body) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		is[name], named[digest] = digest, true
		a := s.get("/blobs/" + name)
		if sum := sha256.Sum256([]byte(a.body)); a.status != 200 || hex.EncodeToString(sum[:]) != digest {
			b.t.Errorf("%s: %d, %d bytes that are not those of %s", name, a.status, len(a.body), digest)
		}
	}
	for name, may := range b.may {
		if !slices.Contains(may, is[name]) {
			b.t.Errorf("%s is %q, and may be %q", name, is[name], may)
		}
		b.may[name] = []string{is[name]}
	}
	return named
}

// TestBlobsMoveToAnotherServer by an archive, bytes and all.
func TestBlobsMoveToAnotherServer(t *testing.T) {
	t.Parallel()
	module := pack(t, goGuest(t, "testdata/blobguest"), "blobs", "[blobs]")
	from, to := serve(t, t.TempDir()), serve(t, t.TempDir())
	from.deploy("blobs", module)
	to.deploy("blobs", module)
	putBlobs(t, from)
	if !to.bring("blobs", from.data("blobs")) {
		t.Fatal("the import fails")
	}
	sameBlobs(t, from, to)
}

// TestBlobsComeBackWithTheirNames: of a backup, and of what was shipped. Where bytes are
// missing both ends of a backup say so.
func TestBlobsComeBackWithTheirNames(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	from := serve(t, t.TempDir(), "--ship-to", place, "--ship-every", "1s")
	from.deploy("blobs", pack(t, goGuest(t, "testdata/blobguest"), "blobs", "[blobs]"))
	putBlobs(t, from)
	file := filepath.Join(t.TempDir(), "backup.tar.zst")
	if made := from.mustCLI("", "backup", "create", file); !strings.Contains(made, "3, 3.1 MiB") {
		t.Errorf("it has made\n%s", made)
	}
	restored := func(of string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "restored")
		out, err := exec.Command(binary, "restore", of, "--data", dir).CombinedOutput()
		if err != nil || strings.Contains(string(out), "the bytes of") != strings.Contains(of, "lacking") {
			t.Fatalf("restore: %v\n%s", err, out)
		}
		return dir
	}
	first := serve(t, restored(file))
	sameBlobs(t, from, first)
	from.stop()
	sameBlobs(t, first, serve(t, restored(place)))
	sum := sha256.Sum256([]byte("text"))
	digits := hex.EncodeToString(sum[:])
	if err := os.Remove(filepath.Join(from.dir, "blobs", digits[:2], digits)); err != nil {
		t.Fatal(err)
	}
	lacking := file + ".lacking"
	if out, err := exec.Command(binary, "backup", "create", lacking, "--data", from.dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "the bytes of 1 blobs were missing") {
		t.Errorf("a backup of a server that lacks one: %v\n%s", err, out)
	}
	restored(lacking)
}

// putBlobs has the plugin name blobs, two of them with the same bytes.
func putBlobs(t *testing.T, s *server) {
	t.Helper()
	large := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	for name, data := range map[string][]byte{"large": large, "again": large, "none": nil, "small": []byte("text")} {
		if a, err := s.try(t.Context(), "PUT", "/blobs/"+name, string(data)); err != nil || a.status != 200 {
			t.Fatal(a, err)
		}
	}
}

// sameBlobs wants the blobs of one server on another.
func sameBlobs(t *testing.T, from, to *server) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); to.get("/blobs/").status == 503 && time.Now().Before(end); { // it prepares the module first
		time.Sleep(100 * time.Millisecond)
	}
	if got, want := to.get("/blobs/").body, from.get("/blobs/").body; got != want || strings.Count(got, "\n") != 4 {
		t.Errorf("the names are\n%s, want\n%s", got, want)
	}
	for _, name := range []string{"large", "again", "none", "small"} {
		if got, want := to.get("/blobs/"+name), from.get("/blobs/"+name); got.status != 200 || got.body != want.body {
			t.Errorf("%s: %d, %d bytes, want %d", name, got.status, len(got.body), len(want.body))
		}
	}
}
