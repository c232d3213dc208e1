package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// kept is what a reader was given.
type kept struct {
	header   Header
	settings string
	modules  []string
	store    []byte
	blobs    []byte
}

func (k *kept) Begin(h Header) error       { k.header = h; return nil }
func (k *kept) Settings(text []byte) error { k.settings = string(text); return nil }
func (k *kept) Module(_ string, module []byte) error {
	k.modules = append(k.modules, string(module))
	return nil
}

func (k *kept) Store(r io.Reader) (n int64, err error) {
	k.store, err = io.ReadAll(r)
	return 7, err
}

func (k *kept) Blobs(r io.Reader) (count, n int64, err error) {
	k.blobs, err = io.ReadAll(r)
	return 3, int64(len(k.blobs)), err
}

var made = Header{Program: "v1", Created: time.Date(2026, 11, 29, 8, 0, 0, 5, time.UTC), Store: "0102", Layout: 2, Records: 3, ABI: 1}

// write makes an archive of a store of size bytes.
func write(t testing.TB, size int, recipients ...age.Recipient) ([]byte, Info) {
	t.Helper()
	var b bytes.Buffer
	a, err := NewWriter(&b, made, recipients...)
	for _, module := range []string{"one module", "another"} {
		sum := sha256.Sum256([]byte(module))
		err = errors.Join(err, a.Module(hex.EncodeToString(sum[:]), []byte(module)))
	}
	err = errors.Join(err, a.Store(func(w io.Writer) error {
		_, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(content(size))))
		return err
	}))
	err = errors.Join(err, a.Blobs(func(w io.Writer) (Blobs, error) {
		_, err := w.Write(content(size))
		return Blobs{Count: 3, Bytes: int64(size), Missing: 1}, err
	}))
	info, last := a.Finish(42, 7)
	if err = errors.Join(err, last); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), info
}

func content(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(data)
	return data
}

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	id := identity(t)
	for _, size := range []int{100, pieceSize, 2*pieceSize + 1} {
		for _, recipients := range [][]age.Recipient{nil, {id.Recipient()}} {
			data, info := write(t, size, recipients...)
			sum := sha256.Sum256(data)
			if info.SHA256 != hex.EncodeToString(sum[:]) || info.Size != int64(len(data)) || info.Encrypted != (recipients != nil) || info.Revision != 42 || info.Modules != 2 {
				t.Errorf("%d bytes with %+v", len(data), info)
			}
			var k kept
			got, err := Read(iotest.HalfReader(bytes.NewReader(data)), &k, id)
			if err != nil || got != info {
				t.Fatalf("read %+v, %v; want %+v", got, err, info)
			}
			want := made
			want.Format = Format
			if k.header != want || len(k.modules) != 2 || k.modules[0] != "one module" || !bytes.Equal(k.store, content(size)) || !bytes.Equal(k.blobs, content(size)) {
				t.Errorf("%+v, %q, %d bytes of the store, %d of blobs", k.header, k.modules, len(k.store), len(k.blobs))
			}
		}
	}
}

// TestOtherToolsReadIt: nobody needs this program for what is in a backup.
func TestOtherToolsReadIt(t *testing.T) {
	data, _ := write(t, 100)
	z, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if len(names) != 6 || names[0] != headerName || names[3] != "store/00000001" || names[4] != "blobs/00000001" || names[5] != indexName {
		t.Errorf("it holds %q", names)
	}
}

func TestDamageIsFound(t *testing.T) {
	id := identity(t)
	for _, recipients := range [][]age.Recipient{nil, {id.Recipient()}} {
		data, _ := write(t, 300, recipients...)
		refused := func(what string, data []byte, words ...string) {
			t.Helper()
			_, err := Read(bytes.NewReader(data), &kept{}, id)
			code := fault.CodeOf(err)
			if code != fault.Invalid && code != fault.Denied {
				t.Errorf("%s: %v", what, err)
				return
			}
			for _, word := range words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %v; want %q", what, err, word)
				}
			}
		}
		step := 1
		if recipients != nil {
			step = 7 // each costs the work of a key
		}
		for i := 0; i < len(data); i += step {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << rand.IntN(8)
			refused(fmt.Sprintf("%08b for %08b at %d of %d", flipped[i], data[i], i, len(data)), flipped)
			refused(fmt.Sprintf("cut at %d of %d", i, len(data)), data[:i])
		}
		refused("half", data[:len(data)/2], "cut off")
		refused("more", append(bytes.Clone(data), 0))
		refused("twice", append(bytes.Clone(data), data...))
		refused("nothing", nil, "is empty")
		refused("a text", []byte("what is this? no backup for sure"), "no backup of wasmoor")
		broken := errors.New("the disk broke")
		if _, err := Read(io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken)), &kept{}, id); !errors.Is(err, broken) {
			t.Errorf("an error of the source: %v", err)
		}
	}
}

func TestWhoMayRead(t *testing.T) {
	id := identity(t)
	data, _ := write(t, 100, id.Recipient())
	for want, identities := range map[string][]age.Identity{"name the file of its identity": nil, "not for this identity": {identity(t)}} {
		if _, err := Read(bytes.NewReader(data), &kept{}, identities...); fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Read(bytes.NewReader(data), &kept{}, identity(t), id); err != nil {
		t.Error(err)
	}
}

// TestForged holds what a person can make of an archive with other tools.
func TestForged(t *testing.T) {
	type file struct{ name, text string }
	header := file{headerName, `{"format":1}`}
	whole := []file{header, {"store/00000001", "x"}}
	for want, files := range map[string][]file{
		"newer wasmoor":         {{headerName, `{"format":3,"program":"v9"}`}},
		"header cannot be read": {{headerName, `{`}},
		"does not begin with":   {{"README", "x"}},
		"there is none":         {header, {indexName, "{}"}},
		"another digest":        {header, {modulePrefix + strings.Repeat("0", 64) + moduleSuffix, "x"}},
		"its index belongs":     append(whole[:2:2], file{"../../etc/passwd", "x"}),
		"before its index":      whole,
		"is missing":            append(whole[:2:2], file{indexName, `{"parts":[{"name":"gone"}]}`}),
		"not in its index":      append(whole[:2:2], file{indexName, `{"parts":[]}`}),
		"its index has":         append(whole[:2:2], file{indexName, `{"parts":[` + strings.Repeat("{},", 1<<20) + `{}]}`}), // each takes 40 bytes of memory
	} {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		out := tar.NewWriter(z)
		for _, f := range files {
			err = errors.Join(err, out.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.text)), Typeflag: tar.TypeReg, Mode: 0o600}))
			_, wrote := out.Write([]byte(f.text))
			err = errors.Join(err, wrote)
		}
		if err = errors.Join(err, out.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b.Bytes())
		if _, err := Read(io.MultiReader(&b, bytes.NewReader(trailer), bytes.NewReader(sum[:])), &kept{}); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	data, _ := write(f, 100)
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Read(bytes.NewReader(data), &kept{}) })
}
