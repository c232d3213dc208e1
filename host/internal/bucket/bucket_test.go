package bucket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// small makes uploads of several parts, and failures, quick.
var small = options{stall: 5 * time.Second, tries: 4, part: 5 << 20}

// both runs a test on each kind of bucket.
func both(t *testing.T, test func(t *testing.T, b Bucket)) {
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		b, err := open("file://"+filepath.Join(t.TempDir(), "made", "later"), small)
		if err != nil {
			t.Fatal(err)
		}
		test(t, b)
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		test(t, newService(t).open(t, small))
	})
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func put(t *testing.T, b Bucket, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func get(ctx context.Context, b Bucket, key string, offset, length int64) ([]byte, error) {
	r, err := b.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func keys(t *testing.T, b Bucket, prefix, after string) (found []string) {
	t.Helper()
	for o, err := range b.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		found = append(found, o.Key)
	}
	return found
}

func TestWhatIsPutIsGot(t *testing.T) {
	t.Parallel()
	big := random(12 << 20) // three parts
	both(t, func(t *testing.T, b Bucket) {
		if got := keys(t, b, "", ""); got != nil {
			t.Errorf("an empty bucket holds %q", got)
		}
		for name, data := range map[string][]byte{"empty": nil, "small": big[:100], "a/part": big[:5<<20], "a/b/big": big} {
			put(t, b, name, []byte("what was there before"))
			for _, size := range []int64{int64(len(data)), -1} {
				if err := b.Put(t.Context(), name, iotest.OneByteReader(io.LimitReader(bytes.NewReader(data), 9)), min(9, size)); err != nil {
					t.Fatal(err)
				}
				if err := b.Put(t.Context(), name, bytes.NewReader(data), size); err != nil {
					t.Fatal(err)
				}
				if got, err := get(t.Context(), b, name, 0, -1); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s, size %d: %d bytes, %v", name, size, len(got), err)
				}
			}
		}
		for _, r := range [][2]int64{{0, 0}, {0, 10}, {7, 20}, {100, -1}, {12<<20 - 5, -1}, {12<<20 - 5, 50}, {12 << 20, -1}, {12 << 20, 4}, {99 << 20, -1}} {
			want := big[min(r[0], int64(len(big))):]
			if r[1] >= 0 {
				want = want[:min(r[1], int64(len(want)))]
			}
			if got, err := get(t.Context(), b, "a/b/big", r[0], r[1]); err != nil || !bytes.Equal(got, want) {
				t.Errorf("range %v: %d bytes, %v", r, len(got), err)
			}
		}
		for _, key := range []string{"a/b/big", "a/b/big", "none"} {
			if err := b.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
		}
		if _, err := get(t.Context(), b, "a/b/big", 0, -1); fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), b.String()) {
			t.Errorf("a deleted object: %v", err)
		}
	})
}

func TestListsAreInOrder(t *testing.T) {
	t.Parallel()
	all := []string{"a", "a-b", "a.b/c", "a/b", "a/b-c", "a/b/c", "a0", "b/1", "b/2", "b/3"}
	both(t, func(t *testing.T, b Bucket) {
		for _, i := range rand.Perm(len(all)) {
			if all[i] == "a" || all[i] == "a/b" { // a folder has no file and folder of one name
				continue
			}
			put(t, b, all[i], []byte(all[i]))
		}
		there := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return key == "a" || key == "a/b" })
		for _, prefix := range []string{"", "a", "a/", "a/b", "b/", "b/2", "c"} {
			for _, after := range []string{"", "a", "a-b", "a/b/c", "b/2", "z"} {
				var want []string
				for _, key := range there {
					if strings.HasPrefix(key, prefix) && key > after {
						want = append(want, key)
					}
				}
				if got := keys(t, b, prefix, after); !slices.Equal(got, want) {
					t.Errorf("prefix %q after %q: %q, want %q", prefix, after, got, want)
				}
			}
		}
		for o, err := range b.List(t.Context(), "b/", "") { // and a list may be left
			if err != nil || o.Size != 3 || time.Since(o.Modified) > time.Hour {
				t.Errorf("%+v, %v", o, err)
			}
			break
		}
	})
}

func TestBadKeysAreRefused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b Bucket) {
		for _, key := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "a b", "a\x00", "ä", "a\\b", strings.Repeat("a", MaxKey+1)} {
			_, err := b.Get(t.Context(), key, 0, -1)
			for _, err := range []error{err, b.Put(t.Context(), key, strings.NewReader("x"), 1), b.Delete(t.Context(), key)} {
				if fault.CodeOf(err) != fault.Invalid {
					t.Errorf("key %q: %v", key, err)
				}
			}
		}
	})
}

// TestAFailedPutChangesNothing: a source that fails, ends early, gives more than it
// said, or whose reader gives up.
func TestAFailedPutChangesNothing(t *testing.T) {
	t.Parallel()
	big := random(11 << 20)
	broken := errors.New("the source broke")
	both(t, func(t *testing.T, b Bucket) {
		put(t, b, "key", []byte("before"))
		for _, n := range []int64{10, 11 << 20} {
			source := func() io.Reader { return bytes.NewReader(big[:n]) }
			ctx, cancel := context.WithCancel(t.Context())
			for name, err := range map[string]error{
				"fails": b.Put(t.Context(), "key", io.MultiReader(source(), iotest.ErrReader(broken)), -1),
				"ends":  b.Put(t.Context(), "key", source(), n+1),
				"more":  b.Put(t.Context(), "key", source(), n-1),
				"left":  b.Put(ctx, "key", io.MultiReader(source(), calling(cancel), source()), -1),
			} {
				if err == nil || name == "fails" && !errors.Is(err, broken) {
					t.Errorf("a source that %s: %v", name, err)
				}
			}
			cancel()
		}
		if got, err := get(t.Context(), b, "key", 0, -1); err != nil || string(got) != "before" {
			t.Errorf("%.20q, %v", got, err)
		}
		if got := keys(t, b, "", ""); len(got) != 1 {
			t.Errorf("the bucket holds %q", got)
		}
	})
}

// calling is an empty reader that calls f.
type calling func()

func (f calling) Read([]byte) (int, error) { f(); return 0, io.EOF }

func TestManyPutAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b Bucket) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 10 {
					data := bytes.Repeat([]byte{byte('a' + i)}, 1000)
					if err := b.Put(t.Context(), "x/y/same", bytes.NewReader(data), -1); err != nil {
						t.Error(err)
					}
					if err := b.Delete(t.Context(), "x/other"); err != nil {
						t.Error(err)
					}
					if got, err := get(t.Context(), b, "x/y/same", 0, -1); err != nil || len(got) != 1000 || got[0] != got[999] {
						t.Errorf("%d bytes, %v", len(got), err)
					}
				}
			})
		}
		all.Wait()
	})
}

func TestLeftoversAreSwept(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b Bucket) {
		put(t, b, "a/whole", []byte("whole"))
		switch b := b.(type) { // what a kill leaves
		case *folder:
			if err := os.WriteFile(filepath.Join(b.path, "a", partial+"x"), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		case *s3:
			if _, err := b.core.NewMultipartUpload(t.Context(), b.bucket, b.prefix+"a/half", putOptions); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			prefix string
			before time.Time
			want   int
		}{
			{"a/", time.Now().Add(-time.Hour), 0},
			{"b/", time.Now().Add(time.Hour), 0},
			{"a/", time.Now().Add(time.Hour), 1},
			{"a/", time.Now().Add(time.Hour), 0},
		} {
			if n, err := b.Sweep(t.Context(), tt.prefix, tt.before); err != nil || n != tt.want {
				t.Errorf("%+v: %d, %v", tt, n, err)
			}
		}
		if got := keys(t, b, "", ""); !slices.Equal(got, []string{"a/whole"}) {
			t.Errorf("the bucket holds %q", got)
		}
	})
}

func TestLinksLeadNowhereElse(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(out, "secret"), []byte("secret"), 0o600), os.Symlink(out, filepath.Join(dir, "out")),
		os.Symlink(filepath.Join(out, "secret"), filepath.Join(dir, "file"))); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"out/secret", "file"} {
		if data, err := get(t.Context(), b, key, 0, -1); err == nil {
			t.Errorf("%s gave %q", key, data)
		}
	}
	if err := b.Put(t.Context(), "out/new", strings.NewReader("x"), 1); err == nil {
		t.Error("a link led out of the folder")
	}
	if got := keys(t, b, "", ""); got != nil {
		t.Errorf("the list holds links: %q", got)
	}
}

func TestOpen(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	for place, want := range map[string]string{
		"/a/b/":                         "/a/b",
		"file:///a/b":                   "/a/b",
		"s3://name":                     "s3://name",
		"s3://name/a/b/":                "s3://name/a/b",
		"s3://name/a?region=eu-north-1": "s3://name/a",
		"s3://name/a?endpoint=http://localhost:9000&region=x": "s3://name/a",
	} {
		if b, err := Open(place); err != nil || b.String() != want {
			t.Errorf("%s: %v, %v", place, b, err)
		}
	}
	for place, want := range map[string]string{
		"a/b":                          "neither an absolute path",
		"":                             "neither an absolute path",
		"file://host/a":                "neither an absolute path",
		"http://name/a":                "neither an absolute path",
		"s3://":                        "ucket name",
		"s3://name/../a":               "no prefix",
		"s3://name/a?endpoint=x":       "endpoint is to be",
		"s3://name/a?endpoint=ftp://x": "endpoint is to be",
		"s3://name/a?secret=x":         `"secret" is not known`,
		"s3://id:hidden@name":          "holds no credentials",
		"s3://id:hid den@name":         "is no URL",
	} {
		if _, err := Open(place); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", place, err, want)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	if _, err := Open("s3://name"); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without credentials: %v", err)
	}
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = id\naws_secret_access_key = hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("s3://name"); err != nil {
		t.Errorf("with a file of credentials: %v", err)
	}
}
