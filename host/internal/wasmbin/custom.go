package wasmbin

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

// CustomSection returns the data of the custom section of that name and whether
// there is one. It shares b's memory. Two of one name are an error, because
// readers would differ on which counts. Errors are Invalid.
func CustomSection(b []byte, name string) (data []byte, ok bool, err error) {
	list, err := format.Sections(b)
	if err != nil {
		return nil, false, err
	}
	for _, s := range list {
		if !s.Custom() || s.Name != name {
			continue
		}
		if ok {
			return nil, false, format.Invalid("custom", s.Offset, "there are two sections %q", name)
		}
		data, ok = b[s.Start:s.End:s.End], true
	}
	return data, ok, nil
}

// Code returns b without its custom sections, except those of names: what engines make of
// a module rests on nothing else. Sections stay as they are, so it is b itself where none
// goes. Errors are Invalid.
func Code(b []byte) ([]byte, error) {
	list, err := format.Sections(b)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(list, ignored) {
		return b, nil
	}
	out := append(make([]byte, 0, len(b)), b[:format.HeaderSize]...)
	for _, s := range list {
		if !ignored(s) {
			out = append(out, b[s.Offset:s.End]...)
		}
	}
	return out, nil
}

func ignored(s format.Section) bool { return s.Custom() && s.Name != nameSection }

// WithCustomSection returns a copy of b with a custom section of that name at its
// end, in place of all that it had. Errors are Invalid.
func WithCustomSection(b []byte, name string, data []byte) ([]byte, error) {
	list, err := format.Sections(b)
	if err != nil {
		return nil, err
	}
	content := format.AppendU32(nil, uint32(len(name)))
	size := uint64(len(content)) + uint64(len(name)) + uint64(len(data))
	if size > math.MaxUint32 || !utf8.ValidString(name) {
		return nil, fault.New(fault.Invalid, "module", "a custom section has a name in UTF-8 and less than 4 GiB")
	}
	out := make([]byte, 0, len(b)+int(size)+6)
	out = append(out, b[:format.HeaderSize]...)
	for _, s := range list {
		if !s.Custom() || s.Name != name {
			out = append(out, b[s.Offset:s.End]...)
		}
	}
	out = format.AppendU32(append(out, format.IDCustom), uint32(size))
	out = append(append(out, content...), name...)
	return append(out, data...), nil
}
