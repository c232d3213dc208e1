package content

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
)

var modified = time.Date(2030, 1, 2, 3, 4, 5, 600e6, time.UTC)

func entity() *Entity {
	return &Entity{Size: 1000, ETag: `"tag"`, Modified: modified, Type: "text/plain"}
}

func header(lines ...string) (h []abi.Pair) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h = append(h, abi.Pair{Name: strings.ToLower(name), Value: value})
	}
	return h
}

func TestConditions(t *testing.T) {
	date := func(d time.Duration) string { return modified.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		method string
		header []abi.Pair
		want   int
	}{
		{"GET", nil, 200},
		{"GET", header(`If-None-Match: "tag"`), 304},
		{"HEAD", header(`If-None-Match: "tag"`), 304},
		{"GET", header(`If-None-Match: W/"tag"`), 304},
		{"GET", header(`If-None-Match: "a,b", "tag"`), 304},
		{"GET", header(`If-None-Match: "a", "b`, `If-None-Match: "tag"`), 200},
		{"GET", header(`If-None-Match: "a"`, `If-None-Match: "tag"`), 304},
		{"GET", header(`If-None-Match: "a", tag, ",", "tag2"`), 200},
		{"GET", header(`If-None-Match: *`), 304},
		{"GET", header(`If-Match: "tag"`), 200},
		{"GET", header(`If-Match: W/"tag"`), 412},
		{"GET", header(`If-Match: "other"`), 412},
		{"GET", header(`If-Match: *`), 200},
		{"GET", header(`If-Match: `), 412},
		{"GET", header("If-Modified-Since: " + date(0)), 304},
		{"GET", header("If-Modified-Since: " + date(-time.Second)), 200},
		{"GET", header("If-Modified-Since: soon"), 200},
		{"GET", header("If-Unmodified-Since: " + date(0)), 200},
		{"GET", header("If-Unmodified-Since: " + date(-time.Second)), 412},
		// what counts more leaves the other out
		{"GET", header(`If-None-Match: "other"`, "If-Modified-Since: "+date(0)), 200},
		{"GET", header(`If-Match: "tag"`, "If-Unmodified-Since: "+date(-time.Hour)), 200},
		{"GET", header(`If-Match: "tag"`, `If-None-Match: "tag"`), 304},
		{"GET", header(`If-Match: "other"`, `If-None-Match: "tag"`), 412},
		// conditions come before ranges
		{"GET", header("Range: bytes=0-1"), 206},
		{"HEAD", header("Range: bytes=0-1"), 200},
		{"GET", header("Range: bytes=0-1", `If-None-Match: "tag"`), 304},
		{"GET", header("Range: bytes=0-1", `If-Range: "tag"`), 206},
		{"GET", header("Range: bytes=0-1", `If-Range: W/"tag"`), 200},
		{"GET", header("Range: bytes=0-1", `If-Range: "other"`), 200},
		{"GET", header("Range: bytes=0-1", "If-Range: "+date(0)), 200},
		{"GET", header("Range: bytes=2000-", `If-Range: "other"`), 200},
		{"GET", header("Range: bytes=2000-"), 416},
		{"GET", header("Range: bytes=0-1", "Range: bytes=5-6"), 200},
	} {
		if got := entity().Answer(c.method, c.header); got.Status != c.want {
			t.Errorf("%s %v: status %d, want %d", c.method, c.header, got.Status, c.want)
		}
	}
	if got := (&Entity{}).Answer("GET", header(`If-Match: ""`)); got.Status != 412 {
		t.Errorf("without a tag nothing matches: %d", got.Status)
	}
}

func TestRanges(t *testing.T) {
	all := []Part{{Length: 1000}}
	for _, c := range []struct {
		value  string
		status int
		want   []Part
	}{
		{"bytes=0-0", 206, []Part{{Offset: 0, Length: 1}}},
		{"bytes=999-", 206, []Part{{Offset: 999, Length: 1}}},
		{"Bytes = 10 - 19", 206, []Part{{Offset: 10, Length: 10}}},
		{"bytes=-5", 206, []Part{{Offset: 995, Length: 5}}},
		{"bytes=-5000", 206, all},
		{"bytes=0-99999999999999999999", 206, all},
		{"bytes=0-1,500-501", 206, []Part{{Offset: 0, Length: 2}, {Offset: 500, Length: 2}}},
		{"bytes=500-501,0-1", 206, []Part{{Offset: 500, Length: 2}, {Offset: 0, Length: 2}}},
		{"bytes=0-99,50-149", 206, []Part{{Offset: 0, Length: 150}}},
		{"bytes=0-99,200-299", 206, []Part{{Offset: 0, Length: 300}}},
		{"bytes=0-9,900-909,5-905", 206, []Part{{Offset: 0, Length: 910}}},
		{"bytes=0-1,5000-", 206, []Part{{Offset: 0, Length: 2}}},
		{"bytes=, 0-1 ,,", 206, []Part{{Offset: 0, Length: 2}}},
		{"bytes=1000-", 416, nil},
		{"bytes=99999999999999999999-", 416, nil},
		{"bytes=-0", 416, nil},
		// what is no range of bytes counts as none
		{"bytes=", 200, all},
		{"bytes=,", 200, all},
		{"bytes", 200, all},
		{"bytes=5", 200, all},
		{"bytes=5-3", 200, all},
		{"bytes=-", 200, all},
		{"bytes=a-b", 200, all},
		{"bytes=+1-2", 200, all},
		{"bytes=1--2", 200, all},
		{"items=0-1", 200, all},
		{"bytes=0-1,x", 200, all},
		{"bytes=" + strings.Repeat("0-0,", 16) + "1-1", 200, all},
	} {
		got := entity().Answer("GET", header("Range: "+c.value))
		for i := range got.Parts {
			got.Parts[i].Head = ""
		}
		if diff := cmp.Diff(c.want, got.Parts); got.Status != c.status || diff != "" {
			t.Errorf("%q: status %d, want %d (-want +got)\n%s", c.value, got.Status, c.status, diff)
		}
	}
	if got := (&Entity{}).Answer("GET", header("Range: bytes=0-")); got.Status != 416 || got.Header[0].Value != "bytes */0" {
		t.Errorf("of nothing: %+v", got)
	}
}

// FuzzRanges: what is answered lies within the bytes, and no byte comes twice.
func FuzzRanges(f *testing.F) {
	for _, seed := range []string{"bytes=0-1,500-501", "bytes=-5,0-", "bytes=9223372036854775807-9223372036854775807", "bytes=0-9,900-909,5-905,-1"} {
		f.Add(seed, int64(1000))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		size &= 1<<62 - 1
		e := &Entity{Size: size}
		a := e.Answer("GET", []abi.Pair{{Name: "range", Value: value}})
		if len(a.Parts) > maxRanges || a.Length > size+maxRanges*300 {
			t.Fatalf("%d bytes in %d parts of %d", a.Length, len(a.Parts), size)
		}
		for i, p := range a.Parts {
			if p.Offset < 0 || p.Length < 0 || p.Offset+p.Length > size {
				t.Fatalf("part %+v of %d bytes", p, size)
			}
			for _, o := range a.Parts[:i] {
				if p.Offset < o.Offset+o.Length && o.Offset < p.Offset+p.Length {
					t.Fatalf("%+v and %+v overlap", o, p)
				}
			}
		}
	})
}

// source reads a file, as one where it says so.
type source struct {
	path   string
	asFile bool
	opened int
}

type reader struct {
	io.Reader
	io.Closer
}

type fileReader struct {
	reader
	file *os.File
}

func (r fileReader) File() *os.File { return r.file }

func (s *source) Open(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	s.opened++
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	_, err = f.Seek(offset, io.SeekStart)
	r := reader{io.LimitReader(f, length), f}
	if s.asFile {
		return fileReader{r, f}, err
	}
	return r, err
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBody(t *testing.T) {
	text := strings.Repeat("0123456789", 100)
	path := write(t, text)
	for _, asFile := range []bool{false, true} {
		for value, want := range map[string][]string{
			"":                       {text},
			"bytes=3-5":              {"345"},
			"bytes=3-5,500-501,-400": {"345", text[500:]},
			"bytes=0-1,500-501,-1":   {"01", "01", "9"},
		} {
			a := entity().Answer("GET", header("Range: "+value))
			var b strings.Builder
			ended := 0
			body := NewBody(t.Context(), &source{path: path, asFile: asFile}, &a, func() { ended++ })
			n, err := body.WriteTo(&b)
			_, _ = body.Close(), body.Close()
			if err != nil || n != a.Length || int64(b.Len()) != n || ended != 1 {
				t.Errorf("%q: %d bytes of %d, %v, ended %d times", value, n, a.Length, err, ended)
			}
			if got := parts(t, &a, b.String()); !cmp.Equal(got, want) {
				t.Errorf("%q: got %q, want %q", value, got, want)
			}
		}
	}
}

// parts returns what is in the parts of a body.
func parts(t *testing.T, a *Answer, body string) (texts []string) {
	t.Helper()
	if len(a.Parts) == 1 {
		return []string{body}
	}
	_, params, err := mime.ParseMediaType(a.Header[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p)
		if err != nil || p.Header.Get("Content-Type") != "text/plain" || !strings.HasPrefix(p.Header.Get("Content-Range"), "bytes ") {
			t.Errorf("%v, %v", p.Header, err)
		}
		texts = append(texts, string(text))
	}
}

// TestBodyOfLess: bytes that are missing are a failure, not the end of the body.
func TestBodyOfLess(t *testing.T) {
	a := entity().Full()
	for _, asFile := range []bool{false, true} {
		n, err := NewBody(t.Context(), &source{path: write(t, "less"), asFile: asFile}, &a, nil).WriteTo(io.Discard)
		if n != 4 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if n, err := NewBody(t.Context(), &source{path: "none"}, &a, nil).WriteTo(io.Discard); n != 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
