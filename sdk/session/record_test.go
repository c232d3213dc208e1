package session

import (
	"bytes"
	"testing"
)

// FuzzRecord decodes what a store may hold.
func FuzzRecord(f *testing.F) {
	f.Add(encode(&Session{User: "ada", Data: []byte("data"), Created: 1, Seen: 2}))
	f.Add([]byte{recordVersion})
	f.Add(append(make([]byte, 17), 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := decode(b); ok && !bytes.Equal(encode(&s), b) {
			t.Errorf("%x becomes %x", b, encode(&s))
		}
	})
}
