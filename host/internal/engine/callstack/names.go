// Package callstack says where a guest was when it failed: the functions it was in,
// by the names that its module gives them. Engines import it.
package callstack

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Bounds of names, in bytes. A module says what it likes: names are for a person.
const (
	maxName   = 120
	maxNames  = 4 << 20 // of all, as they are written before they are packed
	maxPacked = 1 << 20
)

// OfModule returns the names in a module's name section, by the index of the
// function. Where there are several, the first counts.
func OfModule(m *wasmbin.Module, module []byte) map[uint32]string {
	names := map[uint32]string{}
	for index, name := range m.FunctionNames(module) {
		if _, ok := names[index]; !ok && name != "" {
			names[index] = name
		}
	}
	return names
}

// Pack packs names for Unpack: a program keeps its names for the day it fails, and a
// program of Go has thousands. Names that are too many are left out, those of the
// last functions first.
func Pack(names map[uint32]string) []byte {
	if len(names) == 0 {
		return nil
	}
	for most := maxNames; ; most /= 2 {
		if packed := pack(names, most); len(packed) <= maxPacked {
			return packed
		}
	}
}

func pack(names map[uint32]string, most int) []byte {
	var text []byte
	last := uint32(0)
	for _, index := range slices.Sorted(maps.Keys(names)) {
		name := Printable(names[index], maxName)
		if len(text)+len(name)+2*binary.MaxVarintLen32 > most {
			break
		}
		text = binary.AppendUvarint(text, uint64(index-last))
		text = binary.AppendUvarint(text, uint64(len(name)))
		text = append(text, name...)
		last = index
	}
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.DefaultCompression) // the level is one
	_, _ = w.Write(text)                                    // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

var errNames = errors.New("the names of functions are damaged")

// Unpack returns those names of the functions wanted that Pack packed.
func Unpack(packed []byte, wanted []uint32) (map[uint32]string, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxNames+1))
	if err != nil || len(text) > maxNames {
		return nil, errNames
	}
	names := map[uint32]string{}
	index := uint64(0)
	for len(text) > 0 {
		step, n := binary.Uvarint(text)
		size, k := binary.Uvarint(text[max(n, 0):])
		if n <= 0 || k <= 0 || size > uint64(len(text)-n-k) {
			return nil, errNames
		}
		index += step
		if slices.Contains(wanted, uint32(index)) {
			names[uint32(index)] = string(text[n+k : n+k+int(size)])
		}
		text = text[n+k+int(size):]
	}
	return names, nil
}

// Printable returns the start of s, in at most so many bytes, with nothing in it that
// a terminal or a log would take for more than text.
func Printable(s string, most int) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n':
			r = ' '
		case !unicode.IsPrint(r):
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r) > most {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unnamed is what a function without a name is called.
func unnamed(index uint32) string { return "function " + strconv.FormatUint(uint64(index), 10) }
