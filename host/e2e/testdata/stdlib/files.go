package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/gzip"
	"compress/lzw"
	"compress/zlib"
	"debug/buildinfo"
	"debug/dwarf"
	"debug/elf"
	"debug/gosym"
	"debug/macho"
	"debug/pe"
	"debug/plan9obj"
	"encoding/base64"
	"errors"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/constant"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/importer"
	"go/parser"
	"go/printer"
	goscanner "go/scanner"
	"go/token"
	"go/types"
	"go/version"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/fstest"
	"testing/iotest"
	"testing/quick"
	"testing/slogtest"
	"testing/synctest"
)

// packed writes and reads bytes.
func packed(writer func(io.Writer) (io.WriteCloser, error), reader func(io.Reader) (io.Reader, error)) error {
	var b bytes.Buffer
	w, err := writer(&b)
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte("aaaa")); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	r, err := reader(&b)
	if err != nil {
		return err
	}
	out, err := io.ReadAll(r)
	return first(err, same(string(out), "aaaa"))
}

func picture(encode func(io.Writer, image.Image) error) error {
	var b bytes.Buffer
	if err := encode(&b, image.NewPaletted(image.Rect(0, 0, 4, 4), palette.Plan9)); err != nil {
		return err
	}
	m, _, err := image.Decode(&b)
	return first(err, same(m.Bounds(), "(0,0)-(4,4)"))
}

const program = "package a\n\n// F is one.\nfunc F() int { return 1 }\n"

func parsed() (*token.FileSet, *ast.File, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "a.go", program, parser.ParseComments)
	return set, file, err
}

// notObject is nil if a reader of object files refuses one that is none.
func notObject[T any](open func(io.ReaderAt) (T, error)) error {
	_, err := open(strings.NewReader("no object file"))
	return refused(err)
}

func init() {
	use(map[string]func() error{
		"archive/tar": func() error {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			if err := first(w.WriteHeader(&tar.Header{Name: "a", Size: 0}), w.Close()); err != nil {
				return err
			}
			h, err := tar.NewReader(&b).Next()
			return first(err, same(h.Name, "a"))
		},
		"archive/zip": func() error {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			if _, err := w.Create("a"); err != nil {
				return err
			}
			err := w.Close()
			r, err2 := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
			return first(err, err2, same(r.File[0].Name, "a"))
		},
		"compress/bzip2": func() error {
			b, _ := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWRmTm2sAAAABACAAIAAhGEaC7kinChIDMnNtYA==")
			_, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(b)))
			return err
		},
		"compress/flate": func() error {
			return packed(func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 5) },
				func(r io.Reader) (io.Reader, error) { return flate.NewReader(r), nil })
		},
		"compress/gzip": func() error {
			return packed(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
				func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
		},
		"compress/lzw": func() error {
			return packed(func(w io.Writer) (io.WriteCloser, error) { return lzw.NewWriter(w, lzw.LSB, 8), nil },
				func(r io.Reader) (io.Reader, error) { return lzw.NewReader(r, lzw.LSB, 8), nil })
		},
		"compress/zlib": func() error {
			return packed(func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
				func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
		},
		"debug/buildinfo": func() error { return notObject(buildinfo.Read) },
		"debug/dwarf":     func() error { return same(dwarf.TagArrayType, "ArrayType") },
		"debug/elf":       func() error { return notObject(elf.NewFile) },
		"debug/gosym":     func() error { return same((&gosym.Sym{Name: "a.b"}).PackageName(), "a") },
		"debug/macho":     func() error { return notObject(macho.NewFile) },
		"debug/pe":        func() error { return notObject(pe.NewFile) },
		"debug/plan9obj":  func() error { return notObject(plan9obj.NewFile) },
		"go/ast":          func() error { _, file, err := parsed(); return first(err, same(ast.IsExported(file.Name.Name), false)) },
		"go/build":        func() error { _, err := build.Import("fmt", "", 0); return err },
		"go/build/constraint": func() error {
			_, err := constraint.Parse("//go:build linux")
			return err
		},
		"go/constant": func() error { return same(constant.MakeInt64(5), 5) },
		"go/doc": func() error {
			set, file, err := parsed()
			if err != nil {
				return err
			}
			p, err := doc.NewFromFiles(set, []*ast.File{file}, "a")
			return first(err, same(p.Funcs[0].Name, "F"))
		},
		"go/doc/comment": func() error { return same(string(new(comment.Printer).Text(new(comment.Parser).Parse("a"))), "a\n") },
		"go/format":      func() error { b, err := format.Source([]byte("x:=1")); return first(err, same(string(b), "x := 1")) },
		"go/importer":    func() error { _, err := importer.Default().Import("fmt"); return err },
		"go/parser":      func() error { _, _, err := parsed(); return err },
		"go/printer": func() error {
			set, file, err := parsed()
			var b bytes.Buffer
			return first(err, printer.Fprint(&b, set, file), same(strings.Contains(b.String(), "func F()"), true))
		},
		"go/scanner": func() error { return same(goscanner.Error{Msg: "a"}, "a") },
		"go/token":   func() error { return same(token.IsKeyword("func"), true) },
		"go/types": func() error {
			set, file, err := parsed()
			if err != nil {
				return err
			}
			p, err := new(types.Config).Check("a", set, []*ast.File{file}, nil)
			return first(err, same(p.Name(), "a"))
		},
		"go/version":          func() error { return same(version.Compare("go1.21", "go1.3"), 1) },
		"image":               func() error { return same(image.Pt(1, 2).Add(image.Pt(1, 1)), "(2,3)") },
		"image/color":         func() error { return same(color.GrayModel.Convert(color.White), color.Gray{Y: 255}) },
		"image/color/palette": func() error { return same(len(palette.WebSafe), 216) },
		"image/draw": func() error {
			m := image.NewRGBA(image.Rect(0, 0, 1, 1))
			draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
			return same(m.Pix, "[255 255 255 255]")
		},
		"image/gif":          func() error { return picture(func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }) },
		"image/jpeg":         func() error { return picture(func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }) },
		"image/png":          func() error { return picture(png.Encode) },
		"testing":            func() error { return same(testing.AllocsPerRun(1, func() {}), 0) },
		"testing/cryptotest": func() error { _ = cryptotest.SetGlobalRandom; return nil },
		"testing/fstest": func() error {
			return fstest.TestFS(fstest.MapFS{"a": &fstest.MapFile{Data: []byte("x")}}, "a")
		},
		"testing/iotest": func() error {
			_, err := io.ReadAll(iotest.ErrReader(errors.New("expected")))
			return same(err, "expected")
		},
		"testing/quick":    func() error { return quick.Check(func(n int) bool { return n == n }, nil) },
		"testing/slogtest": func() error { _ = slogtest.TestHandler; return nil },
		"testing/synctest": func() error { _ = synctest.Test; return nil },
	})
}
