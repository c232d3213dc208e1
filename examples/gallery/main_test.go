package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func newHost() *sdktest.Host {
	host := sdktest.New(routes().Serve)
	host.Mount = "/gallery"
	return host
}

// half returns a picture that is red on the left, and has nothing on the right.
func half(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width / 2 {
			m.SetNRGBA(x, y, color.NRGBA{R: 255, A: 255})
		}
	}
	return m
}

func encoded(t *testing.T, format string, m image.Image) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, m)
	case "jpeg":
		err = jpeg.Encode(&b, m, nil)
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// claiming returns a PNG whose header says another size.
func claiming(t *testing.T, width, height uint32) string {
	t.Helper()
	b := []byte(encoded(t, "png", half(2, 2)))
	binary.BigEndian.PutUint32(b[16:], width)
	binary.BigEndian.PutUint32(b[20:], height)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return string(b)
}

func post(host *sdktest.Host, title, body string) *sdktest.Result {
	return host.Send("POST", "/pictures?title="+url.QueryEscape(title), "text/plain", body)
}

type listed struct {
	ID, Title, Format   string
	Size, Width, Height int
}

func pictures(t *testing.T, host *sdktest.Host, after string) (all []listed, more bool) {
	t.Helper()
	var found struct {
		Pictures []listed
		More     bool
	}
	if err := json.Unmarshal(host.Get("/pictures?after="+after).Body, &found); err != nil {
		t.Fatal(err)
	}
	return found.Pictures, found.More
}

func TestFormats(t *testing.T) {
	for _, format := range []string{"png", "jpeg", "gif"} {
		t.Run(format, func(t *testing.T) {
			host := newHost()
			body := encoded(t, format, half(800, 400))
			res := post(host, "Übung", body)
			found, more := pictures(t, host, "")
			if res.Status != 201 || len(found) != 1 || more {
				t.Fatalf("got %v, and then %v", res, found)
			}
			p := found[0]
			if want := (listed{p.ID, "Übung", format, len(body), 800, 400}); p != want || res.Header.Get("Location") != "/gallery/pictures/"+p.ID {
				t.Errorf("got %+v, want %+v", p, want)
			}
			res = host.Get("/pictures/" + p.ID)
			if res.Text() != body || res.Header.Get("Content-Type") != "image/"+format || res.Header.Get("Content-Disposition") != "" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("the picture: %v", res.Header)
			}
			res = host.Get("/pictures/" + p.ID + "?download=1")
			if got := res.Header.Get("Content-Disposition"); got != "attachment; filename*=UTF-8''%C3%9Cbung."+format {
				t.Errorf("to be saved it is %q", got)
			}
			thumbnail, err := jpeg.Decode(bytes.NewReader(host.Get("/pictures/" + p.ID + "/thumbnail").Body))
			if err != nil || thumbnail.Bounds() != image.Rect(0, 0, 320, 160) {
				t.Fatalf("the thumbnail: %v, %v", thumbnail.Bounds(), err)
			}
			if r, g, _, _ := thumbnail.At(80, 80).RGBA(); r < 0xf000 || g > 0x1000 {
				t.Errorf("it is not red on the left: %v", thumbnail.At(80, 80))
			}
			if _, g, _, _ := thumbnail.At(240, 80).RGBA(); format == "png" && g < 0xf000 {
				t.Errorf("it is not white where nothing was: %v", thumbnail.At(240, 80))
			}
		})
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct{ from, to image.Point }{
		{image.Pt(1, 1), image.Pt(1, 1)},
		{image.Pt(319, 320), image.Pt(319, 320)},
		{image.Pt(321, 321), image.Pt(320, 320)},
		{image.Pt(1000, 3), image.Pt(320, 1)},
		{image.Pt(3, 8000), image.Pt(1, 320)},
	} {
		if got := fit(c.from); got != c.to {
			t.Errorf("%v becomes %v, want %v", c.from, got, c.to)
		}
	}
	m := image.NewGray(image.Rect(10, 10, 14, 12))
	copy(m.Pix, []byte{0, 100, 7, 7, 100, 200, 7, 7})
	if got := scale(m, image.Pt(2, 1)).Pix; !slices.Equal(got, []byte{100, 100, 100, 255, 7, 7, 7, 255}) {
		t.Errorf("the means are %v", got)
	}
}

// TestRefused sends what is no picture. Nothing of it is kept.
func TestRefused(t *testing.T) {
	picture := encoded(t, "png", half(60, 60))
	for _, c := range []struct {
		name, title, body string
		status            int
		says              string
	}{
		{"empty", "", "", 415, "JPEG, PNG or GIF"},
		{"text", "", "<script>alert(1)</script>", 415, "JPEG, PNG or GIF"},
		{"header alone", "", picture[:33], 422, "damaged"},
		{"half a header", "", picture[:20], 422, "damaged"},
		{"half", "", picture[:len(picture)/2], 422, "damaged"},
		{"GIF of nothing", "", "GIF89a\x00\x00\x00\x00\x00\x00\x00", 422, "damaged"},
		{"huge", "", claiming(t, 60_000, 60_000), 422, "megapixels"},
		{"endless", "", claiming(t, 1<<24, 1<<24), 422, "megapixels"},
		{"long", "", claiming(t, maxPixels+1, 1), 422, "megapixels"},
		{"long title", strings.Repeat("a", maxTitle+1), picture, 400, "title"},
		{"line in the title", "a\r\nb", picture, 400, "title"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := newHost()
			if res := post(host, c.title, c.body); res.Status != c.status || !strings.Contains(res.Text(), c.says) {
				t.Errorf("got %v, want %d and %q", res, c.status, c.says)
			}
			holds(t, host, 0)
		})
	}
}

// holds checks that there are so many pictures, each whole.
func holds(t *testing.T, host *sdktest.Host, n int) {
	t.Helper()
	if keys, names := host.Store.Keys(""), host.Blobs.Names(""); len(keys) != n || len(names) != 2*n {
		t.Errorf("%d pictures are %q and %q", n, keys, names)
	}
}

// TestFull has room for the picture and none for its thumbnail.
func TestFull(t *testing.T) {
	host := newHost()
	body := encoded(t, "gif", half(800, 400))
	host.Blobs.Bytes = int64(len(body)) + 100
	if res := post(host, "", body); res.Status != 507 || !strings.Contains(res.Text(), "full") {
		t.Errorf("got %v", res)
	}
	holds(t, host, 0)
}

func TestDelete(t *testing.T) {
	host := newHost()
	post(host, "", encoded(t, "png", half(4, 4)))
	post(host, "", encoded(t, "png", half(6, 6)))
	found, _ := pictures(t, host, "")
	gone := "/pictures/" + found[0].ID
	for i, status := range []int{204, 404} {
		if res := host.Send("DELETE", gone, "", ""); res.Status != status {
			t.Errorf("time %d: got %v, want %d", i+1, res, status)
		}
		holds(t, host, 1)
	}
	for _, path := range []string{gone, gone + "?download=1", gone + "/thumbnail", "/pictures/x", "/pictures/" + strings.Repeat("ab", 400) + "/thumbnail"} {
		if res := host.Get(path); res.Status != 404 {
			t.Errorf("%s: got %v, want 404", path, res)
		}
	}
}

func TestList(t *testing.T) {
	host := newHost()
	const n = pageSize + 5
	for range n {
		post(host, "", encoded(t, "png", half(2, 2)))
		host.Now = host.Now.Add(time.Second)
	}
	first, more := pictures(t, host, "")
	if len(first) != pageSize || !more {
		t.Fatalf("%d pictures, more: %v", len(first), more)
	}
	rest, more := pictures(t, host, first[pageSize-1].ID)
	if len(rest) != n-pageSize || more {
		t.Errorf("then %d pictures, more: %v", len(rest), more)
	}
	all := append(first, rest...)
	if !slices.IsSortedFunc(all, func(a, b listed) int { return strings.Compare(b.ID, a.ID) }) {
		t.Error("they do not come the newest first")
	}
	if res := host.Get("/pictures?after=x"); res.Status != 400 {
		t.Errorf("got %v, want 400", res)
	}
}

// TestInParts asks for an upload and gets it, as the host does for a client of tus.
func TestInParts(t *testing.T) {
	host := newHost()
	host.Trigger = "upload"
	asked := host.Send("POST", "/pictures?title=Ada", "", "")
	if asked.Status != 200 || asked.Text() != "Ada" {
		t.Fatalf("got %v", asked)
	}
	holds(t, host, 0)
	host.Attributes = map[string]string{"upload.event": "done", "upload.attachment": asked.Text()}
	if res := host.Send("POST", "/pictures/done", "", encoded(t, "jpeg", half(20, 10))); res.Status != 201 {
		t.Errorf("got %v", res)
	}
	if found, _ := pictures(t, host, ""); len(found) != 1 || found[0].Title != "Ada" {
		t.Errorf("there are %v", found)
	}
	holds(t, host, 1)
}
