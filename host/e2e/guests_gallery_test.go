package e2e

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// gallery is a server with examples/gallery, as its manifest has it.
type gallery struct{ *server }

func serveGallery(t *testing.T) gallery {
	t.Helper()
	manifest, err := os.ReadFile("../../examples/gallery/wasmoor.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(manifest), "name = \"gallery\"\n")
	s := serve(t, t.TempDir())
	s.deploy("gallery", pack(t, goGuest(t, "../../examples/gallery"), "gallery", lines))
	return gallery{s}
}

// wants posts a picture, and returns its path.
func (g gallery) wants(t *testing.T, body []byte) string {
	t.Helper()
	a := g.do("POST", "/gallery/pictures?title=test", string(body))
	if a.status != http.StatusCreated {
		t.Fatalf("got %v", a)
	}
	return a.header.Get("Location")
}

// lists wants the list to have pictures, and returns what the server says of keeping it.
func (g gallery) lists(t *testing.T, paths ...string) string {
	t.Helper()
	a := g.get("/gallery/pictures")
	var found struct{ Pictures []struct{ ID string } }
	if err := json.Unmarshal([]byte(a.body), &found); err != nil || len(found.Pictures) != len(paths) {
		t.Fatalf("got %v, want %d pictures", a, len(paths))
	}
	for i, p := range found.Pictures {
		if path := "/gallery/pictures/" + p.ID; path != paths[i] {
			t.Errorf("picture %d is %s, want %s", i, path, paths[i])
		}
	}
	return a.header.Get("Cache-Status")
}

// painted returns a picture that compresses badly.
func painted(width, height int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(i * i >> 5)
	}
	return m
}

func inPNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestGallery uses the whole of examples/gallery: pictures in, out whole and in part, and
// away again, and what is no picture.
func TestGallery(t *testing.T) {
	t.Parallel()
	g := serveGallery(t)
	if page := g.get("/gallery/"); page.status != http.StatusOK || !strings.Contains(page.body, `type="file"`) {
		t.Errorf("the page: %v", page)
	}
	g.lists(t)
	first := inPNG(t, painted(900, 600))
	var second bytes.Buffer
	if err := jpeg.Encode(&second, painted(300, 1200), nil); err != nil {
		t.Fatal(err)
	}
	one := g.wants(t, first)
	if said := g.lists(t, one); said != cacheStored {
		t.Errorf("the list after an upload is %q", said)
	}
	if said := g.lists(t, one); said != cacheHit {
		t.Errorf("the list again is %q", said)
	}
	two := g.wants(t, second.Bytes())
	g.lists(t, two, one)
	g.shows(t, one, "image/png", first, image.Rect(0, 0, 320, 213))
	g.shows(t, two, "image/jpeg", second.Bytes(), image.Rect(0, 0, 80, 320))
	three := g.inParts(t, first)
	g.lists(t, three, two, one)
	for _, path := range []string{one, three} {
		if a := g.do("DELETE", path, ""); a.status != http.StatusNoContent {
			t.Errorf("delete: %v", a)
		}
	}
	g.lists(t, two)
	for _, path := range []string{one, one + "/thumbnail", three} {
		if a := g.get(path); a.status != http.StatusNotFound {
			t.Errorf("%s is deleted: %v", path, a)
		}
	}
	g.shows(t, two, "image/jpeg", second.Bytes(), image.Rect(0, 0, 80, 320))
}

// shows wants a picture whole, in part, and not again, and its thumbnail.
func (g gallery) shows(t *testing.T, path, mediaType string, body []byte, size image.Rectangle) {
	t.Helper()
	a := g.get(path)
	if a.status != http.StatusOK || a.body != string(body) || a.header.Get("Content-Type") != mediaType || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: %d, %d bytes, %v", path, a.status, len(a.body), a.header)
	}
	if got := g.get(path + "?download=1").header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename*=UTF-8''test.") {
		t.Errorf("%s is to be saved as %q", path, got)
	}
	if part := g.ask("GET", path, "Range", "bytes=100-199"); part.status != http.StatusPartialContent || part.body != string(body[100:200]) {
		t.Errorf("a part of %s: %d, %d bytes", path, part.status, len(part.body))
	}
	for _, path := range []string{path, path + "/thumbnail"} {
		if again := g.ask("GET", path, "If-None-Match", g.get(path).header.Get("Etag")); again.status != http.StatusNotModified || again.body != "" {
			t.Errorf("%s again: %v", path, again)
		}
	}
	thumbnail, err := jpeg.DecodeConfig(strings.NewReader(g.get(path + "/thumbnail").body))
	if err != nil || image.Rect(0, 0, thumbnail.Width, thumbnail.Height) != size {
		t.Errorf("the thumbnail of %s: %dx%d, %v; want %v", path, thumbnail.Width, thumbnail.Height, err, size)
	}
}

// inParts sends a picture in two parts.
func (g gallery) inParts(t *testing.T, body []byte) string {
	t.Helper()
	length, half := strconv.Itoa(len(body)), len(body)/2
	asked := tus(t, "POST", g.public+"/gallery/pictures", nil, "Upload-Length", length)
	path := g.public + asked.Header.Get("Location")
	tus(t, "PATCH", path, body[:half], "Upload-Offset", "0")
	last := tus(t, "PATCH", path, body[half:], "Upload-Offset", strconv.Itoa(half))
	if last.StatusCode != http.StatusCreated {
		t.Fatalf("the last part: status %d", last.StatusCode)
	}
	return last.Header.Get("Location")
}

// TestGalleryRefuses sends what is no picture, and then one that takes as much memory as any
// that is taken.
func TestGalleryRefuses(t *testing.T) {
	t.Parallel()
	g := serveGallery(t)
	small := inPNG(t, painted(60, 60))
	huge := bytes.Clone(small)
	copy(huge[16:], "\x00\x00\xea\x60\x00\x00\xea\x60") // 60,000 x 60,000
	sum := crc32.NewIEEE()
	_, _ = sum.Write(huge[12:29])
	copy(huge[29:], sum.Sum(nil))
	for _, c := range []struct {
		name   string
		body   []byte
		status int
	}{
		{"empty", nil, http.StatusUnsupportedMediaType},
		{"text", []byte("<script>alert(1)</script>"), http.StatusUnsupportedMediaType},
		{"truncated", small[:len(small)/2], http.StatusUnprocessableEntity},
		{"a header that claims much", huge, http.StatusUnprocessableEntity},
		{"more bytes than the route takes", make([]byte, 32<<20+1), http.StatusRequestEntityTooLarge},
	} {
		if a := g.do("POST", "/gallery/pictures", string(c.body)); a.status != c.status {
			t.Errorf("%s: got %v, want %d", c.name, a, c.status)
		}
	}
	g.lists(t)
	path := g.wants(t, greedy())
	g.lists(t, path)
}

// greedy returns the JPEG of few bytes that takes the most memory: as many pixels as the
// gallery takes, progressive, of four colours that are not those of print.
func greedy() []byte {
	var b bytes.Buffer
	b.WriteString("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x02")
	b.WriteString("\xff\xc2\x00\x14\x08\x08\x00\x10\x00\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00") // 4096 x 2048
	b.WriteString("\xff\xc4\x00\x14\x00\x01" + strings.Repeat("\x00", 16))                                    // a bit is a block
	b.WriteString("\xff\xda\x00\x0e\x04\x01\x00\x02\x00\x03\x00\x04\x00\x00\x00\x00")
	b.Write(make([]byte, 4096*2048/64*4/8))
	b.WriteString("\xff\xd9")
	return b.Bytes()
}
