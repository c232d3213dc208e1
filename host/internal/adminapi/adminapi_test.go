package adminapi

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// TestTagsAreTheLimits: a tag cannot name a constant.
func TestTagsAreTheLimits(t *testing.T) {
	for _, tt := range []struct {
		in   any
		most int
	}{{KeysQuery{}, MaxKeys}, {EventsQuery{}, MaxEvents}} {
		f, ok := reflect.TypeOf(tt.in).FieldByName("Limit")
		if got := f.Tag.Get("maximum"); !ok || got != fmt.Sprint(tt.most) {
			t.Errorf("%T takes a limit up to %q, and the constant says %d", tt.in, got, tt.most)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, key := range [][]byte{[]byte("a"), []byte("a/b c"), {0}, {0xff}, []byte("\xff\xfe")} {
		if got, err := KeyOf(key).Bytes(); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%q comes back as %q, %v", key, got, err)
		}
	}
	for _, k := range []Key{{}, {Text: "a", Base64: "YQ=="}, {Base64: "!"}} {
		if got, err := k.Bytes(); err == nil {
			t.Errorf("%+v is taken for %q", k, got)
		}
	}
}
