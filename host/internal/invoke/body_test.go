package invoke

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestBody(t *testing.T) {
	const text = "0123456789"
	for name, body := range map[string]Body{
		"memory": BodyOf([]byte(text)),
		"file":   BodyIn(strings.NewReader(text+"not the body's"), int64(len(text))),
	} {
		t.Run(name, func(t *testing.T) {
			for _, test := range []struct {
				offset int64
				size   int
				want   string
				err    error
			}{
				{0, 4, "0123", nil},
				{6, 4, "6789", nil},
				{6, 5, "6789", io.EOF},
				{0, 99, text, io.EOF},
				{3, 0, "", nil},
				{10, 1, "", io.EOF},
				{1 << 62, 1, "", io.EOF},
			} {
				buf := make([]byte, test.size)
				n, err := body.ReadAt(buf, test.offset)
				if string(buf[:n]) != test.want || !errors.Is(err, test.err) {
					t.Errorf("%d bytes at %d: got %q, %v, want %q, %v", test.size, test.offset, buf[:n], err, test.want, test.err)
				}
			}
			for range 2 {
				var b bytes.Buffer
				if n, err := body.WriteTo(&b); b.String() != text || n != body.Size() || err != nil {
					t.Errorf("written: %q, %d, %v", &b, n, err)
				}
			}
			if _, ok := body.InMemory(); ok != (name == "memory") {
				t.Errorf("in memory: %v", ok)
			}
		})
	}
}

// TestBodyOfAShortFile: what is missing is a failure, not the body's end.
func TestBodyOfAShortFile(t *testing.T) {
	body := BodyIn(strings.NewReader("01234"), 10)
	if n, err := body.ReadAt(make([]byte, 10), 0); n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := body.WriteTo(io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("WriteTo: %v", err)
	}
}
