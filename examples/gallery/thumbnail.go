package main

import (
	"bufio"
	"bytes"
	"errors"
	"image"
	"image/color"
	_ "image/gif" // what image.Decode reads
	"image/jpeg"
	_ "image/png"
	"io"

	"github.com/wasmoor/wasmoor/sdk"
)

const (
	// maxPixels is how large a picture may be. A decoder takes up to 24 bytes for each, so
	// that any fits into limits.memory of the manifest.
	maxPixels = 8 << 20
	// side is the longer side of a thumbnail.
	side = 320
)

var errDamaged = sdk.Error(422, "the picture is damaged")

// look returns what the first bytes of a picture say. They decide what it is, not the
// client's word, and a picture too large to be decoded is refused before it takes memory.
func look(r io.Reader) (format string, width, height int, err error) {
	c, format, err := image.DecodeConfig(r)
	switch {
	case errors.Is(err, image.ErrFormat):
		return "", 0, 0, sdk.Error(415, "pictures are JPEG, PNG or GIF")
	case err != nil || c.Width < 1 || c.Height < 1:
		return "", 0, 0, errDamaged
	case c.Width > maxPixels/c.Height:
		return "", 0, 0, sdk.Error(422, "the picture has more than 8 megapixels")
	}
	return format, c.Width, c.Height, nil
}

// reduce returns the thumbnail of a picture that look has seen, as a JPEG.
func reduce(r io.Reader) ([]byte, error) {
	decoded, _, err := image.Decode(bufio.NewReaderSize(r, 64<<10))
	from, ok := decoded.(image.RGBA64Image) // as all of these decoders are
	if err != nil || !ok || decoded.Bounds().Empty() {
		return nil, errDamaged
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, scale(from, fit(from.Bounds().Size())), nil)
	return out.Bytes(), err
}

// fit returns the size of the thumbnail of a picture: no larger than that.
func fit(p image.Point) image.Point {
	longer := max(p.X, p.Y)
	to := min(longer, side)
	return image.Pt(max(p.X*to/longer, 1), max(p.Y*to/longer, 1))
}

// scale makes each pixel the mean of those it stands for.
func scale(from image.RGBA64Image, size image.Point) *image.RGBA {
	to, b := image.NewRGBA(image.Rectangle{Max: size}), from.Bounds()
	for y := range size.Y {
		for x := range size.X {
			to.SetRGBA(x, y, mean(from, image.Rect(
				b.Min.X+x*b.Dx()/size.X, b.Min.Y+y*b.Dy()/size.Y,
				b.Min.X+(x+1)*b.Dx()/size.X, b.Min.Y+(y+1)*b.Dy()/size.Y)))
		}
	}
	return to
}

// mean returns the mean of an area, on white where that is transparent.
func mean(from image.RGBA64Image, area image.Rectangle) color.RGBA {
	var r, g, b, n uint64
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			c := from.RGBA64At(x, y)
			white := 0xffff - uint64(c.A)
			r, g, b, n = r+uint64(c.R)+white, g+uint64(c.G)+white, b+uint64(c.B)+white, n+1
		}
	}
	return color.RGBA{R: uint8(r / n >> 8), G: uint8(g / n >> 8), B: uint8(b / n >> 8), A: 0xff}
}
